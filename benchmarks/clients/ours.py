"""kubewatch, in all the ways in which it fills a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

import kubewatch
from benchmarks.measure import Measurement, Task, parse_task
from kubewatch import Api, Client, Config, metadata_watcher, predicates, prune, store, watcher
from kubewatch.events import InitDone
from kubewatch.streams import EventStream


class PodMeta(msgspec.Struct):
    """Of the metadata what a program of its own looks at."""

    name: str
    namespace: str
    resourceVersion: str
    uid: str = ""
    labels: dict[str, str] = {}


class PodSpec(msgspec.Struct):
    """Of the spec too."""

    nodeName: str = ""


class PodModel(msgspec.Struct):
    """A model of one's own: what is not in it is not decoded."""

    metadata: PodMeta
    spec: PodSpec
    apiVersion: str = "v1"
    kind: str = "Pod"


STREAMING = Config(initial_list="streaming")


def _typed(api: Api[Any]) -> EventStream[Any]:
    return watcher(api)


def _streaming(api: Api[Any]) -> EventStream[Any]:
    return watcher(api, STREAMING)


def _metadata(api: Api[Any]) -> EventStream[Any]:
    return metadata_watcher(api)


def _metadata_streaming(api: Api[Any]) -> EventStream[Any]:
    return metadata_watcher(api, STREAMING)


def _metadata_protobuf(api: Api[Any]) -> EventStream[Any]:
    return metadata_watcher(api.metadata(protobuf=True))


def _pruned(api: Api[Any]) -> EventStream[Any]:
    return watcher(api).modify(prune("metadata.managedFields"))


def _metadata_pruned(api: Api[Any]) -> EventStream[Any]:
    return metadata_watcher(api).modify(prune("metadata.managedFields"))


FORMS: dict[str, Callable[[Api[Any]], EventStream[Any]]] = {
    "typed": _typed,
    "streaming": _streaming,
    "metadata": _metadata,
    "metadata-streaming": _metadata_streaming,
    "metadata-protobuf": _metadata_protobuf,
    "pruned": _pruned,
    "metadata-pruned": _metadata_pruned,
    "model": _typed,
    "predicates": _typed,
}


def run(task: Task) -> None:
    """Follow the pods and print what it cost."""
    client = Client.from_kubeconfig(task.kubeconfig)
    client.request("GET", "/version")  # what a first request loads is part of the client, not of the list
    api: Api[Any] = Api(PodModel, client=client) if task.form == "model" else Api("v1", "Pod", client=client)
    reader, writer = store()
    events = FORMS[task.form](api).reflect(writer)
    measurement = Measurement(task, "kubewatch", kubewatch.__version__)
    follow = _through_predicates if task.form == "predicates" else _follow
    last = follow(task, events, measurement)
    measurement.done(stored=len(reader))
    if last is not None and all(obj is not last for obj in reader):
        raise RuntimeError("what came last is not in the store")


def _follow(task: Task, events: EventStream[Any], measurement: Measurement) -> Any:
    for event in events:
        if type(event) is InitDone:
            break
    measurement.ready()
    last: Any = None
    for _ in range(task.events):
        last = next(events)
    return last and last.object


def _through_predicates(task: Task, events: EventStream[Any], measurement: Measurement) -> Any:
    """Only the last change passes, as it alone has another generation."""
    objects = iter(events.default_backoff().applied_objects().predicate_filter(predicates.generation))
    for _ in range(task.objects):
        next(objects)
    measurement.ready()
    return next(objects) if task.events else None


if __name__ == "__main__":
    run(parse_task(list(FORMS)))
