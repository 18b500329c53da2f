"""The merge rules of Kubernetes' own kinds, as their API types declare them (listType, mapType, patchMergeKey …).

Only what differs from the usual is here: fields merge one by one, lists are replaced.
https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from kubewatch.testing.apiserver.schemas import ATOMIC, FREE, PLAIN, Schema, by, from_openapi, struct

MAP = Schema(values=PLAIN)
ATOMIC_MAP = Schema(merge="atomic", values=PLAIN)
SET = Schema(merge="set")
MERGED_SET = Schema(merge="set", patch="merge")
CONDITIONS = by("type")

METADATA = struct(
    annotations=MAP,
    labels=MAP,
    finalizers=MERGED_SET,
    ownerReferences=by("uid", item=ATOMIC),
)

# Pods, and everything that carries a pod template.
RESOURCES = struct(claims=by("name", patch_key=""), limits=MAP, requests=MAP)
ENV_SOURCE = struct(
    configMapKeyRef=ATOMIC, fieldRef=ATOMIC, fileKeyRef=ATOMIC, resourceFieldRef=ATOMIC, secretKeyRef=ATOMIC
)
CONTAINER = struct(
    env=by("name", item=struct(valueFrom=ENV_SOURCE)),
    ports=by("containerPort", "protocol", protocol="TCP"),
    resources=RESOURCES,
    volumeDevices=by("devicePath"),
    volumeMounts=by("mountPath"),
)
WITH_SECRET = struct(secretRef=ATOMIC)
CLAIM_SPEC = struct(dataSource=ATOMIC, resources=struct(limits=MAP, requests=MAP), selector=ATOMIC)
VOLUME = struct(
    cephfs=WITH_SECRET,
    cinder=WITH_SECRET,
    csi=struct(nodePublishSecretRef=ATOMIC, volumeAttributes=MAP),
    ephemeral=struct(volumeClaimTemplate=struct(metadata=METADATA, spec=CLAIM_SPEC)),
    flexVolume=struct(options=MAP, secretRef=ATOMIC),
    iscsi=WITH_SECRET,
    rbd=WITH_SECRET,
    scaleIO=WITH_SECRET,
    storageos=WITH_SECRET,
)
POD_SPEC = struct(
    affinity=struct(nodeAffinity=struct(requiredDuringSchedulingIgnoredDuringExecution=ATOMIC)),
    containers=by("name", item=CONTAINER),
    ephemeralContainers=by("name", item=CONTAINER),
    hostAliases=by("ip"),
    imagePullSecrets=by("name", item=ATOMIC),
    initContainers=by("name", item=CONTAINER),
    nodeSelector=ATOMIC_MAP,
    overhead=MAP,
    resourceClaims=by("name"),
    resources=RESOURCES,
    schedulingGates=by("name"),
    topologySpreadConstraints=by("topologyKey", "whenUnsatisfiable", item=struct(labelSelector=ATOMIC)),
    volumes=by("name", item=VOLUME),
)
POD_STATUS = struct(
    allocatedResources=MAP,
    conditions=CONDITIONS,
    hostIPs=Schema(merge="atomic", patch_key="ip"),
    podIPs=by("ip"),
    resourceClaimStatuses=by("name"),
    resources=RESOURCES,
)
TEMPLATE = struct(metadata=METADATA, spec=POD_SPEC)
WORKLOAD = struct(spec=struct(selector=ATOMIC, template=TEMPLATE), status=struct(conditions=CONDITIONS))
JOB_SPEC = struct(selector=ATOMIC, template=TEMPLATE)

VOLUME_SPEC = struct(
    capacity=MAP,
    cephfs=WITH_SECRET,
    cinder=WITH_SECRET,
    csi=struct(
        controllerExpandSecretRef=ATOMIC,
        controllerPublishSecretRef=ATOMIC,
        nodeExpandSecretRef=ATOMIC,
        nodePublishSecretRef=ATOMIC,
        nodeStageSecretRef=ATOMIC,
        volumeAttributes=MAP,
    ),
    flexVolume=struct(options=MAP, secretRef=ATOMIC),
    iscsi=WITH_SECRET,
    nodeAffinity=struct(required=ATOMIC),
    rbd=WITH_SECRET,
    scaleIO=WITH_SECRET,
    storageos=WITH_SECRET,
)

ANY_STATUS = struct(status=struct(conditions=CONDITIONS))
# Conditions that strategic merge replaces as a whole.
BARE_CONDITIONS = struct(status=struct(conditions=by("type", patch_key="")))
WEBHOOKS = struct(
    webhooks=by("name", item=struct(matchConditions=by("name"), namespaceSelector=ATOMIC, objectSelector=ATOMIC))
)
POLICY_SPEC = struct(matchConditions=by("name"), matchConstraints=ATOMIC, paramKind=ATOMIC)

# Group → kind → schema without metadata. Where versions of a group differ, "group/version" comes first.
KINDS: Mapping[str, Mapping[str, Schema]] = {
    "": {
        "Binding": struct(target=ATOMIC),
        "ComponentStatus": struct(conditions=CONDITIONS),
        "ConfigMap": struct(binaryData=MAP, data=MAP),
        "Event": struct(involvedObject=ATOMIC, related=ATOMIC),
        "Namespace": ANY_STATUS,
        "Node": struct(
            spec=struct(podCIDRs=MERGED_SET),
            status=struct(addresses=by("type"), allocatable=MAP, capacity=MAP, conditions=CONDITIONS),
        ),
        "PersistentVolume": struct(spec=VOLUME_SPEC),
        "PersistentVolumeClaim": struct(
            spec=CLAIM_SPEC,
            status=struct(allocatedResourceStatuses=MAP, allocatedResources=MAP, capacity=MAP, conditions=CONDITIONS),
        ),
        "Pod": struct(spec=POD_SPEC, status=POD_STATUS),
        "PodTemplate": struct(template=TEMPLATE),
        "ReplicationController": struct(
            spec=struct(selector=ATOMIC_MAP, template=TEMPLATE), status=struct(conditions=CONDITIONS)
        ),
        "ResourceQuota": struct(spec=struct(hard=MAP, scopeSelector=ATOMIC), status=struct(hard=MAP, used=MAP)),
        "Secret": struct(data=MAP, stringData=MAP),
        "Service": struct(
            spec=struct(ports=by("port", "protocol", protocol="TCP"), selector=ATOMIC_MAP),
            status=struct(conditions=CONDITIONS),
        ),
        "ServiceAccount": struct(secrets=by("name", item=ATOMIC)),
    },
    "admissionregistration.k8s.io": {
        "MutatingAdmissionPolicy": struct(spec=POLICY_SPEC),
        "MutatingAdmissionPolicyBinding": struct(spec=struct(matchResources=ATOMIC, paramRef=ATOMIC)),
        "MutatingWebhookConfiguration": WEBHOOKS,
        "ValidatingAdmissionPolicy": struct(
            spec=struct(**POLICY_SPEC.fields, variables=by("name", item=ATOMIC)),
            status=struct(conditions=by("type", patch_key="")),
        ),
        "ValidatingAdmissionPolicyBinding": struct(
            spec=struct(matchResources=ATOMIC, paramRef=ATOMIC, validationActions=SET)
        ),
        "ValidatingWebhookConfiguration": WEBHOOKS,
    },
    "apiextensions.k8s.io": {"CustomResourceDefinition": BARE_CONDITIONS},
    "apiregistration.k8s.io": {"APIService": ANY_STATUS},
    "apps": {
        "ControllerRevision": struct(data=FREE),
        "DaemonSet": WORKLOAD,
        "Deployment": WORKLOAD,
        "ReplicaSet": WORKLOAD,
        "StatefulSet": WORKLOAD,
    },
    "authentication.k8s.io": {},
    "authorization.k8s.io": {},
    "autoscaling/v1": {"HorizontalPodAutoscaler": struct(spec=struct(scaleTargetRef=ATOMIC))},
    "autoscaling": {"HorizontalPodAutoscaler": ANY_STATUS},
    "batch": {
        "CronJob": struct(spec=struct(jobTemplate=struct(metadata=METADATA, spec=JOB_SPEC))),
        "Job": struct(
            spec=JOB_SPEC,
            status=struct(
                conditions=Schema(merge="atomic", patch_key="type"),
                uncountedTerminatedPods=struct(failed=SET, succeeded=SET),
            ),
        ),
    },
    "certificates.k8s.io": {
        "CertificateSigningRequest": struct(spec=struct(extra=MAP), **BARE_CONDITIONS.fields),
    },
    "coordination.k8s.io": {},
    "discovery.k8s.io": {},
    "events.k8s.io": {"Event": struct(regarding=ATOMIC, related=ATOMIC)},
    "flowcontrol.apiserver.k8s.io": {"FlowSchema": ANY_STATUS, "PriorityLevelConfiguration": ANY_STATUS},
    "networking.k8s.io": {
        "Ingress": struct(
            spec=struct(defaultBackend=struct(resource=ATOMIC, service=struct(port=ATOMIC))),
        ),
        "NetworkPolicy": struct(spec=struct(podSelector=ATOMIC)),
        "ServiceCIDR": ANY_STATUS,
    },
    "node.k8s.io": {
        "RuntimeClass": struct(overhead=struct(podFixed=MAP), scheduling=struct(nodeSelector=ATOMIC_MAP)),
    },
    "policy": {
        "PodDisruptionBudget": struct(
            spec=struct(selector=Schema(merge="atomic", patch="replace")),
            status=struct(conditions=CONDITIONS, disruptedPods=MAP),
        ),
    },
    "rbac.authorization.k8s.io": {
        "ClusterRoleBinding": struct(roleRef=ATOMIC),
        "RoleBinding": struct(roleRef=ATOMIC),
    },
    "resource.k8s.io": {
        "ResourceClaim": struct(
            status=struct(
                allocation=struct(nodeSelector=ATOMIC),
                devices=by(
                    "driver",
                    "device",
                    "pool",
                    "shareID",
                    item=struct(conditions=by("type", patch_key=""), data=FREE),
                    patch_key="",
                ),
                reservedFor=by("uid"),
            )
        ),
        "ResourceClaimTemplate": struct(spec=struct(metadata=METADATA)),
        "ResourceSlice": struct(spec=struct(nodeSelector=ATOMIC)),
    },
    "scheduling.k8s.io": {},
    "storage.k8s.io": {
        "CSIDriver": struct(spec=struct(volumeLifecycleModes=SET)),
        "CSINode": struct(spec=struct(drivers=by("name"))),
        "CSIStorageCapacity": struct(nodeTopology=ATOMIC),
        "StorageClass": struct(parameters=MAP),
        "VolumeAttachment": struct(
            spec=struct(source=struct(inlineVolumeSpec=VOLUME_SPEC)), status=struct(attachmentMetadata=MAP)
        ),
        "VolumeAttributesClass": struct(parameters=MAP),
    },
}

_EVERY_OBJECT = {"apiVersion": PLAIN, "kind": PLAIN, "metadata": METADATA}
CUSTOM = Schema(fields=_EVERY_OBJECT, free=True)


def is_builtin(api_version: str) -> bool:
    """Whether the kinds of ``api_version`` are Kubernetes' own: those have strategic merge, custom resources none."""
    return _group(api_version) in KINDS


@cache
def schema_of(kind: str, api_version: str) -> Schema:
    """The merge rules of a kind; of a custom resource only those of its metadata.

    >>> schema_of("Pod", "v1").child("spec").child("containers").keys
    ('name',)
    """
    if not is_builtin(api_version):
        return CUSTOM
    for group in (api_version, _group(api_version)):
        found = KINDS.get(group, {}).get(kind)
        if found is not None:
            return struct(**{**found.fields, "metadata": METADATA})
    return struct(metadata=METADATA)


def custom_schema(openapi: Mapping[str, Any]) -> Schema:
    """The merge rules of a custom resource by the ``openAPIV3Schema`` of its version in the CRD."""
    if not openapi:
        return CUSTOM
    schema = from_openapi(openapi)
    return replace(schema, fields={**schema.fields, **_EVERY_OBJECT})


def _group(api_version: str) -> str:
    group, slash, _ = api_version.rpartition("/")
    return group if slash else ""
