"""Server-side apply, and who manages which fields."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.apply import ApplyConflict, Conflict, server_side_apply, update_managed_fields
from kubewatch.testing.apiserver.builtin_schemas import CUSTOM, custom_schema, is_builtin, schema_of
from kubewatch.testing.apiserver.fieldsets import from_fields_v1, path_text, to_fields_v1
from kubewatch.testing.apiserver.patch import PatchError
from kubewatch.testing.apiserver.typed import Difference, fields_of, merge, without
from kubewatch.testing.apiserver.typed_form import tidied

Json = dict[str, Any]

KEYS = st.sampled_from("abcd")
LEAVES = st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]) | st.lists(st.integers(0, 2), max_size=2)
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3))
SPECS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)

TIMES = [f"2024-01-01T00:00:{second:02}Z" for second in range(60)]


def widget(spec: Any = None, **metadata: Any) -> Json:
    """A custom resource of which nothing is known."""
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", **metadata}}
    return obj if spec is None else {**obj, "spec": spec}


def config_map(data: Any = None, **metadata: Any) -> Json:
    obj: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return obj if data is None else {**obj, "data": data}


def deployment(*containers: Any, **spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": list(containers), **spec}}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    return {**obj, "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}}


def apply(live: Json | None, applied: Json, manager: str = "one", *, at: int = 0, **options: Any) -> Json:
    options.setdefault("force", False)
    return server_side_apply(live, applied, manager=manager, now=TIMES[at], **options)


def update(old: Json | None, new: Json, manager: str = "two", *, at: int = 0, **options: Any) -> Json:
    return update_managed_fields(old, new, manager=manager, now=TIMES[at], **options)


def conflicts_of(live: Json, applied: Json, manager: str) -> tuple[Conflict, ...]:
    try:
        apply(live, applied, manager)
    except ApplyConflict as refused:
        return refused.conflicts
    return ()


def managed(obj: Mapping[str, Any]) -> dict[str, Any]:
    """What each manager manages, by its name."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


