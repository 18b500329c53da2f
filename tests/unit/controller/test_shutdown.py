"""How a controller ends: what runs finishes and is told, nothing more begins, and no thread is left behind.

That none is left is what the fixture of this folder looks at after each of these tests.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from kubewatch import ObjectRef, StaleAfterFork, StreamUsed, store
from kubewatch.controller import Action, Controller, Reconciled, ReconcilerFailed, queue, runner
from kubewatch.errors import InvalidInput
from kubewatch.events import Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.streams import EventStream, ObjectStream
from kubewatch.testing import FakeClock
from tests.unit.stored import fill, in_child, node, pod
from tests.unit.stub_source import StubSource, added, page
from tests.unit.stub_source import pod as stub_pod

from .harness import PATIENCE, Feed, Held, Pulled, finite, names, pods, quiet


def controlled(feed: Feed, **config: Any) -> Controller[Object]:
    return Controller.for_stream(feed.reflected(), feed.reader).with_config(**config)


def left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kubewatch pods")]


def wait_for_threads(feed: Feed) -> None:
    """Wait until the controller's threads have ended, without pulling it."""
    for thread in threading.enumerate():
        if thread.name.startswith("kubewatch pods"):
            thread.join(PATIENCE)
    assert not left()


def test_a_graceful_shutdown_lets_what_runs_finish_and_tells_it() -> None:
    feed, held, event = Feed().list(*pods("a", "b", "c")), Held(Action.requeue(0)), threading.Event()
    pulled = Pulled(controlled(feed, concurrency=2).graceful_shutdown_on(event).run(held))
    assert {held.next_started(), held.next_started()} == {"a", "b"}
    event.set()
    assert feed.closed.wait(PATIENCE)
    assert not pulled.ended.is_set()
    held.go(2)
    assert sorted(names(pulled.wait_for_end())) == ["a", "b"]


def test_a_graceful_shutdown_ends_a_controller_whose_store_is_not_ready() -> None:
    """Improvement 6: no run has begun, none will."""
    feed, event = Feed().feed(Init(), InitApply(pod("a"))), threading.Event()
    pulled = Pulled(controlled(feed).graceful_shutdown_on(event).run(quiet))
    feed.settle()
    event.set()
    assert pulled.wait_for_end() == []


def test_several_events_add_up() -> None:
    feed, events = Feed().list(), [threading.Event() for _ in range(3)]
    controller = controlled(feed)
    for event in events:
        controller.graceful_shutdown_on(event)
    pulled = Pulled(controller.run(quiet))
    events[2].set()
    assert pulled.wait_for_end() == []


def test_an_event_that_is_set_before_the_start_ends_it_at_once() -> None:
    event = threading.Event()
    event.set()
    assert list(controlled(Feed().list(pod("a"))).graceful_shutdown_on(event).run(quiet)) == []


def test_requeues_are_forgotten_at_the_end() -> None:
    feed, event, clock = Feed().list(pod("a")), threading.Event(), FakeClock()
    controller = controlled(feed, clock=clock).graceful_shutdown_on(event)
    results = controller.run(lambda obj, context: Action.requeue(60))
    next(results)
    event.set()
    assert list(results) == []
    assert controller.stats.waiting == 0


def test_leaving_the_loop_ends_the_controller() -> None:
    feed = Feed().list(*pods("a", "b"))
    for _ in controlled(feed).run(quiet):
        break
    assert not left()
    assert feed.closed.is_set()


def test_an_exception_in_the_loop_ends_the_controller() -> None:
    feed = Feed().list(*pods("a", "b"))
    results = controlled(feed).run(quiet)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        for _ in results:
            raise ZeroDivisionError
    results.close()
    assert not left()


def test_leaving_the_loop_waits_for_what_runs() -> None:
    feed, running, go, ended = Feed().list(*pods("a", "b")), threading.Event(), threading.Event(), []

    def reconcile(obj: Object, context: Any) -> Action:
        if obj.name == "b":
            running.set()
            assert go.wait(PATIENCE)
            ended.append(obj.name)
        return Action.await_change()

    results = controlled(feed).run(reconcile)
    assert names([next(results)]) == ["a"]
    assert running.wait(PATIENCE)
    threading.Timer(0.05, go.set).start()
    results.close()
    assert ended == ["b"]
    assert not left()


def test_dropping_the_results_ends_the_controller() -> None:
    feed = Feed().list(pod("a"))
    results = controlled(feed).run(quiet)
    next(results)
    del results
    gc.collect()
    assert not left()


def test_results_that_were_never_pulled_leave_nothing_behind() -> None:
    feed = Feed().list(pod("a"))
    results = controlled(feed).run(quiet)
    results.close()
    assert not left()
    del results


