"""The cron job of examples/cronjob: as its manifest runs it, with the rights that it has, and ended in the middle.

Nothing here rolls deployments out; the tests do as the controllers of Kubernetes would.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewatch import Api, Object, await_condition, watcher
from kubewatch.client import Client
from kubewatch.testing import ApiServer, EnvTest

from .accounts import kubeconfig_of
from .running import EXAMPLES, deployment, ended, running

RESTART = "cronjob/restart.py"
NAMESPACE = "shop"
MARK = "example.com/restarted-by"


def manifests(file: str) -> list[dict[str, Any]]:
    """The objects in a file of examples/cronjob/."""
    return list(yaml.safe_load_all((EXAMPLES / "cronjob" / file).read_text()))


(CRON_JOB,) = manifests("cronjob.yaml")
POD = CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
NAMES: list[str] = CONTAINER["args"]


@pytest.fixture
def deployments(client: Client, api_server: ApiServer | EnvTest, tmp_path: Path) -> Iterator[Api[Object]]:
    """The deployments that the manifest names, in its namespace; on both servers, with the rights that it gives."""
    api = Api("apps/v1", "Deployment", namespace=NAMESPACE, client=client)
    namespaces = Api("v1", "Namespace", client=client)
    if not any(each.name == NAMESPACE for each in namespaces.list()):
        namespaces.create({"metadata": {"name": NAMESPACE}})
    for name in NAMES:
        api.create(deployment(name, NAMESPACE))
    kubeconfig = tmp_path / "kubeconfig"
    if isinstance(api_server, EnvTest):
        for each in manifests("rbac.yaml"):
            Api(each["apiVersion"], each["kind"], namespace=NAMESPACE, client=client).apply(each, field_manager="test")
        kubeconfig_of(api_server, client, NAMESPACE, POD["serviceAccountName"], kubeconfig)
    else:
        api_server.kubeconfig(kubeconfig, namespace=NAMESPACE)
    yield api
    for name in NAMES:
        api.delete(name)


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the job, which its pod is told."""
    (variable,) = CONTAINER["env"]
    monkeypatch.setenv(variable["name"], "restart-1")
    return "restart-1"


DONE = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": []}
LATE = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


@contextmanager
def rolling_out(
    api: Api[Object], status: dict[str, Any] = DONE, before: Callable[[], object] = lambda: None
) -> Iterator[list[str]]:
    """Meanwhile, what is restarted soon has this status, after a call of `before`; gives the names, in order."""
    end, order = threading.Event(), []

    def roll_out() -> None:
        for each in watcher(api).default_backoff().take_until(end).applied_objects():
            generation = each.metadata.generation or 0
            if mark_of(each) and (each.status.observedGeneration or 0) < generation:
                order.append(each.name)
                before()
                api.patch_status(each.name, {"status": {"observedGeneration": generation} | status})

    thread = threading.Thread(target=roll_out, name="deployment controller")
    thread.start()
    try:
        yield order
    finally:
        end.set()
        thread.join()


def mark_of(each: Object) -> str | None:
    """By which run the deployment was restarted."""
    annotations = each.spec.template.metadata.annotations or {}
    return annotations.get(MARK)


def test_each_is_restarted_when_the_one_before_is_rolled_out(
    api_server: ApiServer | EnvTest, deployments: Api[Object], tmp_path: Path
) -> None:
    with rolling_out(deployments) as order:
        code, output = ended(RESTART, *NAMES, server=api_server, tmp_path=tmp_path)
    assert (code, order) == (0, NAMES), output
    assert [line.split(":")[-1] for line in output.splitlines()] == [f"{name} is restarted" for name in NAMES]


@pytest.mark.parametrize("api_server", ["embedded"], indirect=True)
def test_a_failed_rollout_has_an_exit_code_of_its_own_and_leaves_the_others_alone(
    api_server: ApiServer | EnvTest, deployments: Api[Object], tmp_path: Path
) -> None:
    with rolling_out(deployments, LATE):
        code, output = ended(RESTART, *NAMES, server=api_server, tmp_path=tmp_path)
    assert code == 3
    assert "Progressing=False (ProgressDeadlineExceeded)" in output
    assert [mark_of(deployments.get(name)) for name in NAMES] == ["restart-1", None]


