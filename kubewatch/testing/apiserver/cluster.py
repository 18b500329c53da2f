"""The API's rules, without HTTP: create, replace, patch, delete, get, list. What may be stored, and what is stored of
it.

Documents come in whole (with apiVersion and kind); entries come out. Every refusal is an ``ApiError``. All methods may
be called from any thread.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import defaults, validation
from .kinds import Kinds, Resource
from .status import (
    ApiError,
    already_exists,
    bad_request,
    bad_value,
    conflict,
    forbidden,
    invalid,
    modified,
    not_allowed,
    not_found,
    required,
)
from .storage import Collection, Entry, Storage, render

Json = dict[str, Any]

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_KEPT_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
_PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public")
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True)
class WriteOptions:
    """How a write is made: by whom, on which part, and whether it is only tried."""

    manager: str = "unknown"
    dry_run: bool = False
    subresource: str = ""
    force: bool = False


@dataclass(frozen=True)
class DeleteOptions:
    """How an object is deleted; ``propagation`` is Background, Foreground, Orphan or empty (the kind's default)."""

    dry_run: bool = False
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    grace_seconds: int | None = None


@dataclass(frozen=True)
class Committed:
    """One change as the cluster's listeners hear of it, under the storage's lock: they must be quick."""

    resource: Resource
    entry: Entry
    previous: Entry | None
    gone: bool = False


Listener = Callable[[Committed], None]


class Cluster:
    """All objects and the rules for changing them."""

    def __init__(self, storage: Storage, kinds: Kinds, now: Callable[[], str]) -> None:
        self.storage = storage
        self.kinds = kinds
        self.now = now
        self.listeners: list[Listener] = []
        self.validators: list[Callable[[Resource, Json], Json]] = []
        for name in FIRST_NAMESPACES:
            self.create(self._namespaces, "", {"metadata": {"name": name}}, WriteOptions(manager="kube-apiserver"))

    @property
    def _namespaces(self) -> Resource:
        found = self.kinds.find("", "v1", "namespaces")
        assert found is not None, "namespaces are built in"
        return found

    def collection(self, resource: Resource) -> Collection:
        return self.storage.collection(resource.stored_in, resource.fields)

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        entry = self.collection(resource).entries.get(resource.key(namespace, name))
        if entry is None:
            raise not_found(resource.group, resource.plural, name)
        return entry

    # --- create ---

    def create(self, resource: Resource, namespace: str, document: Json, options: WriteOptions) -> Entry:
        document = self._accepted(resource, namespace, "", document)
        metadata = document["metadata"]
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        with self.storage.lock:
            self._check_namespace(resource, namespace)
            for _ in range(8):
                name = metadata.get("name") or self._generated(metadata.get("generateName", ""))
                if resource.key(namespace, name) not in self.collection(resource).entries:
                    break
            else:
                raise already_exists(resource.group, resource.plural, name)
            if metadata.get("name") and resource.key(namespace, name) in self.collection(resource).entries:
                raise already_exists(resource.group, resource.plural, name)
            self._start(resource, namespace, name, document)
            return self._store(resource, namespace, name, None, document, options)

    def _generated(self, prefix: str) -> str:
        return prefix[:58] + "".join(random.choices(_SUFFIX, k=5)) if prefix else ""

    def _start(self, resource: Resource, namespace: str, name: str, document: Json) -> None:
        """Gives a new object what only the server gives."""
        metadata = document["metadata"]
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink", "generation"):
            metadata.pop(key, None)
        if name:
            metadata["name"] = name
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self.now()
        if resource.generation:
            metadata["generation"] = 1
        if resource.resets_status:
            document.pop("status", None)
        defaults.fill_in(resource, document, creating=True)

    def _check_namespace(self, resource: Resource, namespace: str) -> None:
        if not resource.namespaced:
            return
        found = self.storage.collection(("", "namespaces")).entries.get(namespace)
        if found is None:
            raise not_found("", "namespaces", namespace)
        if found.fields.get("status.phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise forbidden(resource.group, resource.plural, "", why, [cause])

    # --- replace and patch ---

    def replace(
        self, resource: Resource, namespace: str, name: str, document: Json, options: WriteOptions
    ) -> tuple[Entry, bool]:
        """PUT: the entry, and whether it was created."""
        document = self._accepted(resource, namespace, name, document)
        with self.storage.lock:
            previous = self.collection(resource).entries.get(resource.key(namespace, name))
            if previous is None:
                if not resource.create_on_update or options.subresource:
                    raise not_found(resource.group, resource.plural, name)
                document["metadata"].pop("resourceVersion", None)
                return self.create(resource, namespace, document, options), True
            if not document["metadata"].get("resourceVersion") and not resource.unconditional_update:
                why = bad_value("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid(resource.group, resource.kind, name, [why])
            return self._update(resource, previous, document, options), False

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Callable[[Json], Json], options: WriteOptions
    ) -> Entry:
        """PATCH: ``change`` turns the object as it is (whole) into what it should be, and may raise."""
        with self.storage.lock:
            previous = self.get(resource, namespace, name)
            document = self._accepted(resource, namespace, name, change(self.whole(resource, previous)))
            return self._update(resource, previous, document, options)

    def apply(
        self, resource: Resource, namespace: str, name: str, applied: Json, options: WriteOptions
    ) -> tuple[Entry, bool]:
        """Server-side apply: the entry, and whether it was created."""
        from .apply import ApplyConflict, server_side_apply

        applied = self._accepted(resource, namespace, name, applied)
        applied["metadata"]["name"] = name
        with self.storage.lock:
            previous = self.collection(resource).entries.get(resource.key(namespace, name))
            if previous is None and options.subresource:
                raise not_found(resource.group, resource.plural, name)
            live = None if previous is None else self.whole(resource, previous)
            try:
                document = server_side_apply(
                    live,
                    applied,
                    manager=options.manager,
                    force=options.force,
                    now=self.now(),
                    subresource=options.subresource,
                )
            except ApplyConflict as error:
                raise _apply_conflict(error) from error
            if previous is None:
                self._check_namespace(resource, namespace)
                self._start(resource, namespace, name, document)
                return self._store(resource, namespace, name, None, document, replace(options, manager="")), True
            return self._update(resource, previous, document, replace(options, manager="")), False

    def _update(self, resource: Resource, previous: Entry, document: Json, options: WriteOptions) -> Entry:
        metadata, old = document["metadata"], self.whole(resource, previous)
        asked = metadata.get("resourceVersion")
        if asked and asked != str(previous.version):
            if not str(asked).isdigit():
                why = bad_value("metadata.resourceVersion", asked, "must be an unsigned integer")
                raise invalid(resource.group, resource.kind, previous.name, [why])
            raise modified(resource.group, resource.plural, previous.name)
        if metadata.get("uid") and metadata["uid"] != previous.uid:
            uids = f"UID in precondition: {metadata['uid']}, UID in object meta: {previous.uid}"
            raise conflict(resource.group, resource.plural, previous.name, f"Precondition failed: {uids}")
        document = self._merged(resource, old, document, options)
        self._check_finalizers(resource, old["metadata"], document["metadata"], previous.name)
        if document["metadata"].get("deletionTimestamp") and _nothing_holds(resource, document):
            return self._remove(resource, previous, old, options)
        return self._store(resource, previous.namespace, previous.name, previous, document, options)

    def _merged(self, resource: Resource, old: Json, document: Json, options: WriteOptions) -> Json:
        """What an update may change, from ``document``; the rest from ``old``."""
        kept = old["metadata"]
        if options.subresource in ("status", "finalize"):
            part = "status" if options.subresource == "status" else "spec"
            merged = dict(old)
            merged.pop(part, None)
            if part in document:
                merged[part] = document[part]
            merged["metadata"] = dict(kept)
            if "managedFields" in document["metadata"]:
                merged["metadata"]["managedFields"] = document["metadata"]["managedFields"]
            return merged
        if resource.has_status:
            document.pop("status", None)
            if "status" in old:
                document["status"] = old["status"]
        metadata = document["metadata"]
        for key in _KEPT_METADATA:
            metadata.pop(key, None)
            if key in kept:
                metadata[key] = kept[key]
        metadata["name"] = kept["name"]
        metadata.pop("generateName", None)
        if "generateName" in kept:
            metadata["generateName"] = kept["generateName"]
        if resource.namespaced:
            metadata["namespace"] = kept["namespace"]
        if resource.stored_in == ("", "namespaces"):
            document["spec"] = old.get("spec", {})
        defaults.fill_in(resource, document, creating=False)
        if resource.generation and _desired(document) != _desired(old):
            metadata["generation"] = kept.get("generation", 0) + 1
        return document

    def _check_finalizers(self, resource: Resource, old: Json, new: Json, name: str) -> None:
        if not old.get("deletionTimestamp"):
            return
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            shown = ", ".join(f'"{one}"' for one in added)
            why = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{shown}}}"
            )
            raise invalid(resource.group, resource.kind, name, [not_allowed("metadata.finalizers", why)])

    def _store(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        previous: Entry | None,
        document: Json,
        options: WriteOptions,
    ) -> Entry:
        """Validates and stores; an update that changes nothing is not stored."""
        old = None if previous is None else self.whole(resource, previous)
        for validate in self.validators:
            document = validate(resource, document)
        self._validate(resource, old, document, name)
        document["metadata"]["resourceVersion"] = "" if previous is None else str(previous.version)
        if options.manager:
            document = _managed(old, document, options, self.now())
        if previous is not None and document == old:
            return previous
        document = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
        collection, key = self.collection(resource), resource.key(namespace, name)
        if options.dry_run:
            version = 0 if previous is None else previous.version
            return render(collection.field_paths, namespace, name, key, document, version)
        entry = self.storage.put(collection, namespace, name, key, document)
        self._tell(Committed(resource, entry, previous))
        return entry

    def _validate(self, resource: Resource, old: Json | None, document: Json, name: str) -> None:
        if old is None and not name:
            causes = [required("metadata.name", "name or generateName is required")]
        elif old is None:
            causes = validation.name_causes(resource, name)
        else:
            causes = validation.change_causes(resource, old, document)
        causes += validation.metadata_causes(document["metadata"]) + validation.spec_causes(resource, document)
        if causes:
            raise invalid(resource.group, resource.kind, name, causes)

    def _accepted(self, resource: Resource, namespace: str, name: str, document: Any) -> Json:
        """A body that fits the URL it was sent to, as a fresh outer dict; 400 if it does not."""
        if not isinstance(document, dict) or not isinstance(document.get("metadata", {}) or {}, dict):
            raise bad_request("the body is not a Kubernetes object: it has to be a JSON object with a metadata object")
        kind, api_version = document.get("kind"), document.get("apiVersion")
        if resource.custom and not (kind and api_version):
            missing = "Kind" if not kind else "apiVersion"
            raise bad_request(f"Object '{missing}' is missing in the object provided")
        if kind and kind != resource.kind:
            raise bad_request(f'{kind} in version "{api_version or ""}" cannot be handled as a {resource.kind}')
        if api_version and api_version != resource.api_version:
            raise bad_request(
                f"the API version in the data ({api_version}) does not match the expected API version "
                f"({resource.api_version})"
            )
        metadata = dict(document.get("metadata") or {})
        if metadata.get("namespace") and metadata["namespace"] != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
                if resource.namespaced
                else "namespace may not be set on a cluster-scoped object"
            )
        if name and metadata.get("name", name) != name:
            theirs = metadata["name"]
            raise bad_request(f"the name of the object ({theirs}) does not match the name on the URL ({name})")
        type_meta = {"apiVersion": resource.api_version, "kind": resource.kind}
        return type_meta | {key: value for key, value in document.items() if value is not None} | {"metadata": metadata}

    # --- delete ---

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Entry, bool]:
        """DELETE: the object's last state, and whether it is gone (False: it waits for its finalizers)."""
        with self.storage.lock:
            previous = self.get(resource, namespace, name)
            self._check_preconditions(resource, previous, options)
            if resource.stored_in == ("", "namespaces") and name in _PERMANENT_NAMESPACES:
                raise forbidden("", "namespaces", name, "this namespace may not be deleted")
            document = self.whole(resource, previous)
            metadata = document["metadata"]
            before = dict(metadata)
            _set_propagation(metadata, options.propagation)
            grace = _grace_seconds(resource, document, options)
            write = WriteOptions(manager="", dry_run=options.dry_run)
            if not grace and _nothing_holds(resource, document, grace=0):
                return self._remove(resource, previous, self.whole(resource, previous), write), True
            if not metadata.get("deletionTimestamp"):
                metadata["deletionTimestamp"] = self.now()
                metadata["deletionGracePeriodSeconds"] = grace
                if metadata.get("generation"):
                    metadata["generation"] += 1
            elif grace < metadata.get("deletionGracePeriodSeconds", 0):
                metadata["deletionGracePeriodSeconds"] = grace
            if metadata == before:
                return previous, False
            if resource.stored_in == ("", "namespaces"):
                document["status"] = {**document.get("status", {}), "phase": "Terminating"}
            return self._store(resource, namespace, name, previous, document, write), False

    def _check_preconditions(self, resource: Resource, entry: Entry, options: DeleteOptions) -> None:
        for what, wanted, found in (
            ("UID", options.uid, entry.uid),
            ("ResourceVersion", options.resource_version, str(entry.version)),
        ):
            if wanted and wanted != found:
                why = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
                raise conflict(resource.group, resource.plural, entry.name, why)

    def _remove(self, resource: Resource, previous: Entry, document: Json, options: WriteOptions) -> Entry:
        document = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
        if options.dry_run:
            return previous
        entry = self.storage.remove(self.collection(resource), previous.key, document)
        self._tell(Committed(resource, entry, previous, gone=True))
        return entry

    def _tell(self, committed: Committed) -> None:
        for listener in self.listeners:
            listener(committed)

    def whole(self, resource: Resource, entry: Entry) -> Json:
        """An entry as a fresh dict, with apiVersion and kind."""
        return {"apiVersion": resource.api_version, "kind": resource.kind, **entry.decode()}


