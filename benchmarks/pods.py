"""The pods that are measured with: 8 KB of JSON each, as Go writes a Deployment's pod, rendered to bytes beforehand.

Keys stand in Go's order, text is escaped as Go escapes it, and managedFields has its three usual entries. In a list the
items of a built-in kind have no apiVersion and kind, in a watch they have: so it is here.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

NAMESPACES = 10

_TEMPLATE = "web-7d9c6b8f5"


class Form(NamedTuple):
    """One way to render a pod: pieces of JSON between which its own values are put."""

    in_list: tuple[bytes, ...]
    in_event: tuple[bytes, ...]
    list_head: bytes
    bookmark: bytes


def _managed(manager: str, time: str, fields: dict[str, Any], subresource: str | None = None) -> dict[str, Any]:
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return entry | {"subresource": subresource} if subresource else entry


def _every(*names: str) -> dict[str, Any]:
    return {f"f:{name}": {} for name in names}


def _container_fields(*envs: str) -> dict[str, Any]:
    return {
        ".": {},
        "f:env": {".": {}} | {f'k:{{"name":"{env}"}}': {".": {}} | _every("name", "value") for env in envs},
        **_every("image", "imagePullPolicy"),
        "f:livenessProbe": {
            ".": {},
            **_every("failureThreshold", "periodSeconds", "successThreshold", "timeoutSeconds"),
            "f:httpGet": {".": {}} | _every("path", "port", "scheme"),
        },
        "f:name": {},
        "f:ports": {".": {}, 'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}} | _every("containerPort", "name")},
        "f:resources": {".": {}, "f:limits": {".": {}} | _every("memory"), "f:requests": {".": {}} | _every("cpu")},
        **_every("terminationMessagePath", "terminationMessagePolicy"),
        "f:volumeMounts": {".": {}, 'k:{"mountPath":"/etc/web"}': {".": {}} | _every("mountPath", "name")},
    }


def _condition_fields(type_: str) -> dict[str, Any]:
    return {f'k:{{"type":"{type_}"}}': {".": {}} | _every("lastProbeTime", "lastTransitionTime", "status", "type")}


def _metadata() -> dict[str, Any]:
    controller_fields = {
        "f:metadata": {
            "f:annotations": {".": {}} | _every("kubectl.kubernetes.io/restartedAt", "prometheus.io/scrape"),
            "f:generateName": {},
            "f:labels": {".": {}} | _every("app", "app.kubernetes.io/part-of", "pod-template-hash", "tier"),
            "f:ownerReferences": {".": {}, 'k:{"uid":"5a9f6c5e-3b0e-4c53-9c40-1d1f0a0f7c11"}': {}},
        },
        "f:spec": {
            "f:containers": {
                'k:{"name":"web"}': _container_fields("DATABASE_HOST", "LOG_LEVEL"),
                'k:{"name":"proxy"}': _container_fields("PROXY_MODE"),
            },
            **_every("dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext"),
            **_every("serviceAccount", "serviceAccountName", "terminationGracePeriodSeconds"),
            "f:volumes": {".": {}, 'k:{"name":"settings"}': {".": {}, "f:configMap": {".": {}}, "f:name": {}}},
        },
    }
    kubelet_fields = {
        "f:status": {
            "f:conditions": {
                **_condition_fields("ContainersReady"),
                **_condition_fields("Initialized"),
                **_condition_fields("Ready"),
            },
            **_every("containerStatuses", "hostIP", "hostIPs", "phase"),
            "f:podIP": {},
            "f:podIPs": {".": {}, 'k:{"ip":"@ip@"}': {".": {}, "f:ip": {}}},
            "f:startTime": {},
        }
    }
    network = json.dumps([{"name": "pods", "ips": ["@ip@"], "default": True, "dns": {}}], indent=4)
    return {
        "name": "@name@",
        "generateName": f"{_TEMPLATE}-",
        "namespace": "@namespace@",
        "uid": "@uid@",
        "resourceVersion": "@version@",
        "generation": "@generation@",
        "creationTimestamp": "2025-03-01T08:15:02Z",
        "labels": {
            "app": "web",
            "app.kubernetes.io/part-of": "shop",
            "pod-template-hash": "7d9c6b8f5",
            "tier": "frontend",
        },
        "annotations": {
            "k8s.v1.cni.cncf.io/network-status": network,
            "kubectl.kubernetes.io/restartedAt": "2025-03-01T08:14:58Z",
            "note": "@note@",
            "prometheus.io/scrape": "true",
        },
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": _TEMPLATE,
                "uid": "5a9f6c5e-3b0e-4c53-9c40-1d1f0a0f7c11",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [
            _managed("kube-controller-manager", "2025-03-01T08:15:02Z", controller_fields),
            _managed("multus", "2025-03-01T08:15:03Z", {"f:metadata": {"f:annotations": _every("note")}}, "status"),
            _managed("kubelet", "2025-03-01T08:15:07Z", kubelet_fields, "status"),
        ],
    }


def _container(name: str, port: int, envs: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/shop/{name}:v2.14.3",
        "args": ["--listen=:8080", "--config=/etc/web/settings.yaml", "--origins=https://shop.example.com?a=1&b=<any>"],
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": [{"name": key, "value": value} for key, value in envs.items()]
        + [{"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "250m", "memory": "256Mi"}},
        "volumeMounts": [
            {"name": "settings", "readOnly": True, "mountPath": "/etc/web"},
            {"name": "kube-api-access", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": port, "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _spec() -> dict[str, Any]:
    return {
        "volumes": [
            {"name": "settings", "configMap": {"name": "web-settings", "defaultMode": 420}},
            {"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ],
        "containers": [
            _container("web", 8080, {"DATABASE_HOST": "db.shop.svc", "LOG_LEVEL": "info"}),
            _container("proxy", 15001, {"PROXY_MODE": "sidecar"}),
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "web",
        "serviceAccount": "web",
        "nodeName": "worker-17",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _status() -> dict[str, Any]:
    return {
        "observedGeneration": "@generation@",
        "phase": "Running",
        "conditions": [
            {"type": type_, "status": "True", "lastProbeTime": None, "lastTransitionTime": "2025-03-01T08:15:07Z"}
            for type_ in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "hostIP": "192.168.4.17",
        "hostIPs": [{"ip": "192.168.4.17"}],
        "podIP": "@ip@",
        "podIPs": [{"ip": "@ip@"}],
        "startTime": "2025-03-01T08:15:02Z",
        "containerStatuses": [
            {
                "name": name,
                "state": {"running": {"startedAt": "2025-03-01T08:15:06Z"}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": f"registry.example.com/shop/{name}:v2.14.3",
                "imageID": f"registry.example.com/shop/{name}@sha256:" + "9b" * 32,
                "containerID": "containerd://" + "4f" * 32,
                "started": True,
            }
            for name in ("web", "proxy")
        ],
        "qosClass": "Burstable",
    }


def _go_json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pieces(value: dict[str, Any]) -> tuple[bytes, ...]:
    """JSON, split where a value of the pod's own belongs: text, name of the value, text, and so on."""
    text = _go_json(value).replace('"@generation@"', "@generation@")
    return tuple(piece.encode() for piece in re.split("@([a-z]+)@", text))


