"""The API's rules, without HTTP: what is stored of what is asked, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch.testing.apiserver.app import App, Settings
from kubewatch.testing.apiserver.objects import Objects
from kubewatch.testing.apiserver.status import ApiError

Json = dict[str, Any]

POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "c", "image": "nginx"}]},
}
SELECTED = {"selector": {"matchLabels": {"app": "web"}}}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD["spec"]}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {**SELECTED, "template": TEMPLATE},
}


def config_map(name: str = "a", **more: Any) -> Json:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


@pytest.fixture
def objects() -> Objects:
    return App(Settings()).objects


def refused(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.code, error.value.reason


class TestCreate:
    def test_the_server_gives_what_only_it_gives(self, objects: Objects) -> None:
        given = {"uid": "mine", "creationTimestamp": "2000-01-01T00:00:00Z", "generation": 9, "deletionTimestamp": "x"}
        metadata = objects.create({**POD, "metadata": {"name": "web", **given}})["metadata"]
        assert metadata["uid"] != "mine"
        assert metadata["creationTimestamp"] != given["creationTimestamp"]
        assert metadata["generation"] == 1
        assert "deletionTimestamp" not in metadata
        assert metadata["namespace"] == "default"

    def test_a_name_is_generated_from_its_beginning(self, objects: Objects) -> None:
        names = {
            objects.create({**config_map(), "metadata": {"generateName": "a-"}})["metadata"]["name"] for _ in "abc"
        }
        assert len(names) == 3
        assert all(name.startswith("a-") and len(name) == 7 for name in names)

    def test_twice_is_a_conflict(self, objects: Objects) -> None:
        objects.create(config_map())
        with pytest.raises(ApiError, match='configmaps "a" already exists') as error:
            objects.create(config_map())
        assert refused(error) == (409, "AlreadyExists")

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({"apiVersion": "v1", "kind": "Podd"}, "the server serves no 'v1' 'Podd'"),
            ({"kind": "Pod"}, "the server serves no '' 'Pod'"),
        ],
    )
    def test_of_a_kind_that_is_not_served_says_which(
        self, objects: Objects, document: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(ApiError, match=says) as error:
            objects.create({**document, "metadata": {"name": "a"}})
        assert refused(error) == (404, "NotFound")

    def test_into_no_namespace_is_not_found(self, objects: Objects) -> None:
        with pytest.raises(ApiError, match='namespaces "nowhere" not found') as error:
            objects.create(config_map(), namespace="nowhere")
        assert refused(error) == (404, "NotFound")

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({**POD, "spec": {}}, "spec.containers"),
            ({**POD, "metadata": {}}, "metadata.name"),
            (config_map("Not_A_Name"), "metadata.name"),
            (config_map(metadata={"labels": {"a": "not a value"}}), "metadata.labels"),
            ({**DEPLOYMENT, "spec": {"template": TEMPLATE}}, "spec.selector"),
            ({**DEPLOYMENT, "spec": {**SELECTED, "template": {"spec": POD["spec"]}}}, "spec.template.metadata.labels"),
        ],
    )
    def test_an_invalid_object_is_refused_with_its_field(self, objects: Objects, document: Json, field: str) -> None:
        with pytest.raises(ApiError) as error:
            objects.create(document)
        assert refused(error) == (422, "Invalid")
        assert field in [cause["field"] for cause in error.value.status["details"]["causes"]]

    def test_labels_that_are_no_texts_are_a_bad_request(self, objects: Objects) -> None:
        with pytest.raises(ApiError, match="cannot be handled as a ConfigMap") as error:
            objects.create(config_map(metadata={"labels": {"a": 1}}))
        assert refused(error) == (400, "BadRequest")

    def test_an_unknown_kind_is_not_found(self, objects: Objects) -> None:
        with pytest.raises(ApiError) as error:
            objects.create({"apiVersion": "v1", "kind": "Unicorn", "metadata": {"name": "a"}})
        assert error.value.code == 404


class TestUpdate:
    def test_what_has_changed_meanwhile_is_a_conflict(self, objects: Objects) -> None:
        seen = objects.create(config_map())
        objects.patch("cm", "a", {"data": {"k": "v"}})
        with pytest.raises(ApiError, match="the object has been modified") as error:
            objects.update(seen)
        assert refused(error) == (409, "Conflict")

    def test_without_a_version_the_last_one_wins_where_the_kind_allows_it(self, objects: Objects) -> None:
        objects.create(config_map())
        assert objects.update(config_map(data={"k": "v"}))["data"] == {"k": "v"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
        objects.create(lease)
        with pytest.raises(ApiError, match="must be specified for an update") as error:
            objects.update(lease)
        assert refused(error) == (422, "Invalid")

    def test_writing_what_is_there_changes_no_version(self, objects: Objects) -> None:
        created = objects.create(config_map(data={"k": "v"}))
        assert objects.update(created) == created
        assert objects.patch("cm", "a", {"data": {"k": "v"}}) == created

    def test_another_uid_is_another_object(self, objects: Objects) -> None:
        objects.create(config_map())
        with pytest.raises(ApiError, match="UID in precondition: other") as error:
            objects.update(config_map(metadata={"uid": "other"}))
        assert refused(error) == (409, "Conflict")

    def test_what_the_server_has_given_cannot_be_taken(self, objects: Objects) -> None:
        created = objects.create(DEPLOYMENT)
        bare = {key: value for key, value in created["metadata"].items() if key in ("name", "namespace")}
        updated = objects.update({**created, "metadata": bare})
        for key in ("uid", "creationTimestamp", "generation"):
            assert updated["metadata"][key] == created["metadata"][key]

    def test_a_replaced_lease_that_is_not_there_is_created(self, objects: Objects) -> None:
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
        assert objects.update(lease)["metadata"]["uid"]
        with pytest.raises(ApiError):
            objects.update(config_map("nobody"))

    def test_what_is_frozen_stays(self, objects: Objects) -> None:
        objects.create(POD)
        with pytest.raises(ApiError, match="pod updates may not change fields") as error:
            objects.patch("pods", "web", {"spec": {"nodeName": "n"}})
        assert refused(error) == (422, "Invalid")
        objects.create(config_map(immutable=True, data={"a": "1"}))
        with pytest.raises(ApiError, match="immutable"):
            objects.patch("cm", "a", {"data": {"a": "2"}})


class TestStatusAndGeneration:
    def test_a_new_object_starts_with_the_servers_status(self, objects: Objects) -> None:
        entry = objects.create(POD)
        assert entry["status"]["phase"] == "Pending"

    def test_a_status_given_to_create_is_written_by_a_second_change(self, objects: Objects) -> None:
        running = {"phase": "Running"}
        assert objects.create({**POD, "status": running})["status"] == running

    def test_the_object_itself_does_not_change_its_status(self, objects: Objects) -> None:
        created = objects.create(DEPLOYMENT)
        assert objects.patch("deploy", "web", {"status": {"replicas": 5}}) == created

    def test_the_status_changes_nothing_else(self, objects: Objects) -> None:
        created = objects.create(DEPLOYMENT)
        patch = {"status": {"replicas": 5}, "spec": {"replicas": 9}, "metadata": {"labels": {"a": "b"}}}
        updated = objects.patch("deploy", "web", patch, subresource="status")
        assert updated["status"] == {"replicas": 5}
        assert updated["spec"] == created["spec"]
        assert "labels" not in updated["metadata"]

    def test_the_generation_counts_changes_of_the_spec_alone(self, objects: Objects) -> None:
        objects.create(DEPLOYMENT)
        for patch, subresource, generation in (
            ({"spec": {"replicas": 2}}, "", 2),
            ({"spec": {"replicas": 2}}, "", 2),
            ({"metadata": {"labels": {"a": "b"}}}, "", 2),
            ({"status": {"replicas": 2}}, "status", 2),
            ({"spec": {"paused": True}}, "", 3),
        ):
            updated = objects.patch("deploy", "web", patch, subresource=subresource)
            assert updated["metadata"]["generation"] == generation

    def test_kinds_without_a_generation_get_none(self, objects: Objects) -> None:
        assert "generation" not in objects.create(config_map())["metadata"]


class TestDelete:
    def test_it_is_gone(self, objects: Objects) -> None:
        objects.create(config_map())
        objects.delete("cm", "a")
        assert not objects.exists("cm", "a")
        with pytest.raises(ApiError, match='configmaps "a" not found') as error:
            objects.delete("cm", "a")
        assert refused(error) == (404, "NotFound")

    def test_finalizers_hold_it_until_the_last_is_taken_away(self, objects: Objects) -> None:
        objects.create(config_map(metadata={"finalizers": ["ex.io/a", "ex.io/b"]}))
        assert objects.delete("cm", "a")["metadata"]["deletionTimestamp"]
        objects.patch("cm", "a", {"metadata": {"finalizers": ["ex.io/b"]}})
        assert objects.exists("cm", "a")
        with pytest.raises(ApiError, match="no new finalizers can be added") as error:
            objects.patch("cm", "a", {"metadata": {"finalizers": ["ex.io/b", "ex.io/c"]}})
        assert refused(error) == (422, "Invalid")
        objects.patch("cm", "a", {"metadata": {"finalizers": None}})
        assert not objects.exists("cm", "a")

    def test_some_namespaces_have_to_stay(self, objects: Objects) -> None:
        with pytest.raises(ApiError, match="this namespace may not be deleted") as error:
            objects.delete("ns", "default")
        assert refused(error) == (403, "Forbidden")

    def test_nothing_is_created_in_a_namespace_that_is_going(self, objects: Objects) -> None:
        objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
        objects.delete("ns", "going")
        with pytest.raises(ApiError, match="because it is being terminated") as error:
            objects.create(config_map(), namespace="going")
        assert refused(error) == (403, "Forbidden")


class TestReading:
    def test_objects_are_chosen_by_labels_and_fields(self, objects: Objects) -> None:
        objects.create({**POD, "metadata": {"name": "a", "labels": {"app": "x"}}, "status": {"phase": "Running"}})
        objects.create({**POD, "metadata": {"name": "b", "labels": {"app": "x"}}})
        assert [one["metadata"]["name"] for one in objects.list("pods", labels="app=x")] == ["a", "b"]
        running = objects.list("pods", labels="app=x", fields="status.phase=Running")
        assert [one["metadata"]["name"] for one in running] == ["a"]

    def test_versions_are_those_of_the_objects(self, objects: Objects) -> None:
        created = objects.create(config_map())
        assert objects.versions("cm") == {("default", "a"): created["metadata"]["resourceVersion"]}

    def test_an_event_reads_in_both_shapes(self, objects: Objects) -> None:
        involved = {"kind": "Pod", "namespace": "default", "name": "web"}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": involved}
        objects.create({**event, "message": "hello", "reason": "Greeted"})
        read = objects.get("events.events.k8s.io", "e")
        assert (read["regarding"], read["note"]) == (involved, "hello")
        found = objects.list("events.events.k8s.io", fields="regarding.name=web,reason=Greeted")
        assert [one["apiVersion"] for one in found] == ["events.k8s.io/v1"]


class TestCustomKinds:
    @pytest.fixture
    def objects(self, objects: Objects) -> Objects:
        objects.create(definition())
        return objects

    def test_a_definition_is_served_as_soon_as_it_is_posted(self, objects: Objects) -> None:
        conditions = objects.get("crd", "foos.ex.io")["status"]["conditions"]
        assert {one["type"]: one["status"] for one in conditions} == {"NamesAccepted": "True", "Established": "True"}
        assert objects.create(foo())["spec"] == {"size": 1, "color": "red"}
        assert objects.get("fo", "a")["kind"] == "Foo"

    def test_its_objects_read_in_every_version_that_is_served(self, objects: Objects) -> None:
        objects.create(foo())
        assert objects.get("ex.io/v1beta1/Foo", "a")["apiVersion"] == "ex.io/v1beta1"
        assert objects.get("ex.io/v1/Foo", "a")["apiVersion"] == "ex.io/v1"

    def test_what_does_not_fit_its_schema_is_refused(self, objects: Objects) -> None:
        with pytest.raises(ApiError, match=r"spec\.size in body should be less than or equal to 9") as error:
            objects.create(foo(size=10))
        assert refused(error) == (422, "Invalid")

    def test_its_selectable_fields_select(self, objects: Objects) -> None:
        objects.create(foo("a"))
        objects.create(foo("b", color="blue"))
        assert [one["metadata"]["name"] for one in objects.list("foos", fields="spec.color=blue")] == ["b"]

    def test_without_its_own_status_every_change_counts(self, objects: Objects) -> None:
        objects.create(foo())
        assert objects.patch("foos", "a", {"status": {"ready": True}})["metadata"]["generation"] == 1
        patched = objects.patch("foos.v1beta1.ex.io", "a", {"status": {"ready": True}})
        assert patched["metadata"]["generation"] == 2

    def test_its_end_is_its_objects_end(self, objects: Objects) -> None:
        objects.create(foo())
        objects.create({**foo("b"), "metadata": {"name": "b", "finalizers": ["ex.io/wait"]}})
        objects.delete("crd", "foos.ex.io")
        assert [one["metadata"]["name"] for one in objects.list("foos")] == ["b"]
        with pytest.raises(ApiError, match="while custom resource definition is terminating"):
            objects.create(foo("c"))
        objects.patch("foos", "b", {"metadata": {"finalizers": None}})
        assert not objects.exists("crd", "foos.ex.io")
        with pytest.raises(ApiError):
            objects.list("foos")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"group": "other.io"}, "metadata.name"),
            ({"scope": "Galaxy"}, "spec.scope"),
            ({"versions": []}, "spec.versions"),
        ],
    )
    def test_what_defines_nothing_is_refused(self, change: Json, field: str) -> None:
        objects, one = App(Settings()).objects, definition()
        with pytest.raises(ApiError) as error:
            objects.create({**one, "spec": {**one["spec"], **change}})
        assert refused(error) == (422, "Invalid")
        assert field in [cause["field"] for cause in error.value.status["details"]["causes"]]


def foo(name: str = "a", **spec: Any) -> Json:
    return {"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": name}, "spec": {"size": 1, **spec}}


def definition() -> Json:
    properties = {"size": {"type": "integer", "maximum": 9}, "color": {"type": "string", "default": "red"}}
    status = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    whole = {"spec": {"type": "object", "properties": properties}, "status": status}
    version = {"served": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": whole}}}
    own_status = {"subresources": {"status": {}}, "selectableFields": [{"jsonPath": ".spec.color"}]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.ex.io"},
        "spec": {
            "group": "ex.io",
            "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo", "shortNames": ["fo"]},
            "versions": [
                {**version, "name": "v1", "storage": True, **own_status},
                {**version, "name": "v1beta1", "storage": False},
            ],
        },
    }


@pytest.mark.parametrize("setting", [{"history": 0}, {"bookmark_interval": 0.0}, {"watch_timeout": -1.0}])
def test_settings_that_make_no_sense_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has to be more than 0"):
        Settings(**setting)
