"""A real API server is killed and started again under a watch, and the watch goes on."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from backoff import constant

from kubewatch import Api, Config, Object, reflector, store, watcher
from kubewatch.testing import EnvTest

PATIENCE = 60.0


@pytest.mark.parametrize("initial_list", ["list_watch", "streaming"])
def test_a_watch_outlives_its_server(kube_api_real: EnvTest, initial_list: Any) -> None:
    """Pain 11: the server dies, is away for a while, comes back: the store says so, and is right again."""
    api: Api[Object] = Api("v1", "ConfigMap", namespace="default", client=kube_api_real.client())
    mine = f"restart={initial_list.replace('_', '-')}"

    def create(name: str) -> None:
        meta = {"name": f"{name}-{mine.partition('=')[2]}", "labels": dict([mine.split("=")])}
        api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

    create("before")
    reader, writer = store()
    failed, seen = threading.Event(), threading.Event()
    events = watcher(api, Config(label_selector=mine, initial_list=initial_list))
    stream = reflector(writer, events).backoff(constant, interval=0.2, on_backoff=lambda _: failed.set())

    def follow() -> None:
        for obj in stream.applied_objects():
            if obj.name.startswith("after"):
                seen.set()

    thread = threading.Thread(target=follow, name="follower")
    thread.start()
    try:
        reader.wait_until_ready(timeout=PATIENCE)
        kube_api_real.stop_apiserver()
        assert failed.wait(PATIENCE), "a dead server is noticed"
        assert events.vitals.failing
        assert len(reader) == 1, "what was known stays known meanwhile"
        kube_api_real.start_apiserver()
        create("after")
        assert seen.wait(PATIENCE)
        assert {obj.name.partition("-")[0] for obj in reader.state()} == {"before", "after"}
        assert not events.vitals.failing
    finally:
        stream.stop()
        thread.join()
