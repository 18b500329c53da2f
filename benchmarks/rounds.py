"""Rounds: each contender runs once in each, so that what slows the machine for a while slows all of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from .builds import Unavailable
from .contenders import QUICK, Contender, Size
from .replay import Replay

# Seconds that one run may take.
TIMEOUT = 180.0

ROOT = Path(__file__).parent.parent


class Figure(NamedTuple):
    """The median of some runs, and the least and the most of them."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure for these values."""
        return cls(statistics.median(values), min(values), max(values), len(values))


class Outcome(NamedTuple):
    """What the runs of one contender came to: objects per second of CPU, and bytes of memory per object."""

    name: str
    version: str
    size: Size
    listed: Figure
    watched: Figure
    memory: Figure


def run(
    contenders: Sequence[Contender], runs: int, *, quick: bool, tell: Callable[[str], None]
) -> tuple[list[Outcome], dict[str, str]]:
    """The outcomes, in order, and of those that failed what they said."""
    taken: dict[str, list[dict[str, float]]] = {}
    versions: dict[str, str] = {}
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        servers: dict[Size, Replay] = {}
        for size in {_size(contender, quick) for contender in contenders}:
            servers[size] = stack.enter_context(Replay(*size))
        for number in range(runs):
            for contender in contenders:
                if contender.name in failed or number >= (contender.runs or runs):
                    continue
                size = _size(contender, quick)
                tell(f"round {number + 1}/{runs}: {contender.name}")
                try:
                    result = run_once(contender, servers[size].kubeconfig(contender.port), size)
                except (RuntimeError, Unavailable) as error:
                    failed[contender.name] = str(error)
                    continue
                versions[contender.name] = str(result["version"])
                taken.setdefault(contender.name, []).append(result)
    outcomes = [
        outcome_of(contender.name, versions[contender.name], _size(contender, quick), taken[contender.name])
        for contender in contenders
        if contender.name in taken and contender.name not in failed
    ]
    return outcomes, failed


def run_once(contender: Contender, kubeconfig: str, size: Size) -> dict[str, float]:
    """One run; raises RuntimeError when it fails, Unavailable where it cannot be."""
    return output(contender.arguments(kubeconfig, size), contender.environment)


def output(command: Sequence[str], environment: Sequence[tuple[str, str]] = ()) -> dict[str, float]:
    """What a program prints as its last line; raises RuntimeError when it fails, or prints something else."""
    variables = os.environ | dict(environment)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(str(error)) from error
    return result_in(done.stdout, done.returncode, done.stderr)


def result_in(printed: str, code: int, said: str) -> dict[str, float]:
    """The result that a program printed, which ended with this exit code and said so much on stderr."""
    if code != 0:
        raise RuntimeError(f"exit code {code}: {said.strip()[-2000:]}")
    try:
        result: dict[str, float] = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise RuntimeError(f"no result was printed: {said.strip()[-2000:]}") from error
    return result


def outcome_of(name: str, version: str, size: Size, results: Sequence[dict[str, float]]) -> Outcome:
    """What these results come to."""
    return Outcome(
        name,
        version,
        size,
        Figure.of([result["objects"] / result["list_cpu"] for result in results]),
        Figure.of([result["events"] / result["watch_cpu"] for result in results]),
        Figure.of([(result["rss_after"] - result["rss_before"]) / result["objects"] for result in results]),
    )


def _size(contender: Contender, quick: bool) -> Size:
    return QUICK[contender.size] if quick else contender.size
