"""Metadata that stay in protobuf until somebody looks at them."""

from __future__ import annotations

from typing import Any

import msgspec

from kubewatch.decode import Decode
from kubewatch.objects import PartialObjectMeta, ProtobufObjectMeta

from .values import MAGIC, META, PARTIAL, names

_UNREAD: Any = None  # metadata, for now


def decode_protobuf(raw: bytes, api_version: str = "", kind: str = "") -> PartialObjectMeta:
    """The metadata in an envelope; its kind is the asked one. Raises `msgspec.DecodeError` where the bytes are none."""
    return ProtobufObjectMeta(raw, _UNREAD, api_version or META, kind or PARTIAL, None, *names(raw))


def or_protobuf(decode: Decode[PartialObjectMeta]) -> Decode[PartialObjectMeta]:
    """`decode`, but for what comes in protobuf: which of the two it is, the server decides at each answer."""

    def decode_either(raw: bytes, api_version: str, kind: str) -> PartialObjectMeta:
        if raw.startswith(MAGIC):
            return decode_protobuf(raw, api_version, kind)
        if raw.startswith(b'"'):  # in the place of an object: why that cannot be read (`Frames.line`)
            raise msgspec.DecodeError(msgspec.json.decode(raw))
        return decode(raw, api_version, kind)

    return decode_either
