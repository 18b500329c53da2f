"""A custom resource's schema: what is dropped, what is filled in, what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch.testing.apiserver.structural import problems, prune, with_defaults

Schema = dict[str, Any]


def spec(**properties: Schema) -> Schema:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def test_unknown_fields_are_dropped_and_named() -> None:
    schema = spec(
        known={"type": "string"}, items={"type": "array", "items": {"type": "object", "properties": {"a": {}}}}
    )
    document = {
        "apiVersion": "ex.io/v1",
        "kind": "Foo",
        "metadata": {"name": "x", "labels": {}},
        "spec": {"known": "a", "unknown": 1, "items": [{"a": 1, "b": 2}]},
        "extra": True,
    }
    pruned, unknown = prune(schema, document)
    assert pruned["spec"] == {"known": "a", "items": [{"a": 1}]}
    assert pruned["metadata"] == document["metadata"]
    assert "extra" not in pruned
    assert unknown == ["spec.unknown", "spec.items[0].b", "extra"]


def test_what_a_schema_leaves_open_stays() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    by_name = {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {}}}}
    document = {"spec": {"free": {"x": {"y": 1}}, "by_name": {"one": {"a": 1, "b": 2}}}}
    pruned, _ = prune(spec(free=free, by_name=by_name), document)
    assert pruned["spec"] == {"free": {"x": {"y": 1}}, "by_name": {"one": {"a": 1}}}


def test_defaults_fill_what_is_not_set_down_to_the_items_of_lists() -> None:
    port = {"type": "object", "properties": {"protocol": {"type": "string", "default": "TCP"}}}
    schema = spec(color={"default": "red"}, size={"default": 1}, ports={"type": "array", "items": port})
    filled = with_defaults(schema, {"spec": {"size": 5, "ports": [{}, {"protocol": "UDP"}]}})
    assert filled["spec"] == {"color": "red", "size": 5, "ports": [{"protocol": "TCP"}, {"protocol": "UDP"}]}
    assert with_defaults(schema, {}) == {}


def test_defaults_are_not_shared_between_objects() -> None:
    schema = spec(tags={"default": []})
    first, second = with_defaults(schema, {"spec": {}}), with_defaults(schema, {"spec": {}})
    first["spec"]["tags"].append("x")
    assert second["spec"]["tags"] == []


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ({"type": "integer"}, 1, None),
        ({"type": "integer"}, 1.0, None),
        ({"type": "integer"}, "1", "FieldValueTypeInvalid"),
        ({"type": "integer"}, True, "FieldValueTypeInvalid"),
        ({"type": "number"}, 1.5, None),
        ({"type": "boolean"}, True, None),
        ({"type": "boolean"}, 1, "FieldValueTypeInvalid"),
        ({"type": "string"}, None, "FieldValueTypeInvalid"),
        ({"type": "string", "nullable": True}, None, None),
        ({"x-kubernetes-int-or-string": True}, "50%", None),
        ({"x-kubernetes-int-or-string": True}, 5, None),
        ({"x-kubernetes-int-or-string": True}, True, "FieldValueTypeInvalid"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "FieldValueNotSupported"),
        ({"type": "integer", "minimum": 1}, 0, "FieldValueInvalid"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, "FieldValueInvalid"),
        ({"type": "integer", "maximum": 9}, 10, "FieldValueInvalid"),
        ({"type": "integer", "multipleOf": 3}, 7, "FieldValueInvalid"),
        ({"type": "string", "minLength": 2}, "a", "FieldValueInvalid"),
        ({"type": "string", "maxLength": 2}, "abc", "FieldValueTooLong"),
        ({"type": "string", "pattern": "^a"}, "b", "FieldValueInvalid"),
        ({"type": "array", "maxItems": 1}, [1, 2], "FieldValueTooMany"),
        ({"type": "array", "minItems": 1}, [], "FieldValueInvalid"),
        ({"type": "array", "x-kubernetes-list-type": "set"}, [1, 1], "FieldValueDuplicate"),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "FieldValueTooMany"),
        ({"type": "object", "required": ["a"]}, {}, "FieldValueRequired"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "x"}, "FieldValueTypeInvalid"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, True, "FieldValueInvalid"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3, "FieldValueInvalid"),
        ({"not": {"type": "string"}}, "a", "FieldValueInvalid"),
        ({"allOf": [{"minimum": 1}, {"maximum": 5}]}, 3, None),
    ],
)
def test_what_fits_and_what_does_not(schema: Schema, value: object, reason: str | None) -> None:
    found = problems(spec(field=schema), {"spec": {"field": value}})
    assert [one["reason"] for one in found] == ([] if reason is None else [reason])
    assert all(one["field"].startswith("spec.field") for one in found)


def test_items_of_a_list_by_key_differ_in_their_keys() -> None:
    schema = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    found = problems(spec(ports=schema), {"spec": {"ports": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}})
    assert [(one["reason"], one["field"]) for one in found] == [("FieldValueDuplicate", "spec.ports[2]")]
