"""`Table`: objects by key, and indexes on them; one thread changes it while any number read it, and none ever waits.

How that is right without a lock: each step of a reader on shared data is a single call into CPython (`dict.get`,
`list(d.values())`, `dict.copy`, an attribute's load), which runs no Python code on its way, as keys are tuples of text,
and so is not interrupted by another thread. What must change together changes by one such step of the writer:

- a relist is worked into a table of its own, which then replaces the old one by one assignment (`store.py`);
- a live change is the assignment or deletion of one key in `objects`. That is the moment at which it happens, for
  indexes too: an index notes the change before that moment and works it in after it, and who reads the index in
  between puts it right by the note.

So every read shows the table at one moment between its call and its return. On free-threaded builds the calls are
atomic as well, by each dict's own lock; what is not promised there is the order in which one thread sees another's
stores, on which `Index.find` relies: an index would need a lock around `find` and around `Table._change`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import msgspec

from .indexes import Indexer

T = TypeVar("T")
Key = tuple[str, str]  # (namespace or "", name)


class _Change(msgspec.Struct, Generic[T], frozen=True, gc=False, eq=False):
    """A change under way: the object of `key` and its values, before and after; None where there is no object."""

    key: Key
    old: T | None
    old_values: tuple[Hashable, ...]
    new: T | None
    new_values: tuple[Hashable, ...]

    def as_of(self, objects: dict[Key, T]) -> tuple[T | None, tuple[Hashable, ...]]:
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

    def find(self, objects: dict[Key, T], value: Hashable) -> list[T]:
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

    def begin(self, objects: dict[Key, T], key: Key, new: T | None) -> None:
        """Note a change that is about to happen in `objects`."""
        if self._change is not None:
            self.finish(objects)  # an interrupt (Ctrl-C) cut the one before short
        new_values = self.indexer.values_or_none(key, new) if new is not None else ()
        self._change = _Change(key, objects.get(key), self._values.get(key, ()), new, new_values)

    def finish(self, objects: dict[Key, T]) -> None:
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
    """Objects by key, with indexes. Readers use `objects` (to look up, and to copy) and `Index.find`, no more."""

    def __init__(self, indexers: Iterable[Indexer[T]] = ()) -> None:
        self.objects: dict[Key, T] = {}
        self.indexes: dict[Hashable, Index[T]] = {indexer.name: Index(indexer) for indexer in indexers}

    def put(self, key: Key, obj: T) -> None:
        """Insert or replace the object of `key`."""
        if self.indexes:
            self._change(key, obj)
        else:
            self.objects[key] = obj

    def remove(self, key: Key) -> None:
        """Remove the object of `key`; absent is fine."""
        if self.indexes:
            self._change(key, None)
        else:
            self.objects.pop(key, None)

    def build(self, indexer: Indexer[T]) -> None:
        """Add an index on what is there."""
        index = Index(indexer)
        for key, obj in self.objects.items():
            index.begin({}, key, obj)
            index.finish(self.objects)
        self.indexes = {**self.indexes, indexer.name: index}

    def _change(self, key: Key, new: T | None) -> None:
        if new is None and key not in self.objects:
            return
        indexes = self.indexes.values()
        for index in indexes:
            index.begin(self.objects, key, new)
        if new is not None:
            self.objects[key] = new
        else:
            del self.objects[key]
        for index in indexes:
            index.finish(self.objects)