def test_all_threads_end_though_nobody_pulls() -> None:
    """Whoever holds the results and does not look: at a shutdown everything ends all the same."""
    feed, event = Feed().list(*pods(*map(str, range(500)))), threading.Event()
    results = controlled(feed).graceful_shutdown_on(event).run(quiet)
    next(results)
    event.set()
    wait_for_threads(feed)
    rest = list(results)
    assert all(isinstance(result, Reconciled) for result in rest)
    assert len(rest) <= 101


def test_all_threads_end_though_errors_wait_to_be_pulled() -> None:
    feed, event, refs = Feed().list(pod("a")), threading.Event(), [cast(Any, "a")] * 1000
    controller = controlled(feed).reconcile_on(ObjectStream(refs)).graceful_shutdown_on(event)
    results = controller.run(quiet)
    next(results)
    event.set()
    wait_for_threads(feed)
    results.close()


def test_a_reconciler_may_end_its_own_controller() -> None:
    feed, event = Feed().list(pod("a")), threading.Event()

    def reconcile(obj: Object, context: Any) -> Action:
        event.set()
        return Action.requeue(0)

    results = list(controlled(feed).graceful_shutdown_on(event).run(reconcile))
    assert set(names(results)) == {"a"}


def test_it_ends_with_the_last_run_and_waits_for_no_time_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 100 ms of the last reconcile: with every wait of the controller's an hour long, it ends all the same."""
    for module, name in ((runner, "LOOK"), (runner, "GRACE"), (runner, "LONG"), (queue, "LONG"), (queue, "SIGNALLED")):
        monkeypatch.setattr(module, name, 3600.0)
    feed, owned, held = Feed().list(pod("a")), Feed("owned"), Held()
    running = controlled(feed, clock=FakeClock()).owns_stream(owned.touched()).start(held)
    held.next_started()
    assert not running.stop(timeout=0)
    assert feed.closed.wait(PATIENCE)
    assert owned.closed.wait(PATIENCE)
    held.go()
    assert running.join(PATIENCE)
    assert not left()


