"""What runs when: one object at a time, as many as allowed, after the gate; and that nothing is lost on the way."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from kubewatch import ObjectRef, WriterDropped, store
from kubewatch.controller import (
    Action,
    Controller,
    ObjectNotFound,
    QueueError,
    Reconciled,
    ReconcilerFailed,
    RunEnded,
    RunEvent,
    RunnerError,
    RunStarted,
    worker,
)
from kubewatch.errors import WatchFailed
from kubewatch.events import Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.streams import ObjectStream
from kubewatch.testing import FakeClock
from tests.unit.stored import fill, node, pod
from tests.unit.streams.fakes import FakeTime

from .harness import PATIENCE, Feed, Held, Pulled, finite, names, pods, quiet, take


def controlled(feed: Feed, **config: Any) -> Controller[Object]:
    return Controller.for_stream(feed.reflected(), feed.reader).with_config(**config)


# One run of an object at a time


def test_an_object_never_runs_twice_at_once_and_a_change_meanwhile_causes_one_more_run() -> None:
    """Row 56: runner_should_never_run_two_instances_at_once: both run, one after the other. Pains 24, 26: a slow
    run holds up no watch, and the second run gets the object as it is by then, not the changes one by one."""
    feed, held = Feed().list(pod("a")), Held()
    pulled = Pulled(controlled(feed).run(held))
    assert held.next_started() == "a"
    for version in range(2, 9):
        feed.apply(pod("a", version=version))
    feed.settle()
    held.go(2)
    pulled.wait_for(2)
    feed.end()
    assert names(pulled.wait_for_end()) == ["a", "a"]
    assert held.seen == ["a@1", "a@8"]
    assert held.most_of_one == 1


def test_a_new_object_wakes_an_idle_controller() -> None:
    """Row 57: runner_should_wake_when_scheduling_messages."""
    feed, clock = Feed().list(), FakeClock()
    pulled = Pulled(controlled(feed, clock=clock).run(quiet))
    clock.wait_for_sleeper(None)
    feed.apply(pod("a"))
    assert names(pulled.wait_for(1)) == ["a"]
    feed.end()
    pulled.wait_for_end()


def test_nothing_runs_before_the_store_is_ready() -> None:
    """Row 58: runner_should_wait_for_readiness."""
    feed, held = Feed(), Held()
    controller = controlled(feed)
    pulled = Pulled(controller.run(held))
    feed.feed(Init(), InitApply(pod("a"))).settle()
    assert (controller.stats.depth, held.seen) == (1, [])
    feed.list(pod("a"))
    assert held.next_started() == "a"
    held.go()
    feed.end()
    assert names(pulled.wait_for_end()) == ["a"]


def test_what_comes_before_the_store_is_ready_runs_once() -> None:
    """Row 59: runner_should_dedupe_while_waiting_for_readiness: a, b, a."""
    feed = Feed().feed(Init(), *(InitApply(pod(name)) for name in "aba"))
    pulled = Pulled(controlled(feed).run(quiet))
    feed.settle()
    feed.list(*pods("a", "b")).end()
    assert sorted(names(pulled.wait_for_end())) == ["a", "b"]


def test_a_store_that_will_never_be_ready_ends_the_controller() -> None:
    """Row 60: runner_should_report_readiness_errors. Improvement 6: one error, no run, and the end."""
    feed = Feed().feed(Init(), InitApply(pod("a"))).end()
    (result,) = controlled(feed).run(_never)
    assert isinstance(result, RunnerError)
    assert isinstance(result.error, WriterDropped)


def _never(obj: Any, context: Any) -> Action:
    raise AssertionError("it was not to be called")


def test_no_more_objects_run_at_once_than_allowed() -> None:
    """Row 61: runner_should_respect_max_concurrent_executions: the third waits for the end of another, what ran may run
    again, and the end of the stream does not cut short what runs."""
    feed, held = Feed().list(*pods("a", "b", "c")), Held()
    controller = controlled(feed, concurrency=2)
    pulled = Pulled(controller.run(held))
    assert {held.next_started(), held.next_started()} == {"a", "b"}
    assert (controller.stats.running, controller.stats.depth + controller.stats.waiting) == (2, 1)
    held.go()
    assert held.next_started() == "c"
    feed.apply(pod("a", version=2)).end()
    held.go(3)
    assert sorted(names(pulled.wait_for_end())) == ["a", "a", "b", "c"]
    assert held.most == 2


def test_all_results_come_and_then_the_end() -> None:
    """Row 62: fhm_should_forward_all_values_and_shut_down."""
    results = Controller.for_stream(*finite(*pods(*map(str, range(100))))).run(quiet)
    assert sorted(names(results)) == sorted(map(str, range(100)))


def test_the_end_comes_with_the_last_trigger() -> None:
    """Row 63: fhm_should_stay_alive_until_all_sources_finish."""
    feed, other = Feed().list(pod("a")).end(), Feed()
    controller = controlled(feed).watches_stream(other.touched(), lambda obj: ObjectRef("Pod", "a", "shop"))
    pulled = Pulled(controller.run(quiet))
    pulled.wait_for(1)
    assert feed.closed.wait(PATIENCE)
    other.apply(pod("x"))
    pulled.wait_for(2)
    assert not pulled.ended.is_set()
    other.end()
    assert names(pulled.wait_for_end()) == ["a", "a"]


def test_requeues_without_end_do_not_block() -> None:
    """Row 64: applier_must_not_deadlock_if_reschedule_buffer_fills: 5000 objects that all want to come at once."""
    feed = Feed().list(*(pod(str(number)) for number in range(5000)))
    results = controlled(feed, concurrency=4).run(lambda obj, context: Action.requeue(0))
    counted = Counter(names(take(results, 15_000)))
    assert len(counted) == 5000
    assert set(counted.values()) <= {2, 3, 4}  # first come, first served, as far as four workers at once can tell
    results.close()


# Time


def test_a_requeue_comes_at_its_time() -> None:
    clock, feed, seen = FakeClock(), Feed().list(pod("a")), []

    def reconcile(obj: Object, context: Any) -> Action:
        seen.append(clock.now())
        return Action.requeue(60)

    results = controlled(feed, clock=clock).run(reconcile)
    for moment in (60, 120, 180):
        assert names(take(results, 1)) == ["a"]
        clock.wait_for_sleeper(moment)
        clock.advance(60)
    take(results, 1)
    feed.end()
    assert list(results) == []
    assert seen == [0, 60, 120, 180]


def test_a_change_before_a_requeue_takes_its_place() -> None:
    """Of two times the earlier one counts, and then both are done with."""
    clock, feed = FakeClock(), Feed().list(pod("a"))
    actions = iter([Action.requeue(60), Action.await_change()])
    controller = controlled(feed, clock=clock)
    results = controller.run(lambda obj, context: next(actions))
    take(results, 1)
    clock.advance(10)
    feed.apply(pod("a", version=2))
    take(results, 1)
    assert controller.stats.waiting == 0
    feed.end()
    assert list(results) == []


def test_debounce_waits_until_an_object_is_quiet() -> None:
    clock, feed, held = FakeClock(), Feed().list(pod("a")), Held()
    pulled = Pulled(controlled(feed, clock=clock, debounce=2).run(held))
    clock.wait_for_sleeper(2)
    clock.advance(1)
    feed.apply(pod("a", version=2)).settle()
    clock.advance(1)
    clock.wait_for_sleeper(3)
    assert held.seen == []
    clock.advance(1)
    held.next_started()
    held.go()
    feed.end()
    pulled.wait_for_end()
    assert held.seen == ["a@2"]


def test_debounced_objects_run_when_the_streams_end() -> None:
    """Improvement 15: a finite stream has all it brought reconciled, without waiting for quiet."""
    clock = FakeClock()
    results = Controller.for_stream(*finite(*pods("a", "b"))).with_config(debounce=60, clock=clock).run(quiet)
    assert sorted(names(results)) == ["a", "b"]


def test_a_finite_stream_is_reconciled_before_the_end() -> None:
    """Improvement 15: what was brought runs, what is planned for later does not."""
    results = Controller.for_stream(*finite(pod("a"))).run(lambda obj, context: Action.requeue(1))
    assert names(results) == ["a"]


# One name for one object


def test_a_cluster_scoped_object_that_many_name_runs_once_at_a_time() -> None:
    """Improvement 7: references from three namespaces, given before the object is known, are one object."""
    feed, held = Feed(), Held()
    refs = [ObjectRef("Node", "n1", namespace) for namespace in (None, "a", "b")]
    pulled = Pulled(controlled(feed).reconcile_on(refs).run(held))
    feed.feed(Init(), InitApply(node("n1"))).settle()
    feed.list(node("n1"))
    held.next_started()
    held.go(9)
    feed.end()
    results = pulled.wait_for_end()
    assert all(isinstance(result, Reconciled) and result.ref == ObjectRef("Node", "n1") for result in results)
    assert held.most_of_one == 1


# What is not there


def test_an_owner_that_is_gone_is_quiet_and_one_that_was_named_is_not() -> None:
    """An owner may well be deleted before its child; who names an object that does not exist is told."""
    reader, writer = store()
    fill(writer, pod("a"))
    gone = [{"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "1"}]
    child = pod("child", kind="ConfigMap", owners=gone)
    controller = (
        Controller.for_stream(ObjectStream[Object]([pod("deleted")]), reader)
        .owns_stream(ObjectStream([child]))
        .watches_stream(ObjectStream([child]), lambda obj: ObjectRef("Pod", "mapped", "shop"))
        .reconcile_on([ObjectRef("Pod", "given", "shop")])
    )
    results = list(controller.run(_never))
    assert {str(result.ref) for result in results if isinstance(result, ObjectNotFound)} == {
        "Pod.v1./mapped.shop",
        "Pod.v1./given.shop",
    }
    assert len(results) == 2
    assert controller.stats.gone == 4


def test_the_reconciler_gets_the_newest_object() -> None:
    """Pain 26: and not the one that an event brought."""
    reader, writer = store()
    fill(writer, pod("a", version=7))
    held = Held()
    held.go()
    list(Controller.for_stream(ObjectStream[Object]([pod("a", version=1)]), reader).run(held))
    assert held.seen == ["a@7"]


# Triggers


def test_what_a_later_list_brings_is_reconciled_as_it_is_in_that_list() -> None:
    """A store takes a list over at its end: a run that began before would see what was, and no other would follow."""
    feed, seen = Feed().list(pod("a")), list[str]()

    def reconcile(obj: Object, context: Any) -> Action:
        seen.append(f"{obj.name}@{obj.resource_version}")
        return Action.await_change()

    controller = controlled(feed)
    pulled = Pulled(controller.run(reconcile))
    pulled.wait_for(1)
    feed.feed(Init(), InitApply(pod("a", version=2)), InitApply(pod("new"))).settle()
    while controller.stats.depth or controller.stats.running:
        pass  # what may begin before the list is complete
    feed.feed(InitDone()).end()
    pulled.wait_for_end()
    assert seen[0] == "a@1"
    assert {"a@2", "new@1"} <= set(seen)


def test_a_trigger_that_fails_holds_up_no_other() -> None:
    """Improvement 5: its error is a result, and while it waits the others go on."""
    time = FakeTime()
    failing = ObjectStream[Object]([WatchFailed("reset")] * 3 + [pod("x")], stop=time, label="secrets")
    stream, reader = finite(pod("a"))
    controller = Controller.for_stream(stream, reader)
    controller.watches_stream(failing, lambda obj: ObjectRef("Pod", "a", "shop"))
    results = list(controller.run(quiet))
    errors = [result for result in results if isinstance(result, QueueError)]
    assert [str(error) for error in errors] == ["secrets: WatchFailed: reset"] * 3
    assert any(isinstance(result, Reconciled) for result in results)
    assert len(time.waits) == 3
    assert time.waits[0] < 2 <= time.waits[2]


def test_while_a_trigger_waits_the_others_go_on() -> None:
    """Improvement 5: the wait after an error is that trigger's alone."""
    feed, failing = Feed().list(), Feed("secrets").fail(WatchFailed("reset"))
    controller = controlled(feed).owns_stream(failing.touched())
    results = controller.run(quiet)
    assert isinstance(next(results), QueueError)
    feed.apply(pod("a"))
    assert names(take(results, 1)) == ["a"]
    feed.end()
    failing.stop.stop()
    assert list(results) == []