def bare(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


class TestFieldSets:
    def test_fields_have_the_form_of_the_api(self) -> None:
        pod = {
            "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]},
            "metadata": {"labels": {"x": ""}},
        }
        assert to_fields_v1(fields_of(pod, schema_of("Pod", "v1"))) == {
            "f:metadata": {"f:labels": {"f:x": {}}},
            "f:spec": {
                "f:containers": {
                    'k:{"name":"a"}': {
                        ".": {},
                        "f:name": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    }
                }
            },
        }

    def test_fields_of_an_unknown_kind_are_all_data(self) -> None:
        assert to_fields_v1(fields_of(widget({"a": {"b": 1}, "l": [1]}), CUSTOM))["f:spec"] == {
            ".": {},
            "f:a": {".": {}, "f:b": {}},
            "f:l": {},
        }

    @given(SPECS)
    def test_the_form_of_the_api_keeps_everything(self, spec: Any) -> None:
        fields = fields_of(widget(spec), CUSTOM)
        assert from_fields_v1(to_fields_v1(fields)) == fields
        assert from_fields_v1(json.loads(json.dumps(to_fields_v1(fields)))) == fields

    def test_elements_are_the_same_however_they_are_written(self) -> None:
        written: Json = {"f:a": {'k:{"b": 2, "a": "<"}': {}, 'v:"x"': {}}}
        assert to_fields_v1(from_fields_v1(written)) == {"f:a": {'k:{"a":"\\u003c","b":2}': {}, 'v:"x"': {}}}

    def test_what_is_no_element_is_refused(self) -> None:
        with pytest.raises(ValueError, match="unknown path element"):
            from_fields_v1({"x:a": {}})

    def test_a_path_reads_as_people_write_it(self) -> None:
        path = ("f:spec", 'k:{"a":1,"name":"web"}', "f:env", 'v:"x"', "i:0")
        assert path_text(path) == '.spec[a=1,name="web"].env[="x"][0]'


class TestTyped:
    @given(SPECS)
    def test_nothing_differs_from_itself(self, spec: Any) -> None:
        difference = Difference(spec, copy.deepcopy(spec), schema_of("Widget", "example.com/v1"))
        assert (difference.added, difference.modified, difference.removed) == (set(), set(), set())

    @given(SPECS, SPECS)
    def test_what_is_added_one_way_is_removed_the_other(self, one: Any, other: Any) -> None:
        there, back = Difference(one, other, CUSTOM), Difference(other, one, CUSTOM)
        assert (there.added, there.removed, there.modified) == (back.removed, back.added, back.modified)

    @given(SPECS, SPECS)
    def test_merging_adds_and_changes_and_removes_nothing(self, live: Any, applied: Any) -> None:
        merged = merge(widget(live), widget(applied), CUSTOM)
        assert fields_of(widget(applied), CUSTOM) <= fields_of(merged, CUSTOM)
        assert not Difference(merged, merge(merged, widget(applied), CUSTOM), CUSTOM).modified

    @given(SPECS)
    def test_taking_out_all_fields_leaves_nothing(self, spec: Any) -> None:
        assert without(spec, fields_of(spec, CUSTOM), CUSTOM) is None

    @pytest.mark.parametrize(
        ("live", "applied", "merged"),
        [
            ("abc", "", "abc"),
            ("", "ab", "ab"),
            ("abc", "c", "abc"),
            ("abc", "cxa", "bcxa"),
            ("abcd", "db", "acdb"),
            ("ab", "xy", "abxy"),
            ("axb", "ba", "xba"),
        ],
    )
    def test_lists_take_the_order_of_the_applied(self, live: str, applied: str, merged: str) -> None:
        schema = schema_of("Pod", "v1").child("spec").child("containers")
        result = merge([{"name": name} for name in live], [{"name": name} for name in applied], schema)
        assert "".join(item["name"] for item in result) == merged


class TestApply:
    @given(SPECS)
    def test_a_new_object_is_what_was_applied_and_all_of_it_managed(self, spec: Any) -> None:
        made = apply(None, widget(spec))
        assert bare(made) == widget(spec)
        assert managed(made).get("one", {}) == to_fields_v1(
            {p for p in fields_of(widget(spec), CUSTOM) if p[0] == "f:spec"}
        )

    @given(SPECS, SPECS)
    def test_applying_again_changes_nothing_not_even_the_time(self, live: Any, applied: Any) -> None:
        once = apply(update(None, widget(live, uid="u")), widget(applied), at=1, force=True)
        assert apply(once, widget(applied), at=2) == once

    @given(SPECS, SPECS)
    def test_what_is_no_longer_applied_is_gone(self, first: Any, second: Any) -> None:
        assert bare(apply(apply(None, widget(first), at=1), widget(second), at=2)) == widget(second)

    @given(SPECS, SPECS, SPECS)
    def test_what_somebody_else_applied_stays(self, mine: Any, theirs: Any, later: Any) -> None:
        live = apply(apply(None, widget(mine)), widget(theirs), "other", force=True, at=1)
        live = apply(live, widget(later), force=True, at=2)
        kept = from_fields_v1(managed(live).get("other", {}))
        assert kept <= fields_of(live, CUSTOM)
        assert not kept & (
            Difference(widget(theirs), live, CUSTOM).modified | Difference(widget(theirs), live, CUSTOM).removed
        )

    @given(SPECS, SPECS)
    def test_force_takes_what_conflicts_from_its_manager(self, first: Any, second: Any) -> None:
        live = apply(None, widget(first))
        conflicts = conflicts_of(live, widget(second), "two")
        result = apply(live, widget(second), "two", at=1, force=True)
        kept = {path_text(path) for path in from_fields_v1(managed(result).get("one", {}))}
        assert {one.manager for one in conflicts} <= {"one"}
        assert not kept & {one.field for one in conflicts}
        assert not Difference(widget(second), result, CUSTOM).modified
        # And from then on it is the first who is refused, or nobody.
        assert apply(result, widget(second), "two", at=2) == result

    @given(SPECS, SPECS)
    def test_what_is_given_is_never_changed(self, live: Any, applied: Any) -> None:
        before, config = apply(None, widget(live)), widget(applied)
        copies = copy.deepcopy((before, config))
        apply(before, config, "two", force=True)
        update(before, {**before, "spec": applied})
        assert (before, config) == copies

    def test_an_object_that_has_lost_its_last_field_is_null(self) -> None:
        assert apply(apply(None, widget({"a": 1})), widget({}), at=1)["spec"] is None

    def test_two_may_apply_the_same_value(self) -> None:
        live = apply(apply(None, config_map({"a": "1"})), config_map({"a": "1"}), "two", at=1)
        assert managed(live) == {"one": {"f:data": {"f:a": {}}}, "two": {"f:data": {"f:a": {}}}}
        live = apply(live, config_map({}), at=2)
        assert live["data"] == {"a": "1"}

    def test_a_conflict_names_every_field_and_its_manager(self) -> None:
        live = update(apply(None, config_map({"a": "1"})), config_map({"a": "1", "b": "1"}, uid="u"), "upd", at=1)
        with pytest.raises(ApplyConflict) as refused:
            apply(live, config_map({"a": "2", "b": "2"}), "two")
        assert refused.value.conflicts == (
            ("one", ".data.a", 'conflict with "one"'),
            ("upd", ".data.b", 'conflict with "upd" using v1'),
        )
        assert refused.value.message == (
            'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\nconflicts with "upd" using v1:\n- .data.b'
        )

    def test_one_conflict_is_told_in_one_line(self) -> None:
        with pytest.raises(ApplyConflict, match=r'^Apply failed with 1 conflict: conflict with "one": \.data\.a$'):
            apply(apply(None, config_map({"a": "1"})), config_map({"a": "2"}), "two")

    def test_lists_of_core_kinds_merge_item_by_item(self) -> None:
        ports = [{"containerPort": 80, "protocol": "TCP"}]
        live = apply(None, deployment({"name": "a", "image": "1", "ports": ports}))
        live = apply(live, deployment({"name": "b", "image": "2"}), "two", at=1)
        live = apply(live, deployment({"name": "a", "image": "3"}), at=2)
        containers = live["spec"]["template"]["spec"]["containers"]
        assert containers == [{"name": "a", "image": "3"}, {"name": "b", "image": "2"}]

    def test_ports_differ_by_their_protocol_too(self) -> None:
        def service(*ports: Any) -> Json:
            return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": list(ports)}}

        live = apply(None, service({"port": 53}, {"port": 53, "protocol": "UDP"}))
        live = apply(live, service({"port": 53, "protocol": "TCP", "name": "x"}), at=1)
        assert live["spec"]["ports"] == [{"port": 53, "protocol": "TCP", "name": "x"}]

    def test_finalizers_are_owned_one_by_one(self) -> None:
        live = apply(apply(None, config_map(finalizers=["a/a"])), config_map(finalizers=["b/b"]), "two", at=1)
        assert live["metadata"]["finalizers"] == ["a/a", "b/b"]
        assert apply(live, config_map(), at=2)["metadata"]["finalizers"] == ["b/b"]

    def test_lists_of_unknown_kinds_have_one_owner(self) -> None:
        live = apply(None, widget({"l": [{"name": "a"}]}))
        with pytest.raises(ApplyConflict, match=r"\.spec\.l"):
            apply(live, widget({"l": [{"name": "b"}]}), "two")

    def test_a_definition_can_say_how_lists_merge(self) -> None:
        items = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "zone": {"type": "string", "default": "z"}},
        }
        schema = custom_schema(
            {
                "type": "object",
                "properties": {
                    "spec": {
                        "type": "object",
                        "properties": {
                            "l": {
                                "type": "array",
                                "x-kubernetes-list-type": "map",
                                "x-kubernetes-list-map-keys": ["name", "zone"],
                                "items": items,
                            },
                            "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                            "m": {"type": "object", "x-kubernetes-map-type": "atomic"},
                        },
                    }
                },
            }
        )
        live = apply(None, widget({"l": [{"name": "a"}], "s": ["x"], "m": {"k": 1}}), schema=schema)
        assert managed(live)["one"]["f:spec"] == {
            "f:l": {'k:{"name":"a","zone":"z"}': {".": {}, "f:name": {}}},
            "f:s": {'v:"x"': {}},
            "f:m": {},
        }
        live = apply(live, widget({"l": [{"name": "b"}], "s": ["y"]}), "two", at=1, schema=schema)
        assert live["spec"] == {"l": [{"name": "a"}, {"name": "b"}], "s": ["x", "y"], "m": {"k": 1}}

    def test_an_object_that_nobody_manages_has_one_manager_of_old(self) -> None:
        live = config_map({"a": "1"}, uid="u")
        assert "before-first-apply" in managed(apply(live, config_map({"b": "1"})))
        with pytest.raises(ApplyConflict, match="before-first-apply"):
            apply(live, config_map({"a": "2"}))

    def test_the_status_subresource_sets_nothing_else(self) -> None:
        live = apply(None, deployment({"name": "a"}))
        applied = {**deployment({"name": "zzz"}), "status": {"replicas": 3}}
        result = apply(live, applied, "two", at=1, subresource="status")
        assert bare(result) == {**bare(live), "status": {"replicas": 3}}
        entry = next(one for one in result["metadata"]["managedFields"] if one["manager"] == "two")
        assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})

    def test_what_a_request_cannot_set_is_not_managed_by_it(self) -> None:
        applied = {**deployment({"name": "a"}), "status": {"replicas": 3}}
        result = apply(None, applied, reset=["status"])
        assert "status" not in result
        assert "f:status" not in managed(result)["one"]

    @pytest.mark.parametrize(
        "applied",
        [
            [],
            {"metadata": {"name": "c"}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}},
            config_map(managedFields=[]),
        ],
    )
    def test_what_is_no_such_object_is_400(self, applied: Any) -> None:
        with pytest.raises(PatchError) as failed:
            apply(config_map(uid="u"), applied)
        assert (failed.value.code, failed.value.reason) == (400, "BadRequest")

    @pytest.mark.parametrize(("containers", "code"), [([{"name": "a"}, {"name": "a"}], 500), ([{"image": "i"}], 422)])
    def test_items_that_cannot_be_told_apart_are_refused(self, containers: Any, code: int) -> None:
        with pytest.raises(PatchError) as failed:
            apply(None, deployment(*containers))
        assert failed.value.code == code

    def test_client_side_apply_hands_over_to_kubectl(self) -> None:
        name = "kubectl.kubernetes.io/last-applied-configuration"
        said = config_map({"a": "1", "b": "1"})
        live = config_map({"a": "1", "b": "1"}, annotations={name: json.dumps(said)}, uid="u")
        live = update(None, live, "kubectl-client-side-apply")
        live = update(live, {**live, "data": {"a": "1", "b": "changed"}}, "other", at=1)
        with pytest.raises(ApplyConflict, match=r'with "other" .* \.data\.b$'):
            apply(live, config_map({"a": "2", "b": "2"}), "kubectl", at=2)
        result = apply(live, config_map({"a": "2"}), "kubectl", at=2)
        assert result["data"] == {"a": "2", "b": "changed"}
        assert json.loads(result["metadata"]["annotations"][name]) == config_map({"a": "2"})
        assert apply(result, config_map({"a": "2"}), "kubectl", at=3) == result


