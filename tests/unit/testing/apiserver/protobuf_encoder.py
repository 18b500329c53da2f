"""A small encoder, for tests of the decoder: the inverse of it, written from the encoding's description alone."""

from __future__ import annotations

import struct
from typing import Any

from kubewatch.testing.apiserver.protobuf import Field, Messages

_NUMBERS = ("bool", "int32", "int64")


def varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number: int, value: int | bytes | str | float) -> bytes:
    """A field with its tag: numbers as varints, floats in eight bytes, the rest with its length."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


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


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """A request's body: what the object is, and the object."""
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) + field(3, "") + field(4, "")
