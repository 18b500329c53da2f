"""Whether a request's body is an object that fits the URL to which it was sent."""

from __future__ import annotations

from typing import Any

from .kinds import Resource
from .status import bad_request, bad_value, invalid
from .validation import type_problem

Json = dict[str, Any]


def accepted(resource: Resource, namespace: str, name: str, document: Any) -> Json:
    """The body as a fresh outer dict with a fresh metadata dict; 400 ``ApiError`` if it does not fit.

    ``name`` is empty where an object is created.
    """
    if not isinstance(document, dict) or not isinstance(document.get("metadata") or {}, dict):
        raise _unrecognized(resource, "the body has to be a JSON object whose metadata is one")
    _check_type(resource, document)
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if value not in ({}, [], None)}
    problem = type_problem(metadata)
    if problem:
        raise bad_request(f"{_in_version(resource.kind, resource.version)} a {resource.kind}: {problem}")
    if metadata.get("namespace") and metadata["namespace"] != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
            if resource.namespaced
            else "namespace may not be set on a cluster-scoped object"
        )
    if name and not metadata.get("name"):
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if name and metadata["name"] != name:
        theirs = metadata["name"]
        raise bad_request(f"the name of the object ({theirs}) does not match the name on the URL ({name})")
    type_meta = {"apiVersion": resource.api_version, "kind": resource.kind}
    return type_meta | {key: value for key, value in document.items() if value is not None} | {"metadata": metadata}


def accepted_patched(resource: Resource, live: Json, patched: Any) -> Json:
    """The same for what a patch has made of ``live``."""
    name = live["metadata"]["name"]
    if not isinstance(patched, dict) or any(patched.get(key) != live[key] for key in ("apiVersion", "kind")):
        raise invalid("", "", "", [bad_value("patch", patched, "the patch changes what the object is")])
    document = accepted(resource, live["metadata"].get("namespace", ""), name, patched)
    uid = document["metadata"].get("uid", live["metadata"]["uid"])
    if uid != live["metadata"]["uid"]:
        raise invalid(resource.group, resource.kind, name, [bad_value("metadata.uid", uid, "field is immutable")])
    return document


def accepted_configuration(resource: Resource, namespace: str, name: str, applied: Any) -> Json:
    """The same for the body of an apply, which may leave the name to the URL but not its type."""
    if not isinstance(applied, dict):
        raise bad_request("error decoding YAML: an apply patch is an object")
    api_version, kind = applied.get("apiVersion") or "", applied.get("kind") or ""
    if (api_version, kind) != (resource.api_version, resource.kind):
        shown = api_version if "/" in api_version else f"/{api_version}"
        raise bad_request(f"invalid object type: {shown}, Kind={kind}")
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    metadata = {"name": name} | (applied.get("metadata") or {})
    return accepted(resource, namespace, name, applied | {"metadata": metadata})


def check_update_version(resource: Resource, name: str, document: Json) -> None:
    """Some kinds are replaced only by those who say which version they have seen: 422."""
    if not document["metadata"].get("resourceVersion") and not resource.unconditional_update:
        why = bad_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(resource.group, resource.plural, name, [why])


def _check_type(resource: Resource, document: Json) -> None:
    kind, api_version = document.get("kind"), document.get("apiVersion")
    if resource.custom and kind and kind != resource.kind:
        name = (document.get("metadata") or {}).get("name", "")
        raise invalid(resource.group, kind, name, [bad_value("kind", kind, f"must be {resource.kind}")])
    if resource.custom and not (kind and api_version):
        raise _unrecognized(resource, f"Object '{'apiVersion' if kind else 'Kind'}' is missing")
    if kind and kind != resource.kind:
        what = _in_version(kind, (api_version or resource.api_version).rpartition("/")[2])
        raise bad_request(f"{what} a {resource.kind}: converting ({kind}) to ({resource.kind}): unknown conversion")
    if api_version and api_version != resource.api_version:
        why = f"the API version in the data ({api_version}) does not match the expected API version"
        what = "" if resource.custom else f"{_in_version(resource.kind, api_version)} a {resource.kind}: "
        raise bad_request(f"{what}{why} ({resource.api_version})")


def _in_version(kind: str, version: str) -> str:
    return f'{kind} in version "{version}" cannot be handled as'


def _unrecognized(resource: Resource, why: str) -> Exception:
    return bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): {why}")
