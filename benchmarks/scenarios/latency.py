"""How long it takes from a change to the beginning of its reconcile, while changes come at a steady rate.

`sent` counts from the moment before the server's send, on the same machine's clock; `received` from the moment at which
the watch has handed out the event.
"""

from __future__ import annotations

import argparse
import time

from kubewatch import Action, Api, Client, Controller, Object, store, watcher
from kubewatch.events import Apply, Event

from .program import percentile, run

# Changes at the beginning that do not count, and those that do.
WARM_UP = 1_000
CHANGES = 8_000


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Follow the server's live changes, and look at the clock."""
    api = Api("v1", "Pod", client=Client.from_kubeconfig(arguments.kubeconfig))
    received: dict[str, int] = {}
    since_sent: list[float] = []
    since_received: list[float] = []

    def note(event: Event[Object]) -> None:
        if type(event) is Apply:
            received[event.object.resource_version or ""] = time.monotonic_ns()

    def reconcile(pod: Object, context: None) -> Action:
        now = time.monotonic_ns()
        sent = pod.annotations["note"]
        if sent != "-":
            since_sent.append((now - int(sent)) / 1e6)
            since_received.append((now - received[pod.resource_version or ""]) / 1e6)
        return Action.await_change()

    reader, writer = store()
    stream = watcher(api).inspect(note).reflect(writer).default_backoff().applied_objects()
    for _ in Controller.for_stream(stream, reader).run(reconcile):
        if len(since_sent) >= WARM_UP + CHANGES:
            break
    sent, got = since_sent[WARM_UP:], since_received[WARM_UP:]
    return {
        "sent_p50_ms": percentile(sent, 50),
        "sent_p99_ms": percentile(sent, 99),
        "received_p50_ms": percentile(got, 50),
        "received_p99_ms": percentile(got, 99),
    }


if __name__ == "__main__":
    run(measure)
