"""Metadata in protobuf: what a server has is seen as it is seen in JSON, field by field and event by event."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from kubewatch import (
    Api,
    ApiError,
    Apply,
    Client,
    Config,
    Delete,
    InitApply,
    InitDone,
    Object,
    PartialObjectMeta,
    metadata_watcher,
    prune,
    store,
)
from kubewatch.objects import ProtobufObjectMeta
from tests.integration.testing.parity import GROUP

# Seconds after which a test that waits for an event gives up.
PATIENCE = 30.0

WAYS = {
    "list": Config(),
    "pages": Config(page_size=2),
    "any": Config(list_semantic="any", page_size=None),
    "streaming": Config(initial_list="streaming"),
    "strict": Config(strict=True),
}


@pytest.fixture
def api(client: Client, namespace: str) -> Api[Object]:
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"mine": ""}} | more}


@pytest.fixture
def everything(client: Client, api: Api[Object]) -> Iterator[Api[Object]]:
    """Objects that have every field that metadata can have, between them; one is being deleted, and stays."""
    owner = api.create(config_map("owner", annotations={"text": 'ü\n"☃" 🐍', "empty": ""}))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid}
    api.create(config_map("owned", ownerReferences=[reference | {"controller": True, "blockOwnerDeletion": False}]))
    api.create(config_map("also-owned", ownerReferences=[reference]))
    api.create(config_map("", generateName="many-"))
    api.create(config_map("leaving", finalizers=["example.com/stay", "example.com/too"]))
    api.apply(config_map("leaving") | {"data": {"a": "b"}}, field_manager="somebody")
    api.delete("leaving", grace_period_seconds=0)
    yield api
    api.patch("leaving", {"metadata": {"finalizers": None}})


def mine(config: Config) -> Config:
    return dataclasses.replace(config, label_selector="mine=")


def seen(api: Any, config: Config) -> list[PartialObjectMeta]:
    with metadata_watcher(api, mine(config)).until(seconds=PATIENCE) as stream:
        events = list(islice(stream, 7))
    assert [str(events[0]), str(events[-1])] == ["Init", "InitDone"]
    return sorted((event.object for event in events if isinstance(event, InitApply)), key=lambda obj: obj.name)


@pytest.mark.parametrize("config", WAYS.values(), ids=WAYS)
def test_every_field_is_what_it_is_in_json(everything: Api[Object], config: Config) -> None:
    in_json, in_protobuf = seen(everything, config), seen(everything.metadata(protobuf=True), config)
    assert [type(obj) for obj in in_protobuf] == [ProtobufObjectMeta] * 5
    for one, other in zip(in_protobuf, in_json, strict=True):
        assert isinstance(one, PartialObjectMeta)
        assert (one.name, one.namespace, one.resource_version) == (other.name, other.namespace, other.resource_version)
        assert json.loads(one.to_json()) == json.loads(other.to_json()) == other.to_dict() == one.to_dict()
        assert one.metadata == other.metadata
        assert one["metadata"]["managedFields"] == other["metadata"]["managedFields"]
        assert one == other
        assert hash(one) == hash(other)
        assert repr(one) == repr(other)
    leaving = in_protobuf[1].metadata
    assert leaving.deletion_timestamp is not None
    assert leaving.finalizers == ("example.com/stay", "example.com/too")


def test_a_subresource_is_named_in_managed_fields(client: Client, namespace: str) -> None:
    api = Api("v1", "Pod", namespace=namespace, client=client)
    spec = {"containers": [{"name": "web", "image": "web:1"}], "automountServiceAccountToken": False}
    api.create({"metadata": {"name": "web", "labels": {"mine": ""}}, "spec": spec})
    api.patch_status("web", {"status": {"phase": "Running"}}, field_manager="kubelet")
    [one], [other] = [
        list(asked.list(label_selector="mine=")) for asked in (api.metadata(protobuf=True), api.metadata())
    ]
    assert one.to_dict() == other.to_dict()
    assert [entry.get("subresource") for entry in one["metadata"]["managedFields"]].count("status") == 1


@pytest.mark.parametrize("config", WAYS.values(), ids=WAYS)
def test_changes_come_as_they_are_made(api: Api[Object], config: Config) -> None:
    api.create(config_map("a"))
    api.create(config_map("b"))
    with metadata_watcher(api.metadata(protobuf=True), mine(config)).until(seconds=PATIENCE) as stream:
        assert sorted(map(str, islice(stream, 4))) == ["Init", "InitApply(a)", "InitApply(b)", "InitDone"]
        api.patch("a", {"metadata": {"labels": {"more": "yes"}}})
        event = next(stream)
        assert isinstance(event, Apply)
        assert dict(event.object.labels) == {"mine": "", "more": "yes"}
        api.patch("b", {"metadata": {"labels": None}})
        gone = api.delete("a")
        assert [type(event) for event in islice(stream, 2)] == [Delete, Delete]
        assert gone is None or gone.name == "a"


def test_custom_resources_have_metadata_in_protobuf_too(client: Client) -> None:
    names = {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definitions = Api("apiextensions.k8s.io/v1", "CustomResourceDefinition", client=client)
    definition = {
        "metadata": {"name": f"gadgets.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }
    definitions.create(definition)
    try:
        api = Api(f"{GROUP}/v1", "Gadget", client=client)
        _created(api, {"metadata": {"name": "one", "labels": {"mine": ""}}, "spec": {"size": 1}})
        [event] = [event for event in _first(api.metadata(protobuf=True)) if isinstance(event, InitApply)]
        assert isinstance(event.object, ProtobufObjectMeta)
        assert (event.object.kind, event.object.api_version) == ("Gadget", f"{GROUP}/v1")
        assert event.object == api.get_metadata("one")
    finally:
        definitions.delete(f"gadgets.{GROUP}")


def _created(api: Api[Object], body: dict[str, Any]) -> None:
    """Creates an object of a kind that the server may have just begun to serve."""
    for _ in range(600):
        try:
            api.create(body)
        except (ApiError, LookupError):
            continue
        return


def _first(api: Any) -> list[Any]:
    with metadata_watcher(api, mine(Config())).until(seconds=PATIENCE) as stream:
        return list(islice(stream, 3))


def test_single_objects_and_lists_are_read_in_it_and_writes_answered_in_json(api: Api[Object]) -> None:
    asked = api.metadata(protobuf=True)
    api.create(config_map("a"))
    found = asked.get("a")
    assert isinstance(found, ProtobufObjectMeta)
    assert found == next(iter(asked.list(label_selector="mine=", limit=1))) == api.get_metadata("a")
    patched = asked.patch("a", {"metadata": {"labels": {"more": "yes"}}})
    assert dict(patched.labels) == {"mine": "", "more": "yes"}
    with pytest.raises(ApiError, match="not found") as raised:
        asked.get("nobody")
    assert raised.value.code == 404
    with pytest.raises(ApiError) as raised:
        list(asked.list(field_selector="spec.nodeName=x"))
    assert raised.value.code == 400


def test_it_serves_wherever_metadata_do(everything: Api[Object]) -> None:
    """Copies, pickles, stores, modify with prune, and diffs."""
    made: Any = store()
    reader, writer = made
    events = metadata_watcher(everything.metadata(protobuf=True), mine(Config()))
    events = events.modify(prune("metadata.managedFields")).reflect(writer)
    with events.until(seconds=PATIENCE) as stream:
        for event in stream:
            if isinstance(event, InitDone):
                break
    assert len(reader) == 5
    for obj in reader:
        whole = everything.metadata(protobuf=True).get(obj.name)
        assert "managedFields" not in obj["metadata"]
        assert pickle.loads(pickle.dumps(whole)) == whole
        assert not obj.diff(whole)
        assert obj.metadata == whole.metadata
