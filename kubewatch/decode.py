"""Bytes to values: watch frames, and the objects in them and in lists, each decoded no further than asked.

One pass over an object finds its metadata and checks that all of it is JSON; the rest stays bytes (`fields.py`). What
labels, annotations and owner references hold, and whether all is text (UTF-8), is checked when it is first touched,
which then raises `Unreadable`; `checking` does it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple, TypeVar

import msgspec

from .metadata import ObjectMeta
from .objects import Object, PartialObjectMeta, ProtobufObjectMeta

T = TypeVar("T")

# (the JSON of one object, the API version and the kind to assume where the JSON says none) -> the object
# It raises where the bytes are not exactly one JSON value: who cuts them out of others relies on that.
Decode = Callable[[bytes, str, str], T]


class _Head(msgspec.Struct, gc=False, rename="camel"):
    metadata: ObjectMeta
    api_version: str = ""
    kind: str = ""


_whole_head = msgspec.json.Decoder(_Head).decode


def _head(raw: bytes) -> _Head:
    """Type and metadata of an object, which all of `raw` is.

    All is looked at, so that a key that is there twice counts as ever; but of labels, annotations and owner references
    only what they are.
    """
    head = _whole_head(raw)
    meta = head.metadata
    labels, annotations, owners = meta.own_labels, meta.own_annotations, meta.own_owners
    if labels is not None and _first(labels) != _BRACE:
        _expect_null(labels, "object", "labels")
    if annotations is not None and _first(annotations) != _BRACE:
        _expect_null(annotations, "object", "annotations")
    if owners is not None and _first(owners) != _BRACKET:
        _expect_null(owners, "array", "ownerReferences")
    return head


_first = Struct("c").unpack_from
_BRACE, _BRACKET = (b"{",), (b"[",)


def _expect_null(raw: msgspec.Raw, what: str, name: str) -> None:
    if bytes(raw) != b"null":
        raise msgspec.ValidationError(f"Expected `{what} | null` - at `$.metadata.{name}`")


def decode_object(raw: bytes, api_version: str = "", kind: str = "") -> Object:
    """An object of any kind; raises `msgspec.DecodeError` where the bytes are none.

    >>> decode_object(b'{"metadata": {"name": "web"}, "spec": {"replicas": 2}}', "apps/v1", "Deployment").spec.replicas
    2
    """
    head = _head(raw)
    told_version, told_kind = head.api_version, head.kind
    # The texts that were given, where they are the same, as one text serves all objects then.
    if told_version and told_version != api_version:
        api_version = told_version
    if told_kind and told_kind != kind:
        kind = told_kind
    return Object(raw, head.metadata, api_version, kind)


def decode_partial(raw: bytes, api_version: str = "", kind: str = "") -> PartialObjectMeta:
    """The metadata of an object; its kind is the asked one, as the bytes name the form (`PartialObjectMetadata`)."""
    head = _head(raw)
    if kind == "" or head.kind not in ("", "PartialObjectMetadata"):
        api_version, kind = head.api_version or api_version, head.kind or kind
    return PartialObjectMeta(raw, head.metadata, api_version, kind)


def checking(decode: Decode[T]) -> Decode[T]:
    """`decode`, after a look at every byte: raises at once what would else be raised at first touch.

    But for numbers that no float can be (1e999): those are `Unreadable` when they are touched.

    >>> checking(decode_object)(b'{"metadata": {"name": "web", "labels": {"app": 5}}}', "v1", "Pod")
    Traceback (most recent call last):
        ...
    msgspec.ValidationError: Expected `str`, got `int` - at `$[...]`
    """

    def checked(raw: bytes, api_version: str, kind: str) -> T:
        obj = decode(raw, api_version, kind)
        if isinstance(obj, ProtobufObjectMeta):
            obj._split()
            return obj
        if not raw.isascii():
            raw.decode()
        if isinstance(obj, (Object, PartialObjectMeta)):
            obj.metadata.check()
        return obj

    return checked


# One line of a watch: what happened (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR), and the JSON of the object.
Frame = tuple[str, bytes]


class _Frame(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


_frame = msgspec.json.Decoder(_Frame).decode

# How Go's encoder begins a frame. Bytes up to the object are then known without a look at the rest.
_OPENINGS = tuple(
    (opening, len(opening), type_)
    for type_ in ("MODIFIED", "ADDED", "DELETED", "BOOKMARK")
    for opening in [f'{{"type":"{type_}","object":'.encode()]
)
_CLOSING = ord("}")


def decode_frame(text: bytes, start: int, end: int) -> Frame:
    """The line of a watch between `start` and `end`; raises `msgspec.DecodeError` where it is no frame.

    >>> decode_frame(b'{"type":"ADDED","object":{"metadata":{"name":"web"}}}', 0, 53)
    ('ADDED', b'{"metadata":{"name":"web"}}')
    """
    for opening, length, type_ in _OPENINGS:
        if text.startswith(opening, start) and text[end - 1] == _CLOSING:
            # What stands between is decoded next, and must then be exactly one JSON value: a frame with more members
            # ends in something that is none. `decode_whole_frame` serves those.
            return type_, text[start + length : end - 1]
    return decode_whole_frame(text[start:end])


def decode_whole_frame(line: bytes) -> Frame:
    """Like `decode_frame`, for any order of members: slower, and right for every frame there can be."""
    frame = _frame(line)
    return frame.type, bytes(frame.object)


class Bookmark(NamedTuple):
    """A BOOKMARK frame's object: everything up to `resource_version` has been sent."""

    resource_version: str
    annotations: dict[str, str]


