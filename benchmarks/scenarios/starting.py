"""How long it takes until something happens: `import kubewatch`, and `kubewatch get pods`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kubewatch.testing import ApiServer

from .program import run

IMPORTS = 15
COMMANDS = 7

_IMPORT = """
import sys, time
started = time.perf_counter()
import kubewatch
print((time.perf_counter() - started) * 1000, int("kubernetes" in sys.modules), len(sys.modules))
"""


def _run(arguments: list[str], folder: str, **more: str) -> str:
    """What a Python process prints that keeps its bytecode, as an installed package has it, in `folder`."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": folder} | more
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def _import_times(folder: str) -> tuple[float, float, float]:
    _run(["-c", _IMPORT], folder)  # compiles
    outputs = [_run(["-c", _IMPORT], folder).split() for _ in range(IMPORTS)]
    loaded = max(float(output[1]) for output in outputs)
    return statistics.median(float(output[0]) for output in outputs), loaded, float(outputs[0][2])


def _command_seconds(folder: str) -> float:
    with ApiServer(controllers=False) as server:
        for number in range(20):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"web-{number}"}}
            server.objects.create(pod | {"spec": {"containers": [{"name": "web", "image": "web"}]}})
        kubeconfig = server.kubeconfig(Path(folder) / "kubeconfig")
        seconds = []
        for _ in range(1 + COMMANDS):  # the first compiles
            started = time.perf_counter()
            table = _run(["-m", "kubewatch", "get", "pods"], folder, KUBECONFIG=kubeconfig)
            seconds.append(time.perf_counter() - started)
            if "web-19" not in table:
                raise RuntimeError(f"that is no table of the pods: {table}")
        return statistics.median(seconds[1:])


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Both."""
    with tempfile.TemporaryDirectory(prefix="kubewatch-starting-") as folder:
        took, loaded, modules = _import_times(folder)
        get_pods = _command_seconds(folder)
    return {
        "import_ms": took,
        "official_client_loaded": loaded,
        "modules": modules,
        "get_pods_seconds": get_pods,
    }


if __name__ == "__main__":
    run(measure)
