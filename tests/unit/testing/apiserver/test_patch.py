"""JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.json_patch import same_json
from kubewatch.testing.apiserver.patch import PatchError, json_patch, merge_patch, strategic_merge_patch

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "a/b", "m~n"])
KEYS = st.sampled_from(["", "a", "b", "a/b", "m~n", "0"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


def token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def json_diff(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    """A plain JSON patch from one object to another."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if same_json(old, new) else [{"op": "replace", "path": path, "value": new}]
    ops = [{"op": "remove", "path": f"{path}/{token(key)}"} for key in old if key not in new]
    for key, value in new.items():
        here = f"{path}/{token(key)}"
        ops += json_diff(old[key], value, here) if key in old else [{"op": "add", "path": here, "value": value}]
    return ops


def merge_diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A plain merge patch from one object to another."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            patch[key] = merge_diff(old[key], value)
        elif key not in old or not same_json(old[key], value):
            patch[key] = value
    return patch


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


class TestJsonPatch:
    @given(OBJECTS, OBJECTS)
    def test_a_difference_applied_to_the_old_gives_the_new(self, old: Any, new: Any) -> None:
        assert same_json(json_patch(old, json_diff(old, new)), new)

    @given(OBJECTS, OBJECTS)
    def test_what_is_given_is_never_changed(self, old: Any, new: Any) -> None:
        ops = json_diff(old, new)
        before = copy.deepcopy((old, ops))
        json_patch(old, ops)
        assert same_json([old, ops], list(before))

    @given(OBJECTS, KEYS, JSON)
    def test_a_test_passes_for_the_value_that_is_there_and_for_no_other(self, doc: Any, key: str, value: Any) -> None:
        operation = {"op": "test", "path": f"/{token(key)}", "value": value}
        if same_json(doc.get(key), value):
            assert same_json(json_patch(doc, [operation]), doc)
        else:
            with pytest.raises(PatchError) as failed:
                json_patch(doc, [operation])
            assert (failed.value.code, failed.value.reason) == (422, "Invalid")

    @given(OBJECTS, JSON)
    def test_add_then_remove_of_a_new_member_changes_nothing(self, doc: Any, value: Any) -> None:
        ops = [{"op": "add", "path": "/new", "value": value}, {"op": "remove", "path": "/new"}]
        assert same_json(json_patch(doc, ops), doc)

    @pytest.mark.parametrize(
        ("ops", "result"),
        [
            ([{"op": "add", "path": "/list/1", "value": "x"}], {"list": [1, "x", 2]}),
            ([{"op": "add", "path": "/list/2", "value": "x"}], {"list": [1, 2, "x"]}),
            ([{"op": "add", "path": "/list/-", "value": "x"}], {"list": [1, 2, "x"]}),
            ([{"op": "remove", "path": "/list/-1"}], {"list": [1]}),
            ([{"op": "replace", "path": "/list/0", "value": {"y": 1}}], {"list": [{"y": 1}, 2]}),
            ([{"op": "move", "from": "/list/0", "path": "/list/1"}], {"list": [2, 1]}),
            ([{"op": "copy", "from": "/list", "path": "/again"}], {"list": [1, 2], "again": [1, 2]}),
            ([{"op": "replace", "path": "/absent", "value": 1}], {"list": [1, 2], "absent": 1}),
            ([{"op": "copy", "from": "/absent", "path": "/b"}], {"list": [1, 2], "b": None}),
            ([{"op": "replace", "path": "", "value": {"all": "new"}}], {"all": "new"}),
            ([{"op": "add", "path": "/a~1b", "value": 1}, {"op": "add", "path": "/m~0n", "value": 2}],
             {"list": [1, 2], "a/b": 1, "m~n": 2}),
            ([{"op": "test", "path": "/list/1", "value": 2}, {"op": "test", "path": "/absent"}], {"list": [1, 2]}),
        ],
    )  # fmt: skip
    def test_operations_do_what_their_names_say(self, ops: Any, result: Any) -> None:
        assert json_patch({"list": [1, 2]}, ops) == result

    def test_a_copied_value_is_not_shared_with_its_source(self) -> None:
        ops = [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/-", "value": 2}]
        assert json_patch({"a": [1]}, ops) == {"a": [1], "b": [1, 2]}

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "add", "path": "/a/b/c", "value": 1},
            {"op": "add", "path": "", "value": {}},
            {"op": "add", "path": "/list/3", "value": 1},
            {"op": "add", "path": "/list/one", "value": 1},
            {"op": "add", "path": "/list/-4", "value": 1},
            {"op": "remove", "path": "/absent"},
            {"op": "remove", "path": "/list/2"},
            {"op": "replace", "path": "/list/2", "value": 1},
            {"op": "replace", "path": "", "value": 1},
            {"op": "move", "from": "/absent", "path": "/b"},
            {"op": "move", "path": "/b"},
            {"op": "copy", "from": "/a/b/c", "path": "/b"},
            {"op": "test", "path": "/list/0", "value": True},
            {"op": "test", "path": "/list/0", "value": 1.0},
            {"op": "test", "path": "/list/5", "value": None},
            {"op": "shuffle", "path": "/list"},
            {"path": "/list"},
            {"op": "remove"},
        ],
    )
    def test_an_operation_that_does_not_apply_is_422(self, operation: Any) -> None:
        with pytest.raises(PatchError) as failed:
            json_patch({"list": [1, 2], "a": {}}, [operation])
        assert (failed.value.code, failed.value.reason) == (422, "Invalid")

    @pytest.mark.parametrize("ops", [{}, None, "x", ["x"], [{"op": 1, "path": "/a"}], [{"op": "add", "path": 1}]])
    def test_what_is_no_json_patch_is_400(self, ops: Any) -> None:
        with pytest.raises(PatchError) as failed:
            json_patch({}, ops)
        assert (failed.value.code, failed.value.reason) == (400, "BadRequest")

    def test_more_than_ten_thousand_operations_are_413(self) -> None:
        with pytest.raises(PatchError) as failed:
            json_patch({}, [{"op": "test", "path": "/a"}] * 10_001)
        assert failed.value.code == 413


