"""What the programs here share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping

from benchmarks.pods import METADATA, TYPED, render
from kubewatch.decode import decode_object, decode_partial
from kubewatch.objects import Object, PartialObjectMeta

Measure = Callable[[argparse.Namespace], Mapping[str, float]]


def run(measure: Measure) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--form", default="")
    parser.add_argument("--objects", type=int, default=0)
    print(json.dumps(measure(parser.parse_args())), flush=True)


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def pods(count: int, version: int = 1) -> list[Object]:
    """So many pods, as a watcher hands them out."""
    return [decode_object(render(TYPED.in_event, number, version + number)) for number in range(count)]


def partial_pods(count: int) -> list[PartialObjectMeta]:
    """Their metadata, as a metadata watcher hands it out."""
    return [decode_partial(render(METADATA.in_event, number, number + 1), "v1", "Pod") for number in range(count)]
