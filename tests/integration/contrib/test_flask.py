"""The Flask extension where it is at home: in gunicorn's workers, under the reloader, in commands, and in tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch import Api, UnknownKind
from kubewatch.testing import ApiServer, Fault
from tests.serving import PATIENCE, Served, gunicorn, served

flask = pytest.importorskip("flask", reason="the extra kubewatch[flask] is not installed")

from kubewatch.contrib.flask import KubeWatch, NotReady  # noqa: E402

HERE = Path(__file__).parent
APP = "shop:create_app()"
HOOKED = ("--config", "python:kubewatch.contrib.gunicorn")
ONE_WORKER = ("--preload", "--worker-class", "gthread", "--threads", "4")
TWO_WORKERS = (*ONE_WORKER, "--workers", "2")


def config_map(name: str, namespace: str = "default") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def app_of(kube: KubeWatch, server: ApiServer, **config: Any) -> Any:
    """An app like any user's, for a test client."""
    app = flask.Flask("shop")
    app.config.from_mapping({"KUBEWATCH_CLIENT": server.client()}, **config)
    kube.init_app(app)
    app.add_url_rule("/names", view_func=lambda: [one.name for one in kube.settings])
    return app


@pytest.fixture
def kube() -> KubeWatch:
    kube = KubeWatch()
    kube.store("settings", "configmaps", "default")
    return kube


@pytest.fixture
def env(kube_api: ApiServer, tmp_path: Path) -> dict[str, str]:
    kube_api.objects.create(config_map("colours"))
    return {"KUBECONFIG": kube_api.kubeconfig(tmp_path / "kubeconfig")}


# In one process


def test_the_first_request_starts_the_stores_and_waits_for_what_it_reads(kube: KubeWatch, kube_api: ApiServer) -> None:
    kube_api.objects.create(config_map("colours"))
    app = app_of(kube, kube_api)
    with app.app_context():
        assert not kube.stores["settings"].running
        assert app.test_client().get("/names").json == ["colours"]
        assert kube.stores["settings"].running
        kube.here.stop()
        assert not kube.stores["settings"].running
        assert kube_api.wait_for_watches(0)


def test_without_autostart_only_reading_starts_a_store(kube: KubeWatch, kube_api: ApiServer) -> None:
    app = app_of(kube, kube_api, KUBEWATCH_AUTOSTART=False)
    with app.app_context():
        app.test_client().get("/readyz")
        assert not kube.stores["settings"].running
        assert app.test_client().get("/names").json == []
        assert kube.stores["settings"].running
        kube.here.stop()


def test_a_view_is_answered_with_503_while_there_is_no_list(
    kube: KubeWatch, kube_api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    kube_api.faults.add(Fault.status(403, message="forbidden"), verb="list", times=None)
    app = app_of(kube, kube_api, KUBEWATCH_READY_TIMEOUT=0.2)
    answer = app.test_client().get("/names")
    assert answer.status_code == 503
    assert "forbidden" not in answer.text, "what the cluster says is for the log, and not for visitors"
    assert "forbidden" in caplog.text
    with app.app_context():
        with pytest.raises(NotReady) as caught:
            len(kube.settings)
        assert "forbidden" in str(caught.value.__cause__)
        kube.here.stop()


def test_a_view_of_an_app_without_its_kubeconfig_is_answered_at_once_with_503(kube: KubeWatch) -> None:
    app = flask.Flask("shop")
    app.config.from_mapping(KUBEWATCH_KUBECONFIG="/nonexistent/config", KUBEWATCH_READY_TIMEOUT=threading.TIMEOUT_MAX)
    kube.init_app(app)
    with app.app_context():
        with pytest.raises(NotReady) as caught:
            len(kube.settings)
        assert "/nonexistent/config does not exist" in str(caught.value.__cause__)
        kube.here.stop()


def test_two_apps_in_a_process_watch_two_clusters(kube: KubeWatch, kube_api: ApiServer) -> None:
    kube_api.objects.create(config_map("colours"))
    with ApiServer() as other:
        other.objects.create(config_map("sizes"))
        apps = [app_of(kube, server) for server in (kube_api, other)]
        assert [app.test_client().get("/names").json for app in apps] == [["colours"], ["sizes"]]
        for app in apps:
            with app.app_context():
                kube.here.stop()


# Readiness


def test_the_readiness_view_passes_when_every_store_is_filled(kube: KubeWatch, kube_api: ApiServer) -> None:
    kube.store("nodes", "nodes", "")
    app = app_of(kube, kube_api, KUBEWATCH_NAMESPACE="default")
    assert app.test_client().get("/readyz").status_code == 503
    with app.app_context():
        for store in kube.stores.values():
            store.wait_until_ready(10)
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, [check["name"] for check in answer.json["checks"]]) == (200, ["settings", "nodes"])
        kube.here.stop()


