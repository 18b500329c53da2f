"""Measures kubewatch beside others, in one run, against a replay server of its own: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import real, report, rounds, trials
from .contenders import BOUNDS, OURS, PEERS, Size
from .results import Results, load, machine, save, today


def main() -> int:
    """Measure and print; 0 when everything ran."""
    given = arguments()
    results = load(report.RESULTS) if given.again else measured(given)
    print(report.text(results))
    if given.write:
        save(results, report.RESULTS)
        report.write_page(results)
    for name, why in results.failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    return 1 if results.failed else 0


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the objects, and one run: a first look")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose name has TEXT in it")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds (default: 5; with --quick 1)")
    parser.add_argument("--no-peers", action="store_true", help="no clients of others")
    parser.add_argument("--real", action="store_true", help="also against a real kube-apiserver (kubewatch.testing)")
    parser.add_argument("--write", action="store_true", help="write docs/performance.*, beside printing")
    parser.add_argument("--again", action="store_true", help="measure nothing: print what docs/performance.json holds")
    return parser.parse_args(given)


def measured(given: argparse.Namespace) -> Results:
    """What came of everything that was asked for."""
    runs = given.runs or (1 if given.quick else 5)
    contenders = [each for each in [*OURS, *BOUNDS, *([] if given.no_peers else PEERS)] if given.only in each.name]
    others = [each for each in trials.TRIALS if given.only in each.name]
    clients, failed = rounds.run(contenders, runs, quick=given.quick, tell=_tell)
    figures, failed_trials = trials.run(others, runs, quick=given.quick, tell=_tell)
    found = None
    failed |= failed_trials
    if given.real:
        try:
            found = real.measure(Size(2_000, 1_000) if given.quick else Size(20_000, 5_000), runs, tell=_tell)
            failed |= found.failed
        except Exception as error:  # it is told at the end, and takes nothing from what was measured before
            failed["real server"] = f"{type(error).__name__}: {error}"
    _tell("")
    return Results(machine(), today(), runs, clients, figures, found, failed)


def _tell(what: str) -> None:
    print(f"\r{what:78}", end="" if what else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
