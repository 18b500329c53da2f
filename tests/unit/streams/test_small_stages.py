"""inspect, filter and map."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch.errors import FunctionFailed, InvalidInput, WatchError
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.streams import EventStream, ObjectStream, filter, inspect, map
from tests.unit.streams.fakes import failed, pod

ERROR = failed()
EVENTS: list[Event[str] | WatchError] = [Init(), InitApply("a"), InitDone(), ERROR, Apply("b"), Delete("a")]


def name_of(obj: Object) -> str:
    return obj.name


def fail_on_b(obj: Object) -> str:
    if obj.name == "b":
        raise KeyError("secret text")
    return obj.name


def test_inspect_sees_every_event_but_no_error() -> None:
    seen = list[Event[str]]()
    assert list(EventStream(EVENTS).inspect(seen.append).in_band()) == EVENTS
    assert seen == [item for item in EVENTS if item is not ERROR]


def test_inspect_on_a_decoded_stream_sees_objects_and_no_marks() -> None:
    seen = list[str]()
    stream = EventStream(EVENTS).touched_objects().inspect(seen.append)
    assert list(stream.in_band()) == ["a", ERROR, "b", "a"]
    assert seen == ["a", "b", "a"]


def test_filter_keeps_what_the_function_says_and_all_errors() -> None:
    stream = EventStream(EVENTS).touched_objects().filter(lambda name: name == "a")
    assert list(stream.in_band()) == ["a", ERROR, "a"]
    assert list(ObjectStream(["a", "b"]).filter(lambda name: name == "b")) == ["b"]


def test_map_makes_something_of_each_object_and_leaves_errors() -> None:
    assert list(EventStream(EVENTS).touched_objects().map(str.upper).in_band()) == ["A", ERROR, "B", "A"]
    assert list(ObjectStream(["a"]).map(str.upper)) == ["A"]


def test_map_may_make_nothing() -> None:
    assert list(EventStream(EVENTS).applied_objects().map(lambda name: None).filter(lambda x: x is None).in_band()) == [
        None,
        ERROR,
        None,
    ]


@pytest.mark.parametrize("stage", ["filter", "map"])
@pytest.mark.parametrize("bare", [True, False])
def test_a_function_that_raises_costs_the_one_object(stage: str, bare: bool) -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    objects = ObjectStream(pods) if bare else EventStream([Apply(obj) for obj in pods]).applied_objects()
    first, error, last = getattr(objects, stage)(fail_on_b).in_band()
    assert isinstance(error, FunctionFailed)
    assert str(error) == f"{stage}(fail_on_b) raised KeyError on Pod default/b"
    assert isinstance(error.__cause__, KeyError)
    assert not isinstance(first, WatchError)
    assert not isinstance(last, WatchError)


@pytest.mark.parametrize("bare", [True, False])
def test_looking_that_fails_costs_no_object(bare: bool) -> None:
    pods = [pod("a"), pod("b")]
    objects = ObjectStream(pods) if bare else EventStream([Apply(obj) for obj in pods]).applied_objects()
    first, error, last = objects.inspect(fail_on_b).in_band()
    assert str(error) == "inspect(fail_on_b) raised KeyError on Pod default/b"
    assert [first, last] == pods


def test_looking_that_fails_costs_no_event() -> None:
    """A store behind would else never learn that its list is complete."""

    def look(event: Event[Object]) -> None:
        raise KeyError(str(event))

    events: list[Event[Object]] = [InitDone(), Apply(pod("b"))]
    items = list(EventStream(events).inspect(look).in_band())
    assert items[1::2] == events
    assert [str(error) for error in items[::2]] == [
        "inspect(look) raised KeyError on InitDone",
        "inspect(look) raised KeyError on Pod default/b",
    ]


@pytest.mark.parametrize("stage", ["inspect", "filter", "map"])
def test_what_is_no_function_is_refused_and_the_stream_is_still_good(stage: str) -> None:
    stream = ObjectStream(["a"])
    with pytest.raises(InvalidInput, match=f"{stage} needs a function, not 5"):
        getattr(stream, stage)(5)
    assert list(stream) == ["a"]


def test_the_functions_take_streams_and_iterables() -> None:
    pods: Any = [pod("a"), pod("b")]
    assert [obj.name for obj in filter(pods, lambda obj: obj.name == "b")] == ["b"]
    assert list(map(pods, name_of)) == ["a", "b"]
    assert list(map(ObjectStream(pods), name_of)) == ["a", "b"]
    assert isinstance(inspect(ObjectStream(pods), print), ObjectStream)
    assert isinstance(inspect([Init()], print), EventStream)
