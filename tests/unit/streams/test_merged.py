"""merge: several streams as one."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import predicates
from kubewatch.errors import FunctionFailed, InvalidInput, StreamUsed, WatchError
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.stop import Stop
from kubewatch.streams import EventStream, ObjectStream, merge
from kubewatch.vitals import Vitals
from tests.unit.streams.fakes import Source, failed, pod

# A bound, not a pause: seconds after which a thread that should have ended has failed to.
PATIENCE = 10.0


def pumps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("kubewatch merge")]


class Quiet:
    """A stream that gives one object and then blocks, as a quiet watch does, until it is stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stop = Stop()
        self.blocked = threading.Event()
        self.closed = threading.Event()

    def stream(self) -> ObjectStream[str]:
        return ObjectStream(self._run(), stop=self.stop, label=self.name)

    def _run(self) -> Iterator[str]:
        try:
            yield self.name
            self.blocked.set()
            self.stop.wait(3600.0)
        finally:
            self.closed.set()


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_merge() -> Iterator[None]:
    yield
    if pumps():
        gc.collect()  # a merge that was dropped may hang in a cycle
    for thread in pumps():
        thread.join(PATIENCE)
    assert pumps() == []


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.lists(st.integers(), max_size=20), min_size=1, max_size=3), st.integers(1, 5))
def test_everything_comes_and_each_input_keeps_its_order(inputs: list[list[int]], buffer: int) -> None:
    streams = [ObjectStream([(number, item) for item in items]) for number, items in enumerate(inputs)]
    merged = list(merge(*streams, buffer=buffer))
    assert [[item for number, item in merged if number == one] for one in range(len(inputs))] == inputs


def test_nothing_starts_before_the_first_pull() -> None:
    sources = [Source(["a"]), Source(["b"])]
    merged = merge(*(ObjectStream(source) for source in sources))
    assert not any(source.opened for source in sources)
    assert pumps() == []
    assert sorted(merged) == ["a", "b"]


def test_each_input_has_a_thread_that_says_what_it_does() -> None:
    first, second = Quiet("pods in default"), Quiet("nodes")
    with merge(first.stream(), second.stream()) as merged:
        assert sorted([next(merged), next(merged)]) == ["nodes", "pods in default"]
        assert sorted(thread.name for thread in pumps()) == [
            "kubewatch merge: nodes",
            "kubewatch merge: pods in default",
        ]
    assert pumps() == []


def test_an_error_of_one_input_comes_in_band_and_stops_nothing() -> None:
    error = failed()
    items = list(merge(ObjectStream(["a", error, "b"]), ObjectStream(["c"])).in_band())
    assert sorted(map(str, items)) == sorted(["a", "b", "c", str(error)])
    assert error in items


def test_an_input_that_dies_is_reported_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise OSError("disk")

    with caplog.at_level(logging.ERROR, "kubewatch"):
        items = list(merge(ObjectStream(broken(), label="pods"), ObjectStream(["b"])).in_band())
    [error] = [item for item in items if isinstance(item, WatchError)]
    assert str(error) == "pods ended when OSError was raised inside of it"
    assert isinstance(error.__cause__, OSError)
    assert sorted(item for item in items if isinstance(item, str)) == ["a", "b"]
    assert [record.getMessage() for record in caplog.records] == ["pods ended, and what is merged with it goes on"]


def test_an_input_ends_the_others_go_on() -> None:
    quiet = Quiet("q")
    with merge(ObjectStream(["a"]), quiet.stream()) as merged:
        assert sorted([next(merged), next(merged)]) == ["a", "q"]
        assert quiet.blocked.wait(PATIENCE)
        assert not quiet.closed.is_set()


# Stopping


def test_stop_from_another_thread_ends_a_blocked_pull_and_all_inputs() -> None:
    inputs, got = [Quiet("a"), Quiet("b")], list[str]()
    merged = merge(*(quiet.stream() for quiet in inputs))
    consumer = threading.Thread(target=lambda: got.extend(merged), name="consumer")
    consumer.start()
    assert all(quiet.blocked.wait(PATIENCE) for quiet in inputs)
    merged.stop()
    consumer.join(PATIENCE)
    assert not consumer.is_alive()
    assert all(quiet.closed.is_set() for quiet in inputs)
    assert set(got) <= {"a", "b"}
    assert pumps() == []


def test_stop_in_a_signal_handler_ends_a_blocked_pull() -> None:
    quiet = Quiet("a")
    merged = merge(quiet.stream())
    assert next(merged) == "a"

    def raise_when_blocked() -> None:
        assert quiet.blocked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: merged.stop())
    try:
        raiser = threading.Thread(target=raise_when_blocked, name="raiser")
        raiser.start()
        assert list(merged) == []
        raiser.join(PATIENCE)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_stop_wakes_inputs_that_wait_for_room() -> None:
    sources = [Source(iter(int, 1)), Source(iter(int, 1))]
    merged = merge(*(ObjectStream(source) for source in sources), buffer=1)
    next(merged)
    merged.close()
    assert pumps() == []
    assert all(source.closed for source in sources)


def test_a_stopped_input_ends_alone() -> None:
    first, second = Quiet("a"), Quiet("b")
    one = first.stream()
    merged = merge(one, second.stream())
    assert sorted([next(merged), next(merged)]) == ["a", "b"]
    one.stop()
    assert first.closed.wait(PATIENCE)
    assert not second.closed.is_set()
    merged.close()


@pytest.mark.parametrize("way", ["until", "take_until"])
def test_bounded_iteration_bounds_the_inputs(way: str) -> None:
    inputs = [Quiet("a"), Quiet("b")]
    merged = merge(*(quiet.stream() for quiet in inputs))
    if way == "until":
        merged.until(seconds=0.05)
    else:
        event = threading.Event()
        merged.take_until(event)
        event.set()
    assert set(merged) <= {"a", "b"}
    assert all(quiet.closed.is_set() or not quiet.blocked.is_set() for quiet in inputs)


