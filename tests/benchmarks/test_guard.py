"""What an event, an object and an import cost, in counts and not in time; each limit stands beside what was counted.

The counts were taken on CPython 3.10 to 3.13. Limits leave no room for one more call in the path of every event: who
makes it longer, or shorter, changes them. Time is what `python -m benchmarks` measures.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
import pytest

from benchmarks.pods import METADATA, TYPED, Form, render
from kubewatch import Action, Controller, predicates, prune, store
from kubewatch.decode import Decode, decode_object, decode_partial
from kubewatch.events import Apply, Event, Init, InitApply, InitDone
from kubewatch.http1 import Body, parse_head
from kubewatch.pages import decode_page
from kubewatch.store import Store
from kubewatch.streams import EventStream, ObjectStream
from tests.unit.stub_source import Run, StubSource, page

from .counting import calls, calls_of_all_threads, instructions, kept_bytes, visited

EVENTS = 400  # that are counted, after as many that are not
BLOCK = 8  # events in a block: about what a socket has at full rate

Followed = tuple[Iterator[Any], Store[Any]]


def blocks(form: Form) -> list[bytes]:
    lines = [
        b'{"type":"MODIFIED","object":%b}\n' % render(form.in_event, number % 100, 101 + number)
        for number in range(2 * EVENTS)
    ]
    return [b"".join(lines[start : start + BLOCK]) for start in range(0, len(lines), BLOCK)]


def followed(form: Form, decode: Decode[Any]) -> Followed:
    """A watch that is about to bring the events that are counted, and its store."""
    run: Run[Any] = Run(StubSource([page(version=100)], [blocks(form)], decode=decode))
    reader, writer = store()
    stream = EventStream(run.items).reflect(writer)
    for _ in range(2 + EVENTS):  # Init, InitDone
        next(stream)
    return iter(stream), reader


def of_an_event(count: Callable[[Callable[[], object]], int], form: Form, decode: Decode[Any]) -> float:
    stream, reader = followed(form, decode)
    counted = count(lambda: list(islice(stream, EVENTS))) / EVENTS
    assert len(reader) == 100
    return counted


@pytest.mark.parametrize(
    ("form", "decode", "limit"),
    [
        (TYPED, decode_object, 27),  # 26.4
        (METADATA, decode_partial, 30),  # 29.4
    ],
    ids=["whole", "metadata"],
)
def test_an_event_of_a_watch_costs_few_calls_on_its_way_into_the_store(
    form: Form, decode: Decode[Any], limit: int
) -> None:
    assert of_an_event(calls, form, decode) <= limit


def test_an_event_of_a_watch_costs_few_instructions_on_its_way_into_the_store() -> None:
    assert of_an_event(instructions, TYPED, decode_object) <= 480  # 386 to 416


def test_finding_the_chunks_of_a_block_costs_few_calls_an_event() -> None:
    parsed = parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert parsed is not None
    body = Body(parsed[0], "GET")
    events = [event for block in blocks(TYPED) for event in block.splitlines(keepends=True)]
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    received = [b"".join(chunks[start : start + BLOCK]) for start in range(0, len(chunks), BLOCK)]

    def feed() -> None:
        for data in received:
            body.pieces(data)

    assert calls(feed) / len(events) <= 3.5  # 2.63


def test_cutting_an_object_out_of_a_page_costs_few_calls() -> None:
    raw = pages(500)
    assert calls(lambda: decode_page(raw)) / 500 <= 2.1  # 2.03: to find its end, and to keep it


def pages(count: int) -> bytes:
    items = b",".join(render(TYPED.in_list, number, number + 1) for number in range(count))
    return TYPED.list_head + b'{"resourceVersion":"500"},"items":[' + items + b"]}"


def listed(count: int) -> Store[Any]:
    run: Run[Any] = Run(StubSource([decode_page(pages(count))], [[]]))
    reader, writer = store()
    for event in EventStream(run.items).reflect(writer):
        if type(event) is InitDone:
            break
    return reader


def test_a_stored_object_takes_little_more_than_its_json() -> None:
    size = len(render(TYPED.in_list, 1, 1))
    listed(10)
    kept, reader = kept_bytes(lambda: listed(500))
    assert isinstance(reader, Store)
    assert len(reader) == 500
    assert kept / 500 <= 1.2 * size + 1024  # 10 160 to 10 400 of 10 790


def test_pruning_before_the_store_saves_what_is_cut() -> None:
    obj = decode_object(render(TYPED.in_event, 1, 1))
    managed = len(json.dumps(obj.to_dict()["metadata"]["managedFields"], separators=(",", ":")))
    [pruned] = EventStream([Apply(obj)]).modify(prune("metadata.managedFields")).applied_objects()
    assert len(pruned.to_json()) < len(obj.to_json()) - 0.95 * managed


def test_stored_objects_are_invisible_to_the_garbage_collector() -> None:
    listed(10)
    more, reader = visited(lambda: listed(500))
    assert isinstance(reader, Store)
    assert not any(gc.is_tracked(obj) or gc.is_tracked(obj.metadata) for obj in reader)
    assert more < 100  # 14 to 22: of the store, and of what streams leave behind; not of 500 objects


def test_an_object_is_decoded_in_a_fraction_of_the_time_that_a_dict_takes() -> None:
    raw = render(TYPED.in_event, 1, 1)
    lazy = min(timeit.repeat(lambda: decode_object(raw), number=50, repeat=20))
    whole = min(timeit.repeat(lambda: msgspec.json.decode(raw), number=50, repeat=20))
    assert lazy < 0.7 * whole  # 0.27


@pytest.mark.parametrize(
    ("stage", "limit"),
    [
        (lambda stream: stream.map(lambda obj: obj), 4),  # 3
        (lambda stream: stream.filter(lambda obj: True), 4),  # 3
        (lambda stream: stream.inspect(lambda obj: None), 4),  # 3
        (lambda stream: stream.predicate_filter(predicates.resource_version), 19),  # 12 to 16
    ],
    ids=["map", "filter", "inspect", "predicate_filter"],
)
def test_a_stage_costs_few_calls_an_object_with_that_of_its_function(
    stage: Callable[[ObjectStream[Any]], ObjectStream[Any]], limit: int
) -> None:
    objects = [decode_object(render(TYPED.in_event, number, number)) for number in range(EVENTS)]

    def through(make: Callable[[ObjectStream[Any]], ObjectStream[Any]]) -> int:
        stream = make(ObjectStream(objects))
        next(stream)
        return calls(lambda: list(stream))

    assert (through(stage) - through(lambda stream: stream)) / (EVENTS - 1) <= limit


def test_a_reconcile_that_does_nothing_costs_few_calls() -> None:
    objects = [decode_object(render(TYPED.in_event, number, number)) for number in range(EVENTS)]
    events: list[Event[Any]] = [Init(), *map(InitApply, objects), InitDone()]
    reader, writer = store()
    stream = EventStream(events).reflect(writer).applied_objects()
    controller = Controller.for_stream(stream, reader)
    counted = calls_of_all_threads(lambda: controller.run_once(lambda obj, context: Action.await_change()))
    assert counted / EVENTS <= 230  # 165 to 182, as threads meet


def test_importing_loads_neither_the_official_client_nor_much_else() -> None:
    command = "import sys; import kubewatch; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    loaded = set(output.split())
    assert not loaded & {"kubernetes", "urllib3", "requests", "yaml", "asyncio", "http.client"}
    assert len(loaded) <= 260  # 225 to 229
