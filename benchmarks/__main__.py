"""Measures kubewatch beside others, in one run, against a replay server of its own: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys

from .contenders import BOUNDS, OURS, PEERS
from .report import clients_table
from .rounds import run


def main() -> int:
    """Measure and print; 0 when every contender ran."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the objects, and one run: a first look")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose name has TEXT in it")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds (default: 5; with --quick 1)")
    parser.add_argument("--no-peers", action="store_true", help="kubewatch and the bounds alone")
    given = parser.parse_args()
    contenders = [*OURS, *BOUNDS, *([] if given.no_peers else PEERS)]
    contenders = [each for each in contenders if given.only in each.name]
    outcomes, failed = run(contenders, given.runs or (1 if given.quick else 5), quick=given.quick)
    print(clients_table(outcomes))
    for name, why in failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
