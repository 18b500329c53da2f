"""What the table shows of an object: pure functions, from an object to the cells of its row."""

from __future__ import annotations

import re
from typing import Any

from kubewatch import Object
from kubewatch.printing.pod_status import ready, state

# The cells by column; `tone` (ok, busy, bad) says at a glance what `status` says in words, `created` is in seconds
# since 1970, and `restarts` is None for what cannot be restarted.
Row = dict[str, Any]


def pod_row(pod: Object) -> Row:
    """A pod, in kubectl's words."""
    fields = pod.to_dict()
    status, containers = state(fields), ready(fields)
    return _row(
        pod,
        ready=containers,
        status=status,
        tone=_pod_tone(status, containers),
        restarts=sum(one["restartCount"] for one in _get(fields, "status", "containerStatuses") or ()),
        node=_get(fields, "spec", "nodeName") or "",
    )


def deployment_row(deployment: Object) -> Row:
    """A deployment, and how far its rollout is."""
    fields = deployment.to_dict()
    wanted, available = _get(fields, "spec", "replicas"), _get(fields, "status", "availableReplicas") or 0
    wanted = 1 if wanted is None else wanted
    status, tone = _rollout(fields, wanted, available)
    return _row(deployment, ready=f"{available}/{wanted}", status=status, tone=tone, restarts=None, node="")


def _row(obj: Object, **cells: Any) -> Row:
    created = obj.metadata.creation_timestamp
    return {
        "kind": obj.kind,
        "namespace": obj.namespace or "",
        "name": obj.name,
        "created": created.timestamp() if created is not None else 0.0,
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(obj.labels.items())),
        **cells,
    }


def _pod_tone(status: str, containers: str) -> str:
    up, _, of = containers.partition("/")
    if status in ("Completed", "Succeeded") or (status == "Running" and up == of):
        return "ok"
    passing = ("Running", "Pending", "ContainerCreating", "PodInitializing", "Terminating", "SchedulingGated")
    return "busy" if status in passing or re.match(r"Init:\d", status) else "bad"


def _rollout(fields: dict[str, Any], wanted: int, available: int) -> tuple[str, str]:
    """Status and tone. https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status"""
    conditions = {one["type"]: one for one in _get(fields, "status", "conditions") or ()}
    if conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return "Stalled", "bad"
    seen = (_get(fields, "status", "observedGeneration") or 0) >= (_get(fields, "metadata", "generation") or 0)
    updated = _get(fields, "status", "updatedReplicas") or 0
    if not seen or updated < wanted or available < wanted:
        return "Progressing", "busy"
    return ("Available", "ok") if wanted else ("Scaled to 0", "ok")


def _get(fields: dict[str, Any], part: str, name: str) -> Any:
    return (fields.get(part) or {}).get(name)
