"""What the server fills in kind by kind: the defaults of an object's specification, the status it starts with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from .kinds import Resource
from .status import Json


def fill_in(resource: Resource, document: Json, *, creating: bool) -> None:
    """Sets the defaults of the kind in place."""
    filler = _FILLERS.get((resource.group, resource.kind))
    if filler is not None and not resource.custom:
        filler(document, creating)


def _part(document: Json, name: str) -> Json:
    part = document.get(name)
    if not isinstance(part, dict):
        part = document[name] = {}
    return part


def _default(part: Json, **values: Any) -> None:
    for key, value in values.items():
        if part.get(key) is None:
            part[key] = value


def _fill_pod_spec(spec: Json, *, restart: str = "Always") -> None:
    _default(
        spec,
        restartPolicy=restart,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    if spec.get("serviceAccountName"):
        _default(spec, serviceAccount=spec["serviceAccountName"])
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        if not isinstance(container, dict):
            continue
        image = str(container.get("image", ""))
        tagless = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
        _default(
            container,
            imagePullPolicy="Always" if tagless and "@" not in image else "IfNotPresent",
            resources={},
            terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File",
        )
        for port in container.get("ports") or ():
            _default(port, protocol="TCP")


def _fill_pod(document: Json, creating: bool) -> None:
    spec = _part(document, "spec")
    _fill_pod_spec(spec)
    _default(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    if creating:
        document["status"] = {"phase": "Pending", "qosClass": _qos(spec)}


def _qos(spec: Json) -> str:
    resources = [
        container.get("resources") or {} for container in spec.get("containers") or () if isinstance(container, dict)
    ]
    if not any(resource.get("requests") or resource.get("limits") for resource in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(resource.get("limits") or ())
        and (resource.get("requests") or resource["limits"]) == resource["limits"]
        for resource in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _fill_workload(document: Json, creating: bool) -> None:
    spec = _part(document, "spec")
    template = _part(spec, "template")
    template.setdefault("metadata", {})
    _fill_pod_spec(_part(template, "spec"))
    if document.get("kind") != "DaemonSet":
        _default(spec, replicas=1)
    if document.get("kind") == "Deployment":
        rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
        _default(
            spec,
            progressDeadlineSeconds=600,
            revisionHistoryLimit=10,
            strategy={"type": "RollingUpdate", "rollingUpdate": rolling},
        )
    if document.get("kind") == "StatefulSet":
        _default(
            spec,
            podManagementPolicy="OrderedReady",
            revisionHistoryLimit=10,
            updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
        )
    if document.get("kind") == "DaemonSet":
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
        _default(spec, revisionHistoryLimit=10, updateStrategy=strategy)
    if creating and document.get("kind") in ("ReplicaSet", "ReplicationController"):
        document["status"] = {"replicas": 0}
    if creating and document.get("kind") == "StatefulSet":
        document["status"] = {"availableReplicas": 0, "replicas": 0}
    if creating and document.get("kind") == "DaemonSet":
        counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
        document["status"] = dict.fromkeys(counts, 0)


def _fill_replication_controller(document: Json, creating: bool) -> None:
    _fill_workload(document, creating)
    spec = document["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels:
        _default(spec, selector=dict(labels))
        _default(_part(document, "metadata"), labels=dict(labels))


def _fill_job(document: Json, creating: bool) -> None:
    spec = _part(document, "spec")
    _default(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _default(spec, podReplacementPolicy="TerminatingOrFailed", manualSelector=False)
    if not spec["manualSelector"]:
        del spec["manualSelector"]
    if creating and not spec.get("selector"):
        uid, name = document["metadata"].get("uid", ""), document["metadata"].get("name", "")
        labels = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        metadata = _part(_part(spec, "template"), "metadata")
        metadata["labels"] = (metadata.get("labels") or {}) | labels
    _fill_pod_spec(_part(_part(spec, "template"), "spec"))


def _fill_cron_job(document: Json, creating: bool) -> None:
    spec = _part(document, "spec")
    _default(spec, concurrencyPolicy="Allow", successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, suspend=False)


def _fill_service(document: Json, creating: bool) -> None:
    spec = _part(document, "spec")
    _default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        _default(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports") or ():
        _default(port, protocol="TCP", targetPort=port.get("port"))
    if creating:
        document["status"] = {"loadBalancer": {}}


def _fill_secret(document: Json, creating: bool) -> None:
    _default(document, type="Opaque")
    texts = document.pop("stringData", None)
    if texts:
        data = _part(document, "data")
        data.update({key: b64encode(str(value).encode()).decode() for key, value in texts.items()})


def _fill_namespace(document: Json, creating: bool) -> None:
    metadata = document["metadata"]
    labels = metadata.get("labels") or {}
    metadata["labels"] = labels | {"kubernetes.io/metadata.name": metadata.get("name", "")}
    if creating:
        document["spec"] = {"finalizers": ["kubernetes"]}
        document["status"] = {"phase": "Active"}


def _fill_claim(document: Json, creating: bool) -> None:
    _default(_part(document, "spec"), volumeMode="Filesystem")
    if creating:
        document["status"] = {"phase": "Pending"}


def _fill_volume(document: Json, creating: bool) -> None:
    _default(_part(document, "spec"), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    if creating:
        document["status"] = {"phase": "Pending"}


def _fill_storage_class(document: Json, creating: bool) -> None:
    _default(document, reclaimPolicy="Delete", volumeBindingMode="Immediate")


_FILLERS: dict[tuple[str, str], Callable[[Json, bool], None]] = {
    ("", "Pod"): _fill_pod,
    ("", "ReplicationController"): _fill_replication_controller,
    ("", "Service"): _fill_service,
    ("", "Secret"): _fill_secret,
    ("", "Namespace"): _fill_namespace,
    ("", "PersistentVolumeClaim"): _fill_claim,
    ("", "PersistentVolume"): _fill_volume,
    ("apps", "Deployment"): _fill_workload,
    ("apps", "ReplicaSet"): _fill_workload,
    ("apps", "StatefulSet"): _fill_workload,
    ("apps", "DaemonSet"): _fill_workload,
    ("batch", "Job"): _fill_job,
    ("batch", "CronJob"): _fill_cron_job,
    ("storage.k8s.io", "StorageClass"): _fill_storage_class,
}
