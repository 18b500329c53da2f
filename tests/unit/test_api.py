"""`Api` without a server: what it means, what it sends, and what it refuses before it sends anything."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

from kubewatch import Api, Client, Config, InvalidInput, Object, PartialObjectMeta
from kubewatch.answers import Response
from kubewatch.decode import decode_object
from kubewatch.discovery import Discovery, Resource
from kubewatch.errors import ApiError, Unreachable
from kubewatch.params import NOT_OLDER_THAN, ListParams, WatchParams
from kubewatch.sending import outgoing
from kubewatch.stop import Stop

POD = Resource("", "v1", "Pod", "pods", True)
NODE = Resource("", "v1", "Node", "nodes", False)
FOO = Resource("example.com", "v1", "Foo", "foos", True)
DEPLOYMENT = Resource("apps", "v1", "Deployment", "deployments", True)
KINDS = [POD, NODE, FOO, DEPLOYMENT]


class Recording(Client):
    """A Client that notes requests, and answers them by `reply`; it serves KINDS, and counts lookups in `looked`."""

    def __init__(self, reply: Callable[[str, str], bytes] | None = None) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.looked = 0
        self._reply = reply or (lambda method, path: b'{"metadata": {"name": "a"}}')

    @property
    def namespace(self) -> str:
        return "of-the-context"

    def memo(self, make: Any) -> Any:
        assert make is Discovery
        return self

    def kind(self, api_version: str, kind: str) -> Resource:
        self.looked += 1
        return next(r for r in KINDS if (r.api_version, r.kind) == (api_version, kind))

    def named(self, name: str) -> Resource:
        self.looked += 1
        return next(r for r in KINDS if name.startswith(r.plural))

    def official(self, group: str | None, version: str, word: str) -> Resource:
        self.looked += 1
        return next(r for r in KINDS if r.kind.lower() == word)

    def request(self, method: str, path: str, **more: Any) -> Response:
        self.sent.append({"method": method, "path": path, **more})
        return Response(200, {"content-type": "application/json"}, self._reply(method, path))

    def exchange(self, wire: Any, method: str, path: str, **more: Any) -> Any:
        self.sent.append({"method": method, "path": path, **more})
        raise Unreachable("nothing there")

    @property
    def last(self) -> dict[str, Any]:
        return self.sent[-1]

    @property
    def body(self) -> Any:
        return json.loads(self.last["body"])


@pytest.fixture
def client() -> Recording:
    return Recording()


# --- which objects ---------------------------------------------------------------------------------------------------


class FooStruct(msgspec.Struct):
    metadata: dict[str, Any]
    api_version: str = "example.com/v1"
    kind: str = "Foo"


class FooClassVar(msgspec.Struct):
    metadata: dict[str, Any]
    api_version: ClassVar[str] = "example.com/v1"
    kind: ClassVar[str] = "Foo"


@dataclasses.dataclass
class FooDataclass:
    metadata: dict[str, Any]
    apiVersion: str = "example.com/v1"  # as users write it who do without renaming
    kind: str = "Foo"


class FooGroup(msgspec.Struct):
    metadata: dict[str, Any]
    group: ClassVar[str] = "example.com"
    version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Foo"


@pytest.mark.parametrize("model", [FooStruct, FooClassVar, FooDataclass, FooGroup])
def test_a_class_that_names_its_kind_is_enough(model: Any, client: Recording) -> None:
    api: Api[Any] = Api(model, namespace="ns", client=client)
    assert (api.api_version, api.kind) == ("example.com/v1", "Foo")
    assert isinstance(api.get("a"), model)
    assert client.last["path"] == "/apis/example.com/v1/namespaces/ns/foos/a"


def test_a_class_that_does_not_name_its_kind_is_refused_with_what_to_add() -> None:
    class Nameless(msgspec.Struct):
        metadata: dict[str, Any]

    with pytest.raises(InvalidInput, match=r"Nameless does not say.*api_version = .*kind = 'Nameless'"):
        Api(Nameless)


def test_an_official_model_is_enough(client: Recording) -> None:
    from kubernetes.client import V1Pod

    api = Api(V1Pod, namespace="ns", client=client)
    pod = api.get("a")
    assert isinstance(pod, V1Pod)
    assert pod.metadata is not None
    assert pod.metadata.name == "a"


def test_a_list_method_of_the_official_client_gives_kind_namespace_and_client() -> None:
    from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api, CustomObjectsApi

    api_client = ApiClient()
    pods = Api(CoreV1Api(api_client).list_namespaced_pod, namespace="ns")
    assert repr(pods) == "Api(v1/Pod in ns)"
    assert pods.client._credentials._given is api_client
    assert repr(Api(CoreV1Api(api_client).list_node)) == "Api(v1/Node)"
    assert repr(Api(AppsV1Api(api_client).list_deployment_for_all_namespaces)) == "Api(Deployment)"
    foos = Api(
        CustomObjectsApi(api_client).list_namespaced_custom_object,
        group="example.com",
        version="v1",
        namespace="ns",
        plural="foos",
    )
    assert repr(foos) == "Api(example.com/v1/foos in ns)"


def test_a_list_method_is_looked_up_as_what_it_lists(client: Recording) -> None:
    from kubernetes.client import AppsV1Api, CustomObjectsApi

    deployments = Api(AppsV1Api().list_namespaced_deployment, namespace="ns", client=client)
    assert deployments.resource is DEPLOYMENT
    foos = Api(
        CustomObjectsApi().list_cluster_custom_object, group="example.com", version="v1", plural="foos", client=client
    )
    assert foos.resource is FOO


@pytest.mark.parametrize(
    ("method", "arguments", "says"),
    [
        ("read_namespaced_pod", {"namespace": "ns"}, "no list method"),
        ("list_namespaced_pod", {}, "needs the argument 'namespace'"),
        ("list_pod_for_all_namespaces", {"namespace": "ns"}, "lists all namespaces"),
        ("list_namespaced_pod", {"namespace": "ns", "label_selector": "a=b"}, "label_selector.*Config"),
    ],
)
def test_other_methods_and_arguments_are_refused(method: str, arguments: dict[str, str], says: str) -> None:
    from kubernetes.client import CoreV1Api

    with pytest.raises(InvalidInput, match=says):
        Api(getattr(CoreV1Api(), method), **arguments)


def test_a_list_of_custom_objects_needs_to_know_which() -> None:
    from kubernetes.client import CustomObjectsApi

    with pytest.raises(InvalidInput, match="'plural'"):
        Api(CustomObjectsApi().list_cluster_custom_object, group="example.com", version="v1")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (5,),
        ("",),
        ("apps/v1",),
        ("v1", "Pod", "extra"),
        ("v1", 5),
        ("", "Pod"),
        ("apps/v1/x", "Pod"),
        ("/v1", "Pod"),
        ("v1", ""),
        ("v1", "pods/log"),
        (len,),
    ],
)
def test_what_names_no_kind_is_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInput):
        Api(*arguments)


@pytest.mark.parametrize("namespace", ["", "a/b", "Upper", "a b", 5])
def test_what_is_no_namespace_is_refused(namespace: Any) -> None:
    with pytest.raises(InvalidInput, match="None stands for all"):
        Api("pods", namespace=namespace)


def test_unknown_arguments_and_clients_are_refused() -> None:
    unknown: dict[str, Any] = {"label_selector": "a=b"}
    with pytest.raises(InvalidInput, match="label_selector"):
        Api("pods", **unknown)
    wrong: Any = object()
    with pytest.raises(InvalidInput, match=r"Client\(\.\.\.\)"):
        Api("pods", client=wrong)


def test_building_an_api_asks_nothing(client: Recording) -> None:
    api = Api("pods", namespace="ns", client=client)
    api.open(Stop())
    assert (api.kind, api.api_version, repr(api)) == ("pods", "", "Api(pods in ns)")
    assert repr(api.metadata()) == "Api(pods in ns, metadata only)"
    assert client.looked == 0
    api.get("a")
    assert (api.kind, api.api_version, repr(api)) == ("Pod", "v1", "Api(v1/Pod in ns)")
    api.get("b")
    assert client.looked == 1


def test_the_namespace_of_the_context_is_read_when_it_is_needed(client: Recording) -> None:
    api = Api.default_namespaced("v1", "Pod", client=client)
    assert repr(api) == "Api(v1/Pod in the default namespace)"
    assert api.namespace == "of-the-context"
    api.get("a")
    assert client.last["path"] == "/api/v1/namespaces/of-the-context/pods/a"


def test_a_kind_without_namespaces_is_taken_as_a_whole(client: Recording) -> None:
    api = Api.default_namespaced("nodes", client=client)
    api.get("a")
    assert client.last["path"] == "/api/v1/nodes/a"
    assert api.namespace is None


def test_another_namespace_is_another_api(client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    assert repr(api.within("other")) == "Api(v1/Pod in other)"
    assert repr(api.within(None)) == "Api(v1/Pod)"
    assert repr(api) == "Api(v1/Pod in ns)"


def test_metadata_is_another_api_with_other_objects(client: Recording) -> None:
    """Row 113: metadata_api_flag: the partial type selects metadata requests, the full one does not."""
    api = Api("v1", "Pod", namespace="ns", client=client)
    assert isinstance(api.get("a"), Object)
    assert client.last["headers"]["accept"] == "application/json"
    assert isinstance(api.metadata().get("a"), PartialObjectMeta)
    assert isinstance(api.get_metadata("a"), PartialObjectMeta)
    assert client.last["headers"]["accept"].startswith("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")


def test_metadata_carries_the_kind_that_was_asked_for_and_not_the_form_it_came_in() -> None:
    """Row 112: can_convert_and_derive_partial_metadata."""
    came = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a"}}'
    found = Api("v1", "Pod", namespace="ns", client=Recording(lambda method, path: came)).get_metadata("a")
    assert (found.api_version, found.kind, found.name) == ("v1", "Pod", "a")
    assert json.loads(found.to_json()) == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}


def test_an_api_with_a_client_is_not_pickled_but_says_why(client: Recording) -> None:
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(Api("v1", "Pod", client=client))


# --- what lists and watches ask for ----------------------------------------------------------------------------------


def test_a_metadata_list_asks_for_a_list_of_metadata_at_the_version_asked_for(client: Recording) -> None:
    """Row 100: list_metadata_path."""
    session = Api("v1", "Pod", namespace="ns", client=client).metadata().open(Stop())
    with pytest.raises(Unreachable):
        session.list(ListParams(resource_version="20", resource_version_match=NOT_OLDER_THAN))
    accept = client.last["headers"]["accept"]
    assert accept.split(",")[0] == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert client.last["query"] == [("resourceVersion", "20"), ("resourceVersionMatch", "NotOlderThan")]
    assert client.last["path"] == "/api/v1/namespaces/ns/pods"


def test_a_metadata_watch_asks_for_single_metadata(client: Recording) -> None:
    """Row 103: watch_metadata_path."""
    session = Api("v1", "Pod", namespace="ns", client=client).metadata().open(Stop())
    with pytest.raises(Unreachable):
        session.watch(WatchParams(resource_version="0"), 10.0)
    accept = client.last["headers"]["accept"]
    assert accept.split(",")[0] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert ("watch", "true") in client.last["query"]


def test_a_list_goes_on_to_the_next_page_when_it_is_needed() -> None:
    pages = {
        (): {"metadata": {"continue": "more", "resourceVersion": "5"}, "items": [{"metadata": {"name": "a"}}]},
        ("more",): {"metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "b"}}]},
    }

    def reply(method: str, path: str) -> bytes:
        return json.dumps(pages[tuple(v for k, v in asked.last["query"] if k == "continue")]).encode()

    asked = Recording(reply)
    found = Api("v1", "Pod", client=asked).list(label_selector="app=web", limit=1)
    assert asked.sent == []
    first = next(found)
    assert (first.name, first.kind, first.api_version) == ("a", "Pod", "v1")
    assert len(asked.sent) == 1
    assert [pod.name for pod in found] == ["b"]
    assert asked.sent[0]["query"] == [("labelSelector", "app=web"), ("limit", "1")]
    assert asked.sent[1]["query"] == [("labelSelector", "app=web"), ("limit", "1"), ("continue", "more")]


def test_whole_objects_from_a_server_that_knows_no_metadata_are_cut_down_here() -> None:
    whole = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"secret":"x"}}'
    listed = b'{"metadata":{},"items":[%s]}' % whole
    client = Recording(lambda method, path: whole if path.endswith("/a") else listed)
    api = Api("v1", "Pod", namespace="ns", client=client).metadata()
    for found in (api.get("a"), next(api.list())):
        assert found.name == "a"
        assert list(found.keys()) == ["apiVersion", "kind", "metadata"]


@pytest.mark.parametrize(("selector", "value"), [("label_selector", "a in b"), ("field_selector", "a")])
def test_a_malformed_selector_is_refused_at_the_call(selector: str, value: str, client: Recording) -> None:
    with pytest.raises(InvalidInput):
        Api("v1", "Pod", client=client).list(**{selector: value})  # type: ignore[arg-type]  # one name of three
    assert client.sent == []


# --- names and namespaces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a/b", ".", "..", None, 5])
def test_what_is_no_name_of_an_object_is_refused(name: Any, client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    calls: list[Callable[[], Any]] = [
        lambda: api.get(name),
        lambda: api.patch(name, {}),
        lambda: api.delete(name),
        lambda: api.get_status(name),
    ]
    calls.append(lambda: api.replace({"metadata": {"name": name}}))
    calls.append(lambda: api.apply({"metadata": {"name": name}}, field_manager="me"))
    for call in calls:
        with pytest.raises(InvalidInput):
            call()
    assert client.sent == []


def test_a_single_object_needs_its_namespace(client: Recording) -> None:
    with pytest.raises(InvalidInput, match=r"each Pod is in a namespace.*within"):
        Api("v1", "Pod", client=client).get("a")
    with pytest.raises(InvalidInput, match="each Pod is in a namespace"):
        Api("v1", "Pod", client=client).create({"metadata": {"name": "a"}})
    assert client.sent == []


def test_the_namespace_of_an_object_to_send_will_do(client: Recording) -> None:
    Api("v1", "Pod", client=client).create({"metadata": {"name": "a", "namespace": "there"}})
    assert client.last["path"] == "/api/v1/namespaces/there/pods"


def test_an_object_of_another_namespace_is_refused(client: Recording) -> None:
    with pytest.raises(InvalidInput, match=r"'there'.*Pod in here"):
        Api("v1", "Pod", namespace="here", client=client).create({"metadata": {"name": "a", "namespace": "there"}})


def test_a_namespace_for_a_kind_without_is_refused(client: Recording) -> None:
    with pytest.raises(InvalidInput, match="Node has no namespaces"):
        Api("v1", "Node", namespace="ns", client=client).get("a")
    with pytest.raises(InvalidInput, match="Node has no namespaces"):
        Api("v1", "Node", client=client).create({"metadata": {"name": "a", "namespace": "ns"}})


# --- objects to send -------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class PodDataclass:
    metadata: dict[str, Any]
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Pod"


def test_dicts_models_and_objects_are_sent_alike(client: Recording) -> None:
    from kubernetes.client import V1ObjectMeta, V1Pod

    api = Api("v1", "Pod", namespace="ns", client=client)
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    official: Any = V1Pod(metadata=V1ObjectMeta(name="a"))
    for obj in ({"metadata": {"name": "a"}}, whole, PodDataclass({"name": "a"}), official, api.get("a")):
        api.create(obj)
        assert client.body == whole
        assert client.last["headers"]["content-type"] == "application/json"


def test_what_is_to_be_sent_does_not_show() -> None:
    assert repr(outgoing({"metadata": {"name": "a"}, "data": {"a": "hunter2"}}, "v1", "Secret")) == "<Outgoing>"


def test_a_dict_may_hold_parts_of_other_objects(client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    raw = b'{"metadata":{"name":"a","labels":{"app":"web"},"finalizers":["x"]},"spec":{"a":[{"b":1}]}}'
    pod = decode_object(raw, "v1", "Pod")
    for obj in (
        dict(pod),
        {"metadata": pod.metadata, "spec": pod.spec},
        {"metadata": {"name": "a", "labels": pod.labels, "finalizers": ["x"]}, "spec": {"a": pod.spec.a}},
    ):
        api.create(obj)
        assert client.body == pod.to_dict()


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        ({}, r"metadata\.name or metadata\.generateName"),
        ({"metadata": {"name": ""}}, r"metadata\.name"),
        ({"kind": "Node", "metadata": {"name": "a"}}, "kind is 'Node'"),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, "apiVersion is 'v2'"),
        ({"metadata": "a"}, "no Kubernetes object"),
        ({"metadata": {"name": "a"}, "data": object()}, "cannot be written as JSON"),
        ("a", "not str"),
        (None, "not NoneType"),
        (PodDataclass, "not type"),
    ],
)
def test_what_is_no_object_of_the_kind_is_refused(obj: Any, says: str, client: Recording) -> None:
    with pytest.raises(InvalidInput, match=says):
        Api("v1", "Pod", namespace="ns", client=client).create(obj)
    assert client.sent == []


def test_metadata_alone_is_not_sent_as_if_it_were_the_object(client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    partial = api.get_metadata("a")
    for call in (api.create, api.replace):
        with pytest.raises(InvalidInput, match="not the whole object"):
            call(partial)


def test_a_name_may_be_left_to_the_server(client: Recording) -> None:
    Api("v1", "Pod", namespace="ns", client=client).create({"metadata": {"generateName": "a-"}}, dry_run=True)
    assert client.last["path"] == "/api/v1/namespaces/ns/pods"
    assert client.last["query"] == [("dryRun", "All")]


def test_each_verb_is_a_method_and_a_path(client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    one, status = "/api/v1/namespaces/ns/pods/a", "/api/v1/namespaces/ns/pods/a/status"
    api.get_status("a")
    api.replace({"metadata": {"name": "a"}}, field_manager="me")
    api.replace_status({"metadata": {"name": "a"}})
    api.patch("a", {"x": 1})
    api.patch_status("a", {"status": {}})
    api.delete("a")
    assert [(sent["method"], sent["path"]) for sent in client.sent] == [
        ("GET", status),
        ("PUT", one),
        ("PUT", status),
        ("PATCH", one),
        ("PATCH", status),
        ("DELETE", one),
    ]
    assert client.sent[1]["query"] == [("fieldManager", "me")]


@pytest.mark.parametrize(
    ("type_", "patch", "media_type"),
    [
        ("merge", {"x": 1}, "application/merge-patch+json"),
        ("strategic", {"x": 1}, "application/strategic-merge-patch+json"),
        ("json", [{"op": "remove", "path": "/x"}], "application/json-patch+json"),
        ("json", [], "application/json-patch+json"),
    ],
)
def test_each_type_of_patch_has_its_media_type(type_: Any, patch: Any, media_type: str, client: Recording) -> None:
    Api("v1", "Pod", namespace="ns", client=client).patch("a", patch, type=type_)
    assert client.last["headers"]["content-type"] == media_type
    assert client.body == patch


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"patch": {}, "type": "yaml"}, "one of merge, json, strategic, apply"),
        ({"patch": [], "type": "merge"}, "is a dict"),
        ({"patch": {}, "type": "json"}, "list of operations"),
        ({"patch": "x", "type": "merge"}, "not str"),
        ({"patch": {}, "type": "apply"}, "field_manager"),
        ({"patch": {}, "type": "merge", "force": True}, "force"),
    ],
)
def test_a_patch_that_its_type_does_not_allow_is_refused(
    arguments: dict[str, Any], says: str, client: Recording
) -> None:
    with pytest.raises(InvalidInput, match=says):
        Api("v1", "Pod", namespace="ns", client=client).patch("a", **arguments)
    assert client.sent == []


def test_to_apply_is_to_patch_with_the_whole_object_under_a_name(client: Recording) -> None:
    api = Api("v1", "Pod", namespace="ns", client=client)
    api.apply({"metadata": {"name": "a", "managedFields": [{}]}, "spec": {}}, field_manager="me", force=True)
    assert client.last["headers"]["content-type"] == "application/apply-patch+yaml"
    assert client.last["query"] == [("fieldManager", "me"), ("force", "true")]
    assert client.body == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}}


def test_a_delete_says_how_and_returns_what_lives_on() -> None:
    replies = [b'{"kind": "Status", "status": "Success"}', b'{"kind": "Pod", "metadata": {"name": "a"}}']
    client = Recording(lambda method, path: replies.pop(0))
    api = Api("v1", "Pod", namespace="ns", client=client)
    gone = api.delete(
        "a", propagation_policy="Foreground", grace_period_seconds=0, preconditions={"uid": "1"}, dry_run=True
    )
    assert gone is None
    assert client.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "1"},
        "dryRun": ["All"],
    }
    lives_on = api.delete("a")
    assert lives_on is not None
    assert lives_on.name == "a"


@pytest.mark.parametrize(
    "options",
    [{"propagation_policy": "Background!"}, {"grace_period_seconds": -1}, {"preconditions": {"name": "a"}}],
)
def test_a_delete_that_cannot_be_meant_is_refused(options: dict[str, Any], client: Recording) -> None:
    with pytest.raises(InvalidInput):
        Api("v1", "Pod", namespace="ns", client=client).delete("a", **options)
    assert client.sent == []


def test_errors_of_the_server_come_as_they_are() -> None:
    def refuse(method: str, path: str) -> bytes:
        raise ApiError(404, "NotFound", 'pods "a" not found')

    with pytest.raises(ApiError, match='pods "a" not found'):
        Api("v1", "Pod", namespace="ns", client=Recording(refuse)).get("a")


def test_config_and_api_do_not_know_each_other() -> None:
    """Selectors are a Config's, so that one Api serves many watchers."""
    assert Config(label_selector="a=b").label_selector == "a=b"
    assert not hasattr(Api("pods"), "label_selector")
