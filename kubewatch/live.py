"""`live()`: a store that keeps itself fresh, on a thread of its own.

    pods = live("pods", namespace="shop")     # no request yet, no thread
    with pods:                                # or pods.start(), pods.stop(); the first read starts it, too
        pods.wait_until_ready(timeout=30)
        pods.get("web-0", "shop"), pods.select("app=web")

Each start makes a `_Run`: a stream, the thread that pulls it, and a store that only it fills. The thread knows its run
and not the `LiveStore`, so that dropping the `LiveStore` ends the thread.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import traceback
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import closing
from functools import cached_property
from types import TracebackType
from typing import Any, Generic, TypeVar, overload
from weakref import finalize

from .api import Api
from .client import Client
from .config import Config
from .errors import InvalidInput, KubewatchError, WatchError, WriterDropped
from .events import Event
from .indexes import Indexer, IndexFunction
from .objects import Object
from .source import Source, named
from .store import Store, checked, new_store
from .streams.inband import InBand
from .table import Table
from .watcher import watcher
from .writer import Writer

# Seconds that the end of the interpreter waits for a thread: one that is in a function of the user's is left to it.
EXIT_TIMEOUT = 1.0

T = TypeVar("T")
Listener = Callable[[Event[T]], object]

_log = logging.getLogger(__name__)
_DEFAULT = Config()


class LiveStore(Store[T]):
    """A `Store` with a thread that fills it; safe to use from any thread. `live` makes it.

    It can be started again after `stop()`, and in a forked child, with a thread and a connection of its own. A read of
    one that nobody started, also as it came through a fork, starts it and waits for the first list; after `start()`
    reads never wait, as with any `Store`. It stops when it is dropped, and when the interpreter exits.

    What ends the thread by itself (the cluster knows no such kind) is raised by every read, until `start()` is called.
    """

    def __init__(
        self,
        source: Source[T],
        config: Config,
        modify: Callable[[Any], object] | None,
        indexes: Mapping[str, IndexFunction[T]] | None,
        default_timeout: float,
    ) -> None:
        super().__init__(checked(indexes))
        self._source = source
        self._config = config
        self._modify = modify
        self._default_timeout = default_timeout
        self._listeners = _Listeners[T]()
        self._run: _Run[T] | None = None
        self._ending: finalize[[float | None], LiveStore[T]] | None = None  # what dropping us does
        self._after_fork()
        _stores.add(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # guards the beginning of a run, so that there is one at a time

    # Starting and stopping

    def start(self) -> LiveStore[T]:
        """Follow the cluster from now on; does nothing where it does already. Makes no request on this thread."""
        self._begin(awaited=False)
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """End the thread, and wait for that, `timeout` seconds at most (None: as long as it takes, some milliseconds).

        Returns whether it has ended, which it has not where `modify` or a listener stops it, on its own thread. What
        the store holds can be read on. Idempotent; from any thread. In a forked child it leaves the parent's alone.
        """
        run = self._run
        return run is None or run.end(timeout)

    def __enter__(self) -> LiveStore[T]:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether a thread of this process fills the store."""
        run = self._run
        return run is not None and run.running

    @property
    def failure(self) -> BaseException | None:
        """What ended the thread by itself; errors that a watch outlives are in `last_error`."""
        return self._run.failure if self._run is not None else None

    @cached_property
    def label(self) -> str:
        """What is followed: "pods in shop"."""
        return named(self._source)

    def on_change(self, listener: Listener[T]) -> Callable[[], None]:
        """Have `listener` called with each event after it is in the store; what is returned has it called no more.

        >>> forget = pods.on_change(print)                                                   # doctest: +SKIP

        It is called on the store's thread, which waits for it. What it raises is logged and counted, in
        `listener_failures`, and harms nothing. https://docs.rs/kube-runtime/latest/kube_runtime/watcher/enum.Event.html
        """
        if not callable(listener):
            raise InvalidInput(f"on_change needs a function of an event, not {listener!r}")
        return self._listeners.add(listener)

    @property
    def listener_failures(self) -> int:
        """How often functions given to `on_change` failed."""
        return self._listeners.failures

    # Reading

    def get(self, ref: Any, namespace: str | None = None) -> T | None:
        return self._filled().get(ref, namespace)

    def state(self) -> list[T]:
        return self._filled().state()

    def __len__(self) -> int:
        return len(self._filled())

    def __bool__(self) -> bool:
        return True

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Wait until the first list is complete, `timeout` seconds at most (None: as long as it takes); returns True.

        Starts a store that nobody started. Raises `TimeoutError` saying why, `WriterDropped` where the store is stopped
        before that, and what ended the thread.
        """
        return self._here().wait_until_ready(timeout)

    @property
    def freshness(self) -> str:
        failure = self.failure
        ended = f", ended by {type(failure).__name__}: {failure}" if failure is not None else ""
        return f"{self._fresh}{ended}"

    def __repr__(self) -> str:
        count = len(self._run.store._table.objects) if self._run is not None else 0
        return f"<LiveStore of {self.label}, {count} objects, {self.freshness}>"

    # Private

    def _indexed(self, indexer: Indexer[T], value: Hashable) -> list[T] | None:
        return self._filled()._indexed(indexer, value)

    def _filled(self) -> Store[T]:
        """The store of the present run; begins one, and waits for it, where nobody called `start`."""
        run = self._here()
        run.check()
        if run.awaited and not run.store.is_ready and not run.is_mine:
            run.wait_until_ready(self._default_timeout)
        return run.store

    def _here(self) -> _Run[T]:
        run = self._run
        return self._begin(awaited=True) if run is None or run.inherited else run

    def _begin(self, *, awaited: bool) -> _Run[T]:
        with self._lock:
            run = self._run
            if run is None or not run.running:
                indexes = (run.store if run is not None else self)._table.indexes.values()
                run = _Run(self, [index.indexer for index in indexes])
                self._fresh, self._run = run.store._fresh, run
                if self._ending is not None:
                    self._ending.detach()
                self._ending = finalize(self, run.end, 0.0)
                self._ending.atexit = False
                run.start()
            run.awaited = run.awaited and awaited
            return run


class _Run(Generic[T]):
    """One stream, the thread that pulls it, and the store that it fills; ends once."""

    def __init__(self, live: LiveStore[T], indexers: Iterable[Indexer[T]]) -> None:
        self.store: Store[T] = new_store(None)
        self.store._table = Table(indexers)
        self.store._fresh.used = True  # from now on a fork leaves it behind
        self.awaited = True  # whether reads wait for the first list
        self.failure: BaseException | None = None
        self._listeners = live._listeners
        self._label = live.label
        stream = watcher(live._source, live._config)
        if live._modify is not None:
            stream = stream.modify(live._modify)
        self._stop = stream.stopper
        items = stream.reflect(Writer(self.store)).default_backoff().in_band()
        name = f"kubewatch live {self._label}"
        # A daemon, as the interpreter waits for all others before it tells us that it ends.
        self.thread = threading.Thread(target=self._pull, args=(items,), name=name, daemon=True)

    @property
    def inherited(self) -> bool:
        """Whether it is a parent process's, whose connection must not be touched."""
        return not self.store._fresh.is_of_this_process

    @property
    def running(self) -> bool:
        return self.thread.is_alive() and not self._stop.stopped

    @property
    def is_mine(self) -> bool:
        """Whether this is its own thread, which cannot wait for it."""
        return self.thread is threading.current_thread()

    def start(self) -> None:
        try:
            self.thread.start()
        except RuntimeError as error:  # there are too many threads, or the interpreter ends
            self.failure = error
            self.store._fresh.close()
            raise
        atexit.register(self.end, EXIT_TIMEOUT)

    def end(self, timeout: float | None) -> bool:
        """Stop it, and wait for its end; returns whether it has ended."""
        if self.inherited:
            return True
        atexit.unregister(self.end)
        self._stop.stop()
        if not self.is_mine and self.thread.ident is not None:
            self.thread.join(timeout)
        return not self.thread.is_alive()

    def wait_until_ready(self, timeout: float | None) -> bool:
        try:
            return self.store.wait_until_ready(timeout)
        except WriterDropped:
            self.thread.join(EXIT_TIMEOUT)  # it is about to say why
            self.check()
            raise

    def check(self) -> None:
        """Raise what ended it by itself."""
        if self.failure is not None:
            raise self.failure.with_traceback(None)  # which would grow with each time

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


