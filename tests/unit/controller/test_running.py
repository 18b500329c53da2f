"""The other ways to run: in the background of an application, for ever, and once."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from kubewatch import ObjectRef
from kubewatch.controller import Action, Controller, QueueError, RunnerError, RunningController, Summary
from kubewatch.controller.runner import Runner
from kubewatch.errors import ApiError, InitialListFailed, InvalidInput
from kubewatch.events import Init, InitApply
from kubewatch.objects import Object
from kubewatch.testing import FakeClock
from tests.unit.stored import pod

from .harness import PATIENCE, Feed, Held, finite, pods, quiet


def controlled(feed: Feed, **config: Any) -> Controller[Object]:
    return Controller.for_stream(feed.reflected(), feed.reader).with_config(**config)


# start


def test_an_application_starts_and_stops_a_controller() -> None:
    feed, held = Feed(), Held()
    with controlled(feed).start(held) as running:
        assert (running.healthy, running.ready) == (True, False)
        assert "waiting for its stores" in repr(running)
        feed.list(pod("a"))
        held.next_started()
        assert (running.healthy, running.ready, running.stats.running) == (True, True, 1)
        held.go()
    assert (running.healthy, running.ready) == (False, False)
    assert running.join()
    assert "ended" in repr(running)
    assert running.stats.runs == 1


def test_it_is_ready_as_soon_as_its_stores_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited for its store and then asks for its health is not told that it waits for its stores."""
    feed, late, look = Feed().list(pod("a")), threading.Event(), Runner._wait_for_stores
    monkeypatch.setattr(Runner, "_wait_for_stores", lambda runner: look(runner) and late.wait(PATIENCE))
    with controlled(feed).start(quiet) as running:
        feed.reader.wait_until_ready(PATIENCE)
        state = running.state
        late.set()
    assert state == "ready"


def test_stop_waits_for_what_runs_but_not_longer_than_it_is_told_to() -> None:
    feed, held = Feed().list(pod("a")), Held()
    running = controlled(feed).start(held)
    held.next_started()
    assert not running.stop(timeout=0.01)
    held.go()
    assert running.join(PATIENCE)


def test_a_controller_whose_watch_has_ended_is_not_healthy() -> None:
    feed, other = Feed().list(pod("a")).end(), Feed("others")
    with controlled(feed).owns_stream(other.touched()).start(quiet) as running:
        for thread in threading.enumerate():
            if thread.name == "kubewatch pods pump: pods":
                thread.join(PATIENCE)
        assert feed.closed.wait(PATIENCE)
        assert not running.healthy


def test_a_controller_that_cannot_work_says_why_it_ended() -> None:
    running = controlled(Feed().feed(Init(), InitApply(pod("a"))).end()).start(quiet)
    assert running.join(PATIENCE)
    assert isinstance(running.error, RunnerError)
    assert "WriterDropped" in repr(running)


def test_a_running_controller_tells_its_stores_and_watches() -> None:
    feed, owned, other = Feed(), Feed("owned"), Feed("other")
    controller = controlled(feed, concurrency=3).owns_stream(owned.reflected(), owned.reader)
    with controller.owns_stream(other.touched()).reconcile_on([]).start(quiet) as running:
        assert (running.label, running.concurrency, running.error) == ("pods", 3, None)
        assert running.stores == {"pods": feed.reader, "owned": owned.reader}
        feed.list()
        owned.list()
        assert feed.reader.wait_until_ready(PATIENCE)
        assert list(running.watches) == ["pods", "owned", "other"]


def test_a_reconciler_may_stop_its_own_controller() -> None:
    """It cannot wait for its own end, so stop() does not."""
    answers: SimpleQueue[bool] = SimpleQueue()
    running: RunningController

    def reconcile(obj: Object, context: Any) -> Action:
        answers.put(running.stop())
        return Action.await_change()

    feed = Feed()
    running = controlled(feed).start(reconcile)
    feed.list(pod("a"))
    assert answers.get(timeout=PATIENCE) is False
    assert running.join(PATIENCE)


