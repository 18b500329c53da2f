"""Other forms of objects: tables, and metadata alone.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from kubewatch.printing.builtin_columns import columns_of
from kubewatch.printing.columns import custom_columns
from kubewatch.testing.apiserver.accept import Form, NotAcceptable, negotiate
from kubewatch.testing.apiserver.builtin_schemas import is_builtin

__all__ = ["Form", "NotAcceptable", "negotiate", "to_partial", "to_partial_list", "to_table"]

Json = dict[str, Any]

_ENDED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def to_partial(obj: Mapping[str, Any], version: str = "v1") -> Json:
    """An object's metadata alone, as PartialObjectMetadata.

    >>> to_partial({"kind": "Pod", "metadata": {"name": "web"}, "spec": {}})
    {'kind': 'PartialObjectMetadata', 'apiVersion': 'meta.k8s.io/v1', 'metadata': {'name': 'web'}}
    """
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata", {}),
    }


def to_partial_list(objects: Iterable[Mapping[str, Any]], *, list_meta: Mapping[str, Any], version: str = "v1") -> Json:
    """The metadata of the objects of a list, as PartialObjectMetadataList."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": dict(list_meta),
        "items": [to_partial(obj, version) for obj in objects],
    }


def to_table(
    objects: Sequence[Json],
    kind: str,
    *,
    list_meta: Mapping[str, Any],
    api_version: str | None = None,
    printer_columns: Iterable[Mapping[str, Any]] | None = None,
    include_object: str | None = None,
    headers: bool = True,
    version: str = "v1",
    now: datetime | None = None,
) -> Json:
    """Objects of one ``kind`` as a Table, with the columns that kubectl shows of it.

    ``api_version`` is that of the objects (asked of the first when it is left out); ``printer_columns`` are the
    ``additionalPrinterColumns`` of a custom resource; ``include_object`` is the request's ``includeObject``: None (for
    "Metadata"), "Metadata", "Object" or the string "None". A table for the second and later events of a watch has no
    ``headers``. Ages are counted to ``now``.

    >>> lease = {"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}}
    >>> to_table([lease], "Lease", api_version="coordination.k8s.io/v1", list_meta={})["rows"][0]["cells"]
    ['one', 'me', '<unknown>']

    Raises ``ValueError`` for another ``include_object``: 400.
    """
    if include_object not in (None, "", "None", "Metadata", "Object"):
        raise ValueError(f'unrecognized includeObject value: "{include_object}"')
    if api_version is None:
        api_version = objects[0].get("apiVersion", "v1") if objects else "v1"
    group = api_version.rpartition("/")[0]
    columns = columns_of(kind, group) if is_builtin(api_version) else custom_columns(printer_columns)
    now = now or datetime.now(timezone.utc)
    rows = []
    for obj in objects:
        row: Json = {"cells": [column.cell(obj, now) for column in columns]}
        if (group, kind) == ("", "Pod"):
            row.update(_conditions(obj))
        row["object"] = _included(obj, include_object, version)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": dict(list_meta),
        "columnDefinitions": [column.definition() for column in columns] if headers else None,
        "rows": rows,
    }


def _included(obj: Json, include_object: str | None, version: str) -> Json | None:
    if include_object == "None":
        return None
    return obj if include_object == "Object" else to_partial(obj, version)


def _conditions(pod: Json) -> Json:
    """A pod that has ended is marked so in its row."""
    phase = pod.get("status", {}).get("phase")
    if phase not in _ENDED:
        return {}
    return {"conditions": [{"type": "Completed", "status": "True", "reason": phase, "message": _ENDED[phase]}]}