class _Listeners(Generic[T]):
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
            except Exception as error:
                self.failures += 1
                # Its text may quote the object, which may be a Secret.
                place = traceback.extract_tb(error.__traceback__)[-1]
                what = type(error).__name__
                _log.warning("%s: a listener: %s at %s:%s", label, what, place.filename, place.lineno)


@overload
def live(
    api_or_name: str,
    namespace: str | None = None,
    config: Config = _DEFAULT,
    *,
    modify: Callable[[Any], object] | None = None,
    indexes: Mapping[str, IndexFunction[Object]] | None = None,
    client: Client | None = None,
    default_timeout: float = 30.0,
) -> LiveStore[Object]: ...
@overload
def live(
    api_or_name: Source[T] | type[T],
    namespace: str | None = None,
    config: Config = _DEFAULT,
    *,
    modify: Callable[[Any], object] | None = None,
    indexes: Mapping[str, IndexFunction[T]] | None = None,
    client: Client | None = None,
    default_timeout: float = 30.0,
) -> LiveStore[T]: ...
def live(
    api_or_name: Any,
    namespace: str | None = None,
    config: Config = _DEFAULT,
    *,
    modify: Callable[[Any], object] | None = None,
    indexes: Mapping[str, IndexFunction[Any]] | None = None,
    client: Client | None = None,
    default_timeout: float = 30.0,
) -> LiveStore[Any]:
    """A store of all objects of a kind that is kept fresh in the background.

    >>> pods = live("pods", namespace="shop")
    >>> pods
    <LiveStore of pods in shop, 0 objects, not ready, never heard>
    >>> [pod.name for pod in pods.select("app=web")]                                         # doctest: +SKIP

    - `api_or_name`: an `Api`, or what one is made of: kubectl's name of a kind, or a model class.
    - `namespace`: None for all, or for that of the `Api`.
    - `modify`: called with a draft of each object before it is stored: `prune("metadata.managedFields")`.
    - `indexes`: as for `store()`.
    - `default_timeout`: seconds that a read waits for the first list, of a store that nobody started.

    Makes no request and starts no thread; see `LiveStore`. Raises `InvalidInput`; a read that waits in vain raises
    `TimeoutError` saying why.
    """
    if modify is not None and not callable(modify):
        raise InvalidInput(f"modify needs a function of an object's draft, not {modify!r}")
    if not isinstance(default_timeout, (int, float)) or not default_timeout >= 0:
        raise InvalidInput(f"default_timeout is a number of seconds, 0 or more, not {default_timeout!r}")
    source = api_or_name
    if isinstance(source, (str, type)):
        source = Api(source, namespace=namespace, client=client)
    else:
        if not callable(getattr(source, "open", None)):
            raise InvalidInput(f'live needs an Api, or a name as in live("pods"), not {source!r}')
        if client is not None:
            raise InvalidInput(f"{source!r} has a client already")
        if namespace is not None:
            source = source.within(namespace)
    return LiveStore(source, config, modify, indexes, default_timeout)


# Every LiveStore of this process, so that a fork's child can give each a new lock.
_stores: weakref.WeakSet[LiveStore[Any]] = weakref.WeakSet()


def _renew_locks() -> None:
    for store in list(_stores):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
