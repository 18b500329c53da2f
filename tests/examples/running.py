"""Running a file of examples/ as its reader would: as a program of its own, which is ended by a signal."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubewatch.testing import ApiServer, EnvTest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

# A bound, not a pause: an example that says nothing for so long (seconds) has failed.
PATIENCE = 30.0


class Running:
    """An example under way, whose output is read as it comes, so that it never waits for its reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []  # those that `read_until` has come by
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="reader")
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def _next(self) -> str | None:
        line = self._queue.get()
        if line is not None:
            self.lines.append(line)
        return line

    def read_until(self, *wanted: str) -> str:
        """The next line in which all of `wanted` stand; the process's output ending first is a failure."""
        while (line := self._next()) is not None:
            if all(word in line for word in wanted):
                return line
        pytest.fail(f"{wanted} never came; the output was:\n{self.output}")

    def read_to_end(self) -> None:
        """Until the process's output ends."""
        while self._next() is not None:
            pass

    def join(self) -> None:
        """Wait for the thread that reads; the process has ended."""
        self._thread.join()

    @property
    def output(self) -> str:
        """What was read so far."""
        return "".join(self.lines)


@contextmanager
def running(
    example: str,
    *arguments: str,
    server: ApiServer | EnvTest,
    tmp_path: Path,
    by: signal.Signals = signal.SIGINT,
    exit_code: int = -signal.SIGINT,
    patience: float = PATIENCE,
) -> Iterator[Running]:
    """Run an example against `server`, and end it as a person would, with Ctrl-C; or as Kubernetes would, `by` SIGTERM.

    It must end by that and nothing else, with `exit_code`: that of a KeyboardInterrupt unless it handles signals.
    """
    kubeconfig = tmp_path / "kubeconfig"
    if not kubeconfig.exists():
        server.kubeconfig(kubeconfig)
    process = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / example), *arguments],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(patience, process.kill)
    watchdog.name = "watchdog"
    watchdog.start()
    with process:
        program = Running(process)
        try:
            yield program
            assert process.poll() is None, "an example runs until it is told to end"
            process.send_signal(by)
            program.read_to_end()
            assert process.wait(patience) == exit_code, program.output
        finally:
            process.kill()
            program.join()
            watchdog.cancel()
            watchdog.join()


def ended(program: str, *arguments: str, server: ApiServer | EnvTest, tmp_path: Path) -> tuple[int, str]:
    """Exit code and output of a program that ends by itself."""
    kubeconfig = tmp_path / "kubeconfig"
    if not kubeconfig.exists():
        server.kubeconfig(kubeconfig)
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / program), *arguments],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return run.returncode, run.stdout


def config_map(name: str, namespace: str) -> dict[str, Any]:
    """A ConfigMap without data."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def pod(name: str, namespace: str) -> dict[str, Any]:
    """A pod of one container, with the label app=name."""
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _pod_spec()}


def deployment(name: str, namespace: str) -> dict[str, Any]:
    """A deployment of one replica."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1} | _pods(name)}


def daemon_set(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A daemon set with these labels."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "labels": labels},
        "spec": _pods(name),
    }


def _pods(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": _pod_spec()}}


def _pod_spec() -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i"}]}
