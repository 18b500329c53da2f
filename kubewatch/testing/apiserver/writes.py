"""HTTP's side of create, update, patch, delete and of subresources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from . import protobuf, strict, subresources
from .cluster import Cluster, WriteOptions
from .deletion import DeleteOptions
from .discovery import SUBRESOURCE_KINDS
from .forms import renderer_for
from .kinds import Resource
from .listing import list_page, number, read_options
from .protobuf_wire import Malformed
from .render import Renderer, WholeRenderer
from .routes import Route, is_true
from .status import ApiError, bad_request, cause, invalid, required, success, unsupported_media_type
from .storage import Entry
from .wire import Request, Response

Json = dict[str, Any]

_BODY_LIMIT = 3 << 20  # bytes
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
_SPECIAL = ("scale", "binding", "eviction", "token")
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_PATCHES = (_JSON_PATCH, _MERGE_PATCH, _STRATEGIC_PATCH, _APPLY_PATCH)


class Writes:
    """Answers writes; every method may be called from any thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def answer(self, request: Request, route: Route) -> Response:
        if len(request.body) > _BODY_LIMIT:
            raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {_BODY_LIMIT}")
        if route.subresource in _SPECIAL:
            return self._special(request, route)
        if route.resource.verbs == ("create",):
            return _created(subresources.review(route.resource, _body(request, route)))
        verbs: Mapping[str, Callable[[Request, Route], Response]] = {
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        return verbs[route.verb](request, route)

    def _create(self, request: Request, route: Route) -> Response:
        renderer = renderer_for(request, route.resource, listing=False)
        body = _checked(request, route, _body(request, route))
        entry = self._cluster.create(route.resource, route.namespace, body, _options(request, route))
        return Response(201, renderer.one(entry) + b"\n")

    def _update(self, request: Request, route: Route) -> Response:
        renderer = renderer_for(request, route.resource, listing=False)
        options = _options(request, route)
        body = _checked(request, route, _body(request, route))
        entry, created = self._cluster.replace(route.resource, route.namespace, route.name, body, options)
        return _written(renderer, entry, created)

    def _patch(self, request: Request, route: Route) -> Response:
        renderer = renderer_for(request, route.resource, listing=False)
        options, kind = _options(request, route), _media_type(request)
        if kind == _APPLY_PATCH:
            if not request.query.get("fieldManager"):
                why = required("fieldManager", "is required for apply patch")
                raise invalid("meta.k8s.io", "PatchOptions", "", [why])
            entry, created = self._cluster.apply(
                route.resource, route.namespace, route.name, _applied(request), options
            )
            return _written(renderer, entry, created)
        change = _change(kind, route.resource, _decoded(request))
        return _written(renderer, self._cluster.patch(route.resource, route.namespace, route.name, change, options))

    def _special(self, request: Request, route: Route) -> Response:
        resource, namespace, name, cluster = route.resource, route.namespace, route.name, self._cluster
        if route.subresource == "scale":
            return self._scale(request, route)
        entry, body = cluster.get(resource, namespace, name), _body(request, route)
        if route.subresource == "token":
            return _created(subresources.token(entry, body))
        if route.subresource == "eviction":
            return _created(subresources.evict(cluster, resource, namespace, name, body))
        return _created(subresources.bind(cluster, resource, namespace, name, body, _options(request, route)))

    def _scale(self, request: Request, route: Route) -> Response:
        resource, cluster = route.resource, self._cluster
        entry = cluster.get(resource, route.namespace, route.name)
        scale = subresources.scale_of(resource, cluster.whole(resource, entry))
        if route.verb != "get":
            if route.verb == "patch":
                scale = _change(_media_type(request), resource, _decoded(request))(scale)
            else:
                scale = _body(request, route)
            entry = subresources.scale_to(cluster, resource, entry, scale, _options(request, route))
            scale = subresources.scale_of(resource, cluster.whole(resource, entry))
        return Response(200, msgspec.json.encode(scale) + b"\n")

    def _delete(self, request: Request, route: Route) -> Response:
        resource, options = route.resource, _delete_options(request)
        entry, gone = self._cluster.delete(resource, route.namespace, route.name, options)
        if gone and not resource.returns_deleted:
            details = {"name": entry.name, "group": resource.group, "kind": resource.plural, "uid": entry.uid}
            status = success({key: value for key, value in details.items() if value})
            return Response(200, msgspec.json.encode(status) + b"\n")
        return Response(200, renderer_for(request, resource, listing=False).one(entry) + b"\n")

    def _delete_collection(self, request: Request, route: Route) -> Response:
        resource, options = route.resource, _delete_options(request)
        chosen = read_options(request.query, resource, watch=False)
        page = list_page(self._cluster.storage, resource, route.namespace, chosen)
        for entry in page.entries:
            try:
                self._cluster.delete(resource, entry.namespace, entry.name, options)
            except ApiError as error:
                if error.reason != "NotFound":  # somebody else was quicker
                    raise
        return Response(200, WholeRenderer(resource).many(page.entries, page.metadata) + b"\n")


def _created(document: Json) -> Response:
    return Response(201, msgspec.json.encode(document) + b"\n")


def _written(renderer: Renderer, entry: Entry, created: bool = False) -> Response:
    return Response(201 if created else 200, renderer.one(entry) + b"\n")


def _media_type(request: Request) -> str:
    kind = request.header("content-type").partition(";")[0].strip()
    if kind not in _PATCHES:
        raise unsupported_media_type(", ".join(_PATCHES))
    return kind


def _body(request: Request, route: Route) -> Json:
    kind = request.header("content-type").partition(";")[0].strip()
    resource = route.resource
    json_alone = resource.custom and route.subresource not in _SPECIAL
    if kind == protobuf.MEDIA_TYPE and not json_alone:
        group, version, name = SUBRESOURCE_KINDS.get(
            route.subresource, (resource.group, resource.version, resource.kind)
        )
        return _from_protobuf(request, f"{group}/{version}".lstrip("/"), name)
    if kind not in ("application/json", ""):
        raise unsupported_media_type("application/json" + ("" if json_alone else f", {protobuf.MEDIA_TYPE}"))
    document: Json = _decoded(request)
    return document


def _from_protobuf(request: Request, api_version: str, kind: str) -> Json:
    try:
        return protobuf.decode_object(request.body, api_version, kind)
    except protobuf.NoEnvelope as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {error}") from error
    except Malformed as error:
        version = api_version.rpartition("/")[2]
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error


def _checked(request: Request, route: Route, body: Json) -> Json:
    """Refuses fields that are one too many, where the client asks for strictness; not in protobuf, nor in patches."""
    is_json = request.header("content-type").partition(";")[0].strip() != protobuf.MEDIA_TYPE
    if request.query.get("fieldValidation") == "Strict" and is_json and isinstance(body, dict):
        problems = strict.problems(route.resource, request.body, body)
        if problems:
            kind, version = route.resource.kind, route.resource.version
            what = f'{kind} in version "{version}" cannot be handled as a {kind}'
            raise bad_request(f"{what}: strict decoding error: {', '.join(problems)}")
    return body


def _decoded(request: Request) -> Any:
    try:
        return msgspec.json.decode(request.body)
    except msgspec.MsgspecError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def _applied(request: Request) -> Json:
    try:
        document: Json = msgspec.json.decode(request.body)
    except msgspec.MsgspecError as error:
        raise bad_request(f"this server reads apply patches in JSON only (which is YAML too): {error}") from error
    return document


def _change(kind: str, resource: Resource, patch: Any) -> Callable[[Json], Json]:
    """The patch as a function from the object as it is to the object as it shall be."""
    from .patch import PatchError, json_patch, merge_patch, strategic_merge_patch

    if kind == _STRATEGIC_PATCH and resource.custom:
        raise unsupported_media_type(", ".join(one for one in _PATCHES if one != _STRATEGIC_PATCH))

    def change(document: Json) -> Json:
        try:
            if kind == _JSON_PATCH:
                patched: Json = json_patch(document, patch)
            elif kind == _MERGE_PATCH:
                patched = merge_patch(document, patch)
            else:
                patched = strategic_merge_patch(document, patch, resource.kind, resource.api_version)
        except PatchError as error:
            raise ApiError(error.code, error.reason, str(error)) from error
        return patched

    return change


def _options(request: Request, route: Route) -> WriteOptions:
    query = request.query
    agent = request.header("user-agent").partition("/")[0]
    if query.get("fieldValidation", "") not in _VALIDATIONS:
        supported = ", ".join(f'"{one}"' for one in _VALIDATIONS)
        what = f'Unsupported value: "{query["fieldValidation"]}": supported values: {supported}'
        why = cause("FieldValueNotSupported", what, "fieldValidation")
        raise invalid("meta.k8s.io", _OPTIONS[route.verb], "", [why])
    return WriteOptions(
        manager=(query.get("fieldManager") or agent or "unknown")[:128],
        dry_run=_dry_run(query.get("dryRun", ""), _OPTIONS[route.verb]),
        subresource=route.subresource,
        force=is_true(query.get("force")),
    )


def _dry_run(value: str, kind: str) -> bool:
    if value not in ("", "All"):
        supported = f'Unsupported value: ["{value}"]: supported values: "All"'
        raise invalid("meta.k8s.io", kind, "", [cause("FieldValueNotSupported", supported, "dryRun")])
    return value == "All"


def _delete_options(request: Request) -> DeleteOptions:
    """From the body if there is one, else from the query."""
    query = request.query
    if request.header("content-type").startswith(protobuf.MEDIA_TYPE) and request.body:
        body = _from_protobuf(request, "meta.k8s.io/v1", "DeleteOptions")
    else:
        body = _decoded(request) if request.body.strip() else {}
    if not isinstance(body, dict):
        raise bad_request("the body is no DeleteOptions object")
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", number(query, "gracePeriodSeconds"))
    if not isinstance(grace, int | None):
        raise bad_request(
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"
        )
    dry_run = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    return DeleteOptions(
        dry_run=any(_dry_run(value, "DeleteOptions") for value in dry_run),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation=_propagation(body, query),
        grace_seconds=grace,
    )


def _propagation(body: Json, query: Mapping[str, str]) -> str:
    orphan = body.get("orphanDependents", query.get("orphanDependents"))
    if orphan is not None:
        return "Orphan" if orphan in (True, "true") else "Background"
    wanted = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if wanted not in ("", "Background", "Foreground", "Orphan"):
        supported = f'Unsupported value: "{wanted}": supported values: "Foreground", "Background", "Orphan", "nil"'
        why = cause("FieldValueNotSupported", supported, "propagationPolicy")
        raise invalid("meta.k8s.io", "DeleteOptions", "", [why])
    return str(wanted)
