"""A page of a list in protobuf gives the same objects, version and continue token as one in JSON."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch import pages
from kubewatch.pages import Odd, Page, decode_page
from kubewatch.protobuf.objects import decode_protobuf
from kubewatch.protobuf.pages import ArrivingMessages
from kubewatch.protobuf.values import names, to_json
from kubewatch.turns import TURN
from tests.unit.testing.apiserver.protobuf_encoder import envelope, field, varint

from . import encoded
from .encoded import message, partial, protobuf_list
from .test_frames import cut

WEB = {"name": "web", "resourceVersion": "7"}


def read(body: bytes) -> Page:
    arriving = ArrivingMessages()
    arriving.feed(body)
    return arriving.page()


@given(st.lists(encoded.metadata, max_size=3), st.sampled_from([None, 0, 300]))
def test_items_and_head_are_those_of_the_json(metas: list[Any], remaining: int | None) -> None:
    meta = {"resourceVersion": "9", "continue": "more"} | (
        {} if remaining is None else {"remainingItemCount": remaining}
    )
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    expected = decode_page(json.dumps(head | {"items": [partial(one) for one in metas]}).encode())
    page = read(protobuf_list(*metas, version="9", continue_="more", remaining=remaining))
    assert msgspec.structs.replace(page, items=()) == msgspec.structs.replace(expected, items=())
    assert [msgspec.json.decode(to_json(raw)) for raw in page.items] == [partial(one) for one in metas]


def test_objects_come_decoded_and_an_odd_one_holds_up_no_other() -> None:
    body = field(1, field(2, "9")) + b"".join(field(2, one) for one in (message(WEB), b"\xff\xff", message(WEB)))
    page = read(envelope(encoded.META, "PartialObjectMetadataList", body))
    good, odd, last = page.decoded(lambda raw, *_: names(raw), "v1", "Pod")
    assert good == last == ("web", None, "7")
    assert isinstance(odd, Odd)
    assert isinstance(odd.error, msgspec.DecodeError)


def test_a_page_is_read_in_any_order_of_its_fields_and_past_unknown_ones() -> None:
    body = field(2, message(WEB)) + field(7, 5) + field(9, "new") + field(1, field(2, "9"))
    raw = b"k8s\0" + field(2, body) + field(1, field(1, encoded.META) + field(2, "PartialObjectMetadataList"))
    page = read(raw)
    assert (page.resource_version, len(list(page.items))) == ("9", 1)


@given(st.lists(encoded.metadata, max_size=3), st.lists(st.integers(0, 2000)))
def test_any_cut_of_the_bytes_gives_the_same_page(metas: list[Any], places: list[int]) -> None:
    body = protobuf_list(*metas, version="9", continue_="more")
    arriving = ArrivingMessages()
    for block in cut(body, places):
        arriving.feed(block)
    assert arriving.page() == read(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cut off"),
        (b'{"items":[]}', "does not begin"),
        (b"k8s\0", "without a kind"),
        (envelope("v1", "Status", field(1, "x")), "got a Status"),
        (envelope(encoded.META, "PartialObjectMetadataList", b""), "no metadata"),
        (envelope(encoded.META, "PartialObjectMetadataList", b"\x0b"), "type 3"),
        (protobuf_list(WEB)[:-9], "cut off"),
        (b"k8s\0" + b"\xff" * 20, "too long"),
    ],
)
def test_what_is_no_list_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=why):
        read(body)


def test_an_item_that_is_longer_than_its_list_is_refused_before_it_came() -> None:
    body = field(1, field(2, "9")) + field(2, message(WEB)) + b"\x12" + varint(1 << 40) + b"..."
    with pytest.raises(msgspec.DecodeError, match="longer than its list"):
        read(envelope(encoded.META, "PartialObjectMetadataList", body))


@given(st.lists(encoded.metadata, max_size=2), st.data())
def test_bytes_that_were_changed_are_read_or_refused(metas: list[Any], data: st.DataObject) -> None:
    body = bytearray(protobuf_list(*metas, version="9"))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(msgspec.DecodeError):
        read(bytes(body))


def test_other_threads_get_a_turn_while_a_long_page_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []
    monkeypatch.setattr(pages, "give_way", lambda: turns.append(None))
    body = protobuf_list(*([WEB | {"annotations": {"note": "x" * 2000}}] * 1000), version="9")
    assert sum(1 for _ in read(body).decoded(decode_protobuf, "v1", "Pod")) == 1000
    assert len(turns) == len(body) // TURN