def test_sigterm_ends_it_in_the_middle_and_a_retry_goes_on_there(
    api_server: ApiServer | EnvTest, deployments: Api[Object], tmp_path: Path
) -> None:
    first, second = NAMES

    def patched(obj: Object | None) -> bool:
        return obj is not None and mark_of(obj) == "restart-1"

    with running(RESTART, *NAMES, server=api_server, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=143) as example:
        await_condition(deployments, first, patched, 30)
    assert example.output == "", "no traceback"
    assert mark_of(deployments.get(second)) is None
    generation = deployments.get(first).metadata.generation
    with rolling_out(deployments) as order:
        code, output = ended(RESTART, *NAMES, server=api_server, tmp_path=tmp_path)
    assert (code, order) == (0, NAMES), output
    assert deployments.get(first).metadata.generation == generation, "it was not restarted again"


@pytest.mark.parametrize(
    ("api_server", "error"),
    [("embedded", 'deployments.apps "other" not found'), ("real", "403 Forbidden")],
    indirect=["api_server"],
)
def test_a_deployment_that_is_not_there_or_not_its_own_is_an_error_that_says_so(
    api_server: ApiServer | EnvTest, deployments: Api[Object], tmp_path: Path, error: str
) -> None:
    code, output = ended(RESTART, "other", server=api_server, tmp_path=tmp_path)
    assert code == 1
    assert error in output


def test_no_names_is_an_error_that_no_other_try_mends(kube_api: ApiServer, tmp_path: Path) -> None:
    code, output = ended(RESTART, server=kube_api, tmp_path=tmp_path)
    assert code == 3
    assert "restart.py" in output


# The manifests


def test_no_right_in_rbac_yaml_is_unused(kube_api: ApiServer, tmp_path: Path) -> None:
    """The embedded server asks for no rights, and remembers what it was asked."""
    kube_api.kubeconfig(tmp_path / "kubeconfig", namespace=NAMESPACE)
    kube_api.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for name in NAMES:
        kube_api.objects.create(deployment(name, NAMESPACE))
    api = Api("apps/v1", "Deployment", namespace=NAMESPACE, client=kube_api.client())
    with rolling_out(api, before=lambda: kube_api.wait_for_watches(2)):
        assert kube_api.wait_for_watches(1)
        kube_api.requests.clear()
        code, output = ended(RESTART, *NAMES, server=kube_api, tmp_path=tmp_path)
    assert code == 0, output
    used = {
        ("deployments", each.name or each.query["fieldSelector"].removeprefix("metadata.name="), each.verb)
        for each in kube_api.requests
        if each.kind and not each.path.endswith("/status")  # which is the test's own
    }
    (role,) = (each for each in manifests("rbac.yaml") if each["kind"] == "Role")
    rights = {
        (resource, name, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for name in rule["resourceNames"]
        for verb in rule["verbs"]
    }
    assert used == rights


@pytest.mark.parametrize("api_server", ["real"], indirect=True)
def test_a_cluster_accepts_the_job_and_knows_all_its_fields(client: Client, deployments: Api[Object]) -> None:
    jobs = Api(CRON_JOB["apiVersion"], CRON_JOB["kind"], namespace=NAMESPACE, client=client)
    assert is_part(CRON_JOB, jobs.create(CRON_JOB, dry_run=True).to_dict())


def is_part(part: Any, whole: Any) -> bool:
    """Whether all that is in `part` is in `whole`."""
    if isinstance(part, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)


def test_the_manifests_fit_the_script_and_each_other() -> None:
    folder = EXAMPLES / "cronjob"
    assert CONTAINER["command"] == ["python", f"/app/{Path(RESTART).name}"]
    assert f"COPY {Path(RESTART).name} /app/" in (folder / "Dockerfile").read_text()
    rules = CRON_JOB["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rules[0]["onExitCodes"] == {"containerName": CONTAINER["name"], "operator": "In", "values": [3]}
    (account,) = (each for each in manifests("rbac.yaml") if each["kind"] == "ServiceAccount")
    assert account["metadata"] == {"name": POD["serviceAccountName"], "namespace": CRON_JOB["metadata"]["namespace"]}
