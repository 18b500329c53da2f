"""`live()`: a store that keeps itself fresh, on a thread of its own.

    pods = live("pods", namespace="shop")     # no request yet, no thread
    with pods:                                # or pods.start(), pods.stop(); the first read starts it, too
        pods.wait_until_ready(timeout=30)
        pods.get("web-0", "shop"), pods.select("app=web")

Each start makes a new `Following` (`following.py`), with a stream, a thread and a store of its own; reads go to the
newest.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any, TypeVar, overload
from weakref import finalize

from . import freshness
from .api import Api
from .client import Client
from .config import Config
from .errors import InvalidInput, NoSuchObject
from .following import Following, Listener, Listeners
from .indexes import Indexer, IndexFunction
from .objects import Object, key_of
from .printing.text import harmless
from .ref import ObjectRef
from .source import Source, named
from .store import Store, checked, ref_of
from .streams import EventStream
from .watcher import watcher

T = TypeVar("T")

# Seconds that showing a store waits for its first list.
MOMENT = 5.0

_DEFAULT = Config()


class LiveStore(Store[T]):
    """A `Store` with a thread that fills it; safe to use from any thread. `live` makes it.

    It can be started again after `stop()`, and in a forked child, with a thread and a connection of its own. A read of
    one that nobody started, also as it came through a fork, starts it and waits for the first list; after `start()`
    reads never wait, as with any `Store`. It stops when it is dropped (what a listener refers to is not), and when the
    interpreter exits.

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
        self._listeners = Listeners[T]()
        self._run: Following[T] | None = None
        self._ending: finalize[[float | None], LiveStore[T]] | None = None  # what dropping us does
        self._after_fork()
        _stores.add(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # guards the beginning of a run, so that there is one at a time

    # Starting and stopping

    def start(self, *, awaited: bool = False) -> LiveStore[T]:
        """Follow the cluster from now on; does nothing where it does already. Makes no request on this thread.

        `awaited`: reads wait for the first list, as those of a store that nobody started.
        """
        self._begin(awaited=awaited)
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """End the thread, and wait for that, `timeout` seconds at most (None: as long as it takes, some milliseconds).

        Returns whether it has ended. `modify` and listeners run on a store's thread: there its own end is not waited
        for, and another's only with a `timeout`, as the two might wait for each other. What the store holds can be read
        on. Idempotent; from any thread. In a forked child it leaves the parent's alone.
        """
        run = self._run
        return run is None or run.end(timeout)

    def __enter__(self) -> LiveStore[T]:
        return self.start()

    def __exit__(self, *_: object) -> None:
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
        """Have `listener` called with each event from now on, after it is in the store.

        What is returned has it called no more. Before `start()`, it is told of everything: a list is events, too.

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
        """As `Store.get`; a name may be `namespace/name`, and needs no namespace where one alone is followed."""
        store = self._filled()
        if namespace is None and isinstance(ref, str):
            before, slash, name = ref.rpartition("/")
            ref, namespace = name, before if slash else self._source.namespace
        return store.get(ref, namespace)

    def __getitem__(self, ref: Any) -> T:
        """The object that `get` finds; raises `NoSuchObject`, a KeyError which says at a REPL what comes close.

        >>> pods["web-0"], live("pods")["shop/web-0"]                                        # doctest: +SKIP
        """
        found = self.get(ref)
        if found is None:
            name = ref if isinstance(ref, str) else ref.name if isinstance(ref, ObjectRef) else key_of(ref)[1]
            raise NoSuchObject(name, f"{self.label} ({self.freshness})", self._near(name))
        return found

    def values(self) -> list[T]:
        """All objects at this moment; `keys()` are their references."""
        return self.state()

    def items(self) -> list[tuple[ObjectRef, T]]:
        """All objects at this moment with their references."""
        return [(ref_of(obj), obj) for obj in self.state()]

    def state(self) -> list[T]:
        return self._filled().state()

    def __len__(self) -> int:
        return len(self._filled())

    def __bool__(self) -> bool:
        return True

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Wait until the first list is complete, `timeout` seconds at most (None: as long as it takes); returns True.

        Starts a store that nobody started. Raises `TimeoutError` saying why, `WriterDropped` where the store is stopped
        before that, and what ended the thread; and at once, while the thread tries on, `AuthError` where there are no
        credentials: no kubeconfig, say.
        """
        return self._here().wait_until_ready(timeout)

    @property
    def freshness(self) -> str:
        failure = self.failure
        ended = f", ended by {type(failure).__name__}" if failure is not None else ""
        return f"{self._fresh}{ended}"

    # For people

    def __repr__(self) -> str:
        """A table as `kubectl get` has it, and how fresh it is.

        At a REPL it starts a store that nobody started; elsewhere (a log, a debugger) it starts nothing.
        """
        if (self._run is None or self._run.inherited) and not _at_a_prompt():
            return f"<LiveStore of {self.label}, not started>"
        from .notebook import as_text

        return as_text(self._look(), self._summary(), namespaces=not self._source.namespace)

    def _repr_html_(self) -> str:
        """The same for Jupyter, which shows what this returns; whatever a cluster says is text in it."""
        from .notebook import as_html

        return as_html(self._look(), self._summary(), namespaces=not self._source.namespace)

    def _ipython_key_completions_(self) -> list[str]:
        """What `pods["<TAB>` offers."""
        self._look()
        return self._names()

    def df(self, **columns: str | Callable[[T], Any]) -> Any:
        """A DataFrame of pandas with kubectl's wide columns, or with `columns` of one's own.

        >>> pods.df(node="spec.nodeName", app=lambda pod: pod.labels.get("app"))             # doctest: +SKIP

        A column is a path as in `kubectl get -o custom-columns`, or a function of an object. The index is the name,
        after the namespace where all are followed. Raises ImportError without pandas, `InvalidInput` for a bad path.
        https://kubernetes.io/docs/reference/kubectl/jsonpath/
        """
        from .notebook import as_frame
        from .printing.rows import Shape

        objects, source = self.state(), self._source
        namespaces = not source.namespace and getattr(source, "namespaced", None) is not False
        return as_frame(objects, columns, Shape(source.api_version, source.kind, namespaces=namespaces))

    # Private

    def _look(self) -> list[T]:
        """What is there, after a moment for the first list to come; of no use to who must not miss it."""
        run = self._here()
        if run.awaited:
            run.linger(MOMENT)
        return run.store.state()

    def _names(self) -> list[str]:
        one = self._source.namespace
        keys = sorted(map(key_of, self._here().store.state()))
        return [name if one or not namespace else f"{namespace}/{name}" for namespace, name in keys]

    def _near(self, name: str) -> tuple[str, ...]:
        """The names that come close, where somebody looks: a program is not to pay 0.1 s for each that it lacks."""
        if not _at_a_prompt():
            return ()
        from .notebook import near

        return tuple(near(name, self._names()))

    def _summary(self) -> str:
        from .notebook import counted

        vitals = self._fresh.vitals
        error = self.failure or (vitals.last_error if vitals is not None and vitals.failing else None)
        trouble = f"\n{harmless(str(error))}" if error is not None else ""
        return f"{self.label}: {counted(len(self._here().store), 'object')}, {harmless(self.freshness)}{trouble}"

    def _indexed(self, indexer: Indexer[T], value: Hashable) -> list[T] | None:
        return self._filled()._indexed(indexer, value)

    def _filled(self) -> Store[T]:
        """The store of the present run; begins one, and waits for it, where nobody called `start`."""
        run, fresh = self._run, self._fresh
        if run is not None and run.failure is None and fresh.ready and fresh.process == freshness.forks:
            return run.store  # nearly always, so first: a `get` takes 0.3 µs instead of 0.9
        run = self._here()
        run.check()
        if run.awaited and not run.store.is_ready and not run.is_mine:
            run.wait_until_ready(self._default_timeout)
        return run.store

    def _here(self) -> Following[T]:
        run = self._run
        return self._begin(awaited=True) if run is None or run.inherited else run

    def _stream(self) -> EventStream[T]:
        stream = watcher(self._source, self._config)
        return stream.modify(self._modify) if self._modify is not None else stream

    def _begin(self, *, awaited: bool) -> Following[T]:
        with self._lock:
            run = self._run
            if run is None or not run.running:
                indexes = (run.store if run is not None else self)._table.indexes.values()
                run = Following(self._stream(), [index.indexer for index in indexes], self._listeners, self.label)
                self._fresh, self._run = run.store._fresh, run
                if self._ending is not None:
                    self._ending()  # or the end of the interpreter would hold on to what has ended by itself
                self._ending = finalize(self, run.end, 0.0)
                self._ending.atexit = False
                run.start()
            run.awaited = run.awaited and awaited
            return run


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
    <LiveStore of pods in shop, not started>
    >>> [pod.name for pod in pods.select("app=web")]                                         # doctest: +SKIP

    - `api_or_name`: an `Api`, or what one is made of: kubectl's name of a kind, or a model class.
    - `namespace`: None for all, or for that of the `Api`.
    - `modify`: called with a draft of each object before it is stored: `prune("metadata.managedFields")`.
    - `indexes`: as for `store()`.
    - `default_timeout`: seconds that a read waits for the first list, of a store that nobody started.

    Makes no request and starts no thread; see `LiveStore`. Raises `InvalidInput`; a read that waits in vain raises
    `TimeoutError` saying why, or at once `AuthError`.
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


def _at_a_prompt() -> bool:
    """Whether somebody sits at an interactive interpreter."""
    return hasattr(sys, "ps1")


# Every LiveStore of this process, so that a fork's child can give each a new lock.
_stores: weakref.WeakSet[LiveStore[Any]] = weakref.WeakSet()


def _renew_locks() -> None:
    for store in list(_stores):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
