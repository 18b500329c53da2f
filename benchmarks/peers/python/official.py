"""The official client: its Watch with models, its informer, and its dynamic client."""

from __future__ import annotations

import importlib.metadata
import itertools
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.measure import Measurement, Task, parse_task

# Untyped here, as it is typed in part, and in each release another.
kubernetes: Any = import_module("kubernetes")
DynamicClient: Any = import_module("kubernetes.dynamic").DynamicClient
SharedInformer: Any = import_module("kubernetes.informer").SharedInformer

PAGE = 500

Stored = dict[tuple[str, str], Any]


def main() -> None:
    """Measure one of the three."""
    forms: dict[str, Callable[[Task, Any], None]] = {"models": _models, "informer": _informer, "dynamic": _dynamic}
    task = parse_task(list(forms))
    kubernetes.config.load_kube_config(task.kubeconfig)
    forms[task.form](task, kubernetes.client.ApiClient())


def _measurement(task: Task) -> Measurement:
    return Measurement(task, "kubernetes", importlib.metadata.version("kubernetes"))


def _models(task: Task, client: Any) -> None:
    pods, stored = kubernetes.client.CoreV1Api(client), Stored()
    measurement = _measurement(task)
    token: str | None = None
    while token != "":
        page = pods.list_pod_for_all_namespaces(limit=PAGE, _continue=token)
        for pod in page.items:
            stored[pod.metadata.namespace, pod.metadata.name] = pod
        token = page.metadata._continue or ""
    measurement.ready()
    version = page.metadata.resource_version
    events = kubernetes.watch.Watch().stream(pods.list_pod_for_all_namespaces, resource_version=version)
    for _ in range(task.events):
        pod = next(events)["object"]
        stored[pod.metadata.namespace, pod.metadata.name] = pod
    measurement.done(stored=len(stored))


def _informer(task: Task, client: Any) -> None:
    informer = SharedInformer(kubernetes.client.CoreV1Api(client).list_pod_for_all_namespaces)
    listed, watched = threading.Event(), threading.Event()
    informer.add_event_handler("ADDED", _countdown(task.objects, listed))
    informer.add_event_handler("MODIFIED", _countdown(task.events, watched))
    measurement = _measurement(task)
    informer.start()
    listed.wait()
    measurement.ready()
    watched.wait()
    measurement.done(stored=len(informer.cache.list()))


def _dynamic(task: Task, client: Any) -> None:
    pods, stored = DynamicClient(client).resources.get(api_version="v1", kind="Pod"), Stored()
    measurement = _measurement(task)
    token: str | None = None
    while token != "":
        page = pods.get(limit=PAGE, _continue=token)
        for pod in page.items:
            stored[pod.metadata.namespace, pod.metadata.name] = pod
        token = page.metadata["continue"] or ""
    measurement.ready()
    events = pods.watch(resource_version=page.metadata.resourceVersion)
    for _ in range(task.events):
        pod = next(events)["object"]
        stored[pod.metadata.namespace, pod.metadata.name] = pod
    measurement.done(stored=len(stored))


def _countdown(calls: int, over: threading.Event) -> Callable[[object], None]:
    left = itertools.count(calls - 1, -1)

    def handle(obj: object) -> None:
        if next(left) == 0:
            over.set()

    return handle


if __name__ == "__main__":
    main()
