"""The scheduler, as tables: no clock, no threads."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.controller.scheduler import DEBOUNCE_LIMIT, FAR_FUTURE, Reason, Scheduler
from kubewatch.ref import ObjectRef

A, B, C = (ObjectRef("Pod", name, "n") for name in "abc")
FIRST, SECOND = Reason("first"), Reason("second")


def taken(scheduler: Scheduler, now: float) -> list[tuple[str, str]]:
    """Everything that is due at `now`, taken."""
    found = []
    while (request := scheduler.take(now)) is not None:
        found.append((request.ref.name, request.reason.what))
    return found


def test_what_is_held_is_released_when_the_run_ends() -> None:
    """Row 45: scheduler_should_hold_and_release_items."""
    s = Scheduler()
    s.trigger(A, FIRST, 0)
    assert taken(s, 0) == [("a", "first")]
    s.trigger(A, SECOND, 1)
    assert taken(s, 1) == []
    s.finished(A)
    assert taken(s, 1) == [("a", "second")]
    s.finished(A)
    assert taken(s, 99) == []


def test_a_duplicate_of_a_pending_run_is_ignored() -> None:
    """Row 46: scheduler_should_not_reschedule_pending_items."""
    s = Scheduler()
    s.trigger(A, FIRST, 0)
    taken(s, 0)
    s.trigger(A, FIRST, 1)
    assert s.take(1) is None
    s.trigger(A, SECOND, 2)
    s.schedule(A, SECOND, 50, 2)
    s.finished(A)
    assert taken(s, 2) == [("a", "first")]
    s.finished(A)
    assert taken(s, 99) == []


def test_a_held_run_does_not_block_the_others() -> None:
    """Row 47: scheduler_pending_message_should_not_block_head_of_line."""
    s = Scheduler()
    s.trigger(A, FIRST, 0)
    taken(s, 0)
    s.trigger(A, SECOND, 1)
    s.trigger(B, FIRST, 2)
    assert taken(s, 2) == [("b", "first")]


def test_nothing_comes_early_and_each_at_its_time() -> None:
    """Row 48: scheduler_should_emit_items_as_requested."""
    s = Scheduler()
    s.schedule(A, FIRST, 1, 0)
    s.schedule(B, FIRST, 3, 0)
    assert [taken(s, now) for now in (0.9, 1, 2.9, 3)] == [[], [("a", "first")], [], [("b", "first")]]


def test_the_earlier_of_two_times_wins_with_its_reason() -> None:
    """Rows 49, 53: a later duplicate is ignored, and so is its payload."""
    s = Scheduler()
    s.schedule(A, FIRST, 1, 0)
    s.schedule(A, SECOND, 5, 0)
    assert taken(s, 9) == [("a", "first")]
    s.finished(A)
    assert taken(s, 9) == []


def test_an_earlier_duplicate_advances_the_run_with_its_reason() -> None:
    """Rows 50, 52: an earlier duplicate replaces time and payload."""
    s = Scheduler()
    s.schedule(A, FIRST, 5, 0)
    s.schedule(A, SECOND, 1, 0)
    assert taken(s, 1) == [("a", "second")]
    s.finished(A)
    assert taken(s, 9) == []


def test_a_run_that_was_taken_may_be_scheduled_again() -> None:
    """Row 51: scheduler_dedupe_should_allow_rescheduling_emitted_item."""
    s = Scheduler()
    s.schedule(A, FIRST, 1, 0)
    assert taken(s, 1) == [("a", "first")]
    s.finished(A)
    s.schedule(A, SECOND, 2, 1)
    assert taken(s, 2) == [("a", "second")]


def test_debounce_waits_for_quiet() -> None:
    """Row 54: with two seconds of debounce, not at +1 s and yes by +4 s."""
    s = Scheduler(debounce=2)
    s.trigger(A, FIRST, 0)
    assert taken(s, 1) == []
    assert taken(s, 4) == [("a", "first")]


def test_a_second_trigger_extends_the_quiet_and_its_reason_wins() -> None:
    """Row 55: scheduler_should_dedup_message_within_debounce_period."""
    s = Scheduler(debounce=2)
    s.trigger(A, FIRST, 0)
    s.trigger(A, SECOND, 1)
    assert taken(s, 2.9) == []
    assert taken(s, 3) == [("a", "second")]
    s.finished(A)
    assert taken(s, 99) == []


def test_debounce_never_delays_a_deadline_that_stands() -> None:
    """Improvement 17: a trigger just before a requeue's time does not move the run back."""
    s = Scheduler(debounce=3)
    s.schedule(A, FIRST, 60, 0)
    s.trigger(A, SECOND, 59)
    assert s.next_at() == 60
    assert taken(s, 60) == [("a", "first")]


def test_a_deadline_bounds_the_debounce_that_came_before_it() -> None:
    """Improvement 17, the other way round: the trigger came first."""
    s = Scheduler(debounce=3)
    s.trigger(A, FIRST, 0)
    s.schedule(A, SECOND, 4, 0)
    s.trigger(A, FIRST, 2)
    assert s.next_at() == 4


def test_debounce_is_bounded_so_that_a_busy_object_does_not_starve() -> None:
    s = Scheduler(debounce=1)
    for tenth in range(1000):
        s.trigger(A, FIRST, tenth / 10)
        if taken(s, tenth / 10):
            assert tenth / 10 == DEBOUNCE_LIMIT
            return
    raise AssertionError("it starved")


