"""From events to objects."""

from __future__ import annotations

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.streams import EventStream, applied_objects, touched_objects
from tests.unit.streams.fakes import failed

ERROR = failed()
EVENTS: list[Event[str] | WatchError] = [
    Apply("a0"),
    Delete("a0"),
    Init(),
    InitApply("b1"),
    ERROR,
    InitApply("b2"),
    InitDone(),
    Delete("b1"),
    Apply("b3"),
]
SHORT: list[Event[str]] = [Apply("a"), Delete("a")]


def test_watches_applies_uses_correct_stream() -> None:
    """Row 10: applied objects come in order, deletions are left out, errors pass mid-stream, and the end passes."""
    assert list(EventStream(EVENTS).applied_objects().in_band()) == ["a0", "b1", ERROR, "b2", "b3"]


def test_touched_objects_come_with_deleted_ones() -> None:
    assert list(EventStream(EVENTS).touched_objects().in_band()) == ["a0", "a0", "b1", ERROR, "b2", "b1", "b3"]


def test_the_functions_take_any_iterable() -> None:
    assert list(applied_objects(SHORT)) == ["a"]
    assert list(touched_objects(iter(SHORT))) == ["a", "a"]


def test_the_functions_take_a_stream() -> None:
    assert list(applied_objects(EventStream(SHORT))) == ["a"]
