"""modify: objects changed in flight."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubewatch.errors import FunctionFailed, InvalidInput, WatchError
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.streams import EventStream, ObjectStream, modify
from tests.unit.streams.fakes import failed, pod


class Counted(msgspec.Struct):
    """A model of the user's own."""

    count: int = 0


def add_one(obj: Counted) -> None:
    obj.count += 1


def drop_status(draft: Any) -> None:
    del draft.status


def test_eventmodify_modifies_inner_value_of_event() -> None:
    """Row 11: the objects of Apply and InitApply are modified, errors are not touched."""
    error = failed()
    events: list[Event[Counted] | WatchError] = [Apply(Counted(0)), error, InitApply(Counted(10))]
    assert list(EventStream(events).modify(add_one).in_band()) == [Apply(Counted(1)), error, InitApply(Counted(11))]


def test_the_object_of_a_deletion_is_modified_and_list_marks_pass() -> None:
    events: list[Event[Counted]] = [Init(), InitDone(), Delete(Counted(0))]
    assert list(EventStream(events).modify(add_one)) == [Init(), InitDone(), Delete(Counted(1))]


def test_what_comes_before_in_the_chain_is_not_changed() -> None:
    before = pod()
    [after] = ObjectStream([before]).modify(drop_status)
    assert "status" in before
    assert "status" not in after


def test_it_works_on_decoded_streams() -> None:
    events: list[Event[Object]] = [Apply(pod("a")), Delete(pod("b"))]
    objects = EventStream(events).touched_objects().modify(drop_status)
    assert [(obj.name, "status" in obj) for obj in objects] == [("a", False), ("b", False)]


def test_the_function_keeps_the_kind_of_stream() -> None:
    assert isinstance(modify(EventStream([Apply(pod())]), drop_status), EventStream)
    assert isinstance(modify(ObjectStream([pod()]), drop_status), ObjectStream)
    assert isinstance(modify([Apply(pod())], drop_status), EventStream)


def fail_on_b(draft: Any) -> None:
    if draft.metadata.name == "b":
        raise KeyError("secret text")


@pytest.mark.parametrize("decode_first", [True, False])
def test_a_function_that_raises_costs_the_one_object(decode_first: bool) -> None:
    events = EventStream([Apply(pod("a")), Apply(pod("b")), Apply(pod("c"))])
    stream = events.applied_objects().modify(fail_on_b) if decode_first else events.modify(fail_on_b).applied_objects()
    first, error, last = stream.in_band()
    assert isinstance(error, FunctionFailed)
    assert str(error) == "modify(fail_on_b) raised KeyError on Pod default/b"
    assert isinstance(error.__cause__, KeyError)
    assert [getattr(obj, "name", None) for obj in (first, last)] == ["a", "c"]


def test_an_object_that_a_store_will_lack_is_counted() -> None:
    """A store is not wrong without saying so."""
    stream = EventStream([Apply(pod("b")), Apply(pod("c"))]).modify(fail_on_b)
    error = next(stream.in_band())
    assert (stream.vitals.dropped, stream.vitals.unmodified, stream.vitals.last_error) == (1, 1, error)


def test_an_object_that_a_decoded_stream_passes_over_is_no_loss_to_a_store() -> None:
    stream = EventStream([Apply(pod("b"))]).applied_objects().modify(fail_on_b)
    assert isinstance(next(stream.in_band()), FunctionFailed)
    assert stream.vitals.dropped == 0


def test_a_deletion_passes_although_the_function_raises() -> None:
    """A store must not keep what is gone."""
    error, event = EventStream([Delete(pod("b"))]).modify(fail_on_b).in_band()
    assert isinstance(error, FunctionFailed)
    assert isinstance(event, Delete)


def test_no_function_is_refused_and_the_stream_is_still_good() -> None:
    stream = EventStream([Apply(pod())])
    with pytest.raises(InvalidInput, match="modify needs a function, not 5"):
        stream.modify(5)  # type: ignore[arg-type]  # what is tested
    assert len(list(stream)) == 1
