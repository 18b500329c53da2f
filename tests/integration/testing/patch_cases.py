"""Requests that change one object, one after the other: what both API servers have to answer alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.integration.testing.parity import GROUP

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Step:
    """One request about the object of a case, by ``manager``."""

    body: Any
    media_type: str = "application/json"
    manager: str = "one"
    force: bool = False
    subresource: str = ""


def create(body: Any, manager: str = "one") -> Step:
    return Step(body, manager=manager)


def apply(body: Any, manager: str = "one", *, force: bool = False, subresource: str = "") -> Step:
    return Step(body, APPLY, manager, force, subresource)


def merge(body: Any, manager: str = "merger", subresource: str = "") -> Step:
    return Step(body, MERGE, manager, subresource=subresource)


def json_patch(*ops: Any, manager: str = "json") -> Step:
    return Step(list(ops), JSON_PATCH, manager)


def strategic(body: Any, manager: str = "strategic") -> Step:
    return Step(body, STRATEGIC, manager)


def config_map(data: Any = None, **metadata: Any) -> Json:
    obj: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", **metadata}}
    return obj if data is None else {**obj, "data": data}


def secret(**fields: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "type": "Opaque", **fields}


def deployment(*containers: Any, replicas: int | None = 1, **spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": list(containers), **spec}}
    obj: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
    obj["spec"] = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    if replicas is not None:
        obj["spec"]["replicas"] = replicas
    return obj


def service(*ports: Any, **spec: Any) -> Json:
    ports = tuple({"protocol": "TCP", "targetPort": port["port"], **port} for port in ports)
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    return {**obj, "spec": {"ports": list(ports), "clusterIP": "None", "clusterIPs": ["None"], **spec}}


def widget(kind: str, spec: Any = None, **metadata: Any) -> Json:
    obj: Json = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "x", **metadata}}
    return obj if spec is None else {**obj, "spec": spec}


WEB = {"name": "web", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
SAID = json.dumps(config_map({"a": "1", "b": "2"}), separators=(",", ":"))

CASES: dict[str, list[Step]] = {
    "json patch": [
        create(config_map({"k": "v"}, labels={"l": "1"})),
        json_patch({"op": "replace", "path": "/data/new", "value": "1"}),
        json_patch({"op": "test", "path": "/data/k", "value": "v"},
                   {"op": "add", "path": "/metadata/annotations", "value": {}}),
        json_patch({"op": "add", "path": "/metadata/annotations", "value": {}},
                   {"op": "add", "path": "/metadata/annotations/e.com~1a", "value": "1"}),
        json_patch({"op": "test", "path": "/data/k", "value": "other"}),
        json_patch({"op": "remove", "path": "/data/absent"}),
        json_patch({"op": "copy", "from": "/data/absent", "path": "/data/c"}),
        json_patch({"op": "move", "from": "/data/k", "path": "/data/m"}),
        json_patch({"op": "remove", "path": "/metadata/labels/l"}),
        json_patch({"op": "bogus", "path": "/data"}),
        Step({"not": "a list"}, JSON_PATCH),
        Step([{"op": 1}], JSON_PATCH),
    ],
    "merge patch": [
        create(config_map({"k": "v", "gone": "1"}, labels={"l": "1"}, annotations={"a": "1"})),
        merge({"data": {"gone": None, "k": "2", "new": "3"}}),
        merge({"data": {"k": "2"}}, "another"),
        merge({"metadata": {"labels": {"l": None}, "annotations": None}}),
        merge({"data": None}),
        merge({}),
        Step([], MERGE),
        Step("text", MERGE),
    ],
    "strategic merge of metadata": [
        create(config_map({"k": "v"}, finalizers=["e.com/a"])),
        strategic({"metadata": {"finalizers": ["e.com/b", "e.com/a"], "labels": {"a": "1", "b": None}}}),
        strategic({"metadata": {"$deleteFromPrimitiveList/finalizers": ["e.com/a", "e.com/none"]}}),
        strategic({"metadata": {"$setElementOrder/finalizers": ["e.com/c", "e.com/b"], "finalizers": ["e.com/c"]}}),
        strategic({"metadata": {"labels": {"$patch": "replace", "z": "1"}}}),
        strategic({"data": {"$retainKeys": ["n"], "n": "1"}}),
        strategic({"data": {"$retainKeys": ["other"], "n": "1"}}),
        strategic({"data": {"$patch": "delete"}, "metadata": {"finalizers": None}}),
        strategic({"metadata": {"labels": {"$patch": "bogus"}}}),
        Step([], STRATEGIC),
    ],
    "strategic merge of a deployment": [
        create(deployment(WEB)),
        strategic({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "j"}]}}}}),
        strategic({"spec": {"template": {"spec": {
            "containers": [{"name": "web", "env": [{"name": "E", "value": "1"}]}]}}}}),
        strategic({"spec": {"template": {"spec": {"containers": [{"image": "no name"}]}}}}),
        strategic({"spec": {"template": {"spec": {"containers": [{"name": "web", "$patch": "merge"}]}}}}),
        strategic({"spec": {"template": {"spec": {"containers": [
            {"name": "web", "env": [{"name": "E", "$patch": "delete"}, {"name": "F", "value": "2"}]}]}}}}),
        strategic({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        strategic({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "other"}],
                                                  "containers": [{"name": "web", "image": "k"}]}}}}),
        strategic({"spec": {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}}}),
        strategic({"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}}),
        strategic({"spec": {"template": {"spec": {"nodeSelector": {"a": "1"}}}}}),
        strategic({"spec": {"template": {"spec": {"nodeSelector": {"b": "1", "a": None}}}}}),
    ],
    "apply": [
        apply(config_map({"a": "1", "b": "2"}, labels={"l": "1"}, finalizers=["e.com/a"])),
        apply(config_map({"a": "1", "b": "2"}, labels={"l": "1"}, finalizers=["e.com/a"])),
        apply(config_map({"a": "1"}), "two"),
        apply(config_map({"a": "9", "b": "8"}, labels={"l": "2"}), "two"),
        apply(config_map({"a": "9", "b": "8"}, labels={"l": "2"}), "two", force=True),
        apply(config_map({"z": "1"})),
        apply(config_map(), "two"),
        merge({"data": {"m": "1"}}),
        apply(config_map({"m": "2"})),
        apply(config_map({"m": "2"}), force=True),
        apply(config_map({"m": None})),
        apply(config_map({}, finalizers=["e.com/d", "e.com/d"])),
        apply(config_map({}, managedFields=[])),
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}),
        apply({"metadata": {"name": "x"}}),
        Step([], APPLY),
    ],
    "forgotten managers": [
        create(config_map({"a": "1"})),
        merge({"metadata": {"managedFields": [{}]}}),
        merge({"data": {"b": "1"}}),
        apply(config_map({"c": "1"})),
        apply(config_map({"a": "2"})),
    ],
    "kubectl takes over from client-side apply": [
        create(config_map({"a": "1", "b": "2"}, annotations={LAST_APPLIED: SAID}), "kubectl-client-side-apply"),
        merge({"data": {"b": "other"}}),
        apply(config_map({"a": "2"}), "somebody"),
        apply(config_map({"a": "2", "b": "3"}), "kubectl"),
        apply(config_map({"a": "2"}, annotations={"html": "<&>"}), "kubectl"),
        apply(config_map({"a": "2"}, annotations={"html": "<&>"}), "kubectl"),
        apply(config_map(), "kubectl"),
    ],
    "apply of a secret": [
        apply(secret(data={"a": "MQ=="})),
        apply(secret(data={"b": "MQ=="}), "two"),
        apply(secret(), "two"),
        apply(secret()),
    ],
    "apply of a deployment": [
        create(deployment(WEB), "creator"),
        apply(deployment({"name": "web", "image": "j"})),
        apply(deployment({"name": "web", "image": "j", "env": [{"name": "A", "value": "1"}]}, nodeSelector={"a": "b"}),
              force=True),
        apply(deployment({"name": "web", "image": "j"}, replicas=None)),
        apply(deployment({"name": "web", "image": "j"}, replicas=3), "scaler"),
        apply(deployment({"name": "web", "image": "j"}, {"name": "web", "image": "k"})),
        merge({"spec": {"replicas": 5}}),
        merge({"status": {"replicas": 1}}, "controller", "status"),
        apply({**deployment(replicas=None), "status": {"replicas": 2}}, "controller", force=True, subresource="status"),
        apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "status": {"replicas": 7}},
              "main"),
    ],
    "apply of a service": [
        apply(service({"port": 80, "name": "a"}, {"port": 80, "protocol": "UDP", "name": "b"}, selector={"a": "b"})),
        apply(service({"port": 80, "protocol": "UDP", "name": "b"}, selector={"c": "d"})),
        apply(service({"port": 81, "name": "c"}), "two"),
        apply(service({"port": 81, "name": "d"}), "two", force=True),
        strategic({"spec": {"ports": [{"port": 82, "name": "e", "protocol": "TCP", "targetPort": 82}]}}),
        strategic({"spec": {"selector": None}}),
    ],
}  # fmt: skip

FULL = {
    "n": 1,
    "m": {"a": "1", "b": "2"},
    "l": [{"name": "p", "v": "1"}, {"name": "q", "v": "2"}],
    "s": ["x", "y"],
    "a": ["1", "2"],
    "at": {"x": "1", "y": "2"},
    "any": {"k": [1, {"z": 1}], "o": {"deep": {"er": 1}}},
}


def custom_steps(kind: str) -> list[Step]:
    merged = kind == "Typed"
    return [
        create(widget(kind, FULL, labels={"a": "b"}, finalizers=["e.com/z"]), "creator"),
        apply(widget(kind, {
            "n": 1,
            "m": {"c": "3"},
            "l": [{"name": "q", "w": "5"}, {"name": "r"}] if merged else FULL["l"],
            "s": ["y", "z"] if merged else FULL["s"],
            "any": {"o": {"deep": {"er": 1, "two": 2}}},
        }, labels={"c": "d"})),
        apply(widget(kind, {"n": 1})),
        apply(widget(kind, {"n": 2, "a": ["3"], "at": {"x": "5"}, "any": [1]})),
        apply(widget(kind, {"n": 2, "a": ["3"], "at": {"x": "5"}, "any": [1]}), force=True),
        apply(widget(kind, {})),
        apply(widget(kind)),
        merge({"spec": {"m": {"a": None}, "l": [{"name": "z"}], "any": None, "s": None}}),
        apply(widget(kind, {"m": {"only": "1"}}), "two"),
        json_patch({"op": "remove", "path": "/spec/m"}),
        apply(widget(kind, {"m": {"only": "1"}, "s": ["a"]}), "two"),
        apply(widget(kind, {"s": ["a"]}), "two"),
        merge({"metadata": {"labels": {"a": None, "c": None}, "annotations": {}, "finalizers": []}}),
        strategic({"spec": {}}),
    ]  # fmt: skip


TYPED = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "m": {"type": "object", "additionalProperties": {"type": "string"}},
                "l": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {name: {"type": "string"} for name in ("name", "v", "w")},
                    },
                },
                "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "a": {"type": "array", "items": {"type": "string"}},
                "at": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {name: {"type": "string"} for name in ("x", "y")},
                },
                "any": {"x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
