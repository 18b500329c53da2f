"""`Writer`: works the events of one stream into its store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import freshness
from .errors import InvalidInput, StaleAfterFork
from .events import Apply, Delete, Event, Init, InitApply, InitDone
from .objects import key_of
from .stop import Stop
from .table import Key, Table, free
from .vitals import Vitals

if TYPE_CHECKING:
    from .store import Store

T = TypeVar("T")


class Writer(Generic[T]):
    """The writing side: one stream's, and one thread's at a time. Pass it to `.reflect(writer)` or `reflector`."""

    def __init__(self, store: Store[T]) -> None:
        self._store = store
        self._indexers = {index.indexer.name: index.indexer for index in store._table.indexes.values()}
        self._process = -1  # the process that may write; none yet
        # Held while an event is applied, never waited for: it finds two threads, or an index function, writing at once.
        self._busy = threading.Lock()
        self._draft: Table[T] | None = None  # the relist under way
        self._live: set[Key] = set()  # keys that changed live since it began

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        """Take the stream's health as the store's. Raises `InvalidInput` when a stream is followed already."""
        if not self._store._fresh.is_of_this_process:
            self._restart()
        self._store._fresh.follow(vitals, stop)

    def begin(self) -> None:
        """The stream is pulled: from now on a fork would leave it, and the store, behind. Before, both go along."""
        self._admit()

    def apply(self, event: Event[T]) -> Sequence[T]:
        """Work an event into the store, on the caller's thread.

        Returns the objects that a relist found gone, of which no `Delete` tells; empty for every other event.
        Raises `InvalidInput` when used after `close()`, or by two threads at once.
        """
        if self._process != freshness.forks:
            self._admit()
        if not self._busy.acquire(False):
            raise InvalidInput("a store has one writer, and it is busy: use one stream, on one thread")
        try:
            if self._store._wanted:
                self._build_indexes()
            if isinstance(event, Apply):
                obj = event.object
                key = key_of(obj)
                self._store._table.put(key, obj)
                draft = self._draft
                if draft is not None:
                    draft.put(key, obj)
                    self._live.add(key)
            elif isinstance(event, InitApply):
                self._put_listed(event.object)
            elif isinstance(event, Delete):
                self._remove_live(event.object)
            elif isinstance(event, Init):
                self._begin_list()
            elif isinstance(event, InitDone):
                return self._finish_list()
            else:
                raise TypeError(f"a store takes events, not {type(event).__name__}: put reflect before applied_objects")
        finally:
            self._busy.release()
        return ()

    def close(self) -> None:
        """No event will come any more; whoever waits for the store to become ready is told. Idempotent."""
        self._process = -1
        self._draft = None
        self._store._fresh.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a Writer belongs to one process: make a store in the other process")

    def _remove_live(self, obj: T) -> None:
        key = key_of(obj)
        self._store._table.remove(key)
        draft = self._draft
        if draft is not None:
            draft.remove(key)
            self._live.add(key)

    def _begin_list(self) -> Table[T]:
        draft: Table[T] = Table(self._indexers.values())
        self._draft = draft
        self._live = set()
        self._store._fresh.begin_list()
        return draft

    def _put_listed(self, obj: T) -> None:
        draft = self._draft if self._draft is not None else self._begin_list()
        key = key_of(obj)
        # What came live since the list began is newer than the list.
        if key not in self._live:
            draft.put(key, obj)

    def _finish_list(self) -> Sequence[T]:
        gone: Sequence[T] = ()
        leaving: list[T] = []
        draft = self._draft
        if draft is not None:
            old, self._store._table = self._store._table, draft  # here the relist happens, for every reader at once
            self._draft = None
            gone = old.missing_in(draft)
            leaving = old.values()
            del old
            for indexer in self._indexers.values():
                indexer.forget_failures_except(draft)
        self._store._fresh.finish_list()
        free(leaving)  # here, as a table that ends on the main thread frees all at once
        return gone

    def _build_indexes(self) -> None:
        wanted = self._store._wanted
        while wanted:
            name, indexer = wanted.popitem()
            if name not in self._indexers:
                self._indexers[name] = indexer
                self._store._table.build(indexer)
                draft = self._draft
                if draft is not None:
                    draft.build(indexer)

    def _admit(self) -> None:
        """The first write in this process: refuse it after the end, and where the stream is the parent process's."""
        fresh = self._store._fresh
        if not fresh.is_of_this_process:
            raise StaleAfterFork("this writer's stream is the parent process's: start one here, and reflect it")
        if fresh.closed:
            raise InvalidInput("this writer is closed: make a new pair with store()")
        fresh.used = True
        self._process = freshness.forks

    def _restart(self) -> None:
        """Begin anew in a fork's child; locks are new, as the parent's threads may have held the old ones."""
        self._busy = threading.Lock()
        self._draft, self._live = None, set()
        self._store._table = Table(self._indexers.values())
        self._store._fresh.restart()