class TestMergePatch:
    @given(OBJECTS, OBJECTS)
    def test_a_difference_applied_to_the_old_gives_the_new(self, old: Any, new: Any) -> None:
        old, new = without_nulls(old), without_nulls(new)
        assert same_json(merge_patch(old, merge_diff(old, new)), new)

    @given(OBJECTS, OBJECTS)
    def test_once_is_as_good_as_twice(self, doc: Any, patch: Any) -> None:
        once = merge_patch(doc, patch)
        assert same_json(merge_patch(once, patch), once)

    @given(OBJECTS, OBJECTS)
    def test_what_is_given_is_never_changed(self, doc: Any, patch: Any) -> None:
        before = copy.deepcopy([doc, patch])
        merge_patch(doc, patch)
        assert same_json([doc, patch], before)

    @pytest.mark.parametrize(
        ("doc", "patch", "result"),
        [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ],
    )
    def test_the_examples_of_rfc_7386_hold(self, doc: Any, patch: Any, result: Any) -> None:
        assert merge_patch(doc, patch) == result

    @pytest.mark.parametrize("patch", [None, [], "x", 1])
    def test_what_is_no_object_is_400(self, patch: Any) -> None:
        with pytest.raises(PatchError) as failed:
            merge_patch({}, patch)
        assert (failed.value.code, failed.value.reason) == (400, "BadRequest")