def test_a_running_controller_stays_in_its_process() -> None:
    with controlled(Feed().list()).start(quiet) as running, pytest.raises(TypeError, match="one process"):
        pickle.dumps(running)


def test_run_forever_returns_at_the_end() -> None:
    Controller.for_stream(*finite(pod("a"))).run_forever(quiet)
    event = threading.Event()

    def reconcile(obj: Object, context: Any) -> Action:
        event.set()
        return Action.await_change()

    controlled(Feed().list(pod("a"))).graceful_shutdown_on(event).run_forever(reconcile)


def test_run_forever_raises_what_a_controller_cannot_work_after() -> None:
    feed = Feed().feed(Init(), InitApply(pod("a"))).end()
    with pytest.raises(RunnerError, match="WriterDropped"):
        controlled(feed).run_forever(quiet)


# run_once


def test_run_once_reconciles_every_object_once_and_returns() -> None:
    feed = Feed().list(*pods(*map(str, range(200))))
    seen: list[str] = []

    def reconcile(obj: Object, context: Any) -> Action:
        seen.append(obj.name)
        return Action.requeue(0)

    summary = controlled(feed).run_once(reconcile)
    assert sorted(seen) == sorted(map(str, range(200)))
    assert (summary.reconciled, summary.exit_code, str(summary)) == (200, 0, "200 reconciled")


def test_run_once_waits_for_no_debounce() -> None:
    summary = controlled(Feed().list(pod("a")), debounce=60, clock=FakeClock()).run_once(quiet)
    assert summary.reconciled == 1


def test_run_once_reconciles_what_a_filter_keeps_from_the_stream() -> None:
    feed = Feed().list(*pods("a", "b"))
    stream = feed.reflected().filter(lambda obj: False)
    assert Controller.for_stream(stream, feed.reader).run_once(quiet).reconciled == 2


def test_run_once_reconciles_what_a_filter_keeps_from_a_stream_that_has_ended() -> None:
    stream, reader = finite(*pods("a", "b"))
    owned = Feed("owned")
    controller = Controller.for_stream(stream.filter(lambda obj: False), reader)
    controller.owns_stream(owned.reflected(), owned.reader)
    pulled: SimpleQueue[Summary] = SimpleQueue()
    thread = threading.Thread(target=lambda: pulled.put(controller.run_once(quiet)))
    thread.start()
    for pump in threading.enumerate():
        if pump.name.startswith("kubewatch objects pump"):
            pump.join(0.1)
    owned.list().end()
    assert pulled.get(timeout=PATIENCE).reconciled == 2
    thread.join(PATIENCE)


def test_run_once_counts_as_unfinished_what_was_not_finished() -> None:
    """Told to end while one runs and one waits: the first finishes."""
    feed, held, event = Feed().list(*pods("a", "b")), Held(), threading.Event()
    controller = controlled(feed, concurrency=1).graceful_shutdown_on(event)
    told: SimpleQueue[Summary] = SimpleQueue()
    thread = threading.Thread(target=lambda: told.put(controller.run_once(held)))
    thread.start()
    held.next_started()
    event.set()
    assert feed.closed.wait(PATIENCE)
    held.go(2)
    assert str(told.get(timeout=PATIENCE)) == "1 reconciled, 1 not finished"
    thread.join(PATIENCE)


def test_run_once_that_ends_before_it_knows_all_objects_is_no_success() -> None:
    event = threading.Event()
    event.set()
    summary = controlled(Feed().feed(Init())).graceful_shutdown_on(event).run_once(quiet)
    assert (str(summary), summary.exit_code) == ("0 reconciled, ended before all objects were known", 1)


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_run_once_tells_the_signal_that_cut_it_short(signum: int, exit_code: int) -> None:
    """As a shell would: 128 and the signal's number. What runs finishes, the rest is not begun."""

    def reconcile(obj: Object, context: Any) -> Action:
        os.kill(os.getpid(), signum)
        assert feed.closed.wait(PATIENCE)
        return Action.await_change()

    feed = Feed().list(*pods("a", "b"))
    summary = controlled(feed, concurrency=1).shutdown_on_signal().run_once(reconcile)
    assert (str(summary), summary.exit_code) == ("1 reconciled, 1 not finished", exit_code)


