"""`Clock`: where a controller's time comes from. Tests bring `kubewatch.testing.FakeClock`."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time that passes, and a way to wait for it."""

    def now(self) -> float:
        """Seconds; they only grow."""

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait on `condition`, which the caller holds, to be notified, or until `until`; may return early."""


class SystemClock:
    """The computer's."""

    now = staticmethod(time.monotonic)

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        condition.wait(None if until is None else min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))
