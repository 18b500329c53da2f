"""`Results`: everything that a run of the benchmarks measured; kept as JSON beside the page that shows it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

import kubewatch

from .real import Real
from .rounds import Outcome
from .trials import Figures


class Results(NamedTuple):
    """What was measured where, and what of it failed."""

    machine: str
    date: str
    runs: int
    clients: list[Outcome]
    trials: Figures
    real: Real | None
    failed: dict[str, str]

    def client(self, name: str) -> Outcome | None:
        """The outcome of one client; None where it did not run."""
        return next((each for each in self.clients if each.name == name), None)

    def figure(self, trial: str, name: str) -> float | None:
        """The median of one figure; None where it was not taken."""
        figure = self.trials.get(trial, {}).get(name)
        return None if figure is None else figure.median


def machine() -> str:
    """What this machine is, in a line."""
    with open("/proc/cpuinfo") as info:
        model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "?")
    versions = f"Python {platform.python_version()}, msgspec {msgspec.__version__}, kubewatch {kubewatch.__version__}"
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release().partition('-')[0]}, {versions}"


def today() -> str:
    """The date, as it stands on the page."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def save(results: Results, path: Path) -> None:
    """Write them, indented, so that a difference can be read."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(path: Path) -> Results:
    """Read them."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
