"""Paths and methods: which verb on which resource."""

from __future__ import annotations

import pytest

from kubewatch.testing.apiserver.kinds import Kinds
from kubewatch.testing.apiserver.routes import route
from kubewatch.testing.apiserver.status import ApiError
from kubewatch.testing.apiserver.wire import Request

KINDS = Kinds()


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "pods", "", "", "")),
        ("GET", "/api/v1/pods?watch=true", ("watch", "pods", "", "", "")),
        ("GET", "/api/v1/pods?watch=1", ("watch", "pods", "", "", "")),
        ("GET", "/api/v1/pods?watch=false", ("list", "pods", "", "", "")),
        ("GET", "/api/v1/watch/pods", ("watch", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/ns/pods", ("list", "pods", "ns", "", "")),
        ("POST", "/api/v1/namespaces/ns/pods", ("create", "pods", "ns", "", "")),
        ("DELETE", "/api/v1/namespaces/ns/pods", ("deletecollection", "pods", "ns", "", "")),
        ("GET", "/api/v1/namespaces/ns/pods/x", ("get", "pods", "ns", "x", "")),
        ("PUT", "/api/v1/namespaces/ns/pods/x", ("update", "pods", "ns", "x", "")),
        ("PATCH", "/api/v1/namespaces/ns/pods/x", ("patch", "pods", "ns", "x", "")),
        ("DELETE", "/api/v1/namespaces/ns/pods/x", ("delete", "pods", "ns", "x", "")),
        ("PATCH", "/api/v1/namespaces/ns/pods/x/status", ("patch", "pods", "ns", "x", "status")),
        ("POST", "/api/v1/namespaces/ns/pods/x/eviction", ("create", "pods", "ns", "x", "eviction")),
        ("GET", "/api/v1/namespaces", ("list", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/ns", ("get", "namespaces", "", "ns", "")),
        ("PUT", "/api/v1/namespaces/ns/finalize", ("update", "namespaces", "", "ns", "finalize")),
        ("GET", "/api/v1/namespaces/ns/status", ("get", "namespaces", "", "ns", "status")),
        ("GET", "/apis/apps/v1/deployments", ("list", "deployments", "", "", "")),
        ("GET", "/apis/apps/v1/namespaces/ns/deployments/x/scale", ("get", "deployments", "ns", "x", "scale")),
        (
            "GET",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax",
            ("get", "clusterroles", "", "system:x", ""),
        ),
    ],
)
def test_routes(method: str, target: str, expected: tuple[str, ...]) -> None:
    found = route(Request(method, target, {}), KINDS)
    assert found is not None
    assert (found.verb, found.resource.plural, found.namespace, found.name, found.subresource) == expected


@pytest.mark.parametrize(
    "target", ["/", "/version", "/api", "/api/v1", "/apis/apps", "/apis/none/v1/foos", "/api/v9/pods"]
)
def test_paths_of_no_served_version_are_somebody_elses(target: str) -> None:
    assert route(Request("GET", target, {}), KINDS) is None


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/api/v1/nothings", 404),
        ("GET", "/api/v1/pods/x", 404),
        ("GET", "/api/v1/namespaces/ns/nodes", 404),
        ("GET", "/api/v1/namespaces/ns/pods/x/nothing", 404),
        ("POST", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/pods", 405),
        ("PUT", "/api/v1/namespaces/ns/pods", 405),
        ("POST", "/api/v1/namespaces/ns/pods/x", 405),
        ("POST", "/api/v1/namespaces/ns/pods/x/status", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
    ],
)
def test_what_a_served_version_does_not_have_is_refused(method: str, target: str, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        route(Request(method, target, {}), KINDS)
    assert refused.value.code == code
