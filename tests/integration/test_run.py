"""`kubewatch run` as a pod runs it: a process of its own, probed over HTTP, ended by signals."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import backoff
import pytest

from kubewatch.testing import ApiServer, Fault
from tests.integration.test_cli import SOON, Command

# The reconciler tells on stdout what it does; `slow` takes until a line comes on its stdin, and `bad` fails.
SHOP = """
import sys
from concurrent.futures import ThreadPoolExecutor

from kubewatch import Action, Api, Config, Controller, Program

def tell(line):  # in one piece, as others tell something, too
    sys.stdout.write(line + "\\n")
    sys.stdout.flush()

def reconcile(config_map, context):
    tell(f"began {config_map.name}")
    if config_map.name == "slow":
        tell(f"read {sys.stdin.readline()}")
    if config_map.name == "bad":
        raise ValueError("no such shop")
    return Action.requeue(3600)

def of(label, **more):
    config_maps = Api("v1", "ConfigMap", namespace="default")
    return Program(Controller(config_maps, Config(label_selector=f"is={label}")), reconcile, **more)

quick = of("quick", name="quick")
slow = of("slow", name="slow")
bad = of("bad", name="bad", executor=ThreadPoolExecutor(1))
pooled = of("slow", name="pooled", executor=ThreadPoolExecutor(1))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A server that sends bookmarks often, so that a store that is two seconds old tells of a dead server."""
    with ApiServer(bookmark_interval=0.2) as started:
        for name in ("quick", "slow", "bad"):
            metadata = {"name": name, "labels": {"is": name}}
            started.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        yield started


class Service:
    """`kubewatch run` under way, and its port."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.port = int(command.out.until("/readyz").rpartition(":")[2])

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=SOON) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    @backoff.on_predicate(backoff.constant, interval=0.05, jitter=None, max_time=SOON)
    def wait_until(self, path: str, status: int) -> bool:
        return self.ask(path)[0] == status


@contextmanager
def serving(server: ApiServer, tmp_path: Path, names: str, *options: str) -> Iterator[Service]:
    (tmp_path / "shop.py").write_text(SHOP)
    kubeconfig = Path(server.kubeconfig(tmp_path / "kubeconfig"))
    targets = [f"{tmp_path / 'shop.py'}:{name}" for name in names.split()]
    with Command(kubeconfig, "run", *targets, *options, "--port", "0", "--bind", "127.0.0.1") as command:
        yield Service(command)


def test_a_service_is_probed_and_measured_and_ends_well_on_sigterm(server: ApiServer, tmp_path: Path) -> None:
    parser: Any = pytest.importorskip(
        "prometheus_client.parser", reason="the extra kubewatch[metrics] is not installed"
    )
    with serving(server, tmp_path, "quick bad") as service:
        service.command.err.until("reconcile failed")
        assert service.wait_until("/readyz", 200)
        assert service.ask("/healthz")[0] == 200
        assert service.ask("/nothing")[0] == 404
        samples = {
            (sample.name, sample.labels.get("controller"), sample.labels.get("result")): sample.value
            for family in parser.text_string_to_metric_families(service.ask("/metrics")[1])
            for sample in family.samples
        }
        assert samples["controller_runtime_reconcile_total", "quick", "requeue_after"] == 1
        assert samples["kubewatch_store_objects", "quick", None] == 1
        assert ("process_cpu_seconds_total", None, None) in samples
        service.command.send(signal.SIGTERM)
        assert service.command.status() == 0


def test_sigterm_in_the_middle_of_a_reconcile_lets_it_finish(server: ApiServer, tmp_path: Path) -> None:
    with serving(server, tmp_path, "slow") as service:
        service.command.out.until("began slow")
        service.command.send(signal.SIGTERM)
        assert service.wait_until("/readyz", 503)
        assert service.ask("/healthz")[0] == 200
        service.command.say("now")
        service.command.out.until("read now")
        assert service.command.status() == 0


def test_a_reconcile_that_outlasts_the_grace_is_cut_off_wherever_it_runs(server: ApiServer, tmp_path: Path) -> None:
    with serving(server, tmp_path, "slow pooled", "--grace", "50ms") as service:
        service.command.out.until("began slow")
        service.command.out.until("began slow")
        service.command.send(signal.SIGTERM)
        assert service.command.status() == 3
        assert "pooled: 1 reconciles did not end" in service.command.err.rest()


def test_a_second_signal_ends_at_once(server: ApiServer, tmp_path: Path) -> None:
    with serving(server, tmp_path, "slow", "--grace", "1h") as service:
        service.command.out.until("began slow")
        service.command.send(signal.SIGINT)
        assert service.wait_until("/readyz", 503)
        service.command.send(signal.SIGINT)
        assert service.command.status() == 3


def test_json_logs_name_the_object_and_hold_no_more_of_it(server: ApiServer, tmp_path: Path) -> None:
    with serving(server, tmp_path, "bad", "--log-format", "json", "--log-level", "debug") as service:
        failed: dict[str, Any] = json.loads(service.command.err.until("reconcile failed"))
        service.command.send(signal.SIGTERM)
        assert service.command.status() == 0
        told = [failed, *map(json.loads, service.command.err.rest().splitlines())]
    assert (failed["level"], failed["logger"]) == ("WARNING", "kubewatch.controller.worker")
    assert (failed["kind"], failed["namespace"], failed["object_name"]) == ("ConfigMap", "default", "bad")
    assert "ValueError: no such shop" in failed["message"]
    assert "Traceback" in failed["exception"]
    allowed = {"time", "level", "logger", "message", "kind", "namespace", "object_name", "exception"}
    assert set().union(*told) == allowed


def test_a_service_whose_server_is_gone_is_not_ready_and_is_again_when_it_is_back(
    server: ApiServer, tmp_path: Path
) -> None:
    with serving(server, tmp_path, "quick", "--stale-after", "2s") as service:
        assert service.wait_until("/readyz", 200)
        server.faults.add(Fault.cut(), times=None)
        server.faults.drop_watches()
        assert service.wait_until("/readyz", 503)
        assert "failing" in service.ask("/readyz")[1]
        assert service.ask("/healthz")[0] == 200
        server.faults.clear()
        assert service.wait_until("/readyz", 200)