def decode_bookmark(raw: bytes) -> Bookmark:
    """The version and annotations of a bookmark; other members are not looked at."""
    meta = _head(raw).metadata
    return Bookmark(meta.resource_version, dict(meta.annotations))


class Status(msgspec.Struct, frozen=True, gc=False):
    """The server's answer when something is wrong.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """

    kind: str
    code: int | None = None
    reason: str = ""
    message: str = ""
    details: dict[str, Any] = {}


_status = msgspec.json.Decoder(Status).decode


def decode_status(raw: bytes) -> Status:
    """A Status object; raises `msgspec.DecodeError` where the bytes are none."""
    status = _status(raw)
    if status.kind != "Status":
        raise msgspec.ValidationError(f"expected a Status, got a {status.kind}")
    return status


class Salvage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What can still be told of an object that does not decode."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None


# Where the beginning of an object tells something; a quote is missing where such a text goes on over brackets.
_telling = re.compile(rb'"(?:name|namespace|uid|resourceVersion)"[ \t\r\n]*:[ \t\r\n]*"[^"\\{}\[\],]*"').finditer
_TOLD_WITHIN = 8192  # bytes


def salvage(raw: bytes) -> Salvage:
    """Name, namespace, uid and version as far as the bytes tell; never raises.

    >>> salvage(b'{"metadata": {"name": "web", "labels": 5}}').name
    'web'
    >>> salvage(b'{"metadata": {"name": "web"}, "spec": tru}').name
    'web'
    """
    found = _told(raw)
    if found is None:
        found = Salvage()
        for match in _telling(raw, 0, _TOLD_WITHIN):  # it is no JSON, but may be up to here
            found = _told(raw[: match.end()] + b"}}") or found
    return found


def _told(raw: bytes) -> Salvage | None:
    try:
        meta = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("metadata")
        fields = msgspec.json.decode(meta, type=dict[str, msgspec.Raw]) if meta is not None else {}
    except msgspec.ValidationError:
        return Salvage()  # other JSON
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    known: dict[str, str] = {}
    for field, name in zip(Salvage.__struct_fields__, Salvage.__struct_encode_fields__, strict=True):
        try:
            known[field] = msgspec.json.decode(fields[name], type=str)
        except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
            continue  # this one cannot be told
    return Salvage(**known)
