"""However the bytes of a watch are split, its frames come out whole, each once; what is odd comes as a line of JSON."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.decode import decode_whole_frame
from kubewatch.errors import Unreachable
from kubewatch.protobuf.frames import LONGEST, Frames
from tests.unit.testing.apiserver.protobuf_encoder import envelope, field

from . import encoded
from .encoded import META, PARTIAL, enveloped, frame, partial

FRAMES = Frames()  # for what keeps no state


def as_line(text: bytes) -> bytes:
    return FRAMES.line(text, 4, len(text))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [*sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(st.binary(max_size=300)), st.binary(max_size=3), st.lists(st.integers(0, 2000)))
def test_any_cut_of_the_bytes_gives_the_same_frames(contents: list[bytes], half: bytes, places: list[int]) -> None:
    data = b"".join(len(one).to_bytes(4, "big") + one for one in contents) + half
    frames = Frames()
    found = [
        text[start:end] for block in cut(data, places) for text, start, end in frames.feed([(block, 0, len(block))])
    ]
    assert found == contents
    assert frames.rest() == b""


def test_a_long_frame_is_joined_once() -> None:
    data = (1 << 20).to_bytes(4, "big") + bytes(1 << 20)
    frames = Frames()
    assert frames.feed([(data, 0, 4)]) == []
    found = [span for at in range(4, len(data), 64) for span in frames.feed([(data, at, at + 64)])]
    [(text, start, end)] = found
    assert (len(text), start, end) == (len(data), 4, len(data))


@pytest.mark.parametrize("held", [0, 1, 3])
def test_a_length_that_no_frame_has_ends_the_connection(held: int) -> None:
    data = (LONGEST + 1).to_bytes(4, "big") + b"ab"
    frames = Frames()
    assert frames.feed([(data, 0, held)]) == []
    with pytest.raises(Unreachable, match="16777217 bytes"):
        frames.feed([(data, held, len(data))])


@given(encoded.metadata, st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]))
def test_a_frame_is_read_in_protobuf_and_as_the_line_of_json_that_it_stands_for(meta: Any, type_: str) -> None:
    raw = enveloped(meta)
    text = frame(type_, raw)
    assert FRAMES.decode(text, 4, len(text)) == (type_, raw)
    found, obj = decode_whole_frame(FRAMES.line(text, 4, len(text)))
    assert (found, msgspec.json.decode(obj)) == (type_, partial(meta))


def test_an_error_becomes_the_line_with_its_status() -> None:
    type_, obj = decode_whole_frame(as_line(frame("ERROR", encoded.status())))
    assert (type_, msgspec.json.decode(obj)["code"]) == ("ERROR", 410)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"k8s\0\xff",
        b"{}",
        envelope("v1", "Pod", b""),
        envelope(META, PARTIAL, b""),
        enveloped({}, more=field(11, b"\xff")),
    ],
)
def test_in_place_of_an_object_that_cannot_be_read_the_line_says_why(raw: bytes) -> None:
    type_, obj = decode_whole_frame(as_line(frame("DELETED", raw)))
    assert type_ == "DELETED"
    assert msgspec.json.decode(obj).startswith("protobuf: ")


@given(st.binary())
def test_what_is_no_frame_stays_as_it_is_or_becomes_a_line(data: bytes) -> None:
    line = FRAMES.line(data, 0, len(data))
    try:
        FRAMES.decode(data, 0, len(data))
    except msgspec.DecodeError:
        assert line == data
    else:
        decode_whole_frame(line)
