"""One open watch: which lines are due now. It does no input or output and reads no clock, so that a test reads as a
table.

Watches hold no queue of their own: each is a cursor on its collection's shared, bounded history. Writers append and go
on; a watch whose cursor falls off the history's end was too slow and is closed, as kube-apiserver closes it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from .render import Renderer
from .status import ApiError
from .storage import Change, Collection, Entry, Storage, at_version

Json = dict[str, Any]

BATCH = 256  # changes handed out at once
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


def event_line(kind: str, rendered: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), rendered)


def error_line(error: ApiError) -> bytes:
    return event_line("ERROR", msgspec.json.encode(error.status))


class Watch:
    """The lines of one watch.

    ``poll(now)`` gives the lines that are due (none: nothing to say yet), ``due()`` the time at which to ask again at
    the latest, ``done`` says that the watch has ended. Times are seconds on the caller's clock. Only ``close``,
    ``interject`` and ``send_bookmark`` may be called from another thread.
    """

    def __init__(
        self,
        storage: Storage,
        collection: Collection,
        renderer: Renderer,
        *,
        selects: Callable[[Entry], bool],
        cursor: int,
        version: int,
        initial: Sequence[Entry] = (),
        announce_end: bool = False,
        bookmarks: bool = False,
        bookmark_interval: float = 60.0,
        now: float = 0.0,
        ends_at: float = float("inf"),
    ) -> None:
        self.done = False
        self._storage = storage
        self._collection = collection
        self._history = collection.history
        self._renderer = renderer
        self._selects = selects
        self._cursor = cursor
        self._version = version
        self._initial = deque(initial)
        self._announce_end = announce_end
        self._bookmarks = bookmarks
        self._interval = bookmark_interval
        self._next_bookmark = now + bookmark_interval if bookmarks else float("inf")
        self._ends_at = ends_at
        self._alarm = threading.Event()  # its own: what is done to one of many watches wakes no other
        self._closed = False
        self._interjected: deque[bytes | Exception | None] = deque()
        self._bookmark_asked = False

    def poll(self, now: float) -> list[bytes]:
        if self._closed:
            self.done = True
            return []
        if self._interjected:
            return self._next_interjected()
        if self._initial or self._announce_end:
            return self._initial_lines()
        over = now >= self._ends_at  # asked first: what changed before the end is there to be told
        changes = self._history.read(self._cursor, BATCH)
        if changes is None:
            self.done = True
            return []
        if changes:
            self._cursor += len(changes)
            return [line for change in changes if (line := self._line(change))]
        if self._bookmarks and (over or self._bookmark_asked or now >= self._next_bookmark):
            return self._bookmark_if_drained(now, over)
        self.done = over
        return []

    def due(self) -> float:
        return min(self._ends_at, self._next_bookmark)

    def wait(self, seconds: float | None) -> None:
        """Blocks until there may be something to say."""
        self._history.wait(self._cursor, seconds, self._alarm)

    def close(self) -> None:
        """Ends the watch: the next ``poll`` gives nothing and sets ``done``."""
        self._closed = True
        self._alarm.set()

    def finish(self) -> None:
        """Ends the watch once it has told of every change there is: nothing will change any more."""
        self._ends_at = 0.0
        self._alarm.set()

    def interject(self, what: bytes | Exception | None) -> None:
        """Puts a line of the caller's own before whatever comes next; an exception is raised, None ends the watch."""
        self._interjected.append(what)
        self._alarm.set()

    def send_bookmark(self) -> None:
        """Has a bookmark sent, after the changes there are, if the watch has any."""
        self._bookmark_asked = self._bookmarks
        self._alarm.set()

    def _next_interjected(self) -> list[bytes]:
        what = self._interjected.popleft()
        if isinstance(what, Exception):
            raise what
        self.done = what is None
        return [what] if what is not None else []

    def _initial_lines(self) -> list[bytes]:
        batch = [self._initial.popleft() for _ in range(min(BATCH, len(self._initial)))]
        lines = [event_line("ADDED", self._renderer.one(entry)) for entry in batch]
        if not self._initial and self._announce_end:
            self._announce_end = False
            lines.append(self._bookmark(self._version, INITIAL_EVENTS_END))
        return lines

    def _line(self, change: Change) -> bytes:
        if change.version <= self._version:
            return b""
        self._version = change.version
        before = change.previous is not None and self._selects(change.previous)
        after = change.type != "DELETED" and self._selects(change.entry)
        if after:
            return event_line("MODIFIED" if before else "ADDED", self._renderer.one(change.entry))
        if not before:
            return b""
        return event_line("DELETED", self._renderer.one(self._last_seen(change)))

    def _last_seen(self, change: Change) -> Entry:
        """What a watch is told of an object that it sees no longer: its last state, at the version of the change."""
        if change.type == "DELETED":
            return change.entry
        assert change.previous is not None
        if change.departed is None:
            change.departed = at_version(change.previous, change.version, self._collection.field_paths)
        return change.departed

    def _bookmark_if_drained(self, now: float, over: bool) -> list[bytes]:
        with self._storage.lock:  # so that no change can come between reading the version and reading the cursor
            if self._cursor != self._history.end:
                return []  # it comes after the change
            self._version = max(self._version, self._storage.version)
            self._bookmark_asked = False
        self._next_bookmark = now + self._interval
        self.done = over
        return [self._bookmark(self._version)]

    def _bookmark(self, version: int, annotations: Json | None = None) -> bytes:
        metadata: Json = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        return event_line("BOOKMARK", self._renderer.bookmark(metadata))
