"""Which kinds the server serves: the built-in ones, and those that CustomResourceDefinitions add."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .builtin_schemas import custom_schema, schema_of
from .conversion import CONVERSIONS, Conversion
from .schemas import Schema
from .status import group_resource

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


_SUBRESOURCE_VERBS = {"binding": ("create",), "eviction": ("create",), "token": ("create",), "finalize": ("update",)}


@dataclass(frozen=True)
class ScalePaths:
    """Paths of the numbers and the selector that the scale subresource shows; no ``selector`` in some custom kinds."""

    wanted: str = "spec.replicas"
    current: str = "status.replicas"
    selector: str = "spec.selector"


@dataclass(frozen=True)
class Resource:
    """One kind in one served version: its names, its scope and the rules in which kinds differ."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    singular: str = ""
    listed_as: str = ""  # the list's kind, where it is not the kind's name with "List"
    stored_in: tuple[str, str] = ("", "")  # (group, plural) of the collection that holds the objects
    fields: Mapping[str, str] = field(default_factory=dict)  # selectable field -> path in the stored object
    generation: bool = False  # metadata.generation counts the changes of the spec
    resets_status: bool = True  # a status sent on create is dropped
    unconditional_update: bool = True  # PUT without a resourceVersion is allowed
    create_on_update: bool = False  # PUT creates what is missing
    returns_deleted: bool = False  # DELETE answers with the object rather than with a Status
    graceful: bool = False  # dies slowly: DELETE first marks the object, then waits for its grace period
    propagation: str = ""  # what becomes of the dependents if DELETE does not say; empty: Background
    conversion: Conversion | None = None  # between the stored and the served shape
    scale: ScalePaths | None = None  # where the scale subresource finds its numbers
    custom: bool = False  # defined by a CustomResourceDefinition
    printer_columns: tuple[Mapping[str, Any], ...] = ()  # a custom resource's additionalPrinterColumns
    schema: Mapping[str, Any] = field(default_factory=dict)  # a custom resource's openAPIV3Schema

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return self.listed_as or f"{self.kind}List"

    @property
    def group_resource(self) -> str:
        return group_resource(self.group, self.plural)

    @cached_property
    def merge_rules(self) -> Schema:
        """How applies merge its objects and lists, and who manages which of their parts."""
        return custom_schema(self.schema) if self.custom else schema_of(self.kind, self.api_version)

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def is_namespaces(self) -> bool:
        return self.stored_in == ("", "namespaces")

    def verbs_of(self, subresource: str) -> tuple[str, ...]:
        """What can be done with a subresource; nothing, if the kind has none of that name."""
        if subresource not in self.subresources:
            return ()
        return _SUBRESOURCE_VERBS.get(subresource, ("get", "patch", "update"))

    def key(self, namespace: str, name: str) -> str:
        return f"{namespace}/{name}" if self.namespaced else name

    def outward(self, document: dict[str, Any]) -> dict[str, Any]:
        """A stored document in the shape in which it is served."""
        return document if self.conversion is None else self.conversion.outward(document)

    def inward(self, document: dict[str, Any]) -> dict[str, Any]:
        """A document as it is stored: without apiVersion and kind."""
        if self.conversion is not None:
            document = self.conversion.inward(document)
        return {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}


_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = {
    **{f"involvedObject.{name}": f"involvedObject.{name}" for name in (
        "kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")},
    "reason": "reason",
    "reportingComponent": "reportingComponent",
    "source": "source.component",
    "type": "type",
}  # fmt: skip
_NEW_EVENT_FIELDS = {
    **{key.replace("involvedObject", "regarding"): path for key, path in _EVENT_FIELDS.items()},
    "reportingController": "reportingComponent",
}


def _same(*paths: str) -> dict[str, str]:
    return {path: path for path in paths}


