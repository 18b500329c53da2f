"""What the server fills in kind by kind.

First the defaults of what an object specifies: they count as set by whoever sent it. Then, when it is settled who
manages what, the part that is the server's own: what it allots and the status with which an object starts.
https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from .kinds import Resource
from .pod_defaults import allot_pod, default, fill_pod, fill_pod_spec, fill_template, part
from .status import Json

Filler = Callable[[Json], None]


def fill_in(resource: Resource, document: Json) -> None:
    """Sets the defaults of the kind in place."""
    if not resource.custom:
        _run(_FILLERS.get((resource.group, resource.kind)), resource, document)


def allot(resource: Resource, document: Json, *, creating: bool) -> None:
    """Adds in place what nobody manages, when an object is created; what is never absent, always."""
    if resource.custom:
        return
    where = (resource.group, resource.kind)
    if creating:
        _run(_ALLOTTERS.get(where), resource, document)
        if resource.has_status:
            default(document, status={**_FIRST_STATUS.get(where, {})})
    _run(_ALWAYS.get(where), resource, document)


def _run(filler: Filler | None, resource: Resource, document: Json) -> None:
    if filler is None:
        return
    if resource.conversion is None:
        filler(document)
        return
    stored = resource.conversion.inward(document)  # the defaults are those of the stored shape
    filler(stored)
    document.clear()
    document.update(resource.conversion.outward(stored))


def _fill_rolling(strategy: Json, **values: Any) -> None:
    """A strategy: rolling, if it does not say; the details, if it is."""
    default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        default(part(strategy, "rollingUpdate"), **values)


def _fill_deployment(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, replicas=1, progressDeadlineSeconds=600, revisionHistoryLimit=10)
    _fill_rolling(part(spec, "strategy"), maxSurge="25%", maxUnavailable="25%")
    fill_template(spec)


def _fill_replica_set(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, replicas=1)
    fill_template(spec)


def _fill_replication_controller(document: Json) -> None:
    _fill_replica_set(document)
    labels = document["spec"]["template"]["metadata"].get("labels")
    if labels:
        default(document["spec"], selector=dict(labels))
        default(part(document, "metadata"), labels=dict(labels))


def _fill_stateful_set(document: Json) -> None:
    spec = part(document, "spec")
    default(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
    )
    _fill_rolling(part(spec, "updateStrategy"), partition=0)
    default(part(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    for claim in spec.get("volumeClaimTemplates") or ():
        default(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        _fill_claim(claim)
        default(part(claim, "status"), phase="Pending")
    fill_template(spec)


def _fill_daemon_set(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, revisionHistoryLimit=10)
    _fill_rolling(part(spec, "updateStrategy"), maxSurge=0, maxUnavailable=1)
    fill_template(spec)
    default(part(document["metadata"], "annotations"), **{"deprecated.daemonset.template.generation": "1"})


def _fill_job(document: Json) -> None:
    spec = part(document, "spec")
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if spec.get("parallelism") is None:
        default(spec, completions=1)
    default(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    default(spec, podReplacementPolicy="TerminatingOrFailed", manualSelector=False)
    fill_template(spec)
    if restart is None:
        del spec["template"]["spec"]["restartPolicy"]  # a job has to say it
    _default_labels(document, spec["template"]["metadata"])


def _default_labels(document: Json, template: Json) -> None:
    metadata = part(document, "metadata")
    if template.get("labels") and not metadata.get("labels"):
        metadata["labels"] = dict(template["labels"])


def _allot_to_job(document: Json) -> None:
    spec, metadata = document["spec"], document["metadata"]
    if spec.get("selector"):
        return
    labels = {
        "batch.kubernetes.io/controller-uid": metadata["uid"],
        "batch.kubernetes.io/job-name": metadata["name"],
        "controller-uid": metadata["uid"],
        "job-name": metadata["name"],
    }
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}
    template = spec["template"]["metadata"]
    same = (metadata.get("labels") or {}) == (template.get("labels") or {})
    template["labels"] = (template.get("labels") or {}) | labels
    if same:  # its own labels are those of its template
        metadata["labels"] = dict(template["labels"])


def _fill_cron_job(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, concurrencyPolicy="Allow", successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, suspend=False)
    template = part(spec, "jobTemplate")
    part(template, "metadata")
    job = part(template, "spec")
    part(part(job, "template"), "metadata")
    fill_pod_spec(part(job["template"], "spec"))


def _fill_service(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        default(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        default(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
        default(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        default(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or ():
        default(port, protocol="TCP")
        port["targetPort"] = port.get("targetPort") or port.get("port")  # 0 and the empty text say nothing


def _allot_to_service(document: Json) -> None:
    spec = part(document, "spec")
    if spec.get("type") != "ExternalName":
        default(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")


def _fill_secret(document: Json) -> None:
    default(document, type="Opaque")
    texts = document.pop("stringData", None)
    if texts:
        encoded = {key: b64encode(str(value).encode()).decode() for key, value in texts.items()}
        document["data"] = (document.get("data") or {}) | encoded


def _fill_namespace(document: Json) -> None:
    metadata = document["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}


def _allot_to_namespace(document: Json) -> None:
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


def _fill_node(document: Json) -> None:
    part(document, "spec")
    status = part(document, "status")
    if status.get("capacity"):
        default(status, allocatable=dict(status["capacity"]))
    default(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo=dict.fromkeys(_NODE_INFO, ""))


def _taint(document: Json) -> None:
    default(part(document, "spec"), taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])


def _fill_claim(document: Json) -> None:
    default(part(document, "spec"), volumeMode="Filesystem")


def _fill_volume(document: Json) -> None:
    default(part(document, "spec"), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")


def _protecting(finalizer: str) -> Filler:
    """Volumes and claims to them are kept as long as they are in use."""

    def protect(document: Json) -> None:
        finalizers = document["metadata"].get("finalizers") or []
        document["metadata"]["finalizers"] = [*(one for one in finalizers if one != finalizer), finalizer]

    return protect


def _fill_event(document: Json) -> None:
    default(document, source={}, reportingComponent="", reportingInstance="")
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        document.setdefault(name, None)


def _fill_autoscaler(document: Json) -> None:
    spec = part(document, "spec")
    target = {"type": "Utilization", "averageUtilization": 80}
    default(spec, minReplicas=1, metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": target}}])


def _fill_endpoint_slice(document: Json) -> None:
    for endpoint in document.get("endpoints") or ():
        part(endpoint, "conditions")
    for port in document.get("ports") or ():
        default(port, name="", protocol="TCP")


def _fill_endpoints(document: Json) -> None:
    for subset in document.get("subsets") or ():
        for port in subset.get("ports") or ():
            default(port, protocol="TCP")


def _fill_network_policy(document: Json) -> None:
    spec = part(document, "spec")
    default(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            default(port, protocol="TCP")


def _fill_webhooks(document: Json) -> None:
    for webhook in document.get("webhooks") or ():
        default(webhook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        default(webhook, namespaceSelector={}, objectSelector={})
        service = (webhook.get("clientConfig") or {}).get("service")
        if service:
            default(service, port=443)
        for rule in webhook.get("rules") or ():
            default(rule, scope="*")


def _fill_mutating_webhooks(document: Json) -> None:
    _fill_webhooks(document)
    for webhook in document.get("webhooks") or ():
        default(webhook, reinvocationPolicy="Never")


def _fill_storage_class(document: Json) -> None:
    default(document, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _fill_priority_class(document: Json) -> None:
    default(document, preemptionPolicy="PreemptLowerPriority")


def _show_rules(document: Json) -> None:
    document.setdefault("rules", None)


_FILLERS: Mapping[tuple[str, str], Filler] = {
    ("", "Endpoints"): _fill_endpoints,
    ("", "Event"): _fill_event,
    ("", "Namespace"): _fill_namespace,
    ("", "Node"): _fill_node,
    ("", "PersistentVolume"): _fill_volume,
    ("", "PersistentVolumeClaim"): _fill_claim,
    ("", "Pod"): fill_pod,
    ("", "PodTemplate"): fill_template,
    ("", "ReplicationController"): _fill_replication_controller,
    ("", "Secret"): _fill_secret,
    ("", "Service"): _fill_service,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _fill_mutating_webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _fill_webhooks,
    ("apps", "DaemonSet"): _fill_daemon_set,
    ("apps", "Deployment"): _fill_deployment,
    ("apps", "ReplicaSet"): _fill_replica_set,
    ("apps", "StatefulSet"): _fill_stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _fill_autoscaler,
    ("batch", "CronJob"): _fill_cron_job,
    ("batch", "Job"): _fill_job,
    ("events.k8s.io", "Event"): _fill_event,
    ("discovery.k8s.io", "EndpointSlice"): _fill_endpoint_slice,
    ("networking.k8s.io", "NetworkPolicy"): _fill_network_policy,
    ("scheduling.k8s.io", "PriorityClass"): _fill_priority_class,
    ("storage.k8s.io", "StorageClass"): _fill_storage_class,
}

_ALLOTTERS: Mapping[tuple[str, str], Filler] = {
    ("", "Namespace"): _allot_to_namespace,
    ("", "Node"): _taint,
    ("", "PersistentVolume"): _protecting("kubernetes.io/pv-protection"),
    ("", "PersistentVolumeClaim"): _protecting("kubernetes.io/pvc-protection"),
    ("", "Pod"): allot_pod,
    ("batch", "Job"): _allot_to_job,
}
_ALWAYS: Mapping[tuple[str, str], Filler] = {
    ("", "Service"): _allot_to_service,
    ("rbac.authorization.k8s.io", "ClusterRole"): _show_rules,
    ("rbac.authorization.k8s.io", "Role"): _show_rules,
}
_FIRST_STATUS: Mapping[tuple[str, str], Json] = {
    ("", "PersistentVolume"): {"phase": "Pending"},
    ("", "PersistentVolumeClaim"): {"phase": "Pending"},
    ("", "ReplicationController"): {"replicas": 0},
    ("", "Service"): {"loadBalancer": {}},
    ("apps", "DaemonSet"): dict.fromkeys(
        ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"), 0
    ),
    ("apps", "ReplicaSet"): {"replicas": 0},
    ("apps", "StatefulSet"): {"availableReplicas": 0, "replicas": 0},
    ("autoscaling", "HorizontalPodAutoscaler"): {"desiredReplicas": 0, "currentMetrics": None},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("policy", "PodDisruptionBudget"): dict.fromkeys(
        ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0
    ),
    ("storage.k8s.io", "VolumeAttachment"): {"attached": False},
}
