"""Bell and Latch: waiting for what another thread tells."""

from __future__ import annotations

import signal

from kubewatch.gates import Bell, Latch

from .subscribed import on_thread


def test_a_bell_wakes_who_waits_or_who_comes_next_and_no_more() -> None:
    bell = Bell()
    woken = on_thread(lambda: bell.wait(600))
    bell.ring()
    assert woken()
    bell.ring()
    bell.ring()
    assert bell.wait(0)
    assert not bell.wait(0)


def test_a_bell_that_a_signal_handler_rings_ends_the_wait_it_interrupts() -> None:
    bell = Bell()
    before = signal.signal(signal.SIGALRM, lambda *_: bell.ring())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert bell.wait(60)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_latch_lets_through_whoever_waits_before_and_after() -> None:
    latch = Latch()
    assert not latch.wait(0)
    joins = [on_thread(lambda: latch.wait(600)) for _ in range(5)]
    latch.open()
    latch.open()
    assert [join() for join in joins] == [True] * 5
    assert latch.wait(0)


def test_who_waits_is_let_through_although_two_threads_open_at_the_same_moment() -> None:
    """The other one hands the gate on just when the waiter has it: the waiter's own handing on is one too many."""

    latch = Latch()

    class Gate:
        def acquire(self, timeout: float) -> bool:
            latch.is_open = True
            return True

        def locked(self) -> bool:
            return True  # it was, a moment ago

        def release(self) -> None:
            raise RuntimeError("release unlocked lock")

    latch._bell._gate = Gate()  # type: ignore[assignment]  # to come in between
    assert latch.wait(60)
