"""The embedded API server answers as a real one does: the same requests to both, in order, and the same answers."""

from __future__ import annotations

import json
import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.integration.testing.parity import GROUP, Json, Server, defined

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

MAP: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
CONTAINER: Json = {"name": "c", "image": "i"}
POD: Json = {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}}
TEMPLATE: Json = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
DEPLOYMENT: Json = {
    "metadata": {"name": "d"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE},
    "status": {"replicas": 3},
}

# A request: method, path (below the namespace; from the root if it starts with "/"), body, media type, Accept.
Request = tuple[Any, ...]


MIB = 1024 * 1024


def encoded(size: int) -> str:
    """So many bytes, as a Secret has them."""
    return b64encode(b"v" * size).decode()


def named(name: str | None = None, **metadata: Any) -> Json:
    return {**MAP, "metadata": {**({} if name is None else {"name": name}), **metadata}}


SCRIPTS: dict[str, list[Request]] = {
    "paths": [
        ("GET", "/nope"),
        ("GET", "/api/v1/nope"),
        ("GET", "/apis/apps"),
        ("GET", "/apis/nope"),
        ("GET", "/apis/nope/v1/nope"),
        ("GET", "/apis/apps/v1/nope"),
        ("GET", "/api/v1/configmaps/x"),
        ("PUT", "configmaps", MAP),
        ("POST", "/api/v1/configmaps", MAP),
        ("DELETE", "/api/v1/configmaps"),
        ("GET", "pods/x/nope"),
        ("POST", "pods/x/status", {}),
    ],
    "create": [
        ("POST", "configmaps", MAP),
        ("POST", "configmaps", MAP),
        ("GET", "configmaps/a"),
        ("GET", "configmaps/none"),
        ("GET", "configmaps"),
        ("POST", "configmaps", {"metadata": {"name": "without-type"}}),
        ("POST", "configmaps", {**MAP, "kind": "Pod"}),
        ("POST", "configmaps", {**MAP, "apiVersion": "v2"}),
        ("POST", "configmaps", named("Not_A_Name")),
        ("POST", "configmaps", named()),
        ("POST", "configmaps", named("b", namespace="elsewhere")),
        ("POST", "configmaps", named("b", resourceVersion="5")),
        ("POST", "configmaps", named("b", labels={"a": "not a value"})),
        ("POST", "configmaps", named("b", labels=5)),
        ("POST", "configmaps", MAP, "text/plain"),
        ("POST", "configmaps", {**named("b"), "data": {"k": "v" * (3 << 20)}}),
        ("POST", "/api/v1/namespaces/missing/configmaps", MAP),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "Not.A.Label"}}),
        ("DELETE", "/api/v1/namespaces/default"),
    ],
    "sizes": [
        ("POST", "configmaps", {**named("full"), "data": {"a" * 200: "v" * MIB}}),
        ("PUT", "configmaps/full", {**named("full"), "data": {"k": "v" * (MIB + 1)}}),
        ("PATCH", "configmaps/full", {"binaryData": {"b": "dg=="}}, MERGE),
        ("PATCH", "configmaps/full?fieldManager=me&force=true", {**named("full"), "data": {"k": "v" * MIB * 2}}, APPLY),
        ("POST", "configmaps", {**named("umlauts"), "data": {"k": "ü" * (MIB // 2 + 1)}}),
        ("POST", "secrets", {"metadata": {"name": "full"}, "data": {"k": encoded(MIB)}}),
        ("POST", "secrets", {"metadata": {"name": "over"}, "data": {"k": encoded(MIB), "l": encoded(1)}}),
        ("POST", "secrets", {"metadata": {"name": "over"}, "stringData": {"k": "v" * (MIB + 1)}}),
        ("POST", "configmaps", named("told", annotations={"a": "v" * (256 * 1024 - 1)})),
        ("POST", "configmaps", named("over", annotations={"a": "v" * (256 * 1024)})),
        (
            "POST",
            "pods",
            {"metadata": {"name": "p"}, "spec": {"containers": [{**CONTAINER, "args": ["v" * 1_600_000]}]}},
        ),
        ("GET", "pods/p"),
    ],
    "head": [
        ("HEAD", "configmaps"),
        ("HEAD", "configmaps/none"),
        ("HEAD", "configmaps?watch=true"),
        ("HEAD", "nope"),
        ("HEAD", "/nope"),
        ("HEAD", "/version"),
        ("HEAD", "/healthz"),
        ("HEAD", "/api"),
        ("HEAD", "/api/v1"),
        ("HEAD", "/apis"),
        ("HEAD", "/apis/apps"),
        ("HEAD", "/apis/apps/v1"),
        ("HEAD", "/openapi/v3"),
    ],
    "replace": [
        ("POST", "configmaps", MAP),
        ("PUT", "configmaps/none", named("none")),
        ("PUT", "configmaps/a", named("other")),
        ("PUT", "configmaps/a", named()),
        ("PUT", "configmaps/a", named("a", resourceVersion="1")),
        ("PUT", "configmaps/a", named("a", resourceVersion="x")),
        ("PUT", "configmaps/a", named("a", uid="other")),
        ("PUT", "configmaps/a", named("a", labels={"a": "b"})),
        ("PUT", "configmaps/a", named("a", labels={})),
        ("PUT", "/apis/coordination.k8s.io/v1/{ns}/leases/l", {"metadata": {"name": "l"}, "spec": {}}),
        ("PUT", "/apis/coordination.k8s.io/v1/{ns}/leases/l", {"metadata": {"name": "l"}, "spec": {}}),
    ],
    "patch": [
        ("POST", "configmaps", MAP),
        ("PATCH", "configmaps/a", {"data": {"k": "w"}}, MERGE),
        ("PATCH", "configmaps/a", {"metadata": {"labels": {"a": "b"}}}, STRATEGIC),
        ("PATCH", "configmaps/a", [{"op": "replace", "path": "/data/k", "value": "z"}], "application/json-patch+json"),
        ("PATCH", "configmaps/a", {"metadata": {"name": "b"}}, MERGE),
        ("PATCH", "configmaps/a", {"metadata": {"namespace": "x"}}, MERGE),
        ("PATCH", "configmaps/a", {"metadata": {"resourceVersion": "1"}}, MERGE),
        ("PATCH", "configmaps/a", {"metadata": None}, MERGE),
        ("PATCH", "configmaps/none", {}, MERGE),
        ("PATCH", "configmaps/a", {**MAP, "data": {"k": "q"}}, APPLY),
        ("PATCH", "configmaps/a?fieldManager=me", {**MAP, "data": {"k": "q"}}, APPLY),
        ("PATCH", "configmaps/a?fieldManager=me&force=true", {**MAP, "data": {"k": "q"}}, APPLY),
        ("PATCH", "configmaps/new?fieldManager=me", named("new"), APPLY),
        ("PATCH", "configmaps/new?fieldManager=me", named("other"), APPLY),
        ("PATCH", "configmaps/a?dryRun=All", {"data": {"k": "dry"}}, MERGE),
        ("GET", "configmaps/a"),
    ],
    "status and scale": [
        ("POST", "/apis/apps/v1/{ns}/deployments", DEPLOYMENT),
        ("PATCH", "/apis/apps/v1/{ns}/deployments/d", {"spec": {"replicas": 2}}, MERGE),
        ("PATCH", "/apis/apps/v1/{ns}/deployments/d", {"metadata": {"labels": {"q": "r"}}}, MERGE),
        (
            "PATCH",
            "/apis/apps/v1/{ns}/deployments/d/status",
            {"status": {"replicas": 2, "observedGeneration": 1}, "spec": {"replicas": 9}, "metadata": {"labels": None}},
            MERGE,
        ),
        ("PATCH", "/apis/apps/v1/{ns}/deployments/d", {"status": {"replicas": 7}}, MERGE),
        ("GET", "/apis/apps/v1/{ns}/deployments/d/status"),
        ("GET", "/apis/apps/v1/{ns}/deployments/d/scale"),
        ("PATCH", "/apis/apps/v1/{ns}/deployments/d/scale", {"spec": {"replicas": 5}}, MERGE),
        ("PUT", "/apis/apps/v1/{ns}/deployments/d/scale", {"metadata": {"name": "d"}, "spec": {"replicas": 6}}),
        ("GET", "/apis/apps/v1/{ns}/deployments/d"),
        ("DELETE", "/apis/apps/v1/{ns}/deployments/d/status"),
    ],
    "delete": [
        ("POST", "configmaps", named("a", finalizers=["ex.io/wait"])),
        ("DELETE", "configmaps/a"),
        ("DELETE", "configmaps/a"),
        ("PATCH", "configmaps/a", {"metadata": {"finalizers": []}, "data": {"k": "last"}}, MERGE),
        ("GET", "configmaps/a"),
        ("POST", "configmaps", MAP),
        ("DELETE", "configmaps/a", {"preconditions": {"uid": "other"}}),
        ("DELETE", "configmaps/a", {"preconditions": {"resourceVersion": "1"}}),
        ("DELETE", "configmaps/a", {"propagationPolicy": "Sideways"}),
        ("DELETE", "configmaps/a?gracePeriodSeconds=soon"),
        ("DELETE", "configmaps/a", {"gracePeriodSeconds": "soon"}),
        ("DELETE", "configmaps/a?dryRun=Some"),
        ("DELETE", "configmaps/a?dryRun=All"),
        ("DELETE", "configmaps/a"),
        ("DELETE", "configmaps/a"),
        ("POST", "pods", POD),
        ("DELETE", "pods/p"),
        ("POST", "pods", {**POD, "spec": {**POD["spec"], "nodeName": "n"}}),
        ("DELETE", "pods/p?gracePeriodSeconds=5"),
        ("DELETE", "pods/p?gracePeriodSeconds=0"),
    ],
    "invalid": [
        ("POST", "pods", {**POD, "spec": {}}),
        ("POST", "/apis/apps/v1/{ns}/deployments", {"metadata": {"name": "e"}, "spec": {}}),
        ("POST", "services", {"metadata": {"name": "s"}, "spec": {}}),
        ("POST", "/apis/batch/v1/{ns}/jobs", {"metadata": {"name": "j"}, "spec": {"template": {"spec": POD["spec"]}}}),
    ],
    "defaults": [
        ("POST", "pods", POD),
        ("POST", "/apis/apps/v1/{ns}/deployments", DEPLOYMENT),
        ("POST", "/apis/apps/v1/{ns}/replicasets", DEPLOYMENT),
        ("POST", "/apis/apps/v1/{ns}/daemonsets", DEPLOYMENT),
        (
            "POST",
            "/apis/apps/v1/{ns}/statefulsets",
            {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "serviceName": "x"}},
        ),
        ("POST", "secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}}),
        (
            "POST",
            "events",
            {
                "metadata": {"name": "e"},
                "involvedObject": {"namespace": "{namespace}", "kind": "Pod", "name": "p"},
                "reason": "R",
                "message": "m",
            },
        ),
        ("GET", "/apis/events.k8s.io/v1/{ns}/events/e"),
    ],
    "lists": [
        ("POST", "configmaps", MAP),
        ("POST", "configmaps", named("b", labels={"app": "x"})),
        ("GET", "configmaps?limit=1"),
        ("GET", "configmaps?limit=-1"),
        ("GET", "configmaps?limit=many"),
        ("GET", "configmaps?labelSelector=app%3Dx"),
        ("GET", "configmaps?labelSelector=" + quote("app in (x,y),!missing")),
        ("GET", "configmaps?fieldSelector=metadata.name%3Da"),
        ("GET", "configmaps?fieldSelector=data.k%3Dv"),
        ("GET", "pods?fieldSelector=spec.volumes%3Dx"),
        ("GET", "configmaps?fieldSelector=nonsense"),
        *[("GET", f"configmaps?labelSelector={quote(text)}") for text in ("a=b=c", ",", "a in b", "a,", "a b")],
        ("GET", "configmaps?resourceVersion=abc"),
        ("GET", "configmaps?resourceVersion=0&resourceVersionMatch=Exact"),
        ("GET", "configmaps?resourceVersionMatch=Exact"),
        ("GET", "configmaps?resourceVersion=1&resourceVersionMatch=Sometimes"),
        ("GET", "configmaps?sendInitialEvents=true"),
        ("GET", "configmaps?limit=1&resourceVersion=0"),
        ("GET", "configmaps/a?resourceVersion=x"),
        ("GET", "configmaps", None, "", PARTIAL_LIST),
        ("GET", "configmaps/a", None, "", PARTIAL_LIST),
        ("GET", "configmaps?watch=true&timeoutSeconds=1&sendInitialEvents=true"),
        ("GET", "configmaps?watch=true&timeoutSeconds=1&resourceVersionMatch=NotOlderThan"),
        ("GET", "configmaps?watch=true&timeoutSeconds=1&resourceVersion=x"),
    ],
}

VOLATILE = frozenset(("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields"))
CONTROLLER_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
# Where the real server's text is Go's, the embedded one says it in its own words.
OWN_WORDS = (
    "cannot be handled as",
    "unrecognized",
    "unknown format",
    "Unsupported Media Type",
    "Invalid value: 0",
    "does not match the ResourceVersion in record",
    "requested object is not a list",
    "invalid: metadata.labels",
)


def comparable(value: Any) -> Any:
    """An answer without what no two servers have in common; a null says as much as nothing."""
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if key not in VOLATILE and part is not None}
        return {key: comparable(part) for key, part in kept.items() if key != "continue"}
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, str):
        return next((words for words in OWN_WORDS if words in value), CONTROLLER_UID.sub("uid", value))
    return value


def places(server: Server, path: str) -> str:
    if not path.startswith("/"):
        return f"/api/v1/namespaces/{server.namespace}/{path}"
    return path.replace("{ns}", f"namespaces/{server.namespace}")


def answers(server: Server, script: list[Request]) -> Iterator[tuple[int, Any]]:
    for method, path, *rest in script:
        body = json.loads(json.dumps(rest[0]).replace("{namespace}", server.namespace)) if rest else None
        media_type = (rest[1:2] or ["application/json"])[0]
        accept = (rest[2:3] or ["application/json"])[0]
        code, answer = server.request(method, places(server, path), body, media_type, accept)
        yield code, comparable(answer)


SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "string"},
                "parts": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}},
            },
        }
    },
}


