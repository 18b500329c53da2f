"""From protobuf to what the JSON of the same object says.

An object comes in an envelope: the bytes `k8s` and 0, and a message that says what kind it is and holds the object.
Here, *raw* is always such an envelope. What is wrong with one is a `msgspec.DecodeError`, as with JSON.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import msgspec
from google.protobuf.unknown_fields import UnknownFieldSet

from .messages import DecodeError, Message, reader, shown

MAGIC = b"k8s\0"
PARTIAL = "PartialObjectMetadata"
META = "meta.k8s.io/v1"  # its API version
_PARTIAL, _STATUS = PARTIAL.encode(), b"Status"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

log = logging.getLogger(__name__)

_named = reader("Named")
_unknown = reader("Unknown")
_partial = reader("Partial")
_status = reader("Status")


def names(raw: bytes) -> tuple[str, str | None, str]:
    """Name, namespace and resourceVersion of the object in `raw`, of which only metadata may have come."""
    try:  # in few calls, as this is for every event; and the server saw to it that these are texts
        envelope = _named(raw[4:])
        meta = envelope.raw.metadata
        found = meta.name.decode(), meta.namespace.decode() or None, meta.resourceVersion.decode()
    except (DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(error) from error
    if envelope.typeMeta.kind != _PARTIAL:
        raise _other(envelope.typeMeta.kind)
    if not found[0]:
        raise msgspec.ValidationError("protobuf: it has no name")
    return found


def metadata(raw: bytes, kind: str) -> dict[str, Any]:
    """The metadata in `raw`, as its JSON has them, but for managedFields; `kind` is for messages."""
    try:
        return _metadata(_meta(_partial(raw[4:])), kind)
    except (DecodeError, OverflowError) as error:
        raise _unreadable(error) from error


def to_json(raw: bytes, kind: str = "") -> bytes:
    """The JSON of the metadata or of the Status in `raw`; `kind` is for messages."""
    try:
        if not raw.startswith(MAGIC):
            raise _other(b"")
        envelope = _unknown(raw[4:])
        if envelope.typeMeta.kind == _STATUS:
            return msgspec.json.encode({"kind": "Status", "apiVersion": "v1"} | _status_fields(_status(envelope.raw)))
        meta = _meta(_partial(raw[4:]))
        fields = _metadata(meta, kind)
        if meta.managedFields:
            fields["managedFields"] = [_managed(entry, kind) for entry in meta.managedFields]
        return msgspec.json.encode({"kind": PARTIAL, "apiVersion": META, "metadata": fields})
    except (DecodeError, OverflowError) as error:
        raise _unreadable(error) from error


def _meta(envelope: Any) -> Any:
    if envelope.typeMeta.kind != _PARTIAL:
        raise _other(envelope.typeMeta.kind)
    if not envelope.raw.HasField("metadata"):
        raise msgspec.ValidationError("protobuf: it has no metadata")
    return envelope.raw.metadata


def _unreadable(error: Exception) -> Exception:
    return msgspec.DecodeError(f"protobuf: {error}")


def _other(kind: bytes) -> Exception:
    return msgspec.ValidationError(f"protobuf: expected a {PARTIAL}, got a {shown(kind) or 'message without a kind'}")


_TEXTS = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion")


# What Go's JSON leaves out: empty texts and lists, and 0; but not what is a pointer there, which is absent or counts.


def _metadata(meta: Any, kind: str) -> dict[str, Any]:
    _complete(meta, kind)
    fields = _texts(meta, *_TEXTS)
    if generation := meta.generation:
        fields["generation"] = generation
    if created := _time(meta.creationTimestamp):
        fields["creationTimestamp"] = created
    if meta.HasField("deletionTimestamp"):
        fields["deletionTimestamp"] = _time(meta.deletionTimestamp)
    if meta.HasField("deletionGracePeriodSeconds"):
        fields["deletionGracePeriodSeconds"] = meta.deletionGracePeriodSeconds
    if labels := meta.labels:
        fields["labels"] = {shown(entry.key): shown(entry.value) for entry in labels}
    if annotations := meta.annotations:
        fields["annotations"] = {shown(entry.key): shown(entry.value) for entry in annotations}
    if meta.ownerReferences:
        fields["ownerReferences"] = [_owner(owner, kind) for owner in meta.ownerReferences]
    if meta.finalizers:
        fields["finalizers"] = list(map(shown, meta.finalizers))
    return fields


def _texts(message: Any, *names: str) -> dict[str, Any]:
    return {name: shown(value) for name in names if (value := getattr(message, name))}


def _owner(owner: Any, kind: str) -> dict[str, Any]:
    _complete(owner, kind)
    fields: dict[str, Any] = {name: shown(getattr(owner, name)) for name in ("apiVersion", "kind", "name", "uid")}
    for name in ("controller", "blockOwnerDeletion"):
        if owner.HasField(name):
            fields[name] = getattr(owner, name)
    return fields


def _managed(entry: Any, kind: str) -> dict[str, Any]:
    _complete(entry, kind)
    fields: dict[str, Any] = {name: shown(getattr(entry, name)) for name in ("manager", "operation", "apiVersion")}
    if entry.HasField("time"):
        fields["time"] = _time(entry.time)
    fields["fieldsType"] = shown(entry.fieldsType)
    if entry.HasField("fieldsV1"):
        fields["fieldsV1"] = msgspec.Raw(entry.fieldsV1.raw or b"null")
    fields["subresource"] = shown(entry.subresource)
    return {name: value for name, value in fields.items() if value != ""}


def _time(time: Any) -> datetime | None:
    # To the second, as everybody writes them; a time without fields is none, and one of 0 is the year 1970.
    return _EPOCH + timedelta(seconds=time.seconds) if time.HasField("seconds") else None


def _status_fields(status: Any) -> dict[str, Any]:
    fields = _texts(status, "status", "message", "reason") | {"code": status.code}
    if status.HasField("details"):
        details = status.details
        known = _texts(details, "name", "group", "kind", "uid") | {"retryAfterSeconds": details.retryAfterSeconds}
        known["causes"] = [_texts(cause, "reason", "message", "field") for cause in details.causes]
        fields["details"] = {name: value for name, value in known.items() if value}
    return {name: value for name, value in fields.items() if value}


def _complete(message: Message, kind: str) -> None:
    """Say so, where a newer server sends fields that are not known here: JSON would bring them."""
    unknown = UnknownFieldSet(message)
    for at in range(len(unknown)):
        _say_unknown(kind, message.DESCRIPTOR.name, unknown[at].field_number)


@lru_cache(maxsize=1024)  # so that each is said once
def _say_unknown(kind: str, message: str, number: int) -> None:
    log.warning(
        "the %s of %s in protobuf has a field %d that this version of kubewatch does not know, and leaves out; "
        "metadata in JSON has it",
        message,
        kind or "objects",
        number,
        extra={"kind": kind},
    )
