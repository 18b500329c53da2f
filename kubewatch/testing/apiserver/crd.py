"""CustomResourceDefinitions: a posted definition becomes kinds that are served, a deleted one takes its objects along.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import structural
from .cluster import Cluster, Committed, WriteOptions
from .deletion import CLEANUP, DEFINITIONS, DeleteOptions
from .kinds import Resource, ScalePaths
from .status import Json, bad_value, cause, forbidden, invalid, required

_KEEP_MANAGERS = WriteOptions(manager="")
_NAMES_ACCEPTED = ("NamesAccepted", "True", "NoConflicts", "no conflicts found")
_INSTALLING = ("Established", "False", "Installing", "the initial names have been accepted")
_ESTABLISHED = ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
_TERMINATING = ("Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")


class Definitions:
    """Keeps the kinds that are served in step with the definitions that are stored.

    It listens to the cluster and does its work within the change that it hears of: whoever has posted a definition can
    use it once the answer has come. ``on_removed`` is told of kinds that are served no more.
    """

    def __init__(self, cluster: Cluster, on_removed: Callable[[Resource], None]) -> None:
        self._cluster = cluster
        self._on_removed = on_removed
        cluster.listeners.append(self._changed)
        cluster.admissions.append(self._admit)

    # --- before something is stored ---

    def _admit(self, resource: Resource, document: Json) -> Json:
        if resource.stored_in == DEFINITIONS:
            return _completed(document)
        if not resource.custom:
            return document
        if document["metadata"].get("uid") and self._is_new(resource, document) and self._is_going(resource):
            why = "create not allowed while custom resource definition is terminating"
            raise forbidden(resource.group, resource.plural, document["metadata"]["name"], why)
        return fitted(resource, document)

    def _is_new(self, resource: Resource, document: Json) -> bool:
        metadata = document["metadata"]
        return self._cluster.find(resource, metadata.get("namespace", ""), metadata["name"]) is None

    def _is_going(self, resource: Resource) -> bool:
        definition = self._definition_of(resource)
        return definition is not None and bool(definition["metadata"].get("deletionTimestamp"))

    def _definition_of(self, resource: Resource) -> Json | None:
        definitions = self._cluster.kinds.need("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        entry = self._cluster.find(definitions, "", f"{resource.plural}.{resource.group}")
        return None if entry is None else self._cluster.whole(definitions, entry)

    # --- after something was stored ---

    def _changed(self, committed: Committed) -> None:
        if committed.resource.stored_in == DEFINITIONS:
            document = committed.entry.decode()
            if committed.gone:
                self._withdraw(document)
            elif document["metadata"].get("deletionTimestamp"):
                self._empty(committed.resource, document)
            elif committed.previous is None:
                self._serve(document)
                for step in (_INSTALLING, _ESTABLISHED):
                    conditions = [_condition(one, self._now()) for one in (_NAMES_ACCEPTED, step)]
                    self._set_status(committed.resource, document, conditions)
            elif document.get("spec") != committed.previous.decode().get("spec"):
                self._serve(document)
        elif committed.gone and committed.resource.custom and self._is_going(committed.resource):
            self._finish(committed.resource)

    def _now(self) -> str:
        return self._cluster.now()

    def _serve(self, document: Json) -> None:
        spec = document["spec"]
        self._cluster.kinds.remove(spec["group"], spec["names"]["plural"])
        resources = resources_of(document)
        self._cluster.kinds.add(resources)
        for resource in resources:
            self._cluster.collection(resource)

    def _withdraw(self, document: Json) -> None:
        for resource in resources_of(document):
            self._cluster.kinds.remove(resource.group, resource.plural)
            self._on_removed(resource)

    def _set_status(self, definitions: Resource, document: Json, conditions: list[Json]) -> None:
        names = document["spec"]["names"]
        status = (document.get("status") or {}) | {"conditions": conditions, "acceptedNames": names}
        self._write(definitions, document | {"status": status}, "status")

    def _empty(self, definitions: Resource, document: Json) -> None:
        """Deletes the objects of a definition that is being deleted; the last one to go lets the definition go."""
        status = document.get("status") or {}
        conditions = [one for one in status.get("conditions") or () if one.get("type") != "Terminating"]
        if any(one.get("reason") == "InstanceDeletionInProgress" for one in status.get("conditions") or ()):
            return  # this was heard before
        resources = resources_of(document)
        self._set_status(definitions, document, [*conditions, _condition(_TERMINATING, self._now())])
        if resources:
            for entry in list(self._cluster.collection(resources[0]).entries.values()):
                self._cluster.delete(resources[0], entry.namespace, entry.name, DeleteOptions())
            self._finish(resources[0])

    def _finish(self, resource: Resource) -> None:
        definition = self._definition_of(resource)
        if definition is None or self._cluster.collection(resource).entries:
            return
        finalizers = definition["metadata"].get("finalizers") or []
        metadata = definition["metadata"] | {"finalizers": [one for one in finalizers if one != CLEANUP]}
        definitions = self._cluster.kinds.need("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        self._write(definitions, definition | {"metadata": metadata}, "")

    def _write(self, definitions: Resource, document: Json, subresource: str) -> None:
        options = replace(_KEEP_MANAGERS, subresource=subresource)
        metadata = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
        name, whole = metadata["name"], {key: value for key, value in document.items() if key != "metadata"}
        self._cluster.patch(
            definitions, "", name, lambda live: live | whole | {"metadata": {**metadata, **_version(live)}}, options
        )


def _version(live: Json) -> Json:
    return {"resourceVersion": live["metadata"]["resourceVersion"]}


def _condition(what: tuple[str, str, str, str], now: str) -> Json:
    kind, status, reason, message = what
    return {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}


def _completed(document: Json) -> Json:
    """A definition with its defaults; 422 ``ApiError`` for one that defines nothing."""
    spec: Any = document.get("spec")
    causes = _definition_causes(document["metadata"].get("name", ""), spec if isinstance(spec, dict) else {})
    if causes:
        name = document["metadata"].get("name", "")
        raise invalid("apiextensions.k8s.io", "CustomResourceDefinition", name, causes)
    kind = spec["names"]["kind"]
    names = {"singular": kind.lower(), "listKind": f"{kind}List"} | spec["names"]
    status = document.get("status") or {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": [one["name"] for one in spec["versions"] if one.get("storage")],
    }
    return document | {"spec": {"conversion": {"strategy": "None"}} | spec | {"names": names}, "status": status}


def _definition_causes(name: str, spec: Json) -> list[Json]:
    names = spec.get("names") or {}
    causes = []
    if name != f"{names.get('plural', '')}.{spec.get('group', '')}":
        causes.append(bad_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not spec.get("group"):
        causes.append(required("spec.group"))
    if not spec.get("scope"):
        causes.append(required("spec.scope"))
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        supported = f'Unsupported value: "{spec["scope"]}": supported values: "Cluster", "Namespaced"'
        causes.append(cause("FieldValueNotSupported", supported, "spec.scope"))
    versions = spec.get("versions") or []
    if sum(bool(one.get("storage")) for one in versions) != 1:
        rule = "must have exactly one version marked as storage version"
        causes.append(bad_value("spec.versions", versions or None, rule))
    for field in ("plural", "kind"):
        if not names.get(field):
            causes.append(required(f"spec.names.{field}"))
    for at, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            causes.append(required(f"spec.versions[{at}].schema.openAPIV3Schema", "schemas are required"))
    return causes


def resources_of(document: Json) -> list[Resource]:
    """The kinds that a definition defines, one a served version, the newest version first."""
    spec = document["spec"]
    versions = sorted((one for one in spec["versions"] if one.get("served")), key=_priority, reverse=True)
    return [_resource(spec, version) for version in versions]


def _priority(version: Json) -> tuple[int, int, int, int]:
    """Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1."""
    name = version["name"].removeprefix("v")
    for stability, word in ((1, "beta"), (0, "alpha")):
        major, found, minor = name.partition(word)
        if found and major.isdigit():
            return (1, stability, int(major), int(minor or 0))
    return (1, 2, int(name), 0) if name.isdigit() else (0, 0, 0, 0)


def _resource(spec: Json, version: Json) -> Resource:
    names, subresources = spec["names"], version.get("subresources") or {}
    scale = subresources.get("scale")
    selectable = (one["jsonPath"].removeprefix(".") for one in version.get("selectableFields") or ())
    schema = version["schema"]["openAPIV3Schema"]
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("scale", "status") if name in subresources),
        singular=names.get("singular") or names["kind"].lower(),
        listed_as=names.get("listKind") or f"{names['kind']}List",
        stored_in=(spec["group"], names["plural"]),
        fields={path: path for path in selectable},
        generation=True,
        resets_status="status" in subresources,
        unconditional_update=False,
        custom=True,
        scale=None if scale is None else _scale_paths(scale),
        printer_columns=tuple(version.get("additionalPrinterColumns") or ()),
        schema=schema,
    )


def _scale_paths(scale: Json) -> ScalePaths:
    paths = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    return ScalePaths(*(str(scale.get(path, "")).removeprefix(".") for path in paths))


def fitted(resource: Resource, document: Json) -> Json:
    """A custom resource as its schema wants it; 422 ``ApiError`` if it does not fit."""
    pruned, _ = structural.prune(resource.schema, document)
    filled: Json = structural.with_defaults(resource.schema, pruned)
    causes = structural.problems(resource.schema, filled)
    if causes:
        raise invalid(resource.group, resource.kind, document["metadata"].get("name", ""), causes)
    return filled
