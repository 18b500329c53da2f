"""Who manages which fields of an object: ``metadata.managedFields``, read, changed and written.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kubewatch.testing.apiserver.fieldsets import FieldSet, Path, from_fields_v1, to_shared_fields_v1

Json = dict[str, Any]

MAX_UPDATERS = 10
ANCIENT = "ancient-changes"

# What nobody manages, though requests contain it.
_STRIPPED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


class ManagerId(NamedTuple):
    """Whom an entry is about. Of an applier the API version does not matter: ``api_version`` is empty."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def __str__(self) -> str:
        """As conflicts name a manager."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.operation == "Apply" else f"{text} using {self.api_version}"


def manager_id(manager: str, operation: str, api_version: str, subresource: str) -> ManagerId:
    return ManagerId(manager or "unknown", operation, "" if operation == "Apply" else api_version, subresource)


@dataclass(frozen=True)
class Entry:
    """What one manager manages, in terms of ``api_version``, since ``time`` (RFC 3339)."""

    fields: FieldSet
    api_version: str
    time: str | None = None


Managers = dict[ManagerId, Entry]


def read(entries: Any) -> Managers:
    """The managers that ``metadata.managedFields`` names.

    Raises ``ValueError`` when it is malformed.
    """
    managers: Managers = {}
    for number, entry in enumerate(entries or ()):
        operation, api_version = entry.get("operation"), entry.get("apiVersion")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise ValueError(f"invalid fieldsType {entry.get('fieldsType')!r} in managed fields entry {number}")
        identity = manager_id(entry.get("manager", ""), operation, api_version, entry.get("subresource", ""))
        managers[identity] = Entry(from_fields_v1(entry.get("fieldsV1") or {}), api_version, entry.get("time"))
    return managers


def write(managers: Managers) -> list[Json]:
    """The managers as ``metadata.managedFields``: appliers first, then updaters, each by time and name."""
    return [_written(identity, entry) for identity, entry in sorted(managers.items(), key=_order)]


def _order(item: tuple[ManagerId, Entry]) -> tuple[str, ...]:
    identity, entry = item
    return identity.operation, entry.time or "", identity.manager, entry.api_version, identity.subresource


def _written(identity: ManagerId, entry: Entry) -> Json:
    written: Json = {
        "manager": identity.manager,
        "operation": identity.operation,
        "apiVersion": entry.api_version,
    }
    if entry.time:
        written["time"] = entry.time
    written |= {"fieldsType": "FieldsV1", "fieldsV1": to_shared_fields_v1(entry.fields)}
    if identity.subresource:
        written["subresource"] = identity.subresource
    return written


def of(obj: Mapping[str, Any] | None) -> Any:
    """An object's ``metadata.managedFields``."""
    return ((obj or {}).get("metadata") or {}).get("managedFields")


def with_managers(obj: Mapping[str, Any], managers: Managers) -> Json:
    """The object with these managers, and none when there are none."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    if managers:
        metadata["managedFields"] = write(managers)
    return {**obj, "metadata": metadata}


def less(managers: Managers, lost: Iterable[tuple[ManagerId, FieldSet]]) -> Managers:
    """The managers without what each has lost, and without those that are left with nothing."""
    result = dict(managers)
    for identity, fields in lost:
        result[identity] = replace(result[identity], fields=result[identity].fields - fields)
    return {identity: entry for identity, entry in result.items() if entry.fields}


def stripped(fields: FieldSet) -> FieldSet:
    """``fields`` without those that nobody manages: the name, the version …"""
    return fields - _STRIPPED


def capped(managers: Managers) -> Managers:
    """The managers with the oldest updaters made one, where there are too many of them."""
    updaters = [identity for identity in managers if identity.operation == "Update"]
    surplus = len(updaters) - MAX_UPDATERS
    if surplus <= 0:
        return managers
    result = dict(managers)
    first: dict[str, ManagerId] = {}
    for identity in sorted(updaters, key=lambda one: (managers[one].time or "", one)):
        if surplus <= 0:
            break
        version = identity.api_version
        if version not in first:
            first[version] = identity
            continue
        bucket = ManagerId(ANCIENT, "Update", version, "")
        merged = [result.pop(one) for one in {first[version], identity, bucket} if one in result]
        fields = frozenset[Path]().union(*(entry.fields for entry in merged))
        result[bucket] = Entry(fields, version, managers[identity].time)
        first[version] = bucket
        surplus -= len(merged) - 1
    return result
