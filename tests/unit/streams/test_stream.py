"""What both kinds of stream have in common: errors, single use, stopping, dropping."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kubewatch.errors import (
    ApiError,
    DecodeFailed,
    InitialListFailed,
    InvalidInput,
    StreamUsed,
    WatchError,
    WatchFailed,
    WatchStatusError,
)
from kubewatch.events import Apply
from kubewatch.stop import Stop
from kubewatch.streams import EventStream, ObjectStream, Stream
from kubewatch.vitals import Vitals
from tests.unit.streams.fakes import FakeTime, Source, failed, pod

# A bound, not a pause: seconds after which a thread that should have ended has failed to.
PATIENCE = 10.0


class Blocked:
    """A source that blocks, as a quiet watch does, until its Stop says so."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.entered = threading.Event()
        self.left = threading.Event()

    def stream(self) -> EventStream[str]:
        return EventStream(self._run(), stop=self.stop)

    def _run(self) -> Iterator[Any]:
        try:
            yield Apply("first")
            self.entered.set()
            self.stop.wait(3600.0)
        finally:
            self.left.set()


def shout(text: object) -> str:
    return str(text).upper()


def pulled_on_a_thread(stream: Stream[Any]) -> tuple[threading.Thread, list[Any]]:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(stream), name="consumer")
    thread.start()
    return thread, got


# Errors


def test_an_unconsumed_error_is_raised_and_the_stream_lives_on() -> None:
    stream = ObjectStream(["a", failed("reset"), "b"])
    assert next(stream) == "a"
    with pytest.raises(WatchFailed, match="reset"):
        next(stream)
    assert list(stream) == ["b"]


def test_errors_in_band_are_values() -> None:
    error = failed()
    assert list(ObjectStream(["a", error, "b"]).in_band()) == ["a", error, "b"]


@pytest.mark.parametrize(
    "error",
    [
        InitialListFailed("list", ApiError(403, "Forbidden", "no", retry_after=3.0)),
        WatchStatusError("gone", 410, "Expired"),
        DecodeFailed("bad", kind="Pod", namespace="x", object_name="y", raw=b"{", cause=ValueError("json")),
    ],
)
def test_the_raised_error_says_all_that_the_one_in_band_says(error: WatchError) -> None:
    with pytest.raises(type(error)) as caught:
        next(ObjectStream([error]))
    assert str(caught.value) == str(error)
    assert caught.value.__cause__ is error.__cause__
    assert vars(caught.value) == vars(error)


def test_what_is_kept_of_an_error_does_not_keep_the_stream() -> None:
    """`Vitals.last_error` outlives the loop that the error was raised into."""
    error = failed()
    source = Source([error, "a"])
    vitals = Vitals()
    vitals.failed(error)

    def loop() -> None:
        stream = ObjectStream(source, vitals=vitals)
        with pytest.raises(WatchFailed):
            next(stream)

    gc.disable()
    try:
        loop()
        assert source.closed
    finally:
        gc.enable()


def test_an_error_raised_by_a_plain_iterator_is_taken_in_band() -> None:
    """So map, zip and itertools may stand between two streams."""
    inner = ObjectStream(["a", failed("reset"), "b"])
    assert [str(item) for item in ObjectStream(map(shout, inner)).in_band()] == ["A", "reset", "B"]


def test_an_exception_from_inside_is_not_mistaken_for_the_end() -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise OSError("disk")

    stream = ObjectStream(broken(), label="pods in default")
    assert next(stream) == "a"
    with pytest.raises(OSError, match="disk"):
        next(stream)
    with pytest.raises(
        StreamUsed, match="<ObjectStream of pods in default> ended when OSError was raised inside of it"
    ):
        next(stream)
    with pytest.raises(StreamUsed, match="ended when OSError"):
        iter(stream)


def test_ctrl_c_is_not_mistaken_for_the_end() -> None:
    def interrupted() -> Iterator[str]:
        yield "a"
        raise KeyboardInterrupt

    stream = ObjectStream(interrupted())
    next(stream)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(StreamUsed, match="KeyboardInterrupt"):
        next(stream)


# Single use


def test_building_a_chain_pulls_nothing() -> None:
    source = Source([Apply(pod())])
    EventStream(source).default_backoff().modify(print).inspect(print).applied_objects().map(str).default_backoff()
    assert not source.opened


def test_a_stream_that_was_chained_on_cannot_be_iterated_or_chained_again() -> None:
    events = EventStream([Apply("a")], label="pods in default")
    objects = events.applied_objects()
    for use in (
        lambda: next(events),
        lambda: iter(events),
        lambda: events.touched_objects(),
        lambda: events.in_band(),
        lambda: events.until(5),
        lambda: events.take_until(threading.Event()),
        lambda: events.default_backoff(),
    ):
        with pytest.raises(
            StreamUsed, match=r"pods in default> was taken by applied_objects\(…\); a stream is single-use"
        ):
            use()
    assert list(objects) == ["a"]


def test_an_ended_stream_stays_ended() -> None:
    stream = ObjectStream(["a"])
    assert list(stream) == ["a"]
    assert list(stream) == []


def test_the_representation_shows_what_and_how() -> None:
    stream = EventStream[Any]([], label="pods in default").default_backoff().applied_objects().map(str)
    assert repr(stream) == "<ObjectStream of pods in default: default_backoff, applied_objects, map>"
    assert repr(ObjectStream([])) == "<ObjectStream>"


def test_stop_vitals_and_label_go_along_the_chain() -> None:
    stop, vitals = Stop(), Vitals()
    stream = (
        EventStream[Any]([], stop=stop, vitals=vitals, label="pods").default_backoff().touched_objects().filter(bool)
    )
    assert (stream.stopper, stream.vitals, stream.label) == (stop, vitals, "pods")