class TestUpdate:
    def test_who_creates_manages_everything_but_the_identity(self) -> None:
        obj = config_map({"a": "1"}, labels={"x": "y"}, uid="u", resourceVersion="1", namespace="n")
        made = update(None, obj)
        assert made["metadata"]["managedFields"] == [
            {
                "manager": "two",
                "operation": "Update",
                "apiVersion": "v1",
                "time": TIMES[0],
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}},
            }
        ]

    def test_parts_that_are_never_absent_are_nobodys(self) -> None:
        made = update(None, deployment({"name": "a"}))
        assert managed(made)["two"]["f:spec"]["f:template"] == {
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}}}},
        }

    @given(st.lists(SPECS, min_size=1, max_size=4))
    def test_updaters_never_share_a_field(self, specs: list[Any]) -> None:
        live: Json | None = None
        for number, spec in enumerate(specs):
            live = update(live, {**(live or widget(uid="u")), "spec": spec}, f"m{number}", at=number)
        assert live is not None
        sets = [from_fields_v1(fields) for fields in managed(live).values()]
        assert sum(map(len, sets)) == len(frozenset[Any]().union(*sets))
        assert frozenset[Any]().union(*sets) <= fields_of(live, CUSTOM) | {("f:spec",)}

    @given(SPECS, SPECS)
    def test_an_update_of_nothing_changes_nothing(self, spec: Any, other: Any) -> None:
        live = update(update(None, widget(spec, uid="u")), widget(other, uid="u"), "three", at=1)
        assert update(live, {**live}, "four", at=2) == live
        assert update(live, bare(live), "four", at=2) == live

    def test_an_update_takes_fields_from_their_applier(self) -> None:
        live = apply(None, config_map({"a": "1", "b": "1"}))
        live = update(live, {**bare(live), "data": {"a": "2", "b": "1"}}, at=1)
        assert managed(live) == {"one": {"f:data": {"f:b": {}}}, "two": {"f:data": {"f:a": {}}}}

    @pytest.mark.parametrize("nothing", [[], [{}]])
    def test_managers_can_be_forgotten(self, nothing: Any) -> None:
        live = update(None, config_map({"a": "1"}, uid="u"))
        reset = update(live, {**live, "metadata": {**live["metadata"], "managedFields": nothing}})
        assert "managedFields" not in reset["metadata"]
        assert "managedFields" not in update(reset, {**reset, "data": {"b": "1"}})["metadata"]

    def test_managers_can_be_set(self) -> None:
        live = update(None, config_map({"a": "1"}, uid="u"))
        entry = {**live["metadata"]["managedFields"][0], "manager": "mine"}
        new = {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}
        assert list(managed(update(live, new, at=1))) == ["mine"]
        assert list(managed(update(live, new, at=1, subresource="status"))) == ["two"]

    @pytest.mark.parametrize(
        "entries", [[{"manager": "x"}], [{"operation": "Update"}], ["x"], [{"operation": "Update", "apiVersion": "v1"}]]
    )
    def test_malformed_managers_do_not_count(self, entries: Any) -> None:
        live = update(None, config_map({"a": "1"}, uid="u"))
        new = {**live, "metadata": {**live["metadata"], "managedFields": entries}}
        assert update(live, new) == live

    def test_an_object_with_ambiguous_items_has_no_managers(self) -> None:
        live = deployment({"image": "no name"})
        assert "managedFields" not in update(None, live)["metadata"]

    def test_many_updaters_become_one_of_old(self) -> None:
        live = update(None, config_map({}, uid="u", labels={"a": "b"}), "m0")
        for number in range(1, 15):
            live = update(live, {**live, "data": {**live["data"], f"k{number}": ""}}, f"m{number}", at=number)
        assert list(managed(live)) == ["ancient-changes", *(f"m{number}" for number in range(6, 15))]
        assert "f:k5" in managed(live)["ancient-changes"]["f:data"]

    def test_entries_are_sorted_by_operation_time_and_name(self) -> None:
        live = update(None, config_map({"a": "1"}, uid="u"), "z", at=1)
        live = update(live, {**live, "data": {"a": "1", "b": "1"}}, "a", at=5)
        live = apply(live, config_map({"c": "1"}), "last", at=9)
        assert list(managed(live)) == ["last", "z", "a"]


