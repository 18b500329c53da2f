"""What the embedded server answers in protobuf says what it would have said in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.pages import Odd
from kubewatch.protobuf.frames import Frames
from kubewatch.protobuf.objects import decode_protobuf
from kubewatch.protobuf.values import to_json
from kubewatch.testing.apiserver.protobuf_answers import in_protobuf
from kubewatch.testing.apiserver.status import expired
from kubewatch.testing.apiserver.wire import Response, Stream
from tests.unit.protobuf import encoded
from tests.unit.protobuf.encoded import partial
from tests.unit.protobuf.test_pages import read


def frames_of(*lines: bytes) -> list[bytes]:
    batches: list[Sequence[bytes]] = [lines]
    stream = in_protobuf(Stream(iter(batches), lambda: None))
    assert isinstance(stream, Stream)
    assert stream.content_type == "application/vnd.kubernetes.protobuf;stream=watch"
    data = b"".join(frame for batch in stream.lines for frame in batch)
    frames = Frames()
    return [frames.line(*span) for span in frames.feed([(data, 0, len(data))])]


@given(encoded.metadata)
def test_an_object_and_a_frame_say_the_same(meta: Any) -> None:
    answer = in_protobuf(Response(200, msgspec.json.encode(partial(meta))))
    assert isinstance(answer, Response)
    assert msgspec.json.decode(to_json(answer.body)) == partial(meta)
    line = msgspec.json.encode({"type": "ADDED", "object": partial(meta)})
    assert [msgspec.json.decode(found) for found in frames_of(line)] == [msgspec.json.decode(line)]


@given(st.lists(encoded.metadata, max_size=3))
def test_a_list_says_the_same(metas: list[Any]) -> None:
    head = {"resourceVersion": "9", "continue": "more", "remainingItemCount": 0}
    body = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": head}
    answer = in_protobuf(Response(200, msgspec.json.encode(body | {"items": [partial(meta) for meta in metas]})))
    assert isinstance(answer, Response)
    page = read(answer.body)
    assert (page.resource_version, page.continue_, page.remaining) == ("9", "more", 0)
    assert [msgspec.json.decode(to_json(raw)) for raw in page.items] == [partial(meta) for meta in metas]


def test_an_error_is_a_status() -> None:
    status = expired("too old").status
    [line] = frames_of(msgspec.json.encode({"type": "ERROR", "object": status}))
    found = msgspec.json.decode(line)["object"]
    assert (found["code"], found["reason"], found["message"]) == (410, status["reason"], status["message"])


@pytest.mark.parametrize("line", [b'{"type":"ADDED","obj', b"rubbish\n", b"[]\n"])
def test_a_spoilt_line_comes_as_a_frame_that_is_none(line: bytes) -> None:
    assert frames_of(line) == [line]


def test_a_spoilt_item_of_a_list_comes_as_a_message_that_is_none_between_others() -> None:
    meta = {"name": "web", "resourceVersion": "7"}
    items = [partial(meta), partial(meta | {"labels": "none"}), partial(meta)]
    body = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "9"}}
    answer = in_protobuf(Response(200, msgspec.json.encode(body | {"items": items})))
    assert isinstance(answer, Response)
    first, odd, last = read(answer.body).decoded(decode_protobuf, "v1", "Pod")
    assert first == last
    assert isinstance(odd, Odd)