def test_a_stream_that_dies_is_a_result_and_the_others_go_on() -> None:
    """Improvement 10."""

    def dying() -> Any:
        yield pod("x")
        raise RuntimeError("a mistake")

    feed = Feed().list(pod("a"))
    pulled = Pulled(controlled(feed).owns_stream(ObjectStream(dying())).reconcile_on(_broken()).run(quiet))
    pulled.wait_for(3)
    feed.apply(pod("b"))
    pulled.wait_for(4)
    feed.end()
    assert sorted(names(pulled.wait_for_end())) == ["QueueError", "QueueError", "a", "b"]


def _broken() -> Any:
    raise SystemExit("as a library may do")
    yield


def test_all_objects_are_reconciled_when_told_to() -> None:
    feed, ticks = Feed().list(*pods("a", "b")), Feed("ticks")
    pulled = Pulled(controlled(feed).reconcile_all_on(ticks.plain()).run(quiet))
    pulled.wait_for(2)
    ticks.feed("now")
    assert sorted(names(pulled.wait_for(4))) == ["a", "a", "b", "b"]
    feed.end()
    ticks.end()
    pulled.wait_for_end()


def test_no_run_begins_before_the_stores_of_owned_and_watched_kinds_are_ready() -> None:
    feed, owned, watched = Feed().list(pod("a")), Feed("owned"), Feed("watched")
    controller = controlled(feed).owns_stream(owned.reflected(), owned.reader)
    controller.watches_stream(watched.reflected(), lambda obj: None, watched.reader)
    held = Held()
    pulled = Pulled(controller.run(held))
    feed.settle()
    owned.list().settle()
    assert (held.seen, controller.stats.depth) == ([], 1)
    watched.list()
    held.next_started()
    held.go()
    for each in (feed, owned, watched):
        each.end()
    pulled.wait_for_end()


