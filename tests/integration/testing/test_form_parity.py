"""Tables and metadata-only answers are the same on the embedded API server as on a real one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.testing.parity import Json, Server

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

AGES = ("Age", "Last Seen", "First Seen", "Created At", "Last Schedule")
WEB = {"name": "web", "image": "registry.example.com/web:1"}
TEMPLATE: Json = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [WEB, {"name": "b", "image": "i"}]}}
SELECTOR = {"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["b", "a"]}]}
MATCHED = {**TEMPLATE, "metadata": {"labels": {"app": "x", "k": "a"}}}
RUNNING = {"name": "web", "ready": True, "restartCount": 3, "image": "i", "imageID": "i", "state": {"running": {}},
           "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2020-01-01T00:00:00Z"}}}  # fmt: skip
WAITING = {"name": "b", "ready": False, "restartCount": 0, "image": "i", "imageID": "i",
           "state": {"waiting": {"reason": "ImagePullBackOff"}}}  # fmt: skip
ENDED = {"name": "web", "ready": False, "restartCount": 0, "image": "i", "imageID": "i",
         "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}  # fmt: skip


def obj(api_version: str, kind: str, **fields: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}


def pod(**status: Any) -> Json:
    spec = {"containers": [WEB, {"name": "b", "image": "i"}], "automountServiceAccountToken": False}
    return obj("v1", "Pod", spec=spec, status=status)


# Objects of many kinds, each with the plural of its kind.
OBJECTS: list[tuple[str, Json]] = [
    ("pods", pod(phase="Pending")),
    ("pods", pod(phase="Running", containerStatuses=[RUNNING, WAITING], podIP="10.1.1.1", podIPs=[{"ip": "10.1.1.1"}])),
    ("pods", pod(phase="Succeeded", containerStatuses=[ENDED])),
    ("pods", pod(phase="Failed", reason="Evicted")),
    ("deployments", obj("apps/v1", "Deployment", spec={"replicas": 3, "selector": SELECTOR, "template": MATCHED},
                        status={"replicas": 3, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1})),
    ("statefulsets", obj("apps/v1", "StatefulSet", spec={
        "replicas": 2, "selector": SELECTOR, "template": MATCHED, "serviceName": "x"})),
    ("daemonsets", obj("apps/v1", "DaemonSet", spec={"selector": SELECTOR, "template": MATCHED})),
    ("replicasets", obj("apps/v1", "ReplicaSet", spec={"replicas": 1, "selector": SELECTOR, "template": MATCHED})),
    ("jobs", obj("batch/v1", "Job", spec={
        "completions": 3, "parallelism": 2, "manualSelector": True, "selector": {"matchLabels": {"app": "x"}},
        "template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}})),
    ("cronjobs", obj("batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {
        "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}}})),
    ("services", obj("v1", "Service", spec={
        "clusterIP": "None", "selector": {"b": "2", "a": "1"}, "ports": [
            {"port": 80, "name": "h"}, {"port": 53, "protocol": "UDP", "name": "d"}]})),
    ("services", obj("v1", "Service", spec={"type": "ExternalName", "externalName": "e.example.com"})),
    ("configmaps", obj("v1", "ConfigMap", data={"a": "1"}, binaryData={"b": "MQ=="})),
    ("secrets", obj("v1", "Secret", type="Opaque", data={"a": "MQ=="})),
    ("serviceaccounts", obj("v1", "ServiceAccount")),
    ("endpoints", obj("v1", "Endpoints", subsets=[
        {"addresses": [{"ip": f"10.0.0.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}])),
    ("endpointslices", obj("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4",
                           endpoints=[{"addresses": ["10.0.0.1"]}], ports=[{"port": 80}, {"port": 443, "name": "s"}])),
    ("leases", obj("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "me"})),
    ("persistentvolumeclaims", obj("v1", "PersistentVolumeClaim", spec={
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}})),
    ("ingresses", obj("networking.k8s.io/v1", "Ingress", spec={
        "ingressClassName": "c", "tls": [{"hosts": ["a.example.com"]}], "rules": [{"host": "a.example.com", "http": {
            "paths": [{"path": "/", "pathType": "Prefix", "backend": {
                "service": {"name": "s", "port": {"number": 80}}}}]}}]})),
    ("networkpolicies", obj("networking.k8s.io/v1", "NetworkPolicy", spec={
        "podSelector": {"matchLabels": {"a": "b"}}})),
    ("roles", obj("rbac.authorization.k8s.io/v1", "Role", rules=[])),
    ("rolebindings", obj("rbac.authorization.k8s.io/v1", "RoleBinding",
                         roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                                  "name": "cluster-admin"},
                         subjects=[{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"},
                                   {"kind": "ServiceAccount", "name": "s", "namespace": "n"}])),
    ("poddisruptionbudgets", obj("policy/v1", "PodDisruptionBudget", spec={
        "minAvailable": "50%", "selector": SELECTOR})),
    ("horizontalpodautoscalers", obj("autoscaling/v2", "HorizontalPodAutoscaler", spec={
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        "maxReplicas": 5, "minReplicas": 2, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
            "type": "Utilization", "averageUtilization": 80}}}]})),
    ("resourcequotas", obj("v1", "ResourceQuota", spec={"hard": {"pods": "3", "limits.cpu": "2"}})),
    ("events", obj("v1", "Event", involvedObject={"kind": "Pod", "name": "p", "namespace": "NAMESPACE"}, reason="R",
                   message="said", type="Normal", source={"component": "c"}, count=2)),
]  # fmt: skip


def table(server: Server, plural: str, body: Json) -> Json:
    """The table that a server makes of an object."""
    root = "/api/v1" if body["apiVersion"] == "v1" else f"/apis/{body['apiVersion']}"
    collection = f"{root}/namespaces/{server.namespace}/{plural}"
    code, answer = server.request("POST", collection, _in_namespace(body, server.namespace))
    assert code == 201, answer
    if "status" in body:
        media_type = "application/merge-patch+json"
        code, answer = server.request("PATCH", f"{collection}/x/status", {"status": body["status"]}, media_type)
        assert code == 200, answer
    code, answer = server.request("GET", collection, accept=TABLE)
    assert code == 200, answer
    return answer


def _in_namespace(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {key: _in_namespace(part, namespace) for key, part in value.items()}
    return namespace if value == "NAMESPACE" else value


def comparable(answer: Json) -> Json:
    """A table without descriptions and ages, and without what tells one server's objects from another's."""
    columns = [{key: one[key] for key in ("name", "type", "format", "priority")} for one in answer["columnDefinitions"]]
    rows = [
        {
            "cells": [
                bool(cell) if column["name"] in AGES else cell
                for cell, column in zip(row["cells"], columns, strict=True)
            ],
            "kind": row["object"]["kind"],
            "name": row["object"]["metadata"]["name"],
            "conditions": row.get("conditions"),
        }
        for row in answer["rows"]
    ]
    return {"kind": answer["kind"], "apiVersion": answer["apiVersion"], "columns": columns, "rows": rows}


@pytest.mark.parametrize(("plural", "body"), OBJECTS, ids=[f"{plural}-{n}" for n, (plural, _) in enumerate(OBJECTS)])
def test_tables_are_the_same(servers: tuple[Server, Server], plural: str, body: Json) -> None:
    embedded, real = (comparable(table(server, plural, body)) for server in servers)
    assert embedded == real


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("configmaps", PARTIAL_LIST),
        ("configmaps", PARTIAL),
        ("configmaps/x", PARTIAL),
        ("configmaps/x", PARTIAL_LIST),
        ("configmaps/x", TABLE),
        ("configmaps", TABLE),
        ("configmaps?includeObject=None", TABLE),
        ("configmaps?includeObject=Object", TABLE),
        ("configmaps?includeObject=Some", TABLE),
        ("configmaps", "application/json;as=Unheard;g=meta.k8s.io;v=v1"),
        ("configmaps", f"application/json;as=Unheard;g=meta.k8s.io;v=v1,{PARTIAL_LIST}"),
        ("configmaps", f"application/json;q=0.5,{TABLE}"),
        ("configmaps", "*/*"),
        ("configmaps", "text/html"),
    ],
)
def test_forms_are_negotiated_the_same(servers: tuple[Server, Server], path: str, accept: str) -> None:
    shapes = []
    for server in servers:
        root = f"/api/v1/namespaces/{server.namespace}"
        server.request("POST", f"{root}/configmaps", obj("v1", "ConfigMap", data={"a": "1"}))
        code, answer = server.request("GET", f"{root}/{path}", accept=accept)
        rows = [row["object"] for row in answer.get("rows", ())]
        items = answer.get("items", ())
        shapes.append(
            (
                code,
                {key: answer.get(key) for key in ("kind", "apiVersion", "reason")},
                sorted(answer) if code == 200 else [],
                [row and (row["kind"], sorted(row)) for row in rows],
                [(item.get("kind"), item.get("apiVersion"), sorted(item)) for item in items],
            )
        )
    assert shapes[0] == shapes[1]
