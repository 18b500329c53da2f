"""`FakeClock`: a controller's time, in the hands of a test."""

from __future__ import annotations

import threading


class FakeClock:
    """Time that stands still until `advance` is called.

    >>> clock = FakeClock()
    >>> clock.advance(60); clock.now()
    60.0

    Give it to `Controller.with_config(clock=clock)`: requeues and debounce then wait for the test, and not the test for
    them. With `flowing`, time jumps ahead by itself whenever the controller would wait for some.
    """

    def __init__(self, now: float = 0.0, *, flowing: bool = False) -> None:
        self._now = now
        self._flowing = flowing
        # Guards all that follows, and the time. Taken while a condition is held, never the other way round.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: list[tuple[threading.Condition, float | None]] = []

    def now(self) -> float:
        """Seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and wake whoever waited for a moment in them."""
        self.advance_to(self._now + seconds)

    def advance_to(self, moment: float) -> None:
        """`advance` up to `moment`, unless it is later already."""
        with self._lock:
            self._now = max(self._now, moment)
            due = [condition for condition, until in self._waiting if until is not None and until <= self._now]
        for condition in due:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """For the controller: wait to be notified, or for `advance` to reach `until`."""
        with self._lock:
            if until is not None and self._flowing:
                self._now = max(self._now, until)
            if until is not None and until <= self._now:
                return
            self._waiting.append((condition, until))
            self._changed.notify_all()
        try:
            condition.wait()
        finally:
            with self._lock:
                self._waiting.remove((condition, until))
                self._changed.notify_all()

    def wait_for_sleeper(self, until: float | None, timeout: float = 30.0) -> None:
        """Block until somebody waits for the moment `until` (None: with nothing planned); real seconds of `timeout`.

        A controller that does has started all that was due. Raises TimeoutError.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: any(at == until for _, at in self._waiting), timeout):
                waits = [at for _, at in self._waiting]
                raise TimeoutError(f"nobody waits for {until} after {timeout:g} s; waited for are {waits}")
