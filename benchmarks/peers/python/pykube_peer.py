"""pykube-ng: a list in one piece, as it knows no pages, then a watch."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pykube

from benchmarks.measure import Measurement, Task, parse_task


def main(task: Task) -> None:
    """Follow the pods and print what it cost."""
    client = pykube.HTTPClient(pykube.KubeConfig.from_file(task.kubeconfig))
    stored: dict[tuple[str, str], Any] = {}
    measurement = Measurement(task, "pykube-ng", importlib.metadata.version("pykube-ng"))
    pods = pykube.Pod.objects(client, namespace=pykube.all)
    for pod in pods:
        stored[pod.namespace, pod.name] = pod
    measurement.ready()
    events = iter(pods.watch(since=pods.response["metadata"]["resourceVersion"]))
    for _ in range(task.events):
        pod = next(events).object
        stored[pod.namespace, pod.name] = pod
    measurement.done(stored=len(stored))


if __name__ == "__main__":
    main(parse_task(["typed"]))
