"""`store_shared()`: one watch that feeds many consumers, through a store that they share.

    reader, writer = store_shared(buffer=100)
    root = watcher(Api("pods")).reflect_shared(writer).default_backoff()     # one thread iterates this
    for pod in writer.subscribe(replay=True).predicate_filter(predicates.labels):     # and any number of others, these
        ...

`fanout.py` says how changes travel. https://docs.rs/kube-runtime/latest/kube_runtime/reflector/index.html
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from threading import get_ident
from typing import Any, TypeVar, overload
from weakref import finalize

from . import freshness
from .errors import InvalidInput
from .events import Apply, Delete, Event, InitDone
from .fanout import Fanout, Subscription
from .freshness import Freshness
from .indexes import IndexFunction
from .objects import Object, key_of, meta_of
from .stop import Stop
from .store import Store, new_store
from .streams.fluent import ObjectStream
from .table import Key, Table
from .vitals import Vitals
from .writer import Writer

T = TypeVar("T")

# For whom, which key, and whether it is a deletion.
News = tuple[Sequence[Subscription[T]], Key, Delete[T] | None]


class SharedWriter(Writer[T]):
    """A Writer whose events have subscribers: `subscribe` gives each a stream of the objects that changed.

    It is one stream's, by `.reflect_shared(writer)`; `.reflect(writer)` does the same.
    """

    def __init__(self, store: Store[T], buffer: int) -> None:
        super().__init__(store)
        self._buffer = buffer
        self._numbers = itertools.count(1)
        self._stop = Stop()  # until a stream comes with its own
        # It knows the store and not us, so that who subscribes does not keep the writer from being dropped.
        self._fanout = Fanout(store, buffer)
        self._fanouts = {self._fanout.process: self._fanout}

    def subscribe(self, replay: bool = False, deletes: bool = False, *, label: str = "") -> ObjectStream[T]:
        """A stream of the objects that change from now on: each as it is when it is read, its newest version.

        - `replay`: first everything that is in the store now.
        - `deletes`: deleted objects too, in their last state, also those that a relist found gone. They pass
          `predicate_filter`.
        - `label`: what the subscriber is called in logs and metrics.

        An object that changes several times before it is read comes once, in the place of its first change, and one
        that is deleted before does not come; a completed list brings every object again. No errors come: those are
        the root's. The stream ends when the root's has ended and all is read. `stop()`, `close()` and dropping it
        unsubscribe.

        The root waits for a subscriber that has `buffer` objects unread (replayed ones aside), also for one that never
        reads; but not for one whose thread is the root's own, which is the thread that pulled it last, or made it.
        A subscription can be iterated from any thread, by one at a time.
        Raises `StaleAfterFork` in the child of the process whose stream fills the store.

        >>> from kubewatch.streams import EventStream
        >>> reader, writer = store_shared(buffer=100)
        >>> pods = writer.subscribe()
        >>> for event in EventStream([]).reflect_shared(writer):       # a watcher's, on a thread of its own
        ...     pass
        >>> list(pods)
        []
        """
        self._store._fresh.check_process()
        fanout = self._here()
        subscription = Subscription(fanout, label or f"subscription {next(self._numbers)}", deletes)
        items: Any = subscription.read()  # with deletions as events, as they travel in streams of objects
        # A generator that was never pulled runs no `finally`.
        finalize(items, subscription.leave).atexit = False
        vitals = _RootVitals(self._store._fresh)
        stream = ObjectStream[T](items, stop=subscription.stopper, vitals=vitals, label=subscription.label)
        fanout.join(subscription, replay)
        return stream

    @property
    def subscriptions(self) -> list[Subscription[T]]:
        """Those who are subscribed now, for metrics: of each its `label`, `pending` (objects) and `lag` (seconds)."""
        fanout = self._here()
        with fanout.lock:
            return list(fanout.active())

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        super().follow(vitals, stop)
        self._stop = stop

    def apply(self, event: Event[T]) -> Sequence[T]:
        """Work an event into the store, then tell the subscribers, waiting until all have room; see `Writer.apply`.

        Stopping the stream ends the waiting; what is left is queued all the same.
        """
        fanout = self._here()
        with fanout.lock:
            if fanout.pushing:
                raise InvalidInput("a store has one writer, and it is busy: use one stream, on one thread")
            fanout.thread = get_ident()
            everybody = fanout.active()
            if not everybody:
                return super().apply(event)
            if isinstance(event, InitDone):
                gone, news = self._finish_shared(fanout, everybody, event)
            else:
                fanout.change = (event.object if isinstance(event, Apply) else None,)
                gone, news = super().apply(event), []
                if isinstance(event, (Apply, Delete)):
                    key, deletion = key_of(event.object), event if isinstance(event, Delete) else None
                    news.append((everybody, key, deletion))
                    if deletion is not None:
                        fanout.forget(everybody, key)
            fanout.pushing = True
        try:
            for owed, key, deletion in news:
                fanout.push(owed, key, deletion, self._stop)
        finally:
            fanout.pushing = False
        return gone

    def close(self) -> None:
        """No event will come any more: the subscribers read what is queued, then end. Idempotent."""
        super().close()
        self._here().close()

    def _finish_shared(
        self, fanout: Fanout[T], everybody: Sequence[Subscription[T]], event: InitDone
    ) -> tuple[Sequence[T], list[News[T]]]:
        """What `apply` returns for a complete list, and what it means: all that is in it is new, all else deleted."""
        touched = [one for one in everybody if one.deletes]
        before = list(self._store._table.items()) if touched else []
        fanout.change = (None,)
        with ExitStack() as held:
            # Else they could read of a new object before they are told of the deletion of its namesake.
            for one in touched:
                held.enter_context(one._lock)
            gone = super().apply(event)
            now = self._store._table
            news: list[News[T]] = [
                (fanout.owing(touched, key, deletion), key, deletion) for key, deletion in _ended(before, now)
            ]
        for obj in gone:
            fanout.forget(everybody, key_of(obj))
        news += [(everybody, key, None) for key in now]
        return gone, news

    def _here(self) -> Fanout[T]:
        """This process's subscriptions; those of a parent process are not ours."""
        if self._fanout.process != freshness.forks:
            # Of several threads that come here at once, the first one's is everybody's.
            self._fanout = self._fanouts.setdefault(freshness.forks, Fanout(self._store, self._buffer))
        return self._fanout