def _bookmark(start: dict[str, Any], end: dict[str, Any]) -> bytes:
    meta = {"resourceVersion": "%d", "annotations": {"k8s.io/initial-events-end": "true"}}
    return (_go_json({"type": "BOOKMARK", "object": start | {"metadata": meta} | end}) + "\n").encode()


def _form(kind: str, api_version: str, body: dict[str, Any], *, named: bool, empty: dict[str, Any]) -> Form:
    type_meta = {"kind": kind, "apiVersion": api_version}
    head = _go_json({"kind": f"{kind}List", "apiVersion": api_version})[:-1] + ',"metadata":'
    return Form(
        _pieces(type_meta | body if named else body),
        _pieces(type_meta | body),
        head.encode(),
        _bookmark(type_meta, empty),
    )


TYPED = _form(
    "Pod",
    "v1",
    {"metadata": _metadata(), "spec": _spec(), "status": _status()},
    named=False,
    empty={"spec": {"containers": None}, "status": {}},
)

METADATA = _form("PartialObjectMetadata", "meta.k8s.io/v1", {"metadata": _metadata()}, named=True, empty={})


def namespace_of(number: int) -> str:
    """The namespace of a pod."""
    return f"shop-{number % NAMESPACES}"


def render(pieces: tuple[bytes, ...], number: int, version: int, generation: int = 1, note: str = "") -> bytes:
    """The JSON of pod `number`."""
    values = {
        b"name": b"%s-%05d" % (_TEMPLATE.encode(), number),
        b"namespace": namespace_of(number).encode(),
        b"uid": b"%08x-60f1-4f6e-9d5c-3b1f2a7c9e04" % (number * 2654435761 % 2**32),
        b"version": b"%d" % version,
        b"generation": b"%d" % generation,
        b"ip": b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255),
        b"note": note.encode() or b"-",
    }
    return b"".join([values[piece] if at % 2 else piece for at, piece in enumerate(pieces)])
