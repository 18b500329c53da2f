"""Stores and probes where they are at home: in a test client, under gunicorn and under runserver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kubewatch import UnknownKind
from kubewatch.testing import ApiServer, Fault
from tests.examples.websites import install
from tests.serving import PATIENCE, Served, gunicorn, served

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import stores
from kubewatch.contrib.django.changes import Batch
from kubewatch.contrib.django.rows import Rows
from tests.djangosite.databases import emptied
from tests.djangosite.kube import machines

ROOT = Path(__file__).parent.parent.parent.parent
APP = "tests.djangosite.wsgi"


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


# In one process


class DemandsLogin(MiddlewareMixin):
    """What Django's LoginRequiredMiddleware does, which came with 5.1."""

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        """Send who is not logged in, and that is everybody, to do so."""
        return HttpResponse(status=302) if getattr(view, "login_required", True) else None


@contextmanager
def site(server: ApiServer, api: str = "configmaps", **more: Any) -> Iterator[Client]:
    """A browser on the site, whose one store is in `server`."""
    store = {"API": api, "NAMESPACE": "default"}
    with override_settings(KUBEWATCH={"STORES": {"settings": store}, "CLIENT": server.client(), **more}):
        yield Client()


def checks(answer: Any) -> dict[str, str]:
    """Why, by name."""
    return {check["name"]: check["why"] for check in json.loads(answer.content)["checks"]}


def test_the_first_read_starts_a_store_and_waits_for_its_list(kube_api: ApiServer) -> None:
    kube_api.objects.create(config_map("colours"))
    with site(kube_api) as browser:
        assert not stores["settings"].running
        assert browser.get("/names").content == b"colours"
        assert stores["settings"].running
    assert kube_api.wait_for_watches(0), "other settings have other stores"


def test_a_read_waits_no_longer_than_the_settings_say(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.status(403, message="may not list"), verb="list", times=None)
    with site(kube_api, READY_TIMEOUT=0.2) as browser, pytest.raises(TimeoutError, match="may not list"):
        browser.get("/names")


def test_readiness_starts_the_stores_and_passes_once_they_are_filled(kube_api: ApiServer) -> None:
    kube_api.objects.create(config_map("colours"))
    with site(kube_api) as browser:
        first = browser.get("/kube/readyz")
        assert first.status_code == 503
        assert checks(first)["settings"].startswith("not ready")
        assert browser.get("/names").content == b"colours", "a read waits, whoever started the store"
        assert browser.get("/kube/readyz").status_code == 200


def test_readiness_fails_when_a_store_is_stale(kube_api: ApiServer) -> None:
    with site(kube_api, STALE_AFTER=1e-9) as browser:
        assert browser.get("/names").status_code == 200
        assert browser.get("/kube/readyz").status_code == 503


def test_a_process_without_its_cluster_is_alive(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.status(500), times=None)
    with site(kube_api) as browser:
        assert (browser.get("/kube/healthz").status_code, browser.get("/kube/readyz").status_code) == (200, 503)


def test_a_kind_that_the_cluster_learns_of_later_is_found_by_a_later_probe(kube_api: ApiServer) -> None:
    with site(kube_api, api="websites.example.com") as browser:
        with pytest.raises(UnknownKind):
            browser.get("/names")
        install(kube_api.client())
        browser.get("/kube/readyz")
        assert browser.get("/names").content == b""
        assert browser.get("/kube/readyz").status_code == 200


def test_probes_are_asked_by_get_and_never_cached(kube_api: ApiServer) -> None:
    with site(kube_api) as browser:
        assert browser.post("/kube/healthz").status_code == 405
        assert "no-cache" in browser.get("/kube/healthz")["Cache-Control"]


def test_probes_need_no_login(kube_api: ApiServer) -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.DemandsLogin"]), site(kube_api) as browser:
        assert browser.get("/names").status_code == 302
        assert browser.get("/kube/healthz").status_code == 200


def test_monitoring_hears_how_fresh_the_rows_of_other_processes_are(kube_api: ApiServer) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    emptied("default")
    with site(kube_api, REFLECT=["tests.djangosite.kube.machines"]) as browser:
        browser.get("/names")
        why = checks(browser.get("/kube/freshness"))["djangosite.machine"]
        assert why == "never written; does manage.py reflectmodels run?"
        Rows(machines).write(Batch(True), timezone.now() - timedelta(seconds=5))
        answer = browser.get("/kube/freshness")
        assert answer.status_code == 200
        assert checks(answer)["djangosite.machine"].startswith("rows as of 5.")
        Rows(machines).write(Batch(True), timezone.now() - timedelta(seconds=100))
        assert browser.get("/kube/freshness").status_code == 503
        assert browser.get("/kube/readyz").status_code == 200, "this process is well"
    emptied("default")


