"""What peers need before they run: a virtual environment, a crate and a module built. All is kept for the next time."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"

# Seconds: a first build fetches and compiles some hundred crates.
TIMEOUT = 900.0


class Unavailable(Exception):
    """A peer that cannot be built here, and why."""


@functools.cache
def python_environment() -> str:
    """The interpreter of an environment with the other Python clients; raises Unavailable."""
    requirements = PEERS / "python" / "requirements.txt"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    directory = cache / "kubewatch" / "benchmarks" / digest
    python, complete = directory / "bin" / "python", directory / "complete"
    if not complete.exists():
        shutil.rmtree(directory, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(directory)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
        complete.touch()
    return str(python)


@functools.cache
def kube_rs() -> str:
    """The program on kube-rs; raises Unavailable."""
    _run(["cargo", "build", "--release", "--quiet"], PEERS / "kube_rs")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or PEERS / "kube_rs" / "target")
    return str(target / "release" / "kube-rs-peer")


@functools.cache
def client_go() -> str:
    """The program on client-go; raises Unavailable."""
    _run(["go", "build", "-o", "target/client-go-peer", "."], PEERS / "client_go")
    return str(PEERS / "client_go" / "target" / "client-go-peer")


def _run(command: list[str], directory: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except FileNotFoundError:
        raise Unavailable(f"there is no {command[0]} here") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took more than {TIMEOUT:g} s") from None
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-1000:]}")
