"""Objects for the tests of the command line."""

from __future__ import annotations

import json
from typing import Any

from kubewatch.decode import decode_object, decode_partial
from kubewatch.objects import Object, PartialObjectMeta


def make(kind: str, name: str = "web", *, api_version: str = "v1", **fields: Any) -> Object:
    """An object as a server sends it; `metadata` adds to its name."""
    metadata = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
    return decode_object(json.dumps(body, separators=(",", ":")).encode())


def make_partial(kind: str, name: str = "web", **metadata: Any) -> PartialObjectMeta:
    """The metadata of an object."""
    return decode_partial(
        json.dumps({"metadata": {"name": name, "namespace": "shop", **metadata}}).encode(), "v1", kind
    )


def pod(name: str = "web", version: str = "1", *, uid: str | None = None, **metadata: Any) -> Object:
    """A pod that runs."""
    return make(
        "Pod",
        name,
        metadata={"resourceVersion": version, "uid": uid or f"uid-{name}", **metadata},
        spec={"containers": [{"name": "main", "image": "web:1"}]},
        status={"phase": "Running", "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {}}}]},
    )
