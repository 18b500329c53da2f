"""Metadata in protobuf for those who ask for it: an answer that is ready in JSON, written anew.

What the faults made of an item of a list, or of a line of a watch, comes as it is where it has no form in protobuf: in
place of the item's message, or of the event in a frame.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from .protobuf import MEDIA_TYPE, Field, table
from .wire import Response, Stream

Json = dict[str, Any]

# What the table of request bodies does not have: fields by number, in the order in which they are written.
_LIST_META = (
    Field(2, "resourceVersion", "string", ""),
    Field(3, "continue", "string", ""),
    Field(4, "remainingItemCount", "int64", "p"),
)
_ANSWERS: dict[str, tuple[Field, ...]] = {
    "PartialObjectMetadata": (Field(1, "metadata", "meta.v1.ObjectMeta", ""),),
    "PartialObjectMetadataList": (
        Field(1, "metadata", "ListMeta", ""),
        Field(2, "items", "PartialObjectMetadata", "r"),
    ),
    "ListMeta": _LIST_META,
    "Status": (
        Field(1, "metadata", "ListMeta", ""),
        Field(2, "status", "string", ""),
        Field(3, "message", "string", ""),
        Field(4, "reason", "string", ""),
        Field(5, "details", "StatusDetails", "p"),
        Field(6, "code", "int32", ""),
    ),
    "StatusDetails": (
        Field(1, "name", "string", ""),
        Field(2, "group", "string", ""),
        Field(3, "kind", "string", ""),
        Field(4, "causes", "StatusCause", "r"),
        Field(5, "retryAfterSeconds", "int32", ""),
        Field(6, "uid", "string", ""),
    ),
    "StatusCause": (
        Field(1, "reason", "string", ""),
        Field(2, "message", "string", ""),
        Field(3, "field", "string", ""),
    ),
}


# Of what has no form in protobuf.
_SPOILT = (msgspec.MsgspecError, LookupError, TypeError, AttributeError, ValueError)


def in_protobuf(answer: Response | Stream) -> Response | Stream:
    """The same answer in protobuf."""
    if isinstance(answer, Response):
        return replace(answer, body=_object(msgspec.json.decode(answer.body)), content_type=MEDIA_TYPE)
    frames = ([_frame(line) for line in lines] for lines in answer.lines)
    return replace(answer, lines=frames, content_type=f"{MEDIA_TYPE};stream=watch")


def _frame(line: bytes) -> bytes:
    try:
        event = msgspec.json.decode(line)
        frame = field(1, event["type"]) + field(2, field(1, _object(event["object"])))
    except _SPOILT:
        frame = line
    return len(frame).to_bytes(4, "big") + frame


def _object(document: Json) -> bytes:
    kind = document["kind"]
    return envelope(document["apiVersion"], kind, encode(kind, document))


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """What the object is, and the object."""
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) + field(3, "") + field(4, "")


def encode(name: str, value: Mapping[str, Any]) -> bytes:
    """One message by its name, from its JSON."""
    fields: Sequence[Field] = _ANSWERS.get(name) or table().messages[name]
    return b"".join(_encoded(one, value.get(one.name)) for one in fields)


def _encoded(one: Field, value: Any) -> bytes:
    if value is None:
        return b""
    if "m" in one.flags:
        entries = (field(1, key) + _single(2, one.type, item) for key, item in value.items())
        return b"".join(field(one.number, entry) for entry in entries)
    if "r" in one.flags:
        return b"".join(_item(one, item) for item in value)
    return _single(one.number, one.type, value)


def _item(one: Field, value: Any) -> bytes:
    try:
        return _single(one.number, one.type, value)
    except _SPOILT:
        if one.type != "PartialObjectMetadata":
            raise
        return field(one.number, msgspec.json.encode(value))


def _single(number: int, kind: str, value: Any) -> bytes:
    if kind == "meta.v1.Time":
        return field(number, field(1, int(datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp())))
    if kind == "meta.v1.FieldsV1":
        return field(number, field(1, msgspec.json.encode(value)))
    return field(number, encode(kind, value) if isinstance(value, dict) else value)


def field(number: int, value: int | bytes | str) -> bytes:
    """A field with its tag: numbers as varints, the rest with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A number, seven bits a byte, the lowest first; a negative one as 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
