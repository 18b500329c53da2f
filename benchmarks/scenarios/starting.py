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


def _import_times() -> tuple[float, float, float]:
    outputs = [
        subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(IMPORTS)
    ]
    loaded = max(float(output[1]) for output in outputs)
    return statistics.median(float(output[0]) for output in outputs), loaded, float(outputs[0][2])


def _command_seconds() -> float:
    with ApiServer(controllers=False) as server, tempfile.TemporaryDirectory() as directory:
        for number in range(20):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"web-{number}"}}
            server.objects.create(pod | {"spec": {"containers": [{"name": "web", "image": "web"}]}})
        environment = os.environ | {"KUBECONFIG": server.kubeconfig(Path(directory) / "kubeconfig")}
        seconds = []
        for _ in range(COMMANDS):
            started = time.perf_counter()
            command = [sys.executable, "-m", "kubewatch", "get", "pods"]
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            seconds.append(time.perf_counter() - started)
            if "web-19" not in done.stdout:
                raise RuntimeError(f"that is no table of the pods: {done.stdout}")
        return statistics.median(seconds)


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Both."""
    took, loaded, modules = _import_times()
    return {
        "import_ms": took,
        "official_client_loaded": loaded,
        "modules": modules,
        "get_pods_seconds": _command_seconds(),
    }


if __name__ == "__main__":
    run(measure)
