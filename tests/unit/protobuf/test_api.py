"""`Api.metadata(protobuf=True)`: what it asks for, and that any answer will do."""

from __future__ import annotations

import sys

import pytest

from kubewatch import Api, InvalidInput, PartialObjectMeta
from kubewatch.answers import Response
from kubewatch.errors import Unreachable
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from tests.unit.test_api import Recording

from .encoded import enveloped, protobuf_list

WEB = {"name": "web", "resourceVersion": "7"}
IN_PROTOBUF = "application/vnd.kubernetes.protobuf"


class InProtobuf(Recording):
    """A server that has protobuf."""

    def request(self, method: str, path: str, **more: object) -> Response:
        self.sent.append({"method": method, "path": path, **more})
        body = enveloped(WEB) if path.endswith("/web") else protobuf_list(WEB, WEB)
        return Response(200, {"content-type": IN_PROTOBUF}, body)


def test_protobuf_is_asked_for_first_and_json_behind_it() -> None:
    client = Recording()
    api = Api("v1", "Pod", namespace="ns", client=client).metadata(protobuf=True)
    session = api.open(Stop())
    with pytest.raises(Unreachable):
        session.list(ListParams())
    listed = client.last["headers"]["accept"].split(",")
    with pytest.raises(Unreachable):
        session.watch(WatchParams(), 10.0)
    watched = client.last["headers"]["accept"].split(",")
    api.get("a")
    assert watched == client.last["headers"]["accept"].split(",")
    for accept, form in ((listed, "PartialObjectMetadataList"), (watched, "PartialObjectMetadata")):
        parameters = f";as={form};g=meta.k8s.io;v=v1"
        assert accept == [f"{IN_PROTOBUF}{parameters}", f"application/json{parameters}", "application/json"]


def test_metadata_of_metadata_stay_in_protobuf_and_others_do_not_become_so() -> None:
    api = Api("v1", "Pod", namespace="ns", client=Recording())
    assert repr(api.metadata(protobuf=True).metadata()) == "Api(v1/Pod in ns, metadata only, in protobuf)"
    assert repr(api.metadata()) == "Api(v1/Pod in ns, metadata only)"


def test_what_comes_decides_how_it_is_read() -> None:
    for client in (InProtobuf(), Recording(lambda *_: b'{"metadata": {"name": "web", "resourceVersion": "7"}}')):
        found = Api("v1", "Pod", namespace="ns", client=client).metadata(protobuf=True).get("web")
        assert isinstance(found, PartialObjectMeta)
        assert found.to_dict() == {"apiVersion": "v1", "kind": "Pod", "metadata": WEB}


def test_a_list_is_read_in_protobuf() -> None:
    api = Api("v1", "Pod", namespace="ns", client=InProtobuf()).metadata(protobuf=True)
    assert [(pod.name, pod.kind) for pod in api.list()] == [("web", "Pod")] * 2


@pytest.mark.parametrize("too_old", [False, True], ids=["missing", "too old"])
def test_without_the_package_it_is_refused_and_says_what_to_install(
    too_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("kubewatch.protobuf.")]:
        monkeypatch.delitem(sys.modules, name)
    if too_old:
        monkeypatch.delattr("google.protobuf.message_factory.GetMessageClass")
    else:
        monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(InvalidInput, match=r"pip install kubewatch\[protobuf\]"):
        Api("pods").metadata(protobuf=True)
    assert Api("pods").metadata().kind == "pods"
