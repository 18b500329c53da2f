"""How long `stop()` of a stream takes that is blocked in its watch, until its thread is back."""

from __future__ import annotations

import argparse
import threading
import time

from kubewatch import Api, Client, watcher
from kubewatch.events import InitDone

from .program import percentile, run

STREAMS = 300

# Seconds from the last event until the thread is blocked for certain.
SETTLE = 0.005


def _stop_one(client: Client) -> float:
    """Milliseconds that it took for one stream."""
    stream = watcher(Api("v1", "Pod", client=client))
    following = threading.Event()

    def follow() -> None:
        listed = False
        for event in stream:
            if listed:
                following.set()  # the server's one change is here: nothing more comes
            listed = listed or type(event) is InitDone

    thread = threading.Thread(target=follow, name="follower", daemon=True)
    thread.start()
    if not following.wait(30):
        raise RuntimeError("the stream brought no change within 30 s")
    time.sleep(SETTLE)
    started = time.perf_counter()
    stream.stop()
    thread.join()
    return (time.perf_counter() - started) * 1000


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Stop many, one after the other."""
    client = Client.from_kubeconfig(arguments.kubeconfig)
    waits = [_stop_one(client) for _ in range(STREAMS)]
    return {"p50_ms": percentile(waits, 50), "p99_ms": percentile(waits, 99), "longest_ms": max(waits)}


if __name__ == "__main__":
    run(measure)
