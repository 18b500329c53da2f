"""What the server holds: every object as rendered JSON, one version counter for all, a bounded history a collection.

Objects are stored as bytes without ``apiVersion`` and ``kind``: one object may be served in several versions, typed
lists leave both out, and the same bytes go to every list and every watch.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import msgspec

from .status import ApiError, too_old_version

Json = dict[str, Any]

_SIZE_LIMIT = 1536 * 1024  # bytes: etcd's default

NO_LABELS: Mapping[str, str] = {}


class Entry(msgspec.Struct, gc=False, eq=False):
    """One version of one object. Never changed once stored."""

    key: str
    namespace: str
    name: str
    uid: str
    version: int
    raw: bytes  # JSON without apiVersion and kind
    labels: Mapping[str, str]
    fields: Mapping[str, str]  # values of the kind's selectable fields, metadata.name and metadata.namespace included
    owners: tuple[str, ...]  # uids of the owners
    deleting: bool  # whether it has a deletionTimestamp
    partial: bytes = b""  # metadata alone, rendered when first asked for

    def decode(self) -> Json:
        """The object as a fresh dict, without apiVersion and kind."""
        decoded: Json = msgspec.json.decode(self.raw)
        return decoded

    def render_partial(self) -> bytes:
        if not self.partial:
            self.partial = msgspec.json.encode({"metadata": self.decode()["metadata"]})
        return self.partial


class Change(msgspec.Struct, gc=False, eq=False):
    """One step of a collection's history. ``previous`` is None for an ADDED object."""

    version: int
    type: str  # ADDED, MODIFIED, DELETED
    entry: Entry
    previous: Entry | None
    departed: Entry | None = None  # ``previous`` at this version: what a watch is told whose selector it left


class History:
    """A collection's latest changes, addressed by cursor: the count of changes made before."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.RLock()  # guards everything below
        self._waiting: set[threading.Event] = set()  # each set at the next change
        self._changes: list[Change] = []
        self._first = 0  # cursor of _changes[0]
        self._forgotten = 0  # version of the newest change that is gone

    @property
    def forgotten(self) -> int:
        return self._forgotten

    def append(self, change: Change) -> None:
        with self._lock:
            self._changes.append(change)
            if len(self._changes) > self.limit + self.limit // 8:
                self._forget(len(self._changes) - self.limit)
            for alarm in self._waiting:
                alarm.set()
            self._waiting.clear()

    def compact(self, version: int) -> None:
        """Forgets every change up to ``version``, and says that older versions are gone."""
        with self._lock:
            self._forget(bisect_right(self._changes, version, key=_version_of))
            self._forgotten = max(self._forgotten, version)

    def _forget(self, count: int) -> None:
        if count:
            self._forgotten = self._changes[count - 1].version
            del self._changes[:count]
            self._first += count

    @property
    def end(self) -> int:
        """The cursor after the newest change."""
        with self._lock:
            return self._first + len(self._changes)

    def after(self, version: int) -> int:
        """The cursor of the first change newer than ``version``; raises a 410 ``ApiError`` if such changes are gone."""
        with self._lock:
            if version < self._forgotten:
                raise too_old_version(version, self._forgotten)
            return self._first + bisect_right(self._changes, version, key=_version_of)

    def read(self, cursor: int, limit: int) -> list[Change] | None:
        """At most ``limit`` changes from ``cursor`` on; None when some of them are gone already."""
        with self._lock:
            start = cursor - self._first
            return self._changes[start : start + limit] if start >= 0 else None

    def undo(self, entries: dict[str, Entry], version: int) -> None:
        """Turns ``entries`` as they are now into what they were at ``version``; raises as ``after`` does."""
        with self._lock:
            first = self.after(version) - self._first
            for change in reversed(self._changes[first:]):
                if change.previous is None:
                    entries.pop(change.entry.key, None)
                else:
                    entries[change.entry.key] = change.previous

    def wait(self, cursor: int, seconds: float | None, alarm: threading.Event) -> None:
        """Waits for a change at ``cursor``, for ``alarm`` to be set, or for the time to pass; clears ``alarm``."""
        with self._lock:
            if self._first + len(self._changes) > cursor:
                return
            self._waiting.add(alarm)
        alarm.wait(seconds)
        alarm.clear()
        with self._lock:
            self._waiting.discard(alarm)


def _version_of(change: Change) -> int:
    return change.version


class Collection:
    """All objects of one kind. Guarded by the storage's lock, but for the history, which guards itself."""

    def __init__(self, fields: Mapping[str, str], history: History) -> None:
        self.field_paths = dict(fields)
        self.entries: dict[str, Entry] = {}
        self.history = history
        self._keys: list[str] | None = None
        self._ordered: tuple[list[str], list[Entry]] | None = None

    def ordered(self) -> tuple[list[str], list[Entry]]:
        """Keys and entries in key order, as of now. The lists are never changed."""
        if self._ordered is None:
            if self._keys is None:
                self._keys = sorted(self.entries)
            self._ordered = (self._keys, [self.entries[key] for key in self._keys])
        return self._ordered

    def put(self, entry: Entry) -> Entry | None:
        previous = self.entries.get(entry.key)
        if previous is None:
            self._keys = None
        self._ordered = None
        self.entries[entry.key] = entry
        return previous

    def pop(self, key: str) -> Entry | None:
        self._keys = self._ordered = None
        return self.entries.pop(key, None)


