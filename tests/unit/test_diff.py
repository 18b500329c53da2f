"""`diff`: what became of an object, for people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kubernetes.client import V1ConfigMap, V1ObjectMeta, V1Pod, V1Secret

from kubewatch.decode import decode_object, decode_partial
from kubewatch.diff import MISSING, Change, Hidden, diff
from kubewatch.errors import InvalidInput
from kubewatch.fields import LAST_APPLIED
from kubewatch.objects import Object


def make(kind: str = "Deployment", **fields: Any) -> Object:
    metadata = {"name": "web", "namespace": "shop", **fields.pop("metadata", {})}
    return decode_object(json.dumps({"metadata": metadata, **fields}).encode(), "v1", kind)


def lines(old: Object, new: Object) -> list[str]:
    return repr(new.diff(old)).splitlines()


def test_a_changed_field_is_told_by_its_path() -> None:
    assert lines(make(spec={"replicas": 2}), make(spec={"replicas": 3})) == ["spec.replicas: 2 → 3"]


def test_what_came_and_went_is_told_as_a_whole() -> None:
    old, new = make(spec={"paused": True}), make(spec={"strategy": {"type": "Recreate"}})
    assert lines(old, new) == ["spec.paused: true → (none)", 'spec.strategy: (none) → {"type": "Recreate"}']


def test_no_changes_are_an_empty_diff_that_says_so() -> None:
    assert not make().diff(make())
    assert repr(make().diff(make())) == "(no changes)"


def test_a_diff_is_also_a_value() -> None:
    assert make(spec={"replicas": 3}).diff(make(spec={"a": 1})) == (
        Change("spec.a", 1, MISSING),
        Change("spec.replicas", MISSING, 3),
    )


def test_managed_fields_are_left_out() -> None:
    old, new = (make(metadata={"managedFields": [{"manager": name}]}) for name in ("kubectl", "argo"))
    assert not new.diff(old)


def test_keys_that_are_no_names_stand_in_brackets() -> None:
    old, new = (make(metadata={"labels": {"tier.io/name": tier, "my-app": tier}}) for tier in ("a", "b"))
    assert lines(old, new) == ['metadata.labels[tier.io/name]: "a" → "b"', 'metadata.labels.my-app: "a" → "b"']


def containers(**images: str) -> Object:
    return make(spec={"containers": [{"name": name, "image": image} for name, image in images.items()]})


def test_items_of_lists_are_told_apart_by_their_names() -> None:
    assert lines(containers(main="web:1", side="log:1"), containers(side="log:1", main="web:2")) == [
        'spec.containers[main].image: "web:1" → "web:2"',
        'spec.containers, order: ["main", "side"] → ["side", "main"]',
    ]
    assert lines(containers(main="web:1"), containers(main="web:1", side="log:1")) == [
        'spec.containers[side]: (none) → {"name": "side", "image": "log:1"}'
    ]


def test_conditions_are_told_apart_by_their_types() -> None:
    old, new = (make(status={"conditions": [{"type": "Ready", "status": now}]}) for now in ("False", "True"))
    assert lines(old, new) == ['status.conditions[Ready].status: "False" → "True"']


def test_items_whose_names_are_not_their_own_are_told_apart_by_their_place() -> None:
    old, new = (
        make(spec={"tolerations": [{"key": "a", "effect": "x"}, {"key": "a", "effect": now}]}) for now in ("y", "z")
    )
    assert lines(old, new) == ['spec.tolerations[1].effect: "y" → "z"']


def test_lists_of_plain_values_are_told_as_a_whole() -> None:
    old, new = make(metadata={"finalizers": ["a"]}), make(metadata={"finalizers": ["a", "b"]})
    assert lines(old, new) == ['metadata.finalizers: ["a"] → ["a", "b"]']


def test_long_values_are_cut_and_what_does_not_print_is_escaped() -> None:
    (line,) = lines(make(data={"a": "\x1b[2J"}), make(data={"a": "x" * 1000}))
    assert line.startswith(r'data.a: "\u001b[2J" → "xxx')
    assert line.endswith("x…")
    assert len(line) < 200


SECRET_TEXT = "aHVudGVyMg=="


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"password": "b2xk"}, {"password": SECRET_TEXT}, "data.password: changed, not shown"),
        ({"user": "bWU="}, {"user": "bWU=", "password": SECRET_TEXT}, "data.password: (none) → (not shown)"),
        ({"user": "bWU=", "password": SECRET_TEXT}, {"user": "bWU="}, "data.password: (not shown) → (none)"),
        (None, {"password": SECRET_TEXT}, 'data: null → {"password": "(not shown)"}'),
        (None, SECRET_TEXT, "data: null → (not shown)"),
    ],
)
def test_of_a_secret_it_says_that_a_value_changed_and_never_the_value(old: Any, new: Any, line: str) -> None:
    changes = make("Secret", data=new).diff(make("Secret", data=old))
    assert repr(changes) == line
    kept = [value for _, *both in changes for value in both]
    assert SECRET_TEXT not in str([vars(value) if isinstance(value, Hidden) else value for value in kept])


def test_what_does_not_say_its_kind_may_be_a_secret() -> None:
    """Items of an official list have neither kind nor apiVersion."""
    old, new = (V1Secret(metadata=V1ObjectMeta(name="db"), data={"password": text}) for text in ("b2xk", SECRET_TEXT))
    assert repr(diff(old, new)) == "data.password: changed, not shown"
    before, after = (V1ConfigMap(kind="ConfigMap", data={"a": text}) for text in ("1", "2"))
    assert repr(diff(before, after)) == 'data.a: "1" → "2"'


def test_the_copy_that_kubectl_apply_keeps_is_not_shown() -> None:
    old, new = (make("Secret", metadata={"annotations": {LAST_APPLIED: text}}) for text in ("old", SECRET_TEXT))
    assert lines(old, new) == [f"metadata.annotations[{LAST_APPLIED}]: changed, not shown"]


def test_an_object_compares_with_dicts_and_models_too() -> None:
    pod = decode_object(b'{"metadata": {"name": "web"}}', "v1", "Pod")
    old = V1Pod(api_version="v1", kind="Pod", metadata=V1ObjectMeta(name="db"))
    assert repr(pod.diff(old)) == 'metadata.name: "db" → "web"'
    assert not pod.diff(pod.to_dict())


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not int"):
        make().diff(42)
    with pytest.raises(InvalidInput, match="metadata only"):
        make().diff(decode_partial(b'{"metadata": {"name": "web"}}', "v1", "Deployment"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3),
    max_leaves=8,
)


@example(old=True, new=1)
@example(old=[True], new=[1])
@given(old=VALUES, new=VALUES)
def test_there_are_changes_exactly_where_objects_differ(old: Any, new: Any) -> None:
    before, after = {"spec": old}, {"spec": new}
    assert bool(diff(before, after)) == (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))
