"""The kind Website on a server, for the tests of the examples that have it as their main kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backoff
import pytest
import yaml

from kubewatch import Api, ApiError, Client, Object, UnknownKind, watch_object

from .running import EXAMPLES, PATIENCE

OPERATOR = "website/website_operator.py"
CRON = "website/website_cron.py"


def manifests(file: str) -> list[dict[str, Any]]:
    """The objects in a file of examples/website/."""
    return [each for each in yaml.safe_load_all((EXAMPLES / "website" / file).read_text()) if each]


def install(client: Client) -> None:
    """As `kubectl apply -f crd.yaml` and `kubectl wait` do; then the kind is served."""
    crds = Api("apiextensions.k8s.io/v1", "CustomResourceDefinition", client=client)
    for crd in manifests("crd.yaml"):
        crds.apply(crd, field_manager="test", force=True)
        wait_for(crds, crd["metadata"]["name"], established)

    # A kube-apiserver serves a new kind some moments after it said that it does.
    @backoff.on_exception(backoff.constant, (UnknownKind, ApiError), interval=0.1, jitter=None, max_time=PATIENCE)
    def ask() -> None:
        list(Api("example.com/v1", "Website", client=client).list())

    ask()


def established(crd: Object) -> bool:
    """Whether the definition says that its kind is served."""
    return any(each.type == "Established" and each.status == "True" for each in crd.status.conditions or ())


def website(name: str, html: str = "<h1>Welcome</h1>", **spec: Any) -> dict[str, Any]:
    """A Website."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Website",
        "metadata": {"name": name},
        "spec": {"html": html} | spec,
    }


def made(name: str) -> str:
    """The name of what the operator makes for the website of that name."""
    return f"website-{name}"


def owned_by(owner: Object, child: dict[str, Any]) -> dict[str, Any]:
    """`child` with an owner reference."""
    reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
    return child | {"metadata": child["metadata"] | {"ownerReferences": [reference]}}


def wait_for(api: Api[Object], name: str, reached: Callable[[Object], object], patience: float = PATIENCE) -> Object:
    """The first state of the object that `reached` is true for, within `patience` seconds."""
    obj: Object | None = None
    with watch_object(api, name).default_backoff().until(seconds=patience) as states:
        for obj in states:
            if obj is not None and reached(obj):
                return obj
    pytest.fail(f"{api.kind} {name} is not as it should be: {obj and obj.to_dict()}")


def wait_until_gone(api: Api[Object], name: str) -> None:
    """Until there is no object of that name."""
    with watch_object(api, name).default_backoff().until(seconds=PATIENCE) as states:
        if not any(obj is None for obj in states):
            pytest.fail(f"{api.kind} {name} is still there")


def done(site: Object) -> bool:
    """Whether the operator has brought the website to its newest spec."""
    return bool(site.status.observedGeneration == site.metadata.generation)
