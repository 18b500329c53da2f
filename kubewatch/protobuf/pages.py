"""A page of a list in protobuf: its bytes become the envelope of each object, while they come."""

from __future__ import annotations

import msgspec

from kubewatch.pages import Page

from .messages import DecodeError, reader, shown
from .values import MAGIC, META, PARTIAL

_type_meta = reader("TypeMeta")
_list_meta = reader("ListMeta")

# What stands before an object where the server sends it by itself; then come its length, and the object.
_BEFORE = MAGIC + b"\n'\n\x0e%b\x12\x15%b\x12" % (META.encode(), PARTIAL.encode())

# What a field's tag says of how its value is written.
_NUMBER, _WITH_LENGTH = 0, 2

_LONGEST_NUMBER = 10  # bytes


class ArrivingMessages:
    """What `pages.Arriving` is for JSON: `feed` it with the bytes of a page, split anywhere, then take the `page`."""

    def __init__(self) -> None:
        self._begun = False
        self._type = self._meta = b""
        self._items: list[bytes] = []
        self._in_list = 0  # bytes of the list that are not cut up yet; 0 before it and behind it
        self._blocks: list[bytes] = []  # what is not cut up yet of all that came
        self._size = 0  # of these
        self._enough = len(MAGIC)  # of it to cut it up
        self._wrong: Exception | None = None

    def feed(self, block: bytes) -> None:
        """The next bytes."""
        self._blocks.append(block)
        self._size += len(block)
        if self._size >= self._enough:
            text = b"".join(self._blocks)
            try:
                rest = text[self._cut(text) :]
            except msgspec.DecodeError as error:
                self._wrong = self._wrong or error
                rest = b""
            self._blocks, self._size = [rest], len(rest)

    def page(self) -> Page:
        """The page, all of which was fed; raises `msgspec.DecodeError` where it is none."""
        if self._wrong is not None:
            raise self._wrong
        if self._size or self._in_list or not self._begun:
            raise msgspec.DecodeError("it is cut off")
        try:
            kind = shown(_type_meta(self._type).kind)
            if kind != f"{PARTIAL}List":
                raise msgspec.ValidationError(f"expected a {PARTIAL}List, got a {kind or 'message without a kind'}")
            if not self._meta:
                raise msgspec.ValidationError("it has no metadata")
            meta = _list_meta(self._meta)
        except DecodeError as error:
            raise msgspec.DecodeError(str(error)) from error
        return Page(
            self._items,
            META,
            PARTIAL,
            shown(meta.resourceVersion),
            shown(getattr(meta, "continue")),
            meta.remainingItemCount if meta.HasField("remainingItemCount") else None,
        )

    def _cut(self, text: bytes) -> int:
        """Take the fields out of `text` that have come; returns where the first one begins that has not."""
        at, size = 0, len(text)
        if not self._begun:
            if not text.startswith(MAGIC):
                raise msgspec.DecodeError("it does not begin as protobuf does")
            self._begun, at = True, len(MAGIC)
        while at < size:
            found = _field(text, at)
            if found is None:
                self._enough = size - at + 1
                return at
            number, start, end = found
            if number == 2 and not self._in_list:
                self._in_list = end - start
                at = start
                continue
            if self._in_list and end - at > self._in_list:
                raise msgspec.DecodeError("an item is longer than its list")
            if end > size:
                self._enough = end - at
                return at
            if self._in_list:
                self._in_list -= end - at
                if number == 2:
                    self._items.append(b"".join((_BEFORE, varint(end - start), text[start:end])))
                elif number == 1:
                    self._meta = text[start:end]
            elif number == 1:
                self._type = text[start:end]
            at = end
        self._enough = 1
        return at


def _field(text: bytes, at: int) -> tuple[int, int, int] | None:
    """The field that begins at `at`: its number, where its value begins and ends; None if it is not there that far."""
    tag, at = _read_varint(text, at)
    if at and tag & 7 == _NUMBER:
        _, end = _read_varint(text, at)
        return (tag >> 3, at, end) if end else None
    if at and tag & 7 != _WITH_LENGTH:
        raise msgspec.DecodeError(f"it has a field of type {tag & 7}, of which Kubernetes has none")
    length, start = _read_varint(text, at) if at else (0, 0)
    return (tag >> 3, start, start + length) if start else None


def _read_varint(text: bytes, at: int) -> tuple[int, int]:
    """A number, seven bits a byte, the lowest first; and where it ends, which is 0 where the bytes do before."""
    value = 0
    for shift, byte in enumerate(text[at : at + _LONGEST_NUMBER]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, at + shift + 1
    if at + _LONGEST_NUMBER <= len(text):
        raise msgspec.DecodeError("a number in it is too long")
    return 0, 0


def varint(value: int) -> bytes:
    """The inverse: a number as it stands before what has so many bytes."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
