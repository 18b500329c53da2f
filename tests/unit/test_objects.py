"""Objects: lazy, read-only, equal by value."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import V1Pod

from kubewatch.decode import decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.errors import InvalidInput
from kubewatch.objects import Object, meta_of

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {"app": "web"},
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs-1"}],
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {"nodeName": "n1", "containers": [{"name": "web", "image": "web:1", "items": [1, 2]}]},
    "status": {"phase": "Running"},
}


def pod(**changes: Any) -> Object:
    return decode_object(json.dumps(POD | changes).encode())


def test_fields_read_by_attribute_or_key_as_in_yaml() -> None:
    obj = pod()
    assert obj.spec.nodeName == obj["spec"]["nodeName"] == "n1"
    assert obj.spec.containers[0]["items"][1] == 2
    assert [c.image for c in obj.spec.containers] == ["web:1"]


def test_metadata_is_typed_and_in_snake_case() -> None:
    meta = pod().metadata
    assert (meta.name, meta.namespace, meta.resource_version) == ("web-1", "shop", "7")
    assert meta.creation_timestamp is not None
    assert meta.creation_timestamp.year == 2026
    assert meta.owner_references[0].kind == "ReplicaSet"


def test_absent_fields_are_none_as_attributes_and_key_errors_as_keys() -> None:
    obj = decode_object(b'{"metadata": {"name": "a"}}', "v1", "Pod")
    assert obj.spec.nodeName is None
    assert obj.status.phase is None
    assert obj.data is None
    with pytest.raises(KeyError):
        obj["spec"]


def test_an_object_is_a_mapping() -> None:
    obj = pod()
    assert isinstance(obj, Mapping)
    assert list(obj) == list(POD)
    assert len(obj) == 5
    assert obj.get("nothing", 3) == 3
    assert "spec" in obj
    match obj:
        case {"kind": "Pod", "spec": {"nodeName": node}}:
            assert node == "n1"
        case _:
            pytest.fail("an object must match a mapping pattern")


def test_objects_are_equal_by_value_whatever_the_spacing() -> None:
    spaced = decode_object(json.dumps(POD, indent=2).encode())
    assert spaced == pod() == POD
    assert hash(spaced) == hash(pod())
    assert pod() != pod(status={"phase": "Failed"})


def test_unequal_is_the_opposite_of_equal() -> None:
    raw = b'{"metadata": {"name": "web"}}'
    assert (decode_object(raw, "v1", "Pod") != decode_object(raw, "v1", "Pod")) is False
    assert decode_object(raw, "v1", "Pod") != decode_object(raw, "v1", "Node")


def test_nothing_of_a_shared_object_can_be_changed() -> None:
    obj: Any = pod()
    with pytest.raises(AttributeError):
        obj.spec = {}
    with pytest.raises(AttributeError, match="modify"):
        obj.spec.nodeName = "other"
    with pytest.raises(TypeError):
        obj.labels["app"] = "other"
    with pytest.raises(TypeError):
        obj.spec.containers[0] = {}
    assert obj == POD


def test_what_to_dict_returns_is_the_callers_own() -> None:
    obj = pod()
    obj.to_dict()["spec"]["nodeName"] = "other"
    assert obj.spec.nodeName == "n1"


def test_items_of_a_typed_list_get_the_lists_kind() -> None:
    obj = decode_object(b'{"metadata": {"name": "a"}}', "apps/v1", "Deployment")
    assert obj.to_dict() == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert str(obj.ref) == "Deployment.v1.apps/a"


def test_an_object_pickles_and_copies_cheaply() -> None:
    obj = pod()
    assert pickle.loads(pickle.dumps(obj)) == obj
    assert copy.copy(obj) is copy.deepcopy(obj) is obj
    assert pickle.loads(pickle.dumps(obj.spec)) == obj.spec


def test_the_garbage_collector_does_not_see_an_object() -> None:
    obj = pod()
    assert not gc.is_tracked(obj)
    assert not gc.is_tracked(obj.metadata)


def test_repr_says_which_object_and_never_what_is_in_it() -> None:
    secret = decode_object(b'{"metadata": {"name": "s"}, "data": {"password": "hunter2"}}', "v1", "Secret")
    assert repr(secret) == "<Secret s resourceVersion=>"


def test_partial_metadata_refuses_spec_and_says_what_to_do() -> None:
    raw = b'{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}'
    partial = decode_partial(raw, "v1", "Pod")
    assert (partial.kind, partial.api_version) == ("Pod", "v1")
    with pytest.raises(AttributeError, match=r"metadata watch.*api\.get\('a'\)"):
        _ = partial.spec


def test_to_yaml_keeps_the_order_of_the_server() -> None:
    assert pod().to_yaml().startswith("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-1\n")


def test_to_model_makes_official_models_structs_and_dataclasses() -> None:
    class Web(msgspec.Struct):
        status: dict[str, str]

    @dataclass
    class Data:
        kind: str

    official = pod().to_model(V1Pod)
    assert official.spec is not None
    assert official.spec.node_name == "n1"
    assert pod().to_model(Web).status == {"phase": "Running"}
    assert pod().to_model(Data).kind == "Pod"
    with pytest.raises(InvalidInput, match="is no model"):
        pod().to_model(int)


def test_modified_changes_a_copy_and_leaves_the_original() -> None:
    def change(draft: Any) -> None:
        draft.metadata.labels["tier"] = "front"
        draft.metadata.managed_fields.clear()
        draft.metadata.annotations["seen"] = "yes"
        draft.spec.containers[0].image = "web:2"
        draft.spec.containers.append({"name": "side"})
        draft.status = None

    before = pod()
    after = modified(before, change)
    assert before == POD
    assert after.labels == {"app": "web", "tier": "front"}
    assert after.annotations == {"seen": "yes"}
    assert [c.name for c in after.spec.containers] == ["web", "side"]
    assert after.spec.containers[0].image == "web:2"
    assert "status" not in after
    assert "managedFields" not in after["metadata"]


def test_touching_an_absent_map_in_a_draft_adds_nothing() -> None:
    bare = decode_object(b'{"metadata": {"name": "a"}}', "v1", "Pod")
    assert modified(bare, lambda draft: draft.metadata.labels) == bare


def test_metadata_of_models_and_dicts_is_the_same_metadata() -> None:
    meta = pod().metadata
    assert meta_of(POD).owner_references == meta.owner_references
    assert meta_of(pod().to_model(V1Pod)) == meta


def test_metadata_of_a_dict_are_read_whatever_sort_of_mapping_they_are_in() -> None:
    obj = pod()
    meta = obj.metadata
    assert meta_of(dict(obj)) == meta
    assert meta_of({"metadata": {**obj["metadata"], "labels": obj.labels}}) == meta
    assert (
        meta_of({"metadata": {"name": "web", "of": object()}}) == decode_object(b'{"metadata":{"name":"web"}}').metadata
    )


keys = st.text(max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(keys, values, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_a_lazy_object_holds_what_json_loads_finds(body: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    whole = {**body, "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    obj = decode_object(json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    assert obj.to_dict() == whole
    assert dict(obj.items()) == whole
