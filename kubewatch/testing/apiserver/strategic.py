"""Strategic merge patch: a merge patch that knows which lists of the core kinds merge, and by which key.

Directives in the patch: ``$patch: delete | replace`` in an object or a list's item,
``$deleteFromPrimitiveList/<field>``, ``$setElementOrder/<field>`` and ``$retainKeys``.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kubewatch.testing.apiserver.builtin_schemas import is_builtin, schema_of
from kubewatch.testing.apiserver.json_copy import json_copy
from kubewatch.testing.apiserver.json_patch import same_json
from kubewatch.testing.apiserver.patch_error import PatchError, gave_up, malformed
from kubewatch.testing.apiserver.schemas import Schema

DELETE_FROM = "$deleteFromPrimitiveList/"
SET_ORDER = "$setElementOrder/"
RETAIN_KEYS = "$retainKeys"
DIRECTIVE = "$patch"

Json = dict[str, Any]


def strategic_merge_patch(doc: Json, patch: Any, kind: str, api_version: str) -> Json:
    """What ``doc``, an object of ``kind``, becomes by ``patch``; neither is changed.

    >>> pod = {"spec": {"containers": [{"name": "web", "image": "a"}]}}
    >>> strategic_merge_patch(pod, {"spec": {"containers": [{"name": "web", "tty": True}]}}, "Pod", "v1")
    {'spec': {'containers': [{'name': 'web', 'image': 'a', 'tty': True}]}}

    Raises ``PatchError``: 415 for a custom resource, 400 for a malformed patch, 500 (as the real server does) where
    list and patch do not fit each other, such as an item without its merge key.
    """
    if not is_builtin(api_version):
        accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        why = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise PatchError(why, "UnsupportedMediaType", 415)
    if not isinstance(patch, dict):
        raise malformed("error decoding patch: a strategic merge patch is an object")
    return _merged(json_copy(doc), json_copy(patch), schema_of(kind, api_version))


def _merged(original: Json, patch: Json, schema: Schema) -> Json:
    if DIRECTIVE in patch:
        return _replaced(patch)
    original = _retained(original, patch)
    orders = {key.removeprefix(SET_ORDER): value for key, value in patch.items() if key.startswith(SET_ORDER)}
    for name, order in orders.items():
        _merge_in_order(original, patch.get(name), name, order, schema.child(name))
    for key, value in patch.items():
        name = key.removeprefix(DELETE_FROM)
        if key.startswith(DELETE_FROM):
            if isinstance(original.get(name), list) and isinstance(value, list):
                original[name] = [item for item in original[name] if not _among(item, value)]
        elif not _is_directive_key(key) and key not in orders:
            _merge_field(original, name, value, schema.child(name))
    return original


def _merge_field(original: Json, name: str, value: Any, schema: Schema) -> None:
    here = original.get(name)
    if value is None:
        original.pop(name, None)
    elif isinstance(here, dict) and isinstance(value, dict):
        original[name] = _plain(value) if schema.patch == "replace" else _merged(here, value, schema)
    elif isinstance(here, list) and isinstance(value, list):
        original[name] = _merged_list(here, value, schema)
    elif isinstance(value, dict) and DIRECTIVE in value:
        original.pop(name, None)
    else:
        original[name] = _plain(value)


def _replaced(patch: Json) -> Json:
    directive = patch[DIRECTIVE]
    if directive == "replace":
        plain: Json = _plain({key: value for key, value in patch.items() if key != DIRECTIVE})
        return plain
    if directive == "delete":
        return {}
    raise gave_up(f"unknown patch type: {directive} in map: {patch}")


def _retained(original: Json, patch: Json) -> Json:
    """``original`` without the fields that ``$retainKeys`` leaves out."""
    if RETAIN_KEYS not in patch:
        return original
    kept = patch[RETAIN_KEYS]
    sent = {key for key, value in patch.items() if value is not None and not _is_directive_key(key)}
    if not isinstance(kept, list) or not sent <= {key for key in kept if isinstance(key, str)}:
        raise malformed("invalid patch format of retainKeys")
    return {key: value for key, value in original.items() if key in kept}


def _plain(value: Any) -> Any:
    """``value`` as it is stored: without nulls in objects and without directives."""
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if part is not None and not _is_directive_key(key)}
        return {key: _plain(part) for key, part in kept.items() if not _is_directive(part)}
    if isinstance(value, list):
        return [_plain(part) for part in value if not _is_directive(part)]
    return value


def _is_directive_key(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((DELETE_FROM, SET_ORDER))


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and DIRECTIVE in value


def _merged_list(original: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    plain: list[Any]
    if not (schema.patch_key or schema.patch == "merge"):
        plain = _plain(patch)
        return plain
    if not original and not patch:
        return original
    if not _of_objects([*original, *patch]):
        merged: list[Any] = []
        for item in [*original, *patch]:
            if not _among(item, merged):
                merged.append(item)
        return _ordered(merged, patch, original, lambda item: item)
    key = schema.patch_key
    special = [item for item in patch if DIRECTIVE in item]
    patch = [item for item in patch if DIRECTIVE not in item]
    original = _without_deleted(original, special, key)
    if any(item[DIRECTIVE] == "replace" for item in special):
        plain = _plain(patch)
        return plain
    merged = list(original)
    for item in patch:
        value = _key_value(item, key)
        place = next((i for i, other in enumerate(merged) if key in other and same_json(other[key], value)), None)
        if place is None:
            merged.append(_plain(item))
        else:
            merged[place] = _merged(merged[place], item, schema.item)
    return _ordered(merged, patch, original, lambda item: _key_value(item, key))


def _without_deleted(original: list[Json], special: list[Json], key: str) -> list[Json]:
    for item in special:
        if item[DIRECTIVE] == "delete":
            value = _key_value(item, key)
            original = [other for other in original if not (key in other and same_json(other[key], value))]
        elif item[DIRECTIVE] == "merge":
            raise gave_up("merging lists cannot yet be specified in the patch")
        elif item[DIRECTIVE] != "replace":
            raise gave_up(f"unknown patch type: {item[DIRECTIVE]} in map: {item}")
    return original


def _merge_in_order(original: Json, patch: list[Any] | None, name: str, order: Any, schema: Schema) -> None:
    """Merge one list and put it into the order that ``$setElementOrder`` asks for."""
    here = original.get(name)
    if not isinstance(order, list):
        raise malformed("invalid patch format of setElementOrder list")
    if not isinstance(here, list | None) or not isinstance(patch, list | None):
        raise gave_up(f"{SET_ORDER}{name}: expected a list")
    key = schema.patch_key
    identity: Callable[[Any], Any] = (lambda item: _key_value(item, key)) if key else (lambda item: item)
    if patch is None:
        merged = here
    else:
        _check_order([item for item in patch if not _is_directive(item)], order, identity, name)
        merged = _plain(patch) if here is None else _merged_list(here, patch, schema)
    if merged is not None:
        original[name] = _ordered(merged, order, here or [], identity)


def _check_order(patch: list[Any], order: list[Any], identity: Callable[[Any], Any], name: str) -> None:
    """The items of a patch are all in its order list, in that order."""
    if not order:
        return
    rest = iter(order)
    for item in patch:
        if not any(same_json(identity(item), identity(other)) for other in rest):
            raise gave_up(f"The order in patch list: {patch} doesn't match {SET_ORDER}{name} list: {order}")


def _ordered(merged: list[Any], wanted: list[Any], server: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """``merged`` with the items of ``wanted`` in its order, and the others where the server's list had them."""
    wanted_keys = [identity(item) for item in wanted]
    server_keys = [identity(item) for item in server]
    mine = [item for item in merged if _among(identity(item), wanted_keys)]
    mine.sort(key=lambda item: _index(wanted_keys, identity(item)))
    others = [item for item in merged if not _among(identity(item), wanted_keys)]
    result: list[Any] = []
    while mine and others:
        first, second = _index(server_keys, identity(others[0])), _index(server_keys, identity(mine[0]))
        result.append((others if 0 <= first < second else mine).pop(0))
    return result + mine + others


def _index(keys: list[Any], value: Any) -> int:
    return next((place for place, key in enumerate(keys) if same_json(key, value)), -1)


def _among(value: Any, values: Iterable[Any]) -> bool:
    return any(same_json(value, other) for other in values)


def _of_objects(items: list[Any]) -> bool:
    kinds = {isinstance(item, dict) for item in items}
    if len(kinds) > 1:
        raise gave_up(f"list element types are not identical: {items}")
    if any(isinstance(item, list) for item in items):
        raise PatchError("lists of lists are not supported", "Invalid", 422)
    return True in kinds


def _key_value(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or item.get(key) is None:
        raise gave_up(f"map: {item} does not contain declared merge key: {key}")
    return item[key]
