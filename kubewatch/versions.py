"""resourceVersions and keys: where to find them in what a server sent, and when a version no longer counts.

Versions are opaque: only a server can say which of two is newer.
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

from .decode import Status, salvage
from .errors import ApiError
from .objects import Object, PartialObjectMeta


def version_of(obj: object, raw: bytes) -> str:
    """The version of an object: from its metadata; of a user's model, which may have none, from its bytes."""
    if isinstance(obj, (Object, PartialObjectMeta)):
        return obj.metadata.resource_version
    return salvage(raw).resource_version or ""


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