# Texts, as what is written twice is lost in a dict.
TWICE = [
    '{"metadata": {"name": "d", "name": "e", "labels": {"a": "b", "a": "c"}}, "data": {"k": "1", "k": "2", "k": "3"}}',
    '{"metadata": {"name": "d"}, "data": {"k": "1"}, "data": {"k": "2", "k": "3"}}',
    '{"metadata": {"name": "d"}, "data": {"k": "1"}}',
]
ODD = [
    '{"spec": {"size": "1", "size": "2", "zz": 1, "parts": [{"x": 1, "x": 2}, {"y": 1}]}, "more": 1}',
    '{"spec": {"size": "1"}}',
]


@pytest.mark.parametrize("mode", ["Strict", "Ignore", "Bogus"])
def test_the_same_fields_are_refused(servers: tuple[Server, Server], mode: str) -> None:
    asked = f"?fieldValidation={mode}"
    told: list[list[Any]] = []
    for server in servers:
        told.append([server.send("POST", places(server, f"configmaps{asked}"), text) for text in TWICE])
        told[-1].append(server.send("PUT", places(server, f"configmaps/d{asked}"), TWICE[1]))
        with defined(server, "Thing", SCHEMA):
            for text in ODD:
                head = f'{{"apiVersion": "{GROUP}/v1", "kind": "Thing", "metadata": {{"name": "x"}}, {text[1:]}'
                told[-1].append(server.send("POST", places(server, f"/apis/{GROUP}/v1/{{ns}}/things{asked}"), head))
    mine, theirs = ([(code, comparable(answer)) for code, answer in each] for each in told)
    assert mine == theirs


