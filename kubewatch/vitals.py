"""`Vitals`: what a watch knows of its own health, written by its stream and read by stores, probes and metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from .errors import WatchError


class Vitals:
    """The health of one watch. One stream writes it; any thread reads it, each field on its own and without a lock.

    - `heard_at`: when the server was last heard from, on `clock` (seconds, monotonic); None before the first answer. A
      page, an event and a bookmark count; an error answer does not.
    - `resource_version`: the version up to which everything was handed on, but for the `InitDone` of a list that is
      complete: that is handed on right after. None before the first list is complete.
    - `last_error`: the newest `WatchError`; `failing` says whether nothing good came since.
    - `restarts`: how often the watch began anew, by cause (`closed`, `idle`, `expired`, `failed`, …).
    - `undecodable`: objects that could not be decoded; `unmodified`: those that a function given to `modify` failed on;
      `dropped`: both.
    - `on_bookmark`: called with the version of each bookmark, on the stream's thread, when all before it was handed on.
    - `remaining`: objects of the list under way that are behind its newest page; None where the server does not say.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.heard_at: float | None = None
        self.resource_version: str | None = None
        self.last_error: WatchError | None = None
        self.failing = False
        self.restarts: Counter[str] = Counter()
        self.undecodable = 0
        self.unmodified = 0
        self.on_bookmark: Callable[[str], object] | None = None
        self.remaining: int | None = None

    def heard(self) -> None:
        """Note that the server spoke just now."""
        self.heard_at = self.clock()

    def failed(self, error: WatchError) -> None:
        """Note an error."""
        self.last_error = error
        self.failing = True

    @property
    def dropped(self) -> int:
        """Objects that were left out, for whatever reason."""
        return self.undecodable + self.unmodified

    @property
    def age(self) -> float:
        """Seconds since the server was last heard from; infinite when it never was."""
        return float("inf") if self.heard_at is None else self.clock() - self.heard_at
