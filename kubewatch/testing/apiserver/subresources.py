"""Subresources and kinds that are questions rather than objects: scale, binding, eviction, tokens, access reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import Any

from .cluster import Cluster, WriteOptions
from .deletion import DeleteOptions
from .kinds import Resource
from .status import Json, bad_request, bad_value, invalid, modified, success
from .storage import Entry


def get_path(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None if there is none."""
    value: Any = document
    for step in path.lstrip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def with_path(document: Json, path: str, value: object) -> Json:
    """A copy of ``document`` with ``value`` at a dotted path."""
    first, _, rest = path.lstrip(".").partition(".")
    return document | {first: with_path(document.get(first) or {}, rest, value) if rest else value}


def scale_of(resource: Resource, document: Json) -> Json:
    """The Scale object of a whole document."""
    paths = resource.scale
    assert paths is not None, f"{resource.group_resource} has no scale"
    metadata = document["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    wanted = get_path(document, paths.wanted)
    status: Json = {"replicas": get_path(document, paths.current) or 0}
    selector = selector_text(get_path(document, paths.selector) if paths.selector else None)
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in shown if key in metadata},
        "spec": {} if wanted is None else {"replicas": wanted},
        "status": status,
    }


def selector_text(selector: Any) -> str:
    """A label selector, of whatever shape, as text."""
    if isinstance(selector, str):
        return selector
    if not isinstance(selector, dict):
        return ""
    labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector) or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items()) if isinstance(value, str)]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(sorted(term.get("values") or ()))
        shapes = {"Exists": "{key}", "DoesNotExist": "!{key}", "In": "{key} in ({values})"}
        shape = shapes.get(term.get("operator", ""), "{key} notin ({values})")
        terms.append(shape.format(key=term.get("key"), values=values))
    return ",".join(terms)


def scale_to(cluster: Cluster, resource: Resource, entry: Entry, scale: Any, options: WriteOptions) -> Entry:
    """Writes a Scale object's number into the object that it scales."""
    paths = resource.scale
    assert paths is not None, f"{resource.group_resource} has no scale"
    if not isinstance(scale, dict) or scale.get("kind", "Scale") != "Scale":
        raise bad_request("the body is no Scale object")
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version and version != str(entry.version):
        raise modified(resource.group, resource.plural, entry.name)
    wanted = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(wanted, int) or wanted < 0:
        why = bad_value("spec.replicas", wanted, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", entry.name, [why])
    return cluster.patch(
        resource,
        entry.namespace,
        entry.name,
        lambda document: with_path(document, paths.wanted, wanted),
        replace(options, subresource="scale"),
    )


def bind(cluster: Cluster, resource: Resource, namespace: str, name: str, body: Any, options: WriteOptions) -> Json:
    """Puts a pod on a node, as the scheduler does."""
    if not isinstance(body, dict) or (body.get("metadata") or {}).get("name") != name:
        raise bad_request("name in URL does not match name in Binding object")
    node = (body.get("target") or {}).get("name")
    if not node:
        raise invalid("", "Binding", name, [bad_value("target.name", node, "has to name a node")])

    def on_node(pod: Json) -> Json:
        scheduled = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": cluster.now(),
        }
        status = pod.get("status") or {}
        others = [one for one in status.get("conditions") or () if one.get("type") != "PodScheduled"]
        spec = (pod.get("spec") or {}) | {"nodeName": node}
        return pod | {"spec": spec, "status": status | {"conditions": [*others, scheduled]}}

    cluster.patch(resource, namespace, name, on_node, replace(options, subresource="binding"))
    return success({}) | {"code": 201}


def evict(cluster: Cluster, resource: Resource, namespace: str, name: str, body: Any) -> Json:
    """Deletes a pod, as ``kubectl drain`` asks for it. Disruption budgets are not looked at."""
    options = (body.get("deleteOptions") or {}) if isinstance(body, dict) else {}
    cluster.delete(resource, namespace, name, DeleteOptions(grace_seconds=options.get("gracePeriodSeconds")))
    return success({}) | {"code": 201}


def token(account: Entry, body: Any) -> Json:
    """A token of a service account, which nobody checks."""
    spec = dict((body.get("spec") or {}) if isinstance(body, dict) else {})
    spec["expirationSeconds"] = spec.get("expirationSeconds") or 3600
    expires = datetime.now(timezone.utc) + timedelta(seconds=spec["expirationSeconds"])
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account.name, "namespace": account.namespace},
        "spec": spec,
        "status": {"token": token_urlsafe(), "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }


def review(resource: Resource, body: Any) -> Json:
    """The answer to a question: everybody may do everything, and is ``kubewatch``."""
    document: Json = dict(body) if isinstance(body, dict) else {}
    user = {"username": "kubewatch", "groups": ["system:masters", "system:authenticated"]}
    status: Json = {"allowed": True}
    if resource.kind == "SelfSubjectReview":
        status = {"userInfo": user}
    elif resource.kind == "TokenReview":
        status = {"authenticated": True, "user": user}
    elif resource.kind == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        status = {"resourceRules": [everything], "nonResourceRules": [], "incomplete": False}
    document |= {"kind": resource.kind, "apiVersion": resource.api_version, "status": status}
    document.setdefault("metadata", {})
    return document
