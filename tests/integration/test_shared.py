"""One watch that feeds many: shared stores on real streams, on the embedded API server and on a real one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import backoff
import pytest

from kubewatch import Api, Client, Config, InitDone, InitialListFailed, Object, ObjectStream, predicates, prune, watcher
from kubewatch.shared import SharedWriter, store_shared
from kubewatch.testing import ApiServer, EnvTest
from kubewatch.testing.apiserver.faults import Fault

# Seconds after which a test that waits for the server gives up.
PATIENCE = 30.0

# A real server puts a ConfigMap of its own into each namespace.
OURS = Config(label_selector="test=shared")
LAST = "the-last"


@pytest.fixture
def api(client: Client, namespace: str) -> Api[Object]:
    """ConfigMaps of a namespace of the test's own."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"test": "shared", **labels}}}


class Consumer:
    """A subscriber on a thread of its own, until it has read the object called LAST."""

    def __init__(self, stream: ObjectStream[Object]) -> None:
        self.newest: dict[str, Object] = {}
        self._stream = stream.until(seconds=PATIENCE)
        self._thread = threading.Thread(target=self._run, name="consumer")
        self._thread.start()

    def _run(self) -> None:
        with self._stream:
            for obj in self._stream:
                self.newest[obj.name] = obj
                if obj.name == LAST:
                    return

    def join(self) -> dict[str, Object]:
        self._thread.join()
        return self.newest


@pytest.fixture
def root(api: Api[Object]) -> Iterator[SharedWriter[Object]]:
    """The writer of a shared store that a thread of its own fills; and that thread."""
    reader, writer = store_shared(buffer=10)
    stream = watcher(api, OURS).modify(prune("metadata.managedFields")).reflect_shared(writer).default_backoff()

    def run() -> None:
        for _ in stream:
            pass

    thread = threading.Thread(target=run, name="root")
    thread.start()
    reader.wait_until_ready(PATIENCE)
    yield writer
    stream.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_hundred_subscribers_cost_one_watch_connection(
    api_server: ApiServer | EnvTest, api: Api[Object], root: SharedWriter[Object]
) -> None:
    """Improvement 9: however many look, late ones too, the server is asked once; all see the last version of all."""
    consumers = [Consumer(root.subscribe(replay=i % 2 == 0, deletes=i % 3 == 0)) for i in range(50)]
    for i in range(20):
        api.create(config_map(f"cm-{i}", round="0"))
    for i, round_ in itertools.product(range(20), ("1", "2")):
        api.patch(f"cm-{i}", {"metadata": {"labels": {"round": round_}}})
    consumers += [Consumer(root.subscribe(replay=True)) for _ in range(50)]
    api.create(config_map(LAST))
    expected = {obj.name: obj.resource_version for obj in api.list(label_selector="test=shared")}
    for consumer in consumers:
        assert {name: obj.resource_version for name, obj in consumer.join().items()} == expected
    assert "consumer" not in {thread.name for thread in threading.enumerate()}
    assert root.subscriptions == []
    if isinstance(api_server, ApiServer):
        assert len(api_server.watches) == 1
        verbs = [request.verb for request in api_server.requests.of(kind="ConfigMap") if request.method == "GET"]
        assert [verb for verb in verbs if verb == "watch"] == ["watch"]


def test_each_subscriber_filters_for_itself(api: Api[Object], root: SharedWriter[Object]) -> None:
    labelled = Consumer(root.subscribe().predicate_filter(predicates.labels))
    web = Consumer(root.subscribe(deletes=True).filter(lambda obj: obj.labels.get("app") != "db"))
    api.create(config_map("a", app="web"))
    api.create(config_map("b", app="db"))
    api.patch("a", {"data": {"k": "v"}})
    api.delete("b")
    api.create(config_map(LAST, app="web"))
    assert set(labelled.join()) >= {"a", LAST}
    assert set(web.join()) == {"a", LAST}


def test_what_is_pruned_before_is_not_there_for_subscribers(api: Api[Object], root: SharedWriter[Object]) -> None:
    consumer = Consumer(root.subscribe())
    api.create(config_map(LAST))
    assert "managedFields" not in consumer.join()[LAST]["metadata"]


def test_a_deletion_that_no_watch_saw_reaches_subscribers(kube_api: ApiServer) -> None:
    """Improvement 9: while the watch was cut and its version expired, an object went; the relist finds out."""
    kube_api.faults.add(Fault.cut(after_events=1), verb="watch")
    kube_api.objects.create(config_map("a"))
    _, writer = store_shared(buffer=10)
    events = watcher(Api("configmaps", namespace="default", client=kube_api.client()), OURS)
    root = events.reflect_shared(writer).backoff(backoff.constant, interval=0.01)
    touched = writer.subscribe(deletes=True).predicate_filter(predicates.resource_version)
    applied = writer.subscribe()
    while not isinstance(next(root), InitDone):
        continue
    assert next(touched).name == next(applied).name == "a"
    kube_api.objects.create(config_map("b"))
    next(root)
    assert next(touched).name == next(applied).name == "b"
    kube_api.objects.delete("configmaps", "a")
    kube_api.faults.compact()
    while not isinstance(next(root), InitDone):
        continue
    root.close()
    assert [obj.name for obj in touched] == ["a"]  # deleted; b is as it was
    assert [obj.name for obj in applied] == ["b"]
    assert touched.vitals.last_error is not None
    assert touched.vitals.restarts["expired"] == 1


def test_a_slow_subscriber_slows_the_watch_until_it_leaves(api: Api[Object]) -> None:
    """Pain 24: it can be found by its name; who reads the store does not wait for it."""
    reader, writer = store_shared(buffer=1)
    stream = watcher(api, OURS).reflect_shared(writer).default_backoff()
    slow = writer.subscribe(label="slow")
    thread = threading.Thread(target=lambda: [None for _ in stream], name="root")
    thread.start()
    reader.wait_until_ready(PATIENCE)
    try:
        api.create(config_map("a"))
        api.create(config_map("b"))
        assert next(slow).name == "a"
        api.create(config_map(LAST))
        assert [one.label for one in writer.subscriptions] == ["slow"]
        assert reader.get("a", api.namespace) is not None
        consumer = Consumer(writer.subscribe(replay=True))
        slow.close()
        assert set(consumer.join()) == {"a", "b", LAST}
    finally:
        stream.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_store_that_cannot_be_filled_has_subscribers_that_know_why(kube_api: ApiServer) -> None:
    """Pain 11: errors are the root's; who subscribes sees them in the vitals."""
    kube_api.faults.add(Fault.status(403), verb="list")
    _, writer = store_shared(buffer=10)
    with watcher(Api("configmaps", client=kube_api.client())).reflect_shared(writer) as root:
        subscription = writer.subscribe()
        next(root)
        with pytest.raises(InitialListFailed, match="403") as caught:
            next(root)
        assert str(subscription.vitals.last_error) == str(caught.value)
        assert subscription.vitals.failing
    assert list(subscription) == []
