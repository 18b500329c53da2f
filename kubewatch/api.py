"""`Api`: one kind of object, in one namespace or in all: what a watcher watches, and the requests on single objects."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, cast, overload

import msgspec

from .client import Client
from .decode import Decode, decode_object, decode_partial
from .discovery import Resource
from .errors import InvalidInput
from .models import decode_model
from .objects import Object, PartialObjectMeta
from .params import ListParams, Query
from .selectors import parse_fields, parse_labels
from .sending import Outgoing, delete_options, metadata_only, outgoing, patch_body
from .stop import Stop
from .target import CONTEXT, Target, target
from .transport import LIST_TIMEOUT, Session, arriving, parse_page

T = TypeVar("T")
M = TypeVar("M")

PatchType = Literal["merge", "json", "strategic", "apply"]
PropagationPolicy = Literal["Background", "Foreground", "Orphan"]

JSON = "application/json"
# Servers that do not know the form (some extension servers) answer with whole objects, which are then cut down here.
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
# Put before these. Whoever knows no protobuf passes it over, and what the server answers says how to read it.
_IN_PROTOBUF = {
    form: form.partition(",")[0].replace("json", "vnd.kubernetes.protobuf") for form in (PARTIAL, PARTIAL_LIST)
}

# Objects in a page of a list.
PAGE_SIZE = 500

# The names that the first two arguments of an Api go by.
_WORDS = ("api_version", "name", "model", "list_function", "kind")


class Api(Generic[T]):
    """One kind of object, in one namespace or (`namespace=None`) in all of them.

    >>> Api("apps/v1", "Deployment", namespace="shop")
    Api(apps/v1/Deployment in shop)
    >>> Api("deploy")                                      # as kubectl calls it: po, pods, Pod, deployments.apps
    Api(deploy)

    Also `Api(Model)`: a class that names its kind, or an official one such as V1Pod; objects then come as that class.
    Also `Api(core_v1.list_namespaced_pod, namespace="shop")`, which goes by that method's ApiClient.

    Who brings no `client` shares one for the cluster that this machine is set up for. Building an Api makes no request;
    what the cluster calls the kind is found out at the first one. Any thread may use it. Raises InvalidInput for a call
    that cannot work; every request may raise UnknownKind, ApiError, AuthError, Unreachable.
    """

    @overload
    def __init__(
        self: Api[Object], api_version: str, kind: str, *, namespace: str | None = None, client: Client | None = None
    ) -> None: ...
    @overload
    def __init__(
        self: Api[Object], name: str, *, namespace: str | None = None, client: Client | None = None
    ) -> None: ...
    @overload
    def __init__(self, model: type[T], *, namespace: str | None = None, client: Client | None = None) -> None: ...
    @overload
    def __init__(self: Api[Object], list_function: Callable[..., Any], **arguments: Any) -> None: ...

    def __init__(self, *what: Any, namespace: str | None = None, client: Client | None = None, **more: Any) -> None:
        what += tuple(more.pop(word) for word in _WORDS if word in more)
        self._target = target(what, namespace, client, more)
        self._decode: Decode[Any] = decode_model(what[0]) if isinstance(what[0], type) else decode_object
        self._metadata_only = False
        self._protobuf = False

    @overload
    @classmethod
    def default_namespaced(cls, api_version: str, kind: str, *, client: Client | None = None) -> Api[Object]: ...
    @overload
    @classmethod
    def default_namespaced(cls, name: str, *, client: Client | None = None) -> Api[Object]: ...
    @overload
    @classmethod
    def default_namespaced(cls, model: type[M], *, client: Client | None = None) -> Api[M]: ...

    @classmethod
    def default_namespaced(cls, *what: Any, client: Client | None = None, **more: Any) -> Api[Any]:
        """The same in the namespace of the kubeconfig's context or of the pod, which is read when first needed.

        A kind that has no namespaces is taken as a whole, as kubectl does.
        """
        api: Api[Any] = cls(*what, client=client, **more)
        return api._at(replace(api._target, namespace_asked=CONTEXT))

    # --- what it stands for ---

    @property
    def client(self) -> Client:
        """The client in use."""
        return self._target.client

    @property
    def api_version(self) -> str:
        """`apps/v1`. Of an Api that was given a name alone it is empty until the first request."""
        return self._target.api_version

    @property
    def kind(self) -> str:
        """`Deployment`. Of an Api that was given a name alone it is that name until the first request."""
        return self._target.kind

    @property
    def namespace(self) -> str | None:
        """The namespace; None for all, and for kinds that have none. May read the kubeconfig; makes no request."""
        return self._target.namespace

    @property
    def resource(self) -> Resource:
        """What the cluster calls the kind, and whether it is namespaced; asks the cluster the first time."""
        return self._target.resource

    @property
    def namespaced(self) -> bool | None:
        """Whether the kind has namespaces; None as long as no request has found it out."""
        return self._target.found.namespaced if self._target.found is not None else None

    @property
    def decode(self) -> Decode[T]:
        """The JSON of one object, its API version and kind -> the object, in the class that this Api is of."""
        return self._decode

    def metadata(self, *, protobuf: bool = False) -> Api[PartialObjectMeta]:
        """The same objects, of which the server sends the metadata only.

        >>> metadata_watcher(Api("pods").metadata(protobuf=True))                           # doctest: +SKIP

        With `protobuf` it is asked to read them out in protobuf, which is less work for it, and for us until they are
        looked at beyond name, namespace and version. They are the same objects; a server that does not know the form
        sends JSON. It needs the package protobuf (`pip install kubewatch[protobuf]`), else InvalidInput.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
        """
        api = cast("Api[PartialObjectMeta]", copy.copy(self))
        api._metadata_only = True
        api._protobuf = protobuf or self._protobuf
        api._decode = _or_protobuf(_decode_metadata) if api._protobuf else _decode_metadata
        return api

    def within(self, namespace: str | None) -> Api[T]:
        """The same kind in another namespace; None for all."""
        return self._at(self._target.within(namespace))

    def open(self, stop: Stop) -> Session:
        """A stream's session, for a watcher; makes no request yet."""
        where = self._target.collection
        return Session(self.client, where, stop, list_as=self._accept(PARTIAL_LIST), watch_as=self._accept(PARTIAL))

    def __repr__(self) -> str:
        form = f", metadata only{', in protobuf' if self._protobuf else ''}" if self._metadata_only else ""
        return f"Api({self._target}{form})"

    # --- reading ---

    def get(self, name: str) -> T:
        """The object called `name`; ApiError with code 404 where there is none."""
        return self._request("GET", self._target.one(name), accept=self._accept(PARTIAL))

    def get_metadata(self, name: str) -> PartialObjectMeta:
        """The metadata of the object called `name`."""
        return self.metadata().get(name)

    def get_status(self, name: str) -> T:
        """The object called `name` by its status subresource, for which other rights may be needed."""
        return self._request("GET", self._target.one(name, "status"), accept=self._accept(PARTIAL))

    def list(
        self, *, label_selector: str | None = None, field_selector: str | None = None, limit: int = PAGE_SIZE
    ) -> Iterator[T]:
        """The objects, fetched in pages of `limit` objects as they are asked for.

        >>> for pod in Api("pods").list(label_selector="app=web"):                  # doctest: +SKIP
        ...     print(pod.name)

        All pages show the same moment. Who takes longer than the server keeps that moment (5 minutes by default) gets
        an ApiError with code 410 from the iteration, and begins again.
        """
        if label_selector:
            parse_labels(label_selector)
        if field_selector:
            parse_fields(field_selector)
        return self._pages(ListParams(label_selector=label_selector, field_selector=field_selector, limit=limit))

    def _pages(self, params: ListParams) -> Iterator[T]:
        path, headers = self._target.collection(), {"accept": self._accept(PARTIAL_LIST)}
        while True:
            answer = self.client.request("GET", path, query=params.query(), headers=headers, timeout=LIST_TIMEOUT)
            came = arriving(answer.headers, headers["accept"])
            came.feed(answer.body)
            page = parse_page(came, len(answer.body), answer.headers, path)
            yield from map(self._decoded, page.items)
            if not page.continue_:
                return
            params = msgspec.structs.replace(params, continue_=page.continue_)

    # --- writing ---

    def create(self, obj: Any, *, field_manager: str | None = None, dry_run: bool = False) -> T:
        """Create an object from a dict, a model or an Object; returns it as the server has it."""
        out = self._outgoing(obj)
        if not (out.name or out.generate_name):
            raise InvalidInput("an object to create needs metadata.name or metadata.generateName")
        path = self._target.of_object(out.namespace).parent()
        return self._request("POST", path, query=_options(field_manager, dry_run), body=out.raw)

    def replace(self, obj: Any, *, field_manager: str | None = None, dry_run: bool = False) -> T:
        """Replace the object of that name; ApiError with code 409 where its resourceVersion is no longer the newest."""
        return self._replace(obj, None, field_manager, dry_run)

    def replace_status(self, obj: Any, *, field_manager: str | None = None, dry_run: bool = False) -> T:
        """Replace the status of the object of that name; the server looks at nothing else of `obj`."""
        return self._replace(obj, "status", field_manager, dry_run)

    def patch(
        self,
        name: str,
        patch: Any,
        *,
        type: PatchType = "merge",
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> T:
        """Change part of the object called `name`.

        >>> Api("deploy", namespace="shop").patch("web", {"spec": {"replicas": 3}})        # doctest: +SKIP

        `patch` is a dict, or a list of operations for `type="json"`. `"strategic"` merges lists by their keys, for
        Kubernetes' own kinds only; `"apply"` needs a `field_manager`, and with `force` takes fields from others.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
        """
        return self._patch(self._target.one(name), patch, type, field_manager, force, dry_run)

    def patch_status(
        self,
        name: str,
        patch: Any,
        *,
        type: PatchType = "merge",
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> T:
        """Like `patch`, for the status: `patch` is `{"status": …}`."""
        return self._patch(self._target.one(name, "status"), patch, type, field_manager, force, dry_run)

    def apply(self, obj: Any, *, field_manager: str, force: bool = False, dry_run: bool = False) -> T:
        """Create the object, or bring the fields that `obj` has to what it says, on the server's side.

        Fields that another manager owns are a conflict (ApiError, 409), unless `force` takes them over.
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        out = self._outgoing(obj)
        path = self._target.of_object(out.namespace).one(out.name)
        return self._patch(path, msgspec.Raw(out.raw), "apply", field_manager, force, dry_run)

    def delete(
        self,
        name: str,
        *,
        propagation_policy: PropagationPolicy | None = None,
        grace_period_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
    ) -> T | None:
        """Delete the object called `name`; returns it if it lives on for a while (finalizers, grace period).

        `preconditions` are the `uid` and `resourceVersion` that it must have, else ApiError with code 409.
        """
        body = delete_options(propagation_policy, grace_period_seconds, preconditions, dry_run)
        raw = self._send("DELETE", self._target.one(name), body=body)
        return None if msgspec.json.decode(raw, type=_Kind).kind == "Status" else self._decoded(raw)

    # --- requests ---

    def _replace(self, obj: Any, subresource: str | None, field_manager: str | None, dry_run: bool) -> T:
        out = self._outgoing(obj)
        path = self._target.of_object(out.namespace).one(out.name, subresource)
        return self._request("PUT", path, query=_options(field_manager, dry_run), body=out.raw)

    def _patch(self, path: str, patch: Any, type_: str, field_manager: str | None, force: bool, dry_run: bool) -> T:
        body, media_type = patch_body(patch, type_, field_manager, force)
        query = _options(field_manager, dry_run) + ([("force", "true")] if force else [])
        return self._request("PATCH", path, query=query, body=body, content_type=media_type)

    def _outgoing(self, obj: Any) -> Outgoing:
        if isinstance(obj, PartialObjectMeta):
            raise InvalidInput("a PartialObjectMeta is not the whole object: get() that, or patch() what is to change")
        return outgoing(obj, self.resource.api_version, self.resource.kind)

    def _at(self, place: Target) -> Api[T]:
        api = copy.copy(self)
        api._target = place
        return api

    def _accept(self, partial: str) -> str:
        if self._protobuf:
            return f"{_IN_PROTOBUF[partial]},{partial}"
        return partial if self._metadata_only else JSON

    def _request(self, method: str, path: str, **request: Any) -> T:
        return self._decoded(self._send(method, path, **request))

    def _send(
        self,
        method: str,
        path: str,
        *,
        accept: str = JSON,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
    ) -> bytes:
        headers = {"accept": accept} | ({"content-type": content_type} if body is not None else {})
        return self.client.request(method, path, query=query or (), headers=headers, body=body).body

    def _decoded(self, raw: bytes) -> T:
        return cast(T, self._decode(raw, self.resource.api_version, self.resource.kind))


def _options(field_manager: str | None, dry_run: bool) -> Query:
    query: Query = [("fieldManager", field_manager)] if field_manager else []
    return [*query, ("dryRun", "All")] if dry_run else query


def _decode_metadata(raw: bytes, api_version: str, kind: str) -> PartialObjectMeta:
    if b'"PartialObjectMetadata"' not in raw[:100]:
        # An item of a list, which need not name its form, or the whole object of a server that knows no other.
        raw = metadata_only(raw)
    return decode_partial(raw, api_version, kind)


def _or_protobuf(decode: Decode[PartialObjectMeta]) -> Decode[PartialObjectMeta]:
    try:
        from .protobuf.objects import or_protobuf
    except ImportError as error:
        raise InvalidInput(
            f"protobuf=True needs the package protobuf, which is missing or too old ({error}): "
            "pip install kubewatch[protobuf]"
        ) from error
    return or_protobuf(decode)


class _Kind(msgspec.Struct):
    kind: str = ""
