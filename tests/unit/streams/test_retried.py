"""backoff: errors are consumed, and the next pull waits.

Upstream hands an error out and makes the next pull wait. Here the stage consumes it, so that a plain `for` goes on:
where a row of the table says that the error is delivered, `on_backoff` is what hears of it at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import backoff as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch.backoffs import Waits, exponential, resetting
from kubewatch.errors import (
    ApiError,
    DecodeFailed,
    FunctionFailed,
    InitialListFailed,
    InvalidInput,
    StreamUsed,
    WatchError,
    WatchFailed,
    WatchStatusError,
)
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.stop import Stop
from kubewatch.streams import EventStream, ObjectStream, Stream, backoff, default_backoff
from kubewatch.vitals import Vitals
from tests.unit.streams.fakes import FakeTime, failed, pod

# A bound, not a pause: seconds after which a thread that should have ended has failed to.
PATIENCE = 10.0

Items = Sequence[Event[Any] | WatchError]


def linear(step: float = 2.0) -> Waits:
    yield None
    seconds = 0.0
    while True:
        seconds += step
        yield seconds


def events(items: Iterator[Any] | Items, time: FakeTime) -> EventStream[Any]:
    return EventStream(items, stop=time, vitals=Vitals(time))


def undecodable() -> DecodeFailed:
    return DecodeFailed("bad", kind="Pod", namespace="x", object_name="y", raw=b"{", cause=ValueError("json"))


# The rows of the table


def test_stream_should_back_off() -> None:
    """Row 13: an error is heard of at once, the next item is withheld for the delay, then items flow."""
    time, heard = FakeTime(), list[tuple[float, str]]()
    stream = events([Apply("a"), failed("reset"), Apply("b"), Apply("c")], time)
    stream = stream.inspect(lambda event: heard.append((time.now, str(event.object))))  # type: ignore[union-attr]  # all are Apply
    stream = stream.backoff(
        library.constant, interval=1.0, jitter=None, on_backoff=lambda d: heard.append((time.now, str(d["exception"])))
    )
    assert list(stream.applied_objects()) == ["a", "b", "c"]
    assert heard == [(0.0, "a"), (0.0, "reset"), (1.0, "b"), (1.0, "c")]


def test_backoff_time_should_update() -> None:
    """Row 14: a second error in a row waits longer, 2 s and then 4 s; the end of the source is the end."""
    time = FakeTime()
    stream = events([Apply("a"), failed(), failed(), Apply("b")], time).backoff(linear, jitter=None)
    assert list(stream.applied_objects()) == ["a", "b"]
    assert time.waits == [2.0, 4.0]


def test_backoff_should_close_when_requested() -> None:
    """Row 15: giving up hands out the error as the last item; what would have come later is not pulled."""
    time = FakeTime()

    def never() -> Waits:
        yield None

    stream = events([Apply("a"), Apply("b"), failed("reset"), Apply("c")], time).backoff(never).applied_objects()
    items = list(stream.in_band())
    assert items[:2] == ["a", "b"]
    assert [str(item) for item in items[2:]] == ["reset"]
    assert time.waits == []


def test_giving_up_raises_the_error_and_ends_the_stream() -> None:
    stream = events([failed("reset"), Apply("a")], FakeTime()).backoff(max_tries=1).applied_objects()
    with pytest.raises(WatchFailed, match="reset"):
        next(stream)
    assert list(stream) == []


def test_should_reset_when_timer_expires_on_a_stream() -> None:
    """Row 16: with a reset after 60 s, errors 40 s apart wait 2, 4, 6 s, and errors 80 s apart 2, 2 s."""
    time = FakeTime()

    def errors() -> Iterator[Any]:
        for gap in (0, 40, 40, 80, 80):
            time.now += gap
            yield failed()

    list(events(errors(), time).backoff(lambda: resetting(linear, 60.0, clock=time), jitter=None))
    assert time.waits == [2.0, 4.0, 6.0, 2.0, 2.0]


# What ends a row of errors

Place = Callable[[EventStream[Any]], Stream[Any]]


def before_decoding(stream: EventStream[Any]) -> Stream[Any]:
    return stream.backoff(linear, jitter=None).applied_objects()


def after_decoding(stream: EventStream[Any]) -> Stream[Any]:
    return stream.applied_objects().backoff(linear, jitter=None)


def after_touched_objects(stream: EventStream[Any]) -> Stream[Any]:
    return stream.touched_objects().backoff(linear, jitter=None)


def at_the_end(stream: EventStream[Any]) -> Stream[Any]:
    objects = stream.modify(lambda obj: None).applied_objects().filter(lambda obj: obj.name != "left out")
    return objects.map(lambda obj: obj.name).inspect(lambda name: None).backoff(linear, jitter=None)


PLACES = [before_decoding, after_decoding, after_touched_objects, at_the_end]


@pytest.mark.parametrize("place", PLACES)
def test_lists_that_fail_are_asked_for_more_and_more_slowly(place: Place) -> None:
    """Improvement 3: the Init before each list is no success (P03); so the place of the stage does not matter."""
    time = FakeTime()
    list(place(events([Init(), failed()] * 4, time)))
    assert time.waits == [2.0, 4.0, 6.0, 8.0]


@pytest.mark.parametrize("place", PLACES)
def test_lists_that_break_half_way_are_asked_for_more_and_more_slowly(place: Place) -> None:
    """Improvement 3: the objects of a list that is never completed are no success either."""
    time = FakeTime()
    list(place(events([Init(), InitApply(pod("a")), failed()] * 4, time)))
    assert time.waits == [2.0, 4.0, 6.0, 8.0]


@pytest.mark.parametrize("success", [[Init(), InitDone()], [Apply(pod("b"))]], ids=["completed list", "live change"])
@pytest.mark.parametrize("place", PLACES)
def test_a_completed_list_and_a_live_change_end_a_row_of_errors(place: Place, success: Items) -> None:
    """Improvement 3: the other half. A completed list may have no object: nothing that is handed out tells of it."""
    time = FakeTime()
    list(place(events([failed(), failed(), *success, failed(), failed()], time)))
    assert time.waits == [2.0, 4.0, 2.0, 4.0]


@pytest.mark.parametrize("place", [before_decoding, after_touched_objects])
def test_a_deletion_ends_a_row_of_errors(place: Place) -> None:
    time = FakeTime()
    list(place(events([failed(), failed(), Delete(pod()), failed()], time)))
    assert time.waits == [2.0, 4.0, 2.0]


def test_an_object_that_comes_without_an_event_ends_a_row_of_errors() -> None:
    time = FakeTime()
    objects = ObjectStream([failed(), failed(), "a", failed()], stop=time)
    assert list(objects.backoff(linear, jitter=None)) == ["a"]
    assert time.waits == [2.0, 4.0, 2.0]


def test_default_backoff_grows_wherever_it_is_placed() -> None:
    """Opportunity 18."""
    places: list[Place] = [
        lambda stream: stream.default_backoff().applied_objects(),
        lambda stream: stream.applied_objects().default_backoff(),
    ]
    for place in places:
        time = FakeTime()
        list(place(events([Init(), InitApply("a"), failed()] * 6, time)))
        for wait, base in zip(time.waits, [0.8, 1.6, 3.2, 6.4, 12.8, 25.6], strict=True):
            assert base <= wait < 2 * base


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from(["Init", "InitApply", "InitDone", "Apply", "Delete", "error"]), max_size=60))
def test_the_place_of_the_stage_makes_no_difference(kinds: list[str]) -> None:
    """Opportunity 18, for any series of events and errors; deletions kept, as applied_objects drops those."""
    all_waits = []
    for place in (before_decoding, after_decoding):
        if "Delete" in kinds and place is after_decoding:
            place = after_touched_objects
        time = FakeTime()
        items: dict[str, Any] = {
            "Init": Init(),
            "InitApply": InitApply("a"),
            "InitDone": InitDone(),
            "Apply": Apply("a"),
            "Delete": Delete("a"),
            "error": failed(),
        }
        list(place(events([items[kind] for kind in kinds], time)))
        all_waits.append(time.waits)
    assert all_waits[0] == all_waits[1]


# The words of the backoff library


def test_nothing_is_pulled_while_it_waits() -> None:
    time = FakeTime()
    pulled_at = []

    def source() -> Iterator[Any]:
        for item in (failed(), failed(), Apply("a")):
            pulled_at.append(time.now)
            yield item

    list(events(source(), time).backoff(linear, jitter=None))
    assert pulled_at == [0.0, 2.0, 6.0]


def test_max_tries_counts_errors_in_a_row() -> None:
    time = FakeTime()
    stream = events([failed("1"), failed("2"), Apply("a"), failed("3"), failed("4"), failed("5"), Apply("b")], time)
    items = list(stream.backoff(linear, jitter=None, max_tries=3).applied_objects().in_band())
    assert [str(item) for item in items] == ["a", "5"]
    assert time.waits == [2.0, 4.0, 2.0, 4.0]


def test_max_time_counts_from_the_first_error_of_a_row_and_shortens_the_last_wait() -> None:
    time = FakeTime()
    stream = events([Apply("a"), failed("1"), failed("2"), failed("3"), Apply("b")], time)
    items = list(stream.backoff(linear, jitter=None, max_time=5.0).applied_objects().in_band())
    assert [str(item) for item in items] == ["a", "3"]
    assert time.waits == [2.0, 3.0]


def test_limits_may_be_functions_asked_when_a_row_of_errors_begins() -> None:
    time, asked = FakeTime(), []

    def two() -> int:
        asked.append(time.now)
        return 2

    stream = events([failed("1"), Apply("a"), failed("2"), failed("3")], time)
    items = list(stream.backoff(linear, jitter=None, max_tries=two, max_time=lambda: 100.0).applied_objects().in_band())
    assert [str(item) for item in items] == ["a", "3"]
    assert len(asked) == 2


def test_arguments_of_the_wait_generator_may_be_functions() -> None:
    time = FakeTime()
    list(events([failed()], time).backoff(linear, jitter=None, step=lambda: 5.0))
    assert time.waits == [5.0]


def test_giveup_decides_by_the_error() -> None:
    time = FakeTime()
    forbidden = InitialListFailed("list", ApiError(403, "Forbidden", "no"))
    stream = events([failed(), forbidden, Apply("a")], time)
    items = list(stream.backoff(linear, jitter=None, giveup=lambda e: e.code == 403).in_band())
    assert items == [forbidden]
    assert time.waits == [2.0]


def test_a_forbidden_list_is_tried_again_unless_giveup_says_otherwise() -> None:
    """Permissions may be granted while it waits."""
    forbidden = InitialListFailed("list", ApiError(403, "Forbidden", "no"))
    assert list(events([forbidden, Apply("a")], FakeTime()).default_backoff().applied_objects()) == ["a"]


def test_the_handlers_get_the_librarys_details() -> None:
    time, details = FakeTime(), list[tuple[str, dict[str, Any]]]()
    first, second = failed("1"), failed("2")
    stream = EventStream[Any]([first, second], stop=time, vitals=Vitals(time), label="pods in default")
    list(
        stream.backoff(
            linear,
            jitter=None,
            max_tries=2,
            on_backoff=lambda d: details.append(("backoff", dict(d))),
            on_giveup=[lambda d: details.append(("giveup", dict(d)))],
        ).in_band()
    )
    [(one, backing_off), (two, giving_up)] = details
    assert (one, two) == ("backoff", "giveup")
    target = backing_off.pop("target")
    assert callable(target)
    assert giving_up.pop("target") is target
    always = {"args": (), "kwargs": {}, "label": "pods in default"}
    assert backing_off == {**always, "tries": 1, "elapsed": 0.0, "exception": first, "wait": 2.0}
    assert giving_up == {**always, "tries": 2, "elapsed": 2.0, "exception": second}


def test_the_librarys_own_handlers_and_generators_fit() -> None:
    time = FakeTime()
    stream = events([failed()] * 3 + [Apply("a")], time)
    assert list(stream.backoff(library.fibo, jitter=None).applied_objects()) == ["a"]
    assert time.waits == [1, 1, 2]


def test_a_wait_may_be_computed_from_the_error() -> None:
    time = FakeTime()
    gone = WatchStatusError("gone", 410, "Expired")
    stream = events([gone, failed()], time)
    list(stream.backoff(library.runtime, jitter=None, value=lambda error: 9.0 if error.code == 410 else 1.0))
    assert time.waits == [9.0, 1.0]


def test_jitter_is_applied_to_each_wait() -> None:
    time = FakeTime()
    list(events([failed(), failed()], time).backoff(linear, jitter=lambda seconds: seconds / 2))
    assert time.waits == [1.0, 2.0]


def test_the_default_jitter_is_the_librarys_full_jitter() -> None:
    time = FakeTime()
    list(events([failed()] * 50, time).backoff(library.constant, interval=1.0))
    assert all(0 <= wait <= 1.0 for wait in time.waits)
    assert len(set(time.waits)) > 1


def test_a_bare_backoff_has_the_default_waits() -> None:
    time = FakeTime()
    list(events([failed()] * 3, time).backoff(jitter=None))
    assert time.waits == [0.8, 1.6, 3.2]


@pytest.mark.parametrize("handler", ["giveup", "on_backoff", "on_giveup"])
def test_a_handler_that_raises_ends_the_stream(handler: str) -> None:
    def broken(_: object) -> bool:
        raise OSError("pager is out of order")

    arguments: dict[str, Any] = {handler: broken, "max_tries": 1 if handler == "on_giveup" else None}
    stream = events([failed(), Apply("a")], FakeTime()).backoff(linear, **arguments)
    with pytest.raises(OSError, match="pager"):
        next(stream)
    with pytest.raises(StreamUsed, match="OSError was raised inside of it"):
        next(stream)


# Retry-After


def too_many(seconds: float) -> WatchError:
    return InitialListFailed("list", ApiError(429, "TooManyRequests", "slow down", retry_after=seconds))


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(30.0, 30.0), (1.0, 2.0), (float(2**64), 2.0), (float("inf"), 2.0), (float("nan"), 2.0), (-5.0, 2.0)],
)
def test_retry_after_is_a_lower_bound_unless_it_is_absurd(asked: float, waited: float) -> None:
    time = FakeTime()
    list(events([too_many(asked)], time).backoff(linear, jitter=None))
    assert time.waits == [waited]


def test_retry_after_counts_more_than_what_is_left_of_max_time() -> None:
    """One more request before the server's time would be one too many; the next error gives up."""
    time = FakeTime()
    items = list(events([too_many(30.0), failed("last")], time).backoff(linear, jitter=None, max_time=10.0).in_band())
    assert [str(item) for item in items] == ["last"]
    assert time.waits == [30.0]


