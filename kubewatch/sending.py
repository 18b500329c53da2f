"""Objects on their way out: whatever a user has in hand becomes JSON, and is looked over before it is sent."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import InvalidInput
from .fields import plain
from .objects import Object, PartialObjectMeta
from .unshown import Unshown


class _Meta(msgspec.Struct, rename="camel"):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    metadata: _Meta | None = None
    api_version: str | None = None
    kind: str | None = None


class Outgoing(Unshown, frozen=True):
    """An object to send: its JSON, and what of it decides where to."""

    raw: bytes
    name: str
    generate_name: str
    namespace: str | None


def outgoing(obj: Any, api_version: str, kind: str) -> Outgoing:
    """`obj` as JSON of the given kind; fills in API version and kind where it says none.

    Takes our Object, an official model, a Struct, a dataclass, a pydantic model, and anything that is a mapping. Raises
    InvalidInput for what cannot be written as JSON, and for an object of another kind.
    """
    raw = to_json(obj)
    try:
        head = msgspec.json.decode(raw, type=_Head)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is no Kubernetes object: {error}") from error
    for field, has, needs in (("apiVersion", head.api_version, api_version), ("kind", head.kind, kind)):
        if has and has != needs:
            raise InvalidInput(f"this object's {field} is {has!r}, but it was given to the Api of {api_version} {kind}")
    if not (head.api_version and head.kind):
        rest = {k: v for k, v in _members(raw).items() if k not in ("apiVersion", "kind")}
        raw = msgspec.json.encode({"apiVersion": api_version, "kind": kind, **rest})
    meta = head.metadata or _Meta()
    return Outgoing(raw, meta.name or "", meta.generate_name or "", meta.namespace or None)


def to_json(obj: Any) -> bytes:
    """The JSON of an object of any sort; raises InvalidInput."""
    if isinstance(obj, msgspec.Raw):
        return bytes(obj)
    try:
        if isinstance(obj, (Object, PartialObjectMeta)):
            return obj.to_json().encode()
        if isinstance(obj, Mapping):
            return msgspec.json.encode(plain(obj))
        if isinstance(obj, msgspec.Struct) or (dataclasses.is_dataclass(obj) and not isinstance(obj, type)):
            return msgspec.json.encode(obj)
        if hasattr(obj, "openapi_types"):  # official models up to 36
            client = importlib.import_module("kubernetes.client.api_client").ApiClient()
            return msgspec.json.encode(client.sanitize_for_serialization(obj))
        if hasattr(obj, "to_json"):  # official models from 37 on
            return str(obj.to_json()).encode()
        if hasattr(obj, "model_dump_json"):  # pydantic
            return str(obj.model_dump_json(by_alias=True, exclude_none=True)).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"this {type(obj).__name__} cannot be written as JSON: {error}") from error
    raise InvalidInput(f"an object to send is an Object, a model or a dict, not {type(obj).__name__}")


def without_managed_fields(raw: bytes) -> bytes:
    """An object's JSON as apply wants it: the server keeps `managedFields` itself, and refuses ours."""
    members = _members(raw)
    meta = _members(members["metadata"]) if "metadata" in members else {}
    if "managedFields" not in meta:
        return raw
    del meta["managedFields"]
    return msgspec.json.encode({**members, "metadata": meta})


def metadata_only(raw: bytes) -> bytes:
    """An object's JSON without anything but its type and metadata."""
    kept = {k: v for k, v in _members(raw).items() if k in ("apiVersion", "kind", "metadata")}
    return msgspec.json.encode(kept)


PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",  # of which JSON is a part
}


def patch_body(patch: Any, type_: str, field_manager: str | None, force: bool) -> tuple[bytes, str]:
    """A patch as JSON, and its media type; raises InvalidInput for a patch that its type does not allow."""
    if type_ not in PATCHES:
        raise InvalidInput(f"the type of a patch is one of {', '.join(PATCHES)}, not {type_!r}")
    if type_ == "apply" and not field_manager:
        raise InvalidInput("to apply needs a field_manager: the name under which the fields are owned")
    if force and type_ != "apply":
        raise InvalidInput("force is for type='apply': other patches know no conflicts between managers")
    operations = isinstance(patch, (list, tuple))
    if operations != (type_ == "json"):
        raise InvalidInput(f"a patch of type {type_!r} is {'a list of operations' if type_ == 'json' else 'a dict'}")
    if operations:
        return b"[%s]" % b",".join(map(to_json, patch)), PATCHES[type_]
    body = to_json(patch)
    return (without_managed_fields(body) if type_ == "apply" else body), PATCHES[type_]


POLICIES = ("Background", "Foreground", "Orphan")


def delete_options(
    propagation_policy: str | None,
    grace_period_seconds: int | None,
    preconditions: Mapping[str, str] | None,
    dry_run: bool,
) -> bytes:
    """How to delete, as JSON; raises InvalidInput."""
    if propagation_policy not in (None, *POLICIES):
        raise InvalidInput(f"propagation_policy is one of {', '.join(POLICIES)}, not {propagation_policy!r}")
    if grace_period_seconds is not None and grace_period_seconds < 0:
        raise InvalidInput(f"grace_period_seconds is 0 or more, not {grace_period_seconds}")
    if unknown := sorted(set(preconditions or ()) - {"uid", "resourceVersion"}):
        raise InvalidInput(f"preconditions are uid and resourceVersion, not {', '.join(unknown)}")
    options = {
        "propagationPolicy": propagation_policy,
        "gracePeriodSeconds": grace_period_seconds,
        "preconditions": dict(preconditions) if preconditions else None,
        "dryRun": ["All"] if dry_run else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return msgspec.json.encode({"apiVersion": "v1", "kind": "DeleteOptions", **given})


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
