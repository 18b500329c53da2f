"""reflect: events written into a store on their way."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from kubewatch.errors import InvalidInput, StreamUsed, WatchError, WriterDropped
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.stop import Stop
from kubewatch.store import store
from kubewatch.streams import EventStream, reflect
from kubewatch.vitals import Vitals
from tests.unit.streams.fakes import failed, pod


class Notes:
    """A writer that notes what it is asked."""

    def __init__(self) -> None:
        self.begun = 0
        self.applied: list[Event[Any]] = []
        self.followed: list[tuple[Vitals, Stop]] = []
        self.closed = 0

    def apply(self, event: Event[Any]) -> None:
        self.applied.append(event)

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        self.followed.append((vitals, stop))

    def begin(self) -> None:
        self.begun += 1

    def close(self) -> None:
        self.closed += 1


def test_reflect_passes_events_through() -> None:
    """Row 12: events and errors pass; the store is filled live by Apply, and by a list when it is complete."""
    reader, writer = store()
    foo, bar, error = pod("foo"), pod("bar"), failed()
    events: list[Event[Object] | WatchError] = [
        Apply(foo),
        error,
        Init(),
        InitApply(foo),
        InitApply(bar),
        InitDone(),
    ]
    stream = EventStream(events).reflect(writer).in_band()
    sizes = []
    for expected in events:
        assert next(stream) == expected
        sizes.append(len(reader))
    assert sizes == [1, 1, 1, 1, 1, 2]
    assert next(stream, None) is None
    assert len(reader) == 2


def test_an_event_is_written_before_it_is_handed_on() -> None:
    writer, seen = Notes(), []
    stream = EventStream([Apply(pod("a"))]).reflect(writer).inspect(lambda event: seen.append(len(writer.applied)))
    list(stream)
    assert seen == [1]


def test_what_is_modified_before_is_stored_and_what_is_modified_after_is_not() -> None:
    def drop_status(draft: Any) -> None:
        del draft.status

    before, after = Notes(), Notes()
    list(EventStream([Apply(pod())]).modify(drop_status).reflect(before))
    [event] = EventStream([Apply(pod())]).reflect(after).modify(drop_status)
    [stored], [unpruned] = before.applied, after.applied
    assert isinstance(stored, Apply)
    assert isinstance(unpruned, Apply)
    assert isinstance(event, Apply)
    assert ["status" in e.object for e in (stored, unpruned, event)] == [False, True, False]


def test_the_writer_learns_whose_events_come() -> None:
    stream, writer = EventStream([Apply(pod())]), Notes()
    vitals, stop = stream.vitals, stream.stopper
    chained = stream.reflect(writer)
    assert writer.followed == [(vitals, stop)]
    assert (chained.vitals, chained.stopper) == (vitals, stop)


def test_the_writer_is_closed_at_the_end() -> None:
    writer = Notes()
    list(EventStream([Apply(pod())]).reflect(writer))
    assert writer.closed >= 1


@pytest.mark.parametrize("pulls", [0, 1])
@pytest.mark.parametrize("drop", [True, False])
def test_the_writer_is_closed_when_the_stream_is_closed_or_dropped(pulls: int, drop: bool) -> None:
    reader, writer = store()
    stream = EventStream([Apply(pod("a")), Apply(pod("b"))]).reflect(writer).applied_objects()
    for _ in range(pulls):
        next(stream)
    del writer
    if drop:
        del stream
        gc.collect()
    else:
        stream.close()
    with pytest.raises(WriterDropped):
        reader.wait_until_ready(0)


def test_a_writer_that_fails_ends_the_stream() -> None:
    """A store that missed an event must not go on as if it had not."""

    class Full(Notes):
        def apply(self, event: Event[Any]) -> None:
            raise OSError("no room")

    writer = Full()
    stream = EventStream([Apply(pod("a")), Apply(pod("b"))]).reflect(writer)
    with pytest.raises(OSError, match="no room"):
        next(stream)
    with pytest.raises(StreamUsed, match="OSError was raised inside of it"):
        next(stream)
    assert writer.closed


def test_a_stream_that_was_pulled_is_refused() -> None:
    """The store would miss what it gave."""
    events: list[Event[Object]] = [Init(), InitApply(pod()), InitDone()]
    stream = EventStream(events)
    next(stream)
    with pytest.raises(StreamUsed, match="must see it from its beginning"):
        stream.reflect(Notes())


@pytest.mark.parametrize("wrong", [None, store(), store()[0]])
def test_what_is_no_writer_is_refused(wrong: Any) -> None:
    stream = EventStream([Delete(pod())])
    with pytest.raises(InvalidInput, match=r"reader, writer = store\(\)"):
        reflect(stream, wrong)
    assert len(list(stream)) == 1