def test_a_signal_in_the_last_reconcile_cuts_nothing_short() -> None:
    def reconcile(obj: Object, context: Any) -> Action:
        os.kill(os.getpid(), signal.SIGTERM)
        return Action.await_change()

    summary = controlled(Feed().list(pod("a"))).shutdown_on_signal().run_once(reconcile)
    assert (str(summary), summary.exit_code) == ("1 reconciled", 0)


def test_run_once_tells_of_failures_and_does_not_retry_them() -> None:
    def reconcile(obj: Object, context: Any) -> Action:
        if obj.name == "bad":
            raise ValueError("no")
        return Action.await_change()

    feed = Feed().list(*pods("good", "bad"))
    controller = controlled(feed).reconcile_on([ObjectRef("Pod", "gone", "shop")])
    summary = controller.run_once(reconcile)
    assert (summary.reconciled, [failed.ref.name for failed in summary.failed], summary.exit_code) == (1, ["bad"], 1)


def test_run_once_of_nothing_is_a_success() -> None:
    assert str(controlled(Feed().list()).run_once(quiet)) == "0 reconciled"


def test_run_once_returns_after_its_timeout_whatever_runs() -> None:
    feed, held = Feed().list(*pods("a", "b", "c")), Held()
    summary = controlled(feed, concurrency=2).run_once(held, timeout=1.0)  # by then all are known
    assert (summary.timed_out, summary.exit_code) == (True, 1)
    assert summary.unfinished == 3
    held.go(9)
    for thread in threading.enumerate():
        if thread.name.startswith("kubewatch pods"):
            thread.join(PATIENCE)


def test_run_once_returns_after_its_timeout_when_no_list_comes() -> None:
    summary = controlled(Feed().feed(Init())).run_once(quiet, timeout=0.05)
    assert (summary.timed_out, summary.reconciled) == (True, 0)


def test_run_once_says_that_its_store_was_never_filled() -> None:
    summary = controlled(Feed().feed(Init()).end()).run_once(quiet)
    assert summary.exit_code == 1
    assert any(isinstance(error, RunnerError) for error in summary.errors)


def test_run_once_does_not_wait_for_a_right_that_is_missing() -> None:
    feed, forbidden = Feed().feed(Init()), ApiError(403, "Forbidden", "pods is forbidden")
    feed.vitals.failed(InitialListFailed("listing pods failed", forbidden))
    summary = controlled(feed).run_once(quiet)
    assert (summary.exit_code, summary.unlisted) == (1, True)
    (error,) = summary.errors
    assert isinstance(error, RunnerError)
    assert isinstance(error.error, InitialListFailed)


def test_run_once_waits_for_a_server_that_is_busy() -> None:
    feed = Feed()
    feed.vitals.failed(InitialListFailed("listing pods failed", ApiError(503, "ServiceUnavailable", "later")))
    summary = controlled(feed).run_once(quiet, timeout=0.2)
    assert (summary.timed_out, summary.errors) == (True, ())


def test_run_once_bears_errors_on_the_way() -> None:
    def mapper(obj: Object) -> None:
        raise ValueError("no")

    other = Feed("others").apply(pod("x")).end()
    stream, reader = finite(pod("a"))
    summary = Controller.for_stream(stream, reader).watches_stream(other.reflected(), mapper).run_once(quiet)
    assert (summary.reconciled, summary.exit_code) == (1, 0)
    assert all(isinstance(error, QueueError) for error in summary.errors)


@pytest.mark.parametrize("timeout", [-1, "5", float("nan")])
def test_a_timeout_that_cannot_be_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidInput, match="timeout"):
        controlled(Feed()).run_once(quiet, timeout=timeout)
