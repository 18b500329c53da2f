"""Rollouts: how far a Deployment, a StatefulSet or a DaemonSet has come, in the words of `kubectl rollout status`.

https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_status/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .errors import InvalidInput
from .objects import Object


class Rollout(NamedTuple):
    """How far a rollout has come. Neither `complete` nor `failed`: it is under way."""

    message: str
    complete: bool = False
    failed: bool = False


def rollout_status(obj: Object) -> Rollout:
    """How far the rollout of a Deployment, a StatefulSet or a DaemonSet has come; InvalidInput for another kind.

    >>> from kubewatch.decode import decode_object
    >>> raw = b'{"metadata": {"name": "web", "generation": 2}, "status": {"observedGeneration": 1}}'
    >>> rollout_status(decode_object(raw, "apps/v1", "Deployment"))
    Rollout(message='Waiting for deployment spec update to be observed...', complete=False, failed=False)
    """
    judge = _JUDGES.get(obj.kind)
    if judge is None:
        raise InvalidInput(f"a {obj.kind} is not rolled out: what is are {', '.join(_JUDGES)}")
    return judge(obj)


def _is_observed(obj: Object) -> bool:
    return (obj.metadata.generation or 0) <= (obj.status.observedGeneration or 0)


def _deployment(obj: Object) -> Rollout:
    if not _is_observed(obj):
        return Rollout("Waiting for deployment spec update to be observed...")
    status = obj.status
    wanted, replicas = obj.spec.replicas, status.replicas or 0
    updated, available = status.updatedReplicas or 0, status.availableReplicas or 0
    progressing = next((each for each in status.conditions or () if each.type == "Progressing"), None)
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return Rollout(f'deployment "{obj.name}" exceeded its progress deadline', failed=True)
    waiting = f'Waiting for deployment "{obj.name}" rollout to finish: '
    if wanted is not None and updated < wanted:
        return Rollout(f"{waiting}{updated} out of {wanted} new replicas have been updated...")
    if replicas > updated:
        return Rollout(f"{waiting}{replicas - updated} old replicas are pending termination...")
    if available < updated:
        return Rollout(f"{waiting}{available} of {updated} updated replicas are available...")
    return Rollout(f'deployment "{obj.name}" successfully rolled out', complete=True)


_NO_STATUS = Rollout("rollout status is only available for RollingUpdate strategy type", failed=True)


def _daemon_set(obj: Object) -> Rollout:
    if not _is_rolling(obj):
        return _NO_STATUS
    if not _is_observed(obj):
        return Rollout("Waiting for daemon set spec update to be observed...")
    status = obj.status
    wanted, updated = status.desiredNumberScheduled or 0, status.updatedNumberScheduled or 0
    available = status.numberAvailable or 0
    waiting = f'Waiting for daemon set "{obj.name}" rollout to finish: '
    if updated < wanted:
        return Rollout(f"{waiting}{updated} out of {wanted} new pods have been updated...")
    if available < wanted:
        return Rollout(f"{waiting}{available} of {wanted} updated pods are available...")
    return Rollout(f'daemon set "{obj.name}" successfully rolled out', complete=True)


def _stateful_set(obj: Object) -> Rollout:
    if not _is_rolling(obj):
        return _NO_STATUS
    if not (obj.status.observedGeneration and _is_observed(obj)):
        return Rollout("Waiting for statefulset spec update to be observed...")
    status, wanted = obj.status, obj.spec.replicas
    ready, updated = status.readyReplicas or 0, status.updatedReplicas or 0
    if wanted is not None and ready < wanted:
        return Rollout(f"Waiting for {wanted - ready} pods to be ready...")
    rolling = obj.spec.updateStrategy and obj.spec.updateStrategy.rollingUpdate
    new = (wanted or 0) - ((rolling and rolling.partition) or 0)
    if updated < new:
        return Rollout(
            f"Waiting for partitioned roll out to finish: {updated} out of {new} new pods have been updated..."
        )
    return Rollout(f"partitioned roll out complete: {updated} new pods have been updated...", complete=True)


def _is_rolling(obj: Object) -> bool:
    strategy = obj.spec.updateStrategy
    return strategy is None or strategy.type in (None, "RollingUpdate")


_JUDGES: dict[str, Callable[[Any], Rollout]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
}
