"""Enough OpenAPI v3 for kubectl: which kinds there are, which patches they take, that the server validates by itself.

Built-in kinds are described as objects without their fields, custom resources by their own schemas.
Strategic merge patches are left out of the description, not of the server: kubectl then computes them by the rules
that it has built in, for which it needs no description.
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from .kinds import Kinds, Resource

Json = dict[str, Any]

_ROOT = "/openapi/v3"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_OBJECT: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def index(kinds: Kinds) -> Json:
    """The list of documents, one a group and version; the hash in each address changes with the document."""
    paths = {}
    for group, versions in kinds.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = sha256(msgspec.json.encode(document(kinds, group, version))).hexdigest()[:16].upper()
            paths[path] = {"serverRelativeURL": f"{_ROOT}/{path}?hash={digest}"}
    return {"paths": paths}


def describe(kinds: Kinds, path: str) -> Json | None:
    """The document at ``path`` below ``/openapi/v3``; None if there is none."""
    match path.removeprefix(_ROOT).strip("/").split("/"):
        case [""]:
            return index(kinds)
        case ["api", version]:
            return document(kinds, "", version)
        case ["apis", group, version]:
            return document(kinds, group, version)
    return None


def document(kinds: Kinds, group: str, version: str) -> Json | None:
    """The description of one group and version; None if it is not served."""
    served = kinds.served(group, version)
    if not served:
        return None
    paths: Json = {}
    for resource in served:
        paths.update(_paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": paths,
        "components": {"schemas": {_schema_name(one): _schema(one) for one in served}},
    }


def _schema_name(resource: Resource) -> str:
    reversed_group = ".".join(reversed(resource.group.split("."))) if resource.group else "io.k8s.api.core"
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _schema(resource: Resource) -> Json:
    schema: Json = dict(resource.schema) or {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": _OBJECT,
            "spec": _OBJECT,
            "status": _OBJECT,
        },
    }
    schema["x-kubernetes-group-version-kind"] = [_kind(resource)]
    return schema


def _kind(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(resource: Resource) -> Json:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{root}{scope}/{resource.plural}"
    paths: Json = {collection: {"post": _operation(resource, "post")}}
    if "get" in resource.verbs:
        paths[collection]["get"] = _operation(resource, "list")
        paths[f"{collection}/{{name}}"] = {
            "get": _operation(resource, "get"),
            "put": _operation(resource, "put"),
            "patch": _operation(resource, "patch"),
            "delete": _operation(resource, "delete"),
        }
    return paths


def _operation(resource: Resource, action: str) -> Json:
    reference = {"schema": {"$ref": f"#/components/schemas/{_schema_name(resource)}"}}
    operation: Json = {
        "operationId": f"{action}_{resource.group}_{resource.version}_{resource.plural}",
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }
    if action in ("post", "put", "patch"):
        names = ("dryRun", "fieldManager", "fieldValidation")
        operation["parameters"] = [{"name": one, "in": "query", "schema": {"type": "string"}} for one in names]
        media = _PATCHES if action == "patch" else ("application/json",)
        operation["requestBody"] = {"content": {one: {"schema": _OBJECT} for one in media}}
    return operation
