"""`Reflector`: keeps the rows of one reflection in step with the cluster, on two threads.

One thread follows the watch and never waits for the database; the other writes what the first collected. A write that
fails is tried again together with what came meanwhile, so that nothing is lost; done twice it comes to the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import Error, connections
from django.utils import timezone

from kubewatch import backoffs
from kubewatch.errors import KubewatchError
from kubewatch.stop import Stop
from kubewatch.watcher import watcher

from .changes import Batch, Changes
from .reflection import Reflection
from .rows import Rows

_log = logging.getLogger(__name__)

# Seconds after which the state is written where nothing else is, to say that the rows are still what the server has.
HEARTBEAT = 15.0

# Seconds between transactions: what comes meanwhile is written in one. The first change after a quiet time is at once.
LULL = 0.05


class Reflector:
    """A context manager that runs a reflection: `with Reflector(deployments) as running: running.wait_until_ready()`.

    It outlives errors of the watch and of the database. What it cannot outlive ends it, and is its `failure`.
    """

    def __init__(self, reflection: Reflection[Any], on_end: Callable[[], object] = lambda: None) -> None:
        self.reflection = reflection
        self.failure: BaseException | None = None
        self._on_end = on_end
        self._changes = Changes(reflection)
        self._rows = Rows(reflection)
        self._stream = watcher(reflection.api, reflection.config).default_backoff()
        self._stop = Stop()
        self._ready = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"kubewatch reflect {reflection.name} {word}")
            for word, work in (("watch", self._watch), ("write", self._write))
        ]

    def start(self) -> None:
        """Follow the cluster from now on."""
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # there are too many; the one that runs would keep the process from ending
            self.stop()
            raise

    def stop(self) -> None:
        """End it: the transaction under way is finished, what waits is dropped. Joins the threads; idempotent."""
        self._end()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def __enter__(self) -> Reflector:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_ready(self) -> bool:
        """Whether a whole list was written."""
        return self._ready.is_set()

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Wait until a whole list was written, `timeout` seconds at most; returns whether it was."""
        return self._ready.wait(timeout)

    @property
    def left_out(self) -> int:
        """How often no row could be made of an object, or the database refused it; each time was logged."""
        return self._changes.left_out + self._rows.refused

    def __repr__(self) -> str:
        state = f"ended by {type(self.failure).__name__}" if self.failure else "ready" if self.is_ready else "not ready"
        return f"<Reflector of {self.reflection.label}, {state}>"

    # The threads

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failure = error
            expected = isinstance(error, KubewatchError)
            told = self.reflection.told(error)
            _log.error("%s: ended: %s", self.reflection.label, told, exc_info=None if expected else error)
        finally:
            connections.close_all()  # this thread's
            self._end()

    def _end(self) -> None:
        self._stop.stop()
        self._stream.stop()
        self._changes.close()
        self._on_end()

    def _watch(self) -> None:
        with self._stream:
            for event in self._stream:
                self._changes.add(event)

    def _write(self) -> None:
        batch = Batch()
        waits = None
        while not self._stop.stopped:
            batch = batch.then(self._changes.take(0.0 if batch else HEARTBEAT))
            try:
                self._write_one(batch)
            except Error as error:
                waits = waits or backoffs.primed(backoffs.default)
                seconds = backoffs.stretched(waits.send(error))
                told = self.reflection.told(error)
                _log.warning("%s: not written, trying again in %.1f s: %s", self.reflection.label, seconds, told)
                connections[self.reflection.database].close()
                self._stop.wait(seconds)
            else:
                batch, waits = Batch(), None
                self._stop.wait(LULL)

    def _write_one(self, batch: Batch) -> None:
        behind = self._changes.behind
        # Nothing to write, and nothing to say: before the first list, and while it is listed anew.
        if batch or (self.is_ready and not behind):
            self._rows.write(batch, None if behind else self._heard_at())
        if batch.whole:
            self._ready.set()

    def _heard_at(self) -> datetime:
        return timezone.now() - timedelta(seconds=self._stream.vitals.age)
