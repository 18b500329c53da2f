"""Every file in examples/ runs, as its reader would run it, on both servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubewatch import Api
from kubewatch.client import Client
from kubewatch.testing import ApiServer, EnvTest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

# A bound, not a pause: an example that says nothing for so long (seconds) has failed.
PATIENCE = 30.0


class Running:
    """An example under way, whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, *wanted: str) -> str:
        """The next line in which all of `wanted` stand; the process's output ending first is a failure."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if all(word in line for word in wanted):
                return line
        pytest.fail(f"{wanted} never came; the output was:\n{''.join(self.lines)}")


@contextmanager
def running(example: str, *arguments: str, server: ApiServer | EnvTest, tmp_path: Path) -> Iterator[Running]:
    """Run an example against `server`, and end it as a person would, with Ctrl-C."""
    kubeconfig = tmp_path / "kubeconfig"
    server.kubeconfig(kubeconfig)
    process = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / example), *arguments],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.name = "watchdog"
    watchdog.start()
    with process:
        try:
            yield Running(process)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            rest = process.stdout.read()
            assert "KeyboardInterrupt" in rest, "Ctrl-C ends an example, and nothing but Ctrl-C does"
        finally:
            process.kill()
            watchdog.cancel()
            watchdog.join()


def config_map(name: str, namespace: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def pod(name: str, namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def deployment(name: str, namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }


def test_follow_shows_any_kind(api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path) -> None:
    api = Api("v1", "ConfigMap", namespace=namespace, client=client)
    api.create(config_map("before", namespace))
    with running("follow.py", "configmaps", server=api_server, tmp_path=tmp_path) as example:
        example.read_until("ConfigMap", namespace, "before")
        api.create(config_map("after", namespace))
        example.read_until("ConfigMap", namespace, "after")
        api.delete("after")
        example.read_until("ConfigMap", namespace, "after")


def test_watch_pods_sees_pods_of_the_default_namespace(
    api_server: ApiServer | EnvTest, client: Client, tmp_path: Path
) -> None:
    pods = Api("v1", "Pod", namespace="default", client=client)
    pods.create(pod("watched", "default"))
    try:
        with running("watch_pods.py", server=api_server, tmp_path=tmp_path) as example:
            assert example.read_until("watched") == "saw watched\n"
    finally:
        pods.delete("watched", grace_period_seconds=0)


def test_watch_metadata_sees_labels(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path
) -> None:
    Api("v1", "Pod", namespace=namespace, client=client).create(pod("web", namespace))
    with running("watch_metadata.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until("saw web", "{'app': 'web'}")


@pytest.mark.parametrize("example_file", ["watch_changes.py", "reflect_then_filter.py"])
def test_changes_of_status_are_held_back_and_changes_of_spec_are_shown(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path, example_file: str
) -> None:
    api = Api("apps/v1", "Deployment", namespace=namespace, client=client)
    api.create(deployment("web", namespace))
    with running(example_file, server=api_server, tmp_path=tmp_path) as example:
        example.read_until("web", "1")
        api.patch_status("web", {"status": {"observedGeneration": 1}})
        api.patch("web", {"spec": {"replicas": 2}})
        line = example.read_until("web")
        assert "2" in line, f"the change of status came through: {line!r}"


def test_what_is_pruned_before_the_store_is_in_neither(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path
) -> None:
    api = Api("v1", "Pod", namespace=namespace, client=client)
    with running("prune_before_store.py", server=api_server, tmp_path=tmp_path) as example:
        api.create(pod("web", namespace))
        assert "without status: True" in example.read_until("web")


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text()
    assert [p.name for p in EXAMPLES.glob("*.py") if p.name not in tested] == []
