"""Protobuf on the wire: bytes to numbered fields, and the values of those that are no messages.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = 0, 1, 2, 3, 4, 5

Occurrence = tuple[int, int, bytes]
"""A field as it came: its wire type, its number (0 where it is bytes) and its bytes."""

Occurrences = dict[int, list[Occurrence]]
"""Fields by number, in the order in which they came."""


class Malformed(ValueError):
    """Bytes that are no protobuf message, or not the one that was expected."""


def occurrences(data: bytes) -> Occurrences:
    """Every field of a message. Groups, which Kubernetes never uses, are passed over."""
    found: Occurrences = {}
    at, groups = 0, 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire_type = tag >> 3, tag & 7
        value, raw = 0, b""
        if not field:
            raise Malformed(f"proto: illegal tag {field} (wire type {wire_type})")
        if wire_type == VARINT:
            value, at = _varint(data, at)
        elif wire_type in (FIXED64, FIXED32):
            raw, at = _take(data, at, 8 if wire_type == FIXED64 else 4)
        elif wire_type == BYTES:
            length, at = _varint(data, at)
            raw, at = _take(data, at, length)
        elif wire_type == GROUP:
            groups += 1
        elif wire_type == GROUP_END and groups:
            groups -= 1
            continue
        else:
            raise Malformed(f"proto: illegal wireType {wire_type}")
        if not groups:
            found.setdefault(field, []).append((wire_type, value, raw))
    if groups:
        raise Malformed("unexpected EOF")
    return found


def payloads(found: Sequence[Occurrence]) -> list[bytes]:
    """The bytes of a field that is bytes."""
    for wire_type, _, _ in found:
        _expect(wire_type, BYTES)
    return [raw for _, _, raw in found]


def payload(found: Sequence[Occurrence]) -> bytes:
    """A message that came in parts: one after the other they are the whole."""
    return b"".join(payloads(found))


def number(found: Occurrences, field: int) -> int:
    """The last number in a field; 0 if there is none."""
    numbers: list[int] = scalars("int64", found.get(field, ()))
    return numbers[-1] if numbers else 0


def scalars(kind: str, found: Sequence[Occurrence]) -> list[Any]:
    """All values of a field of a type that is no message; numbers may come packed."""
    if kind == "bytes":
        return payloads(found)
    if kind == "string":
        return [raw.decode("utf-8", "replace") for raw in payloads(found)]
    values: list[Any] = []
    for wire_type, value, raw in found:
        if kind == "double":
            values += _doubles(wire_type, raw)
        elif wire_type == BYTES:
            values += [_number(kind, one) for one in _packed(raw)]
        else:
            _expect(wire_type, VARINT)
            values.append(_number(kind, value))
    return values


def _number(kind: str, value: int) -> int | bool:
    if kind == "bool":
        return value != 0
    bits = 32 if kind == "int32" else 64
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _packed(raw: bytes) -> list[int]:
    values, at = [], 0
    while at < len(raw):
        value, at = _varint(raw, at)
        values.append(value)
    return values


def _doubles(wire_type: int, raw: bytes) -> list[int | float]:
    """Go's JSON writes 5 for a double of 5."""
    if wire_type not in (FIXED64, BYTES) or len(raw) % 8:
        raise Malformed(f"proto: wrong wireType = {wire_type}")
    values = struct.unpack(f"<{len(raw) // 8}d", raw)
    return [int(one) if one.is_integer() and abs(one) < 1e21 else one for one in values]


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Malformed(f"proto: wrong wireType = {found}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Malformed("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise Malformed("proto: integer overflow")


def _take(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(data):
        raise Malformed("unexpected EOF")
    return data[at : at + length], at + length
