"""resourceVersions and keys: where to find them in what a server sent, and when a version no longer counts.

Versions are opaque: only a server can say which of two is newer.
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from .decode import Status, salvage
from .errors import ApiError
from .objects import Object, PartialObjectMeta


def version_of(obj: object, raw: bytes) -> str:
    """The version of an object: from its metadata; of a user's model, which may be without it, from its bytes."""
    if isinstance(obj, (Object, PartialObjectMeta)):
        return obj.resource_version
    meta = getattr(obj, "metadata", None)
    kind: Any = type(meta)
    attribute = _version_attribute(kind)
    known = getattr(meta, attribute) if attribute else ""
    return known if known and isinstance(known, str) else salvage(raw).resource_version or ""


@lru_cache(maxsize=256)
def _version_attribute(kind: type[Any]) -> str:
    """What a Struct calls the resourceVersion that it was decoded with; empty where it keeps none, or invents one."""
    for field in msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ():
        if field.encode_name == "resourceVersion" and field.default in ("", None, msgspec.NODEFAULT):
            return field.name
    return ""


def key_in(raw: bytes) -> tuple[str, str]:
    """Namespace and name in the JSON of an object, empty where it has none; never raises."""
    found = salvage(raw)
    return found.namespace or "", found.name or ""


def expired(answer: ApiError | Status) -> bool:
    """Whether the server cannot go on from a version: too old for it, or, after a restore, from its future.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#unavailable-resource-versions
    """
    if answer.code == 410 or answer.reason in ("Expired", "Gone"):
        return True
    causes = answer.details.get("causes")
    return "Too large resource version" in answer.message or (
        isinstance(causes, list)
        and any(isinstance(cause, dict) and cause.get("reason") == "ResourceVersionTooLarge" for cause in causes)
    )
