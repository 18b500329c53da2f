"""`Api` against API servers: what it says of the objects there, and what it does to them."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest

from kubewatch import Api, ApiError, Client, InvalidInput, Object, ObjectMeta, PartialObjectMeta, UnknownKind
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from kubewatch.transport import Session

_numbers = itertools.count(1)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "data": data}


DEPLOYMENT = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]},
        },
    },
}


@pytest.fixture
def maps(client: Client, namespace: str) -> Api[Object]:
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


# --- single objects --------------------------------------------------------------------------------------------------


def test_an_object_is_created_read_replaced_and_deleted(maps: Api[Object], namespace: str) -> None:
    created = maps.create(config_map("a", k="v"))
    assert (created.name, created.namespace, created.kind, created.api_version) == ("a", namespace, "ConfigMap", "v1")
    assert created.uid
    assert maps.get("a") == created
    changed = created.to_dict() | {"data": {"k": "w"}}
    replaced = maps.replace(changed)
    assert replaced.data.k == "w"
    assert replaced.resource_version != created.resource_version
    assert maps.delete("a") is None
    with pytest.raises(ApiError) as gone:
        maps.get("a")
    assert (gone.value.code, gone.value.reason) == (404, "NotFound")


def test_a_name_is_made_up_by_the_server_where_asked(maps: Api[Object]) -> None:
    made = [maps.create({"metadata": {"generateName": "made-"}}).name for _ in range(2)]
    assert all(name.startswith("made-") for name in made)
    assert made[0] != made[1]


def test_an_object_that_exists_and_one_that_has_changed_are_conflicts(maps: Api[Object]) -> None:
    old = maps.create(config_map("a", k="v"))
    with pytest.raises(ApiError) as exists:
        maps.create(config_map("a"))
    assert (exists.value.code, exists.value.reason) == (409, "AlreadyExists")
    maps.patch("a", {"data": {"k": "w"}})
    with pytest.raises(ApiError) as changed:
        maps.replace(old)
    assert (changed.value.code, changed.value.reason) == (409, "Conflict")


def test_a_dry_run_changes_nothing(maps: Api[Object]) -> None:
    assert maps.create(config_map("a"), dry_run=True).name == "a"
    assert list(maps.list()) == []


def test_each_type_of_patch_does_what_it_is_for(client: Client, namespace: str) -> None:
    deployments = Api("deployments.apps", namespace=namespace, client=client)
    deployments.create(DEPLOYMENT)
    merged = deployments.patch("web", {"metadata": {"labels": {"x": "1"}}})
    assert merged.labels == {"x": "1"}
    changed = deployments.patch("web", [{"op": "replace", "path": "/spec/replicas", "value": 2}], type="json")
    assert changed.spec.replicas == 2
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
    strategic = deployments.patch("web", image, type="strategic")
    assert [c.image for c in strategic.spec.template.spec.containers] == ["web:2", "log:1"]
    applied = deployments.patch("web", {**DEPLOYMENT, "apiVersion": "apps/v1", "kind": "Deployment"}, type="apply",
                                field_manager="me", force=True)  # fmt: skip
    assert applied.spec.replicas == 1


def test_a_field_that_somebody_else_applies_is_a_conflict_unless_forced(maps: Api[Object]) -> None:
    maps.apply(config_map("a", k="v"), field_manager="first")
    with pytest.raises(ApiError) as conflict:
        maps.apply(config_map("a", k="w"), field_manager="second")
    assert conflict.value.code == 409
    assert maps.apply(config_map("a", k="w"), field_manager="second", force=True).data.k == "w"


def test_what_was_read_can_be_applied(maps: Api[Object]) -> None:
    maps.create(config_map("a", k="v"))
    assert maps.apply(maps.get("a"), field_manager="me", force=True).data.k == "v"


def test_the_status_is_read_and_changed_apart_from_the_rest(client: Client, namespace: str) -> None:
    deployments = Api("apps/v1", "Deployment", namespace=namespace, client=client)
    created = deployments.create(DEPLOYMENT)
    status = {"observedGeneration": 1, "replicas": 1, "conditions": []}
    both = {"spec": {"replicas": 7}, "status": {"replicas": 3}}
    patched = deployments.patch_status("web", both)
    assert (patched.status.replicas, patched.spec.replicas) == (3, 1)
    assert patched.metadata.generation == created.metadata.generation
    replaced = deployments.replace_status({**deployments.get("web").to_dict(), "status": status})
    assert replaced.status.observedGeneration == 1
    assert deployments.get_status("web").status.replicas == 1


def test_an_object_with_a_finalizer_lives_on_after_its_deletion(maps: Api[Object]) -> None:
    maps.create({"metadata": {"name": "a", "finalizers": ["example.com/wait"]}})
    dying = maps.delete("a")
    assert dying is not None
    assert dying.metadata.deletion_timestamp is not None
    maps.patch("a", {"metadata": {"finalizers": None}})
    with pytest.raises(ApiError, match="not found"):
        maps.get("a")


def test_a_deletion_can_be_made_to_depend_on_the_version(maps: Api[Object]) -> None:
    created = maps.create(config_map("a"))
    with pytest.raises(ApiError) as conflict:
        maps.delete("a", preconditions={"uid": "another"})
    assert conflict.value.code == 409
    assert maps.delete("a", preconditions={"uid": created.uid}) is None


def test_an_object_that_the_server_finds_invalid_is_an_error_with_its_reasons(maps: Api[Object]) -> None:
    with pytest.raises(ApiError) as invalid:
        maps.create({"metadata": {"name": "Not A Name"}})
    assert invalid.value.code == 422
    assert invalid.value.reason == "Invalid"
    assert "name" in invalid.value.message


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_comes_in_pages_and_whole(maps: Api[Object]) -> None:
    for number in range(7):
        maps.create(config_map(f"m{number}"))
    listed = list(maps.list(limit=3))
    assert sorted(each.name for each in listed) == [f"m{number}" for number in range(7)]
    assert {(each.kind, each.api_version) for each in listed} == {("ConfigMap", "v1")}
    assert [each.name for each in maps.list(field_selector="metadata.name=m3")] == ["m3"]
    assert len(list(maps.list(label_selector="app in (web, other)"))) == 7
    assert list(maps.list(label_selector="!app")) == []


def test_all_namespaces_are_listed_as_one(client: Client, namespace: str) -> None:
    Api("v1", "ConfigMap", namespace=namespace, client=client).create(config_map("only-here"))
    found = Api("cm", client=client).list(field_selector="metadata.name=only-here")
    assert [each.namespace for each in found] == [namespace]


def test_metadata_comes_without_the_rest(maps: Api[Object]) -> None:
    created = maps.create(config_map("a", k="v"))
    one, listed = maps.get_metadata("a"), list(maps.metadata().list())
    assert [*listed, one] == [one, one]
    assert isinstance(one, PartialObjectMeta)
    assert (one.name, one.kind, one.api_version, one.uid) == ("a", "ConfigMap", "v1", created.uid)
    assert one.labels == {"app": "web"}
    assert "data" not in one
    with pytest.raises(AttributeError, match="metadata"):
        _ = one.data


@pytest.mark.parametrize("compress", [True, False])
def test_a_long_list_is_the_same_compressed(client: Client, maps: Api[Object], compress: bool) -> None:
    for number in range(3):
        maps.create(config_map(f"long-{number}", text="x" * 100_000))  # servers do not compress less than 128 KB
    own = Client(client._credentials._given, compress=compress)
    found = Api("v1", "ConfigMap", namespace=maps.namespace, client=own).list()
    assert [len(each.data.text) for each in found if each.name.startswith("long")] == [100_000] * 3
    own.close()


def test_a_session_lists_and_then_watches_from_there(maps: Api[Object]) -> None:
    maps.create(config_map("a"))
    stop = Stop()
    session: Session = maps.open(stop)
    page = session.list(ListParams(field_selector="metadata.name=a"))
    assert len(list(page.items)) == 1
    body = session.watch(WatchParams(resource_version=page.resource_version), 30.0)
    maps.create(config_map("b"))
    lines = b""
    for block in body.blocks():
        lines += block
        if b"\n" in lines:
            break
    event = json.loads(lines.splitlines()[0])
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")
    body.close()
    session.close()


# --- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("pods", "/api/v1/pods"),
        ("po", "/api/v1/pods"),
        ("Pod", "/api/v1/pods"),
        ("deploy", "/apis/apps/v1/deployments"),
        ("deployments.apps", "/apis/apps/v1/deployments"),
        ("deployments.v1.apps", "/apis/apps/v1/deployments"),
        ("ev", "/api/v1/events"),
        ("events.events.k8s.io", "/apis/events.k8s.io/v1/events"),
        ("crd", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
        ("leases", "/apis/coordination.k8s.io/v1/leases"),
        ("netpol", "/apis/networking.k8s.io/v1/networkpolicies"),
    ],
)
def test_names_of_kubectl_are_understood(client: Client, name: str, path: str) -> None:
    assert Api(name, client=client).resource.path() == path


def test_an_unknown_kind_is_an_error_with_near_matches(client: Client) -> None:
    with pytest.raises(UnknownKind, match=r"deploymnts.*Did you mean deployments\.apps"):
        next(Api("deploymnts", client=client).list())
    with pytest.raises(UnknownKind, match="Did you mean apps/v1 Deployment"):
        next(Api("v1", "Deployment", client=client).list())


def test_a_namespace_is_refused_for_a_kind_that_has_none(client: Client) -> None:
    with pytest.raises(InvalidInput, match="Namespace has no namespaces"):
        Api("namespaces", namespace="default", client=client).get("default")
    assert Api("namespaces", client=client).get("default").namespace is None
    assert Api.default_namespaced("namespaces", client=client).get("default").name == "default"


@pytest.fixture
def group(client: Client) -> Iterator[str]:
    """A group of its own with one kind, Gear, that was installed just now."""
    group = f"g{next(_numbers)}.example.com"
    name = f"gears.{group}"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crds = Api("apiextensions.k8s.io/v1", "CustomResourceDefinition", client=client)
    crds.create(
        {
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": "Gear", "plural": "gears", "singular": "gear", "shortNames": ["gr"]},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                        "subresources": {"status": {}},
                    }
                ],
            },
        }
    )
    deadline = Stop()
    deadline.until(20.0)
    while not any(
        c.type == "Established" and c.status == "True" for c in crds.get(name).status.conditions or ()
    ):  # fmt: skip
        assert not deadline.wait(0.05), "the new kind was not established"
    yield group
    crds.delete(name)


def test_a_kind_that_was_installed_just_now_is_found(client: Client, namespace: str, group: str) -> None:
    """Discovery was asked before; a miss asks again."""

    class Gear(msgspec.Struct):
        metadata: ObjectMeta
        spec: dict[str, int]
        api_version: ClassVar[str] = f"{group}/v1"
        kind: ClassVar[str] = "Gear"

    gears = Api(Gear, namespace=namespace, client=client)
    deadline = Stop()
    deadline.until(20.0)
    while True:  # a server may serve a kind a moment after it says that it is established
        try:
            made = gears.create({"metadata": {"name": "a"}, "spec": {"teeth": 12}})
            break
        except (UnknownKind, ApiError):
            if deadline.wait(0.05):
                raise
    assert isinstance(made, Gear)
    assert (made.metadata.name, made.spec) == ("a", {"teeth": 12})
    again = gears.replace(Gear(made.metadata, {"teeth": 13}))
    assert again.spec == {"teeth": 13}
    assert Api(f"gears.{group}", namespace=namespace, client=client).get("a").spec.teeth == 13


def test_official_models_go_in_and_out(client: Client, namespace: str) -> None:
    from kubernetes.client import V1ConfigMap, V1ObjectMeta

    maps = Api(V1ConfigMap, namespace=namespace, client=client)
    made = maps.create(V1ConfigMap(metadata=V1ObjectMeta(name="a"), data={"k": "v"}))
    assert isinstance(made, V1ConfigMap)
    made.data = {"k": "w"}
    assert maps.replace(made).data == {"k": "w"}
    assert {type(each) for each in maps.list()} == {V1ConfigMap}


def test_a_list_method_of_the_official_client_will_do(client: Client, maps: Api[Object]) -> None:
    from kubernetes.client import ApiClient, CoreV1Api

    maps.create(config_map("a"))
    official: Any = CoreV1Api(ApiClient(client._credentials._given))
    api = Api(official.list_namespaced_config_map, namespace=maps.namespace)
    assert "a" in [each.name for each in api.list()]
    api.client.close()


def test_one_api_serves_many_threads(maps: Api[Object]) -> None:
    for number in range(8):
        maps.create(config_map(f"m{number}", k=str(number)))
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda n=number: seen.append(maps.get(f"m{n}").data.k), name=f"get-{number}")
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert sorted(seen) == [str(number) for number in range(8)]