@pytest.mark.parametrize("about", SCRIPTS)
def test_the_same_answers(servers: tuple[Server, Server], about: str) -> None:
    embedded, real = (answers(server, SCRIPTS[about]) for server in servers)
    for request, mine, theirs in zip(SCRIPTS[about], embedded, real, strict=True):
        assert mine == theirs, request


def test_the_same_events(servers: tuple[Server, Server]) -> None:
    steps: list[Request] = [
        ("POST", "pods", POD),
        ("DELETE", "pods/p"),
        ("POST", "pods", {**POD, "spec": {**POD["spec"], "nodeName": "n"}}),
        ("DELETE", "pods/p?gracePeriodSeconds=5"),
        ("DELETE", "pods/p?gracePeriodSeconds=0"),
        ("POST", "configmaps", named("a", finalizers=["ex.io/wait"])),
        ("DELETE", "configmaps/a"),
        ("PATCH", "configmaps/a", {"metadata": {"finalizers": None}, "data": {"k": "last"}}, MERGE),
        ("POST", "configmaps", named("b", labels={"app": "x"})),
        ("PATCH", "configmaps/b", {"metadata": {"labels": {"app": "y"}}}, MERGE),
        ("PATCH", "configmaps/b", {"metadata": {"labels": {"app": "x"}}}, MERGE),
        ("PATCH", "configmaps/b", {"metadata": {"labels": {"app": "x"}}}, MERGE),
        ("DELETE", "configmaps/b"),
    ]
    seen = [_watched(server, steps) for server in servers]
    assert seen[0] == seen[1]


def events(server: Server, path: str) -> list[Json]:
    """All events of a watch up to its end."""
    parts = urlsplit(server.url)
    address = (parts.hostname or "", parts.port)
    context = ssl.create_default_context(cafile=server.ca_file) if server.ca_file else None
    connection = HTTPSConnection(*address, context=context) if context else HTTPConnection(*address)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"} if server.token else {})
        return [json.loads(line) for line in connection.getresponse()]
    finally:
        connection.close()


def _watched(server: Server, steps: list[Request]) -> list[Any]:
    """What watches on three scopes say while the steps are taken, from the version before them."""
    _, before = server.request("GET", places(server, "configmaps"))
    version = before["metadata"]["resourceVersion"]
    for _ in answers(server, steps):
        pass
    scopes = ("pods?", "configmaps?", "configmaps?labelSelector=app%3Dx&")
    query = f"watch=true&timeoutSeconds=2&resourceVersion={version}"
    results: list[Any] = [None] * len(scopes)

    def follow(at: int) -> None:
        results[at] = comparable(events(server, places(server, f"{scopes[at]}{query}")))

    threads = [threading.Thread(target=follow, args=(at,)) for at in range(len(scopes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