def test_equals_run_in_the_order_they_came() -> None:
    s = Scheduler()
    for ref in (C, A, B):
        s.trigger(ref, FIRST, 0)
    assert [name for name, _ in taken(s, 0)] == ["c", "a", "b"]


def test_many_triggers_during_a_run_cause_one_more_run() -> None:
    s = Scheduler()
    for i in range(3):
        s.trigger(A, FIRST, i)
        s.trigger(B, FIRST, i)
    assert taken(s, 3) == [("a", "first"), ("b", "first")]
    for i in range(5):
        s.trigger(A, SECOND, 4 + i)
        s.trigger(B, SECOND, 4 + i)
    s.finished(A)
    s.finished(B)
    assert taken(s, 9) == [("a", "second"), ("b", "second")]


def test_a_trigger_during_a_run_makes_the_runs_own_requeue_void() -> None:
    s = Scheduler()
    s.trigger(A, FIRST, 0)
    taken(s, 0)
    s.trigger(A, SECOND, 1)
    s.finished(A)
    s.schedule(A, FIRST, 12, 2)
    assert taken(s, 2) == [("a", "second")]
    s.finished(A)
    assert taken(s, 99) == []


def test_a_time_beyond_half_a_year_is_half_a_year() -> None:
    s = Scheduler()
    s.schedule(A, FIRST, float("inf"), 7)
    assert s.next_at() == 7 + FAR_FUTURE


def test_depth_and_age_tell_what_waits() -> None:
    s = Scheduler()
    s.trigger(A, FIRST, 0)
    s.schedule(B, FIRST, 100, 0)
    taken(s, 0)
    s.trigger(A, SECOND, 5)
    s.take(5)
    assert (s.running, s.depth, s.waiting, s.oldest_age(8)) == (1, 1, 1, 3)
    assert s.drop_waiting() == 2
    s.finished(A)
    assert (s.take(999), s.depth, s.waiting) == (None, 0, 0)


def test_flushed_is_what_was_asked_for_and_forgotten_what_was_planned() -> None:
    """Improvement 15: at the end of the streams, debounced objects run at once, requeues do not."""
    s = Scheduler(debounce=10)
    s.trigger(A, FIRST, 0)
    s.schedule(B, FIRST, 60, 0)
    s.schedule(C, FIRST, 5, 0)
    s.trigger(C, SECOND, 1)
    s.flush(2)
    assert (taken(s, 2), s.waiting) == ([("a", "first"), ("c", "first")], 0)


def test_what_was_asked_for_stays_so_when_a_plan_comes_before_it() -> None:
    s = Scheduler(debounce=10)
    s.trigger(A, FIRST, 0)
    s.schedule(A, SECOND, 5, 0)
    s.flush(1)
    assert [name for name, _ in taken(s, 1)] == ["a"]


@pytest.mark.parametrize("debounce", [0.0, 3.0])
def test_memory_is_that_of_the_objects_however_often_they_are_triggered(debounce: float) -> None:
    """Nobody takes for days, as the store is not ready, or nobody pulls; the objects change all the time."""
    s = Scheduler(debounce)
    for now in range(10_000):
        s.trigger(A, FIRST, now)
        s.schedule(B, FIRST, 1e6 - now, now)
    assert len(s._heap) < 200
    assert sorted(name for name, _ in taken(s, 2e6)) == ["a", "b"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["trigger", "schedule", "take", "finish"]), st.sampled_from([A, B, C]), st.integers(0, 5)
    ),
    max_size=60,
)


@given(steps, st.sampled_from([0.0, 1.0, 3.0]))
def test_never_two_runs_of_one_object_and_no_request_is_lost(
    script: list[tuple[str, ObjectRef, int]], debounce: float
) -> None:
    s, now = Scheduler(debounce), 0.0
    running: set[ObjectRef] = set()
    owed: set[ObjectRef] = set()
    for what, ref, step in script:
        now += step
        if what == "trigger":
            s.trigger(ref, FIRST, now)
            owed.add(ref)
        elif what == "schedule":
            s.schedule(ref, FIRST, now + step, now)
            owed.add(ref)
        elif what == "take":
            request = s.take(now)
            if request is not None:
                assert request.ref not in running
                assert request.due <= now
                running.add(request.ref)
                owed.discard(request.ref)
        elif ref in running:
            running.discard(ref)
            s.finished(ref)
    for ref in running:
        s.finished(ref)
    later = now + 1000
    while (request := s.take(later)) is not None:
        s.finished(request.ref)
        owed.discard(request.ref)
    assert not owed
    assert s.next_at() is None


@pytest.mark.parametrize(("requeue", "limit"), [(True, 400), (False, 40)])
def test_an_object_that_was_run_costs_400_bytes_while_it_waits_for_the_next_time_and_else_next_to_nothing(
    requeue: bool, limit: int
) -> None:
    count = 10_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        scheduler = Scheduler()
        for number in range(count):
            scheduler.trigger(ObjectRef("Pod", "web", f"shop-{number}"), FIRST, number / count)
        now = 1.0
        while (request := scheduler.take(now)) is not None:
            now += 0.001
            scheduler.finished(request.ref)
            if requeue:
                scheduler.schedule(request.ref, SECOND, now + 3600, now)
        assert scheduler.waiting == (count if requeue else 0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / count < limit  # bytes
