"""The patches of the Kubernetes API that need no field manager: JSON patch, merge patch, strategic merge patch.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

from typing import Any

from kubewatch.testing.apiserver.json_copy import json_copy
from kubewatch.testing.apiserver.json_patch import json_patch
from kubewatch.testing.apiserver.patch_error import PatchError, malformed
from kubewatch.testing.apiserver.strategic import strategic_merge_patch

__all__ = ["PatchError", "json_patch", "merge_patch", "strategic_merge_patch"]


def merge_patch(doc: Any, patch: Any) -> Any:
    """What ``doc`` becomes by a JSON merge patch (RFC 7386); neither is changed.

    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}

    Beyond the RFC, and as the Kubernetes API server does it, nulls are dropped from objects inside lists too.
    Raises ``PatchError`` (400) when ``patch`` is not an object.
    """
    if not isinstance(patch, dict):
        raise malformed("error decoding patch: a merge patch is an object")
    return _merged(json_copy(doc), patch)


def _merged(doc: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return _without_nulls(patch)
    result = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
