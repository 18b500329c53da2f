"""A controller's time, in the hands of a test."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing import FakeClock

# A step that floating-point numbers cannot make in one: NOW + (MOMENT - NOW) is less than MOMENT.
NOW, MOMENT = 2**-53, 1 + 2**-52


class Waiter:
    """A thread that waits, as a controller's timekeeper does, until it is `moment`; it goes on when it is woken."""

    def __init__(self, clock: FakeClock, moment: float) -> None:
        self._clock, self._moment = clock, moment
        self.woken_at: list[float] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        clock.wait_for_sleeper(moment)

    def _run(self) -> None:
        condition = threading.Condition()
        with condition:
            while (now := self._clock.now()) < self._moment:
                self._clock.wait(condition, self._moment)
                self.woken_at.append(now)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_it_is_exactly_the_moment_that_was_advanced_to_and_never_earlier_than_before(now: float, moment: float) -> None:
    clock = FakeClock(now)
    clock.advance_to(moment)
    assert clock.now() == max(now, moment)


def test_who_waits_for_a_moment_is_woken_when_it_has_come_whatever_floats_lose_on_the_way() -> None:
    assert NOW + (MOMENT - NOW) < MOMENT
    clock = FakeClock(NOW)
    waiter = Waiter(clock, MOMENT)
    clock.advance_to(MOMENT)
    waiter.thread.join(30)
    assert not waiter.thread.is_alive()
    assert len(waiter.woken_at) == 1
