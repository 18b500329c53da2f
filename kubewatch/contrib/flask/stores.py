"""`AppStores`: the stores of one app, started in each process that serves it."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response
from werkzeug.exceptions import ServiceUnavailable

from kubewatch.api import Api
from kubewatch.client import Client
from kubewatch.config import Config
from kubewatch.errors import AuthError, WriterDropped
from kubewatch.health import Report, check_store
from kubewatch.indexes import IndexFunction
from kubewatch.live import LiveStore, live

from .settings import Settings

# How often a pause looks whether the worker was told to end, in seconds: half of the 100 ms in which a stop must work.
LOOK = 0.05

_log = logging.getLogger(__name__)


class NotReady(ServiceUnavailable):
    """A store that a view reads is not filled yet: answered with status 503; why is in the log, and its `__cause__`."""


@dataclass(frozen=True)
class Declared:
    """What to follow, whichever the app."""

    what: str | type[Any] | Api[Any]
    namespace: str | None
    config: Config
    modify: Callable[[Any], object] | None
    indexes: Mapping[str, IndexFunction[Any]] | None

    def build(self, client: Client | None, namespace: str | None) -> LiveStore[Any]:
        """A store of it; `client` and `namespace` are the app's, for what says none itself. Raises `InvalidInput`."""
        what: Any = self.what
        if not isinstance(what, Api):
            wanted = namespace if self.namespace is None else self.namespace
            what = Api(what, namespace=wanted or None, client=client)
        return live(what, config=self.config, modify=self.modify, indexes=self.indexes)


class AppStores:
    """The stores of one app, also found in `app.extensions["kubewatch"]`; safe to use from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stores: dict[str, LiveStore[Any]] = {}
        self._client = settings.make_client()
        self._started_in: int | None = None  # the process
        self._stopped = threading.Event()
        self._alive: Callable[[], bool] = lambda: True

    def add(self, name: str, declared: Declared) -> None:
        """Have one more, as `name`."""
        self.stores[name] = declared.build(self._client, self.settings.namespace)

    def start(self) -> None:
        """Start all stores in this process; idempotent. Makes no request on this thread."""
        self._stopped = threading.Event()  # a new one, as that of before a fork may be locked for ever
        self._started_in = os.getpid()
        for store in self.stores.values():
            store.start()

    def stop(self) -> None:
        """Stop all stores, and wait for the end of their threads, some milliseconds. What they hold can be read on."""
        self._stopped.set()
        for timeout in (0, None):  # all at once
            for store in self.stores.values():
                store.stop(timeout)

    def serve(self, alive: Callable[[], bool]) -> None:
        """Start in a server's worker, before its first request; the worker is to end once it is not `alive` any more.

        For a server's hook, such as `kubewatch.contrib.gunicorn`; `alive` is asked often, and from any thread.
        """
        self._alive = alive
        if self.settings.autostart:
            self.start()

    def start_here(self) -> None:
        """Start, where it is the first request of this process."""
        if self._started_in != os.getpid():
            self.start()

    @property
    def stopping(self) -> bool:
        """Whether the stores were stopped, or this process's worker was told to end."""
        return self._stopped.is_set() or not self._alive()

    def wait(self, seconds: float) -> bool:
        """Pause an endless response for `seconds`; returns whether it is to end, at once when `stopping`.

        A server waits for the responses that are under way before it ends, for 30 s perhaps, and then kills.
        """
        end = time.monotonic() + seconds
        while not self.stopping:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._stopped.wait(min(left, LOOK))
        return True

    def ready(self, name: str) -> LiveStore[Any]:
        """The store `name` once its first list is complete. Raises `NotReady` after the configured `ready_timeout`."""
        store = self.stores[name]
        if not store.is_ready:
            try:
                store.wait_until_ready(self.settings.ready_timeout)
            except (TimeoutError, AuthError, WriterDropped) as error:
                _log.warning("%s: %s", name, error)
                raise NotReady(f"The list of {name} is not complete yet; try again soon.") from error
        return store

    def report(self) -> Report:
        """Of each store, whether it is ready and not stale."""
        within = math.inf if self.settings.stale_after is None else self.settings.stale_after
        return Report(tuple(check_store(name, store, within) for name, store in self.stores.items()))

    def readyz(self) -> Response:
        """The readiness view: 200 or 503, and why."""
        report = self.report()
        for store in self.stores.values():
            if store.failure is not None:  # a kind, say, that the cluster did not know: it may by now
                store.start()
        return Response(report.body(), report.status, {"Cache-Control": "no-store"}, mimetype="application/json")
