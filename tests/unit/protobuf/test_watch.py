"""Whatever comes by a watch in protobuf leads to what the same in JSON leads to: events, errors and requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch import Config
from kubewatch.decode import decode_partial
from kubewatch.errors import WatchError
from kubewatch.pages import decode_page
from kubewatch.protobuf.frames import LONGEST, Frames
from kubewatch.protobuf.objects import or_protobuf
from tests.unit.stub_source import OutOfScript, Run, StubSource, line, status
from tests.unit.testing.apiserver.protobuf_encoder import envelope

from . import encoded
from .encoded import enveloped, frame, partial, protobuf_list
from .test_frames import cut
from .test_pages import read

END = {"k8s.io/initial-events-end": "true"}
EITHER = or_protobuf(decode_partial)
EMPTY = read(protobuf_list(version="9"))

Happening = tuple[str, Any]  # the type of a frame; the metadata in it, or the code of an error, or None for rubbish


def in_json(type_: str, what: Any) -> bytes:
    if type_ == "ERROR":
        return line("ERROR", status(410, "Expired", "too old resource version: 1 (9)"))
    return line(type_, "rubbish" if what is None else partial(what))


def in_protobuf(type_: str, what: Any) -> bytes:
    if type_ == "ERROR":
        return frame("ERROR", encoded.status())
    return frame(type_, b"rubbish" if what is None else enveloped(what))


def json_source(first: Sequence[Any], watches: Sequence[Sequence[Happening]], places: list[int]) -> StubSource[Any]:
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "9"}}
    pages = [decode_page(json.dumps(head | {"items": [partial(meta) for meta in first]}).encode()) for _ in range(9)]
    return StubSource(pages, _cut(watches, in_json, places), decode=EITHER)


def protobuf_source(first: Sequence[Any], watches: Sequence[Sequence[Happening]], places: list[int]) -> StubSource[Any]:
    pages = [read(protobuf_list(*first, version="9")) for _ in range(9)]
    return StubSource(pages, _cut(watches, in_protobuf, places), decode=EITHER, frames=Frames)


def _cut(
    watches: Sequence[Sequence[Happening]], write: Callable[[str, Any], bytes], places: list[int]
) -> list[list[bytes]]:
    return [[block for block in cut(b"".join(write(*one) for one in watch), places) if block] for watch in watches]


def told(source: StubSource[Any], config: Config) -> tuple[list[Any], list[Any]]:
    """What comes of it, but for the words of errors; and what was asked of the server."""
    out: list[Any] = []
    for item in Run(source, config).items:
        if isinstance(item, WatchError):
            if isinstance(item.__cause__, OutOfScript):
                break
            out.append((type(item), item.code))
        else:
            out.append((type(item), getattr(item, "object", None)))
    return out, source.requests


happenings = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), st.one_of(encoded.metadata, st.none())),
        st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), encoded.metadata),
        st.tuples(st.just("BOOKMARK"), st.builds(lambda meta, end: meta | end, encoded.metadata, st.just({}))),
        st.just(("BOOKMARK", {"resourceVersion": "12", "annotations": END})),
        st.just(("ERROR", 410)),
        st.just(("UNHEARD-OF", {"name": "x"})),
    ),
    max_size=6,
)


@given(
    st.lists(encoded.metadata, max_size=2),
    st.lists(happenings, max_size=4),
    st.lists(st.integers(0, 2000)),
    st.sampled_from([Config(), Config(initial_list="streaming"), Config(strict=True)]),
)
def test_a_stream_is_the_same_in_protobuf_as_in_json(
    first: list[Any], watches: list[list[Happening]], places: list[int], config: Config
) -> None:
    in_lines = told(json_source(first, watches, places), config)
    in_frames = told(protobuf_source(first, watches, places), config)
    assert in_frames == in_lines


def test_a_frame_that_is_none_is_told_and_the_watch_goes_on() -> None:
    source: StubSource[Any] = StubSource(
        [EMPTY],
        [[b"\0\0\0\3abc", in_protobuf("ADDED", {"name": "web", "resourceVersion": "10"})]],
        decode=EITHER,
        frames=Frames,
    )
    assert Run(source).take(4) == ["Init", "InitDone", "WatchFailed", "Apply(web)"]


def test_what_does_not_speak_protobuf_ends_the_watch_which_is_taken_up_again() -> None:
    web = {"name": "web", "resourceVersion": "10"}
    source: StubSource[Any] = StubSource(
        [EMPTY],
        [[(LONGEST + 1).to_bytes(4, "big")], [in_protobuf("ADDED", web)]],
        decode=EITHER,
        frames=Frames,
    )
    assert Run(source).take(4) == ["Init", "InitDone", "WatchFailed", "Apply(web)"]
    assert [params.resource_version for params in source.watched] == ["9", "9"]


def test_half_a_frame_at_the_end_is_no_event() -> None:
    whole = in_protobuf("ADDED", {"name": "web", "resourceVersion": "10"})
    source: StubSource[Any] = StubSource(
        [EMPTY],
        [[whole, whole[:-1]], [whole]],
        decode=EITHER,
        frames=Frames,
    )
    assert Run(source).take(4) == ["Init", "InitDone", "Apply(web)", "Apply(web)"]
    assert [params.resource_version for params in source.watched] == ["9", "10"]


@pytest.mark.parametrize("raw", [envelope("v1", "Pod", b""), b"{}"])
def test_an_object_of_another_form_is_reported_and_left_out(raw: bytes) -> None:
    source: StubSource[Any] = StubSource(
        [EMPTY],
        [[frame("ADDED", raw)]],
        decode=EITHER,
        frames=Frames,
    )
    assert Run(source).take(3) == ["Init", "InitDone", "DecodeFailed"]
