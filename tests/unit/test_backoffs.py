"""Wait generators: how long to wait after an error."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import backoffs
from kubewatch.errors import InvalidInput


def first(n: int, waits: backoffs.Waits) -> list[float]:
    return [waits.send(None) for _ in range(n)]


def ready(waits: backoffs.Waits) -> backoffs.Waits:
    next(waits)
    return waits


def linear(step: float = 2.0) -> backoffs.Waits:
    yield None
    seconds = 0.0
    while True:
        seconds += step
        yield seconds


def test_exponential_backoff_without_jitter() -> None:
    """Row 4: 100 ms, 200 ms, 400 ms."""
    assert first(3, backoffs.primed(backoffs.exponential, minimum=0.1)) == [0.1, 0.2, 0.4]


def test_exponential_backoff_with_jitter_applies_randomness() -> None:
    """Row 5: positive, and not all equal to the exact series; at most twice as long, as the jitter adds."""
    exact = first(20, backoffs.primed(backoffs.exponential, minimum=0.1))
    jittered = [backoffs.stretched(seconds) for seconds in exact]
    assert all(base <= wait < 2 * base for base, wait in zip(exact, jittered, strict=True))
    assert jittered != exact


def test_the_default_is_800_ms_to_30_s_doubling() -> None:
    assert first(8, backoffs.primed(backoffs.default)) == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_like_every_wait_generator_of_the_library_the_first_value_is_none() -> None:
    for waits in (backoffs.default(), backoffs.exponential(), backoffs.resetting(linear)):
        assert next(waits) is None


@pytest.mark.parametrize(
    "arguments",
    [{"minimum": 0}, {"minimum": -1.0}, {"minimum": 2, "maximum": 1}, {"factor": 0.5}, {"minimum": float("nan")}],
)
def test_waits_that_do_not_grow_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="exponential needs 0 < minimum <= maximum"):
        backoffs.exponential(**arguments)


@pytest.mark.parametrize(("gap", "waits"), [(40.0, [2, 4, 6]), (80.0, [2, 2, 2]), (60.0, [2, 4, 6])])
def test_should_reset_when_timer_expires(gap: float, waits: list[float]) -> None:
    """Row 16: with a reset after 60 s, errors 40 s apart wait longer each time, errors 80 s apart do not."""
    times = itertools.count(0.0, gap)
    assert first(3, ready(backoffs.resetting(linear, after=60.0, clock=lambda: next(times)))) == waits


def test_resetting_ends_with_the_waits_inside() -> None:
    def two() -> backoffs.Waits:
        yield None
        yield 1.0
        yield 2.0

    waits = ready(backoffs.resetting(two))
    assert first(2, waits) == [1.0, 2.0]
    with pytest.raises(StopIteration):
        waits.send(None)


def test_resetting_hands_the_error_to_the_waits_inside() -> None:
    def asked() -> backoffs.Waits:
        error: Any = yield None
        while True:
            error = yield error.seconds

    class TooManyRequests(Exception):
        seconds = 7.0

    assert ready(backoffs.resetting(asked)).send(TooManyRequests()) == 7.0


@settings(deadline=None)  # a busy machine is no failure
@given(
    minimum=st.floats(0.001, 10),
    growth=st.floats(1, 10),
    factor=st.floats(1, 4),
    # Whole seconds, so that sums of them are exact.
    gaps=st.lists(st.integers(0, 300), max_size=40),
)
def test_waits_never_shrink_but_by_a_reset(minimum: float, growth: float, factor: float, gaps: list[int]) -> None:
    now = [0.0]
    waits = ready(
        backoffs.resetting(
            backoffs.exponential,
            clock=lambda: now[0],
            minimum=minimum,
            maximum=minimum * growth,
            factor=factor,
        )
    )
    last = waits.send(None)
    assert last == minimum
    for gap in gaps:
        now[0] += gap
        wait = waits.send(None)
        assert minimum <= wait <= minimum * growth
        assert wait == minimum if gap > 120.0 else wait >= last
        last = wait
