"""`live`: a store with a thread of its own; against a scripted server."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from kubewatch import Api, Event, InvalidInput, LiveStore, Object, UnknownKind, WriterDropped, live
from kubewatch.errors import AuthError, Unreachable
from kubewatch.events import Apply, Delete, InitDone
from tests.unit.stored import in_child, names
from tests.unit.stub_source import Do, StubSource, added, deleted, page, pod

# Seconds after which a test gives up.
PATIENCE = 10.0

Pods = LiveStore[Object]


@pytest.fixture
def follow() -> Iterator[Callable[..., Pods]]:
    """Makes LiveStores that are stopped when the test ends."""
    made: list[Pods] = []

    def make(source: StubSource[Object] | str, **options: Any) -> Pods:
        made.append(live(source, **options))
        return made[-1]

    yield make
    for one in made:
        assert one.stop(PATIENCE)


def web() -> StubSource[Object]:
    """A server with one pod, that is listed as often as a store is started."""
    return StubSource([page(pod("web-0", 1), version=1) for _ in range(3)])


def threads_of(store: Pods) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"kubewatch live {store.label}"]


class TestStarting:
    def test_building_makes_no_request_and_starts_no_thread(self, follow: Callable[..., Pods]) -> None:
        before, source = threading.active_count(), web()
        pods = follow(source)
        assert (source.requests, threading.active_count(), pods.running) == ([], before, False)
        assert pods.freshness == "not ready, never heard"

    def test_start_fills_the_store_on_a_named_daemon_thread(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web()).start()
        assert pods.wait_until_ready(PATIENCE)
        assert names(pods) == ["web-0"]
        (thread,) = threads_of(pods)
        assert (pods.label, thread.name, thread.daemon) == ("Pod in default", "kubewatch live Pod in default", True)
        assert pods.running

    def test_starting_twice_starts_one_thread(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        assert pods.start() is pods
        pods.start()
        assert len(threads_of(pods)) == 1

    def test_after_start_a_read_never_waits(self, follow: Callable[..., Pods]) -> None:
        source: StubSource[Object] = StubSource([Unreachable("down")])
        pods = follow(source).start()
        assert pods.state() == []

    def test_a_start_may_leave_it_to_reads_to_wait(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web()).start(awaited=True)
        assert pods.running
        assert names(pods) == ["web-0"]

    def test_the_first_read_of_one_that_nobody_started_starts_it_and_waits(self, follow: Callable[..., Pods]) -> None:
        assert follow(web()).get("web-0", "default") is not None
        assert len(follow(web())) == 1
        assert names(follow(web())) == ["web-0"]
        assert follow(web()).select("app=web") == []
        assert names(follow(web()).index("namespace", "default")) == ["web-0"]
        assert follow(web()).wait_until_ready(PATIENCE)

    def test_a_read_that_waits_in_vain_says_why(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([Unreachable("nobody there")] * 9), default_timeout=0.3)
        for _ in range(2):
            with pytest.raises(TimeoutError, match=r"not ready after 0\.3 s: its stream fails: .*nobody there"):
                pods.state()

    def test_truth_is_no_read(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        assert pods
        assert not pods.running

    def test_wrong_calls_are_refused_when_it_is_built(self) -> None:
        api = Api("pods", namespace="shop")
        with pytest.raises(InvalidInput, match="needs an Api"):
            live(42)  # type: ignore[call-overload]  # what is refused
        with pytest.raises(InvalidInput, match="modify needs a function"):
            live(api, modify="metadata")  # type: ignore[call-overload]  # what is refused
        with pytest.raises(InvalidInput, match="has a client already"):
            live(api, client=api.client)
        with pytest.raises(InvalidInput, match="index 'node' must be a function"):
            live(api, indexes={"node": "spec.nodeName"})  # type: ignore[dict-item]  # what is refused
        with pytest.raises(InvalidInput, match="default_timeout is a number of seconds"):
            live(api, default_timeout=-1)

    def test_what_is_followed_may_be_named_in_several_ways(self) -> None:
        assert live("pods", "shop").label == "pods in shop"
        assert live("pods").label == "pods"
        assert live(Api("v1", "Pod", namespace="shop")).label == "Pod in shop"
        assert live(Api("v1", "Pod", namespace="shop"), "till").label == "Pod in till"


class TestStopping:
    def test_stop_joins_the_thread_and_what_was_seen_can_be_read_on(self, follow: Callable[..., Pods]) -> None:
        source = web()
        pods = follow(source)
        assert names(pods) == ["web-0"]
        began = time.monotonic()
        assert pods.stop()
        assert time.monotonic() - began < PATIENCE / 2
        assert (pods.running, threads_of(pods), source.open_bodies, source.closed) == (False, [], 0, 1)
        assert pods.closed
        assert names(pods) == ["web-0"]
        assert pods.stop()

    def test_stopping_what_never_started_does_nothing(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        assert pods.stop()
        assert names(pods) == ["web-0"]

    def test_with_starts_and_stops(self, follow: Callable[..., Pods]) -> None:
        with follow(web()) as pods:
            assert pods.running
        assert not pods.running

    def test_it_can_be_started_again_and_lists_anew(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([page(pod("web-0", 1), version=1), page(pod("web-1", 2), version=2)]))
        for name in ("web-0", "web-1"):
            assert pods.start().wait_until_ready(PATIENCE)
            assert names(pods) == [name]
            assert pods.stop()

    def test_who_waits_for_the_first_list_hears_of_the_stop(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([Unreachable("down")] * 9)).start()
        stopper = threading.Thread(target=pods.stop)
        stopper.start()
        with pytest.raises(WriterDropped):
            pods.wait_until_ready(PATIENCE)
        stopper.join(PATIENCE)

    def test_any_number_of_threads_may_start_and_stop_it(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([page(version=1)] * 1000))

        def toggle() -> None:
            for _ in range(20):
                pods.start()
                pods.stop()

        togglers = [threading.Thread(target=toggle) for _ in range(4)]
        for thread in togglers:
            thread.start()
        for thread in togglers:
            thread.join(PATIENCE)
        assert pods.stop(PATIENCE)
        assert threads_of(pods) == []

    def test_a_listener_may_stop_it(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        answers: SimpleQueue[bool] = SimpleQueue()
        pods.on_change(lambda event: answers.put(pods.stop()))
        pods.start()
        assert answers.get(timeout=PATIENCE) is False
        assert pods.stop(PATIENCE)

    def test_listeners_may_stop_each_others_stores(self, follow: Callable[..., Pods]) -> None:
        one, other = follow(web()), follow(web())
        both = threading.Barrier(2)
        answers: SimpleQueue[bool] = SimpleQueue()

        def stops(store: Pods) -> Callable[[object], None]:
            def listener(event: object) -> None:
                if isinstance(event, InitDone):
                    both.wait(PATIENCE)
                    answers.put(store.stop())

            return listener

        one.on_change(stops(other))
        other.on_change(stops(one))
        one.start()
        other.start()
        answers.get(timeout=PATIENCE)
        answers.get(timeout=PATIENCE)
        assert one.stop(PATIENCE)
        assert other.stop(PATIENCE)

    def test_dropping_it_ends_its_thread(self) -> None:
        pods = live(web(), namespace=None).start()
        pods.wait_until_ready(PATIENCE)
        (thread,) = threads_of(pods)
        del pods
        gc.collect()
        thread.join(PATIENCE)
        assert not thread.is_alive()


class TestFailing:
    def test_what_ends_the_thread_is_raised_by_every_read(
        self, follow: Callable[..., Pods], caplog: pytest.LogCaptureFixture
    ) -> None:
        pods = follow(StubSource([UnknownKind("podz", ("pods",))]))
        for read in (pods.state, pods.keys, lambda: pods.get("a"), lambda: len(pods), pods.wait_until_ready):
            with pytest.raises(UnknownKind, match="Did you mean pods"):
                read()
        assert isinstance(pods.failure, UnknownKind)
        assert pods.freshness.endswith(", ended by UnknownKind")
        assert not pods.is_live(60.0)
        assert not pods.running
        assert "the store ends: UnknownKind" in caplog.text

    def test_start_tries_again(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([UnknownKind("pods"), page(pod("web-0", 1), version=1)]))
        with pytest.raises(UnknownKind):
            pods.state()
        assert pods.start().wait_until_ready(PATIENCE)
        assert pods.failure is None
        assert names(pods) == ["web-0"]

    def test_what_ended_it_after_its_first_list_is_raised_by_waiting_too(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([page(version=1)], [UnknownKind("pods")]))
        run = pods.start()._run
        assert run is not None
        run.thread.join(PATIENCE)
        with pytest.raises(UnknownKind):
            pods.wait_until_ready(PATIENCE)

    def test_what_has_failed_is_let_go_when_it_is_started_again(self, follow: Callable[..., Pods]) -> None:
        pods = follow(StubSource([UnknownKind("pods")]))
        run = pods.start()._run
        assert run is not None
        run.thread.join(PATIENCE)
        failed = weakref.ref(run)
        del run
        pods.start()
        gc.collect()
        assert failed() is None

    def test_that_there_is_no_cluster_is_told_at_once(
        self, follow: Callable[..., Pods], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        monkeypatch.setenv("KUBECONFIG", "/nonexistent/config")
        pods = follow("pods", default_timeout=threading.TIMEOUT_MAX)
        for read in (pods.state, lambda: pods.get("web-0"), pods.wait_until_ready):
            with pytest.raises(AuthError, match="/nonexistent/config, which does not exist"):
                read()

    def test_a_store_without_credentials_tries_on_as_they_may_come(self, follow: Callable[..., Pods]) -> None:
        filled = threading.Event()
        pods = follow(StubSource([AuthError("log in"), page(pod("web-0", 1), version=1)]))
        pods.on_change(lambda event: filled.set() if isinstance(event, InitDone) else None)
        with pytest.raises(AuthError, match="log in"):
            pods.state()
        assert filled.wait(PATIENCE)
        assert names(pods) == ["web-0"]

    def test_dropping_one_ends_its_thread_also_where_a_read_raised_that_there_are_no_credentials(self) -> None:
        pods = live(StubSource[Object]([AuthError("log in")]))
        with pytest.raises(AuthError):
            pods.state()
        (thread,) = threads_of(pods)
        del pods
        gc.collect()
        thread.join(PATIENCE)
        assert not thread.is_alive()

    def test_modify_that_fails_costs_its_object_and_no_more(
        self, follow: Callable[..., Pods], caplog: pytest.LogCaptureFixture
    ) -> None:
        def modify(draft: Any) -> None:
            if draft.metadata.name == "bad":
                raise ValueError("bad")

        pods = follow(StubSource([page(pod("bad", 1), pod("web-0", 1), version=1)]), modify=modify)
        assert names(pods) == ["web-0"]
        assert pods.dropped == 1
        assert pods.running
        assert "left out" in caplog.text


class TestListeners:
    def test_a_listener_is_told_of_each_event_after_it_is_in_the_store(self, follow: Callable[..., Pods]) -> None:
        heard: SimpleQueue[tuple[str, list[str]]] = SimpleQueue()
        pods = follow(StubSource([page(pod("web-0", 1), version=1)], [[added("web-1", 2), deleted("web-0", 3)]]))
        pods.on_change(lambda event: heard.put((str(event), names(pods))))
        pods.start()
        assert [heard.get(timeout=PATIENCE) for _ in range(5)] == [
            ("Init", []),
            ("InitApply(web-0)", []),
            ("InitDone", ["web-0"]),
            ("Apply(web-1)", ["web-0", "web-1"]),
            ("Delete(web-0)", ["web-1"]),
        ]

    def test_a_listener_that_fails_is_counted_and_the_others_are_told(
        self, follow: Callable[..., Pods], caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(event: Event[Object]) -> None:
            raise ValueError("a secret")

        heard: SimpleQueue[Event[Object]] = SimpleQueue()
        pods = follow(web())
        pods.on_change(fail)
        pods.on_change(heard.put)
        pods.start()
        for _ in range(3):
            heard.get(timeout=PATIENCE)
        assert pods.listener_failures == 3
        assert "a listener: ValueError at" in caplog.text
        assert "a secret" not in caplog.text

    def test_a_listener_that_exits_ends_neither_the_store_nor_who_reads_it(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        pods.on_change(lambda event: sys.exit(1))
        assert names(pods) == ["web-0"]
        assert pods.failure is None

    def test_a_listener_cannot_wait_for_its_own_thread(self, follow: Callable[..., Pods]) -> None:
        heard: SimpleQueue[object] = SimpleQueue()

        def wait(event: Event[Object]) -> None:
            try:
                heard.put(pods.wait_until_ready(0))
            except InvalidInput as error:
                heard.put(str(error))

        pods = follow(web())
        pods.on_change(wait)
        pods.start()
        assert "runs on the thread that it waits for" in str(heard.get(timeout=PATIENCE))
        heard.get(timeout=PATIENCE)
        assert heard.get(timeout=PATIENCE) is True

    def test_who_unsubscribes_is_told_no_more(self, follow: Callable[..., Pods]) -> None:
        first: SimpleQueue[Event[Object]] = SimpleQueue()
        second: SimpleQueue[Event[Object]] = SimpleQueue()
        unsubscribed = threading.Event()
        step = Do(lambda: unsubscribed.wait(PATIENCE))
        pods = follow(StubSource([page(version=1)], [[added("web-0", 2), step, deleted("web-0", 3)]]))
        forget = pods.on_change(first.put)
        pods.on_change(second.put)
        pods.start()
        while not isinstance(second.get(timeout=PATIENCE), Apply):
            pass
        forget()
        forget()
        unsubscribed.set()
        assert isinstance(second.get(timeout=PATIENCE), Delete)
        assert first.qsize() == 3

    def test_a_listener_reads_without_waiting_for_its_own_thread(self, follow: Callable[..., Pods]) -> None:
        heard: SimpleQueue[int] = SimpleQueue()
        pods = follow(web())
        pods.on_change(lambda event: heard.put(len(pods)))
        assert len(pods) == 1
        assert heard.get(timeout=PATIENCE) == 0


class TestForking:
    def test_a_childs_first_read_follows_on_a_thread_of_its_own(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        assert names(pods) == ["web-0"]

        def child() -> Any:
            before = (pods.running, pods.freshness)
            found = names(pods)
            return before, found, pods.running, pods.stop(PATIENCE)

        before, found, running, stopped = in_child(child)
        assert before[0] is False
        assert before[1].startswith("stale after a fork")
        assert (found, running, stopped) == (["web-0"], True, True)
        assert pods.running

    def test_a_child_that_stops_it_leaves_the_parents_alone(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web()).start()
        pods.wait_until_ready(PATIENCE)
        assert in_child(pods.stop) is True
        assert pods.running

    def test_what_nobody_started_before_the_fork_is_as_new(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        assert in_child(lambda: (names(pods), pods.stop(PATIENCE))) == (["web-0"], True)
        assert not pods.running

    def test_a_child_may_read_what_was_there_at_the_fork(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web()).start()
        pods.wait_until_ready(PATIENCE)

        def child() -> Any:
            pods.allow_stale()
            return names(pods), pods.running, pods.freshness

        found, running, freshness = in_child(child)
        assert (found, running) == (["web-0"], False)
        assert freshness.startswith("closed, heard")

    def test_a_child_may_start_although_the_fork_came_while_the_parent_did(self, follow: Callable[..., Pods]) -> None:
        pods = follow(web())
        with pods._lock:
            assert in_child(lambda: (len(pods), pods.stop(PATIENCE))) == (1, True)
