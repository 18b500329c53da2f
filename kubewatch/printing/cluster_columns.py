"""What ``kubectl get`` shows of the kinds that make a cluster: admission, storage, networks, devices, priorities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubewatch.printing import cells
from kubewatch.printing.ages import human_duration
from kubewatch.printing.columns import AGE, NAME, Cell, Column, Json, field, get, of

_WEBHOOKS = [NAME, Column("Webhooks", cells.count("webhooks"), "integer"), AGE]


def _param_kind(obj: Json) -> str:
    ref = get(obj, "spec.paramKind")
    return f"{ref.get('apiVersion', '')}/{ref.get('kind', '')}" if ref else "<unset>"


def _param_ref(obj: Json) -> str:
    ref = get(obj, "spec.paramRef", {})
    return f"{ref.get('namespace') or '*'}/{ref['name']}" if ref.get("name") else "<unset>"


def _service(obj: Json) -> str:
    ref = get(obj, "spec.service")
    return f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else "Local"


def _available(obj: Json) -> str:
    found = [one for one in get(obj, "status.conditions", ()) if one.get("type") == "Available"]
    if not found:
        return "Unknown"
    status, reason = found[0].get("status", ""), found[0].get("reason")
    return f"{status} ({reason})" if reason and status != "True" else str(status)


def _request_state(obj: Json) -> str:
    """Whether a certificate was granted."""
    conditions = {one.get("type") for one in get(obj, "status.conditions", ())}
    state = next((one for one in ("Denied", "Approved") if one in conditions), "Pending")
    issued = ",Issued" if get(obj, "status.certificate") else ""
    return state + (",Failed" if "Failed" in conditions else "") + issued


def _requested_duration(obj: Json) -> str:
    seconds = get(obj, "spec.expirationSeconds")
    return "<none>" if seconds is None else human_duration(seconds)


def _dangling(obj: Json) -> str:
    found = [one for one in get(obj, "status.conditions", ()) if one.get("type") == "Dangling"]
    return str(found[0].get("status", "")) if found else "?"


def _parent(obj: Json) -> str:
    ref = get(obj, "spec.parentRef")
    if not ref:
        return "<none>"
    resource = ".".join(filter(None, (ref.get("resource"), ref.get("group")))).lower()
    return "/".join(filter(None, (resource, ref.get("namespace"), ref.get("name"))))


def _claim_state(obj: Json) -> str:
    deleted, allocated = get(obj, "metadata.deletionTimestamp"), get(obj, "status.allocation")
    states = ["deleted"] if deleted else [] if allocated else ["pending"]
    if allocated:
        states += ["allocated", "reserved"] if get(obj, "status.reservedFor") else ["allocated"]
    return ",".join(states)


def _audiences(obj: Json) -> str:
    requests = get(obj, "spec.tokenRequests")
    return "<unset>" if requests is None else ",".join(one.get("audience", "") for one in requests)


def _limited(path: str) -> Cell:
    """A number of a priority level, which those without limits have not."""
    return field(f"spec.limited.{path}", "<none>")


# (group, kind) → columns
CLUSTER: Mapping[tuple[str, str], Sequence[Column]] = {
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): [
        NAME,
        Column("Mutations", cells.count("spec.mutations"), "integer"),
        Column("ParamKind", of(_param_kind)),
        AGE,
    ],
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): [
        NAME,
        Column("PolicyName", field("spec.policyName")),
        Column("ParamRef", of(_param_ref)),
        AGE,
    ],
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): [
        NAME,
        Column("Validations", cells.count("spec.validations"), "integer"),
        Column("ParamKind", of(_param_kind)),
        AGE,
    ],
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): [
        NAME,
        Column("PolicyName", field("spec.policyName")),
        Column("ParamRef", of(_param_ref)),
        AGE,
    ],
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("apiregistration.k8s.io", "APIService"): [
        NAME,
        Column("Service", of(_service)),
        Column("Available", of(_available)),
        AGE,
    ],
    ("certificates.k8s.io", "CertificateSigningRequest"): [
        NAME,
        AGE,
        Column("SignerName", field("spec.signerName", "<none>")),
        Column("Requestor", field("spec.username")),
        Column("RequestedDuration", of(_requested_duration)),
        Column("Condition", of(_request_state)),
    ],
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): [
        NAME,
        Column("PriorityLevel", field("spec.priorityLevelConfiguration.name")),
        Column("MatchingPrecedence", field("spec.matchingPrecedence", 0)),
        Column("DistinguisherMethod", field("spec.distinguisherMethod.type", "<none>")),
        AGE,
        Column("MissingPL", of(_dangling)),
    ],
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): [
        NAME,
        Column("Type", field("spec.type")),
        Column("NominalConcurrencyShares", _limited("nominalConcurrencyShares")),
        Column("Queues", _limited("limitResponse.queuing.queues")),
        Column("HandSize", _limited("limitResponse.queuing.handSize")),
        Column("QueueLengthLimit", _limited("limitResponse.queuing.queueLengthLimit")),
        AGE,
    ],
    ("networking.k8s.io", "IPAddress"): [NAME, Column("ParentRef", of(_parent))],
    ("networking.k8s.io", "ServiceCIDR"): [
        NAME,
        Column("CIDRs", of(lambda obj: ",".join(get(obj, "spec.cidrs", ())))),
        AGE,
    ],
    ("node.k8s.io", "RuntimeClass"): [NAME, Column("Handler", field("handler")), AGE],
    ("resource.k8s.io", "DeviceClass"): [NAME, AGE],
    ("resource.k8s.io", "ResourceClaim"): [NAME, Column("State", of(_claim_state)), AGE],
    ("resource.k8s.io", "ResourceClaimTemplate"): [NAME, AGE],
    ("resource.k8s.io", "ResourceSlice"): [
        NAME,
        Column("Node", field("spec.nodeName")),
        Column("Driver", field("spec.driver")),
        Column("Pool", field("spec.pool.name")),
        AGE,
    ],
    ("storage.k8s.io", "CSIDriver"): [
        NAME,
        Column("AttachRequired", field("spec.attachRequired", True), "boolean"),
        Column("PodInfoOnMount", field("spec.podInfoOnMount", False), "boolean"),
        Column("StorageCapacity", field("spec.storageCapacity", False), "boolean"),
        Column("TokenRequests", of(_audiences)),
        Column("RequiresRepublish", field("spec.requiresRepublish", False), "boolean"),
        Column("Modes", of(lambda obj: ",".join(get(obj, "spec.volumeLifecycleModes", ())) or "<none>")),
        AGE,
    ],
    ("storage.k8s.io", "CSINode"): [NAME, Column("Drivers", cells.count("spec.drivers"), "integer"), AGE],
    ("storage.k8s.io", "VolumeAttachment"): [
        NAME,
        Column("Attacher", field("spec.attacher"), format="name"),
        Column("PV", field("spec.source.persistentVolumeName")),
        Column("Node", field("spec.nodeName")),
        Column("Attached", field("status.attached", False), "boolean"),
        AGE,
    ],
    ("storage.k8s.io", "VolumeAttributesClass"): [NAME, Column("DriverName", field("driverName")), AGE],
}
