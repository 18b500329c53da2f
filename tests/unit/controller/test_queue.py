"""The queue's wake-ups: who is woken when something is due, and what the numbers say meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest

from kubewatch import Action, ObjectRef, Reconciled
from kubewatch.controller.queue import Pause, Queue
from kubewatch.controller.relations import REQUEUED, RETRIED, UNKNOWN
from kubewatch.controller.scheduler import Request
from kubewatch.controller.telemetry import BOUNDS
from kubewatch.testing import FakeClock

from .harness import PATIENCE

A, B = ObjectRef("Pod", "a", "shop"), ObjectRef("Pod", "b", "shop")


class _Telling(threading.Condition):
    """A condition that tells when somebody waits; the lock is held until the wait has begun."""

    def __init__(self, lock: Any) -> None:
        super().__init__(lock)
        self.waited = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.release()
        return super().wait(timeout)


@contextmanager
def workers(queue: Queue, count: int) -> Iterator[SimpleQueue[Request | None]]:
    """Threads that wait for work, one run each; what they took. All but one of them sleep already."""
    telling = queue._work = _Telling(queue._lock)
    taken: SimpleQueue[Request | None] = SimpleQueue()
    threads = [threading.Thread(target=lambda: taken.put(queue.take())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in range(count - 1):
        assert telling.waited.acquire(timeout=PATIENCE)
    try:
        yield taken
    finally:
        queue.stop()
        for thread in threads:
            thread.join(PATIENCE)


def name(request: Request | None) -> str:
    assert request is not None
    return request.ref.name


def queue_of(clock: FakeClock, *, debounce: float = 0.0) -> Queue:
    return Queue(clock, debounce, 100, lambda: None)


def test_what_is_planned_comes_at_its_time_though_another_runs_since_the_gate_opened() -> None:
    """One is due when the gate opens, the other a moment later: the first one's run must not hide the second."""
    clock = FakeClock()
    queue = queue_of(clock, debounce=2)
    queue.trigger(A, UNKNOWN)
    clock.advance(1)
    queue.trigger(B, UNKNOWN)
    clock.advance(1)
    with workers(queue, 2) as taken:
        queue.open()
        assert name(taken.get(timeout=PATIENCE)) == "a"
        clock.wait_for_sleeper(3, PATIENCE)
        clock.advance(1)
        assert name(taken.get(timeout=PATIENCE)) == "b"


def test_what_is_due_and_cannot_begin_counts_as_depth_and_ages() -> None:
    """Who watches these numbers wants to see that nothing moves: before the stores are filled, or unread results."""
    clock = FakeClock()
    queue = queue_of(clock)
    queue.trigger(A, UNKNOWN)
    queue.trigger(B, UNKNOWN)
    clock.advance(30)
    stats = queue.stats()
    assert (stats.depth, stats.waiting, stats.oldest_age) == (2, 0, 30)


def test_each_run_is_counted_with_how_long_it_was_due_and_how_long_it_took() -> None:
    clock = FakeClock()
    queue = queue_of(clock)
    queue.open()
    for seconds, again, failed in ((0.2, None, False), (20, (REQUEUED, 60.0), False), (2000, (RETRIED, 60.0), True)):
        queue.trigger(A, UNKNOWN)
        clock.advance(0.002)
        request = queue.take()
        assert request is not None
        clock.advance(seconds)
        stats = queue.stats()
        assert [stats.longest_run, stats.all_runs] == pytest.approx([seconds, seconds])
        queue.done(request, Reconciled(A, Action()), again, failed)
    stats = queue.stats()
    assert (stats.runs, stats.failures, stats.requeues, stats.delayed) == (3, 1, 1, 2)
    assert (stats.longest_run, stats.all_runs) == (0, 0)
    assert [bound for bound, count in zip(BOUNDS, stats.took.counts, strict=False) if count] == [0.25, 30.0]
    assert stats.took.counts[-1] == 1
    assert stats.took.sum == pytest.approx(2020.2)
    assert [bound for bound, count in zip(BOUNDS, stats.waited.counts, strict=False) if count] == [0.0025]


def test_who_polls_is_told_whether_anything_is_due_or_runs() -> None:
    clock = FakeClock()
    queue = queue_of(clock, debounce=2)
    assert queue.poll() is Pause.BUSY  # as long as nothing may begin
    queue.open()
    assert queue.poll() is Pause.IDLE
    queue.trigger(A, UNKNOWN)
    assert (queue.poll(), queue.next_at()) == (Pause.IDLE, 2)
    clock.advance_to(2)
    assert queue.poll() is Pause.BUSY
    request = queue.take()
    assert request is not None
    assert queue.poll() is Pause.BUSY
    queue.done(request, Reconciled(A, Action()), None)
    assert queue.poll() == Reconciled(A, Action())
    assert (queue.poll(), queue.next_at()) == (Pause.IDLE, None)
    queue.end()
    assert queue.poll() is None


def test_who_polls_is_told_that_something_comes_while_a_list_is_held_back() -> None:
    queue = queue_of(FakeClock())
    queue.open()
    one, other = queue.begin_list(), queue.begin_list()
    one[A] = UNKNOWN
    assert queue.poll() is Pause.BUSY
    queue.end_list(other)
    assert queue.poll() is Pause.BUSY
    assert queue.stats().depth == 0
    queue.end_list(one)
    assert queue.stats().depth == 1
    assert name(queue.take()) == "a"


def test_every_time_that_an_object_became_due_counts_once_and_the_count_never_falls() -> None:
    clock = FakeClock()
    queue = queue_of(clock)
    queue.open()
    queue.trigger(A, UNKNOWN)
    queue.trigger(A, UNKNOWN)  # is due already
    queue.trigger(B, UNKNOWN)
    assert queue.stats().added == 2
    request = queue.take()
    assert request is not None
    queue.trigger(A, UNKNOWN)  # again, after the run under way
    assert (queue.stats().added, queue.stats().depth) == (3, 2)
    queue.left_out(request)
    queue.stop()
    assert (queue.stats().added, queue.stats().depth) == (3, 0)