def test_who_is_forced_to_end_waits_for_all_that_runs_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for one after the other."""
    monkeypatch.setattr(runner, "GRACE", 0.5)
    feed, held = Feed().list(*pods(*map(str, range(100)))), Held()
    controller = controlled(feed, concurrency=100)
    began: list[float] = []

    def stop() -> None:
        for _ in range(100):
            held.next_started()
        began.append(time.monotonic())
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            assert feed.closed.wait(PATIENCE)

    sender = threading.Thread(target=stop)
    sender.start()
    assert list(controller.shutdown_on_signal().run(held)) == []
    assert time.monotonic() - began[0] < 20
    sender.join(PATIENCE)
    held.go(100)
    wait_for_threads(feed)


def test_what_cannot_be_stopped_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """An iterable that blocks for ever holds up nobody but its own thread."""
    feed, go = Feed().list(pod("a")), threading.Event()

    def blocking() -> Any:
        assert go.wait(PATIENCE)
        yield ObjectRef("Pod", "a", "shop")

    controller = controlled(feed).reconcile_on(blocking())
    for _ in controller.run(quiet):
        break
    assert [name.rpartition(": ")[2] for name in left()] == ["reconcile_on"]
    assert "is still busy" in caplog.text
    go.set()
    wait_for_threads(feed)


def test_a_failure_of_the_last_run_is_not_lost() -> None:
    feed, event = Feed().list(pod("a")), threading.Event()

    def reconcile(obj: Object, context: Any) -> Action:
        event.set()
        raise ValueError("no")

    (result,) = controlled(feed, clock=FakeClock()).graceful_shutdown_on(event).run(reconcile)
    assert isinstance(result, ReconcilerFailed)


# Signals


def test_the_first_signal_is_graceful_and_the_second_does_not_wait() -> None:
    feed, held = Feed().list(pod("a")), Held()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def send() -> None:
        held.next_started()
        os.kill(os.getpid(), signal.SIGTERM)
        assert feed.closed.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    assert list(controlled(feed).shutdown_on_signal().run(held)) == []
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    sender.join(PATIENCE)
    held.go()
    wait_for_threads(feed)


def test_one_signal_lets_what_runs_finish() -> None:
    feed = Feed().list(pod("a"))

    def reconcile(obj: Object, context: Any) -> Action:
        os.kill(os.getpid(), signal.SIGTERM)
        assert feed.closed.wait(PATIENCE)
        return Action.requeue(0)

    assert names(controlled(feed).shutdown_on_signal().run(reconcile)) == ["a"]


def test_signals_are_for_the_main_thread() -> None:
    raised: list[BaseException] = []
    results = controlled(Feed().list()).shutdown_on_signal().run(quiet)

    def pull() -> None:
        try:
            next(results)
        except InvalidInput as error:
            raised.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    thread.join(PATIENCE)
    assert "graceful_shutdown_on" in str(raised[0])
    with pytest.raises(InvalidInput, match="stop"):
        controlled(Feed()).shutdown_on_signal().start(quiet)


# Forks


def script() -> StubSource[Object]:
    return StubSource([page(stub_pod("a", 1), version=5)], [[added("b", 6)]])


def test_a_controller_that_was_built_before_a_fork_runs_after_it() -> None:
    controller = Controller(script())
    reader = controller.store()

    def child() -> list[str]:
        seen: list[str] = []
        for result in controller.run(quiet):
            if isinstance(result, Reconciled):
                seen.append(result.ref.name)
                if len(seen) == 2:
                    break
        return [*sorted(seen), *sorted(obj.name for obj in reader), *left()]

    assert in_child(child) == ["a", "b", "a", "b"]


def test_a_controller_that_runs_in_the_parent_refuses_to_in_the_child() -> None:
    feed = Feed().list(pod("a"))
    results = controlled(feed).run(quiet)
    next(results)
    assert isinstance(in_child(lambda: next(results)), StaleAfterFork)
    feed.end()
    assert list(results) == []


def test_the_numbers_of_the_parents_controller_are_refused_in_the_child() -> None:
    """Whoever holds their lock at the fork holds it for ever in the child."""
    feed = Feed().list(pod("a"))
    controller = controlled(feed)
    results = controller.run(quiet)
    assert in_child(lambda: controller.stats).runs == 0
    next(results)
    assert controller._plan.runner is not None
    with controller._plan.runner.queue._lock:
        assert isinstance(in_child(lambda: controller.stats), StaleAfterFork)
    feed.end()
    list(results)


def test_a_controller_of_a_stream_that_was_built_before_a_fork_runs_after_it() -> None:
    """Pain 21: an application that is loaded before its workers are forked; what was never pulled is nobody's."""
    reader, writer = store()
    stream = EventStream[Object](_listed("a")).reflect(writer).default_backoff().applied_objects()
    controller = Controller.for_stream(stream, reader)

    def child() -> list[str]:
        return names(controller.run(quiet))

    assert [in_child(child) for _ in range(2)] == [["a"], ["a"]]
    assert child() == ["a"]


def _listed(*found: str) -> Iterator[Any]:
    yield from [Init(), *map(InitApply, pods(*found)), InitDone()]


def test_a_child_that_drops_a_controller_leaves_the_parents_alone() -> None:
    feed = Feed().list(*pods("a"))
    results = controlled(feed).run(quiet)
    next(results)
    assert in_child(results.close) is None
    feed.apply(pod("b"))
    assert names([next(results)]) == ["b"]
    feed.end()
    assert list(results) == []


def test_a_store_of_the_parents_is_refused_in_the_child() -> None:
    reader, writer = store()
    fill(writer, pod("a"))
    controller = Controller.for_stream(ObjectStream[Object]([]), reader)
    assert isinstance(in_child(lambda: next(controller.run(quiet))), StaleAfterFork)


def test_a_store_whose_stream_the_parent_pulls_is_refused_in_the_child_though_nothing_came_yet() -> None:
    """Nobody would fill it there, and whoever waits for it would wait for ever."""
    reader, writer = store()
    pulled, go = threading.Event(), threading.Event()

    def silent() -> Iterator[Any]:
        pulled.set()
        assert go.wait(PATIENCE)
        yield from ()

    stream = EventStream[Object](silent()).reflect(writer).applied_objects()
    thread = threading.Thread(target=list, args=(stream,))
    thread.start()
    assert pulled.wait(PATIENCE)
    assert isinstance(in_child(lambda: reader.wait_until_ready(PATIENCE)), StaleAfterFork)
    go.set()
    thread.join(PATIENCE)


# Once only


def test_a_controller_runs_once() -> None:
    controller = Controller.for_stream(*finite(pod("a")))
    list(controller.run(quiet))
    for again in (
        lambda: controller.run(quiet),
        lambda: controller.with_config(debounce=1),
        controller.shutdown_on_signal,
    ):
        with pytest.raises(StreamUsed, match="build a new one"):
            again()


def test_a_cluster_scoped_object_waits_for_no_namespace() -> None:
    assert names(Controller.for_stream(*finite(node("n1"))).run(quiet)) == ["n1"]
