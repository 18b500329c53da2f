"""What the server refuses kind by kind: names, metadata, the few fields without which an object makes no sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from .kinds import Resource
from .status import Json, bad_value, cause, not_allowed, required, too_long

_DATA_LIMIT = 1024 * 1024  # bytes, of all values together
_ANNOTATIONS_LIMIT = 256 * 1024  # bytes, of all keys and values together
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL_KINDS = frozenset(("namespaces", "services"))
_PATH_SEGMENT_GROUPS = frozenset(("rbac.authorization.k8s.io", "flowcontrol.apiserver.k8s.io"))
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
    "end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def name_causes(resource: Resource, name: str) -> list[Json]:
    """Why ``name`` is no name for this kind; empty if it is one."""
    if resource.group in _PATH_SEGMENT_GROUPS:
        wrong = name in (".", "..") or "/" in name or "%" in name
        return [bad_value("metadata.name", name, "may not contain '/' or '%'")] if wrong else []
    if resource.plural in _LABEL_KINDS and not resource.group:
        if len(name) > 63:
            return [bad_value("metadata.name", name, "must be no more than 63 characters")]
        return [] if _LABEL.match(name) else [bad_value("metadata.name", name, _LABEL_RULE)]
    if len(name) > 253:
        return [bad_value("metadata.name", name, "must be no more than 253 characters")]
    return [] if _SUBDOMAIN.match(name) else [bad_value("metadata.name", name, _SUBDOMAIN_RULE)]


def metadata_causes(metadata: Json) -> list[Json]:
    """Why labels, annotations or owner references are no good; empty if they are."""
    causes = []
    for value in (metadata.get("labels") or {}).values():
        if not _LABEL_VALUE.match(value):
            causes.append(bad_value("metadata.labels", value, _LABEL_VALUE_RULE))
    annotations = metadata.get("annotations") or {}
    if _size(annotations) + _size(annotations.values()) > _ANNOTATIONS_LIMIT:
        causes.append(too_long("metadata.annotations", _ANNOTATIONS_LIMIT))
    for at, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                causes.append(bad_value(f"metadata.ownerReferences[{at}].{field}", "", f"{field} must not be empty"))
    return causes


def type_problem(metadata: Json) -> str:
    """What in the metadata has the wrong type, as the server says it; empty if nothing has."""
    for field, kind in _METADATA_TYPES.items():
        value = metadata.get(field)
        if value is None or _is_of(value, kind):
            continue
        found = _JSON_NAMES.get(type(value), "object")
        if kind.startswith("map") and isinstance(value, dict):
            found, kind = "number", "string"
        return f"json: cannot unmarshal {found} into Go struct field ObjectMeta.metadata.{field} of type {kind}"
    return ""


_METADATA_TYPES = {
    "name": "string",
    "generateName": "string",
    "namespace": "string",
    "resourceVersion": "string",
    "uid": "types.UID",
    "labels": "map[string]string",
    "annotations": "map[string]string",
    "finalizers": "[]string",
    "ownerReferences": "[]v1.OwnerReference",
}
_JSON_NAMES = {int: "number", float: "number", bool: "bool", str: "string", list: "array", dict: "object"}


def _is_of(value: object, kind: str) -> bool:
    if kind.startswith("map"):
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    if kind.startswith("[]"):
        inner = str if kind == "[]string" else dict
        return isinstance(value, list) and all(isinstance(one, inner) for one in value)
    return isinstance(value, str)


def spec_causes(resource: Resource, document: Json) -> list[Json]:
    """Why the object is invalid for its kind, as far as this server looks; empty if it is valid."""
    validator = _VALIDATORS.get((resource.group, resource.kind))
    return [] if validator is None or resource.custom else validator(document)


def _pod_spec_causes(spec: Json, at: str) -> list[Json]:
    containers = spec.get("containers")
    if not containers:
        return [required(f"{at}.containers")]
    causes = []
    for index, container in enumerate(containers):
        for field in ("name", "image"):
            if not container.get(field):
                causes.append(required(f"{at}.containers[{index}].{field}"))
    return causes


def _pod_causes(document: Json) -> list[Json]:
    return _pod_spec_causes(document.get("spec") or {}, "spec")


def _workload_causes(document: Json) -> list[Json]:
    spec = document.get("spec") or {}
    template = spec.get("template") or {}
    selector = spec.get("selector") or {}
    wanted = selector.get("matchLabels") or {}
    causes = []
    if not selector:
        causes.append(required("spec.selector"))
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not labels or any(labels.get(key) != value for key, value in wanted.items()):
        causes.append(
            bad_value("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")
        )
    return causes + _pod_spec_causes(template.get("spec") or {}, "spec.template.spec")


def _job_causes(document: Json) -> list[Json]:
    template = (document.get("spec") or {}).get("template") or {}
    spec = template.get("spec") or {}
    causes = _pod_spec_causes(spec, "spec.template.spec")
    if spec.get("restartPolicy") not in ("OnFailure", "Never"):
        where, supported = "spec.template.spec.restartPolicy", '"OnFailure", "Never"'
        if not spec.get("restartPolicy"):
            return [*causes, required(where, f"valid values: {supported}")]
        what = f'Unsupported value: "{spec["restartPolicy"]}": supported values: {supported}'
        causes.append(cause("FieldValueNotSupported", what, where))
    return causes


def _config_map_causes(document: Json) -> list[Json]:
    size = _size(_texts(document.get("data"))) + _decoded_size(_texts(document.get("binaryData")))
    return [too_long("[]", _DATA_LIMIT)] if size > _DATA_LIMIT else []


def _secret_causes(document: Json) -> list[Json]:
    return [too_long("data", _DATA_LIMIT)] if _decoded_size(_texts(document.get("data"))) > _DATA_LIMIT else []


def _texts(part: Any) -> list[str]:
    """What a part of the object maps to; what is of another type is not looked at."""
    return [value for value in part.values() if isinstance(value, str)] if isinstance(part, dict) else []


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _decoded_size(encoded: Iterable[str]) -> int:
    """How many bytes texts stand for that are written in base64."""
    return sum(len(text) * 3 // 4 - text[-2:].count("=") for text in encoded)


def _service_causes(document: Json) -> list[Json]:
    spec = document.get("spec") or {}
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        return [required("spec.ports")]
    return []


_VALIDATORS: dict[tuple[str, str], Callable[[Json], list[Json]]] = {
    ("", "Pod"): _pod_causes,
    ("", "Service"): _service_causes,
    ("", "ConfigMap"): _config_map_causes,
    ("", "Secret"): _secret_causes,
    ("apps", "Deployment"): _workload_causes,
    ("apps", "ReplicaSet"): _workload_causes,
    ("apps", "StatefulSet"): _workload_causes,
    ("apps", "DaemonSet"): _workload_causes,
    ("batch", "Job"): _job_causes,
}

_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")


def change_causes(resource: Resource, old: Json, new: Json) -> list[Json]:
    """Why an object may not change from ``old`` to ``new``; empty if it may."""
    where = (resource.group, resource.kind)
    if resource.custom:
        return []
    if where == ("", "Pod"):
        return _pod_change_causes(old.get("spec") or {}, new.get("spec") or {})
    frozen = where in (("", "ConfigMap"), ("", "Secret")) and old.get("immutable")
    if frozen and any(old.get(part) != new.get(part) for part in ("data", "binaryData", "immutable")):
        return [not_allowed("data", "field is immutable when `immutable` is set")]
    if where == ("", "Secret") and old.get("type") != new.get("type"):
        return [bad_value("type", new.get("type"), "field is immutable")]
    if resource.group == "apps" and resource.kind != "ControllerRevision":
        old_selector, selector = ((one.get("spec") or {}).get("selector") for one in (old, new))
        if old_selector != selector and resource.kind != "StatefulSet":
            return [bad_value("spec.selector", selector, "field is immutable")]
    return []


def _pod_change_causes(old: Json, new: Json) -> list[Json]:
    def fixed(spec: Json) -> Json:
        kept = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
        for part in ("containers", "initContainers"):
            if part in kept:
                kept[part] = [{k: v for k, v in one.items() if k != "image"} for one in kept[part]]
        return kept

    if fixed(old) == fixed(new):
        return []
    why = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [not_allowed("spec", why)]
