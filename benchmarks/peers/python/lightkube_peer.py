"""lightkube: a paged list, then a watch."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import Pod

from benchmarks.measure import Measurement, Task, parse_task

PAGE = 500


def main(task: Task) -> None:
    """Follow the pods and print what it cost."""
    client = Client(config=KubeConfig.from_file(task.kubeconfig))
    stored: dict[tuple[str, str], Any] = {}
    measurement = Measurement(task, "lightkube", importlib.metadata.version("lightkube"))
    pods = client.list(Pod, namespace="*", chunk_size=PAGE)
    for pod in pods:
        stored[pod.metadata.namespace, pod.metadata.name] = pod
    measurement.ready()
    events = client.watch(Pod, namespace="*", resource_version=pods.resourceVersion)
    for _ in range(task.events):
        _, pod = next(events)
        stored[pod.metadata.namespace, pod.metadata.name] = pod
    measurement.done(stored=len(stored))


if __name__ == "__main__":
    main(parse_task(["typed"]))