# Whatever the user's code raises


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_nothing_that_reconcile_raises_kills_the_controller(error: BaseException) -> None:
    """Improvement 10: it is a result, and its object comes again."""
    feed, clock = Feed().list(*pods("bad", "good")), FakeClock(flowing=True)
    tries: list[int] = []

    def reconcile(obj: Object, context: Any) -> Action:
        if obj.name == "bad":
            tries.append(1)
            if len(tries) < 3:
                raise error
        return Action.await_change()

    results = controlled(feed, clock=clock).run(reconcile)
    got = take(results, 4)
    failed = [result for result in got if isinstance(result, ReconcilerFailed)]
    assert [(result.ref.name, result.error) for result in failed] == [("bad", error)] * 2
    feed.end()
    assert list(results) == []


def test_the_error_policy_says_when_a_failed_object_comes_again() -> None:
    clock, feed = FakeClock(), Feed().list(pod("a"))
    asked: list[Any] = []
    error = ValueError("no")

    def reconcile(obj: Object, context: str) -> Action:
        if not asked:
            raise error
        return Action.await_change()

    def policy(obj: Object, error: Exception, context: str) -> Action:
        asked.append((obj.name, error, context))
        return Action.requeue(7)

    results = controlled(feed, clock=clock).run(reconcile, policy, "context")
    assert isinstance(next(results), ReconcilerFailed)
    assert asked == [("a", error, "context")]
    clock.wait_for_sleeper(7)
    clock.advance(7)
    assert isinstance(next(results), Reconciled)
    feed.end()
    assert list(results) == []


