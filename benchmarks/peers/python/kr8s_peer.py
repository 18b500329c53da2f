"""kr8s: a list, in its pages of 100, then a watch from the newest of the objects."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import kr8s

from benchmarks.measure import Measurement, Task, parse_task


def main(task: Task) -> None:
    """Follow the pods and print what it cost."""
    client = kr8s.api(kubeconfig=task.kubeconfig)
    client.version()  # what a first request loads is part of the client, not of the list
    stored: dict[tuple[str, str], Any] = {}
    measurement = Measurement(task, "kr8s", importlib.metadata.version("kr8s"))
    for pod in client.get("pods", namespace=kr8s.ALL):
        stored[pod.namespace, pod.name] = pod
    measurement.ready()
    newest = max(int(pod.raw["metadata"]["resourceVersion"]) for pod in stored.values())
    events = client.watch("pods", namespace=kr8s.ALL, since=str(newest))
    for _ in range(task.events):
        _, pod = next(events)
        stored[pod.namespace, pod.name] = pod
    measurement.done(stored=len(stored))


if __name__ == "__main__":
    main(parse_task(["typed"]))
