"""The objects of a server for tests, without HTTP: the same rules, the same versions, the same watch events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .cluster import Cluster, WriteOptions
from .deletion import DeleteOptions
from .kinds import Resource
from .listing import list_page, read_options
from .patch import merge_patch
from .status import ApiError, resource_not_found

Json = dict[str, Any]

_AS_TEST = WriteOptions(manager="kubewatch-test")


class Objects:
    """Create, read, change and delete objects as dicts. Kinds go by kubectl's names or by ``apiVersion`` and ``kind``.

    >>> from kubewatch.testing import ApiServer
    >>> objects = ApiServer().objects
    >>> created = objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    >>> objects.patch("cm", "a", {"data": {"k": "v"}})["data"]
    {'k': 'v'}

    The namespace of a namespaced object is ``default`` where none is given. Refusals are ``ApiError``, with the Status
    in ``.status``. Safe from any thread.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def create(self, document: Mapping[str, Any], *, namespace: str = "") -> Json:
        """As POST would; but a ``status`` given for a kind that drops it is kept: a second change writes it."""
        resource = self._of(document)
        entry = self._cluster.create(resource, self._namespace(resource, document, namespace), dict(document), _AS_TEST)
        status = document.get("status")
        if status is not None and resource.has_status and entry.decode().get("status") != status:
            whole = self._cluster.whole(resource, entry) | {"status": status}
            entry, _ = self._cluster.replace(
                resource, entry.namespace, entry.name, whole, replace(_AS_TEST, subresource="status")
            )
        return self._cluster.whole(resource, entry)

    def update(self, document: Mapping[str, Any], *, namespace: str = "", subresource: str = "") -> Json:
        """As PUT would, on the object or on a subresource such as ``status``."""
        resource = self._of(document)
        where, name = self._namespace(resource, document, namespace), document["metadata"]["name"]
        options = replace(_AS_TEST, subresource=subresource)
        entry, _ = self._cluster.replace(resource, where, name, dict(document), options)
        return self._cluster.whole(resource, entry)

    def patch(self, kind: str, name: str, patch: Json, *, namespace: str = "", subresource: str = "") -> Json:
        """As a merge patch would."""
        resource = self.resource(kind)
        where = self._namespace(resource, {}, namespace)
        options = replace(_AS_TEST, subresource=subresource)
        entry = self._cluster.patch(resource, where, name, lambda document: merge_patch(document, patch), options)
        return self._cluster.whole(resource, entry)

    def delete(self, kind: str, name: str, *, namespace: str = "", propagation: str = "") -> Json:
        """As DELETE would; returns the object's last state (with ``deletionTimestamp`` while finalizers hold it)."""
        resource = self.resource(kind)
        where = self._namespace(resource, {}, namespace)
        entry, _ = self._cluster.delete(resource, where, name, DeleteOptions(propagation=propagation))
        return self._cluster.whole(resource, entry)

    def get(self, kind: str, name: str, *, namespace: str = "") -> Json:
        resource = self.resource(kind)
        entry = self._cluster.get(resource, self._namespace(resource, {}, namespace), name)
        return self._cluster.whole(resource, entry)

    def exists(self, kind: str, name: str, *, namespace: str = "") -> bool:
        try:
            self.get(kind, name, namespace=namespace)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def list(self, kind: str, *, namespace: str = "", labels: str = "", fields: str = "") -> list[Json]:
        """All objects of the kind, in every namespace unless one is given; ``labels`` and ``fields`` are selectors."""
        resource = self.resource(kind)
        options = read_options({"labelSelector": labels, "fieldSelector": fields}, resource, watch=False)
        page = list_page(self._cluster.storage, resource, namespace, options)
        return [self._cluster.whole(resource, entry) for entry in page.entries]

    def versions(self, kind: str, *, namespace: str = "") -> dict[tuple[str, str], str]:
        """Every object's resourceVersion by (namespace, name): what a store that has caught up holds."""
        resource = self.resource(kind)
        page = list_page(self._cluster.storage, resource, namespace, read_options({}, resource, watch=False))
        return {(entry.namespace, entry.name): str(entry.version) for entry in page.entries}

    def resource(self, kind: str) -> Resource:
        """What is served under one of kubectl's names, or under ``apiVersion/Kind`` as in ``apps/v1/Deployment``."""
        api_version, _, plain = kind.rpartition("/")
        found = self._cluster.kinds.of(api_version, plain) if api_version else self._cluster.kinds.named(kind)
        if found is None:
            raise resource_not_found(f"{api_version!r} {plain!r}" if api_version else repr(kind))
        return found

    def _of(self, document: Mapping[str, Any]) -> Resource:
        api_version, kind = document.get("apiVersion", ""), document.get("kind", "")
        found = self._cluster.kinds.of(api_version, kind)
        if found is None:
            raise resource_not_found(f"{api_version!r} {kind!r}")
        return found

    def _namespace(self, resource: Resource, document: Mapping[str, Any], namespace: str) -> str:
        if not resource.namespaced:
            return ""
        return namespace or (document.get("metadata") or {}).get("namespace") or "default"
