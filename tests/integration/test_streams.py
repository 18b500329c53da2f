"""Chains of stages on API servers: the same tests on the embedded one and on a real one."""

from __future__ import annotations

import threading
from typing import Any, Literal

import backoff
import msgspec
import pytest
from kubernetes.client import Configuration

from kubewatch import (
    Api,
    Client,
    Config,
    DecodeFailed,
    Object,
    ObjectMeta,
    WatchError,
    merge,
    metadata_watcher,
    predicates,
    prune,
    reflector,
    store,
    streams,
    watcher,
)
from kubewatch.testing import ApiServer
from kubewatch.testing.apiserver.faults import Fault

# Seconds after which a test that waits for an event gives up.
PATIENCE = 30.0

MINE = Config(label_selector="test=streams")


class Size(msgspec.Struct):
    size: Literal["S", "M", "L"]


class Sized(msgspec.Struct):
    """A ConfigMap that holds a size."""

    metadata: ObjectMeta
    data: Size
    api_version: str = "v1"
    kind: str = "ConfigMap"


def deployment(name: str) -> dict[str, Any]:
    labels = {"test": "streams"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def config_map(name: str, kind: str = "ConfigMap") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"test": "streams"}}}


@pytest.fixture
def deployments(client: Client, namespace: str) -> Api[Object]:
    return Api("apps/v1", "Deployment", namespace=namespace, client=client)


def test_a_change_of_status_is_kept_from_the_consumer_and_not_from_the_store(deployments: Api[Object]) -> None:
    """The chapter's chain: cache everything, then filter by generation."""
    reader, writer = store()
    chain = (
        reflector(writer, watcher(deployments, MINE))
        .default_backoff()
        .applied_objects()
        .predicate_filter(predicates.generation)
        .until(seconds=PATIENCE)
    )
    deployments.create(deployment("web"))
    with chain as changes:
        assert next(changes).metadata.generation == 1
        status = deployments.patch_status("web", {"status": {"observedGeneration": 1}})
        assert status.metadata.generation == 1
        changed = deployments.patch("web", {"spec": {"replicas": 2}})
        shown = next(changes)
        assert (shown.metadata.generation, shown.spec.replicas) == (2, 2)
        stored = reader.get("web", deployments.namespace)
        assert stored is not None
        assert stored.resource_version == changed.resource_version
        assert stored.status.observedGeneration == 1


def test_a_deletion_passes_the_predicate_that_it_does_not_change(deployments: Api[Object]) -> None:
    """Improvement 16: over metadata only."""
    deployments.create(deployment("web"))
    chain = metadata_watcher(deployments, MINE).default_backoff().touched_objects()
    with chain.predicate_filter(predicates.generation).until(seconds=PATIENCE) as touched:
        assert next(touched).metadata.generation == 1
        deployments.patch_status("web", {"status": {"observedGeneration": 1}})
        gone = deployments.get("web")
        deployments.delete("web")
        deleted = next(touched)
        assert (deleted.name, deleted.uid) == ("web", gone.uid)


def test_an_object_that_is_made_again_passes(deployments: Api[Object]) -> None:
    deployments.create(deployment("web"))
    chain = watcher(deployments, MINE).applied_objects().predicate_filter(predicates.generation)
    with chain.until(seconds=PATIENCE) as applied:
        first = next(applied)
        deployments.delete("web")
        deployments.create(deployment("web"))
        second = next(applied)
        assert first.uid != second.uid
        assert first.metadata.generation == second.metadata.generation == 1


def test_what_is_pruned_before_the_store_is_not_in_it(deployments: Api[Object]) -> None:
    deployments.create(deployment("web"))
    reader, writer = store()
    events = watcher(deployments, MINE).modify(prune("metadata.managedFields", "spec.template", "status"))
    with reflector(writer, events).applied_objects().until(seconds=PATIENCE) as objects:
        seen = next(objects)
        deployments.patch("web", {"spec": {"replicas": 3}})
        next(objects)
        stored = reader.get("web", deployments.namespace)
        assert stored is not None
        assert stored.spec.replicas == 3
        for obj in (seen, stored):
            assert "managedFields" not in obj["metadata"]
            assert "template" not in obj.spec
            assert "status" not in obj
            assert obj.labels == {"test": "streams"}


def test_watches_of_two_kinds_are_merged(client: Client, namespace: str) -> None:
    maps = Api("v1", "ConfigMap", namespace=namespace, client=client)
    secrets = Api("v1", "Secret", namespace=namespace, client=client)
    maps.create(config_map("a"))
    secrets.create(config_map("b", "Secret"))
    inputs = [watcher(api, MINE).default_backoff().touched_objects() for api in (maps, secrets)]
    with merge(*inputs).map(lambda obj: f"{obj.kind} {obj.name}").until(seconds=PATIENCE) as merged:
        assert sorted([next(merged), next(merged)]) == ["ConfigMap a", "Secret b"]
        secrets.delete("b")
        assert next(merged) == "Secret b"
        maps.create(config_map("c"))
        assert next(merged) == "ConfigMap c"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kubewatch merge")]


