"""Objects in Kubernetes' protobuf encoding, into the dicts that their JSON would give.

A body is the four bytes ``k8s\\0`` and a ``runtime.Unknown``: what the object is, and its own message as bytes. Which
field of a message is what says a table that is made from Kubernetes' published definitions and read when the first
such body comes.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from .protobuf_values import duration, int_or_string, json_of, micro_time, time
from .protobuf_wire import Malformed, Occurrence, Occurrences, number, occurrences, payload, payloads, scalars

Json = dict[str, Any]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
TABLE_FILE = Path(__file__).parent / "protobuf_messages.json"

_PREFIX = b"k8s\x00"
_ZEROS = {"string": "", "bytes": b"", "bool": False, "int32": 0, "int64": 0, "double": 0}
_DEEPEST = 100  # messages within messages


class NoEnvelope(Malformed):
    """A body that does not begin as an object in protobuf does, or ends there."""


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A field of a message. Flags: r repeated · m map by text · l the message is this list · p absent or there (a
    pointer in Go) · i its fields are those of the message around it · o left out when empty · z also when zero."""

    number: int
    name: str
    type: str
    flags: str


class Table(msgspec.Struct, frozen=True):
    """All messages by name, and which of them each kind is; ``modules`` says of which version of Kubernetes."""

    source: str
    modules: dict[str, str]
    kinds: dict[str, str]
    messages: dict[str, tuple[Field, ...]]


@cache
def table() -> Table:
    """The table that comes with the package."""
    return msgspec.json.decode(TABLE_FILE.read_bytes(), type=Table)


def decode_object(body: bytes, api_version: str, kind: str) -> Json:
    """The object in a request's body; of the kind given if it does not say of which it is.

    Raises ``NoEnvelope`` for what is no object at all, ``Malformed`` for one that cannot be read.
    """
    if not body.startswith(_PREFIX):
        shown = " ".join(str(byte) for byte in _PREFIX)
        raise NoEnvelope(f"provided data does not appear to be a protobuf message, expected prefix [{shown}]")
    if body == _PREFIX:
        raise NoEnvelope("empty body")
    unknown = occurrences(body[len(_PREFIX) :])
    said = decode_message("runtime.TypeMeta", payload(unknown.get(1, ())), _TYPE_META)
    api_version, kind = said["apiVersion"] or api_version, said["kind"] or kind
    # Every group has options of its own to delete with, and all are the same.
    found = f"meta.k8s.io/v1/{kind}" if kind == "DeleteOptions" else f"{api_version}/{kind}"
    message = table().kinds.get(found)
    if message is None:
        raise Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    fields: Json = decode_message(message, payload(unknown.get(2, ())), table().messages)
    return {"kind": kind, "apiVersion": api_version} | fields


_TYPE_META = {"runtime.TypeMeta": (Field(1, "apiVersion", "string", ""), Field(2, "kind", "string", ""))}

Messages = Mapping[str, Sequence[Field]]


def decode_message(name: str, data: bytes, messages: Messages, depth: int = 0) -> Any:
    """One message by its name, with the fields that the JSON of its Go struct would have; raises ``Malformed``."""
    if depth > _DEEPEST:
        raise Malformed(f"more than {_DEEPEST} messages within each other")
    found = occurrences(data)
    special = SPECIAL.get(name)
    if special is not None:
        return special.read(found, messages, depth)
    result: Json = {}
    for field in messages[name]:
        value = _value(field, found.get(field.number, ()), messages, depth + 1)
        if "l" in field.flags:
            return value
        if "i" in field.flags:
            result.update(value or {})
        elif not _left_out(field, value):
            result[field.name] = b64encode(value).decode() if isinstance(value, bytes) else value
    return result


