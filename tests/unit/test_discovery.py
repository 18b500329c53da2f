"""`Discovery`: which kind a name means, asked of a server that answers from a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, cast

import pytest

from kubewatch.answers import Response
from kubewatch.client import Client
from kubewatch.discovery import ACCEPT, TTL, Discovery, Resource
from kubewatch.errors import ApiError, AuthError, UnknownKind


def kind(name: str, plural: str, *short: str, namespaced: bool = True, singular: str = "") -> dict[str, Any]:
    return {
        "name": plural,
        "kind": name,
        "namespaced": namespaced,
        "singularName": singular or name.lower(),
        "shortNames": list(short),
        "verbs": ["get", "list", "watch"],
    }


SERVED: dict[str, list[dict[str, Any]]] = {
    "v1": [
        kind("Pod", "pods", "po"),
        {"name": "pods/log", "kind": "Pod", "namespaced": True},
        kind("Event", "events", "ev"),
        kind("Node", "nodes", "no", namespaced=False),
    ],
    "apps/v1": [kind("Deployment", "deployments", "deploy"), kind("ReplicaSet", "replicasets", "rs")],
    "autoscaling/v2": [kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa")],
    "autoscaling/v1": [kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa"), kind("Scale", "scales")],
    "events.k8s.io/v1": [kind("Event", "events", "ev")],
    "rbac.authorization.k8s.io/v1": [kind("ClusterRole", "clusterroles", namespaced=False)],
    "example.com/v1beta1": [kind("Foo", "foos", "po"), kind("Deployment", "deployments")],
}


class Cluster:
    """A Client that answers discovery from a table, in the aggregated form or the plain one; notes what it is asked."""

    def __init__(self, served: dict[str, list[dict[str, Any]]], *, aggregated: bool) -> None:
        self.served = {version: list(resources) for version, resources in served.items()}
        self.aggregated = aggregated
        self.asked: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.gate: threading.Event | None = None

    def request(self, method: str, path: str, *, headers: Mapping[str, str]) -> Response:
        self.asked.append(path)
        if self.gate is not None:
            assert self.gate.wait(10.0)
        if path in self.broken:
            raise self.broken[path]
        return Response(200, {}, json.dumps(self._answer(path, headers["accept"])).encode())

    def _answer(self, path: str, accept: str) -> Any:
        if path in ("/api", "/apis"):
            core = path == "/api"
            versions = [version for version in self.served if ("/" not in version) == core]
            if accept == ACCEPT and self.aggregated:
                return {"kind": "APIGroupDiscoveryList", "items": self._items(versions)}
            if core:
                return {"kind": "APIVersions", "versions": versions}
            groups: dict[str, list[str]] = {}
            for version in versions:
                groups.setdefault(version.partition("/")[0], []).append(version)
            return {
                "kind": "APIGroupList",
                "groups": [
                    {
                        "name": group,
                        # The server need not name the preferred version first.
                        "versions": [{"groupVersion": version} for version in sorted(its)],
                        "preferredVersion": {"groupVersion": its[0]},
                    }
                    for group, its in groups.items()
                ],
            }
        api_version = path.removeprefix("/apis/").removeprefix("/api/")
        if api_version not in self.served:
            raise ApiError(404, "Failed to parse error data", "404 page not found")
        return {"kind": "APIResourceList", "groupVersion": api_version, "resources": self.served[api_version]}

    def _items(self, versions: list[str]) -> list[dict[str, Any]]:
        items: dict[str, dict[str, Any]] = {}
        for api_version in versions:
            group, _, version = api_version.rpartition("/")
            item = items.setdefault(group, {"metadata": {"name": group} if group else {}, "versions": []})
            resources = [
                {
                    "resource": each["name"],
                    "responseKind": {"group": "", "version": "", "kind": each["kind"]},
                    "scope": "Namespaced" if each["namespaced"] else "Cluster",
                    "singularResource": each["singularName"],
                    "shortNames": each["shortNames"],
                    "verbs": each["verbs"],
                }
                for each in self.served[api_version]
                if "/" not in each["name"]
            ]
            item["versions"].append({"version": version, "resources": resources})
        return list(items.values())


@pytest.fixture(params=[True, False], ids=["aggregated", "plain"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return Cluster(SERVED, aggregated=request.param)


@pytest.fixture
def discovery(cluster: Cluster) -> Discovery:
    return Discovery(cast(Client, cluster))


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("pods", ("v1", "Pod")),
        ("pod", ("v1", "Pod")),
        ("Pod", ("v1", "Pod")),
        ("PODS", ("v1", "Pod")),
        ("pods.v1", ("v1", "Pod")),
        ("nodes", ("v1", "Node")),
        ("deploy", ("apps/v1", "Deployment")),
        ("Deployment", ("apps/v1", "Deployment")),
        ("deployments.apps", ("apps/v1", "Deployment")),
        ("deployments.v1.apps", ("apps/v1", "Deployment")),
        ("deploy.apps", ("apps/v1", "Deployment")),
        ("deployments.example.com", ("example.com/v1beta1", "Deployment")),
        ("foos.v1beta1.example.com", ("example.com/v1beta1", "Foo")),
        ("hpa.v1.autoscaling", ("autoscaling/v1", "HorizontalPodAutoscaler")),
        ("scales", ("autoscaling/v1", "Scale")),
        ("events.events.k8s.io", ("events.k8s.io/v1", "Event")),
    ],
)
def test_a_name_means_what_kubectl_takes_it_for(discovery: Discovery, name: str, means: tuple[str, str]) -> None:
    found = discovery.named(name)
    assert (found.api_version, found.kind) == means


def test_the_core_group_comes_first_among_equal_names(discovery: Discovery) -> None:
    assert discovery.named("events").api_version == "v1"
    assert discovery.named("po").kind == "Pod"


def test_the_preferred_version_of_a_group_comes_first(discovery: Discovery) -> None:
    assert discovery.named("hpa").api_version == "autoscaling/v2"


def test_a_full_name_comes_before_a_short_one(cluster: Cluster, discovery: Discovery) -> None:
    cluster.served["example.com/v1beta1"].append(kind("Deploy", "deploy"))
    assert discovery.named("deploy").api_version == "example.com/v1beta1"


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("pds", "pods"),
        ("deploymnt", "deployments.apps"),
        ("deployments.wrong.group", "deployments.apps"),
        ("clusterrole.v9.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"),
    ],
)
def test_an_unknown_name_is_an_error_with_what_comes_near(discovery: Discovery, wanted: str, near: str) -> None:
    with pytest.raises(UnknownKind) as unknown:
        discovery.named(wanted)
    assert near in unknown.value.near
    assert near in str(unknown.value)


def test_a_kind_is_found_by_its_version_in_one_request(cluster: Cluster, discovery: Discovery) -> None:
    assert discovery.kind("apps/v1", "Deployment").plural == "deployments"
    assert discovery.kind("v1", "Node") == Resource(
        "", "v1", "Node", "nodes", False, "node", ("no",), ("get", "list", "watch")
    )
    assert cluster.asked == ["/apis/apps/v1", "/api/v1"]


@pytest.mark.parametrize(
    ("api_version", "wanted", "near"),
    [
        ("v1", "Deployment", ("apps/v1 Deployment", "example.com/v1beta1 Deployment")),
        ("apps/v9", "Deployment", ("apps/v1 Deployment", "example.com/v1beta1 Deployment")),
        ("v1", "pod", ("v1 Pod",)),
        ("v1", "Nod", ("v1 Node",)),
    ],
)
def test_an_unknown_kind_is_an_error_with_where_it_is(
    discovery: Discovery, api_version: str, wanted: str, near: tuple[str, ...]
) -> None:
    with pytest.raises(UnknownKind) as unknown:
        discovery.kind(api_version, wanted)
    assert unknown.value.near[: len(near)] == near


def test_what_was_found_is_not_asked_for_again(cluster: Cluster, discovery: Discovery) -> None:
    def look() -> list[str]:
        discovery.named("pods")
        discovery.named("deploy")
        discovery.kind("apps/v1", "Deployment")
        return list(cluster.asked)

    asked = look()
    assert look() == asked
    if cluster.aggregated:
        assert asked == ["/api/v1", "/api", "/apis", "/apis/apps/v1"]


def test_a_kind_that_was_installed_just_now_is_found(cluster: Cluster, discovery: Discovery) -> None:
    discovery.named("deploy")
    discovery.kind("example.com/v1beta1", "Foo")
    cluster.served["example.com/v1beta1"].append(kind("Bar", "bars"))
    assert discovery.kind("example.com/v1beta1", "Bar").plural == "bars"
    assert discovery.named("bars").kind == "Bar"
    cluster.served["new.example.com/v1"] = [kind("Baz", "bazes")]
    assert discovery.named("bazes").api_version == "new.example.com/v1"
    assert discovery.kind("new.example.com/v1", "Baz").plural == "bazes"


def test_a_hundred_threads_that_miss_ask_once() -> None:
    cluster = Cluster(SERVED, aggregated=True)
    discovery = Discovery(cast(Client, cluster))
    cluster.gate = threading.Event()
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(discovery.kind("apps/v1", "Deployment").plural), name=f"t{i}")
        for i in range(100)
    ]
    for thread in threads:
        thread.start()
    cluster.gate.set()
    for thread in threads:
        thread.join(10.0)
    assert found == ["deployments"] * 100
    assert cluster.asked == ["/apis/apps/v1"]


def test_what_was_found_is_asked_for_again_after_ten_minutes(cluster: Cluster) -> None:
    now = [0.0]
    discovery = Discovery(cast(Client, cluster), clock=lambda: now[0])
    discovery.kind("v1", "Pod")
    now[0] = TTL - 1
    discovery.kind("v1", "Pod")
    assert cluster.asked == ["/api/v1"]
    now[0] = TTL + 1
    discovery.kind("v1", "Pod")
    assert cluster.asked == ["/api/v1", "/api/v1"]


def test_one_extension_server_that_is_down_hides_no_other_kind() -> None:
    cluster = Cluster(SERVED, aggregated=False)
    cluster.broken["/apis/autoscaling/v2"] = ApiError(503, "ServiceUnavailable", "down")
    assert Discovery(cast(Client, cluster)).named("foos").kind == "Foo"


def test_credentials_that_are_refused_are_not_mistaken_for_an_unknown_kind() -> None:
    cluster = Cluster(SERVED, aggregated=True)
    cluster.broken["/api/v1"] = AuthError("401")
    with pytest.raises(AuthError):
        Discovery(cast(Client, cluster)).named("pods")


def test_an_answer_that_is_no_discovery_is_an_error() -> None:
    class Portal(Cluster):
        def _answer(self, path: str, accept: str) -> Any:
            return ["please log in"]

    with pytest.raises(ApiError, match="discovery"):
        Discovery(cast(Client, Portal({}, aggregated=True))).named("pods")


@pytest.mark.parametrize(
    ("group", "version", "word", "means"),
    [
        (None, "v1", "pod", "v1"),
        (None, "v1", "deployment", "apps/v1"),
        (None, "v2", "horizontalpodautoscaler", "autoscaling/v2"),
        (None, "v1", "clusterrole", "rbac.authorization.k8s.io/v1"),
        ("Core", "v1", "event", "v1"),
        ("Events", "v1", "event", "events.k8s.io/v1"),
        ("RbacAuthorization", "v1", "clusterrole", "rbac.authorization.k8s.io/v1"),
    ],
)
def test_the_names_of_the_official_client_are_understood(
    discovery: Discovery, group: str | None, version: str, word: str, means: str
) -> None:
    assert discovery.official(group, version, word).api_version == means


def test_a_model_of_kubernetes_own_is_never_taken_for_somebody_elses_kind(discovery: Discovery) -> None:
    with pytest.raises(UnknownKind):
        discovery.official(None, "v1beta1", "foo")


@pytest.mark.parametrize(
    ("resource", "place", "path"),
    [
        (Resource("", "v1", "Pod", "pods", True), (None,), "/api/v1/pods"),
        (Resource("", "v1", "Pod", "pods", True), ("ns", "a"), "/api/v1/namespaces/ns/pods/a"),
        (Resource("a.b", "v2", "F", "fs", False), (None, "x", "status"), "/apis/a.b/v2/fs/x/status"),
        (Resource("", "v1", "R", "rs", False), (None, "system:node a"), "/api/v1/rs/system:node%20a"),
    ],
)
def test_a_path_is_where_the_server_has_it(resource: Resource, place: tuple[Any, ...], path: str) -> None:
    assert resource.path(*place) == path