def _desired(document: Json) -> Json:
    """What metadata.generation counts the changes of."""
    return {key: value for key, value in document.items() if key not in ("metadata", "status", "apiVersion", "kind")}


def _nothing_holds(resource: Resource, document: Json, grace: int | None = None) -> bool:
    """Whether an object that is being deleted can go now."""
    metadata = document["metadata"]
    waiting = metadata.get("deletionGracePeriodSeconds", 0) if grace is None else grace
    held = resource.stored_in == ("", "namespaces") and (document.get("spec") or {}).get("finalizers")
    return not metadata.get("finalizers") and not waiting and not held


def _grace_seconds(resource: Resource, document: Json, options: DeleteOptions) -> int:
    """Only pods die slowly: those on a node, which have not ended yet."""
    if resource.stored_in != ("", "pods"):
        return 0
    spec, status = document.get("spec") or {}, document.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_seconds is not None:
        return max(options.grace_seconds, 0)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _set_propagation(metadata: Json, propagation: str) -> None:
    """The finalizers by which the garbage collector learns what to do with the dependents."""
    wanted = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}.get(propagation)
    finalizers = list(metadata.get("finalizers") or ())
    if propagation:
        finalizers = [one for one in finalizers if one not in ("orphan", "foregroundDeletion")]
    if wanted:
        finalizers.append(wanted)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _managed(old: Json | None, document: Json, options: WriteOptions, now: str) -> Json:
    try:
        from .apply import update_managed_fields
    except ImportError:
        return document
    return update_managed_fields(
        old, document, manager=options.manager, operation="Update", now=now, subresource=options.subresource
    )


def _apply_conflict(conflicts: Any) -> ApiError:
    causes: Sequence[Json] = [
        {"reason": "FieldManagerConflict", "message": message, "field": field}
        for field, message in ((one.field, one.message) for one in conflicts.conflicts)
    ]
    count = f"{len(causes)} conflict" + ("s" if len(causes) != 1 else "")
    texts = "\n".join(f"- {one['message']}: {one['field']}" for one in causes)
    message = f"Apply failed with {count}: {texts}"
    return ApiError(409, "Conflict", message, details={"causes": list(causes)})