# Each row: kind, plural, short names, traits. Traits: c cluster-scoped · s status · S scale · g generation · a
# category "all" ·
# k keeps a status sent on create · v PUT needs a resourceVersion · u PUT creates what is missing · d DELETE returns
# the object ·
# o create only
_BUILT_IN: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "v1": (
        ("Binding", "bindings", "", "o"),
        ("ConfigMap", "configmaps", "cm", ""),
        ("Endpoints", "endpoints", "ep", "u"),
        ("Event", "events", "ev", "u"),
        ("LimitRange", "limitranges", "limits", "u"),
        ("Namespace", "namespaces", "ns", "cs"),
        ("Node", "nodes", "no", "csk"),
        ("PersistentVolume", "persistentvolumes", "pv", "csd"),
        ("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "sd"),
        ("Pod", "pods", "po", "sagd"),
        ("PodTemplate", "podtemplates", "", "gd"),
        ("ReplicationController", "replicationcontrollers", "rc", "sSagd"),
        ("ResourceQuota", "resourcequotas", "quota", "sd"),
        ("Secret", "secrets", "", ""),
        ("Service", "services", "svc", "sad"),
        ("ServiceAccount", "serviceaccounts", "sa", "d"),
    ),
    "admissionregistration.k8s.io/v1": (
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", "", "cgv"),
        ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", "", "cgv"),
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", "cgv"),
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "", "csgv"),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "", "cgv"),
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", "cgv"),
    ),
    "apiextensions.k8s.io/v1": (("CustomResourceDefinition", "customresourcedefinitions", "crd crds", "csgv"),),
    "apiregistration.k8s.io/v1": (("APIService", "apiservices", "", "csv"),),
    "apps/v1": (
        ("ControllerRevision", "controllerrevisions", "", ""),
        ("DaemonSet", "daemonsets", "ds", "sag"),
        ("Deployment", "deployments", "deploy", "sSag"),
        ("ReplicaSet", "replicasets", "rs", "sSag"),
        ("StatefulSet", "statefulsets", "sts", "sSag"),
    ),
    "authentication.k8s.io/v1": (
        ("SelfSubjectReview", "selfsubjectreviews", "", "co"),
        ("TokenReview", "tokenreviews", "", "co"),
    ),
    "authorization.k8s.io/v1": (
        ("LocalSubjectAccessReview", "localsubjectaccessreviews", "", "o"),
        ("SelfSubjectAccessReview", "selfsubjectaccessreviews", "", "co"),
        ("SelfSubjectRulesReview", "selfsubjectrulesreviews", "", "co"),
        ("SubjectAccessReview", "subjectaccessreviews", "", "co"),
    ),
    "autoscaling/v2": (("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "sa"),),
    "autoscaling/v1": (("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "sa"),),
    "batch/v1": (("CronJob", "cronjobs", "cj", "sag"), ("Job", "jobs", "", "sag")),
    "certificates.k8s.io/v1": (("CertificateSigningRequest", "certificatesigningrequests", "csr", "cs"),),
    "coordination.k8s.io/v1": (("Lease", "leases", "", "uv"),),
    "discovery.k8s.io/v1": (("EndpointSlice", "endpointslices", "", "g"),),
    "events.k8s.io/v1": (("Event", "events", "ev", "u"),),
    "flowcontrol.apiserver.k8s.io/v1": (
        ("FlowSchema", "flowschemas", "", "csgv"),
        ("PriorityLevelConfiguration", "prioritylevelconfigurations", "", "csgv"),
    ),
    "networking.k8s.io/v1": (
        ("IPAddress", "ipaddresses", "ip", "c"),
        ("Ingress", "ingresses", "ing", "sg"),
        ("IngressClass", "ingressclasses", "", "cg"),
        ("NetworkPolicy", "networkpolicies", "netpol", "g"),
        ("ServiceCIDR", "servicecidrs", "", "cs"),
    ),
    "node.k8s.io/v1": (("RuntimeClass", "runtimeclasses", "", "cv"),),
    "policy/v1": (("PodDisruptionBudget", "poddisruptionbudgets", "pdb", "sgv"),),
    "rbac.authorization.k8s.io/v1": (
        ("ClusterRole", "clusterroles", "", "cu"),
        ("ClusterRoleBinding", "clusterrolebindings", "", "cu"),
        ("Role", "roles", "", "u"),
        ("RoleBinding", "rolebindings", "", "u"),
    ),
    "resource.k8s.io/v1": (
        ("DeviceClass", "deviceclasses", "", "cg"),
        ("ResourceClaim", "resourceclaims", "", "s"),
        ("ResourceClaimTemplate", "resourceclaimtemplates", "", ""),
        ("ResourceSlice", "resourceslices", "", "cg"),
    ),
    "scheduling.k8s.io/v1": (("PriorityClass", "priorityclasses", "pc", "cg"),),
    "storage.k8s.io/v1": (
        ("CSIDriver", "csidrivers", "", "cgv"),
        ("CSINode", "csinodes", "", "cv"),
        ("CSIStorageCapacity", "csistoragecapacities", "", ""),
        ("StorageClass", "storageclasses", "sc", "c"),
        ("VolumeAttachment", "volumeattachments", "", "csv"),
        ("VolumeAttributesClass", "volumeattributesclasses", "vac", "c"),
    ),
}

_FIELDS: dict[str, Mapping[str, str]] = {
    "v1/pods": _same(*_POD_FIELDS),
    "v1/events": _EVENT_FIELDS,
    "events.k8s.io/v1/events": _NEW_EVENT_FIELDS,
    "v1/namespaces": {"status.phase": "status.phase", "name": "metadata.name"},
    "v1/nodes": _same("spec.unschedulable"),
    "v1/replicationcontrollers": _same("status.replicas"),
    "v1/secrets": _same("type"),
    "v1/services": _same("spec.clusterIP", "spec.type"),
    "v1/persistentvolumes": {"name": "metadata.name"},
    "apps/v1/replicasets": _same("status.replicas"),
    "batch/v1/jobs": {"status.successful": "status.succeeded"},
    "certificates.k8s.io/v1/certificatesigningrequests": _same("spec.signerName"),
    "resource.k8s.io/v1/resourceslices": _same("spec.nodeName", "spec.driver"),
}
_EXTRA_SUBRESOURCES = {
    "pods": ("binding", "ephemeralcontainers", "eviction", "resize"),
    "namespaces": ("finalize",),
    "certificatesigningrequests": ("approval",),
    "serviceaccounts": ("token",),
}
_ORPHANING = ("jobs", "replicationcontrollers")
_EXTENDING_GROUPS = ("admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io")
_COLLECTIONS = {("events.k8s.io", "events"): ("", "events")}


def _built_in(api_version: str, row: tuple[str, str, str, str]) -> Resource:
    kind, plural, short_names, traits = row
    group, _, version = api_version.rpartition("/")
    subresources: tuple[str, ...] = _EXTRA_SUBRESOURCES.get(plural, ())
    subresources += ("status",) if "s" in traits else ()
    subresources += ("scale",) if "S" in traits else ()
    categories: tuple[str, ...] = ("api-extensions",) if group in _EXTENDING_GROUPS else ()
    categories += ("all",) if "a" in traits else ()
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        namespaced="c" not in traits,
        short_names=tuple(short_names.split()),
        categories=categories,
        verbs=_verbs(plural, traits),
        subresources=tuple(sorted(subresources)),
        singular=kind.lower(),
        stored_in=_COLLECTIONS.get((group, plural), (group, plural)),
        fields=_FIELDS.get(f"{api_version}/{plural}", {}),
        generation="g" in traits,
        resets_status="s" in traits and "k" not in traits,
        unconditional_update="v" not in traits,
        create_on_update="u" in traits,
        returns_deleted="d" in traits,
        graceful=plural == "pods",
        propagation="Orphan" if plural in _ORPHANING else "",
        conversion=CONVERSIONS.get(f"{api_version}/{plural}"),
        scale=ScalePaths() if "S" in traits else None,
    )


def _verbs(plural: str, traits: str) -> tuple[str, ...]:
    if "o" in traits:
        return ("create",)
    return tuple(verb for verb in ALL_VERBS if (plural, verb) != ("namespaces", "deletecollection"))


def built_in_resources() -> list[Resource]:
    """The kinds of a bare kube-apiserver."""
    return [_built_in(api_version, row) for api_version, rows in _BUILT_IN.items() for row in rows]


class Kinds:
    """The kinds served now. Read without a lock: every change replaces the mappings."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._lock = threading.Lock()  # guards the replacement of the mappings, not their reading
        self._served: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self.add(resources or built_in_resources())

    def add(self, resources: Iterable[Resource]) -> None:
        with self._lock:
            self._replace([*self._served.values(), *resources])

    def remove(self, group: str, plural: str) -> None:
        with self._lock:
            self._replace([one for one in self._served.values() if (one.group, one.plural) != (group, plural)])

    def _replace(self, resources: Iterable[Resource]) -> None:
        served = {(one.group, one.version, one.plural): one for one in resources}
        self._by_kind = {(one.api_version, one.kind): one for one in served.values()}
        self._served = served

    def all(self) -> list[Resource]:
        return list(self._served.values())

    def need(self, group: str, version: str, plural: str) -> Resource:
        """A resource that is built in."""
        return self._served[group, version, plural]

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._served.get((group, version, plural))

    def of(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object's ``apiVersion`` and ``kind``."""
        return self._by_kind.get((api_version, kind))

    def named(self, name: str) -> Resource | None:
        """The resource behind one of kubectl's names: ``pods``, ``po``, ``Pod``, ``deployments.apps``."""
        plain, _, group = name.partition(".")
        lowered = plain.lower()
        for one in self._served.values():
            names = (one.plural, one.singular, one.kind.lower(), *one.short_names)
            if lowered in names and (not group or group in (one.group, f"{one.version}.{one.group}")):
                return one
        return None

    def groups(self) -> dict[str, list[str]]:
        """Each group with its versions, the preferred one first; the core group is ``""``."""
        groups: dict[str, list[str]] = {}
        for one in self._served.values():
            versions = groups.setdefault(one.group, [])
            if one.version not in versions:
                versions.append(one.version)
        return groups

    def served(self, group: str, version: str) -> list[Resource]:
        return [one for one in self._served.values() if (one.group, one.version) == (group, version)]
