"""`Bell` and `Latch`: waiting for what another thread tells, or a signal handler or finalizer that interrupts us.

Both are a bare lock that is held until then: waiting is acquiring it. It can be released on the very thread that waits;
an Event's inner lock would deadlock there.
"""

from __future__ import annotations

import threading


class Bell:
    """Wakes the one thread that waits for it; rung before, it wakes who comes next. Safe in signal handlers."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def ring(self) -> None:
        """Wake it. Idempotent."""
        if self._gate.locked():
            try:
                self._gate.release()
            except RuntimeError:
                return  # rung by another thread at the same moment

    def wait(self, seconds: float) -> bool:
        """Wait for the next ring, `seconds` at most; returns whether it came."""
        return self._gate.acquire(timeout=seconds)


class Latch:
    """A door that opens once; any number of threads wait for it, before and after. Safe in signal handlers."""

    def __init__(self) -> None:
        self.is_open = False
        self._bell = Bell()

    def open(self) -> None:
        """Let everybody through, from now on. Idempotent."""
        self.is_open = True
        self._bell.ring()

    def wait(self, seconds: float) -> bool:
        """Wait for the door, `seconds` at most; returns whether it is open."""
        if not self.is_open and self._bell.wait(seconds):
            self._bell.ring()  # for the next one
        return self.is_open
