"""The inventory as its README has it used: `manage.py` commands, a browser on the admin, on SQLite and on PostgreSQL.

All files take part: commands (manage.py) read settings.py, make the tables (models.py, 0001_initial.py, found by their
__init__.py) and fill them (kube.py); the server (wsgi.py, urls.py) shows them (admin.py).
"""

from __future__ import annotations

import http.cookiejar
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import backoff
import pytest
import yaml

from kubewatch import Api
from kubewatch.testing import ApiServer
from tests.postgres import Postgres
from tests.serving import PATIENCE, Served, served

from .running import EXAMPLES, deployment

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

INVENTORY = EXAMPLES / "django_inventory"


def node(name: str, ready: str = "True") -> dict[str, Any]:
    status = {
        "conditions": [{"type": "Ready", "status": ready}],
        "nodeInfo": {"kubeletVersion": "v1.34.2"},
        "capacity": {"cpu": "8", "memory": "32Gi"},
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


@pytest.fixture
def env(kube_api: ApiServer, tmp_path: Path) -> dict[str, str]:
    """Where the cluster is, and the database; the password of the admin's user."""
    return {
        "KUBECONFIG": kube_api.kubeconfig(tmp_path / "kubeconfig"),
        "DJANGO_SETTINGS_MODULE": "inventory_site.settings",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
        "PYTHONPATH": str(INVENTORY),
        "SQLITE_FILE": str(tmp_path / "db.sqlite3"),
    }


def manage(*command: str, env: dict[str, str]) -> str:
    """What a command of manage.py prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *command],
        cwd=INVENTORY,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rights_in_rbac_yaml() -> set[tuple[str, str]]:
    """What it may do to which resources."""
    documents = yaml.safe_load_all((INVENTORY / "rbac.yaml").read_text())
    (role,) = (each for each in documents if each["kind"] == "ClusterRole")
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


class Browser:
    """Somebody who is logged in to the admin."""

    def __init__(self, server: Served) -> None:
        self._url = server.url
        cookies = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies)).open
        form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/admin/login/"))
        assert form is not None
        answers = {"username": "maria", "password": "secret", "csrfmiddlewaretoken": form[1], "next": "/admin/"}
        with self._open(f"{self._url}/admin/login/", urllib.parse.urlencode(answers).encode(), PATIENCE) as answer:
            assert "Site administration" in answer.read().decode()

    def get(self, path: str) -> str:
        """A page."""
        with self._open(self._url + path, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def status(self, path: str) -> int:
        """The status that a page is answered with."""
        try:
            with self._open(self._url + path, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def rows(self, kind: str, query: str = "") -> list[list[str]]:
        """The cells of the table in the admin's list."""
        page = self.get(f"/admin/inventory/{kind}/{query}").partition("<tbody>")[2].partition("</tbody>")[0]
        rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
        cell = r'<t[dh] class="field-[^>]*>(?:<a [^>]*>)?(?:<img [^>]*alt=")?(.*?)(?:">)?(?:</a>)?</t[dh]>'
        return [re.findall(cell, row) for row in rows]

    def wait_for_rows(self, kind: str, expected: list[list[str]]) -> None:
        """Reload until the first cells of the rows are these."""

        @backoff.on_predicate(backoff.constant, interval=0.1, jitter=None, max_time=PATIENCE)
        def seen() -> bool:
            return [row[: len(expected[0])] for row in self.rows(kind)] == expected if expected else not self.rows(kind)

        assert seen(), self.rows(kind)


def test_the_inventory_follows_the_cluster_into_the_admin_by_the_rights_that_it_asks_for(
    kube_api: ApiServer, env: dict[str, str]
) -> None:
    deployments = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    web = deployment("web", "default")
    web["metadata"]["labels"] = {"team": "shop"}
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "<script>alert(1)</script>"
    deployments.create(web)
    kube_api.objects.create(node("n1"))
    kube_api.objects.create(node("n2", ready="False"))
    manage("migrate", env=env)
    kube_api.requests.clear()
    with (
        served("django", "reflectmodels", cwd=INVENTORY, env=env) as reflecting,
        served("django", "runserver", "127.0.0.1:0", "--noreload", cwd=INVENTORY, env=env) as server,
    ):
        manage("createsuperuser", "--noinput", "--username", "maria", "--email", "maria@example.com", env=env)
        browser = Browser(server)
        script = "&lt;script&gt;alert(1)&lt;/script&gt;"
        browser.wait_for_rows("deployment", [["web", "default", "shop", "False", "0", "1", script]])
        browser.wait_for_rows("node", [["n1", "True", "v1.34.2", "8", "32Gi"], ["n2", "False", "v1.34.2", "8", "32Gi"]])
        assert kube_api.wait_for_watches(2)
        used = {(f"{request.kind.lower()}s", request.verb) for request in kube_api.requests if request.kind}
        assert used == rights_in_rbac_yaml()
        assert browser.rows("deployment", "?q=no-such") == []
        assert browser.status("/admin/inventory/deployment/add/") == 403
        assert "Save" not in browser.get("/admin/inventory/deployment/1/change/")
        deployments.patch_status("web", {"status": {"replicas": 1, "readyReplicas": 1}})
        browser.wait_for_rows("deployment", [["web", "default", "shop", "True", "1", "1", script]])
        deployments.delete("web")
        browser.wait_for_rows("deployment", [])
        assert browser.status("/kube/freshness") == 200
        assert len(re.findall("inventory.(?:deployment|node)<", browser.get("/admin/kubewatch/reflectionstate/"))) == 2
        assert reflecting.stop() == 0


def test_the_inventory_may_be_in_postgresql(kube_api: ApiServer, env: dict[str, str], postgres: Postgres) -> None:
    import psycopg

    known = {"PGDATABASE": "NAME", "PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    env |= {variable: str(postgres.settings[key]) for variable, key in known.items() if key in postgres.settings}
    kube_api.objects.create(deployment("web", "default"))
    kube_api.objects.create(node("n1"))
    manage("migrate", env=env)
    manage("reflectmodels", "--once", env=env)
    with psycopg.connect(**{**postgres.parameters, "dbname": postgres.database}) as connection:
        rows = connection.execute("SELECT namespace, name, image, ready FROM inventory_deployment").fetchall()
        assert rows == [("default", "web", "i", 0)]
        assert connection.execute("SELECT name, ready FROM inventory_node").fetchall() == [("n1", True)]


def test_nothing_is_to_be_said_against_its_settings_and_no_migration_is_missing(env: dict[str, str]) -> None:
    assert manage("makemigrations", "--check", env=env) == "No changes detected\n"