class Storage:
    """Every collection, under one lock and one version counter, as etcd has it."""

    def __init__(self, *, history: int = 10_000) -> None:
        self.lock = (
            threading.RLock()
        )  # guards the counter, the collections and the snapshots; taken before any History's
        self.version = 1
        self._history = history
        self._collections: dict[tuple[str, str], Collection] = {}
        self._snapshots: dict[tuple[tuple[str, str], int], tuple[list[str], list[Entry]]] = {}
        self.compacted = 0

    def collection(self, where: tuple[str, str], fields: Mapping[str, str] = NO_LABELS) -> Collection:
        """The collection of ``(group, plural)``, made when first asked for; ``fields`` adds selectable fields."""
        with self.lock:
            found = self._collections.get(where)
            if found is None:
                found = self._collections[where] = Collection(fields, History(self._history))
                found.history.compact(self.compacted)
            elif not fields.items() <= found.field_paths.items():
                found.field_paths.update(fields)
            return found

    def put(self, collection: Collection, namespace: str, name: str, key: str, document: Json) -> Entry:
        """Stores ``document`` at the next version, which it writes into its metadata; 500 where it is too large."""
        with self.lock:
            entry = self._entry(collection, namespace, name, key, document)
            if len(entry.raw) > _SIZE_LIMIT:
                raise ApiError(500, "", "etcdserver: request is too large")
            previous = collection.put(entry)
            kind = "ADDED" if previous is None else "MODIFIED"
            collection.history.append(Change(entry.version, kind, entry, previous))
            return entry

    def remove(self, collection: Collection, key: str, document: Json) -> Entry:
        """Removes an object; ``document`` is its last state, told to watches at the version of the removal."""
        with self.lock:
            previous = collection.pop(key)
            assert previous is not None, f"{key} is not stored"
            entry = self._entry(collection, previous.namespace, previous.name, key, document)
            collection.history.append(Change(entry.version, "DELETED", entry, previous))
            return entry

    def _entry(self, collection: Collection, namespace: str, name: str, key: str, document: Json) -> Entry:
        self.version += 1
        return render(collection.field_paths, namespace, name, key, document, self.version)

    def at(self, where: tuple[str, str], collection: Collection, version: int) -> tuple[list[str], list[Entry]]:
        """Keys and entries as they were at ``version``; raises a 410 ``ApiError`` when that is forgotten."""
        with self.lock:
            kept = self._snapshots.get((where, version))
            if kept is not None and version >= collection.history.forgotten:
                return kept
            if collection.history.after(version) == collection.history.end:
                found = collection.ordered()
            else:
                entries = dict(collection.entries)
                collection.history.undo(entries, version)
                keys = sorted(entries)
                found = (keys, [entries[key] for key in keys])
            self.keep(where, version, found)
            return found

    def keep(self, where: tuple[str, str], version: int, snapshot: tuple[list[str], list[Entry]]) -> None:
        """Remembers a snapshot for the pages that will follow."""
        with self.lock:
            self._snapshots[where, version] = snapshot
            while len(self._snapshots) > 16:
                del self._snapshots[next(iter(self._snapshots))]

    def compact(self) -> int:
        """Makes every version handed out so far too old; returns the oldest one that is not."""
        with self.lock:
            self.version += 1
            self.compacted = self.version
            self._snapshots.clear()
            for collection in self._collections.values():
                collection.history.compact(self.version)
            return self.version


def render(field_paths: Mapping[str, str], namespace: str, name: str, key: str, document: Json, version: int) -> Entry:
    """``document`` (without apiVersion and kind) as an ``Entry``; its metadata gets ``version``, none for 0."""
    metadata = document["metadata"]
    if version:
        metadata["resourceVersion"] = str(version)
    else:
        metadata.pop("resourceVersion", None)
    fields = {"metadata.name": name, "metadata.namespace": namespace}
    for field, path in field_paths.items():
        fields[field] = field_value(document, path)
    return Entry(
        key=key,
        namespace=namespace,
        name=name,
        uid=metadata.get("uid", ""),
        version=version,
        raw=msgspec.json.encode(document),
        labels=metadata.get("labels") or NO_LABELS,
        fields=fields,
        owners=tuple(owner.get("uid", "") for owner in metadata.get("ownerReferences") or ()),
        deleting="deletionTimestamp" in metadata,
    )


def field_value(document: Json, path: str) -> str:
    """The text of a field as field selectors compare it: absent is empty, booleans are ``true`` and ``false``."""
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def at_version(entry: Entry, version: int, field_paths: Mapping[str, str]) -> Entry:
    """The same object, said to be at ``version``."""
    return render(field_paths, entry.namespace, entry.name, entry.key, entry.decode(), version)
