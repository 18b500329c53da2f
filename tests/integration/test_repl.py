"""A person at the interpreter's prompt, on a terminal: TAB, Ctrl-C, exit()."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewatch.testing import ApiServer, Fault

# Seconds after which what was expected is taken not to come.
PATIENCE = 30.0


class Terminal:
    """An interpreter on a terminal of its own, typed into and read from."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._screen, theirs = pty.openpty()
        command = [sys.executable, "-q", "-i"]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def type(self, text: str, until: str = ">>> ") -> str:
        """Type `text`; returns what comes, up to `until`."""
        self.write(text)
        return self.read(until)

    def write(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def read(self, until: str) -> str:
        """What comes, up to `until`."""
        deadline = time.monotonic() + PATIENCE
        seen = b""
        while not seen.endswith(until.encode()):
            readable, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"no {until!r} in {seen!r}"
            seen += os.read(self._screen, 1)
        return seen.decode()

    def rest(self) -> str:
        """What comes up to its end."""
        seen = b""
        while True:
            try:
                block = os.read(self._screen, 4096)
            except OSError:  # the other side is closed
                break
            if not block:
                break
            seen += block
        self.process.wait(PATIENCE)
        return seen.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._screen)


@pytest.fixture
def terminal(kube_api: ApiServer, tmp_path: Path) -> Iterator[Terminal]:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0"}}
    kube_api.objects.create(pod | {"spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "web:1"}]}})
    environment = {"KUBECONFIG": kube_api.kubeconfig(tmp_path / "kubeconfig"), "TERM": "dumb", "PYTHON_BASIC_REPL": "1"}
    terminal = Terminal(os.environ | environment)
    try:
        terminal.read(">>> ")
        terminal.type("from kubewatch import live\n")
        yield terminal
    finally:
        terminal.close()


def test_a_person_looks_completes_and_leaves(terminal: Terminal) -> None:
    assert terminal.type('pods = live("pods", "default")\n').count("\n") == 1
    assert "web-0" in terminal.type("pods\n")
    terminal.type('web = pods["web-0"]\n')
    assert "nodeName" in terminal.type("web.spec.nodeN\t", until="nodeName")
    assert "'n1'" in terminal.type("\n")
    terminal.write("exit()\n")
    assert terminal.rest().splitlines() == ["exit()"]
    assert terminal.process.returncode == 0


def test_ctrl_c_ends_the_waiting_and_not_the_watch(terminal: Terminal, kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.silent(), verb="list", kind="Secret")
    terminal.type('secrets = live("secrets")\n')
    terminal.write("len(secrets)\n")
    assert kube_api.requests.wait_for(1, verb="list", kind="Secret", timeout=PATIENCE)
    terminal.process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in terminal.read(">>> ")
    assert "True, 'not ready, never heard'" in terminal.type("secrets.running, secrets.freshness\n")
    terminal.write("exit()\n")
    assert terminal.rest().splitlines() == ["exit()"]
    assert terminal.process.returncode == 0