def test_an_error_policy_that_fails_is_replaced_by_the_default() -> None:
    """Improvement 10: both errors are told, and the object comes again."""
    feed, clock = Feed().list(pod("a")), FakeClock(flowing=True)
    first, second = ValueError("first"), KeyError("second")
    tries = iter([first])

    def reconcile(obj: Object, context: Any) -> Action:
        for error in tries:
            raise error
        return Action.await_change()

    def policy(obj: Object, error: Exception, context: Any) -> Action:
        raise second

    results = controlled(feed, clock=clock).run(reconcile, policy)
    failed, reconciled = take(results, 2)
    assert isinstance(failed, ReconcilerFailed)
    assert (failed.error, failed.policy_error, failed.__cause__) == (first, second, second)
    assert second.__context__ is first
    assert isinstance(reconciled, Reconciled)
    feed.end()
    assert list(results) == []


@pytest.mark.parametrize("answer", [None, 5, "requeue"])
def test_an_answer_that_is_no_action_is_a_failure_that_says_so(answer: Any) -> None:
    results = Controller.for_stream(*finite(pod("a"))).run(lambda obj, context: answer)
    (failed,) = results
    assert isinstance(failed, ReconcilerFailed)
    assert isinstance(failed.error, TypeError)
    assert "Action.await_change()" in str(failed.error)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit()])
