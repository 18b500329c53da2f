"""The official Python client, as people use it, on the embedded API server and on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes
import kubernetes.dynamic
import pytest

from kubewatch.testing import ApiServer, EnvTest

# Which of its parts have types, and which, differs between the versions of the official client.
client: Any = kubernetes.client
watch: Any = kubernetes.watch
dynamic: Any = kubernetes.dynamic


@pytest.fixture
def api(api_server: ApiServer | EnvTest) -> Iterator[Any]:
    with client.ApiClient(api_server.configuration()) as api:
        yield api


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


def config_map(name: str, **data: str) -> Any:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"app": "x"}), data=data)


def names(found: Any) -> list[str]:
    """Without what a real cluster puts into every namespace."""
    return [one.metadata.name for one in found.items if one.metadata.name != "kube-root-ca.crt"]


def test_models_go_there_and_come_back(core: Any, namespace: str) -> None:
    created = core.create_namespaced_config_map(namespace, config_map("a", k="v"))
    created.data = {"k": "w"}
    replaced = core.replace_namespaced_config_map("a", namespace, created)
    assert replaced.data == {"k": "w"}
    with pytest.raises(client.ApiException) as conflict:
        core.replace_namespaced_config_map("a", namespace, created)
    assert conflict.value.status == 409
    assert core.patch_namespaced_config_map("a", namespace, {"data": {"l": "x"}}).data == {"k": "w", "l": "x"}
    core.delete_namespaced_config_map("a", namespace)
    with pytest.raises(client.ApiException) as gone:
        core.read_namespaced_config_map("a", namespace)
    assert gone.value.status == 404


def test_a_pod_has_its_times_and_its_defaults(core: Any, namespace: str) -> None:
    container = client.V1Container(name="c", image="nginx")
    spec = client.V1PodSpec(containers=[container], automount_service_account_token=False)
    pod = client.V1Pod(metadata=client.V1ObjectMeta(name="web"), spec=spec)
    created = core.create_namespaced_pod(namespace, pod)
    assert created.status.phase == "Pending"
    assert created.metadata.creation_timestamp.tzinfo is not None
    assert created.spec.restart_policy == "Always"


def test_a_list_comes_in_pages(core: Any, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"page-{number}"))
    found, token = [], None
    while True:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=token, label_selector="app=x")
        found += names(page)
        token = page.metadata._continue
        if not token:
            break
    assert found == [f"page-{number}" for number in range(5)]


def test_its_watch_follows_changes_from_a_list_on(core: Any, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("before"))
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("a"))
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "v"}})
    core.delete_namespaced_config_map("a", namespace)
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=version, label_selector="app=x", timeout_seconds=1
    )
    events = [(event["type"], event["object"].metadata.name) for event in stream]
    assert events == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_its_watch_says_so_when_history_is_gone(api_server: ApiServer | EnvTest, core: Any) -> None:
    if isinstance(api_server, EnvTest):
        pytest.skip("a real server forgets when it likes")
    version = core.list_config_map_for_all_namespaces().metadata.resource_version
    api_server.faults.compact()
    stream = watch.Watch().stream(core.list_config_map_for_all_namespaces, resource_version=version, timeout_seconds=1)
    with pytest.raises(client.ApiException) as gone:
        list(stream)
    assert gone.value.status == 410


def test_the_dynamic_client_finds_kinds_and_applies(api: Any, namespace: str) -> None:
    found = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    applied = found.server_side_apply(body=body, namespace=namespace, name="a", field_manager="me")
    assert applied.metadata.managedFields[0].manager == "me"
    assert found.get(name="a", namespace=namespace).data.k == "v"


def test_custom_objects(api: Any, namespace: str) -> None:
    group = f"{namespace}.official.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "things", "kind": "Thing"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [version]},
    }
    definitions = client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition(definition)
    try:
        _until_established(definitions, f"things.{group}")
        things = client.CustomObjectsApi(api)
        thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one"}, "any": {"thing": [1]}}
        things.create_cluster_custom_object(group, "v1", "things", thing)
        (found,) = things.list_cluster_custom_object(group, "v1", "things")["items"]
        assert (found["kind"], found["any"]) == ("Thing", {"thing": [1]})
    finally:
        definitions.delete_custom_resource_definition(f"things.{group}")


def _until_established(definitions: Any, name: str) -> None:
    stream = watch.Watch().stream(
        definitions.list_custom_resource_definition, field_selector=f"metadata.name={name}", timeout_seconds=30
    )
    for event in stream:
        conditions = event["object"].status.conditions or []
        if any(one.type == "Established" and one.status == "True" for one in conditions):
            return
    pytest.fail(f"{name} is not established after 30 s")
