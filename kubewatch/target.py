"""`Target`: one kind of object in one namespace or in all of them, and where the server has it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import typed
from .client import Client, default_client
from .discovery import Discovery, Resource
from .errors import InvalidInput

# Stands for the namespace that the kubeconfig's context or the pod says; it is read when it is first needed.
CONTEXT = "\0context"

_api_version = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+").fullmatch
_label = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?").fullmatch


@dataclass
class Target:
    """Which objects. What the cluster calls their kind is found out at the first request, and remembered.

    `asked` is the API version and kind as far as they were given; the version is empty for a name of kubectl's.
    """

    asked: tuple[str, str]
    find: Callable[[Discovery], Resource]
    namespace_asked: str | None
    client_given: Client | None
    found: Resource | None = None

    @property
    def client(self) -> Client:
        return self.client_given or default_client()

    @property
    def resource(self) -> Resource:
        if self.found is None:
            self.found = self.find(self.client.memo(Discovery))
        return self.found

    @property
    def api_version(self) -> str:
        return self.found.api_version if self.found else self.asked[0]

    @property
    def kind(self) -> str:
        return self.found.kind if self.found else self.asked[1]

    @property
    def namespace(self) -> str | None:
        if self.namespace_asked != CONTEXT:
            return self.namespace_asked
        return None if self.found is not None and not self.found.namespaced else self.client.namespace

    def within(self, namespace: str | None) -> Target:
        return replace(self, namespace_asked=checked_namespace(namespace))

    def collection(self) -> str:
        """The path of all objects meant; raises InvalidInput for a namespace where the kind has none."""
        resource = self.resource
        if not resource.namespaced and self.namespace is not None:
            raise InvalidInput(f"{resource.kind} has no namespaces: leave namespace={self.namespace!r} out")
        return resource.path(self.namespace)

    def one(self, name: str, subresource: str | None = None) -> str:
        """The path of the object called `name`; raises InvalidInput for what is no name, and without a namespace."""
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
            raise InvalidInput(f"the name of an object is text without '/', and not empty: {name!r}")
        self.parent()
        return self.resource.path(self.namespace, name, subresource)

    def parent(self) -> str:
        """The path to create an object at; raises InvalidInput without the one namespace that it needs."""
        path = self.collection()
        if self.resource.namespaced and self.namespace is None:
            raise InvalidInput(
                f"each {self.kind} is in a namespace, and none was given: Api(..., namespace=...), or "
                "api.within(namespace)"
            )
        return path

    def of_object(self, namespace: str | None) -> Target:
        """The target of an object to send, whose metadata says `namespace`; raises InvalidInput where they disagree."""
        if namespace is None:
            return self
        if not self.resource.namespaced:
            raise InvalidInput(f"{self.kind} has no namespaces, but this object is in {namespace!r}")
        if self.namespace not in (None, namespace):
            raise InvalidInput(f"this object is in namespace {namespace!r}, but it was given to the Api of {self}")
        return self.within(namespace)

    def __str__(self) -> str:
        kind = f"{self.api_version}/{self.kind}" if self.api_version else self.kind
        if self.namespace_asked is None:
            return kind
        return f"{kind} in {'the default namespace' if self.namespace_asked == CONTEXT else self.namespace_asked}"


def target(what: tuple[Any, ...], namespace: str | None, client: Client | None, arguments: dict[str, Any]) -> Target:
    """The target that the arguments of an Api describe; makes no request. Raises InvalidInput."""
    if client is not None and not isinstance(client, Client):
        raise InvalidInput(f"client is a kubewatch Client, not {type(client).__name__}: wrap it, Client(...)")
    if len(what) == 1 and inspect.ismethod(what[0]):
        official = getattr(what[0].__self__, "api_client", None)
        given = arguments if namespace is None else {**arguments, "namespace": namespace}
        api_version, kind, namespace, find = typed.of_list_method(what[0], given)
        return Target((api_version, kind), find, checked_namespace(namespace), client or Client(official))
    if arguments:
        raise InvalidInput(f"an Api takes no argument called {next(iter(arguments))!r}")
    if len(what) == 1 and isinstance(what[0], type):
        api_version, kind, find = typed.of_model(what[0])
    else:
        api_version, kind, find = _of_names(*what)
    return Target((api_version, kind), find, checked_namespace(namespace), client)


def _of_names(*names: Any) -> tuple[str, str, typed.Find]:
    if not 1 <= len(names) <= 2 or not all(isinstance(name, str) for name in names):
        raise InvalidInput(
            "an Api is of an API version and a kind, Api('apps/v1', 'Deployment'), of a name as kubectl knows it, "
            "Api('deploy'), of a model class, or of a bound list method of the official client"
        )
    if len(names) == 1:
        (name,) = names
        if not name or "/" in name or name != name.strip():
            raise InvalidInput(f"{name!r} is no name of a kind, such as 'pods'; an API version needs a kind beside it")
        return "", name, lambda discovery: discovery.named(name)
    api_version, kind = names
    if not _api_version(api_version):
        raise InvalidInput(f"{api_version!r} is no API version, such as 'v1' or 'apps/v1'")
    if not kind.isalnum():
        raise InvalidInput(f"{kind!r} is no kind, such as 'Pod'")
    return api_version, kind, lambda discovery: discovery.kind(api_version, kind)


def checked_namespace(namespace: Any) -> str | None:
    """`namespace` if it may be one; raises InvalidInput."""
    if namespace is None:
        return None
    if not isinstance(namespace, str) or not _label(namespace):
        raise InvalidInput(f"{namespace!r} is no name of a namespace; None stands for all of them")
    return namespace
