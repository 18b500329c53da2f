"""Kinds served in two shapes: events (core and events.k8s.io) and autoscalers (v1 and v2). Each is stored in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Conversion:
    """From the stored shape to the served one (``outward``) and back (``inward``); both leave their argument alone."""

    outward: Callable[[Json], Json]
    inward: Callable[[Json], Json]


# stored (core) field -> field of events.k8s.io
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def _renamed(document: Json, names: Mapping[str, str]) -> Json:
    return {names.get(key, key): value for key, value in document.items()}


def _event_outward(document: Json) -> Json:
    event = _renamed(document, _EVENT_FIELDS)
    for optional in ("reportingController", "reportingInstance"):
        if not event.get(optional):
            event.pop(optional, None)
    return event


def _event_inward(document: Json) -> Json:
    return _renamed(document, {served: stored for stored, served in _EVENT_FIELDS.items()})


def _autoscaler_outward(document: Json) -> Json:
    """v2 to v1: the target of the processor's load has a field of its own, other metrics are out of sight."""
    spec = dict(document.get("spec") or {})
    for metric in spec.pop("metrics", None) or ():
        resource = metric.get("resource") or {}
        utilization = (resource.get("target") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and utilization is not None:
            spec["targetCPUUtilizationPercentage"] = utilization
    if "status" not in document:
        return document | {"spec": spec}
    status = {key: value for key, value in document["status"].items() if key != "currentMetrics"}
    return document | {"spec": spec, "status": {"currentReplicas": 0, "desiredReplicas": 0} | status}


def _autoscaler_inward(document: Json) -> Json:
    spec = dict(document.get("spec") or {})
    utilization = spec.pop("targetCPUUtilizationPercentage", None)
    if utilization is not None:
        target = {"type": "Utilization", "averageUtilization": utilization}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return document | {"spec": spec}


CONVERSIONS: Mapping[str, Conversion] = {
    "events.k8s.io/v1/events": Conversion(_event_outward, _event_inward),
    "autoscaling/v1/horizontalpodautoscalers": Conversion(_autoscaler_outward, _autoscaler_inward),
}
