"""`Discovery`: which kinds the cluster serves, and which of them a name means, as kubectl understands it.

What a cluster serves is asked once and remembered for ten minutes; a kind that is not found is asked for again, so that
a newly installed one is found at once. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from .aside import Together
from .client import Client
from .errors import ApiError, UnknownKind, Unreachable

if TYPE_CHECKING:
    from cachetools import TTLCache

logger = logging.getLogger(__name__)

# Seconds for which an answer is remembered.
TTL = 600.0

# One answer for all groups, from Kubernetes 1.27 on; older servers answer in the plain form.
_AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
ACCEPT = f"{_AGGREGATED},application/json"


class Resource(msgspec.Struct, frozen=True):
    """One kind as one version of its group serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """Group and version as objects carry them: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Where the server has it.

        >>> Resource("apps", "v1", "Deployment", "deployments", True).path("shop", "web", "status")
        '/apis/apps/v1/namespaces/shop/deployments/web/status'
        """
        from urllib.parse import quote  # with all that it loads, for whoever makes a request

        parts = ["/apis" if self.group else "/api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe=":") for part in (name, subresource) if part is not None]
        return "/".join(parts)

    def is_called(self, name: str) -> bool:
        """Whether `name`, in lower case, is its plural, its singular or its kind."""
        return name in (self.plural, self.singular, self.kind.lower())

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


Found = tuple[Resource, ...]


class Discovery:
    """What one cluster serves; thread-safe. Everything raises UnknownKind, ApiError, AuthError, Unreachable."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        from cachetools import TTLCache  # slow to import

        self._client = client
        # Guards `_known`; held for no longer than a look.
        self._lock = threading.Lock()
        self._known: TTLCache[str, Found] = TTLCache(maxsize=4096, ttl=TTL, timer=clock)
        # Of a hundred threads that miss the same, one asks, and a silent server holds up none of them twice.
        self._asking: Together[Found] = Together()

    def kind(self, api_version: str, kind: str) -> Resource:
        """The kind as objects name it: `("apps/v1", "Deployment")`."""
        found = self._find(api_version, lambda resource: resource.kind == kind)
        return found or self._unknown(f"{api_version} {kind}", kind, _as_kind)

    def named(self, name: str) -> Resource:
        """The kind that kubectl takes `name` for: `pods`, `po`, `Pod`, `deployments.apps`, `deployments.v1.apps`.

        Of equal names, those of the core group come first, then the groups in the server's order, each in the version
        that it prefers. A short name counts where no full name does.
        """
        word, _, rest = name.lower().partition(".")
        if not rest:
            # Most often it is in the core group, which is one short answer, and which does not grow.
            found = self._find("v1", lambda resource: resource.is_called(word), again=False)
            if found is not None:
                return found
        found = self._find(
            "*",
            lambda resource: resource.is_called(word) and _within(resource, rest),
            lambda resource: word in resource.short_names and _within(resource, rest),
        )
        return found or self._unknown(name, word, str)

    def official(self, group: str | None, version: str, word: str) -> Resource:
        """The kind that the official client's names mean: `RbacAuthorization`, `v1`, `clusterrole`.

        Models often do not say their group (`V1Pod`); it is then a group of Kubernetes' own.
        """

        def means(resource: Resource) -> bool:
            if resource.version != version or resource.kind.lower() != word:
                return False
            if group is None:
                return "." not in resource.group or resource.group.endswith(".k8s.io")
            return (resource.group or "core").removesuffix(".k8s.io").replace(".", "") == group.lower()

        if group in (None, "Core"):
            found = self._find("v1", means, again=False)
            if found is not None or group == "Core":
                return found or self._unknown(f"{version} {word}", word, _as_kind)
        return self._find("*", means) or self._unknown(f"{version} {word}", word, _as_kind)

    def everything(self) -> Found:
        """All that the cluster serves, the preferred first."""
        self._find("*", lambda resource: True)
        with self._lock:
            return self._known.get("*", ())

    def _find(self, place: str, *preferences: Callable[[Resource], bool], again: bool = True) -> Resource | None:
        # `place` is an API version, or "*" for all that there is. With `again`, a miss is asked for once more.
        with self._lock:
            known = self._known.get(place)
        found = _first(known or (), preferences)
        if found is not None or (known is not None and not again):
            return found
        return _first(self._asking.get(place, lambda: self._renewed(place, known)), preferences)

    def _renewed(self, place: str, known: Found | None) -> Found:
        with self._lock:
            now = self._known.get(place)
        if now is not None and now is not known:
            return now  # somebody asked just before us, and that answer is new enough
        now = self._everything() if place == "*" else self._ask(place)
        with self._lock:
            self._known[place] = now
        return now

    def _unknown(self, wanted: str, word: str, say: Callable[[Resource], str]) -> Resource:
        try:
            served = self.everything()
        except (ApiError, Unreachable):  # the advice is all that is lost
            served = ()
        word = word.lower()
        near = [resource for resource in served if resource.is_called(word)]
        if not near:
            from difflib import get_close_matches  # rarely needed

            names: dict[str, Resource] = {}
            for resource in served:
                for name in (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names):
                    names.setdefault(name, resource)
            near = [names[name] for name in get_close_matches(word, names, n=5)]
        raise UnknownKind(wanted, tuple(dict.fromkeys(map(say, near)))[:3])

    def _ask(self, api_version: str) -> Found:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            answer = self._get(path, "application/json")
        except ApiError as error:
            if error.code == 404:
                return ()
            raise
        group, _, version = api_version.rpartition("/")
        found = []
        for each in answer.get("resources") or ():
            if "/" not in each["name"]:  # others are parts of one, like pods/log
                found.append(
                    Resource(
                        group,
                        version,
                        each["kind"],
                        each["name"],
                        bool(each.get("namespaced")),
                        each.get("singularName") or each["kind"].lower(),
                        tuple(each.get("shortNames") or ()),
                        tuple(each.get("verbs") or ()),
                    )
                )
        return tuple(found)

    def _everything(self) -> Found:
        found: list[Resource] = []
        for path in ("/api", "/apis"):
            answer = self._get(path, ACCEPT)
            if answer.get("kind") == "APIGroupDiscoveryList":
                found += _aggregated(answer)
                continue
            for api_version in _versions(answer):
                try:
                    found += self._ask(api_version)
                except ApiError as error:
                    # One extension server that is down must not hide all other kinds.
                    logger.info("the kinds of %s cannot be asked for: %s", api_version, error)
        return tuple(found)

    def _get(self, path: str, accept: str) -> dict[str, Any]:
        body = self._client.request("GET", path, headers={"accept": accept}).body
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ApiError(200, "Failed to parse discovery", str(error), request=f"GET {path}") from error


def _as_kind(resource: Resource) -> str:
    return f"{resource.api_version} {resource.kind}"


def _first(resources: Found, preferences: Iterable[Callable[[Resource], bool]]) -> Resource | None:
    return next((resource for preferred in preferences for resource in filter(preferred, resources)), None)


def _within(resource: Resource, rest: str) -> bool:
    # What may follow a name: nothing, the group, or version and group (which is empty for the core group).
    return rest in ("", resource.group, f"{resource.version}.{resource.group}".rstrip("."))


def _versions(answer: dict[str, Any]) -> list[str]:
    # Of the answer to /api: versions; of that to /apis: groups with their versions.
    if "groups" not in answer:
        return list(answer.get("versions") or ())
    found = []
    for group in answer["groups"] or ():
        versions = [version["groupVersion"] for version in group.get("versions") or ()]
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        found += sorted(versions, key=lambda version: version != preferred)
    return found


def _aggregated(answer: dict[str, Any]) -> list[Resource]:
    found = []
    for group in answer.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():  # the preferred one comes first
            for each in version.get("resources") or ():
                kind = (each.get("responseKind") or {}).get("kind") or ""
                found.append(
                    Resource(
                        name,
                        version["version"],
                        kind,
                        each["resource"],
                        each.get("scope") == "Namespaced",
                        each.get("singularResource") or kind.lower(),
                        tuple(each.get("shortNames") or ()),
                        tuple(each.get("verbs") or ()),
                    )
                )
    return found