def test_the_readiness_view_fails_when_a_store_is_stale(kube: KubeWatch, kube_api: ApiServer) -> None:
    app = app_of(kube, kube_api, KUBEWATCH_STALE_AFTER=1e-9)
    with app.app_context():
        assert app.test_client().get("/names").status_code == 200
        answer = app.test_client().get("/readyz")
        assert answer.status_code == 503
        assert re.match(r"ready, heard .* s ago", answer.json["checks"][0]["why"])
        kube.here.stop()


def test_the_readiness_view_fails_when_the_stores_are_stopped(kube: KubeWatch, kube_api: ApiServer) -> None:
    app = app_of(kube, kube_api)
    with app.app_context():
        app.test_client().get("/names")
        kube.here.stop()
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json["checks"][0]["why"][:6]) == (503, "closed")


def test_a_kind_that_the_cluster_learns_of_later_is_found_by_a_later_probe(kube_api: ApiServer) -> None:
    kube = KubeWatch()
    kube.store("websites", "websites.example.com")
    app = app_of(kube, kube_api)
    probe = app.test_client()
    with app.app_context():
        probe.get("/readyz")
        with pytest.raises(UnknownKind):
            kube.stores["websites"].wait_until_ready(10)
        install_websites(kube_api)
        assert "UnknownKind" in probe.get("/readyz").json["checks"][0]["why"]
        kube.stores["websites"].wait_until_ready(10)
        assert probe.get("/readyz").status_code == 200
        kube.here.stop()


