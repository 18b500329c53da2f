"""When reads wait for changes to gather: told by a clock of the test's own."""

from __future__ import annotations

import itertools
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from kubewatch.pace import GATHER, LULL, PLENTY, QUICK, STREAK, Pace
from kubewatch.spans import Span
from kubewatch.stop import Stop
from kubewatch.transport import WatchBody
from kubewatch.wire import Wire

EVENT = 8000  # bytes


def reads(pace: Pace, times: int, *, every: float, size: int = EVENT, begin: float = 0.0) -> list[bool]:
    """So many reads of one event each, `every` seconds; whether each was to be followed by a wait."""
    return [pace.arrived(size, begin + number * every) for number in range(times)]


@given(st.lists(st.tuples(st.floats(QUICK * 1.01, 10.0), st.integers(1, 100_000)), max_size=50))
def test_what_comes_less_than_two_thousand_times_a_second_never_waits(arrivals: list[tuple[float, int]]) -> None:
    pace, now = Pace(), 0.0
    for gap, size in arrivals:
        now += gap
        assert not pace.arrived(size, now)


def test_a_few_at_once_do_not_wait() -> None:
    pace = Pace()
    for burst in range(10):
        assert not any(reads(pace, STREAK, every=QUICK / 10, begin=float(burst)))


def test_many_in_quick_succession_wait() -> None:
    assert reads(Pace(), STREAK + 1, every=QUICK / 10) == [False] * STREAK + [True]


def test_waiting_goes_on_while_each_wait_brings_several_events() -> None:
    pace = Pace()
    reads(pace, STREAK + 1, every=QUICK / 10)
    assert all(reads(pace, 100, every=GATHER, size=3 * EVENT, begin=2 * GATHER))


def test_waiting_ends_with_the_first_wait_that_did_not_pay() -> None:
    pace = Pace()
    reads(pace, STREAK + 1, every=QUICK / 10)
    assert pace.arrived(2 * EVENT, 2 * GATHER)
    assert not pace.arrived(EVENT, 3 * GATHER)
    assert not any(reads(pace, STREAK - 1, every=QUICK / 10, begin=3.1 * GATHER))


def test_waiting_ends_when_changes_come_slowly_however_long_they_are() -> None:
    """After a burst of short events, each of some long ones is as much as a wait had brought."""
    pace = Pace()
    reads(pace, STREAK + 1, every=QUICK / 10, size=EVENT // 40)
    assert pace.arrived(EVENT, 2 * GATHER)
    assert not any(reads(pace, 100, every=LULL, size=EVENT, begin=2 * GATHER + LULL))


def test_small_parts_of_events_among_them_change_nothing() -> None:
    """What a wait has to bring is twice the mean, not twice of two bytes that happened to come last."""
    pace = Pace()
    reads(pace, STREAK, every=QUICK / 10)
    assert pace.arrived(2, QUICK)
    assert not pace.arrived(EVENT, 2 * GATHER)


def test_large_reads_need_no_wait() -> None:
    pace = Pace()
    assert not any(reads(pace, 100, every=QUICK / 10, size=PLENTY))
    reads(pace, STREAK + 1, every=QUICK / 10, begin=1.0)
    assert not pace.arrived(PLENTY, 1.0 + 2 * GATHER)


class Flowing:
    """A wire that brings one event with each of so many reads."""

    def __init__(self, reads: int) -> None:
        self.left = reads

    def read_pieces(self, timeout: float) -> list[Span]:
        self.left -= 1
        return [(b"x" * EVENT, 0, EVENT)] if self.left >= 0 else []

    def close(self) -> None: ...


class Noting(Stop):
    """A stop that takes note of the waits, and is stopped in the middle of one if asked for."""

    def __init__(self, *, within_wait: bool = False) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._within_wait = within_wait

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if self._within_wait:
            self.stop()
        return super().wait(0.0)


def body(reads: int, stop: Stop, *, every: float) -> WatchBody:
    clock = itertools.count(0.0, every)
    return WatchBody(cast(Wire, Flowing(reads)), stop, 60.0, clock=lambda: next(clock))


def test_a_watch_waits_on_its_stop_and_loses_nothing() -> None:
    stop = Noting()
    assert len(list(body(STREAK + 3, stop, every=QUICK / 10).blocks())) == STREAK + 3
    assert stop.waits == [GATHER]  # and no more, as one event is what came without a wait, too


def test_a_watch_of_a_thousand_changes_a_second_never_waits() -> None:
    stop = Noting()
    assert len(list(body(5000, stop, every=0.001).blocks())) == 5000
    assert stop.waits == []


def test_a_stop_ends_a_watch_that_waits_for_more() -> None:
    stop = Noting(within_wait=True)
    assert len(list(body(100, stop, every=QUICK / 10).blocks())) == STREAK + 1
