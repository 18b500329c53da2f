"""Every Python block of the README and every doctest of the package does what it says."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

import kubewatch
from kubewatch.testing import ApiServer

ROOT = Path(__file__).parent.parent.parent

# A bound, not a pause: a block that does not come to its end in so many seconds has failed.
PATIENCE = 30.0


class Block(NamedTuple):
    """A Python block of a page; an `endless` one, marked so in the page, is ended once it has printed a line."""

    line: int
    code: str
    endless: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"(<!-- endless -->\n)?```python\n(.*?)```", text, re.DOTALL)
    return [Block(text[: m.start()].count("\n") + 1, m[2], m[1] is not None) for m in found]


OBJECTS = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "default"},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "default", "labels": {"app": "web"}},
    },
]


@pytest.mark.parametrize("block", blocks(ROOT / "README.md"), ids=lambda block: f"line {block.line}")
def test_every_block_of_the_readme_runs(block: Block, kube_api: ApiServer, tmp_path: Path) -> None:
    for obj in OBJECTS:
        kube_api.objects.create(obj)
    kubeconfig = tmp_path / "kubeconfig"
    kube_api.kubeconfig(kubeconfig)
    script = tmp_path / "test_block.py"
    script.write_text(block.code)
    is_a_test = "def test_" in block.code
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", script] if is_a_test else ["-u", script]
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.name = "watchdog"
    watchdog.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline() if block.endless else ""
        if block.endless:
            process.send_signal(signal.SIGINT)
        rest = process.communicate()[0]
    finally:
        watchdog.cancel()
        watchdog.join()
        process.kill()
    if block.endless:
        assert "Traceback" not in first
        assert "KeyboardInterrupt" in rest
    else:
        assert process.returncode == 0, rest


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(kubewatch.__path__, "kubewatch.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("module", modules())
def test_every_example_in_a_docstring_is_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_importing_kubewatch_loads_neither_the_official_client_nor_threads() -> None:
    code = "import kubewatch, sys, threading; print('kubernetes' in sys.modules, threading.active_count())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "1"]


def test_the_readme_names_only_files_that_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
