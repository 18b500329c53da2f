"""A full store costs the cyclic garbage collector nothing: it sees none of the objects, nor what they are made of."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubewatch.decode import decode_object, decode_partial
from kubewatch.events import Apply, Event, Init, InitApply, InitDone
from kubewatch.prune import prune
from kubewatch.store import store
from kubewatch.streams import EventStream

OBJECTS = 500


def raw(number: int) -> bytes:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    meta = {
        "name": f"web-{number}",
        "namespace": f"shop-{number % 7}",
        "uid": f"uid-{number}",
        "resourceVersion": str(number + 1),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": "web", "number": str(number)},
        "annotations": {"team": "checkout"},
        "ownerReferences": [owner],
        "finalizers": ["example.io/clean-up"],
        "managedFields": [{"manager": "kubelet", "fieldsV1": {}}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "n1"}}).encode()


def events(decode: Callable[..., Any]) -> Iterator[Event[Any]]:
    yield Init()
    yield from (InitApply(decode(raw(n), "v1", "Pod")) for n in range(OBJECTS))
    yield InitDone()
    yield from (Apply(decode(raw(n), "v1", "Pod")) for n in range(OBJECTS))


def seen() -> int:
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
@pytest.mark.parametrize("change", [None, prune("metadata.managedFields"), lambda obj: obj.metadata.labels.clear()])
def test_what_a_store_holds_is_invisible_to_the_garbage_collector(
    decode: Callable[..., Any], change: Callable[[Any], object] | None
) -> None:
    reader, writer = store()
    stream = EventStream(events(decode))
    stream = (stream if change is None else stream.modify(change)).reflect(writer)
    for _ in range(3):  # the beginning, and whatever is imported and made but once
        next(stream)
    before = seen()
    assert sum(1 for _ in stream) == 2 * OBJECTS - 1
    del stream
    assert len(reader) == OBJECTS
    assert seen() - before < 20
    for obj in reader.state():
        meta = obj.metadata
        parts = [obj, meta, meta.own_labels, meta.own_annotations, meta.own_owners]
        assert not any(map(gc.is_tracked, [*parts, meta.finalizers, meta.creation_timestamp]))


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
def test_what_is_decoded_brings_no_run_of_the_garbage_collector_nearer(decode: Callable[..., Any]) -> None:
    """A run goes through all that the process has, and no other thread runs meanwhile."""
    texts = [raw(number).replace(b'"finalizers": ["example.io/clean-up"], ', b"") for number in range(OBJECTS)]
    gc.collect()
    gc.disable()
    try:
        before = gc.get_count()[0]
        kept = [decode(text, "v1", "Pod") for text in texts]
        counted = gc.get_count()[0] - before
    finally:
        gc.enable()
    assert len(kept) == OBJECTS
    assert counted < 20
