"""Stages chained in an order that cannot work fail while the chain is built, and say what the right order is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubewatch import predicates, streams
from kubewatch.events import Apply
from kubewatch.streams import EventStream, ObjectStream
from tests.unit.streams.fakes import Source, pod

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "predicate_filter": (predicates.generation,),
    "filter": (bool,),
    "map": (str,),
    "reflect": (None,),
    "reflect_shared": (None,),
    "applied_objects": (),
    "touched_objects": (),
}
OBJECTS_ONLY = ["predicate_filter", "filter", "map"]
EVENTS_ONLY = ["reflect", "reflect_shared", "applied_objects", "touched_objects"]
STAGES = set(streams.__all__) - {"EventStream", "ObjectStream", "Stream"}


def by_method(stage: str, stream: Any) -> object:
    return getattr(stream, stage)(*ARGUMENTS[stage])


def by_function(stage: str, stream: Any) -> object:
    return getattr(streams, stage)(stream, *ARGUMENTS[stage])


Chain = Callable[[str, Any], object]


@pytest.mark.parametrize("chain", [by_method, by_function])
@pytest.mark.parametrize("stage", OBJECTS_ONLY)
def test_a_stage_of_objects_on_events_says_to_decode_first(chain: Chain, stage: str) -> None:
    source = Source([Apply(pod())])
    with pytest.raises(TypeError, match=rf"{stage} needs decoded objects: call \.applied_objects\(\) or"):
        chain(stage, EventStream(source))
    assert not source.opened


@pytest.mark.parametrize(
    ("chain", "stage"),
    [(by_method, stage) for stage in EVENTS_ONLY] + [(by_function, stage) for stage in EVENTS_ONLY if stage in STAGES],
)
def test_a_stage_of_events_on_objects_says_what_goes_before_decoding(chain: Chain, stage: str) -> None:
    source = Source([Apply(pod())])
    with pytest.raises(TypeError, match=f"{stage} needs events, and this stream is decoded already"):
        chain(stage, EventStream(source).applied_objects())
    assert not source.opened


def test_merge_of_events_says_to_decode_first() -> None:
    events: Any = EventStream([Apply(pod())])
    with pytest.raises(TypeError, match=r"merge needs decoded objects: call \.applied_objects\(\) or"):
        streams.merge(ObjectStream([pod()]), events)


def test_the_message_shows_the_right_chain() -> None:
    with pytest.raises(TypeError, match=r"as in watcher\(api\)\.applied_objects\(\)\.predicate_filter\(…\)"):
        by_method("predicate_filter", EventStream([]))
    with pytest.raises(TypeError, match=r"as in watcher\(api\)\.reflect\(…\)\.applied_objects\(\)"):
        by_method("reflect", ObjectStream([]))


def test_a_stream_that_was_chained_wrongly_is_still_good() -> None:
    stream = EventStream([Apply(pod())])
    with pytest.raises(TypeError):
        by_function("filter", stream)
    assert len(list(stream)) == 1


def test_wrong_stages_are_no_attributes() -> None:
    """Whoever looks around with hasattr or getattr is not surprised."""
    stream = EventStream[Any]([])
    assert not hasattr(stream, "predicate_filter")
    assert getattr(stream, "filter", None) is None
    assert not hasattr(stream, "no_such_thing")
    assert hasattr(stream, "modify")


def test_any_other_missing_attribute_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="'EventStream' object has no attribute 'colour'") as caught:
        EventStream([]).colour  # type: ignore[attr-defined]  # noqa: B018 # what is tested
    assert not isinstance(caught.value, TypeError)


def test_objects_where_events_are_expected_are_reported_by_the_first_pull() -> None:
    """A plain iterable does not show what it holds until it is pulled."""
    stream: Any = streams.applied_objects([pod()])  # type: ignore[list-item]  # what is tested
    with pytest.raises(
        TypeError, match=r"made of events, not of Object: wrap decoded objects in ObjectStream\(\.\.\.\)"
    ):
        next(stream)


def test_events_where_objects_are_expected_are_reported_by_the_first_pull() -> None:
    from kubewatch.events import Init

    with pytest.raises(TypeError, match=r"use EventStream\(\.\.\.\)\.applied_objects\(\)"):
        next(ObjectStream([Init()]))


def test_a_stream_is_not_wrapped_twice() -> None:
    with pytest.raises(TypeError, match="is a stream already"):
        EventStream(EventStream([]))