def _left_out(field: Field, value: Any) -> bool:
    """By Go's rules: omitempty leaves out what is absent, false, 0 or without items, but no struct, be it empty."""
    if "z" in field.flags:
        return not value
    if "o" not in field.flags:
        return False
    if "p" in field.flags:
        return value is None
    return not value and (field.type in _ZEROS or "r" in field.flags or "m" in field.flags)


def _value(field: Field, found: Sequence[Occurrence], messages: Messages, depth: int) -> Any:
    if "m" in field.flags:
        return _map(field, found, messages, depth) if found else None
    if field.type not in _ZEROS:
        if "r" in field.flags:
            return [decode_message(field.type, one, messages, depth) for one in payloads(found)] or None
        if "p" in field.flags and not found:
            return None
        return decode_message(field.type, payload(found), messages, depth)  # of many, the parts of one
    values = scalars(field.type, found)
    if "r" in field.flags or "l" in field.flags:
        return [b64encode(one).decode() if isinstance(one, bytes) else one for one in values] or None
    if not values:
        return None if "p" in field.flags or field.type == "bytes" else _ZEROS[field.type]
    return values[-1]


def _map(field: Field, found: Sequence[Occurrence], messages: Messages, depth: int) -> Json:
    """Each entry is a message: the key in field 1, the value in field 2."""
    result: Json = {}
    for entry in payloads(found):
        parts = occurrences(entry)
        keys = scalars("string", parts.get(1, ()))
        value = _value(Field(2, "", field.type, ""), parts.get(2, ()), messages, depth)
        if field.type == "bytes":
            value = b64encode(value or b"").decode()
        result[keys[-1] if keys else ""] = value
    return result


# --- messages whose JSON is not that of their fields ---

Reader = Callable[[Occurrences, Messages, int], Any]


@dataclass(frozen=True)
class Special:
    """How such a message is read, and which other messages it holds."""

    read: Reader
    holds: tuple[str, ...] = ()


def _plain(read: Callable[[Occurrences], Any]) -> Special:
    return Special(lambda found, messages, depth: read(found))


_SCHEMA = "apiextensions.v1.JSONSchemaProps"


def _quantity(found: Occurrences) -> str:
    texts: list[str] = scalars("string", found.get(1, ()))
    return texts[-1] if texts and texts[-1] else "0"


def _schema(found: Occurrences, messages: Messages, depth: int) -> Any:
    """The schema in field 1; None if there is none."""
    data = found.get(1, ())
    return decode_message(_SCHEMA, payload(data), messages, depth + 1) if data else None


def _schema_or_bool(found: Occurrences, messages: Messages, depth: int) -> Any:
    if 2 in found:
        return decode_message(_SCHEMA, payload(found[2]), messages, depth + 1)
    return bool(number(found, 1))


def _schema_or_schemas(found: Occurrences, messages: Messages, depth: int) -> Any:
    many = [decode_message(_SCHEMA, one, messages, depth + 1) for one in payloads(found.get(2, ()))]
    return many or _schema(found, messages, depth)


def _schema_or_texts(found: Occurrences, messages: Messages, depth: int) -> Any:
    return scalars("string", found.get(2, ())) or _schema(found, messages, depth)


SPECIAL: Mapping[str, Special] = {
    "apiextensions.v1.JSON": _plain(json_of),
    "apiextensions.v1.JSONSchemaPropsOrArray": Special(_schema_or_schemas, (_SCHEMA,)),
    "apiextensions.v1.JSONSchemaPropsOrBool": Special(_schema_or_bool, (_SCHEMA,)),
    "apiextensions.v1.JSONSchemaPropsOrStringArray": Special(_schema_or_texts, (_SCHEMA,)),
    "intstr.IntOrString": _plain(int_or_string),
    "meta.v1.Duration": _plain(duration),
    "meta.v1.FieldsV1": _plain(json_of),
    "meta.v1.MicroTime": _plain(micro_time),
    "meta.v1.Time": _plain(time),
    "resource.Quantity": _plain(_quantity),
    "runtime.RawExtension": _plain(json_of),
}
