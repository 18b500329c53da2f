"""A page of a list: its bytes become the JSON of each object, a few at a time.

A page is megabytes. Cutting it up in one call would keep every other thread waiting for that long, and its objects in
memory twice. So a long page is cut where its objects are pulled. Where an object ends is guessed, from how the first
one begins, and proved by decoding it: a JSON value that is complete ends where it ends. A wrong guess (the same bytes
within an object) is no value. Then, and for those who want the JSON alone, a stretch of `STRETCH` bytes is looked over
as a list. A page that is not written as Go writes it is cut up in one call.

An item that is no JSON is handed out like the others, and whoever decodes it will see; `brackets.py` finds its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from .brackets import objects_in
from .decode import Decode
from .fields import open_level
from .turns import TURN, give_way

T = TypeVar("T")

# Bytes that are cut up in one go, about: some 40 µs in which no other thread runs. Fits into the processor's cache.
STRETCH = 65536

# Bytes in which the members before the items, and those of an object before its metadata, are looked for.
HEAD = 8192

_ITEMS = b'"items":['
_METADATA = b'"metadata":'
_ITEMS_ANYHOW = re.compile(rb'"items"[ \t\r\n]*:[ \t\r\n]*\[').finditer


class _ListMeta(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class _List(msgspec.Struct, gc=False, rename="camel"):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None  # null is empty; absent, it is no list but an object
    api_version: str = ""
    kind: str = ""


class Odd(msgspec.Struct, frozen=True, gc=False):
    """The JSON of an item that does not decode, and what was raised."""

    raw: bytes
    error: Exception


class Page(msgspec.Struct, frozen=True, gc=False):
    """One page of a list: the JSON of each item, the list's version, and how to go on.

    `items` may be gone through once; that raises `msgspec.DecodeError` where the page turns out to be no JSON. An item
    may be none though the page is, but for it.
    `continue_` is empty on the last page; `remaining` (objects) is what is left, None where the server does not say.
    """

    items: Iterable[bytes]
    api_version: str = ""
    kind: str = ""
    resource_version: str = ""
    continue_: str = ""
    remaining: int | None = None

    def decoded(self, decode: Decode[T], api_version: str, kind: str) -> Iterator[T | Odd]:
        """What `decode` makes of each item; in its place, for one that it raises for, that error."""
        if isinstance(self.items, Long):
            return self.items.decoded(decode, api_version, kind)
        return (_decoded(raw, decode, api_version, kind) for raw in self.items)


def _decoded(raw: bytes, decode: Decode[T], api_version: str, kind: str) -> T | Odd:
    try:
        return decode(raw, api_version, kind)
    except Exception as error:  # whatever a user's model raises
        return Odd(raw, error)


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
    page = _decode_long(body, size) if size > STRETCH else None
    if page is not None:
        return page
    try:
        return _page(_split(body, size))
    except msgspec.ValidationError:
        raise  # it is JSON, and no list
    except msgspec.DecodeError:
        page = _decode_broken(body, size)
        if page is None:
            raise
    return page


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
    if start < len(_ITEMS) or end <= start or opening < start:
        return None
    head = _without_items(body, size, start, end)
    if head is None:
        return None
    return _page(head, Long(body, size, start, end, b"}," + body[start:opening], head))


def _decode_broken(body: bytearray, size: int) -> Page | None:
    """The page, if all of it but some items is JSON, and each of those ends for certain."""
    for start in (match.end() for match in _ITEMS_ANYHOW(body, 0, min(size, HEAD))):
        if _is_member(body, start):
            places = list(objects_in(body, start, size))
            head = _without_items(body, size, start, body.index(b"]", places[-1][1]))
            view = memoryview(body)
            return None if head is None else _page(head, [bytes(view[start:stop]) for start, stop in places])
    return None


def _without_items(body: bytearray, size: int, start: int, end: int) -> _List | None:
    """The page without its items; None where they do not stand from `start` to `end`."""
    rest = body[end:size]
    # "items" could stand there a second time, and would then count; or be spelled with escapes.
    if b'"items"' in rest or b"\\" in rest or not _is_member(body, start):
        return None
    try:
        return _decode_list(body[:start] + rest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_member(body: bytearray, start: int) -> bool:
    """Whether the items, which begin at `start`, are a member of the page itself, and not of something in it."""
    try:
        open_level(body[:start] + b"]}")  # complete without them
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


class Long:
    """The items of a long page, to be gone through once.

    They stand in `body` from `start` to `end`; `between` is how one ends and the next begins; `head` is the page
    without them. `refuse` makes what is raised, where the page is no JSON, of what is wrong with it.
    """

    def __init__(self, body: bytearray, size: int, start: int, end: int, between: bytes, head: _List) -> None:
        self.body = body
        self.used_up = False  # nobody needs the body any more
        self.refuse: Callable[[Exception], Exception] = lambda error: error
        self._size = size
        self._start = start
        self._end = end
        self._between = between
        self._head = head

    def __iter__(self) -> Iterator[bytes]:
        at = self._start
        while at < self._end:
            items, at = self._stretch(at)
            yield from items
        self._finish()

    def decoded(self, decode: Decode[T], api_version: str, kind: str) -> Iterator[T | Odd]:
        """Like `Page.decoded`; `decode` raises for what is not one JSON value, as every `Decode` does."""
        at, end, between, find, view = self._start, self._end, self._between, self.body.find, memoryview(self.body)
        skip, turn = 0, at + TURN
        while at < end:
            if at >= turn:
                turn = at + TURN
                give_way()
            stop = find(between, at + skip, end) + 1 or end
            try:
                obj = decode(bytes(view[at:stop]), api_version, kind)
            except Exception:  # of a wrong guess, or of an odd object
                items, at = self._stretch(at)
                for raw in items:
                    yield _decoded(raw, decode, api_version, kind)
                skip = 0
                continue
            # The next one is about as long, and its end is not looked for where it will not be: that takes time, too.
            skip = (stop - at) * 3 // 4
            at = stop + 1  # behind the comma
            yield obj
        self._finish()

    def _finish(self) -> None:
        self.used_up = True
        if not self._head.metadata.continue_:
            self.body = bytearray()  # no page comes to be read over it

    def _stretch(self, at: int) -> tuple[Iterable[bytes], int]:
        """Some items from `at` on, and where the next one begins."""
        body, end, reach, step = self.body, self._end, at + STRETCH, 256
        while True:
            stop = body.find(self._between, reach, end) + 1 or end
            around = body[at - 1], body[stop]
            # What is a comma for now a bracket, so that a list stands there, and need not be copied to be one.
            body[at - 1], body[stop] = b"[]"
            try:
                # Copied, or keeping one item would keep the page.
                return [bytes(item) for item in _decode_items(memoryview(body)[at - 1 : stop + 1])], stop + 1
            except (msgspec.DecodeError, RecursionError):
                if stop < end:
                    # Within an object. The next guess may be as wrong, so the steps grow: there are few of them.
                    reach, step = stop + step, 2 * step
                    continue
            finally:
                body[at - 1], body[stop] = around
            return self._one_by_one(at), end

    def _one_by_one(self, at: int) -> Iterator[bytes]:
        """What is left of a list of which some object is no JSON, or which does not end where it seemed to."""
        body, stop = self.body, at
        try:
            for start, stop in objects_in(body, at, self._size):
                yield bytes(memoryview(body)[start:stop])
            closing = body.index(b"]", stop)
            if closing != self._end:
                yield from self._rest(closing + 1)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self.refuse(error) from error

    def _rest(self, at: int) -> list[bytes]:
        # Not a list up to the end that was assumed: only the whole page tells what it is.
        whole = _split(self.body, self._size)
        items = [bytes(item) for item in whole.items or ()]
        before = [bytes(item) for item in _decode_items(b"[" + self.body[self._start : at - 1] + b"]")]
        if before != items[: len(before)] or _page(whole, ()) != _page(self._head, ()):
            raise msgspec.DecodeError("a member of it is there twice")
        return items[len(before) :]
