"""`Following`: one stream, the thread that pulls it, and the store that it fills. What `LiveStore` is made of.

A thread knows its `Following` and not the `LiveStore`, so that dropping the `LiveStore` ends the thread; and nothing
that is left of one that has ended can touch the store of the next.
"""

from __future__ import annotations

import atexit
import copy
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Generic, TypeVar

from .errors import AuthError, InvalidInput, KubewatchError, WatchError, WriterDropped
from .events import Event
from .freshness import LOOK
from .indexes import Indexer
from .store import Store, new_store
from .streams import EventStream
from .streams.inband import InBand
from .table import Table
from .writer import Writer

# Seconds that the end of the interpreter waits for a thread: one that is in a function of the user's is left to it.
EXIT_TIMEOUT = 1.0

T = TypeVar("T")
Listener = Callable[[Event[T]], object]

_log = logging.getLogger(__name__)


class Listeners(Generic[T]):
    """Who is told of events."""

    def __init__(self) -> None:
        self.failures = 0
        self._functions: dict[object, Listener[T]] = {}

    def add(self, function: Listener[T]) -> Callable[[], None]:
        key = object()  # as the same function may come twice
        self._functions[key] = function

        def remove() -> None:
            self._functions.pop(key, None)

        return remove

    def tell(self, event: Event[T], label: str) -> None:
        for function in list(self._functions.values()):
            try:
                function(event)
            except (Exception, SystemExit) as error:
                self.failures += 1
                # Its text may quote the object, which may be a Secret.
                place = traceback.extract_tb(error.__traceback__)[-1]
                what = type(error).__name__
                _log.warning("%s: a listener: %s at %s:%s", label, what, place.filename, place.lineno)


class _OpenWriter(Writer[T]):
    """One that its stream does not close: nobody is told of the end before it is known why."""

    def close(self) -> None:
        return


class _Thread(threading.Thread):
    """A store's own. It waits for no other's end without a limit, as that one's might wait for this one's."""


class Following(Generic[T]):
    """One stream and its thread, from `start` to `end`; then it is over."""

    def __init__(
        self, stream: EventStream[T], indexers: Iterable[Indexer[T]], listeners: Listeners[T], label: str
    ) -> None:
        self.store: Store[T] = new_store(None)
        self.store._table = Table(indexers)
        self.store._fresh.used = True  # from now on a fork leaves it behind
        self.awaited = True  # whether reads wait for the first list
        self.failure: BaseException | None = None
        self._listeners = listeners
        self._label = label
        self._stop, self._vitals = stream.stopper, stream.vitals
        items = stream.reflect(_OpenWriter(self.store)).default_backoff().in_band()
        name = f"kubewatch live {label}"
        # A daemon, as the interpreter waits for all others before it tells us that it ends.
        self.thread = _Thread(target=self._pull, args=(items,), name=name, daemon=True)

    @property
    def inherited(self) -> bool:
        """Whether it is a parent process's, whose connection must not be touched."""
        return not self.store._fresh.is_of_this_process

    @property
    def running(self) -> bool:
        """Whether its thread fills the store, and goes on to."""
        return not self.store.closed

    @property
    def is_mine(self) -> bool:
        """Whether this is its own thread, which cannot wait for it."""
        return self.thread is threading.current_thread()

    def start(self) -> None:
        atexit.register(self.end, EXIT_TIMEOUT)
        try:
            self.thread.start()
        except RuntimeError as error:  # there are too many threads, or the interpreter ends
            atexit.unregister(self.end)
            self.failure = error
            self.store._fresh.close()
            raise

    def end(self, timeout: float | None) -> bool:
        """Stop it, and wait for its end (with None, not on a store's thread); returns whether it has ended."""
        if self.inherited:
            return True
        atexit.unregister(self.end)
        self._stop.stop()
        if not self.is_mine and self.thread.ident is not None:
            on_a_stores = isinstance(threading.current_thread(), _Thread)
            self.thread.join(0.0 if timeout is None and on_a_stores else timeout)
        return not self.thread.is_alive()

    def wait_until_ready(self, timeout: float | None) -> bool:
        self.check()
        if self.is_mine and not self.store.is_ready:
            raise InvalidInput("what waits for the first list here runs on the thread that it waits for: a listener")
        try:
            self.store._fresh.wait_until_ready(timeout, self._check_credentials)
        except WriterDropped:
            self.check()
            raise
        return True

    def linger(self, seconds: float) -> None:
        """Give the first list a moment to come; less where it fails."""
        store, until = self.store, time.monotonic() + seconds
        while not (store.is_ready or store.closed or self._vitals.failing or self.is_mine):
            if time.monotonic() >= until:
                return
            with suppress(TimeoutError, WriterDropped):
                store.wait_until_ready(LOOK)

    def check(self) -> None:
        """Raise what ended it by itself."""
        if self.failure is not None:
            raise self.failure.with_traceback(None)  # which would grow with each time

    def _check_credentials(self) -> None:
        """Raise that there are none, or none that serve: that is for a person to mend, and no matter of time."""
        error = self._vitals.last_error
        if error is not None and self._vitals.heard_at is None and isinstance(cause := error.__cause__, AuthError):
            # A copy: what is raised keeps the frames of who reads, and so the LiveStore, which could not be dropped.
            raise copy.copy(cause) from cause.__cause__

    def _pull(self, items: InBand) -> None:
        try:
            with closing(items):
                for item in items:
                    if isinstance(item, WatchError):  # of a function of the user's: nothing else passes the backoff
                        _log.warning("%s: %s; left out", self._label, item)
                    else:
                        self._listeners.tell(item, self._label)
        except BaseException as error:
            expected = isinstance(error, KubewatchError)
            what = type(error).__name__
            _log.error("%s: the store ends: %s: %s", self._label, what, error, exc_info=None if expected else error)
            self.failure = error.with_traceback(None)  # its frames hold the objects
        finally:
            self.store._fresh.close()
