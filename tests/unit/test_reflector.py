"""`reflector`: a store that follows a stream of events, in content and in health."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kubewatch.errors import InvalidInput, WatchError, WatchFailed, WriterDropped
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.reflector import reflector
from kubewatch.stop import Stop
from kubewatch.store import Store, store
from kubewatch.streams import EventStream, ObjectStream
from kubewatch.vitals import Vitals

from .stored import names, pod

LISTED: list[Event[Object] | WatchError] = [Init(), InitApply(pod("a")), InitApply(pod("b")), InitDone()]


def test_events_and_errors_pass_unchanged_and_the_store_has_each_before_it_is_handed_on() -> None:
    """Row 12: the length of the store at each item."""
    events: list[Event[Object] | WatchError] = [Apply(pod("a")), WatchFailed("reset"), *LISTED, Delete(pod("b"))]
    reader, writer = store()
    lengths = []
    passed = []
    for item in reflector(writer, EventStream(events)).in_band():
        lengths.append(len(reader))
        passed.append(item)
    assert lengths == [1, 1, 1, 1, 1, 2, 1]
    assert passed == events


def test_reflector_is_the_same_as_reflect() -> None:
    results = []
    for method in (True, False):
        reader, writer = store()
        stream: EventStream[Object] = EventStream(LISTED)
        objects = (stream.reflect(writer) if method else reflector(writer, stream)).applied_objects()
        results.append((list(objects), names(reader), reader.closed))
    assert results[0] == results[1]


def test_what_is_modified_before_is_stored_and_what_is_modified_after_is_not() -> None:
    def drop_labels(draft: Any) -> None:
        del draft.metadata.labels

    labelled = pod("a", labels={"app": "web"})
    before, writer = store()
    list(reflector(writer, EventStream([Apply(labelled)]).modify(drop_labels)))
    assert before.select("app") == []
    after, writer = store()
    list(reflector(writer, EventStream([Apply(labelled)])).modify(drop_labels))
    assert after.select("app") == [labelled]


def test_the_store_is_as_fresh_as_the_stream() -> None:
    """Pain 11: the store shows the health of the watch that fills it."""
    now = [100.0]
    vitals = Vitals(lambda: now[0])
    reader, writer = store()
    stream = reflector(writer, EventStream(LISTED, stop=Stop(), vitals=vitals)).applied_objects()
    vitals.heard()
    error = WatchFailed("reset")
    vitals.failed(error)
    next(stream)
    now[0] += 7
    assert reader.age == 7
    assert reader.last_error is error


def test_the_end_of_the_stream_is_the_end_of_the_writer() -> None:
    reader, writer = store()
    list(reflector(writer, EventStream(LISTED)))
    assert reader.is_ready
    assert reader.closed
    assert not reader.is_live(within=60)
    assert names(reader) == ["a", "b"]


@pytest.mark.parametrize("pulls", [0, 1, 3])
def test_a_stream_that_is_dropped_before_its_list_is_complete_drops_the_writer(pulls: int) -> None:
    reader, writer = store()
    stream = reflector(writer, EventStream(LISTED))
    for _ in range(pulls):
        next(stream)
    del stream
    with pytest.raises(WriterDropped):
        reader.wait_until_ready()


def test_a_stream_is_iterated_on_one_thread_and_its_store_read_on_another() -> None:
    """Pain 25: a reader waits until it has everything, and only then looks."""
    reader, writer = store()
    seen: list[list[str]] = []

    def read(reader: Store[Object]) -> None:
        reader.wait_until_ready(10)
        seen.append(names(reader))

    thread = threading.Thread(target=read, args=(reader,), name="reader")
    thread.start()
    for _ in reflector(writer, EventStream(LISTED)):
        pass
    thread.join(10)
    assert seen == [["a", "b"]]


def test_a_writer_takes_one_stream_and_says_so_when_the_second_chain_is_built() -> None:
    _, writer = store()
    first = reflector(writer, EventStream(LISTED))
    with pytest.raises(InvalidInput, match="another stream fills this store"):
        reflector(writer, EventStream(LISTED))
    list(first)
    with pytest.raises(InvalidInput, match="stream has ended"):
        reflector(writer, EventStream(LISTED))


def test_decoded_objects_cannot_be_reflected() -> None:
    reader, writer = store()
    decoded: ObjectStream[Object] = EventStream(LISTED).applied_objects()
    with pytest.raises(TypeError, match="reflect"):
        reflector(writer, decoded)  # type: ignore[arg-type]  # wrong on purpose
    assert not reader.closed
