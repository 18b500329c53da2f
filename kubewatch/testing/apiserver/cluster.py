"""The API's rules, without HTTP: create, replace, patch, apply, delete, get. What is stored of what is asked.

Documents come in whole (with apiVersion and kind); entries come out. Every refusal is an ``ApiError``. All methods may
be called from any thread.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import bodies, defaults, deletion, validation
from .apply import ApplyConflict, server_side_apply, update_managed_fields
from .deletion import DeleteOptions
from .kinds import Kinds, Resource
from .patch_error import PatchError
from .status import ApiError, already_exists, conflict, forbidden, invalid, modified, not_allowed, not_found, required
from .storage import Collection, Entry, Storage, render
from .typed_form import tidied

Json = dict[str, Any]

FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_KEPT_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
    "namespace",
)
_PART_OF_SUBRESOURCE = {"status": "status", "approval": "status", "finalize": "spec"}
_IDENTITY = ("apiVersion", "kind", "metadata")
_NEVER_SENT = (*_KEPT_METADATA[:5], "resourceVersion", "selfLink")


@dataclass(frozen=True)
class WriteOptions:
    """How a write is made: by whom (nobody: managers are left as they are), on which part, whether only tried."""

    manager: str = "unknown"
    dry_run: bool = False
    subresource: str = ""
    force: bool = False


@dataclass(frozen=True)
class Committed:
    """One change as the cluster's listeners hear of it, under the storage's lock: they must be quick."""

    resource: Resource
    entry: Entry
    previous: Entry | None
    gone: bool = False


Listener = Callable[[Committed], None]
Admission = Callable[[Resource, Json], Json]


class Cluster:
    """All objects and the rules for changing them.

    ``listeners`` are told of every change. ``admissions`` see every document before it is stored: each returns what
    shall be stored instead, or raises an ``ApiError``.
    """

    def __init__(self, storage: Storage, kinds: Kinds, now: Callable[[], str]) -> None:
        self.storage = storage
        self.kinds = kinds
        self.now = now
        self.listeners: list[Listener] = []
        self.admissions: list[Admission] = []
        for resource in kinds.all():
            self.collection(resource)
        self._namespaces = kinds.need("", "v1", "namespaces")
        for name in FIRST_NAMESPACES:
            self.create(self._namespaces, "", {"metadata": {"name": name}}, WriteOptions(manager="kube-apiserver"))

    def collection(self, resource: Resource) -> Collection:
        """Where the objects of a kind are stored, and their selectable fields noted."""
        return self.storage.collection(resource.stored_in, resource.fields)

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        entry = self.find(resource, namespace, name)
        if entry is None:
            raise not_found(resource.group, resource.plural, name)
        return entry

    def find(self, resource: Resource, namespace: str, name: str) -> Entry | None:
        return self.collection(resource).entries.get(resource.key(namespace, name))

    def whole(self, resource: Resource, entry: Entry) -> Json:
        """An entry as a fresh dict, with apiVersion and kind."""
        return resource.outward({"apiVersion": resource.api_version, "kind": resource.kind, **entry.decode()})

    # --- create ---

    def create(self, resource: Resource, namespace: str, document: Any, options: WriteOptions) -> Entry:
        """POST."""
        document = bodies.accepted(resource, namespace, "", document)
        metadata = document["metadata"]
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        with self.storage.lock:
            name = metadata.get("name") or self._generated(resource, namespace, metadata.get("generateName", ""))
            self._check_namespace(resource, namespace, name)
            if self.find(resource, namespace, name) is not None:
                raise already_exists(resource.group, resource.plural, name)
            self._start(resource, namespace, name, document)
            return self._store(resource, namespace, name, None, document, options)

    def _generated(self, resource: Resource, namespace: str, prefix: str) -> str:
        if not prefix:
            return ""
        for _ in range(8):
            name = prefix[:58] + "".join(random.choices(_SUFFIX, k=5))
            if self.find(resource, namespace, name) is None:
                break
        return name

    def _start(self, resource: Resource, namespace: str, name: str, document: Json) -> None:
        """Gives a new object what only the server gives."""
        metadata = document["metadata"]
        for key in _NEVER_SENT:
            metadata.pop(key, None)
        metadata["name"] = name
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self.now()
        if resource.generation:
            metadata["generation"] = 1
        if resource.resets_status:
            document.pop("status", None)
        defaults.fill_in(resource, document)

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        found = self.get(self._namespaces, "", namespace)
        if found.fields.get("status.phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise forbidden(resource.group, resource.plural, name, why, [cause])

    # --- replace, patch, apply ---

    def replace(
        self, resource: Resource, namespace: str, name: str, document: Any, options: WriteOptions
    ) -> tuple[Entry, bool]:
        """PUT: the entry, and whether it was created."""
        document = bodies.accepted(resource, namespace, name, document)
        with self.storage.lock:
            previous = self.find(resource, namespace, name)
            if previous is None:
                if not resource.create_on_update or options.subresource:
                    raise not_found(resource.group, resource.plural, name)
                document["metadata"].pop("resourceVersion", None)
                return self.create(resource, namespace, document, options), True
            bodies.check_update_version(resource, name, document)
            return self._update(resource, previous, document, options), False

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Callable[[Json], Any], options: WriteOptions
    ) -> Entry:
        """PATCH: ``change`` turns the object as it is (whole) into what it should be, and may raise."""
        with self.storage.lock:
            previous = self.get(resource, namespace, name)
            live = self.whole(resource, previous)
            document = bodies.accepted_patched(resource, live, change(live))
            return self._update(resource, previous, document, options)

    def apply(
        self, resource: Resource, namespace: str, name: str, applied: Any, options: WriteOptions
    ) -> tuple[Entry, bool]:
        """Server-side apply: the entry, and whether it was created."""
        applied = bodies.accepted_configuration(resource, namespace, name, applied)
        with self.storage.lock:
            previous = self.find(resource, namespace, name)
            if previous is None and options.subresource:
                raise not_found(resource.group, resource.plural, name)
            live = None if previous is None else self.whole(resource, previous)
            document = self._merged_by_apply(resource, live, applied, options)
            options = replace(options, manager="")  # the managers are settled
            if previous is not None:
                return self._update(resource, previous, document, options), False
            self._check_namespace(resource, namespace, name)
            managed = document["metadata"].get("managedFields")
            self._start(resource, namespace, name, document)
            document["metadata"]["managedFields"] = managed
            return self._store(resource, namespace, name, None, document, options), True

    def _merged_by_apply(self, resource: Resource, live: Json | None, applied: Json, options: WriteOptions) -> Json:
        try:
            return server_side_apply(
                live,
                applied,
                manager=options.manager,
                force=options.force,
                now=self.now(),
                subresource=options.subresource,
                schema=resource.merge_rules,
                reset=("status",) if resource.has_status and not options.subresource else (),
            )
        except ApplyConflict as error:
            causes = [
                {"reason": "FieldManagerConflict", "message": one.message, "field": one.field}
                for one in error.conflicts
            ]
            raise ApiError(409, "Conflict", error.message, details={"causes": causes}) from error
        except PatchError as error:
            raise ApiError(error.code, error.reason, str(error)) from error

    def _update(self, resource: Resource, previous: Entry, document: Json, options: WriteOptions) -> Entry:
        old = self.whole(resource, previous)
        self._check_still_that(resource, previous, document["metadata"])
        document = self._merged(resource, old, document, options)
        added = deletion.added_finalizers(old["metadata"], document["metadata"])
        if added:
            names = ", ".join(f'"{one}"' for one in added)
            why = f"found new finalizers []string{{{names}}}"
            why = f"no new finalizers can be added if the object is being deleted, {why}"
            raise invalid(resource.group, resource.kind, previous.name, [not_allowed("metadata.finalizers", why)])
        if document["metadata"].get("deletionTimestamp") and deletion.may_go(resource, document):
            # Watches are told the last stored state; who took away the last finalizer is answered with what was sent.
            gone = self._remove(resource, previous, options)
            return self._rendered(resource, previous.namespace, previous.name, document, gone.version)
        return self._store(resource, previous.namespace, previous.name, previous, document, options)

    def _check_still_that(self, resource: Resource, previous: Entry, metadata: Json) -> None:
        """Optimistic concurrency: 409 unless the sender has seen the latest version, if it says which it has seen."""
        asked = metadata.get("resourceVersion")
        if asked and asked != str(previous.version):
            if not asked.isdigit():
                raise ApiError(500, "", f'strconv.ParseUint: parsing "{asked}": invalid syntax')
            raise modified(resource.group, resource.plural, previous.name)
        uid = metadata.get("uid")
        if uid and uid != previous.uid:
            key = f"/registry/{resource.plural}/{previous.key}"
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {previous.uid}"
            why = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
            raise conflict(resource.group, resource.plural, previous.name, why)

    def _merged(self, resource: Resource, old: Json, document: Json, options: WriteOptions) -> Json:
        """What an update may change, from ``document``; the rest from ``old``."""
        metadata, kept = document["metadata"], old["metadata"]
        part = _PART_OF_SUBRESOURCE.get(options.subresource)
        if part is not None:
            merged = {key: value for key, value in old.items() if key != part}
            if part in document:
                merged[part] = document[part]
            merged["metadata"] = kept | {key: metadata[key] for key in ("managedFields",) if key in metadata}
            return merged
        if resource.has_status and options.subresource != "binding":
            document.pop("status", None)
            if "status" in old:
                document["status"] = old["status"]
        for key in _KEPT_METADATA:
            metadata.pop(key, None)
            if key in kept:
                metadata[key] = kept[key]
        if resource.is_namespaces:
            document["spec"] = old.get("spec", {})
        defaults.fill_in(resource, document)
        if resource.generation and _desired(resource, document) != _desired(resource, old):
            metadata["generation"] = kept.get("generation", 0) + 1
        return document

    # --- delete ---

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Entry, bool]:
        """DELETE: the object's last state, and whether it is gone (False: it waits for its finalizers)."""
        with self.storage.lock:
            previous = self.get(resource, namespace, name)
            deletion.check_deletable(resource, previous, options)
            document = self.whole(resource, previous)
            deletion.begin(resource, document, options, self.now())
            write = WriteOptions(manager="", dry_run=options.dry_run)
            goes = deletion.may_go(resource, document)
            if goes and not resource.graceful:
                return self._remove(resource, previous, write), True
            entry = self._store(resource, namespace, name, previous, document, write)
            if not goes:
                return entry, False
            return (entry if options.dry_run else self._remove(resource, entry, write)), True

    # --- storing ---

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
        for admit in self.admissions:
            document = admit(resource, document)
        changed = _parts_changed(old, document)
        document = _tidied_parts(resource, document, changed)
        self._validate(resource, None if options.subresource else old, document, name, creating=previous is None)
        document["metadata"]["resourceVersion"] = "" if previous is None else str(previous.version)
        if options.manager and (changed or previous is None):
            managed = update_managed_fields(
                None if old is None else _only(old, changed),
                _only(document, changed),
                manager=options.manager,
                now=self.now() if options.subresource != "scale" else "",  # a Scale object knows no times
                subresource=options.subresource,
                schema=resource.merge_rules,
            )
            document["metadata"] = managed["metadata"]
        defaults.allot(resource, document, creating=previous is None)
        if previous is not None and document == old:
            return previous
        if options.dry_run:
            return self._rendered(resource, namespace, name, document, 0 if previous is None else previous.version)
        key, stored = resource.key(namespace, name), resource.inward(document)
        entry = self.storage.put(self.collection(resource), namespace, name, key, stored)
        self._tell(Committed(resource, entry, previous))
        return entry

    def _rendered(self, resource: Resource, namespace: str, name: str, document: Json, version: int) -> Entry:
        """An entry that is not stored; version 0 leaves the version out."""
        collection, key = self.collection(resource), resource.key(namespace, name)
        return render(collection.field_paths, namespace, name, key, resource.inward(document), version)

    def _remove(self, resource: Resource, previous: Entry, options: WriteOptions) -> Entry:
        if options.dry_run:
            return previous
        entry = self.storage.remove(self.collection(resource), previous.key, previous.decode())
        self._tell(Committed(resource, entry, previous, gone=True))
        return entry

    def _validate(self, resource: Resource, old: Json | None, document: Json, name: str, *, creating: bool) -> None:
        """``old`` is given when the object itself is changed, not through a subresource."""
        if not name:
            causes = [required("metadata.name", "name or generateName is required")]
        elif creating:
            causes = validation.name_causes(resource, name)
        else:
            causes = validation.change_causes(resource, old, document) if old is not None else []
        causes += validation.metadata_causes(document["metadata"]) + validation.spec_causes(resource, document)
        if causes:
            raise invalid(resource.group, resource.kind, name, causes)

    def _tell(self, committed: Committed) -> None:
        for listener in self.listeners:
            listener(committed)


def _parts_changed(old: Json | None, document: Json) -> frozenset[str]:
    """The top-level parts in which the document is new: only these need a closer look, which is what takes time."""
    if old is None:
        return frozenset(document)
    return frozenset(name for name in {**old, **document} if old.get(name) != document.get(name))


def _tidied_parts(resource: Resource, document: Json, parts: frozenset[str]) -> Json:
    managers = document["metadata"].get("managedFields")
    bare = document | {"metadata": {key: one for key, one in document["metadata"].items() if key != "managedFields"}}
    tidy = tidied(_only(bare, parts), resource.kind, resource.api_version)
    if managers is not None:
        tidy["metadata"]["managedFields"] = managers
    return {key: value for key, value in document.items() if key not in parts} | tidy


def _only(document: Json, parts: frozenset[str]) -> Json:
    """The document with these parts alone, and with what says which object it is."""
    return {key: value for key, value in document.items() if key in parts or key in _IDENTITY}


def _desired(resource: Resource, document: Json) -> Json:
    """What metadata.generation counts the changes of."""
    apart = ("metadata", "apiVersion", "kind", "status" if resource.has_status or not resource.custom else "kind")
    return {key: value for key, value in document.items() if key not in apart}