def test_the_functions_make_the_same_chain(deployments: Api[Object]) -> None:
    deployments.create(deployment("web"))
    events = streams.default_backoff(watcher(deployments, MINE).until(seconds=PATIENCE))
    small = streams.applied_objects(streams.modify(events, prune("status")))
    changes = streams.predicate_filter(small, predicates.generation, predicates.labels)
    names = streams.map(streams.filter(changes, lambda obj: "web" in obj.name), lambda obj: obj.name)
    with names:
        assert next(names) == "web"
        deployments.patch("web", {"metadata": {"labels": {"more": "yes"}}})
        assert next(names) == "web"


def test_stop_ends_a_chain_that_waits_for_a_change(deployments: Api[Object]) -> None:
    deployments.create(deployment("web"))
    chain = watcher(deployments, MINE).default_backoff().applied_objects().predicate_filter(predicates.generation)
    seen, names = threading.Event(), list[str]()

    def pull() -> None:
        for obj in chain:
            names.append(obj.name)
            seen.set()

    consumer = threading.Thread(target=pull, name="consumer")
    consumer.start()
    assert seen.wait(PATIENCE)
    chain.stop()
    consumer.join(PATIENCE)
    assert not consumer.is_alive()
    assert names == ["web"]


def test_a_wrong_chain_makes_no_request() -> None:
    """There is no server at this address, and nobody finds out."""
    nowhere = Configuration()
    nowhere.host = "http://127.0.0.1:9"
    pods: Any = watcher(Api("v1", "Pod", namespace="default", client=Client(nowhere)))
    with pytest.raises(TypeError, match=r"predicate_filter needs decoded objects: call \.applied_objects\(\)"):
        pods.predicate_filter(predicates.generation)
    with pytest.raises(TypeError, match="reflect needs events, and this stream is decoded already"):
        pods.applied_objects().reflect(store()[1])


def test_lists_that_are_refused_are_tried_again(kube_api: ApiServer) -> None:
    """Improvement 3: on a server that is told to fail, the waits grow, as no list was completed between."""
    maps = Api("v1", "ConfigMap", namespace="default", client=kube_api.client())
    maps.create(config_map("a"))
    heard = list[tuple[int, int | None]]()
    kube_api.faults.add(Fault.status(500), verb="list", times=2)
    kube_api.faults.add(Fault.status(503), verb="list", times=1)
    chain = watcher(maps, MINE).backoff(
        backoff.constant,
        interval=0.001,
        jitter=None,
        on_backoff=lambda details: heard.append((details["tries"], details["exception"].code)),
    )
    with chain.applied_objects().until(seconds=PATIENCE) as objects:
        assert next(objects).name == "a"
    assert heard == [(1, 500), (2, 500), (3, 503)]


def test_giving_up_raises_what_the_server_said(kube_api: ApiServer) -> None:
    kube_api.faults.add(Fault.status(403, message="not yours"), verb="list")
    maps = Api("v1", "ConfigMap", namespace="default", client=kube_api.client())
    chain = watcher(maps).backoff(giveup=lambda error: error.code == 403).applied_objects()
    with pytest.raises(WatchError, match="not yours") as refused:
        next(chain)
    assert refused.value.code == 403
    assert list(chain) == []


def test_one_undecodable_object_is_left_out_without_a_pause(client: Client, namespace: str) -> None:
    """Pain 16: the others come, and the handler hears which one does not."""
    plain = Api("v1", "ConfigMap", namespace=namespace, client=client)
    plain.create({**config_map("bad"), "data": {"size": "seven"}})
    plain.create({**config_map("good"), "data": {"size": "S"}})
    heard = list[tuple[Any, float]]()
    events = watcher(Api(Sized, namespace=namespace, client=client), MINE).backoff(
        max_tries=1, on_backoff=lambda details: heard.append((details["exception"], details["wait"]))
    )
    with events.applied_objects().until(seconds=PATIENCE) as objects:
        assert next(objects).metadata.name == "good"
        plain.patch("bad", {"data": {"size": "M"}})
        mended = next(objects)
        assert (mended.metadata.name, mended.data.size) == ("bad", "M")
    [(error, wait)] = heard
    assert isinstance(error, DecodeFailed)
    assert (error.kind, error.namespace, error.object_name, wait) == ("ConfigMap", namespace, "bad", 0.0)
