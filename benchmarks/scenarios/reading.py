"""`store.get` from 8 threads while a watch fills the store, beside the same reads of a bare dict.

The server sends as fast as it can; but the watch, one thread of nine, brings a few hundred changes a second, which are
among the figures. The dict has `(namespace, name)` for keys, which its readers make, as the readers of a store do not.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Callable

from kubewatch import Api, Client, Object, store, watcher
from kubewatch.events import InitDone

from .program import run

THREADS = 8
READS = 400

# Seconds that each of the two is read for at a time, and how often: in turns, as a machine's speed changes.
DURATION = 0.25
TURNS = 8


def _rate(read: Callable[[], object]) -> float:
    """Reads per second, of all threads together; `read` makes READS of them."""
    over = threading.Event()
    counts = [0] * THREADS

    def work(number: int) -> None:
        done = 0
        while not over.is_set():
            read()
            done += READS
        counts[number] = done

    threads = [threading.Thread(target=work, args=(number,), name=f"reader {number}") for number in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    over.wait(DURATION)
    over.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Read the one, then the other, in turns, during one watch."""
    reader, writer = store()
    api = Api("v1", "Pod", client=Client.from_kubeconfig(arguments.kubeconfig))
    stream = watcher(api).reflect(writer)
    listed = threading.Event()
    events = [0]

    def follow() -> None:
        for event in stream:
            events[0] += 1
            if type(event) is InitDone:
                listed.set()

    follower = threading.Thread(target=follow, name="follower")
    follower.start()
    listed.wait()
    objects: dict[tuple[str, str], Object] = {(obj.namespace or "", obj.name): obj for obj in reader}
    names = [(name, namespace) for namespace, name in list(objects)[:READS]]

    def read_store() -> None:
        get = reader.get
        for name, namespace in names:
            get(name, namespace)

    def read_dict() -> None:
        get = objects.get
        for name, namespace in names:
            get((namespace, name))

    tracked = sum(gc.is_tracked(obj) for obj in reader)
    before = events[0]
    rates = [(_rate(read_store), _rate(read_dict)) for _ in range(TURNS)]
    during = events[0] - before
    stream.stop()
    follower.join()
    if during < 100:
        raise RuntimeError(f"only {during} changes came meanwhile: the watch was over")
    return {
        "store_per_second": sum(rate for rate, _ in rates) / TURNS,
        "dict_per_second": sum(rate for _, rate in rates) / TURNS,
        "share": sum(rate for rate, _ in rates) / sum(rate for _, rate in rates),
        "events_per_second": during / (2 * TURNS * DURATION),
        "tracked": tracked,
    }


if __name__ == "__main__":
    run(measure)
