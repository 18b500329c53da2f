"""Every block of the README and of the pages in docs/ does what it says.

The blocks of a page run in order, in one directory, each in a process of its own, against one embedded API server: a
`python` block as a script (by pytest where it defines a test), an `sh` block by bash; the objects of a `yaml` block are
created. All `pycon` blocks of a page are one session, whose answers are compared but for their numbers. An HTML comment
on the line above a block says what else there is to know:

    <!-- endless -->              it never ends: it is ended by Ctrl-C once it has printed a line
    <!-- file: app.py -->         it is the file that later blocks use
    <!-- not run: why -->         it needs what no test has
    <!-- command: name -->        the gate runs it, word for word
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from kubewatch.testing import ApiServer

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# A bound, not a pause: a block that does not come to its end in so many seconds has failed.
PATIENCE = 30.0

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


class Block(NamedTuple):
    """A block of a page: its first line, what a comment above it says, and what it holds."""

    line: int
    mark: str
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(text[: m.start(2)].count("\n") + 1, m[1] or "", m[2], m[3]) for m in found]


def joined(found: list[Block]) -> list[Block]:
    """With all lines of the session where its first are."""
    session = [block for block in found if block.language == "pycon"]
    whole = [session[0]._replace(code="".join(block.code for block in session))] if session else []
    return [one for block in found for one in (whole if block in session[:1] else [] if block in session else [block])]


def ids(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_block_of_the_page_runs(page: Path, kube_api: ApiServer, tmp_path: Path) -> None:
    for obj in OBJECTS:
        kube_api.objects.create(obj)
    kubeconfig = tmp_path / "kubeconfig"
    kube_api.kubeconfig(kubeconfig)
    scripts = Path(sys.executable).parent
    environment = os.environ | {"KUBECONFIG": str(kubeconfig), "PATH": f"{scripts}:{os.environ['PATH']}"}
    for block in joined(blocks(page)):
        said = block.mark.partition(": ")
        if said[0] in ("command", "not run"):
            assert said[2], f"{page.name}:{block.line} says not why"
        elif said[0] == "file":
            (tmp_path / said[2]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / said[2]).write_text(block.code)
        elif block.language == "yaml":
            for obj in yaml.safe_load_all(block.code):
                if "kind" in obj:
                    kube_api.objects.create(obj)
        elif block.language in ("python", "pycon", "sh"):
            run(f"{page.name}:{block.line}", command(block, tmp_path), tmp_path, environment, block.mark == "endless")


def command(block: Block, folder: Path) -> Sequence[str]:
    if block.language == "sh":
        return ["bash", "-euo", "pipefail", "-c", block.code]
    script = folder / f"test_line_{block.line}.py"
    script.write_text(block.code)
    if block.language == "pycon":
        return [sys.executable, str(Path(__file__).with_name("session.py")), str(script)]
    if "def test_" in block.code:
        return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(script)]
    return [sys.executable, "-u", str(script)]


def run(name: str, command: Sequence[str], folder: Path, environment: dict[str, str], endless: bool) -> None:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.name = "watchdog"
    watchdog.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline() if endless else ""
        if endless:
            os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate()[0]
    finally:
        watchdog.cancel()
        watchdog.join()
        process.kill()
    if endless:
        assert first, f"{name} ended before it had printed a line"
        assert "Traceback" not in first, f"{name}: {first}{rest}"
        assert process.returncode != -signal.SIGKILL, f"{name} did not end: {first}{rest}"
    else:
        assert process.returncode == 0, f"{name}: {rest}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_the_page_names_only_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!http|#)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