def test_a_merge_that_is_dropped_leaves_no_thread() -> None:
    inputs = [Quiet("a"), Quiet("b")]
    merged = merge(*(quiet.stream() for quiet in inputs)).map(str)
    next(merged)
    del merged
    gc.collect()
    assert pumps() == []
    assert all(quiet.closed.is_set() or not quiet.blocked.is_set() for quiet in inputs)


def test_a_merge_that_was_stopped_before_the_first_pull_starts_nothing() -> None:
    source = Source(["a"])
    merged = merge(ObjectStream(source))
    merged.stop()
    assert list(merged) == []
    assert not source.opened


def test_a_function_that_blocks_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be ended from outside; it is said, and the thread ends when the function does."""
    from kubewatch.streams import merged as module

    monkeypatch.setattr(module, "JOIN_TIMEOUT", 0.01)
    entered, leave = threading.Event(), threading.Event()

    def slow(name: str) -> str:
        entered.set()
        leave.wait(PATIENCE)
        return name

    merged = merge(ObjectStream(["a"], label="slow").map(slow), ObjectStream(["b"]))
    assert next(merged) == "b"
    assert entered.wait(PATIENCE)
    merged.close()
    leave.set()
    assert [record.getMessage() for record in caplog.records] == [
        "kubewatch merge: slow is still busy; it ends by itself when it is done"
    ]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_is_told_that_its_merge_has_no_threads() -> None:
    """Pain 21: of merges. A child of a fork gets a clear error and no wait without end."""
    quiet = Quiet("a")
    with merge(quiet.stream()) as merged:
        next(merged)
        assert quiet.blocked.wait(PATIENCE)
        child = os.fork()
        if not child:
            try:
                next(merged)
            except Exception as error:
                os._exit(0 if "before a fork" in str(error) else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert not quiet.closed.is_set()


# What goes through it


def test_deletions_and_completed_lists_are_known_behind_it() -> None:
    """Improvement 16 and opportunity 18 hold behind a merge."""
    events: list[Event[Object]] = [Init(), InitApply(pod(generation=1)), InitDone(), Delete(pod(generation=1))]
    merged = merge(EventStream(events).touched_objects()).predicate_filter(predicates.generation)
    assert len(list(merged)) == 2


def test_a_function_of_the_users_that_failed_is_handed_on() -> None:
    stream = ObjectStream([pod("a")]).map(lambda obj: 1 // 0)
    [error] = merge(stream).in_band()
    assert isinstance(error, FunctionFailed)


def test_nothing_that_is_none_is_lost() -> None:
    """`watch_object` gives None for an object that does not exist."""
    assert list(merge(ObjectStream([None, "a", None]))) == [None, "a", None]


# Its health


def test_where_no_thread_can_be_started_those_that_were_end(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_one(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)
    merging = merge(ObjectStream(itertools.count()), ObjectStream(["b"]))
    with pytest.raises(RuntimeError, match="new thread"):
        next(merging)
    started[0].join(10.0)
    assert not started[0].is_alive()


def test_its_vitals_are_those_of_all_inputs() -> None:
    now = [100.0]
    first, second = (Vitals(lambda: now[0]) for _ in range(2))
    merged = merge(ObjectStream(["a"], vitals=first), ObjectStream(["b"], vitals=second))
    vitals = merged.vitals
    assert (vitals.age, vitals.failing, vitals.last_error, vitals.resource_version) == (float("inf"), False, None, None)
    first.heard_at = 0.0
    assert vitals.age == float("inf")
    second.heard_at = 90.0
    assert (vitals.heard_at, vitals.age) == (0.0, 100.0)
    error, older = failed("new"), failed("old")
    first.failed(older)
    first.failing = False
    assert (vitals.failing, vitals.last_error) == (False, older)
    second.failed(error)
    assert (vitals.failing, vitals.last_error) == (True, error)
    first.restarts["closed"] += 2
    second.restarts["closed"] += 1
    first.undecodable, second.unmodified = 2, 1
    assert (vitals.restarts["closed"], vitals.dropped) == (3, 3)
    assert vitals.remaining is None
    first.remaining, second.remaining = 3, 4
    assert vitals.remaining == 7
    for name in vars(first):
        getattr(vitals, name)
    with pytest.raises(AttributeError):
        vitals.colour  # type: ignore[attr-defined]  # noqa: B018  # what is tested


def test_its_label_names_all_inputs() -> None:
    assert (
        merge(ObjectStream([], label="pods"), ObjectStream([], label="nodes"), ObjectStream([])).label == "pods, nodes"
    )


# Refusing


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one stream"):
        merge()


@pytest.mark.parametrize("buffer", [0, -1, 1.5])
def test_a_buffer_without_room_is_refused(buffer: Any) -> None:
    with pytest.raises(InvalidInput, match="buffer is a number of objects"):
        merge(ObjectStream(["a"]), buffer=buffer)


def test_a_stream_that_was_taken_is_refused_and_the_others_are_still_good() -> None:
    good, taken = ObjectStream(["a"]), ObjectStream(["b"])
    taken.map(str)
    with pytest.raises(StreamUsed, match=r"was taken by map\(…\)"):
        merge(good, taken)
    with pytest.raises(StreamUsed, match="merged with itself"):
        merge(good, good)
    assert list(good) == ["a"]


def test_events_are_refused() -> None:
    events: Any = EventStream([Apply("a")])
    with pytest.raises(TypeError, match="merge needs decoded objects"):
        merge(events)
