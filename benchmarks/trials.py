"""What else is measured of kubewatch, besides lists and watches: which program, against which server, how often."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from .replay import Replay
from .rounds import Figure, output


class Trial(NamedTuple):
    """One program of `benchmarks/scenarios`; `server` is what it runs against, on the port that is named."""

    name: str
    module: str
    server: Callable[[bool], Replay] | None = None
    port: str = "http"
    form: str = ""
    runs: int = 3


# By name, the figures of a trial by theirs.
Figures = dict[str, dict[str, Figure]]


def _one(quick: bool) -> Replay:
    return Replay(1, 1)


def _steady(quick: bool) -> Replay:
    return Replay(1_000, live=10_000, rate=1_000)


def _busy(quick: bool) -> Replay:
    return Replay(2_000, 100_000)


def _many(quick: bool) -> Replay:
    return Replay(10_000 if quick else 100_000)


TRIALS = [
    Trial("controller", "throughput"),
    Trial("controller latency", "latency", _steady),
    Trial("stages", "stages"),
    Trial("hot path", "hotpath", runs=5),
    Trial("reading", "reading", _busy),
    Trial("sync, ticker", "sync", _many, form="ticker"),
    Trial("sync, flask", "sync", _many, form="flask"),
    Trial("stop", "stopping", _one, runs=1),
    Trial("stop, TLS", "stopping", _one, port="https", runs=1),
    Trial("start", "starting", runs=1),
]


def run(
    trials: Sequence[Trial], runs: int, *, quick: bool, tell: Callable[[str], None]
) -> tuple[Figures, dict[str, str]]:
    """The figures of each trial, and of those that failed what they said."""
    figures: Figures = {}
    failed: dict[str, str] = {}
    for trial in trials:
        with trial.server(quick) if trial.server else nullcontext() as server:
            results = []
            try:
                for number in range(min(trial.runs, runs)):
                    tell(f"{trial.name}, run {number + 1}")
                    results.append(_run_once(trial, server))
            except RuntimeError as error:
                failed[trial.name] = str(error)
                continue
        figures[trial.name] = {name: Figure.of([result[name] for result in results]) for name in results[0]}
    return figures, failed


def _run_once(trial: Trial, server: Replay | None) -> dict[str, float]:
    command = [sys.executable, "-m", f"benchmarks.scenarios.{trial.module}", "--form", trial.form]
    if server is not None:
        command += ["--kubeconfig", server.kubeconfig(trial.port), "--objects", str(server.objects)]
    return output(command)