def test_a_mapper_that_raises_is_a_result_and_its_stream_goes_on(error: BaseException) -> None:
    """Improvement 10."""

    def mapper(obj: Object) -> ObjectRef:
        if obj.name == "bad":
            raise error
        return ObjectRef("Pod", "a", "shop")

    reader, writer = store()
    fill(writer, pod("a"))
    controller = Controller.for_stream(ObjectStream[Object]([]), reader)
    controller.watches_stream(ObjectStream(pods("bad", "good"), label="others"), mapper)
    queue_error, reconciled = sorted(controller.run(quiet), key=lambda result: type(result).__name__)
    assert isinstance(queue_error, QueueError)
    assert queue_error.error is error
    assert str(queue_error).startswith("others: ")
    assert isinstance(reconciled, Reconciled)


def test_a_predicate_that_raises_is_a_result_and_its_stream_goes_on() -> None:
    """Improvement 10."""
    reader, writer = store()
    fill(writer, *pods("bad", "good"))

    def predicate(obj: Object) -> str:
        return {"good": "x"}[obj.name]

    stream = ObjectStream(pods("bad", "good")).predicate_filter(predicate)
    results = list(Controller.for_stream(stream, reader).run(quiet))
    assert sorted(names(results)) == ["QueueError", "good"]


def test_a_hook_that_raises_is_a_result_and_the_run_goes_on() -> None:
    """Improvement 10."""

    def hook(event: Any) -> None:
        raise ValueError("no")

    results = list(Controller.for_stream(*finite(pod("a"))).with_config(on_event=hook).run(quiet))
    assert sorted(names(results)) == ["QueueError", "QueueError", "a"]


def test_a_succeeded_that_raises_is_a_result_and_the_run_goes_on() -> None:
    """Improvement 10."""

    class Policy:
        def __call__(self, obj: Any, error: Exception, context: Any) -> Action:
            return Action.await_change()

        def succeeded(self, obj: Any) -> None:
            raise ValueError("no")

    results = list(Controller.for_stream(*finite(pod("a"))).run(quiet, Policy()))
    assert sorted(names(results)) == ["QueueError", "a"]


# Telemetry


