"""What deleting an object does to it, as pure functions of the document.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .gc_rules import FOREGROUND, ORPHAN
from .kinds import Resource
from .status import Json, conflict, forbidden
from .storage import Entry

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # the finalizer of a CustomResourceDefinition
DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")

_PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class DeleteOptions:
    """How an object is deleted; ``propagation`` is Background, Foreground, Orphan or empty (the kind's default)."""

    dry_run: bool = False
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    grace_seconds: int | None = None


def check_deletable(resource: Resource, entry: Entry, options: DeleteOptions) -> None:
    """Raises 409 for a precondition that does not hold, 403 for a namespace that has to stay."""
    if resource.is_namespaces and entry.name in _PERMANENT_NAMESPACES:
        raise forbidden("", "namespaces", entry.name, "this namespace may not be deleted")
    for what, wanted, found, perhaps in (
        ("UID", options.uid, entry.uid, "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, str(entry.version), "modified"),
    ):
        if wanted and wanted != found:
            why = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
                f"The object might have been {perhaps}"
            )
            raise conflict(resource.group, resource.kind, entry.name, why)


def begin(resource: Resource, document: Json, options: DeleteOptions, now: str) -> None:
    """Marks the document as being deleted, in place; a second deletion can only make the wait shorter."""
    metadata = document["metadata"]
    if resource.stored_in == DEFINITIONS:
        _begin_definition(document, now)
    _set_propagation(metadata, options.propagation or resource.propagation)
    grace = _grace_seconds(resource, document, options)
    if not metadata.get("deletionTimestamp"):
        if metadata.get("generation") and resource.stored_in != DEFINITIONS:
            metadata["generation"] += 1
    elif grace >= metadata.get("deletionGracePeriodSeconds", 0):
        return
    metadata["deletionTimestamp"] = (datetime.strptime(now, _TIME) + timedelta(seconds=grace)).strftime(_TIME)
    if resource.is_namespaces:
        document["status"] = {**document.get("status", {}), "phase": "Terminating"}
    elif resource.stored_in != DEFINITIONS:
        metadata["deletionGracePeriodSeconds"] = grace


def _begin_definition(document: Json, now: str) -> None:
    """A CustomResourceDefinition waits until its objects are gone."""
    metadata, status = document["metadata"], document.get("status") or {}
    finalizers = metadata.get("finalizers") or []
    if CLEANUP in finalizers or metadata.get("deletionTimestamp"):
        return
    metadata["finalizers"] = [*finalizers, CLEANUP]
    terminating = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    document["status"] = status | {"conditions": [*(status.get("conditions") or ()), terminating]}


def may_go(resource: Resource, document: Json) -> bool:
    """Whether an object that is being deleted can be removed now."""
    metadata = document["metadata"]
    content = resource.is_namespaces and (document.get("spec") or {}).get("finalizers")
    return not metadata.get("finalizers") and not metadata.get("deletionGracePeriodSeconds") and not content


def added_finalizers(old: Json, new: Json) -> list[str]:
    """The finalizers that an object being deleted is given anew, which is not allowed."""
    if not old.get("deletionTimestamp"):
        return []
    return sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))


def _grace_seconds(resource: Resource, document: Json, options: DeleteOptions) -> int:
    """Only pods die slowly: those on a node, which have not ended yet."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    if not resource.graceful or not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_seconds is not None:
        return max(options.grace_seconds, 0)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _set_propagation(metadata: Json, propagation: str) -> None:
    """The finalizers by which the garbage collector learns what to do with the dependents."""
    finalizers = list(metadata.get("finalizers") or ())
    if propagation:
        finalizers = [one for one in finalizers if one not in (ORPHAN, FOREGROUND)]
    if propagation in ("Orphan", "Foreground"):
        finalizers.append(ORPHAN if propagation == "Orphan" else FOREGROUND)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
