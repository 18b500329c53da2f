"""prune: fields cut out of objects, by path."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch.decode import decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.errors import InvalidInput
from kubewatch.events import Apply
from kubewatch.objects import Object
from kubewatch.prune import prune
from kubewatch.streams import EventStream

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "labels": {"app": "web"},
        "annotations": {"example.io/team": "blue", "other": "kept"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {
        "nodeName": "n1",
        "containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]},
            {"name": "b", "image": "b:1", "env": []},
        ],
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready"}]},
    "data": {"one": "1", "two": "2"},
}


def without(*keys: str | int, of: Any = POD) -> Any:
    """A copy of `of` from which the field at the end of `keys` is gone."""
    copy = json.loads(json.dumps(of))
    node = copy
    for key in keys[:-1]:
        node = node[key]
    del node[keys[-1]]
    return copy


PRUNED = [
    ("status", without("status")),
    (".status", without("status")),
    ("metadata.managedFields", without("metadata", "managedFields")),
    ("metadata.annotations[example.io/team]", without("metadata", "annotations", "example.io/team")),
    ("metadata.annotations['example.io/team']", without("metadata", "annotations", "example.io/team")),
    ('metadata["annotations"]["example.io/team"]', without("metadata", "annotations", "example.io/team")),
    ("metadata.labels.app", without("metadata", "labels", "app")),
    ("data.*", {**POD, "data": {}}),
    ("data[*]", {**POD, "data": {}}),
    ("spec.containers", without("spec", "containers")),
    ("spec.containers[0]", without("spec", "containers", 0)),
    ("spec.containers.1.env", without("spec", "containers", 1, "env")),
    ("spec.containers[*].env", without("spec", "containers", 0, "env", of=without("spec", "containers", 1, "env"))),
    ("spec.containers[*].env[*].value", without("spec", "containers", 0, "env", 0, "value")),
    ("spec.containers.*", {**POD, "spec": {"nodeName": "n1", "containers": []}}),
    ("no.such.field", POD),
    ("status.phase.deeper", POD),
    ("spec.containers[7]", POD),
    ("spec.containers.name", POD),
]


def tidy(obj: dict[str, Any]) -> dict[str, Any]:
    """Empty labels and annotations are as good as none."""
    meta = {key: value for key, value in obj["metadata"].items() if value or key not in ("labels", "annotations")}
    return {**obj, "metadata": meta}


@pytest.mark.parametrize(("path", "expected"), PRUNED)
def test_a_path_is_cut_out_of_an_object(path: str, expected: dict[str, Any]) -> None:
    obj = decode_object(json.dumps(POD).encode())
    assert tidy(modified(obj, prune(path)).to_dict()) == tidy(expected)
    assert obj.to_dict() == POD


@pytest.mark.parametrize(("path", "expected"), PRUNED)
def test_a_path_is_cut_out_of_a_plain_dict(path: str, expected: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(POD))
    prune(path)(plain)
    assert plain == expected


def test_several_paths_are_cut_in_one_go() -> None:
    obj = modified(decode_object(json.dumps(POD).encode()), prune("metadata.managedFields", "status", "data.*"))
    assert "managedFields" not in obj["metadata"]
    assert "status" not in obj
    assert obj.data == {}
    assert obj.name == "web"


def test_it_goes_into_modify() -> None:
    [obj] = EventStream([Apply(decode_object(json.dumps(POD).encode()))]).modify(prune("status")).applied_objects()
    assert "status" not in obj


def test_what_is_not_on_the_way_to_a_field_is_not_opened() -> None:
    """A number that nothing can hold stays unread: the JSON around it is all that is looked at."""
    raw = b'{"metadata":{"name":"web"},"spec":{"a":1e400},"status":{"b":1e400}}'
    pruned = modified(decode_object(raw, "v1", "Pod"), prune("status"))
    assert pruned._raw == b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"a":1e400}}'


def test_a_pruned_object_holds_on_to_nothing_of_what_was_there() -> None:
    raw = b'{"metadata":{"name":"web","labels":{"app":"web"},"annotations":{"a":"b"}},"status":1}'
    ours = sys.getrefcount(raw)
    obj = decode_object(raw)
    pruned = modified(obj, prune("status"))
    changed = modified(obj, lambda draft: draft.pop("status"))
    del obj
    held = sys.getrefcount(raw)
    assert held == ours
    assert pruned.labels == changed.labels == {"app": "web"}


def test_metadata_without_their_managed_fields_are_what_they_were_and_are_not_decoded_again() -> None:
    obj = decode_object(json.dumps(POD).encode())
    pruned = modified(obj, prune("metadata.managedFields", "status"))
    assert pruned.metadata == obj.metadata
    assert modified(pruned, prune("metadata.managedFields", "status")).metadata is pruned.metadata


def test_metadata_read_later_is_the_pruned_one() -> None:
    obj = modified(decode_object(json.dumps(POD).encode()), prune("metadata.annotations", "metadata.labels"))
    assert obj.annotations == {}
    assert obj.labels == {}


def test_it_works_on_partial_objects() -> None:
    partial = decode_partial(json.dumps({"metadata": POD["metadata"]}).encode(), "v1", "Pod")
    assert "managedFields" not in modified(partial, prune("metadata.managedFields"))["metadata"]


@pytest.mark.parametrize(
    "path",
    [
        "metadata",
        "metadata.*",
        "metadata[*].x",
        "*",
        "*.name",
        "apiVersion",
        "kind",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.ownerReferences",
        "metadata.ownerReferences[*].uid",
        "metadata['name']",
    ],
)
def test_what_an_object_is_known_by_cannot_be_cut(path: str) -> None:
    with pytest.raises(InvalidInput, match="would cut what an object is known by"):
        prune(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "is empty"),
        ("metadata.managed_fields", "metadata has no managed_fields; its fields are annotations"),
        ("metadata.labells", "metadata has no labells"),
        ("spec..image", r"cannot read the path 'spec..image' from character 5 on"),
        ("spec.", r"from character 5 on \('.'\)"),
        ("spec[", "cannot read the path"),
        (" spec", "cannot read the path"),
        ("spec, status", "cannot read the path"),
        ("spec status", "cannot read the path"),
        ("spec[]", "cannot read the path"),
        ("spec['a]", "cannot read the path"),
        ("spec[a]b", r"from character 8 on \('b'\)"),
        (5, 'a path is text such as "metadata.managedFields", not 5'),
    ],
)
def test_a_path_that_says_nothing_is_refused_when_it_is_built(path: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        prune(path)


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one path"):
        prune()


def test_outside_of_modify_an_object_says_where_to_prune() -> None:
    obj = decode_object(json.dumps(POD).encode())
    for path in ("status", "data.one"):
        with pytest.raises(InvalidInput, match=r"is read-only: prune inside of modify, as in") as refused:
            prune(path)(obj)
        assert "Running" not in str(refused.value)
        assert "'1'" not in str(refused.value)


# Models of the user's own


class Inner(msgspec.Struct):
    image: str | None = None
    secret_text: str | None = None


class Web(msgspec.Struct):
    spec: Inner
    status: dict[str, str] | None = None


@dataclasses.dataclass
class Plain:
    spec: dict[str, str]
    status: str | None = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    status: str | None = None


def test_fields_of_a_model_are_set_to_none() -> None:
    web = Web(Inner("a:1", "hidden"), {"phase": "Running"})
    prune("spec.secretText", "status", "no.such.field")(web)
    assert web == Web(Inner("a:1", None), None)


def test_all_fields_of_a_part_of_a_model_are_set_to_none() -> None:
    web = Web(Inner("a:1", "hidden"))
    prune("spec.*")(web)
    assert web == Web(Inner(None, None))


def test_dicts_inside_a_dataclass_are_cut() -> None:
    plain = Plain({"a": "1", "b": "2"}, "up")
    prune("spec.a", "status")(plain)
    assert plain == Plain({"b": "2"}, None)


def test_a_field_of_an_official_model_is_found_by_its_name_in_yaml() -> None:
    from kubernetes.client import V1ObjectMeta, V1Pod, V1PodStatus

    status = V1PodStatus(pod_ip="10.0.0.1", nominated_node_name="n1", phase="Running")
    model = V1Pod(metadata=V1ObjectMeta(name="web", annotations={"a": "1"}), status=status)
    prune("status.podIP", "status.nominatedNodeName", "metadata.annotations")(model)
    assert model.metadata is not None
    assert model.metadata.annotations is None
    assert (status.pod_ip, status.nominated_node_name) == (None, None)
    assert status.phase == "Running"


def test_a_frozen_model_says_so() -> None:
    with pytest.raises(InvalidInput, match="Frozen is frozen, so status cannot be cut"):
        prune("status")(Frozen("up"))
    prune("status")(Frozen())


# Any object, any path

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def cut(node: Any, path: list[str]) -> Any:
    """What is left of `node`, written anew: the rule of `prune` in other words."""
    step, rest = path[0], path[1:]
    if isinstance(node, dict):
        hit = {key for key in node if step in ("*", key)}
        kept = [(key, cut(value, rest) if key in hit and rest else value) for key, value in node.items()]
        return {key: value for key, value in kept if rest or key not in hit}
    if isinstance(node, list):
        indexed = [(step in ("*", str(number)), value) for number, value in enumerate(node)]
        return [cut(value, rest) if hit and rest else value for hit, value in indexed if rest or not hit]
    return node


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(st.sampled_from("abc"), values, max_size=3),
    st.lists(st.sampled_from(["a", "b", "c", "0", "1", "*"]), min_size=1, max_size=4),
)
def test_objects_and_dicts_lose_the_same(spec: dict[str, Any], steps: list[str]) -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    expected = {**body, "spec": cut(spec, steps)}
    path = "spec." + ".".join(steps)
    obj: Object = modified(decode_object(json.dumps(body).encode()), prune(path))
    assert obj.to_dict() == expected
    prune(path)(body)
    assert body == expected
