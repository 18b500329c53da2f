"""`Table`: objects by key, and indexes on them; one thread changes it while any number read it, and none ever waits.

How that is right without a lock: each step of a reader on shared data is a single call into CPython (`dict.get`,
`dict.copy`, an attribute's load), which runs no Python code on its way, as keys are text, and so is not interrupted by
another thread. What must change together changes by one such step of the writer:

- a relist is worked into a table of its own, which then replaces the old one by one assignment (`store.py`);
- a live change is the assignment or deletion of one name in the objects of its namespace. That is the moment at which
  it happens, for indexes too: an index notes the change before that moment and works it in after it, and who reads the
  index in between puts it right by the note.

A copy of all objects is a single call as well, but one on whose way the garbage collector may have others run; so who
makes one looks whether the count of changes stayed the same, and else makes it again.

So every read shows the table at one moment between its call and its return. On free-threaded builds a call on one dict
is atomic as well, by the dict's own lock; what is not promised there is that `len`, which asks several, sees one
moment, and the order in which one thread sees another's stores, on which `values` and `Index.find` rely: these would
need a lock, as would the changes of a `Table`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import chain
from threading import get_ident, main_thread
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from .indexes import Indexer
from .turns import give_way

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Key = tuple[str, str]  # (namespace or "", name)

# Entries to be freed after which to give way: about 1 ms of work.
FREED = 1000


class Objects(Protocol[T_co]):
    """Where an index looks objects up."""

    def get(self, key: Key, /) -> T_co | None:
        """The object of `key`."""


class _Change(msgspec.Struct, Generic[T], frozen=True, gc=False, eq=False):
    """A change under way: the object of `key` and its values, before and after; None where there is no object."""

    key: Key
    old: T | None
    old_values: tuple[Hashable, ...]
    new: T | None
    new_values: tuple[Hashable, ...]

    def as_of(self, objects: Objects[T]) -> tuple[T | None, tuple[Hashable, ...]]:
        """The object and its values, according to whether `objects` has the change yet."""
        if objects.get(self.key) is self.new:
            return self.new, self.new_values
        return self.old, self.old_values


class Index(Generic[T]):
    """Objects by the values of one index function."""

    def __init__(self, indexer: Indexer[T]) -> None:
        self.indexer = indexer
        self._buckets: dict[Hashable, dict[Key, T]] = {}
        # Kept rather than asked of the function again, so that a function that changes its mind leaves no ghosts.
        self._values: dict[Key, tuple[Hashable, ...]] = {}
        self._change: _Change[T] | None = None

    def find(self, objects: Objects[T], value: Hashable) -> list[T]:
        """The objects that belong to `value`; any thread, never waits."""
        while True:
            change = self._change
            bucket = self._buckets.get(value)
            if change is None:
                found = list(bucket.values()) if bucket else []
            else:
                by_key = bucket.copy() if bucket else {}
                obj, values = change.as_of(objects)
                if obj is not None and value in values:
                    by_key[change.key] = obj
                else:
                    by_key.pop(change.key, None)
                found = list(by_key.values())
            # One change at a time, and each touches a bucket once: if the same change is under way as at the beginning,
            # all that was read belongs together. Where none was and none is, whatever passed in between touched the
            # bucket wholly or not at all. Otherwise the writer got on meanwhile, so looking again ends.
            if self._change is change:
                return found

    def begin(self, objects: Objects[T], key: Key, new: T | None) -> None:
        """Note a change that is about to happen in `objects`."""
        if self._change is not None:
            self.finish(objects)  # an interrupt (Ctrl-C) cut the one before short
        new_values = self.indexer.values_or_none(key, new) if new is not None else ()
        self._change = _Change(key, objects.get(key), self._values.get(key, ()), new, new_values)

    def finish(self, objects: Objects[T]) -> None:
        """Work in the change that was noted, if it happened."""
        change = self._change
        if change is None:
            return
        key = change.key
        obj, values = change.as_of(objects)
        for value in change.old_values if change.old_values != values else ():
            bucket = self._buckets.get(value)
            if value not in values and bucket is not None:
                bucket.pop(key, None)
                if not bucket:
                    del self._buckets[value]
        if obj is not None and values:
            for value in values:
                self._buckets.setdefault(value, {})[key] = obj
            self._values[key] = values
        else:
            self._values.pop(key, None)
        self._change = None


class Table(Generic[T]):
    """Objects by namespace, then by name, with indexes: a name needs no key of its own to be found by.

    A tuple as the key of each object would take memory, and time to be hashed; and Python's garbage collector, which
    counts them, would go through all that the process has for each 85 000 objects that are listed.
    """

    def __init__(self, indexers: Iterable[Indexer[T]] = ()) -> None:
        self.spaces: dict[str, dict[str, T]] = {}  # readers look up here; "" holds what has no namespace
        self.indexes: dict[Hashable, Index[T]] = {indexer.name: Index(indexer) for indexer in indexers}
        self._changes = 0  # counted before they happen, so that there is a count between any two of them

    # For any thread

    def get(self, key: Key, /) -> T | None:
        """The object of `key`, or None."""
        space = self.spaces.get(key[0])
        return space.get(key[1]) if space is not None else None

    def values(self) -> list[T]:
        """All objects at one moment."""
        while True:
            changes = self._changes
            try:
                found = list(chain.from_iterable(map(_values, self.spaces.values())))
            except RuntimeError:  # one came or went meanwhile
                continue
            if self._changes == changes:
                return found

    def __len__(self) -> int:
        return sum(map(len, self.spaces.values()))

    # For the writer, and for whoever keeps it from changing anything

    def __iter__(self) -> Iterator[Key]:
        """The keys of all objects."""
        for namespace, space in self.spaces.items():
            for name in space:
                yield namespace, name

    def items(self) -> Iterator[tuple[Key, T]]:
        """All objects with their keys."""
        for namespace, space in self.spaces.items():
            for name, obj in space.items():
                yield (namespace, name), obj

    def missing_in(self, other: Table[T]) -> list[T]:
        """The objects of whose names `other` has none."""
        missing: list[T] = []
        for namespace, space in self.spaces.items():
            theirs = other.spaces.get(namespace, {})
            missing += [obj for name, obj in space.items() if name not in theirs]
        return missing

    def put(self, key: Key, obj: T) -> None:
        """Insert or replace the object of `key`."""
        if self.indexes:
            self._begin(key, obj)
        namespace, name = key
        self._changes += 1
        try:
            self.spaces[namespace][name] = obj
        except KeyError:
            self.spaces[namespace] = {name: obj}
        if self.indexes:
            self._finish()

    def remove(self, key: Key) -> None:
        """Remove the object of `key`; absent is fine."""
        namespace, name = key
        space = self.spaces.get(namespace)
        if space is None or name not in space:
            return
        self._begin(key, None)
        self._changes += 1
        del space[name]
        if not space:
            del self.spaces[namespace]
        self._finish()

    def build(self, indexer: Indexer[T]) -> None:
        """Add an index on what is there."""
        index = Index(indexer)
        for key, obj in self.items():
            index.begin({}, key, obj)
            index.finish(self)
        self.indexes = {**self.indexes, indexer.name: index}

    def _begin(self, key: Key, new: T | None) -> None:
        for index in self.indexes.values():
            index.begin(self, key, new)

    def _finish(self) -> None:
        for index in self.indexes.values():
            index.finish(self)

    def __del__(self) -> None:
        # On the main thread handlers of signals run in between, and what they raise (KeyboardInterrupt, SystemExit)
        # would be lost in a finalizer.
        if get_ident() == main_thread().ident:
            return
        # One by one, so that other threads get their turn: a dict that ends frees all its objects in one go, and of
        # 100 000 objects that was 80 ms in which every other thread stood still.
        held: list[dict[Any, dict[Any, Any]]] = []
        for index in self.indexes.values():
            held += ({None: index._values}, index._buckets)
        freed = 0
        for parts in (*held, self.spaces):
            while parts:
                part = parts.popitem()[1]
                while part:
                    part.popitem()
                    freed += 1
                    if freed % FREED == 0:
                        give_way()


def free(objects: list[Any]) -> None:
    """Let go of all that is in a list, a part at a time, so that other threads get their turn."""
    while len(objects) > FREED:
        del objects[-FREED:]
        give_way()
    objects.clear()


_values = dict.values