class TestTidied:
    def test_empty_labels_and_nulls_are_not_stored(self) -> None:
        obj = config_map({}, labels={}, annotations=None, finalizers=[], ownerReferences=[])
        assert tidied(obj, "ConfigMap", "v1") == config_map()

    def test_null_as_data_is_the_empty_text(self) -> None:
        assert tidied(config_map({"a": None}), "ConfigMap", "v1") == config_map({"a": ""})

    def test_empty_parts_that_mean_something_stay(self) -> None:
        pod = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "securityContext": {}, "nodeSelector": {}}}
        assert tidied(pod, "Pod", "v1") == {"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "securityContext": {}}}

    @given(SPECS)
    def test_a_custom_resource_is_its_own_but_for_metadata(self, spec: Any) -> None:
        obj = widget({**spec, "n": None, "e": {}}, labels={})
        assert tidied(obj, "Widget", "example.com/v1") == widget({**spec, "n": None, "e": {}})


@pytest.mark.parametrize(
    ("api_version", "builtin"),
    [("v1", True), ("apps/v1", True), ("gateway.networking.k8s.io/v1", False), ("example.com/v1", False)],
)
def test_only_kubernetes_own_groups_are_built_in(api_version: str, builtin: bool) -> None:
    assert is_builtin(api_version) == builtin
