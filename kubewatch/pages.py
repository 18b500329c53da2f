"""A page of a list: its bytes become the JSON of each object, a few at a time.

A page is megabytes. Cutting it up in one call would keep every other thread waiting for that long, and its objects in
memory twice. So a long page is cut where its objects are pulled, in stretches of `STRETCH` bytes. The ends of a
stretch are guessed, from how its first object begins, and then proved: between them there must be complete JSON values,
and they must begin where the ones before ended. A wrong guess (the same bytes within an object) fails the proof, and
the stretch is made longer. A page that is not written as Go writes it is cut up in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .fields import open_level

# Bytes that are cut up in one go, about: some 40 µs in which no other thread runs. Fits into the processor's cache.
STRETCH = 65536

# Bytes in which the members before the items, and those of an object before its metadata, are looked for.
HEAD = 8192

_ITEMS = b'"items":['
_METADATA = b'"metadata":'


class _ListMeta(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class _List(msgspec.Struct, gc=False, rename="camel"):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None  # null is empty; absent, it is no list but an object
    api_version: str = ""
    kind: str = ""


class Page(msgspec.Struct, frozen=True, gc=False):
    """One page of a list: the JSON of each item, the list's version, and how to go on.

    `items` may be gone through once; that raises `msgspec.DecodeError` where the page turns out to be no JSON.
    `continue_` is empty on the last page; `remaining` (objects) is what is left, None where the server does not say.
    """

    items: Iterable[bytes]
    api_version: str = ""
    kind: str = ""
    resource_version: str = ""
    continue_: str = ""
    remaining: int | None = None


_decode_list = msgspec.json.Decoder(_List).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def decode_page(body: bytes | bytearray, size: int | None = None) -> Page:
    """One page of a list, the first `size` bytes of `body`; raises `msgspec.DecodeError` where the bytes are none.

    A bytearray must be left alone until all items are taken.
    """
    if size is None:
        size = len(body)
    if not isinstance(body, bytearray):
        body = bytearray(body)
    return (_decode_long(body, size) if size > STRETCH else None) or _page(_split(body, size))


def _page(whole: _List, items: Iterable[bytes] | None = None) -> Page:
    meta = whole.metadata
    return Page(
        # Copied out of the page, so that keeping one item does not keep the whole page in memory.
        [bytes(item) for item in whole.items or ()] if items is None else items,
        whole.api_version,
        whole.kind.removesuffix("List"),
        meta.resource_version,
        meta.continue_ or "",
        meta.remaining_item_count,
    )


def _split(body: bytearray, size: int) -> _List:
    try:
        return _decode_list(memoryview(body)[:size])
    except RecursionError as error:
        raise msgspec.DecodeError("an object in it is nested too deep") from error


def _decode_long(body: bytearray, size: int) -> Page | None:
    """The page, its items to be cut out as they are pulled; None for one that is written in an unusual way."""
    start = body.find(_ITEMS, 0, HEAD) + len(_ITEMS)
    end = body.rfind(b"}]", 0, size) + 1  # where the items end, by all appearances
    opening = body.find(_METADATA, start, start + HEAD) + len(_METADATA)
    rest = body[end:size]
    # "items" could stand there a second time, and would then count; or be spelled with escapes.
    if start < len(_ITEMS) or end <= start or opening < start or b'"items"' in rest or b"\\" in rest:
        return None
    try:
        # Complete without its items: so they are a member of the page itself, and not of something in it.
        open_level(body[:start] + b"]}")
        head = _decode_list(body[:start] + rest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _page(head, _cut(body, size, start, end, b"}," + body[start:opening], head))


def _cut(body: bytearray, size: int, start: int, end: int, between: bytes, head: _List) -> Iterator[bytes]:
    """The items between `start` and `end`; `between` is how one object ends and the next begins."""
    view, at, done = memoryview(body), start, 0
    while at < end:
        reach, step = at + STRETCH, 256
        while True:
            stop = body.find(between, reach, end) + 1 or end
            around = body[at - 1], body[stop]
            # What is a comma for now a bracket, so that a list stands there, and need not be copied to be one.
            body[at - 1], body[stop] = b"[]"
            try:
                items = _decode_items(view[at - 1 : stop + 1])
                break
            except (msgspec.DecodeError, RecursionError):
                if stop < end:
                    # Within an object. The next guess may be as wrong, so the steps grow: there are few of them.
                    reach, step = stop + step, 2 * step
                    continue
            finally:
                body[at - 1], body[stop] = around
            yield from _uncut(body, size, head, bytes(view[start - 1 : at - 1]) + b"]", done)
            return
        done += len(items)
        for item in items:
            yield bytes(item)  # a copy, or keeping one item would keep the page
        at = stop + 1  # behind the comma


def _uncut(body: bytearray, size: int, head: _List, cut: bytes, done: int) -> list[bytes]:
    """The items of the page behind the `done` ones that were cut out already, which `cut` is the list of."""
    whole = _split(body, size)
    items = [bytes(item) for item in whole.items or ()]
    before = [bytes(item) for item in _decode_items(cut)]
    if before != items[:done] or _page(whole, ()) != _page(head, ()):
        raise msgspec.DecodeError("a member of it is there twice")
    return items[done:]
