"""A pod in a line: how many containers are ready, the one word for its state, its restarts.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from kubewatch.printing.ages import age
from kubewatch.printing.columns import AGE, NAME, Column, Json, field, get, of


def _sidecars(pod: Json) -> set[str]:
    """Init containers that go on running beside the others."""
    return {one["name"] for one in get(pod, "spec.initContainers", ()) if one.get("restartPolicy") == "Always"}


def _ended(status: Json) -> str:
    """Why a container has ended."""
    end = get(status, "state.terminated", {})
    if end.get("reason"):
        return str(end["reason"])
    return f"Signal:{end['signal']}" if end.get("signal") else f"ExitCode:{end.get('exitCode', 0)}"


def _initializing(pod: Json) -> str | None:
    """What the first init container that is not done is at, None when all are done."""
    sidecars = _sidecars(pod)
    for number, status in enumerate(get(pod, "status.initContainerStatuses", ())):
        end, waiting = get(status, "state.terminated"), get(status, "state.waiting.reason")
        done = end is not None and end.get("exitCode", 0) == 0
        if done or (status["name"] in sidecars and status.get("started")):
            continue
        if end is not None:
            return f"Init:{_ended(status)}"
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{number}/{len(get(pod, 'spec.initContainers', ()))}"
    return None


def _condition(pod: Json, kind: str) -> Json:
    return next((one for one in get(pod, "status.conditions", ()) if one.get("type") == kind), {})


def _is_initialized(pod: Json) -> bool:
    return _initializing(pod) is None or _condition(pod, "Initialized").get("status") == "True"


def _is_running(status: Json) -> bool:
    return bool(status.get("ready")) and get(status, "state.running") is not None


def _running(pod: Json) -> list[Json]:
    """The containers that are up, other than by waiting or having ended."""
    statuses = get(pod, "status.containerStatuses", ())
    return [one for one in statuses if _is_running(one) and not (_waiting(one) or get(one, "state.terminated"))]


def _waiting(status: Json) -> Any:
    return get(status, "state.waiting.reason")


def ready(pod: Json) -> str:
    """Ready containers of all, sidecars counted: ``1/2``."""
    sidecars = _sidecars(pod)
    count = 0
    for status in get(pod, "status.initContainerStatuses", ()):
        end = get(status, "state.terminated")
        if end is not None and end.get("exitCode", 0) == 0:
            continue
        if not (status["name"] in sidecars and status.get("started")):
            break
        count += bool(status.get("ready"))
    if _is_initialized(pod):
        count += len(_running(pod))
    return f"{count}/{len(get(pod, 'spec.containers', ())) + len(sidecars)}"


def state(pod: Json) -> str:
    """The one word that says most about a pod's state: ``Running``, ``CrashLoopBackOff``, ``Init:0/1`` …"""
    phase = get(pod, "status.phase", "")
    if get(pod, "metadata.deletionTimestamp"):
        if get(pod, "status.reason") == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    reason = get(pod, "status.reason") or phase
    if any(one.get("reason") == "SchedulingGated" for one in get(pod, "status.conditions", ())):
        reason = "SchedulingGated"
    reason = _initializing(pod) or reason
    return _containers_state(pod, reason) if _is_initialized(pod) else str(reason)


def _containers_state(pod: Json, reason: str) -> str:
    error = ""
    for status in reversed(get(pod, "status.containerStatuses", ())):
        if _waiting(status):
            reason = _waiting(status)
        elif get(status, "state.terminated") is not None:
            reason = _ended(status)
            error = reason if get(status, "state.terminated.exitCode", 0) else error
    if reason != "Completed":
        return str(reason)
    if _running(pod):
        return "Running" if _condition(pod, "Ready").get("status") == "True" else error or "NotReady"
    return error or reason


def restarts(pod: Json, now: datetime) -> str:
    """How often containers were restarted, and how long ago the last time: ``3 (5m ago)``."""
    init, sidecars = get(pod, "status.initContainerStatuses", ()), _sidecars(pod)
    counted: Iterable[Json] = init
    if _is_initialized(pod):
        counted = [one for one in init if one["name"] in sidecars] + list(get(pod, "status.containerStatuses", ()))
    counted = list(counted)
    count = sum(one.get("restartCount", 0) for one in counted)
    ends = [get(one, "lastState.terminated.finishedAt", "") for one in counted]
    last = max(filter(None, ends), default="")
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _gates(pod: Json) -> str:
    gates = get(pod, "spec.readinessGates", ())
    passed = sum(_condition(pod, gate.get("conditionType", "")).get("status") == "True" for gate in gates)
    return f"{passed}/{len(gates)}" if gates else "<none>"


def _address(pod: Json) -> str:
    addresses = get(pod, "status.podIPs") or [{"ip": get(pod, "status.podIP")}]
    return addresses[0].get("ip") or "<none>"


POD_COLUMNS: Sequence[Column] = [
    NAME,
    Column("Ready", of(ready)),
    Column("Status", of(state)),
    Column("Restarts", restarts),
    AGE,
    Column("IP", of(_address), wide=True),
    Column("Node", field("spec.nodeName", "<none>"), wide=True),
    Column("Nominated Node", field("status.nominatedNodeName", "<none>"), wide=True),
    Column("Readiness Gates", of(_gates), wide=True),
]
