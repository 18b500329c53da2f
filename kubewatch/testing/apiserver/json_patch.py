"""JSON Patch (RFC 6902) with JSON Pointer (RFC 6901), as the Kubernetes API server applies it.

The server is laxer than the RFC in three places, and so is this: ``replace`` of an absent member adds it, ``copy`` of
an absent member adds null, and a negative index counts from the end of a list. It is stricter in one: ``add`` and
``remove`` cannot name the whole document.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from kubewatch.testing.apiserver.json_copy import json_copy
from kubewatch.testing.apiserver.patch_error import PatchError, does_not_apply, malformed

MAX_OPERATIONS = 10_000

_ABSENT = object()


def json_patch(doc: Any, ops: Any) -> Any:
    """What ``doc`` becomes by the operations ``ops``; neither is changed.

    >>> json_patch({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}])
    {'a': [1, 2, 3]}

    Raises ``PatchError``: 400 when ``ops`` is no list of operations, 413 above 10 000 of them, 422 when one does not
    apply (a missing path, a failed test); nothing is applied then.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
    """
    operations = _checked(ops)
    holder = {"": json_copy(doc)}
    for operation in operations:
        _apply(holder, operation)
    return holder[""]


def same_json(left: Any, right: Any) -> bool:
    """Equality of JSON values: unlike Python's, it tells ``1`` from ``true`` and from ``1.0``."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return type(left) is type(right) and bool(left == right)


def _checked(ops: Any) -> list[dict[str, Any]]:
    if not isinstance(ops, list):
        raise malformed("error decoding patch: a JSON patch is a list of operations")
    for number, operation in enumerate(ops):
        if not isinstance(operation, dict):
            raise malformed(f"error decoding patch: operation {number} is not an object")
        for key in ("op", "path", "from"):
            if not isinstance(operation.get(key, ""), str):
                raise malformed(f'error decoding patch: "{key}" of operation {number} is not a string')
    if len(ops) > MAX_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}"
        raise PatchError(f"Request entity too large: {why}", "RequestEntityTooLarge", 413)
    return ops


def _apply(holder: dict[str, Any], operation: dict[str, Any]) -> None:
    op = operation.get("op")
    if op not in ("add", "remove", "replace", "move", "copy", "test"):
        raise does_not_apply(f"Unexpected kind: {'unknown' if op is None else op}")
    path = _pointer(operation, "path")
    value = copy.deepcopy(operation.get("value"))
    if op == "test":
        found = holder[""] if path == "" else _get(holder, path, op)
        if not same_json(None if found is _ABSENT else found, value):
            raise does_not_apply(f"testing value {path} failed")
    elif op == "replace" and path == "":
        if not isinstance(value, (dict, list)):
            raise does_not_apply("replace operation value must be object or array")
        holder[""] = value
    elif op == "replace":
        _get(holder, path, op)
        _set(holder, path, value)
    elif op == "add":
        _add(holder, path, value, op)
    elif op == "remove":
        _remove(holder, path, op)
    else:
        source = _pointer(operation, "from")
        found = _get(holder, source, op)
        if op == "move":
            _remove(holder, source, op)
        _add(holder, path, None if found is _ABSENT else copy.deepcopy(found), op)


def _pointer(operation: dict[str, Any], key: str) -> str:
    path = operation.get(key)
    if path is None:
        raise does_not_apply(f"{operation['op']} operation failed to decode {key}: operation missing {key} field")
    return str(path)


def _parent(holder: dict[str, Any], path: str, op: str) -> tuple[Any, str]:
    """The list or object that holds what ``path`` names, and the last token of ``path``."""
    _, *tokens = path.split("/")
    here: Any = holder[""] if tokens else None
    for token in tokens[:-1]:
        here = _child(here, _unescaped(token), path)
    if not isinstance(here, (dict, list)):
        raise does_not_apply(f'{op} operation does not apply: doc is missing path: "{path}": missing value')
    return here, _unescaped(tokens[-1])


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _child(parent: Any, token: str, path: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(token, _ABSENT)
    if isinstance(parent, list):
        return parent[_index(token, len(parent), path)]
    return _ABSENT


def _index(token: str, size: int, path: str) -> int:
    """Where in a list: a number below ``size``; below zero it counts from ``size``."""
    if not re.fullmatch("[+-]?[0-9]{1,18}", token):
        raise does_not_apply(f"error in path '{path}': value was not a proper array index: '{token}'")
    index = int(token)
    if not -size <= index < size:
        raise does_not_apply(f"error in path '{path}': Unable to access invalid index: {index}")
    return index % size


def _get(holder: dict[str, Any], path: str, op: str) -> Any:
    parent, token = _parent(holder, path, op)
    return _child(parent, token, path)


def _set(holder: dict[str, Any], path: str, value: Any) -> None:
    parent, token = _parent(holder, path, "replace")
    parent[token if isinstance(parent, dict) else _index(token, len(parent), path)] = value


def _add(holder: dict[str, Any], path: str, value: Any, op: str) -> None:
    parent, token = _parent(holder, path, op)
    if isinstance(parent, dict):
        parent[token] = value
    elif token == "-":
        parent.append(value)
    else:
        parent.insert(_index(token, len(parent) + 1, path), value)


def _remove(holder: dict[str, Any], path: str, op: str) -> None:
    parent, token = _parent(holder, path, op)
    if isinstance(parent, list):
        del parent[_index(token, len(parent), path)]
    elif token in parent:
        del parent[token]
    else:
        raise does_not_apply(f"error in {op} for path: '{path}': Unable to remove nonexistent key: {token}")