def test_each_run_is_told_with_its_reason_attempt_and_duration() -> None:
    clock, feed = FakeClock(), Feed().list(pod("a"))
    events: list[RunEvent] = []
    tries = iter([5.0, 3.0])

    def reconcile(obj: Object, context: Any) -> Action:
        clock.advance(2)
        for seconds in tries:
            raise ValueError(seconds)
        return Action.await_change()

    def policy(obj: Object, error: Exception, context: Any) -> Action:
        return Action.requeue(error.args[0])

    controller = controlled(feed, clock=clock, on_event=events.append)
    results = controller.run(reconcile, policy)
    for seconds in (5.0, 3.0):
        next(results)
        clock.advance(seconds + 1)
    next(results)
    feed.end()
    assert list(results) == []
    ref = pod("a").ref
    told = [(event.ref, str(event.reason), event.attempt) for event in events if isinstance(event, RunStarted)]
    retry = "error policy requested retry"
    assert told == [(ref, "object updated", 1), (ref, retry, 2), (ref, retry, 3)]
    assert [event.waited for event in events if isinstance(event, RunStarted)] == [0, 1, 1]
    ended = [event for event in events if isinstance(event, RunEnded)]
    assert [event.duration for event in ended] == [2, 2, 2]
    assert [event.action.requeue_after for event in ended] == [5, 3, None]
    assert [event.error is None for event in ended] == [False, False, True]
    stats = controller.stats
    assert (stats.runs, stats.failures, stats.retries, stats.running, stats.depth) == (3, 2, 2, 0, 0)


def test_how_often_objects_failed_is_remembered_of_the_last_ones_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that fail and are then deleted, under ever new names, take no memory for ever."""
    monkeypatch.setattr(worker, "REMEMBERED", 10)
    feed = Feed().list(*pods(*map(str, range(50))))
    controller = controlled(feed)
    results = controller.run(_never, lambda obj, error, context: Action.await_change())
    assert len(take(results, 50)) == 50
    assert controller._plan.runner is not None
    assert len(controller._plan.runner._worker._failed) == 10
    feed.end()
    assert list(results) == []


def test_depth_age_and_running_can_be_read_at_any_time() -> None:
    clock, feed, held = FakeClock(), Feed().list(*pods("a", "b", "c")), Held()
    controller = controlled(feed, clock=clock, concurrency=1)
    assert controller.stats.runs == 0
    pulled = Pulled(controller.run(held))
    held.next_started()
    clock.advance(5)
    stats = controller.stats
    assert (stats.running, stats.depth, stats.oldest_age) == (1, 2, 5)
    held.go(3)
    feed.end()
    pulled.wait_for_end()
    assert (controller.stats.running, controller.stats.depth, controller.stats.runs) == (0, 0, 3)


def test_who_does_not_pull_stops_the_work() -> None:
    """Nothing runs before the first pull, and no more than fits the buffer while nobody pulls."""
    feed, started = Feed().list(*(pod(str(number)) for number in range(500))), threading.Semaphore(0)

    def tell(event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            started.release()

    before = set(threading.enumerate())
    controller = controlled(feed, on_event=tell)
    results = controller.run(quiet)
    assert set(threading.enumerate()) <= before
    assert controller.stats.runs == 0
    next(results)
    for _ in range(101):
        assert started.acquire(timeout=PATIENCE)
    stats = controller.stats
    assert stats.runs + stats.running == 101
    assert stats.unread + stats.running == 100
    assert len(take(results, 499)) == 499
    feed.end()
    assert list(results) == []


def test_errors_that_nobody_reads_hold_up_their_trigger_and_lose_nothing() -> None:
    def mapper(obj: Object) -> None:
        raise ValueError(obj.name)

    stream, reader = finite()
    many = ObjectStream[Object]([pod(str(number)) for number in range(1000)])
    results = Controller.for_stream(stream, reader).watches_stream(many, mapper).run(quiet)
    told = [str(result.error) for result in results if isinstance(result, QueueError)]
    assert told == [str(number) for number in range(1000)]
