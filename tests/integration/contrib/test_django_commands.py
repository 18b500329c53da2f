"""The management commands, as processes of their own: what they do, and how they end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch import Api
from kubewatch.testing import ApiServer
from tests.examples.running import deployment
from tests.postgres import Postgres
from tests.serving import Served, served

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.core.management import call_command
from django.core.management.base import CommandError, OutputWrapper

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django.management.running import until_told
from kubewatch.health import Report
from tests.djangosite.databases import added, emptied, wait_for
from tests.djangosite.models import Deployment, Machine

ROOT = Path(__file__).parent.parent.parent.parent
CONTROLLER = "tests.djangosite.controllers:controller"


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The settings of a database; SQLite's, where a test names none."""
    name = str(tmp_path_factory.mktemp("commands") / "db.sqlite3")
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": name}
    if getattr(request, "param", "sqlite") == "postgres":
        settings = {**request.getfixturevalue("postgres").settings, "CONN_MAX_AGE": None}
    with added("commands", settings):
        yield settings


@pytest.fixture(autouse=True)
def empty(database: dict[str, Any]) -> None:
    emptied("commands")


@pytest.fixture
def env(kube_api: ApiServer, database: dict[str, Any], tmp_path: Path) -> dict[str, str]:
    """What a process of the site goes by."""
    return {
        "KUBECONFIG": kube_api.kubeconfig(tmp_path / "kubeconfig"),
        "DJANGO_SETTINGS_MODULE": "tests.djangosite.settings",
        "SITE_DATABASE": json.dumps(database),
        "PYTHONWARNINGS": "error",
    }


def ended(*command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "django", *command],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def node(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def machines() -> set[str]:
    return set(Machine.objects.using("commands").values_list("name", flat=True))


def probe(process: Served, path: str) -> int:
    """The status that the command's own port answers with."""
    address = process.matches(r"at http://localhost:(\d+)")[0]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{address}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


# reflectmodels


def test_reflectmodels_once_writes_everything_and_ends(kube_api: ApiServer, env: dict[str, str]) -> None:
    kube_api.objects.create(node("n1"))
    kube_api.objects.create(deployment("web", "default"))
    Machine.objects.using("commands").create(name="gone")
    done = ended("reflectmodels", "--once", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "reflecting Deployment -> djangosite.deployment\nreflecting Node -> djangosite.machine\n"
    assert machines() == {"n1"}
    assert Deployment.objects.using("commands").get().name == "web"


def test_reflectmodels_once_gives_up_after_a_while(
    kube_api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kube_api.kubeconfig(tmp_path / "kubeconfig"))
    # The memory of the thread that writes, which has no tables.
    with pytest.raises(CommandError, match=r"^not everything was written: Deployment -> djangosite\.deployment, Node"):
        call_command("reflectmodels", once=True, timeout=0.1)


def test_reflectmodels_follows_until_it_is_told_to_end(kube_api: ApiServer, env: dict[str, str]) -> None:
    with served(
        "django", "reflectmodels", "tests.djangosite.kube.machines", "--port", "0", cwd=ROOT, env=env
    ) as process:
        assert probe(process, "/healthz") == 200
        wait_for(lambda: probe(process, "/readyz") == 200)
        kube_api.objects.create(node("n1"))
        wait_for(lambda: machines() == {"n1"})
        assert process.stop() == 0
    assert kube_api.wait_for_watches(0)


def test_reflectmodels_ends_with_an_error_when_it_cannot_go_on(kube_api: ApiServer, env: dict[str, str]) -> None:
    done = ended("reflectmodels", "tests.djangosite.kube.websites", env=env)
    assert done.returncode == 1
    assert "CommandError: Website -> djangosite.machine: the cluster serves no kind" in done.stderr


def test_reflectmodels_refuses_what_is_no_reflection() -> None:
    with pytest.raises(CommandError, match=r"kube\.Machine is a ModelBase, and not what reflect_model"):
        call_command("reflectmodels", "tests.djangosite.kube.Machine")


def test_reflectmodels_refuses_reflections_that_would_delete_each_other_s_rows() -> None:
    with pytest.raises(CommandError, match=r"kubewatch\.E004.* djangosite\.machine and djangosite\.machine"):
        call_command("reflectmodels", "tests.djangosite.kube.machines", "tests.djangosite.kube.websites")


def test_a_port_that_there_cannot_be_is_refused() -> None:
    for command in (["reflectmodels"], ["runstores"], ["runcontroller", CONTROLLER]):
        with pytest.raises(CommandError, match=r"port 65536 cannot be listened on: .* 0-65535"):
            call_command(*command, port=65536)


def test_a_second_signal_waits_for_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    with until_told({"port": None}, OutputWrapper(io.StringIO()), Report, Report) as told:
        signal.raise_signal(signal.SIGINT)
        assert (told.stopped, left) == (True, [])
        signal.raise_signal(signal.SIGINT)
        assert left == [3]


# runstores


def test_runstores_sends_signals_and_goes_on_when_a_receiver_fails(kube_api: ApiServer, env: dict[str, str]) -> None:
    kube_api.objects.create(config_map("colours", sky="blue"))
    with served("django", "runstores", "--port", "0", cwd=ROOT, env=env) as process:
        process.matches("applied settings colours {'sky': 'blue'}")
        kube_api.objects.create(config_map("bad"))
        process.matches("LookupError: no such colour")
        kube_api.objects.create(config_map("sizes"))
        process.matches("applied settings sizes {}")
        Api("configmaps", namespace="default", client=kube_api.client()).delete("colours")
        process.matches("deleted settings colours")
        assert probe(process, "/readyz") == 200
        assert process.stop() == 0
    assert kube_api.wait_for_watches(0)


# runcontroller


def test_runcontroller_reconciles_until_it_is_told_to_end(kube_api: ApiServer, env: dict[str, str]) -> None:
    kube_api.objects.create(config_map("colours", sky="blue"))
    with served("django", "runcontroller", CONTROLLER, "--port", "0", cwd=ROOT, env=env) as process:
        process.matches("noted colours")
        wait_for(lambda: probe(process, "/readyz") == 200)
        assert process.stop() == 0
    assert Machine.objects.using("commands").get(name="colours").size == 1
    assert kube_api.wait_for_watches(0)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_controller_survives_a_restart_of_its_database(
    kube_api: ApiServer, env: dict[str, str], postgres: Postgres
) -> None:
    if not postgres.can_restart:
        pytest.skip("this server is not ours to stop")
    kube_api.objects.create(config_map("before"))
    with served("django", "runcontroller", CONTROLLER, cwd=ROOT, env=env) as process:
        process.matches("noted before")
        postgres.stop()
        try:
            kube_api.objects.create(config_map("meanwhile"))
            process.matches("reconcile failed .* OperationalError")
        finally:
            postgres.start()
        process.matches("noted meanwhile")
        kube_api.objects.create(config_map("after"))
        process.matches("noted after")
        assert process.stop() == 0
    wait_for(lambda: {"before", "meanwhile", "after"} <= machines())


def test_runcontroller_refuses_what_is_no_controller() -> None:
    with pytest.raises(CommandError, match="controllers:logger is a Logger, and no Program"):
        call_command("runcontroller", "tests.djangosite.controllers:logger")


# All others


def test_other_commands_ask_the_cluster_nothing(kube_api: ApiServer, env: dict[str, str]) -> None:
    kube_api.requests.clear()
    done = ended("check", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(kube_api.requests) == 0
