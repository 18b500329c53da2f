"""What the server fills in kind by kind: the defaults of an object's specification, the status it starts with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from .kinds import Resource
from .pod_defaults import default, fill_pod, fill_pod_spec, fill_template, part
from .status import Json


def fill_in(resource: Resource, document: Json, *, creating: bool) -> None:
    """Sets the defaults of the kind in place."""
    filler = None if resource.custom else _FILLERS.get((resource.group, resource.kind))
    if filler is None:
        return
    if resource.conversion is None:
        filler(document, creating)
        return
    stored = resource.conversion.inward(document)  # the defaults are those of the stored shape
    filler(stored, creating)
    document.clear()
    document.update(resource.conversion.outward(stored))


def _rolling(**values: Any) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": values}


def _fill_deployment(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(spec, replicas=1, progressDeadlineSeconds=600, revisionHistoryLimit=10)
    default(spec, strategy=_rolling(maxSurge="25%", maxUnavailable="25%"))
    fill_template(spec)
    _start(document, creating, {})


def _fill_replica_set(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(spec, replicas=1)
    fill_template(spec)
    _start(document, creating, {"replicas": 0})


def _fill_replication_controller(document: Json, creating: bool) -> None:
    _fill_replica_set(document, creating)
    labels = document["spec"]["template"]["metadata"].get("labels")
    if labels:
        default(document["spec"], selector=dict(labels))
        default(part(document, "metadata"), labels=dict(labels))


def _fill_stateful_set(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
        updateStrategy=_rolling(partition=0),
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    fill_template(spec)
    _start(document, creating, {"availableReplicas": 0, "replicas": 0})


def _fill_daemon_set(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(spec, revisionHistoryLimit=10, updateStrategy=_rolling(maxSurge=0, maxUnavailable=1))
    fill_template(spec)
    if creating:
        default(part(document["metadata"], "annotations"), **{"deprecated.daemonset.template.generation": "1"})
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    _start(document, creating, dict.fromkeys(counts, 0))


def _fill_job_spec(spec: Json) -> None:
    default(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    default(spec, podReplacementPolicy="TerminatingOrFailed", manualSelector=False)
    fill_template(spec)


def _fill_job(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    _fill_job_spec(spec)
    if restart is None:
        del spec["template"]["spec"]["restartPolicy"]  # a job has to say it
    if creating and not spec.get("selector"):
        uid, name = document["metadata"]["uid"], document["metadata"]["name"]
        labels = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        for metadata in (document["metadata"], spec["template"]["metadata"]):
            metadata["labels"] = (metadata.get("labels") or {}) | labels
    _start(document, creating, {})


def _fill_cron_job(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(spec, concurrencyPolicy="Allow", successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, suspend=False)
    template = part(spec, "jobTemplate")
    part(template, "metadata")
    job = part(template, "spec")
    part(part(job, "template"), "metadata")
    fill_pod_spec(part(job["template"], "spec"))
    _start(document, creating, {})


def _fill_service(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        default(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports") or ():
        default(port, protocol="TCP", targetPort=port.get("port"))
    _start(document, creating, {"loadBalancer": {}})


def _fill_secret(document: Json, creating: bool) -> None:
    default(document, type="Opaque")
    texts = document.pop("stringData", None)
    if texts:
        encoded = {key: b64encode(str(value).encode()).decode() for key, value in texts.items()}
        document["data"] = (document.get("data") or {}) | encoded


def _fill_namespace(document: Json, creating: bool) -> None:
    metadata = document["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}
    if creating:
        document["spec"] = {"finalizers": ["kubernetes"]}
        document["status"] = {"phase": "Active"}


_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def _fill_node(document: Json, creating: bool) -> None:
    spec, status = part(document, "spec"), part(document, "status")
    if creating:
        default(spec, taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    if status.get("capacity"):
        default(status, allocatable=dict(status["capacity"]))
    default(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo=dict.fromkeys(_NODE_INFO, ""))


def _fill_claim(document: Json, creating: bool) -> None:
    default(part(document, "spec"), volumeMode="Filesystem")
    _protect(document, creating, "kubernetes.io/pvc-protection")
    _start(document, creating, {"phase": "Pending"})


def _fill_volume(document: Json, creating: bool) -> None:
    default(part(document, "spec"), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _protect(document, creating, "kubernetes.io/pv-protection")
    _start(document, creating, {"phase": "Pending"})


def _protect(document: Json, creating: bool, finalizer: str) -> None:
    if creating:
        finalizers = document["metadata"].get("finalizers") or []
        document["metadata"]["finalizers"] = [*(one for one in finalizers if one != finalizer), finalizer]


def _fill_event(document: Json, creating: bool) -> None:
    default(document, source={}, reportingComponent="", reportingInstance="")
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        document.setdefault(name, None)


def _fill_ingress(document: Json, creating: bool) -> None:
    _start(document, creating, {"loadBalancer": {}})


def _fill_disruption_budget(document: Json, creating: bool) -> None:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    _start(document, creating, dict.fromkeys(counts, 0))


def _fill_autoscaler(document: Json, creating: bool) -> None:
    spec = part(document, "spec")
    target = {"type": "Utilization", "averageUtilization": 80}
    default(spec, minReplicas=1, metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": target}}])
    _start(document, creating, {"desiredReplicas": 0, "currentMetrics": None})


def _fill_endpoint_slice(document: Json, creating: bool) -> None:
    for endpoint in document.get("endpoints") or ():
        part(endpoint, "conditions")
    for port in document.get("ports") or ():
        default(port, name="", protocol="TCP")


def _fill_storage_class(document: Json, creating: bool) -> None:
    default(document, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _fill_priority_class(document: Json, creating: bool) -> None:
    default(document, preemptionPolicy="PreemptLowerPriority")


def _start(document: Json, creating: bool, status: Json) -> None:
    """The status of a new object."""
    if creating:
        document["status"] = status


_FILLERS: dict[tuple[str, str], Callable[[Json, bool], None]] = {
    ("", "Event"): _fill_event,
    ("", "Namespace"): _fill_namespace,
    ("", "Node"): _fill_node,
    ("", "PersistentVolume"): _fill_volume,
    ("", "PersistentVolumeClaim"): _fill_claim,
    ("", "Pod"): fill_pod,
    ("", "ReplicationController"): _fill_replication_controller,
    ("", "Secret"): _fill_secret,
    ("", "Service"): _fill_service,
    ("apps", "DaemonSet"): _fill_daemon_set,
    ("apps", "Deployment"): _fill_deployment,
    ("apps", "ReplicaSet"): _fill_replica_set,
    ("apps", "StatefulSet"): _fill_stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _fill_autoscaler,
    ("batch", "CronJob"): _fill_cron_job,
    ("batch", "Job"): _fill_job,
    ("events.k8s.io", "Event"): _fill_event,
    ("discovery.k8s.io", "EndpointSlice"): _fill_endpoint_slice,
    ("networking.k8s.io", "Ingress"): _fill_ingress,
    ("policy", "PodDisruptionBudget"): _fill_disruption_budget,
    ("scheduling.k8s.io", "PriorityClass"): _fill_priority_class,
    ("storage.k8s.io", "StorageClass"): _fill_storage_class,
}
