"""`live` against an API server: the same tests on the embedded one and on a real one."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import pytest

from kubewatch import Api, Apply, Client, Config, Delete, Event, Object, UnknownKind, live
from tests.unit.stored import in_child

# Seconds after which a test that waits for the server gives up.
PATIENCE = 30.0


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"test": "live"}}, "data": data}


def test_a_live_store_shows_what_is_created_changed_and_deleted(client: Client, namespace: str) -> None:
    api = Api("v1", "ConfigMap", namespace=namespace, client=client)
    api.create(config_map("first"))
    changes: SimpleQueue[Event[Object]] = SimpleQueue()
    settings = live("configmaps", namespace, Config(label_selector="test=live"), client=client)
    assert [one.name for one in settings] == ["first"]
    with settings:
        settings.on_change(changes.put)
        api.create(config_map("second", colour="red"))
        assert isinstance(changes.get(timeout=PATIENCE), Apply)
        second = settings.get("second", namespace)
        assert second is not None
        assert second["data"] == {"colour": "red"}
        api.delete("first")
        assert isinstance(changes.get(timeout=PATIENCE), Delete)
        assert [one.name for one in settings] == ["second"]
        assert settings.is_live(PATIENCE)
    assert not settings.running


def test_a_child_leaves_the_watch_of_its_parent_alone(client: Client, namespace: str) -> None:
    changes: SimpleQueue[Event[Object]] = SimpleQueue()
    api = Api("v1", "ConfigMap", namespace=namespace, client=client)
    settings = live(api, config=Config(label_selector="test=live"))
    with settings:
        settings.wait_until_ready(PATIENCE)
        settings.on_change(changes.put)

        def child() -> tuple[list[str], bool]:
            api.create(config_map("from-the-child"))
            found = [one.name for one in settings]
            return found, settings.stop(PATIENCE) and settings.start().stop(PATIENCE)

        assert in_child(settings.stop) is True  # of what is the parent's
        assert in_child(child) == (["from-the-child"], True)  # of what is the child's
        assert isinstance(changes.get(timeout=PATIENCE), Apply)
        assert settings._fresh.vitals is not None
        assert not settings._fresh.vitals.restarts


def test_a_kind_that_the_cluster_does_not_know_is_told_by_the_read(client: Client) -> None:
    with pytest.raises(UnknownKind, match="Did you mean pods"):
        live("podz", client=client).state()
