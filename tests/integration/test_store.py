"""Stores that follow real streams: the same tests on the embedded API server and on a real one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubewatch import (
    Api,
    Client,
    Config,
    EventStream,
    Object,
    PartialObjectMeta,
    StaleAfterFork,
    Store,
    WriterDropped,
    metadata_watcher,
    reflector,
    store,
    watcher,
)
from kubewatch.errors import InitialListFailed
from tests.unit.stored import in_child

# Seconds after which a test that waits for the server gives up.
PATIENCE = 30.0

# A real server puts a ConfigMap of its own into each namespace.
OURS = Config(label_selector="test=store")


@pytest.fixture
def api(client: Client, namespace: str) -> Api[Object]:
    """ConfigMaps of a namespace of the test's own."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


def config_map(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"test": "store", **labels}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"of": name}}


class Running:
    """A stream iterated on a thread of its own, and how often an item of it came."""

    def __init__(self, stream: EventStream[Any]) -> None:
        self.stream = stream.default_backoff()
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="stream")
        self.thread.start()

    def _run(self) -> None:
        for _ in self.stream:
            with self.changed:
                self.changed.notify_all()

    def wait_for(self, reached: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(reached, PATIENCE)

    def stop(self) -> None:
        self.stream.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def run() -> Iterator[Callable[[EventStream[Any]], Running]]:
    """Runs streams until the test ends."""
    running: list[Running] = []

    def start(stream: EventStream[Any]) -> Running:
        running.append(Running(stream))
        return running[-1]

    yield start
    for stream in running:
        stream.stop()


Run = Callable[[EventStream[Any]], Running]


def versions(objects: Iterator[Any] | Store[Any] | list[Any]) -> dict[str, str]:
    return {obj.name: obj.resource_version for obj in objects}


def test_a_store_becomes_what_the_server_has_and_stays_so(api: Api[Object], run: Run) -> None:
    """Pain 25: ready means complete; afterwards every change arrives."""
    for name in ("a", "b", "c"):
        api.create(config_map(name, app="web" if name < "c" else "db"))
    reader, writer = store(indexes={"of": lambda obj: [obj.data.of]})
    stream = run(reflector(writer, watcher(api, Config(label_selector="test=store", page_size=2))))
    assert reader.wait_until_ready(PATIENCE)
    assert versions(reader) == versions(api.list(label_selector="test=store"))
    assert [obj.name for obj in reader.index("of", "b")] == ["b"]
    assert sorted(obj.name for obj in reader.select("app=web")) == ["a", "b"]

    newer = api.patch("b", {"metadata": {"labels": {"app": "db"}}})
    api.delete("a")
    added = api.create(config_map("d"))
    stream.wait_for(lambda: reader.get(added.ref))
    assert versions(reader) == versions(api.list(label_selector="test=store"))
    assert reader.get("b", api.namespace) == newer
    assert reader.select("app=web") == reader.index("of", "a") == []
    assert sorted(obj.name for obj in reader.select("app=db")) == ["b", "c"]


def test_a_store_knows_how_fresh_it_is(api: Api[Object], run: Run) -> None:
    """Pain 11: and when its stream is stopped, it says that it is no longer live."""
    reader, writer = store()
    stream = run(watcher(api, OURS).reflect(writer))
    assert reader.wait_until_ready(PATIENCE)
    assert reader.is_live(within=PATIENCE)
    assert reader.age < PATIENCE
    before = reader.resource_version
    assert before
    added = api.create(config_map("a"))
    stream.wait_for(lambda: added in reader)
    assert reader.last_error is None
    stream.stop()
    assert reader.closed
    assert not reader.is_live(within=PATIENCE)
    assert reader.get(added.ref) == added


def test_objects_are_found_by_their_owner(api: Api[Object], run: Run) -> None:
    owner = api.create(config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid}
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [reference]
    created = api.create(child)
    reader, writer = store(of=PartialObjectMeta)
    stream = run(reflector(writer, metadata_watcher(api, OURS)))
    assert reader.wait_until_ready(PATIENCE)
    assert [obj.name for obj in reader.index("owner", owner)] == ["child"]
    api.patch("child", {"metadata": {"labels": {"seen": "yes"}}})
    stream.wait_for(lambda: reader.select("seen=yes"))
    assert [obj.name for obj in reader.index("owner", owner.uid)] == ["child"]
    assert reader.keys() == [owner.ref, created.ref] or reader.keys() == [created.ref, owner.ref]


def test_a_store_says_why_it_never_became_ready(run: Run) -> None:
    """Pain 11: nothing listens there; whoever waits learns it, and the store shows the error."""
    from kubernetes.client import Configuration

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nowhere = Configuration()
    nowhere.host = f"http://127.0.0.1:{port}"
    reader, writer = store()
    api = Api("v1", "ConfigMap", namespace="default", client=Client(nowhere))
    stream = run(watcher(api).reflect(writer))
    stream.wait_for(lambda: reader._fresh.vitals)
    with pytest.raises(TimeoutError, match="its stream"):
        reader.wait_until_ready(0.5)
    stream.stop()
    with pytest.raises(WriterDropped, match="its stream fails"):
        reader.wait_until_ready(PATIENCE)
    assert isinstance(reader.last_error, InitialListFailed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_store_filled_by_a_thread_says_so_in_a_forked_child_which_can_fill_its_own(
    api: Api[Object], run: Run
) -> None:
    """Pain 21: a pre-forking web server, a worker of multiprocessing."""
    api.create(config_map("a"))
    reader, writer = store()
    run(watcher(api, OURS).reflect(writer))
    assert reader.wait_until_ready(PATIENCE)

    def child() -> Any:
        try:
            reader.state()
        except StaleAfterFork:
            mine = watcher(api, OURS).reflect(writer)
            for _ in mine:
                if reader.is_ready:
                    return versions(reader), reader.is_live(within=PATIENCE)
        return "the store lied"

    expected = versions(api.list(label_selector="test=store"))
    assert in_child(child) == (expected, True)
    assert reader.is_live(within=PATIENCE)
