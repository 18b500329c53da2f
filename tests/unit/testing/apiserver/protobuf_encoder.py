"""The embedded server's encoder, and what tests of decoders want more: floats, and messages by any table."""

from __future__ import annotations

import struct
from typing import Any

from kubewatch.testing.apiserver import protobuf_answers
from kubewatch.testing.apiserver.protobuf import Field, Messages
from kubewatch.testing.apiserver.protobuf_answers import envelope, varint

__all__ = ["encode", "envelope", "field", "varint"]

_NUMBERS = ("bool", "int32", "int64")


def field(number: int, value: int | bytes | str | float) -> bytes:
    """A field with its tag; floats in eight bytes, which no metadata have."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return protobuf_answers.field(number, value)


def encode(name: str, value: dict[str, Any], messages: Messages) -> bytes:
    """A message; fields of messages that the table does not have are taken to be encoded already."""
    return b"".join(_encoded(one, value.get(one.name), messages) for one in messages[name])


def _encoded(one: Field, value: Any, messages: Messages) -> bytes:
    if value is None:
        return b""
    if "m" in one.flags:
        entries = (field(1, key) + _single(2, one.type, item, messages) for key, item in value.items())
        return b"".join(field(one.number, entry) for entry in entries)
    if "r" in one.flags:
        return b"".join(_single(one.number, one.type, item, messages) for item in value)
    return _single(one.number, one.type, value, messages)


def _single(number: int, kind: str, value: Any, messages: Messages) -> bytes:
    if kind in _NUMBERS:
        return field(number, int(value))
    return field(number, encode(kind, value, messages) if kind in messages else value)