# Errors that no wait mends


def test_an_undecodable_object_is_left_out_without_a_pause() -> None:
    """A list with a hundred of them would else take an hour, over a sound connection."""
    time, heard = FakeTime(), []
    stream = events([Init(), undecodable(), InitApply("a"), undecodable(), InitDone()], time)
    stream = stream.backoff(linear, jitter=None, max_tries=1, on_backoff=lambda d: heard.append(d["wait"]))
    assert list(stream.applied_objects()) == ["a"]
    assert time.waits == []
    assert heard == [0.0, 0.0]


def test_an_undecodable_object_leaves_a_row_of_errors_as_it_is() -> None:
    time = FakeTime()
    list(events([failed(), undecodable(), failed()], time).backoff(linear, jitter=None))
    assert time.waits == [2.0, 4.0]


def test_giveup_may_give_up_on_an_undecodable_object() -> None:
    time, given_up = FakeTime(), list[dict[str, Any]]()
    error = undecodable()
    stream = events([error, Apply("a")], time)
    stream = stream.backoff(giveup=lambda e: isinstance(e, DecodeFailed), on_giveup=given_up.append)
    assert list(stream.in_band()) == [error]
    assert [details["exception"] for details in given_up] == [error]


def test_a_function_of_the_users_that_failed_is_not_consumed() -> None:
    """A bug must not hide as a retry."""
    time = FakeTime()
    stream = events([Apply(pod("a")), Apply(pod("b"))], time).applied_objects()
    names = stream.map(lambda obj: obj.name if obj.name != "a" else 1 // 0).default_backoff()
    with pytest.raises(FunctionFailed, match=r"raised ZeroDivisionError on Pod default/a"):
        next(names)
    assert list(names) == ["b"]
    assert time.waits == []


# Stopping, logging, refusing


def test_stop_ends_the_pause() -> None:
    stop, waiting = Stop(), threading.Event()
    stream = EventStream[Any]([failed(), Apply("a")], stop=stop)
    got: list[Any] = []
    paused = stream.backoff(library.constant, interval=3600, jitter=None, on_backoff=lambda d: waiting.set())
    thread = threading.Thread(target=lambda: got.extend(paused), name="consumer")
    thread.start()
    assert waiting.wait(PATIENCE)
    paused.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert got == []


def test_what_is_consumed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()
    stream = EventStream[Object]([failed("reset"), undecodable(), failed("last")], stop=time, label="pods in default")
    with caplog.at_level(logging.WARNING, "kubewatch"):
        list(stream.backoff(linear, jitter=None, max_tries=2).in_band())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "pods in default: reset; trying again in 2.0 s"),
        ("WARNING", "pods in default: bad; left out"),
        ("ERROR", "pods in default: last; giving up, try 2 was the last"),
    ]
    left_out = vars(caplog.records[1])
    assert [left_out[field] for field in ("kind", "namespace", "object_name")] == ["Pod", "x", "y"]


WRONG: list[dict[str, Any]] = [
    {"wait_gen": 5},
    {"giveup": "403"},
    {"jitter": 0.5},
    {"on_backoff": 5},
    {"on_giveup": [print, 5]},
    {"max_tries": 0},
    {"max_tries": "3"},
    {"max_tries": 2.5},
    {"max_time": "5"},
    {"max_time": -1},
    {"max_time": float("nan")},
    {"minimum": -1},
]


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: next(iter(arguments)))
def test_wrong_arguments_are_refused_and_the_stream_is_still_good(arguments: dict[str, Any]) -> None:
    stream = EventStream([Apply("a")])
    with pytest.raises(InvalidInput):
        stream.backoff(**{"wait_gen": exponential, **arguments})
    assert len(list(stream)) == 1


def test_an_argument_that_the_wait_generator_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="maximal"):
        EventStream[Any]([]).backoff(library.expo, maximal=5)


def test_the_functions_keep_the_kind_of_stream() -> None:
    assert isinstance(default_backoff(EventStream([Apply("a")])), EventStream)
    assert isinstance(default_backoff(ObjectStream(["a"])), ObjectStream)
    assert isinstance(backoff([Apply("a")], library.constant, interval=0.001), EventStream)
