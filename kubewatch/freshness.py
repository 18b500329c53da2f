"""`Freshness`: what a store knows of itself: whether it was ever filled, by whom, and how old its content is.

Written by the one stream that fills the store, read by any thread, each field on its own and without a lock.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable

from .errors import InvalidInput, StaleAfterFork, WriterDropped
from .gates import Latch
from .stop import Stop
from .vitals import Vitals

# How often a waiting reader looks whether the stream was stopped, and when it says that nothing comes, in seconds.
LOOK = 0.1
COMPLAIN_AFTER = 10.0

_log = logging.getLogger(__name__)

# How many forks lie between the process that imported this module and ours: one number to compare at each read.
forks = 0


def _count_fork() -> None:
    global forks
    forks += 1


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_count_fork)


class Freshness:
    """How a store stands: not ready, ready, relisting, closed, or left behind by a fork."""

    def __init__(self) -> None:
        self.used = False  # whether a stream was pulled, or an event came: nothing that a fork could make stale before
        self.restart()

    def restart(self) -> None:
        """Begin as if nothing had ever come, in this process."""
        self.ready = False
        self.vitals: Vitals | None = None
        self.relisting = False
        self.process = forks
        self._settled = Latch()  # opens when ready, and when it never will be
        self.closed = False
        self._stop: Stop | None = None
        # While a relist is under way: when the content was last known to be current, and its version then. It is no
        # fresher than that.
        self._current_at: float | None = None
        self._current_version: str | None = None

    # The stream's side

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        """Take the health of the stream that fills the store."""
        if self.closed:
            raise InvalidInput("this writer's stream has ended: make a new pair with store() for the new stream")
        if self._stop is not None:
            raise InvalidInput("another stream fills this store already: make a pair with store() for each stream")
        self.vitals, self._stop = vitals, stop

    def begin_list(self) -> None:
        """From now on the content ages, however much the server says."""
        if not self.relisting and self.vitals is not None:
            self._current_at = self.vitals.heard_at
            self._current_version = self.vitals.resource_version
        self.relisting = True

    def finish_list(self) -> None:
        """The content is the server's."""
        self.relisting = False
        self.ready = True
        self._settled.open()

    def close(self) -> None:
        """Nothing will come any more. Idempotent; safe in finalizers."""
        if self.is_of_this_process:  # what a fork copied of the parent's stream is not the stream
            self.closed = True
            self._settled.open()

    # The readers' side

    @property
    def ended(self) -> bool:
        """Whether no stream feeds the store any more: closed, or told to stop."""
        return self.closed or (self._stop is not None and self._stop.stopped) or not self.is_of_this_process

    @property
    def age(self) -> float:
        """Seconds since the server was last heard from; infinite when it never was."""
        return self.vitals.age if self.vitals is not None else math.inf

    @property
    def resource_version(self) -> str | None:
        """The version up to which the content has everything; None before the first list."""
        # Read first: the stream has it a moment before the content.
        version = self.vitals.resource_version if self.vitals is not None else None
        return self._current_version if self.relisting else version if self.ready else None

    def is_live(self, within: float) -> bool:
        """Whether the content is what the server had at most `within` seconds ago."""
        if not self.ready or self.ended or self.vitals is None:
            return False
        heard_at = self._current_at if self.relisting else self.vitals.heard_at
        return heard_at is not None and self.vitals.clock() - heard_at <= within

    def wait_until_ready(self, timeout: float | None, look: Callable[[], object] = lambda: None) -> None:
        """Wait for the first complete list; raises TimeoutError and WriterDropped, saying why, and what `look` raises.

        `look` is called now and then.
        """
        began = time.monotonic()
        complained = False
        while not self._settled.is_open and not self.ended:
            look()
            waited = time.monotonic() - began
            if timeout is not None and waited >= timeout:
                raise TimeoutError(f"the store is not ready after {timeout:g} s: {self._why()}")
            if waited >= COMPLAIN_AFTER and not complained:
                complained = True
                _log.warning("waiting for a store to become ready for %.0f s: %s", waited, self._why())
            self._settled.wait(LOOK if timeout is None else min(LOOK, timeout - waited))
        if not self.ready:
            raise WriterDropped(f"the store will never be ready, as its writer is gone: {self._why()}")

    @property
    def is_of_this_process(self) -> bool:
        """Whether the content can be trusted after a fork: when nothing was filling the store at the fork, it can."""
        if self.process != forks and (self.closed or not self.used):
            self.process = forks
        return self.process == forks

    def check_process(self) -> None:
        """Raise StaleAfterFork where the stream is the parent process's."""
        if not self.is_of_this_process:
            raise StaleAfterFork(
                "this store was filled by a stream of the parent process, which a fork does not copy: start one here, "
                "watcher(api).reflect(writer), or call store.allow_stale() to read what was there at the fork"
            )

    def allow_stale(self) -> None:
        """Take the content at the fork for what it is."""
        if not self.is_of_this_process:
            self.process = forks
            self.closed = True

    def __str__(self) -> str:
        """The store's state in words."""
        if not self.is_of_this_process:
            state = "stale after a fork"
        elif not self.ready:
            state = "never to be ready" if self.ended else "not ready"
        else:
            state = "closed" if self.ended else "relisting" if self.relisting else "ready"
        notes = [state, "never heard" if self.age == math.inf else f"heard {self.age:.1f} s ago"]
        if self.vitals is not None and self.vitals.failing:
            notes.append(f"failing: {type(self.vitals.last_error).__name__}")
        if self.vitals is not None and self.vitals.dropped:
            notes.append(f"{self.vitals.dropped} left out")
        return ", ".join(notes)

    def _why(self) -> str:
        if self.vitals is None:
            return "no stream was put on its writer; chain .reflect(writer), and iterate the stream on another thread"
        if self.vitals.failing:
            return f"its stream fails: {self.vitals.last_error}"
        if self.vitals.heard_at is None:
            return "its stream never heard from the server; is it iterated, on another thread?"
        return "its first list is not complete"
