"""How far the list of a large collection has come: a bar on stderr, while there is something to wait for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 24  # of the bar, in terminal columns
INTERVAL = 0.1  # seconds between two drawings


def bar_fits(output: str) -> bool:
    """Whether a bar has a place: stderr is a terminal, and no output of the form `output` gets into its way."""
    return sys.stderr.isatty() and not (sys.stdout.isatty() and output not in ("table", "wide"))


class Progress:
    """A bar that is drawn over itself, and taken away at the end of a `with`; nothing at all unless `shown`.

    `what` is what is listed; `clock` counts seconds.
    """

    def __init__(
        self, what: str, *, shown: bool, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._shown = shown
        self._out = out or sys.stderr
        self._clock = clock
        self._drawn_at: float | None = None

    def at(self, done: int, total: int | None) -> None:
        """So many objects have come, of so many; None where the server does not say how many."""
        if not self._shown:
            return
        now = self._clock()
        if self._drawn_at is not None and now - self._drawn_at < INTERVAL:
            return
        self._drawn_at = now
        self._out.write(f"\r{self._line(done, total)}\x1b[K")
        self._out.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self._drawn_at is not None:
            self._drawn_at = None
            self._out.write("\r\x1b[K")
            self._out.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def _line(self, done: int, total: int | None) -> str:
        if not total:
            return f"listing {self._what}: {done:,} so far"
        full = min(WIDTH, WIDTH * done // total)
        return f"listing {self._what} {'━' * full}{'─' * (WIDTH - full)} {done:,} of {total:,}"
