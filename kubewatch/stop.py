"""`Stop`: the one way in which a stream is told to end, from any thread, in every phase.

A stream chain shares one `Stop`. Whatever blocks (a read, a backoff pause) blocks through it, so that `stop()` ends it
within milliseconds. A blocked read is woken by shutting down a duplicate of the socket, which works under TLS, through
proxies and during the handshake, where closing the connection from another thread hangs or corrupts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .gates import Latch

if TYPE_CHECKING:
    import socket

# How often a wait looks at a foreign threading.Event, in seconds: half of the 100 ms in which a stop must work.
FOLLOW_INTERVAL = 0.05

# How long the main thread blocks at most in one go, in seconds. A signal that comes in the microseconds between
# Python's last look at signals and the system call that blocks is not seen before that call returns: Ctrl-C would wait
# for data.
SIGNAL_INTERVAL = 0.1

# `socket.SHUT_RDWR`, the same on every system. Loading `socket` is left to who connects, and a signal handler, which
# may call `stop`, is no place for it.
SHUT_BOTH = 2


def slice_of(seconds: float) -> float:
    """How long this thread may block in one go when it wants to for `seconds`: on the main thread not for long."""
    return min(seconds, SIGNAL_INTERVAL) if threading.get_ident() == threading.main_thread().ident else seconds


class Stop:
    """Tells a stream to end; safe to use from any thread and from signal handlers.

    >>> stop = Stop()
    >>> stop.wait(0.0)      # seconds; False: nobody stopped us
    False
    >>> stop.stop(); stop.wait(60.0)
    True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = Latch()
        self._deadline: float | None = None
        self._followed: tuple[threading.Event, ...] = ()
        self._sock: socket.socket | None = None

    def stop(self) -> None:
        """End the stream: now, or at once when it starts. Idempotent."""
        if not self._told.is_open:
            self._told.open()
            self._shut()

    @property
    def stopped(self) -> bool:
        """Whether the stream is to end: `stop()` was called, the deadline passed, or a followed event is set."""
        if self._told.is_open:
            return True
        if (self._deadline is not None and self._clock() >= self._deadline) or (
            # Asked once per event by whoever follows none: no generator is made for them.
            self._followed and any(e.is_set() for e in self._followed)
        ):
            self.stop()
            return True
        return False

    def until(self, seconds: float) -> None:
        """Stop by itself `seconds` from now; the earliest of several deadlines counts."""
        deadline = self._clock() + seconds
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)

    def follow(self, event: threading.Event) -> None:
        """Stop by itself once `event` is set."""
        self._followed = (*self._followed, event)

    def slice(self, seconds: float) -> float:
        """How long to block at most in one go, in seconds, for somebody who wants to block for `seconds`."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - self._clock()))
        return min(seconds, FOLLOW_INTERVAL) if self._followed else slice_of(seconds)

    def wait(self, seconds: float) -> bool:
        """Pause for `seconds` or until stopped; returns whether stopped."""
        end = self._clock() + seconds
        while not self.stopped:
            left = end - self._clock()
            if left <= 0:
                return False
            self._told.wait(min(self.slice(left), threading.TIMEOUT_MAX))
        return True

    def attach(self, sock: socket.socket) -> None:
        """Make `stop()` wake whoever reads from `sock`; a socket attached before is let go."""
        self.detach()
        self._sock = sock.dup()
        if self._told.is_open:
            self._shut()

    def detach(self) -> None:
        """Let go of the attached socket, if there is one."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _shut(self) -> None:
        sock = self._sock
        if sock is not None:
            # Not connected any more, or let go by the reader at this moment: it needs no waking then.
            with contextlib.suppress(OSError):
                sock.shutdown(SHUT_BOTH)
