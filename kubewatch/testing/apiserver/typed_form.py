"""What it does to an object that the API server keeps it as a typed structure.

Some parts are never absent, though they be empty: who fills one for the first time comes to manage its fields, and not
the part itself. Others are left out when they are empty. Of custom resources only the metadata is typed.
https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubewatch.testing.apiserver.builtin_schemas import METADATA, is_builtin, schema_of
from kubewatch.testing.apiserver.schemas import Schema

Json = dict[str, Any]

_POD: Json = {"containers": None}
_TEMPLATE: Json = {"metadata": {}, "spec": _POD}
_EVERY: Json = {"metadata": {}, "spec": {}, "status": {}}

# What is never absent besides metadata, spec and status.
_NEVER_ABSENT: Mapping[str, Json] = {
    "CronJob": {"spec": {"jobTemplate": {"metadata": {}, "spec": {"template": _TEMPLATE}}}},
    "CSINode": {"spec": {"drivers": None}},
    "CustomResourceDefinition": {"spec": {"names": {}}, "status": {"acceptedNames": {}}},
    "DaemonSet": {"spec": {"template": _TEMPLATE, "updateStrategy": {}}},
    "Deployment": {"spec": {"template": _TEMPLATE, "strategy": {}}},
    "Event": {"source": {}, "deprecatedSource": {}},
    "FlowSchema": {"spec": {"priorityLevelConfiguration": {}}},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": {}}},
    "Ingress": {"status": {"loadBalancer": {}}},
    "Job": {"spec": {"template": _TEMPLATE}},
    "Node": {"status": {"daemonEndpoints": {"kubeletEndpoint": {}}, "nodeInfo": {}}},
    "PersistentVolumeClaim": {"spec": {"resources": {}}},
    "Pod": {"spec": _POD},
    "PodTemplate": {"template": _TEMPLATE},
    "ReplicaSet": {"spec": {"template": _TEMPLATE}},
    "ResourceClaim": {"spec": {"devices": {}}},
    "ResourceClaimTemplate": {"spec": {"metadata": {}, "spec": {"devices": {}}}},
    "ResourceSlice": {"spec": {"pool": {}}},
    "Service": {"status": {"loadBalancer": {}}},
    "StatefulSet": {"spec": {"template": _TEMPLATE, "updateStrategy": {}}},
    "VolumeAttachment": {"spec": {"source": {}}},
}


def filled(obj: Mapping[str, Any], kind: str, api_version: str) -> Json:
    """``obj`` with the parts that are never absent, for comparing it with another.

    >>> filled({"spec": {"nodeName": "n"}}, "Pod", "v1")
    {'spec': {'nodeName': 'n', 'containers': None}, 'metadata': {}, 'status': {}}
    """
    if not is_builtin(api_version):
        return dict(obj)
    return _filled(_filled(obj, _NEVER_ABSENT.get(kind, {})), _EVERY)


def _filled(obj: Mapping[str, Any], skeleton: Json) -> Json:
    result = dict(obj)
    for name, part in skeleton.items():
        here = result.get(name)
        if here is None:
            result[name] = part
        elif isinstance(here, dict) and isinstance(part, dict):
            result[name] = _filled(here, part)
    return result


def tidied(obj: Mapping[str, Any], kind: str, api_version: str) -> Json:
    """``obj`` as it is stored: without nulls, and without empty labels, finalizers, data and the like.

    >>> tidied({"metadata": {"name": "c", "labels": {}}, "data": None}, "ConfigMap", "v1")
    {'metadata': {'name': 'c'}}
    """
    if is_builtin(api_version):
        return _tidied(obj, schema_of(kind, api_version))
    metadata = obj.get("metadata")
    return {**obj, "metadata": _tidied(metadata, METADATA)} if isinstance(metadata, dict) else dict(obj)


def _tidied(obj: Mapping[str, Any], schema: Schema) -> Json:
    result: Json = {}
    for name, part in obj.items():
        below = schema.child(name)
        if schema.free:
            result[name] = part
        elif part is not None:
            value = _tidied_part(part, below)
            if value not in ({}, []) or not (below.values or below.keys or below.merge == "set"):
                result[name] = value
        elif not schema.is_field(name):
            result[name] = ""  # as data, null is the empty text
    return result


def _tidied_part(part: Any, schema: Schema) -> Any:
    if isinstance(part, dict):
        return _tidied(part, schema)
    if isinstance(part, list):
        return [_tidied_part(item, schema.item) for item in part]
    return part