def _ended(before: list[tuple[Key, T]], now: Table[T]) -> list[tuple[Key, Delete[T]]]:
    """The deletions of what was there `before` a list and is not `now`, or is another one of the same name."""
    ended = []
    before.reverse()
    while before:  # emptied one by one: to let go of all objects at once would hold up every other thread
        key, obj = before.pop()
        found = now.get(key)
        if found is None or (found is not obj and meta_of(found).uid != meta_of(obj).uid):
            ended.append((key, Delete(obj)))
    return ended


class _RootVitals(Vitals):
    """The health of the stream that fills a store, also of one that is yet to come."""

    def __init__(self, fresh: Freshness) -> None:
        # What Vitals keeps is not set but looked up, in __getattr__.
        self._fresh = fresh
        self._none = Vitals()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fresh.vitals or self._none, name)


@overload
def store_shared(
    buffer: int, indexes: Mapping[str, IndexFunction[Object]] | None = None
) -> tuple[Store[Object], SharedWriter[Object]]: ...
@overload
def store_shared(
    buffer: int, indexes: Mapping[str, IndexFunction[T]] | None = None, *, of: type[T]
) -> tuple[Store[T], SharedWriter[T]]: ...
def store_shared(
    buffer: int, indexes: Mapping[str, IndexFunction[Any]] | None = None, *, of: type[Any] = Object
) -> Any:
    """A store, and a writer that many can subscribe to; `buffer` is how many objects one may leave unread.

    >>> reader, writer = store_shared(buffer=100)
    >>> writer.subscribe(replay=True)
    <ObjectStream of subscription 1>

    Else as `store`: `indexes` are functions from an object to its values, and `of` is what is stored, for type
    checkers. Raises `InvalidInput` for a buffer below 1 and for an index that is no function.
    https://docs.rs/kube-runtime/latest/kube_runtime/reflector/fn.store_shared.html
    """
    if not isinstance(buffer, int) or buffer < 1:
        raise InvalidInput(f"buffer is a number of objects, 1 or more, not {buffer!r}")
    reader: Store[Any] = new_store(indexes)
    return reader, SharedWriter(reader, buffer)
