"""A controller of objects that are there already: no-op reconciles per second of CPU, and its memory per object."""

from __future__ import annotations

import argparse
import gc
import threading
import time
import tracemalloc
from collections.abc import Iterator

from kubewatch import Action, Controller, Object, Store, store
from kubewatch.events import Event, Init, InitApply, InitDone
from kubewatch.streams import EventStream

from .program import pods, run

OBJECTS = 20_000


def _events(objects: list[Object]) -> Iterator[Event[Object]]:
    yield Init()
    for obj in objects:
        yield InitApply(obj)
    yield InitDone()


def _reconcile_all(objects: list[Object], action: Action) -> tuple[Controller[Object], Store[Object]]:
    """A controller that has just reconciled each of them, on its pool."""
    reader, writer = store()
    stream = EventStream(_events(objects)).reflect(writer).applied_objects()
    controller = Controller.for_stream(stream, reader)
    summary = controller.run_once(lambda obj, context: action)
    if len(reader) != len(objects) or summary.exit_code:
        raise RuntimeError(f"not all were reconciled: {summary}")
    return controller, reader


def _then_wait(events: Iterator[Event[Object]], over: threading.Event) -> Iterator[Event[Object]]:
    yield from events
    over.wait()


def _grown(objects: list[Object]) -> int:
    """Bytes that a controller takes beyond the objects and their store, while each object waits for its requeue."""
    empty = _taken()
    reader, writer = store()
    for _ in EventStream(_events(objects)).reflect(writer):
        pass
    stored = _taken() - empty
    del reader, writer
    over = threading.Event()
    empty = _taken()
    reader, writer = store()
    stream = EventStream(_then_wait(_events(objects), over)).reflect(writer).applied_objects()
    results = Controller.for_stream(stream, reader).run(lambda obj, context: Action.requeue(3600))
    for _ in objects:
        next(results)
    taken = _taken() - empty - stored
    over.set()
    results.close()
    return taken


def _taken() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Once for the CPU, and once for the memory, as tracing costs time."""
    objects = pods(arguments.objects or OBJECTS)
    _reconcile_all(objects[:100], Action.await_change())  # what the first run imports
    started = time.process_time()
    kept = _reconcile_all(objects, Action.await_change())
    used = time.process_time() - started
    del kept
    tracemalloc.start()
    grown = _grown(objects)
    return {"reconciles_per_cpu_second": len(objects) / used, "bytes_per_known_object": grown / len(objects)}


if __name__ == "__main__":
    run(measure)
