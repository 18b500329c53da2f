"""Frames, pages, bookmarks and Status objects, from bytes."""

from __future__ import annotations

import msgspec
import pytest

from kubewatch import decode
from kubewatch.decode import (
    Salvage,
    decode_bookmark,
    decode_object,
    decode_status,
    decode_whole_frame,
    salvage,
)


def decode_frame(line: bytes) -> decode.Frame:
    return decode.decode_frame(b"before\n" + line + b"\nbehind", 7, 7 + len(line))


@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "NEW-KIND-OF-EVENT"])
def test_a_frame_as_go_writes_it_and_the_same_frame_in_any_order_are_equal(type_: str) -> None:
    raw = b'{"metadata":{"name":"a"}}'
    assert decode_frame(b'{"type":"%s","object":%s}' % (type_.encode(), raw)) == (type_, raw)
    assert decode_frame(b'{ "object" : %s , "type": "%s"}' % (raw, type_.encode())) == (type_, raw)


def test_a_frame_with_more_members_is_no_object_on_the_short_way_and_whole_on_the_long_one() -> None:
    line = b'{"type":"ADDED","object":{"metadata":{"name":"a"}},"extra":{"b":1}}'
    with pytest.raises(msgspec.DecodeError):
        decode_object(decode_frame(line)[1])
    assert decode_object(decode_whole_frame(line)[1]).name == "a"


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b'{"type":"ADDED"}', b"not json", b'{"kind":"Status"}'])
def test_what_is_no_frame_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_frame(line)


def test_a_bookmark_is_read_for_version_and_annotations_only() -> None:
    raw = b'{"metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}},"spec":{}}'
    assert decode_bookmark(raw) == ("5", {"k8s.io/initial-events-end": "true"})


def test_only_a_status_is_a_status() -> None:
    assert decode_status(b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}').code == 410
    with pytest.raises(msgspec.DecodeError):
        decode_status(b'{"kind":"Pod"}')


def test_an_undecodable_object_keeps_what_can_be_told_of_it() -> None:
    """Rows 109, 111: name, namespace and version survive; bytes that tell nothing are no error."""
    found = salvage(b'{"metadata":{"name":"a","namespace":"n","labels":7,"resourceVersion":"12"},"spec":0}')
    assert (found.name, found.namespace, found.resource_version, found.uid) == ("a", "n", "12", None)
    for raw in (b"", b"[]", b"\xff", b'{"metadata":3}', b'{"metadata":{"name":5}}', b"{}"):
        assert salvage(raw).name is None


@pytest.mark.parametrize(
    ("raw", "known"),
    [
        (b'{"metadata":{"name":"a","namespace":"n","resourceVersion":"12"},"spec":{"name":"b","c":tru}}', "a n 12"),
        (b'{"kind":"Foo","metadata": {"labels":{"name":"c"},\n"name" : "a","uid":"u","other":01}}', "a None None"),
        (b'{"metadata":{"name":"a","labels":{"namespace":"b","c":}},"namespace":"n"}', "a None None"),
        (b'{"metadata":{"name":"a","namespace":"n},"spec":{"name":"c"}}', "a None None"),
        (b'{"metadata":{"name":a","namespace":"n"}}', "None None None"),
        (b'{"spec":{"name":"b"},"metadata":{"name":"a"},}', "a None None"),
        (b'{"spec":{"name":"b"},"x":tru,"metadata":{"name":"a"}}', "None None None"),
        (b'[{"metadata":{"name":"a"},', "None None None"),
    ],
)
def test_of_an_object_that_is_no_json_as_much_is_known_as_comes_before_the_break(raw: bytes, known: str) -> None:
    found = salvage(raw)
    assert f"{found.name} {found.namespace} {found.resource_version}" == known


def test_nesting_without_end_is_an_error_like_any_other() -> None:
    deep = b'{"metadata":{"name":"a"},"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert salvage(deep) == Salvage(name="a")


def test_a_valid_object_passes() -> None:
    """Row 110: a valid object decodes."""
    assert decode_object(b'{"metadata":{"name":"a"}}').name == "a"
