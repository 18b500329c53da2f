"""Drafts: what a function given to `modify` can do to an object, and what it cannot do to the original or to others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.decode import decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.errors import InvalidInput
from kubewatch.objects import Object
from kubewatch.ref import OwnerReference

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {"app": "web"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs-1"}],
    },
    "spec": {"containers": [{"name": "web", "env": [{"name": "A"}]}, {"name": "side"}]},
}


def pod(**changes: Any) -> Object:
    return decode_object(json.dumps(POD | changes).encode())


def assigned(path: str, value: Any) -> Callable[[Any], None]:
    def change(draft: Any) -> None:
        node, _, name = path.rpartition(".")
        for step in filter(None, node.split(".")):
            draft = getattr(draft, step)
        setattr(draft, name, value)

    return change


def test_a_list_can_be_replaced_by_what_a_comprehension_keeps_of_it() -> None:
    def change(draft: Any) -> None:
        draft.spec.containers = [c for c in draft.spec.containers if c.name != "side"]

    assert modified(pod(), change).spec.containers == [{"name": "web", "env": [{"name": "A"}]}]


def test_parts_of_other_objects_are_copied_in_however_they_are_wrapped() -> None:
    other = pod()

    def change(draft: Any) -> None:
        draft.spec.template = {"spec": other.spec, "all": [other.spec.containers]}
        draft.spec.whole = {"of": other}
        draft.spec.containers[0].env.extend(other.spec.containers[0].env)
        draft.metadata.labels = other.labels

    spec = modified(pod(metadata=POD["metadata"] | {"labels": {"old": "x"}}), change)
    assert spec.labels == {"app": "web"}
    assert spec.spec.template == {"spec": POD["spec"], "all": [POD["spec"]["containers"]]}
    assert spec.spec.whole == {"of": POD}
    assert len(spec.spec.containers[0].env) == 2
    assert other == POD


def test_lists_of_a_draft_change_as_lists_do() -> None:
    def change(draft: Any) -> None:
        containers = draft.spec.containers
        containers.reverse()
        containers[1:] = [{"name": "init"}, containers[1]]
        containers += [{"name": "last"}]
        del containers[0]
        containers[0].name = "first"

    assert [c.name for c in modified(pod(), change).spec.containers] == ["first", "web", "last"]


def test_an_owner_can_be_added_and_metadata_taken_over_typed() -> None:
    owner = OwnerReference(api_version="v1", kind="Node", name="n1", uid="n-1")
    after = modified(pod(), lambda draft: draft.metadata.owner_references.append(owner))
    assert [one.name for one in after.metadata.owner_references] == ["web", "n1"]
    assert after["metadata"]["ownerReferences"][1] == {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n-1"}
    assert modified(after, assigned("metadata", pod().metadata)) == POD


def test_a_time_is_written_as_kubernetes_writes_it() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    after = modified(pod(), assigned("metadata.deletion_timestamp", when))
    assert after.metadata.deletion_timestamp == when
    assert after["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:05Z"


def test_absent_spec_and_status_are_as_safe_to_ask_as_on_an_object() -> None:
    asked: list[Any] = []
    after = modified(pod(), lambda draft: asked.append(draft.status.phase))
    assert asked == [None]
    assert after == POD
    assert modified(pod(), assigned("status.phase", "Running"))["status"] == {"phase": "Running"}
    empty = pod(status={})
    assert modified(empty, lambda draft: draft.status.phase) == empty


@pytest.mark.parametrize("what", ["name", "namespace", "uid", "resourceVersion", "ownerReferences"])
def test_what_an_object_is_known_by_cannot_be_taken_away(what: str) -> None:
    def cut(draft: Any) -> None:
        del draft.metadata[what]

    for change in (cut, assigned(f"metadata.{what}", None), assigned("metadata", {**POD["metadata"], what: None})):
        with pytest.raises(InvalidInput, match="metadata"):
            modified(pod(), change)


@pytest.mark.parametrize("what", ["kind", "apiVersion"])
@pytest.mark.parametrize("value", ["Other", None, 5])
def test_the_type_of_an_object_cannot_be_changed(what: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match="apiVersion, kind"):
        modified(pod(), assigned(what, value))


@pytest.mark.parametrize("value", [None, 5, [], "text", {"name": 5}, {}])
def test_metadata_that_is_none_is_refused(value: Any) -> None:
    for obj in (pod(), decode_partial(json.dumps(POD).encode())):
        with pytest.raises(InvalidInput, match="metadata"):
            modified(obj, assigned("metadata", value))


def test_metadata_that_is_none_can_still_be_looked_at() -> None:
    def change(draft: Any) -> None:
        draft.metadata = 5
        assert draft.metadata == draft["metadata"] == 5
        draft.metadata = POD["metadata"]

    assert modified(pod(), change) == POD


def test_a_draft_that_outlives_its_function_changes_nothing() -> None:
    kept: list[Any] = []
    after = modified(pod(), kept.append)
    kept[0].spec.containers[0].name = "late"
    assert after == POD


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_what_is_assigned_by_key_is_read_back_and_the_rest_stays(value: Any, rest: Any) -> None:
    before = decode_object(json.dumps({**POD, "data": {"rest": rest, "old": 1}}, ensure_ascii=False).encode(), "", "")

    def change(draft: Any) -> None:
        draft["data"]["new"] = value
        del draft["data"]["old"]

    assert modified(before, change).to_dict() == {**POD, "data": {"rest": rest, "new": value}}
