"""The Website operator where it is hard: with its own few rights, and with an API server that dies under it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewatch import Api, Object
from kubewatch.testing import ApiServer, EnvTest
from kubewatch.testing.envtest import EnvTestUnavailable
from tests.conftest import REQUIRE_REAL

from .accounts import create_all, kubeconfig_of
from .running import running
from .websites import OPERATOR, done, install, made, manifests, wait_for, website

# Seconds within which the operator has to make good what an outage of some seconds has cost.
PATIENCE = 180.0


@pytest.fixture
def own_server() -> Iterator[EnvTest]:
    """A real API server of the test's own, that knows the kind Website."""
    server = EnvTest()
    try:
        server.start()
    except EnvTestUnavailable as unavailable:
        if os.environ.get(REQUIRE_REAL):
            pytest.fail(f"{REQUIRE_REAL} is set, and there is no real server: {unavailable}")
        pytest.skip(str(unavailable))
    try:
        install(server.client())
        yield server
    finally:
        server.stop()


def test_the_operator_converges_though_its_server_dies_in_the_middle(own_server: EnvTest, tmp_path: Path) -> None:
    client = own_server.client()
    websites, config_maps, deployments = (
        Api(name, namespace="default", client=client) for name in ("websites.example.com", "configmaps", "deployments")
    )
    names = [f"site-{number}" for number in range(300)]
    for name in names:
        websites.create(website(name))
    with running(
        OPERATOR, server=own_server, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0, patience=PATIENCE
    ) as example:
        example.read_until("reconciled")
        own_server.stop_apiserver()
        example.read_until("reconcile failed")
        reconciled = {line.rpartition(" ")[2] for line in example.lines if "reconciled" in line}
        assert 0 < len(reconciled) < len(names), "it died in the middle"
        own_server.start_apiserver()
        websites.patch("site-0", {"spec": {"html": "written after the outage"}})
        websites.create(website("late", replicas=2))
        for name in [*names, "late"]:
            wait_for(websites, name, done, PATIENCE)
    assert {page.name for page in ours(config_maps)} == {made(name) for name in [*names, "late"]}
    assert {servers.name for servers in ours(deployments)} == {made(name) for name in [*names, "late"]}
    assert config_maps.get(made("site-0")).data["index.html"] == "written after the outage"
    assert deployments.get(made("late")).spec.replicas == 2


def ours(api: Api[Object]) -> Iterator[Object]:
    """What the operator made."""
    return api.list(label_selector="app.kubernetes.io/managed-by=website-operator")


# Its rights


def test_the_rights_in_rbac_yaml_are_enough(own_server: EnvTest, tmp_path: Path) -> None:
    """Run as the service account that rbac.yaml makes, by a token such as its pod would have."""
    client = own_server.client()
    create_all(client, manifests("rbac.yaml"))
    kubeconfig_of(own_server, client, "website-operator", "website-operator", tmp_path / "kubeconfig")
    websites = Api("example.com/v1", "Website", namespace="default", client=client)
    deployments = Api("apps/v1", "Deployment", namespace="default", client=client)
    websites.create(website("home"))
    with running(OPERATOR, server=own_server, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0) as example:
        wait_for(websites, "home", done)
        websites.patch("home", {"spec": {"replicas": 2}})
        wait_for(deployments, made("home"), lambda servers: servers.spec.replicas == 2)
        deployments.patch_status(made("home"), {"status": {"replicas": 2, "readyReplicas": 2}})
        wait_for(websites, "home", lambda site: site.status.readyReplicas == 2)
    assert "orbidden" not in example.output


def test_no_right_in_rbac_yaml_is_unused(kube_api: ApiServer, tmp_path: Path) -> None:
    """The embedded server asks for no rights, and remembers what it was asked. An apply that makes is a `create`."""
    install(kube_api.client())
    kube_api.requests.clear()
    kube_api.objects.create(website("home"))
    with running(OPERATOR, server=kube_api, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0) as example:
        example.read_until("reconciled")
        assert kube_api.wait_for_watches(3)
    used = {
        (f"{request.kind.lower()}s{'/status' * request.path.endswith('/status')}", request.verb)
        for request in kube_api.requests
        if request.kind
    }
    (role,) = (each for each in manifests("rbac.yaml") if each["kind"] == "ClusterRole")
    rights = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert used == rights - {("configmaps", "create"), ("deployments", "create")}
