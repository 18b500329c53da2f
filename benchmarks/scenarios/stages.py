"""What each stage of a stream costs per event, beside the function that it calls: microseconds of CPU.

The cost of a stage is that of a loop over a stream with it, less that of a loop over a stream without it, and less that
of calling the function itself.
"""

from __future__ import annotations

import argparse
import collections
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kubewatch import Object, predicates, prune, store
from kubewatch.drafts import modified
from kubewatch.events import Apply
from kubewatch.predicates import Predicate
from kubewatch.streams import EventStream, ObjectStream

from .program import pods, run

OBJECTS = 2_000
REPEATS = 7

Items = Callable[[Iterator[Any]], Iterable[Any]]


def _cost(items: list[Any], work: Items) -> float:
    """Microseconds per item of a loop over `work` of the items; the least of several."""
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        collections.deque(work(iter(items)), maxlen=0)
        taken.append(time.process_time() - started)
    return min(taken) / len(items) * 1e6


def _alone(items: list[Any], function: Callable[[Any], object]) -> float:
    """Microseconds per item of a plain loop that calls `function`."""
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        for item in items:
            function(item)
        taken.append(time.process_time() - started)
    return min(taken) / len(items) * 1e6


def _name(obj: Object) -> str:
    return obj.name


def _filtered(predicate: Predicate[Any], items: Iterator[Object]) -> Iterable[Object]:
    return ObjectStream(items).predicate_filter(predicate)


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Each stage over the same objects; of those there are several changes each, as `predicate_filter` looks for it."""
    objects = pods(OBJECTS) * 5
    events = [Apply(obj) for obj in objects]
    cut = prune("metadata.managedFields")
    bare_events, bare = _cost(events, EventStream), _cost(objects, ObjectStream)
    named = _alone(objects, _name)
    costs = {
        "applied_objects": _cost(events, lambda items: EventStream(items).applied_objects()) - bare_events,
        "default_backoff": _cost(events, lambda items: EventStream(items).default_backoff()) - bare_events,
        "reflect": _cost(events, lambda items: EventStream(items).reflect(store()[1])) - bare_events,
        "map": _cost(objects, lambda items: ObjectStream(items).map(_name)) - bare - named,
        "filter": _cost(objects, lambda items: ObjectStream(items).filter(_name)) - bare - named,
        "inspect": _cost(objects, lambda items: ObjectStream(items).inspect(_name)) - bare - named,
    }
    for predicate in (predicates.generation, predicates.resource_version, predicates.labels):
        name, value = predicate.__name__, _alone(objects, predicate.function)
        filtered = _cost(objects, functools.partial(_filtered, predicate))
        costs[f"predicate_filter({name})"] = filtered - bare - value
        costs[f"hash of {name}"] = value
    pruned = _alone(objects, lambda obj: modified(obj, cut))
    costs["modify(prune)"] = _cost(events, lambda items: EventStream(items).modify(cut)) - bare_events - pruned
    costs["cut of managedFields"] = pruned
    return costs


if __name__ == "__main__":
    run(measure)