def pod(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": list(containers), **spec}}


def patched(doc: dict[str, Any], patch: Any) -> Any:
    return strategic_merge_patch(doc, patch, doc["kind"], doc["apiVersion"])


def spec_after(doc: dict[str, Any], spec: Any) -> Any:
    return patched(doc, {"spec": spec})["spec"]


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


class TestStrategicMergePatch:
    def test_containers_merge_by_name_and_the_others_stay(self) -> None:
        doc = pod({"name": "a", "image": "1"}, {"name": "b", "image": "1"})
        result = spec_after(doc, {"containers": [{"name": "b", "image": "2"}, {"name": "c"}]})
        assert result == {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c"}]}

    @pytest.mark.parametrize(
        ("kind", "api_version", "path", "key"),
        [
            ("Pod", "v1", "spec.volumes", "name"),
            ("Pod", "v1", "spec.initContainers", "name"),
            ("Pod", "v1", "spec.ephemeralContainers", "name"),
            ("Pod", "v1", "spec.imagePullSecrets", "name"),
            ("Pod", "v1", "spec.hostAliases", "ip"),
            ("Pod", "v1", "spec.topologySpreadConstraints", "topologyKey"),
            ("Pod", "v1", "status.conditions", "type"),
            ("Pod", "v1", "metadata.ownerReferences", "uid"),
            ("Service", "v1", "spec.ports", "port"),
            ("Node", "v1", "status.addresses", "type"),
            ("ServiceAccount", "v1", "secrets", "name"),
            ("Deployment", "apps/v1", "spec.template.spec.containers", "name"),
            ("CronJob", "batch/v1", "spec.jobTemplate.spec.template.spec.volumes", "name"),
            ("Job", "batch/v1", "status.conditions", "type"),
        ],
    )
    def test_lists_of_core_kinds_merge_by_their_key(self, kind: str, api_version: str, path: str, key: str) -> None:
        def nested(items: Any) -> Any:
            for name in reversed(path.split(".")):
                items = {name: items}
            return items

        doc, patch = nested([{key: "a", "x": 1}, {key: "b", "x": 1}]), nested([{key: "a", "x": 2}, {key: "c"}])
        result = strategic_merge_patch(doc, patch, kind, api_version)
        assert sorted(map(str, _at(result, path))) == sorted(
            map(str, [{key: "a", "x": 2}, {key: "b", "x": 1}, {key: "c"}])
        )

    @pytest.mark.parametrize(
        ("field", "old", "new"),
        [
            ("tolerations", [{"key": "a"}, {"key": "b"}], [{"key": "c"}]),
            ("readinessGates", [{"conditionType": "a"}], [{"conditionType": "b"}]),
        ],
    )
    def test_lists_without_a_merge_key_are_replaced(self, field: str, old: Any, new: Any) -> None:
        assert spec_after(pod(**{field: old}), {field: new})[field] == new

    def test_taints_are_replaced(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "spec": {"taints": [{"key": "a"}]}}
        assert spec_after(node, {"taints": [{"key": "b"}]}) == {"taints": [{"key": "b"}]}

    def test_finalizers_are_a_set(self) -> None:
        doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"finalizers": ["a", "b"]}}
        assert patched(doc, {"metadata": {"finalizers": ["b", "c"]}})["metadata"]["finalizers"] == ["a", "b", "c"]

    def test_finalizers_are_deleted_from_by_a_directive(self) -> None:
        doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"finalizers": ["a", "b", "c"]}}
        patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b", "x"], "$setElementOrder/finalizers": ["c"]}}
        assert patched(doc, patch)["metadata"] == {"finalizers": ["a", "c"]}

    def test_an_item_is_deleted_by_a_directive(self) -> None:
        result = spec_after(pod({"name": "a"}, {"name": "b"}), {"containers": [{"name": "a", "$patch": "delete"}]})
        assert result == {"containers": [{"name": "b"}]}

    def test_a_list_is_replaced_by_a_directive(self) -> None:
        result = spec_after(pod({"name": "a"}), {"containers": [{"name": "z"}, {"$patch": "replace"}]})
        assert result == {"containers": [{"name": "z"}]}

    def test_an_object_is_replaced_or_emptied_by_a_directive(self) -> None:
        doc = pod(nodeSelector={"a": "1"}, securityContext={"runAsUser": 1})
        patch = {"nodeSelector": {"$patch": "replace", "b": "2"}, "securityContext": {"$patch": "delete"}}
        result = spec_after(doc, patch)
        assert (result["nodeSelector"], result["securityContext"]) == ({"b": "2"}, {})

    def test_retain_keys_drops_the_fields_that_it_does_not_name(self) -> None:
        doc = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
        }
        result = spec_after(doc, {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}})
        assert result == {"strategy": {"type": "Recreate"}}

    def test_retain_keys_that_leave_out_a_field_of_the_patch_are_400(self) -> None:
        with pytest.raises(PatchError) as failed:
            spec_after(pod(securityContext={"c": 1}), {"securityContext": {"$retainKeys": ["a"], "b": 1}})
        assert failed.value.code == 400

    def test_the_order_of_a_list_can_be_set(self) -> None:
        doc = pod({"name": "a"}, {"name": "b"}, {"name": "c"})
        patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
        assert [one["name"] for one in spec_after(doc, patch)["containers"]] == ["b", "c", "a"]

    def test_an_item_that_the_order_does_not_name_is_refused(self) -> None:
        with pytest.raises(PatchError) as failed:
            spec_after(pod(), {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]})
        assert failed.value.code == 500

    def test_an_item_without_its_merge_key_is_refused(self) -> None:
        with pytest.raises(PatchError, match="does not contain declared merge key: name"):
            spec_after(pod({"name": "a"}), {"containers": [{"image": "x"}]})

    def test_no_directive_and_no_null_is_ever_stored(self) -> None:
        patch = {
            "metadata": {"labels": {"a": None, "b": "1"}, "$setElementOrder/finalizers": ["x"], "finalizers": ["x"]},
            "spec": {
                "containers": [{"name": "n", "env": [{"name": "E", "$patch": "delete"}], "tty": None}],
                "$setElementOrder/containers": [{"name": "n"}],
                "strategy": {"$retainKeys": ["a"], "a": 1},
            },
        }
        result = strategic_merge_patch({}, patch, "Pod", "v1")
        assert result == {
            "metadata": {"labels": {"b": "1"}, "finalizers": ["x"]},
            "spec": {"containers": [{"name": "n", "env": []}], "strategy": {"a": 1}},
        }

    def test_a_custom_resource_has_no_strategic_merge(self) -> None:
        with pytest.raises(PatchError) as failed:
            strategic_merge_patch({}, {}, "Widget", "example.com/v1")
        assert (failed.value.code, failed.value.reason) == (415, "UnsupportedMediaType")

    @pytest.mark.parametrize("patch", [None, [], "x"])
    def test_what_is_no_object_is_400(self, patch: Any) -> None:
        with pytest.raises(PatchError) as failed:
            strategic_merge_patch({}, patch, "Pod", "v1")
        assert failed.value.code == 400

    @given(NAMES, NAMES)
    def test_merging_keeps_everybody_and_both_orders(self, server: list[str], patch: list[str]) -> None:
        result = spec_after(pod(*({"name": one} for one in server)), {"containers": [{"name": one} for one in patch]})
        names = [one["name"] for one in result["containers"]]
        assert sorted(names) == sorted({*server, *patch})
        assert [one for one in names if one in patch] == patch
        assert [one for one in names if one not in patch] == [one for one in server if one not in patch]

    @given(NAMES, NAMES)
    def test_once_is_as_good_as_twice(self, server: list[str], patch: list[str]) -> None:
        change = {"spec": {"containers": [{"name": one, "image": "new"} for one in patch]}}
        once = patched(pod(*({"name": one, "image": "old"} for one in server)), change)
        assert patched(once, change) == once

    @given(OBJECTS, OBJECTS)
    def test_without_lists_it_is_a_merge_patch(self, doc: Any, patch: Any) -> None:
        doc, patch = _without_lists(doc), _without_lists(patch)
        assert strategic_merge_patch(doc, patch, "Lease", "coordination.k8s.io/v1") == merge_patch(doc, patch)


def _at(doc: Any, path: str) -> Any:
    for name in path.split("."):
        doc = doc[name]
    return doc


def _without_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_lists(part) for key, part in value.items() if not isinstance(part, list)}
    return value