def install_websites(server: ApiServer) -> None:
    names = {"plural": "websites", "singular": "website", "kind": "Website", "listKind": "WebsiteList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "websites.example.com"}, "spec": spec}
    Api("apiextensions.k8s.io/v1", "CustomResourceDefinition", client=server.client()).create(definition)


# Under gunicorn


def processes(server: Served, count: int) -> dict[int, bool]:
    """The workers that answer, and whether each watches, once there are so many."""
    seen: dict[int, bool] = {}
    while len(seen) < count:
        status, body = server.get("/process")
        assert status == 200
        answer = json.loads(body)
        seen[answer["pid"]] = answer["running"]
    return seen


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.objects.create(config_map("colours"))
        yield server


@pytest.fixture(scope="module")
def workers(cluster: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two preloaded workers with the hook, each of which watches, before any request."""
    env = {"KUBECONFIG": cluster.kubeconfig(tmp_path_factory.mktemp("workers") / "kubeconfig")}
    with gunicorn(APP, *HOOKED, *TWO_WORKERS, cwd=HERE, env=env) as server:
        assert cluster.wait_for_watches(2, timeout=PATIENCE)
        yield server
        assert server.stop() == 0
    assert cluster.wait_for_watches(0)


def test_each_preloaded_worker_watches_from_its_start_and_the_master_never(workers: Served, cluster: ApiServer) -> None:
    """Pain 21: what is made before gunicorn forks works in each of its workers."""
    seen = processes(workers, 2)
    assert set(seen.values()) == {True}, "both watches are accounted for"
    assert workers.process.pid not in seen
    assert workers.get("/names") == (200, "colours")
    cluster.objects.create(config_map("sizes"))
    assert cluster.faults.drop_watches() == 2
    cluster.objects.create(config_map("weights"))
    while workers.get("/names")[1] != "colours sizes weights":
        pass


def test_a_worker_that_is_not_preloaded_and_has_no_hook_watches_from_its_first_request(
    kube_api: ApiServer, env: dict[str, str]
) -> None:
    with gunicorn(APP, "--workers", "1", "--threads", "2", cwd=HERE, env=env) as server:
        server.matches("Booting worker")
        assert server.get("/names") == (200, "colours")
        assert kube_api.wait_for_watches(1, timeout=PATIENCE)
        assert server.stop() == 0
    assert kube_api.wait_for_watches(0)


def test_a_reload_ends_endless_responses_and_the_watches_of_old_workers(workers: Served, cluster: ApiServer) -> None:
    old = processes(workers, 2)
    with workers.open("/endless") as answer:
        assert answer.readline() == b"begun\n"
        workers.process.send_signal(signal.SIGHUP)
        assert answer.read() == b"ended\n"
    workers.matches("Booting worker", 4)
    assert set(workers.matches(r"Worker exiting \(pid: (\d+)\)", 2)) == {str(pid) for pid in old}
    assert cluster.wait_for_watches(2, timeout=PATIENCE)
    assert old.keys().isdisjoint(processes(workers, 2))


def test_a_worker_that_was_told_to_end_does_not_wait_for_endless_responses(
    kube_api: ApiServer, env: dict[str, str]
) -> None:
    with gunicorn(APP, *HOOKED, *ONE_WORKER, cwd=HERE, env=env) as server:
        # A worker that is not up yet does not hear gunicorn's signals.
        assert kube_api.wait_for_watches(1, timeout=PATIENCE)
        with server.open("/endless") as answer:
            assert answer.readline() == b"begun\n"
            server.process.send_signal(signal.SIGTERM)
            assert answer.read() == b"ended\n"
        assert server.wait() == 0


def test_workers_whose_master_has_died_end_their_endless_responses(kube_api: ApiServer, env: dict[str, str]) -> None:
    with gunicorn(APP, *HOOKED, *ONE_WORKER, cwd=HERE, env=env) as server:
        assert kube_api.wait_for_watches(1, timeout=PATIENCE)
        with server.open("/endless") as answer:
            assert answer.readline() == b"begun\n"
            server.process.kill()
            assert answer.read() == b"ended\n"
        assert kube_api.wait_for_watches(0)


# Under Flask's own server, and in its commands


def test_of_the_reloader_only_the_child_watches_also_after_a_reload(
    kube_api: ApiServer, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text((HERE / "shop.py").read_text())
    with served("flask", "--app", "shop", "run", "--debug", "--port", "0", cwd=tmp_path, env=env) as server:
        children: set[int] = set()
        for reloads in range(2):
            server.matches("Debugger PIN", reloads + 1)
            children |= processes(server, 1).keys()
            assert server.get("/names") == (200, "colours")
            assert kube_api.wait_for_watches(1, timeout=PATIENCE)
            (tmp_path / "shop.py").write_text((HERE / "shop.py").read_text() + "\n# changed\n")
        assert len(children | {server.process.pid}) == 3
    assert kube_api.wait_for_watches(0)


def test_a_command_watches_only_when_it_reads_a_store(kube_api: ApiServer, env: dict[str, str]) -> None:
    def run(command: str) -> str:
        arguments = [sys.executable, "-m", "flask", "--app", "shop", command]
        return subprocess.run(
            arguments, cwd=HERE, env={**os.environ, **env}, capture_output=True, text=True, check=True
        ).stdout

    kube_api.requests.clear()
    assert run("greet") == "hello from 1 thread\n"
    assert len(kube_api.requests) == 0
    assert run("count") == "1 found\n"
    assert kube_api.wait_for_watches(0)
