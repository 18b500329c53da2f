"""Typed clients that send protobuf get the same objects from the embedded API server as from a real one."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from kubewatch.testing.apiserver.protobuf import MEDIA_TYPE, table
from tests.integration.testing.parity import Json, Server, lasting
from tests.unit.testing.apiserver.protobuf_encoder import encode, envelope, field

# Messages that are given encoded.
ENCODED = ("core.v1.Probe", "core.v1.Volume")
MESSAGES = {name: fields for name, fields in table().messages.items() if name not in ENCODED}

SELECTOR = {"matchLabels": {"a": "b"}}
HTTP_PROBE = field(1, field(2, field(2, field(1, 0) + field(2, 80))))
VOLUMES = [
    field(1, "nothing-said") + field(2, b""),
    field(1, "secret") + field(2, field(6, field(1, "s"))),
    field(1, "config") + field(2, field(19, field(1, field(1, "c")))),
]
CONTAINER = {
    "name": "c",
    "image": "i:1",
    "ports": [{"containerPort": 80}],
    "livenessProbe": HTTP_PROBE,
    "env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "resources": {"limits": {"cpu": field(1, "1")}},
}
TEMPLATE: Json = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER], "volumes": VOLUMES}}
ENDING: Json = {"spec": TEMPLATE["spec"] | {"restartPolicy": "Never"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": field(1, "1Gi")}}}
MOMENT = field(1, 1_700_000_000) + field(2, 5000)

CASES: dict[str, tuple[str, str, Json]] = {
    "statefulsets": (
        "apps/v1",
        "StatefulSet",
        {
            "spec": {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "serviceName": "s",
                "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": CLAIM}],
            }
        },
    ),
    "daemonsets": ("apps/v1", "DaemonSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    "deployments": ("apps/v1", "Deployment", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    "replicasets": ("apps/v1", "ReplicaSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    "replicationcontrollers": ("v1", "ReplicationController", {"spec": {"template": TEMPLATE}}),
    "podtemplates": ("v1", "PodTemplate", {"template": TEMPLATE}),
    "pods": ("v1", "Pod", TEMPLATE),
    "services": ("v1", "Service", {"spec": {"ports": [{"port": 80}], "sessionAffinity": "ClientIP"}}),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim", {"spec": CLAIM}),
    "endpoints": ("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}),
    "jobs": ("batch/v1", "Job", {"spec": {"template": ENDING, "parallelism": 2}}),
    "cronjobs": (
        "batch/v1",
        "CronJob",
        {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": ENDING}}}},
    ),
    "leases": ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "h", "renewTime": MOMENT}}),
    "networkpolicies": (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {"spec": {"podSelector": SELECTOR, "ingress": [{"ports": [{"port": field(1, 0) + field(2, 80)}]}]}},
    ),
    "endpointslices": (
        "discovery.k8s.io/v1",
        "EndpointSlice",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"]}], "ports": [{"port": 80}]},
    ),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget", {"spec": {"selector": SELECTOR}}),
    "horizontalpodautoscalers": (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3}},
    ),
}
ALLOTTED = ("clusterIP", "clusterIPs")


def send(server: Server, method: str, path: str, body: bytes) -> tuple[int, Json]:
    parts = urlsplit(server.url)
    address = (parts.hostname or "", parts.port)
    connection = (
        HTTPSConnection(*address, context=ssl.create_default_context(cafile=server.ca_file), timeout=30)
        if server.ca_file
        else HTTPConnection(*address, timeout=30)
    )
    headers = {"Content-Type": MEDIA_TYPE, "Accept": "application/json", "User-Agent": "parity"}
    if server.token:
        headers["Authorization"] = f"Bearer {server.token}"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def comparable(obj: Json) -> Any:
    text = json.dumps(lasting(obj)).replace(obj["metadata"]["uid"], "<uid>")
    return json.loads(text, object_hook=lambda part: {key: one for key, one in part.items() if key not in ALLOTTED})


@pytest.mark.parametrize("plural", CASES)
def test_an_object_in_protobuf_becomes_the_same(servers: tuple[Server, Server], plural: str) -> None:
    api_version, kind, sent = CASES[plural]
    message = table().kinds[f"{api_version}/{kind}"]
    metadata = {"name": "x"} | sent.get("metadata", {})
    body = envelope(api_version, kind, encode(message, {**sent, "metadata": metadata}, MESSAGES))
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    found: list[Any] = []
    for server in servers:
        code, created = send(server, "POST", f"{root}/namespaces/{server.namespace}/{plural}", body)
        assert code == 201, created
        found.append(comparable(created))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear"),
        (b"k8s\x00", "the object provided is unrecognized (must be of type ConfigMap): empty body"),
        (
            envelope("v1", "ConfigMap", b"\x0a\x05ab"),
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: unexp',
        ),
        (
            envelope("v1", "ConfigMap", field(1, 7)),
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: proto: wr',
        ),
        (envelope("v1", "Secret", b""), 'Secret in version "v1" cannot be handled as a ConfigMap: converting'),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_same_words(
    servers: tuple[Server, Server], body: bytes, message: str
) -> None:
    for server in servers:
        code, status = send(server, "POST", f"/api/v1/namespaces/{server.namespace}/configmaps", body)
        assert (code, status["reason"]) == (400, "BadRequest")
        assert status["message"].startswith(message)
