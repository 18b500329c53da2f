"""A page of a list: its bytes become the JSON of each object while they arrive.

A page is megabytes, and by the time that all of it is there, its beginning has left the processor's caches. So it is
cut up as it comes (`Arriving`), into what is then kept. Where an object ends is guessed, from how the first one begins,
and proved when it is decoded: a JSON value that is complete ends where it ends. A wrong guess (the same bytes within an
object) is no value. Then pieces are put together again, `STRETCH` bytes of them, and read as a list. A page that is not
written as Go writes it is cut up in one call.

An item that is no JSON is handed out like the others, and whoever decodes it will see; `brackets.py` finds its end.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from .brackets import objects_in
from .decode import Decode
from .fields import open_level
from .turns import TURN, give_way
from .unshown import Unshown

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


class Odd(Unshown, frozen=True, gc=False):
    """The JSON of an item that does not decode, and what was raised."""

    raw: bytes
    error: Exception


class Page(Unshown, frozen=True, gc=False):
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
        return _each(self.items, decode, api_version, kind)


def _each(items: Iterable[bytes], decode: Decode[T], api_version: str, kind: str) -> Iterator[T | Odd]:
    turn = TURN
    for raw in items:
        turn -= len(raw)
        if turn < 0:
            turn = TURN
            give_way()
        yield _decoded(raw, decode, api_version, kind)


def _decoded(raw: bytes, decode: Decode[T], api_version: str, kind: str) -> T | Odd:
    try:
        return decode(raw, api_version, kind)
    except Exception as error:  # whatever a user's model raises
        return Odd(raw, error)


_decode_list = msgspec.json.Decoder(_List).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.json.Decoder(msgspec.Raw).decode


def decode_page(body: bytes) -> Page:
    """One page of a list; raises `msgspec.DecodeError` where the bytes are none."""
    arriving = Arriving()
    arriving.feed(body)
    return arriving.page()


class Arriving:
    """A page that is being received: `feed` it with its bytes, split anywhere, then take the `page`.

    >>> arriving = Arriving()
    >>> for block in (b'{"metadata": {}, "items": [{"a": 1},', b' {"a": 2}]}'):
    ...     arriving.feed(block)
    >>> list(arriving.page().items)
    [b'{"a": 1}', b'{"a": 2}']
    """

    def __init__(self) -> None:
        self._opening = b""  # the page up to its items; empty where they were not found, or not yet
        self._between = b""  # how an item ends and the next begins, a comma between them
        self._pieces: list[bytes] = []  # what was cut: the items, if all guesses are right
        self._skip = 0  # bytes of an item in which its end is not looked for
        self._blocks: list[bytes] = []  # what comes behind these pieces
        self._size = 0  # of the blocks
        self._seam = b""  # their last bytes, in which the beginning of an end can be

    def feed(self, block: bytes) -> None:
        """The next bytes."""
        if self._opening:
            self._cut(block)
            return
        self._blocks.append(block)
        self._size += len(block)
        if self._size >= STRETCH:
            self._begin()

    def page(self) -> Page:
        """The page, all of which was fed; raises `msgspec.DecodeError` where it is none."""
        rest = b"".join(self._blocks)
        end = rest.rfind(b"}]") + 1  # where the items end, by all appearances
        head = _without_items(self._opening, rest[end:]) if self._opening and end else None
        if head is not None:
            return _page(head, Long(self._opening, [*self._pieces, rest[:end]], rest[end:], head))
        return _decode_whole(self.received())

    def received(self) -> bytes:
        """All that was fed."""
        return self._opening + b",".join([*self._pieces, b"".join(self._blocks)])

    def _begin(self) -> None:
        text = b"".join(self._blocks)
        start = text.find(_ITEMS, 0, HEAD) + len(_ITEMS)
        opening = text.find(_METADATA, start, start + HEAD) + len(_METADATA)
        if start < len(_ITEMS) or opening < start:
            self._size = -sys.maxsize  # it is written in an unusual way
            return
        self._opening, self._between = text[:start], b"}," + text[start:opening]
        self._blocks, self._size = [], 0
        self._cut(text[start:])

    def _cut(self, block: bytes) -> None:
        between, skip, at = self._between, self._skip, 0
        overlap = len(between) - 1
        seam = self._seam + block[:overlap]
        if between in seam:  # across the edge
            block = b"".join((*self._blocks, block))
            self._blocks, self._size = [], 0
        stop = block.find(between, max(skip - self._size, 0)) + 1
        if stop > 0 and self._blocks:
            self._pieces.append(b"".join((*self._blocks, block[:stop])))
            self._blocks, self._size = [], 0
            at = stop + 1
            stop = block.find(between, at + skip) + 1
        while stop > 0:
            self._pieces.append(block[at:stop])
            # Objects of a list are about as long. Most of one is passed over, as to look through it takes time, too.
            limit = (stop - at) * 7 // 8
            skip += (skip >> 3) + 64
            if skip > limit:
                skip = limit
            at = stop + 1  # behind the comma
            stop = block.find(between, at + skip) + 1
        self._skip = skip
        self._blocks.append(block[at:])
        self._size += len(block) - at
        self._seam = (seam if len(block) < overlap else block)[-overlap:]


def _decode_whole(body: bytes) -> Page:
    try:
        return _page(_split(body))
    except msgspec.ValidationError:
        raise  # it is JSON, and no list
    except msgspec.DecodeError:
        page = _decode_broken(body)
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


def _split(body: bytes) -> _List:
    try:
        return _decode_list(body)
    except RecursionError as error:
        raise msgspec.DecodeError("an object in it is nested too deep") from error


def _decode_broken(body: bytes) -> Page | None:
    """The page, if all of it but some items is JSON, and each of those ends for certain."""
    for start in (match.end() for match in _ITEMS_ANYHOW(body, 0, HEAD)):
        if _opens(body[:start]):
            places = list(objects_in(body, start))
            head = _without_items(body[:start], body[body.index(b"]", places[-1][1]) :])
            return None if head is None else _page(head, [body[start:stop] for start, stop in places])
    return None


def _without_items(opening: bytes, rest: bytes) -> _List | None:
    """The page of which this is before and behind the items; None where it is not."""
    # "items" could stand there a second time, and would then count; or be spelled with escapes.
    if b'"items"' in rest or b"\\" in rest or not _opens(opening):
        return None
    try:
        return _decode_list(opening + rest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _opens(opening: bytes) -> bool:
    """Whether the items, which begin behind it, are a member of the page itself, and not of something in it."""
    try:
        open_level(opening + b"]}")  # complete without them
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


class Long:
    """The items of a long page, to be gone through once: `pieces`, if what was guessed is right.

    They were cut at commas, and stand between `opening` and `rest`; `head` is the page without them. `refuse` makes
    what is raised, where the page is no JSON, of what is wrong with it.
    """

    def __init__(self, opening: bytes, pieces: list[bytes], rest: bytes, head: _List) -> None:
        self.refuse: Callable[[Exception], Exception] = lambda error: error
        self._opening = opening
        self._pieces = pieces
        self._rest = rest
        self._head = head

    def __iter__(self) -> Iterator[bytes]:
        for item in self.decoded(_checked, "", ""):
            yield item.raw if isinstance(item, Odd) else item

    def decoded(self, decode: Decode[T], api_version: str, kind: str) -> Iterator[T | Odd]:
        """Like `Page.decoded`; `decode` raises for what is not one JSON value, as every `Decode` does."""
        pieces, at, turn = self._pieces, 0, TURN
        count = len(pieces)
        while at < count:
            piece = pieces[at]
            turn -= len(piece)
            if turn < 0:
                turn = TURN
                give_way()
            try:
                obj = decode(piece, api_version, kind)
            except Exception:  # of a wrong guess, or of an odd object
                items, at = self._together(at)
                for raw in items:
                    turn -= len(raw)
                    yield _decoded(raw, decode, api_version, kind)
                continue
            at += 1
            yield obj

    def _together(self, at: int) -> tuple[Iterable[bytes], int]:
        """Some items from the piece `at` on, and the piece with which the next one begins."""
        pieces, end, size, step = self._pieces, at, 0, 1
        while end < len(pieces) and size < STRETCH:
            size += len(pieces[end])
            end += 1
        while True:
            try:
                # Copied, or keeping one item would keep all of them.
                return [bytes(item) for item in _decode_items(b"[%b]" % b",".join(pieces[at:end]))], end
            except (msgspec.DecodeError, RecursionError):
                if end >= len(pieces):
                    return self._one_by_one(at), end
            # Within an object. The next guess may be as wrong, so the steps grow: there are few of them.
            end, step = end + step, 2 * step

    def _one_by_one(self, at: int) -> Iterator[bytes]:
        """What is left of a list of which some object is no JSON, or which does not end where it seemed to."""
        try:
            try:
                whole = _split(self._opening + b",".join(self._pieces) + self._rest)
            except msgspec.DecodeError:
                yield from self._broken(at)
            else:
                yield from self._elsewhere(whole, at)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self.refuse(error) from error

    def _broken(self, at: int) -> Iterator[bytes]:
        body, stop = b",".join(self._pieces[at:]) + self._rest, 0
        for start, stop in objects_in(body, 0):
            yield body[start:stop]
        if body.index(b"]", stop) != len(body) - len(self._rest):
            raise msgspec.DecodeError("an object of it is broken, and it is not certain that the list ends there")

    def _elsewhere(self, whole: _List, at: int) -> list[bytes]:
        """What comes behind the items that were handed out, of a list that does not end where it seemed to."""
        items, handed_out = whole.items or [], _decode_items(b"[%b]" % b",".join(self._pieces[:at]))
        if handed_out != items[: len(handed_out)] or _page(whole, ()) != _page(self._head, ()):
            raise msgspec.DecodeError("a member of it is there twice, or behind one with a list in it")
        return [bytes(item) for item in items[len(handed_out) :]]


def _checked(raw: bytes, api_version: str, kind: str) -> bytes:
    _decode_one(raw)
    return raw
