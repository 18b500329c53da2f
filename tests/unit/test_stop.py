"""Stop: one way to end a stream, from anywhere."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

from kubewatch.stop import SHUT_BOTH, SIGNAL_INTERVAL, Stop, slice_of


def on_another_thread(ask: Callable[[], float]) -> float:
    answers: list[float] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), name="asker")
    thread.start()
    thread.join()
    return answers[0]


def test_the_main_thread_never_blocks_for_long_so_that_no_signal_goes_unseen() -> None:
    """A signal just before a blocking call would otherwise be noticed when that call returns, which may be never."""
    stop = Stop()
    assert stop.slice(60.0) == slice_of(60.0) == SIGNAL_INTERVAL
    assert stop.slice(0.01) == 0.01
    assert on_another_thread(lambda: stop.slice(60.0)) == 60.0
    assert on_another_thread(lambda: slice_of(60.0)) == 60.0


def test_a_wait_that_nobody_stops_ends_by_itself() -> None:
    assert Stop().wait(0.0) is False


def test_stop_ends_a_wait_in_another_thread() -> None:
    stop, results = Stop(), []
    waiter = threading.Thread(target=lambda: results.append(stop.wait(60.0)), name="waiter")
    waiter.start()
    stop.stop()
    waiter.join(5.0)
    assert results == [True]


def test_all_waiters_are_released_and_later_ones_do_not_block() -> None:
    stop, results = Stop(), []
    waiters = [threading.Thread(target=lambda: results.append(stop.wait(60.0)), name=f"w{i}") for i in range(5)]
    for waiter in waiters:
        waiter.start()
    stop.stop()
    stop.stop()
    for waiter in waiters:
        waiter.join(5.0)
    assert results == [True] * 5
    assert stop.wait(60.0)


def test_stop_from_a_signal_handler_ends_the_wait_it_interrupts() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert stop.wait(60.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_deadline_stops_and_the_earliest_counts() -> None:
    now = [100.0]
    stop = Stop(clock=lambda: now[0])
    stop.until(10.0)
    stop.until(5.0)
    stop.until(20.0)
    assert on_another_thread(lambda: stop.slice(60.0)) == 5.0
    assert not stop.stopped
    now[0] = 105.0
    assert stop.stopped
    assert stop.wait(60.0)


def test_a_followed_event_stops_and_keeps_waits_short_enough_to_notice() -> None:
    stop, event = Stop(), threading.Event()
    stop.follow(event)
    assert stop.slice(60.0) <= 0.1
    event.set()
    assert stop.wait(60.0)


def test_the_number_by_which_a_socket_is_shut_is_the_one_of_this_system() -> None:
    assert SHUT_BOTH == socket.SHUT_RDWR


def test_stop_wakes_a_blocked_read() -> None:
    ours, theirs = socket.socketpair()
    stop, read = Stop(), []
    with ours, theirs:
        stop.attach(ours)
        reader = threading.Thread(target=lambda: read.append(ours.recv(1)), name="reader")
        reader.start()
        stop.stop()
        reader.join(5.0)
        stop.detach()
    assert read == [b""]


def test_a_socket_attached_after_the_stop_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    stop = Stop()
    with ours, theirs:
        stop.stop()
        stop.attach(ours)
        assert ours.recv(1) == b""
        stop.detach()
        stop.detach()
