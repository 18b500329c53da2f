"""What a request asks: path and method in, resource and verb out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from .kinds import Kinds, Resource
from .status import method_not_allowed, resource_not_found
from .wire import Request

_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCE_VERBS = {**_OBJECT_VERBS, "POST": "create"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


@dataclass(frozen=True)
class Route:
    """A request on a resource: on its collection (no ``name``), an object, or an object's subresource."""

    resource: Resource
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def is_true(value: str | None) -> bool:
    """How the API reads a boolean parameter: present and not ``false`` or ``0``."""
    return value is not None and value.lower() not in ("false", "0", "f")


def route(request: Request, kinds: Kinds) -> Route | None:
    """The route of a request; None for a path of no served version; 404 and 405 for what a served one does not have."""
    segments = [unquote(part) for part in request.target.partition("?")[0].strip("/").split("/")]
    found = _group_version(segments)
    if found is None:
        return None
    group, version, rest = found
    watching = rest[:1] == ["watch"]
    namespace, rest = _namespace(rest[1:] if watching else rest)
    if not 1 <= len(rest) <= 3:
        return None
    resource = kinds.find(group, version, rest[0])
    if resource is None or (namespace and not resource.namespaced):
        if kinds.served(group, version):
            raise resource_not_found()
        return None
    name, subresource = (rest[1:2] or [""])[0], (rest[2:3] or [""])[0]
    if name and resource.namespaced and not namespace:
        raise resource_not_found()
    if subresource and not resource.verbs_of(subresource):
        raise resource_not_found()
    verb = _verb(request, name, subresource, watching)
    if verb not in (resource.verbs_of(subresource) if subresource else resource.verbs):
        raise method_not_allowed()
    if verb in ("create", "deletecollection") and not name and resource.namespaced and not namespace:
        raise method_not_allowed()
    return Route(resource, verb, namespace, name, subresource)


def _group_version(segments: list[str]) -> tuple[str, str, list[str]] | None:
    if segments[0] == "api" and len(segments) > 2:
        return "", segments[1], segments[2:]
    if segments[0] == "apis" and len(segments) > 3:
        return segments[1], segments[2], segments[3:]
    return None


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """The namespace and what follows it; ``namespaces/x`` and its subresources are themselves a resource."""
    if len(rest) < 3 or rest[0] != "namespaces" or (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        return "", rest
    return rest[1], rest[2:]


def _verb(request: Request, name: str, subresource: str, watching: bool) -> str:
    if subresource:
        return _SUBRESOURCE_VERBS.get(request.method, "")
    verb = (_OBJECT_VERBS if name else _COLLECTION_VERBS).get(request.method, "")
    if verb == "list" and (watching or is_true(request.query.get("watch"))):
        return "watch"
    return verb
