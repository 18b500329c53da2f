"""`Feed`: the rows of some stores as server-sent events, for any number of readers in one process.

The stores' threads render each object that changed, once. A reader remembers up to which change it has read, and is
sent the newest version of all that changed since; nothing is queued for anybody, however slow.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from kubewatch import Apply, Delete, Event, Init, InitApply, InitDone, Object
from kubewatch.contrib.flask import AppStores
from kubewatch.live import LiveStore

TICK = 0.1  # seconds between two looks for news: a person sees no difference
CHUNK = 500  # rows in a message, so that the page can draw between two
REMEMBERED = 10_000  # deletions; a reader who has missed more begins anew


class Full(Exception):
    """There are as many readers as this process has threads to spare."""


class News(NamedTuple):
    """What a reader has not read: rows as JSON, and the keys of those that went; None: forget all that you have."""

    number: int
    rows: list[str]
    gone: list[str] | None


class Feed:
    """The rows, and when each changed; safe to use from any thread."""

    def __init__(self, limit: int, heartbeat: float) -> None:
        """`limit` is the number of readers, each of which takes a thread; a `heartbeat` comes every so many seconds."""
        if not (limit > 0 and heartbeat > 0):
            raise ValueError(f"a feed for {limit} readers, with a heartbeat every {heartbeat} s, is none")
        self._limit = limit
        self._heartbeat = heartbeat
        self._lock = threading.Lock()  # guards all that follows
        self._readers = 0
        self._number = 0  # of the latest change
        # By key, what changed last at the end: the number of the change, and the row as it is since.
        self._rows: dict[str, tuple[int, str]] = {}
        self._gone: dict[str, int] = {}
        self._forgotten = 0  # the latest change that was dropped from `_gone`

    # The stores' side

    def follow(self, name: str, store: LiveStore[Object], render: Callable[[Object], Mapping[str, Any]]) -> None:
        """Have a row of what `render` makes of each object, on the store's thread."""
        listed: dict[str, str] = {}

        def rendered(obj: Object) -> tuple[str, str]:
            key = f"{name}/{obj.namespace}/{obj.name}"
            return key, json.dumps({"key": key, **render(obj)}, separators=(",", ":"))

        def tell(event: Event[Object]) -> None:
            if isinstance(event, Init):
                listed.clear()
            elif isinstance(event, InitApply):
                listed.update([rendered(event.object)])
            elif isinstance(event, InitDone):
                self._replace(f"{name}/", listed)
                listed.clear()  # or the rows as they were would be kept until the next list
            elif isinstance(event, Apply):
                self._put(*rendered(event.object))
            elif isinstance(event, Delete):
                self._remove(f"{name}/{event.object.namespace}/{event.object.name}")

        store.on_change(tell)

    def _put(self, key: str, row: str) -> None:
        with self._lock:
            if self._rows.get(key, (0, ""))[1] != row:  # something has changed that is shown
                self._number += 1
                self._rows.pop(key, None)
                self._rows[key] = self._number, row
                self._gone.pop(key, None)

    def _remove(self, key: str) -> None:
        with self._lock:
            if self._rows.pop(key, None) is not None:
                self._number += 1
                self._gone[key] = self._number
                if len(self._gone) > REMEMBERED:
                    self._forgotten = self._gone.pop(next(iter(self._gone)))

    def _replace(self, prefix: str, listed: Mapping[str, str]) -> None:
        """A complete list has come: whatever it is without is gone."""
        with self._lock:
            gone = [key for key in self._rows if key.startswith(prefix) and key not in listed]
        for key in gone:
            self._remove(key)
        for key, row in listed.items():
            self._put(key, row)

    # The readers' side

    def open(self, here: AppStores) -> Stream:
        """What one reader is sent; to be closed. Raises `Full`."""
        with self._lock:
            if self._readers >= self._limit:
                raise Full(f"{self._limit} pages are open here already; try again later")
            self._readers += 1
        return Stream(self, here, self._heartbeat)

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return self._readers

    def leave(self) -> None:
        """One reader less."""
        with self._lock:
            self._readers -= 1

    def since(self, seen: int | None) -> News:
        """What changed after change number `seen`; everything for None, and for what is too long ago."""
        with self._lock:
            if seen is None or seen < self._forgotten:
                return News(self._number, [row for _, row in self._rows.values()], None)
            rows = takewhile(lambda change: change[0] > seen, reversed(self._rows.values()))
            gone = takewhile(lambda change: change[1] > seen, reversed(self._gone.items()))
            return News(self._number, [row for _, row in rows], [key for key, _ in gone])


class Stream:
    """The messages for one reader; a response that ends, or never begins, closes it."""

    def __init__(self, feed: Feed, here: AppStores, heartbeat: float) -> None:
        self._feed = feed
        self._here = here
        self._heartbeat = heartbeat
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        """The messages, until the process is told to end. Only writing to it shows that a reader has gone."""
        # Not all readers at once come back from a server that was restarted.
        yield f"retry: {random.randint(1000, 3000)}\n\n"
        seen: int | None = None
        health, quiet = "", 0.0
        while True:
            news = self._feed.since(seen)
            if seen != news.number:
                seen = news.number
                yield from _messages(news)
            report = self._here.report()
            state = str([(check.ok, "failing" in check.why) for check in report.checks])
            if state != health or quiet >= self._heartbeat:
                health, quiet = state, 0.0
                yield _message("health", report.body().decode())
            quiet += TICK
            if self._here.wait(TICK):
                return

    def close(self) -> None:
        """Make room for another reader. Idempotent."""
        if not self._closed:
            self._closed = True
            self._feed.leave()


def _messages(news: News) -> Iterator[str]:
    """A reader who is to forget what it has may show it until the `end`, so that nothing flickers."""
    if news.gone is None:
        yield _message("begin", str(len(news.rows)))
    elif news.gone:
        yield _message("gone", json.dumps(news.gone))
    for start in range(0, len(news.rows), CHUNK):
        yield _message("rows", f"[{','.join(news.rows[start : start + CHUNK])}]")
    if news.gone is None:
        yield _message("end", str(news.number))


def _message(event: str, data: str) -> str:
    return f"event: {event}\ndata: {data}\n\n"