# Stopping


def test_after_stop_nothing_comes_any_more() -> None:
    seen = []
    stream = ObjectStream(["a", "b", "c"])
    for item in stream:
        seen.append(item)
        stream.stop()
    assert seen == ["a"]
    assert next(stream, None) is None


def test_stop_before_the_first_pull_counts() -> None:
    source = Source(["a"])
    stream = ObjectStream(source)
    stream.stop()
    assert list(stream) == []
    assert source.pulls == 0


def test_a_stage_further_up_stops_the_whole_chain() -> None:
    events = EventStream([Apply("a"), Apply("b")])
    objects = events.applied_objects().map(str)
    next(objects)
    events.stop()
    assert list(objects) == []


def test_stop_from_another_thread_ends_a_blocked_pull() -> None:
    source = Blocked()
    stream = source.stream().applied_objects().filter(bool)
    thread, got = pulled_on_a_thread(stream)
    assert source.entered.wait(PATIENCE)
    stream.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert got == ["first"]
    assert source.left.is_set()


def test_close_from_another_thread_ends_a_blocked_pull() -> None:
    """The generators are running on the consumer's thread, and are closed there."""
    source = Blocked()
    stream = source.stream().applied_objects()
    thread, got = pulled_on_a_thread(stream)
    assert source.entered.wait(PATIENCE)
    stream.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert got == ["first"]
    assert source.left.is_set()


def test_leaving_with_closes_the_source() -> None:
    source = Source(["a", "b"])
    with ObjectStream(source).map(str) as stream:
        assert next(stream) == "a"
        assert not source.closed
    assert source.closed
    assert list(stream) == []


def test_leaving_the_with_of_an_early_stage_stops_the_chain() -> None:
    with EventStream([Apply("a"), Apply("b")]) as events:
        objects = events.applied_objects()
        next(objects)
    assert list(objects) == []


@pytest.mark.parametrize("stages", [0, 3])
def test_dropping_the_last_reference_closes_the_source(stages: int) -> None:
    source = Source([Apply(pod("a")), failed(), Apply(pod("b"))])
    stream: Stream[Any] = EventStream(source)
    if stages:
        stream = EventStream(source).inspect(lambda event: None).applied_objects().map(lambda obj: obj.name)
    next(stream)
    with pytest.raises(WatchError):
        next(stream)
    gc.disable()
    try:
        del stream
        assert source.closed
    finally:
        gc.enable()


def test_an_error_of_the_users_function_does_not_keep_the_source() -> None:
    source = Source([pod("a"), pod("b")])
    kept = []
    gc.disable()
    try:
        stream = ObjectStream(source).map(lambda obj: 1 // 0)
        try:
            next(stream)
        except WatchError as error:
            kept.append(error.__cause__)
        del stream
        assert kept
        assert source.closed
    finally:
        gc.enable()


def test_two_threads_cannot_pull_at_once() -> None:
    source = Blocked()
    stream = source.stream()
    thread, _ = pulled_on_a_thread(stream)
    assert source.entered.wait(PATIENCE)
    with pytest.raises(StreamUsed, match="one thread at a time"):
        next(stream)
    stream.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_callback_may_stop_and_close_its_own_stream() -> None:
    chain: list[Stream[Any]] = []
    chain.append(ObjectStream(["a", "b"]).inspect(lambda obj: chain[0].close()))
    assert list(chain[0]) == ["a"]


# Bounded iteration


def test_until_ends_the_stream_at_its_time() -> None:
    time = FakeTime()

    def ticks() -> Iterator[int]:
        for tick in itertools.count():
            time.now = float(tick)
            yield tick

    assert list(ObjectStream(ticks(), stop=time).until(seconds=3)) == [0, 1, 2, 3]


def test_the_earliest_of_several_ends_counts() -> None:
    time = FakeTime()
    stream = ObjectStream(["a", "b"], stop=time).until(10).until(5).until(20)
    time.now = 5.0
    assert list(stream) == []


@pytest.mark.parametrize("wrong", [-1, float("nan"), "5", None])
def test_until_refuses_what_is_no_time(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="until needs a number of seconds"):
        ObjectStream([]).until(wrong)


def test_until_for_ever_is_allowed() -> None:
    assert list(ObjectStream(["a"]).until(float("inf"))) == ["a"]


def test_take_until_ends_the_stream_when_the_event_is_set() -> None:
    event = threading.Event()
    stream = ObjectStream(["a", "b"]).take_until(event)
    assert next(stream) == "a"
    event.set()
    assert list(stream) == []


def test_take_until_ends_a_blocked_pull() -> None:
    source, event = Blocked(), threading.Event()
    thread, got = pulled_on_a_thread(source.stream().applied_objects().take_until(event))
    assert source.entered.wait(PATIENCE)
    event.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert got == ["first"]


def test_take_until_refuses_what_is_no_event() -> None:
    wrong: Any = True
    with pytest.raises(InvalidInput, match=r"take_until needs a threading\.Event, not True"):
        ObjectStream([]).take_until(wrong)


def test_what_cannot_be_iterated_is_refused_when_the_chain_is_built() -> None:
    for kind in (EventStream, ObjectStream):
        with pytest.raises(TypeError, match="iterable of items, not of a int"):
            kind(5)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "chain",
    [
        lambda objects: objects.filter(bool),
        lambda objects: objects.map(str),
        lambda objects: objects.inspect(print),
        lambda objects: objects.in_band(),
        lambda objects: objects.default_backoff(),
    ],
)
def test_a_stage_put_on_a_stream_that_was_pulled_already_gets_the_rest(chain: Any) -> None:
    objects = ObjectStream(["a", "b", "c"])
    assert next(objects) == "a"
    assert list(chain(objects)) == ["b", "c"]
