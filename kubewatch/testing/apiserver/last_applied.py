"""The annotation that client-side ``kubectl apply`` leaves, which server-side apply by ``kubectl`` takes over.

What an object's annotation says was applied, and still is so, is no conflict for the manager ``kubectl``; and it keeps
the annotation up to date, so that one can go back.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kubewatch.testing.apiserver.fieldsets import NO_FIELDS, FieldSet, compact_json
from kubewatch.testing.apiserver.schemas import Schema
from kubewatch.testing.apiserver.typed import Difference, NotOfSchema, fields_of

Json = dict[str, Any]

MANAGER = "kubectl"
ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def fields_applied(live: Mapping[str, Any], schema: Schema) -> FieldSet:
    """The fields of ``live`` that are as client-side apply left them; none when it says nothing of the kind."""
    try:
        said = json.loads(_annotations(live).get(ANNOTATION) or "null")
    except ValueError:
        return NO_FIELDS
    if not isinstance(said, dict) or said.get("apiVersion") != live.get("apiVersion"):
        return NO_FIELDS
    try:
        difference = Difference(said, live, schema)
        return fields_of(said, schema) - difference.added - difference.modified - difference.removed
    except NotOfSchema:
        return NO_FIELDS


def kept_up_to_date(obj: Json, applied: Mapping[str, Any]) -> Json:
    """``obj`` with the annotation, if it has one, saying ``applied``."""
    if not _annotations(obj).get(ANNOTATION):
        return obj
    said = _with_annotations(applied, _without(_annotations(applied)))
    return _with_annotations(obj, {**_annotations(obj), ANNOTATION: compact_json(said) + "\n"})


def _annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def _without(annotations: Mapping[str, str]) -> Json:
    return {name: text for name, text in annotations.items() if name != ANNOTATION}


def _with_annotations(obj: Mapping[str, Any], annotations: Json) -> Json:
    metadata = {name: part for name, part in (obj.get("metadata") or {}).items() if name != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {**obj, "metadata": metadata}
