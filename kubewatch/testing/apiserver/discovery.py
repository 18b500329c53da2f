"""What clients ask before they ask for objects: versions, groups, resources, health, and enough OpenAPI for kubectl."""

from __future__ import annotations

from typing import Any

from .kinds import Kinds, Resource

Json = dict[str, Any]

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-kubewatch",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
SUBRESOURCE_KINDS = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}


def _gv(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def api_versions(address: str) -> Json:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def api_group(kinds: Kinds, group: str) -> Json | None:
    """The APIGroup object; None for a group that is not served."""
    versions = kinds.groups().get(group)
    if not group or versions is None:
        return None
    offered = [{"groupVersion": _gv(group, version), "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": offered, "preferredVersion": offered[0]}


def api_groups(kinds: Kinds) -> Json:
    groups = [found for group in kinds.groups() if (found := api_group(kinds, group))]
    for group in groups:
        del group["kind"], group["apiVersion"]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_resources(kinds: Kinds, group: str, version: str) -> Json | None:
    """The APIResourceList object; None for a version that is not served."""
    served = kinds.served(group, version)
    if not served:
        return None
    resources: list[Json] = []
    for resource in served:
        entry: Json = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        resources.append(entry)
        for name in resource.subresources:
            resources.append(
                {
                    "name": f"{resource.plural}/{name}",
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    **_subresource_kind(resource, name),
                    "verbs": list(resource.verbs_of(name)),
                }
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": _gv(group, version),
        "resources": sorted(resources, key=lambda one: str(one["name"])),
    }


def _subresource_kind(resource: Resource, name: str) -> Json:
    if name not in SUBRESOURCE_KINDS:
        return {"kind": resource.kind}
    group, version, kind = SUBRESOURCE_KINDS[name]
    if (group, version) == (resource.group, resource.version):
        return {"kind": kind}
    return {"group": group, "version": version, "kind": kind}


def aggregated(kinds: Kinds, *, core: bool, version: str = "v2") -> Json:
    """Everything in one document, as kubectl asks for it: of the core group (``/api``) or of the others (``/apis``)."""
    items = [
        {
            "metadata": {"name": group} if group else {"creationTimestamp": None},
            "versions": [_aggregated_version(kinds, group, one) for one in versions],
        }
        for group, versions in kinds.groups().items()
        if core == (group == "")
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_version(kinds: Kinds, group: str, version: str) -> Json:
    return {
        "version": version,
        "freshness": "Current",
        "resources": [
            _aggregated_resource(one) for one in sorted(kinds.served(group, version), key=lambda one: one.plural)
        ],
    }


def _aggregated_resource(resource: Resource) -> Json:
    found: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [_aggregated_subresource(resource, name) for name in resource.subresources]
    return found


def _aggregated_subresource(resource: Resource, name: str) -> Json:
    group, version, kind = SUBRESOURCE_KINDS.get(name, (resource.group, resource.version, resource.kind))
    return {
        "subresource": name,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "verbs": list(resource.verbs_of(name)),
    }