def test_monitoring_is_told_of_a_database_that_cannot_be_asked_and_the_log_why(
    kube_api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    call_command("migrate", "kubewatch", "zero", verbosity=0)
    try:
        with site(kube_api, REFLECT=["tests.djangosite.kube.machines"]) as browser:
            answer = browser.get("/kube/freshness")
            assert answer.status_code == 503
            assert checks(answer)["djangosite.machine"] == "the database cannot be asked: OperationalError"
            assert "the database cannot be asked: OperationalError: no such table" in caplog.text
    finally:
        call_command("migrate", verbosity=0)


# Under servers


@pytest.fixture
def env(kube_api: ApiServer, tmp_path: Path) -> dict[str, str]:
    """What a process of the site goes by."""
    kube_api.objects.create(config_map("colours"))
    return {
        "KUBECONFIG": kube_api.kubeconfig(tmp_path / "kubeconfig"),
        "DJANGO_SETTINGS_MODULE": "tests.djangosite.settings",
    }


def processes(server: Served, count: int) -> dict[int, bool]:
    """The workers that answer, and whether each watches, once there are so many."""
    seen: dict[int, bool] = {}
    while len(seen) < count:
        answer = json.loads(server.get("/process")[1])
        seen[answer["pid"]] = answer["running"]
    return seen


def test_each_preloaded_worker_watches_once_it_reads_and_the_master_never(
    kube_api: ApiServer, env: dict[str, str]
) -> None:
    """Pain 21: a fork shares no connection, and a worker's store is its own."""
    with gunicorn(APP, "--preload", "--workers", "2", cwd=ROOT, env=env) as server:
        assert processes(server, 2).keys().isdisjoint({server.process.pid})
        assert not kube_api.watches, "nobody read"
        while sum(processes(server, 2).values()) < 2:
            assert server.get("/names") == (200, "colours")
        assert kube_api.wait_for_watches(2, timeout=PATIENCE)
        kube_api.objects.create(config_map("sizes"))
        kube_api.faults.drop_watches()
        while server.get("/names") != (200, "colours sizes"):
            pass
        assert server.stop() == 0
    assert kube_api.wait_for_watches(0)


def test_a_hook_has_each_worker_watch_before_its_first_request(
    kube_api: ApiServer, env: dict[str, str], tmp_path: Path
) -> None:
    hook = tmp_path / "gunicorn.conf.py"
    hook.write_text(
        "def post_worker_init(worker):\n    from kubewatch.contrib.django import stores\n\n    stores.start()\n"
    )
    with gunicorn(APP, "--preload", "--workers", "2", "--config", str(hook), cwd=ROOT, env=env) as server:
        assert kube_api.wait_for_watches(2, timeout=PATIENCE)
        assert server.get("/names") == (200, "colours")
        assert server.stop() == 0
    assert kube_api.wait_for_watches(0)


STARTING = "Starting .*development server"


def test_of_runserver_only_the_reloader_s_child_watches_also_after_a_reload(
    kube_api: ApiServer, env: dict[str, str], tmp_path: Path
) -> None:
    changed = tmp_path / "changed.py"
    changed.write_text("")
    (tmp_path / "site_settings.py").write_text("from tests.djangosite.settings import *\nimport changed\n")
    env |= {"PYTHONPATH": f"{ROOT}:{tmp_path}", "DJANGO_SETTINGS_MODULE": "site_settings"}
    children: set[int] = set()
    with served("django", "runserver", "127.0.0.1:0", cwd=ROOT, env=env) as server:
        for starts in (1, 2):
            server.matches(STARTING, starts)
            assert server.get("/names") == (200, "colours")
            children |= processes(server, 1).keys()
            assert kube_api.wait_for_watches(1, timeout=PATIENCE)
            for attempt in range(3):  # as the reloader may not have looked at the file before it changed
                changed.write_text(f"attempt = {attempt}\n" * starts)
                if starts == 2 or server.came(STARTING, 2, seconds=10.0):
                    break
    assert len(children | {server.process.pid}) == 3
    assert kube_api.wait_for_watches(0)
