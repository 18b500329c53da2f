"""What the server fills into pods, and into the templates from which controllers make pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .status import Json

_TAINT_SECONDS = 300


def part(document: Json, name: str) -> Json:
    """The object under ``name``, put there if there is none."""
    found = document.get(name)
    if not isinstance(found, dict):
        found = document[name] = {}
    return found


def default(document: Json, **values: Any) -> None:
    """Sets what is not set."""
    for key, value in values.items():
        if document.get(key) is None:
            document[key] = value


def fill_pod(document: Json) -> None:
    spec = part(document, "spec")
    fill_pod_spec(spec)
    default(spec, enableServiceLinks=True)
    for container in _containers(spec):
        resources = container["resources"]
        if resources.get("limits"):  # who says only where it ends asks for all of it
            resources["requests"] = resources["limits"] | (resources.get("requests") or {})


def allot_pod(document: Json) -> None:
    """What a new pod has by no wish of its own."""
    spec = document["spec"]
    default(spec, preemptionPolicy="PreemptLowerPriority", priority=0)
    default(spec, tolerations=[_tolerates("not-ready"), _tolerates("unreachable")])
    document["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def fill_pod_spec(spec: Json) -> None:
    default(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    if spec.get("serviceAccountName"):
        default(spec, serviceAccount=spec["serviceAccountName"])
    for container in _containers(spec):
        default(
            container,
            imagePullPolicy=_pull_policy(str(container.get("image") or "")),
            resources={},
            terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File",
        )
        for port in container.get("ports") or ():
            default(port, protocol="TCP")
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            _fill_probe(container.get(name))
        for variable in container.get("env") or ():
            _fill_field_reference(variable.get("valueFrom"))
    for volume in spec.get("volumes") or ():
        _fill_volume(volume)


def _fill_probe(probe: Json | None) -> None:
    if not probe:
        return
    for name, least in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe[name] = probe.get(name) or least
    if probe.get("httpGet"):
        default(probe["httpGet"], path="/", scheme="HTTP")
    if probe.get("grpc"):
        default(probe["grpc"], service="")


def _fill_field_reference(source: Json | None) -> None:
    if source and source.get("fieldRef"):
        default(source["fieldRef"], apiVersion="v1")


_FILE_MODE = 0o644


def _fill_volume(volume: Json) -> None:
    """Files are readable by all, if nothing is said; a volume that says nothing at all is empty."""
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(volume.get(name), dict):
            default(volume[name], defaultMode=_FILE_MODE)
    if isinstance(volume.get("hostPath"), dict):
        default(volume["hostPath"], type="")
    projected = (volume.get("projected") or {}).get("sources") or ()
    for source in projected:
        if source.get("serviceAccountToken"):
            default(source["serviceAccountToken"], expirationSeconds=3600)
    for part in (volume, *projected):
        for item in (part.get("downwardAPI") or {}).get("items") or ():
            _fill_field_reference(item)


def fill_template(spec: Json) -> None:
    """The ``template`` of a controller's ``spec``."""
    template = part(spec, "template")
    part(template, "metadata")
    fill_pod_spec(part(template, "spec"))


def _containers(spec: Json) -> Iterable[Json]:
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            if isinstance(container, dict):
                yield container


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def _tolerates(taint: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{taint}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": _TAINT_SECONDS,
    }


def _quality(spec: Json) -> str:
    """The quality of service: by what the containers request and to what they are limited."""
    resources = [container.get("resources") or {} for container in _containers(spec)]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(one.get("limits") or ()) and (one.get("requests") or one["limits"]) == one["limits"]
        for one in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"
