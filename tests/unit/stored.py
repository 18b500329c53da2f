"""Objects and stores for the tests of stores."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubewatch.decode import decode_object
from kubewatch.events import Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.store import Store, Writer


def pod(
    name: str,
    namespace: str | None = "shop",
    *,
    labels: Mapping[str, str] | None = None,
    node: str | None = None,
    version: int | str = 1,
    owners: Iterable[Mapping[str, Any]] = (),
    kind: str = "Pod",
    api_version: str = "v1",
) -> Object:
    """A pod as the server would send it, or what looks like one of another kind."""
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    metadata |= {"namespace": namespace} if namespace else {}
    metadata |= {"labels": dict(labels)} if labels else {}
    metadata |= {"ownerReferences": list(owners)} if owners else {}
    body = {"metadata": metadata, "spec": {"nodeName": node} if node else {}}
    return decode_object(json.dumps(body).encode(), api_version, kind)


def node(name: str) -> Object:
    """A cluster-scoped object."""
    return pod(name, None, kind="Node")


def fill(writer: Writer[Object], *objects: Object) -> None:
    """A whole list: what is not among `objects` is gone afterwards."""
    writer.apply(Init())
    for obj in objects:
        writer.apply(InitApply(obj))
    writer.apply(InitDone())


def names(objects: Iterable[Object] | Store[Object]) -> list[str]:
    """The sorted names of `objects`."""
    return sorted(obj.name for obj in objects)


def in_child(function: Callable[[], Any]) -> Any:
    """What `function` returns or raises in a forked child."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: forking is what is tested
        child = os.fork()
    if child == 0:
        try:
            try:
                result = function()
            except BaseException as error:
                result = error
            os.write(write, pickle.dumps(result))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(content)
