"""What ``kubectl get`` and ``kubectl get -o wide`` show of the built-in kinds that applications are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kubewatch.printing import cells
from kubewatch.printing.cluster_columns import CLUSTER
from kubewatch.printing.columns import AGE, NAME, Column, age_of, field, get, of
from kubewatch.printing.pod_status import POD_COLUMNS


def columns_of(kind: str, group: str) -> Sequence[Column]:
    """The columns of a built-in kind; Name and Created At where it has none of its own."""
    return BUILTIN.get((group, kind)) or CLUSTER.get((group, kind)) or UNKNOWN


UNKNOWN: Sequence[Column] = (
    NAME,
    Column("Created At", field("metadata.creationTimestamp"), "date", description="When the object was created."),
)


def _replicated(by: Column) -> list[Column]:
    return [
        NAME,
        Column("Desired", field("spec.replicas", 0), "integer"),
        Column("Current", field("status.replicas", 0), "integer"),
        Column("Ready", field("status.readyReplicas", 0), "integer"),
        AGE,
        *cells.containers("spec.template.spec"),
        by,
    ]


_SELECTOR = Column("Selector", cells.selector("spec.selector"), wide=True)
_PLAIN_SELECTOR = Column("Selector", of(lambda obj: cells.pairs(get(obj, "spec.selector"))), wide=True)
_EVENT = [
    Column("Last Seen", age_of("series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp", "firstTimestamp",
                                "deprecatedFirstTimestamp", "eventTime")),
    Column("Type", field("type")),
    Column("Reason", field("reason")),
    Column("Object", of(cells.event_object)),
    Column("Subobject", of(cells.event_subobject), wide=True),
    Column("Source", of(cells.event_source), wide=True),
    Column("Message", of(lambda obj: (obj.get("message") or obj.get("note") or "").strip())),
    Column("First Seen", age_of("firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), wide=True),
    Column("Count", of(cells.event_count), wide=True),
    Column("Name", field("metadata.name"), wide=True, format="name"),
]  # fmt: skip
_BINDING = [
    NAME,
    Column("Role", of(lambda obj: f"{get(obj, 'roleRef.kind', '')}/{get(obj, 'roleRef.name', '')}")),
    AGE,
    Column("Users", cells.subjects("User"), wide=True),
    Column("Groups", cells.subjects("Group"), wide=True),
    Column("ServiceAccounts", cells.subjects("ServiceAccount"), wide=True),
]

# (group, kind) → columns
BUILTIN: Mapping[tuple[str, str], Sequence[Column]] = {
    ("", "ConfigMap"): [NAME, Column("Data", cells.count("data", "binaryData")), AGE],
    ("", "Endpoints"): [NAME, Column("Endpoints", of(cells.endpoints)), AGE],
    ("", "Event"): _EVENT,
    ("", "Namespace"): [NAME, Column("Status", field("status.phase")), AGE],
    ("", "Node"): [
        NAME,
        Column("Status", of(cells.node_status)),
        Column("Roles", of(cells.node_roles)),
        AGE,
        Column("Version", field("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", cells.node_address("InternalIP"), wide=True),
        Column("External-IP", cells.node_address("ExternalIP"), wide=True),
        Column("OS-Image", field("status.nodeInfo.osImage", "<unknown>"), wide=True),
        Column("Kernel-Version", of(cells.node_kernel), wide=True),
        Column("Container-Runtime", field("status.nodeInfo.containerRuntimeVersion", "<unknown>"), wide=True),
    ],
    ("", "PersistentVolume"): [
        NAME,
        Column("Capacity", field("spec.capacity.storage", "0")),
        Column("Access Modes", cells.access_modes("spec.accessModes")),
        Column("Reclaim Policy", field("spec.persistentVolumeReclaimPolicy")),
        Column("Status", of(cells.phase)),
        Column("Claim", of(cells.claim)),
        Column("StorageClass", field("spec.storageClassName")),
        Column("VolumeAttributesClass", field("spec.volumeAttributesClassName", "<unset>")),
        Column("Reason", field("status.reason")),
        AGE,
        Column("VolumeMode", field("spec.volumeMode", "<unset>"), wide=True),
    ],
    ("", "PersistentVolumeClaim"): [
        NAME,
        Column("Status", of(cells.phase)),
        Column("Volume", field("spec.volumeName")),
        Column("Capacity", field("status.capacity.storage")),
        Column("Access Modes", cells.access_modes("status.accessModes")),
        Column("StorageClass", field("spec.storageClassName")),
        Column("VolumeAttributesClass", field("spec.volumeAttributesClassName", "<unset>")),
        AGE,
        Column("VolumeMode", field("spec.volumeMode", "<unset>"), wide=True),
    ],
    ("", "Pod"): POD_COLUMNS,
    ("", "PodTemplate"): [
        NAME,
        *(replace(column, wide=False) for column in cells.containers("template.spec")),
        Column("Pod Labels", of(lambda obj: cells.pairs(get(obj, "template.metadata.labels")))),
    ],
    ("", "ReplicationController"): _replicated(_PLAIN_SELECTOR),
    ("", "ResourceQuota"): [NAME, Column("Request", cells.quota(False)), Column("Limit", cells.quota(True)), AGE],
    ("", "Secret"): [NAME, Column("Type", field("type")), Column("Data", cells.count("data")), AGE],
    ("", "Service"): [
        NAME,
        Column("Type", field("spec.type")),
        Column("Cluster-IP", of(cells.cluster_ip)),
        Column("External-IP", of(cells.external_ip)),
        Column("Port(s)", of(cells.service_ports)),
        AGE,
        _PLAIN_SELECTOR,
    ],
    ("", "ServiceAccount"): [NAME, AGE],
    ("apps", "ControllerRevision"): [
        NAME,
        Column("Controller", of(cells.controller)),
        Column("Revision", field("revision", 0)),
        AGE,
    ],
    ("apps", "DaemonSet"): [
        NAME,
        Column("Desired", field("status.desiredNumberScheduled", 0), "integer"),
        Column("Current", field("status.currentNumberScheduled", 0), "integer"),
        Column("Ready", field("status.numberReady", 0), "integer"),
        Column("Up-to-date", field("status.updatedNumberScheduled", 0), "integer"),
        Column("Available", field("status.numberAvailable", 0), "integer"),
        Column("Node Selector", of(lambda obj: cells.pairs(get(obj, "spec.template.spec.nodeSelector")))),
        AGE,
        *cells.containers("spec.template.spec"),
        _SELECTOR,
    ],
    ("apps", "Deployment"): [
        NAME,
        Column("Ready", cells.ratio("status.readyReplicas", "spec.replicas")),
        Column("Up-to-date", field("status.updatedReplicas", 0)),
        Column("Available", field("status.availableReplicas", 0)),
        AGE,
        *cells.containers("spec.template.spec"),
        _SELECTOR,
    ],
    ("apps", "ReplicaSet"): _replicated(_SELECTOR),
    ("apps", "StatefulSet"): [
        NAME,
        Column("Ready", cells.ratio("status.readyReplicas", "spec.replicas")),
        AGE,
        *cells.containers("spec.template.spec"),
    ],
    ("autoscaling", "HorizontalPodAutoscaler"): [
        NAME,
        Column("Reference", of(cells.scale_target)),
        Column("Targets", of(cells.scale_metrics)),
        Column("MinPods", of(lambda obj: str(get(obj, "spec.minReplicas", "<unset>")))),
        Column("MaxPods", field("spec.maxReplicas", 0)),
        Column("Replicas", field("status.currentReplicas", 0)),
        AGE,
    ],
    ("batch", "CronJob"): [
        NAME,
        Column("Schedule", field("spec.schedule")),
        Column("Timezone", field("spec.timeZone", "<none>")),
        Column("Suspend", of(lambda obj: str(get(obj, "spec.suspend", "<unset>"))), "boolean"),
        Column("Active", cells.count("status.active"), "integer"),
        Column("Last Schedule", cells.last_schedule),
        AGE,
        *cells.containers("spec.jobTemplate.spec.template.spec"),
        Column("Selector", cells.selector("spec.jobTemplate.spec.selector"), wide=True),
    ],
    ("batch", "Job"): [
        NAME,
        Column("Status", of(cells.job_status)),
        Column("Completions", of(cells.job_completions)),
        Column("Duration", cells.job_duration),
        AGE,
        *cells.containers("spec.template.spec"),
        _SELECTOR,
    ],
    ("coordination.k8s.io", "Lease"): [NAME, Column("Holder", field("spec.holderIdentity")), AGE],
    ("discovery.k8s.io", "EndpointSlice"): [
        NAME,
        Column("AddressType", field("addressType")),
        Column("Ports", of(cells.slice_ports)),
        Column("Endpoints", of(cells.slice_endpoints)),
        AGE,
    ],
    ("events.k8s.io", "Event"): _EVENT,
    ("networking.k8s.io", "Ingress"): [
        NAME,
        Column("Class", field("spec.ingressClassName", "<none>")),
        Column("Hosts", of(cells.hosts)),
        Column("Address", of(lambda obj: ",".join(cells.load_balancer(obj)))),
        Column("Ports", of(lambda obj: "80, 443" if get(obj, "spec.tls") else "80")),
        AGE,
    ],
    ("networking.k8s.io", "IngressClass"): [
        NAME,
        Column("Controller", field("spec.controller")),
        Column("Parameters", of(cells.parameters)),
        AGE,
    ],
    ("networking.k8s.io", "NetworkPolicy"): [NAME, Column("Pod-Selector", cells.selector("spec.podSelector")), AGE],
    ("policy", "PodDisruptionBudget"): [
        NAME,
        Column("Min Available", of(lambda obj: str(get(obj, "spec.minAvailable", "N/A")))),
        Column("Max Unavailable", of(lambda obj: str(get(obj, "spec.maxUnavailable", "N/A")))),
        Column("Allowed Disruptions", field("status.disruptionsAllowed", 0), "integer"),
        AGE,
    ],
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("scheduling.k8s.io", "PriorityClass"): [
        NAME,
        Column("Value", field("value", 0), "integer"),
        Column("Global-Default", field("globalDefault", False), "boolean"),
        AGE,
        Column("PreemptionPolicy", field("preemptionPolicy")),
    ],
    ("storage.k8s.io", "StorageClass"): [
        Column("Name", of(cells.storage_class_name), format="name"),
        Column("Provisioner", field("provisioner")),
        Column("ReclaimPolicy", field("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", field("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", field("allowVolumeExpansion", False)),
        AGE,
    ],
}
