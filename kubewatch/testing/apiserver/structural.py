"""A custom resource's own schema at work: unknown fields are dropped, defaults filled in, values checked.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
Rules written in CEL (``x-kubernetes-validations``) are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import msgspec

from .status import Json, cause, too_long

Schema = Mapping[str, Any]

_ROOT_FIELDS = ("apiVersion", "kind", "metadata")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def prune(schema: Schema, document: Json) -> tuple[Json, list[str]]:
    """The document without the fields that the schema does not know, and their paths."""
    unknown: list[str] = []
    known = {key: value for key, value in document.items() if key in _ROOT_FIELDS}
    rest = {key: value for key, value in document.items() if key not in _ROOT_FIELDS}
    return known | _pruned(schema, rest, "", unknown), unknown


def _pruned(schema: Schema, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [_pruned(items, item, f"{path}[{at}]", unknown) for at, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    free = schema.get("x-kubernetes-preserve-unknown-fields") or additional is True
    kept = {}
    for key, part in value.items():
        where = f"{path}.{key}" if path else key
        if key in properties:
            kept[key] = _pruned(properties[key], part, where, unknown)
        elif isinstance(additional, Mapping):
            kept[key] = _pruned(additional, part, where, unknown)
        elif free or (schema.get("x-kubernetes-embedded-resource") and key in _ROOT_FIELDS):
            kept[key] = part
        else:
            unknown.append(where)
    return kept


def with_defaults(schema: Schema, value: Any) -> Any:
    """The value with the schema's defaults where nothing was set."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [with_defaults(items, item) for item in value]
    if not isinstance(value, dict):
        return value
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    filled = {}
    for key, part in value.items():
        inner = properties.get(key) or (additional if isinstance(additional, Mapping) else {})
        if part is None and "default" in inner and not inner.get("nullable"):
            part = deepcopy(inner["default"])
        filled[key] = with_defaults(inner, part)
    for key, inner in properties.items():
        if key not in filled and "default" in inner:
            filled[key] = with_defaults(inner, deepcopy(inner["default"]))
    return filled


def problems(schema: Schema, document: Json) -> list[Json]:
    """Why the document does not fit the schema, as causes; empty if it fits. The metadata is not looked at."""
    rest = {key: value for key, value in document.items() if key not in _ROOT_FIELDS}
    skipped = {key: value for key, value in schema.items() if key != "required"}
    wanted = [name for name in schema.get("required") or () if name not in _ROOT_FIELDS]
    return list(_problems({**skipped, "required": wanted}, rest, ""))


def _problems(schema: Schema, value: Any, path: str) -> Iterator[Json]:
    if value is None and schema.get("nullable"):
        return
    wanted = schema.get("type", "")
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield _wrong_type(path, value, "integer,string")
    elif wanted and not _is_of(value, wanted):
        yield _wrong_type(path, value, wanted)
        return
    yield from _scalar_problems(schema, value, path)
    if isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path)
    for part in schema.get("allOf") or ():
        yield from _problems(part, value, path)
    any_of, one_of, not_ = schema.get("anyOf"), schema.get("oneOf"), schema.get("not")
    if any_of and not any(_fits(part, value) for part in any_of):
        yield _bad(path, value, f"{path} in body must validate at least one schema (anyOf)")
    if one_of and sum(_fits(part, value) for part in one_of) != 1:
        yield _bad(path, value, f"{path} in body must validate one and only one schema (oneOf)")
    if not_ and _fits(not_, value):
        yield _bad(path, value, f"{path} in body must not validate the schema (not)")


def _fits(schema: Schema, value: Any) -> bool:
    return next(_problems(schema, value, ""), None) is None


def _is_of(value: Any, wanted: str) -> bool:
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, (object,))) and (wanted == "boolean" or not isinstance(value, bool))


def _scalar_problems(schema: Schema, value: Any, path: str) -> Iterator[Json]:
    choices = schema.get("enum")
    if choices and value not in choices:
        names = ", ".join(_text(one) for one in choices)
        yield cause("FieldValueNotSupported", f"Unsupported value: {_text(value)}: supported values: {names}", path)
    if isinstance(value, str):
        yield from _string_problems(schema, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_problems(schema, value, path)


def _string_problems(schema: Schema, value: str, path: str) -> Iterator[Json]:
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield _bad(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield _bad(path, value, f"{path} in body should match '{pattern}'")


def _number_problems(schema: Schema, value: float, path: str) -> Iterator[Json]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value < low or (value == low and schema.get("exclusiveMinimum"))):
        rule = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _bad(path, value, f"{path} in body should be {rule} {low}")
    if high is not None and (value > high or (value == high and schema.get("exclusiveMaximum"))):
        rule = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _bad(path, value, f"{path} in body should be {rule} {high}")
    if step and value % step:
        yield _bad(path, value, f"{path} in body should be a multiple of {step}")


def _object_problems(schema: Schema, value: Json, path: str) -> Iterator[Json]:
    for name in schema.get("required") or ():
        if name not in value:
            yield cause("FieldValueRequired", "Required value", _join(path, name))
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        yield _bad(path, value, f"{path} in body should have at least {schema['minProperties']} properties")
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        limit = schema["maxProperties"]
        yield cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {limit} items", path)
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, part in value.items():
        inner = properties.get(key) or (additional if isinstance(additional, Mapping) else {})
        yield from _problems(inner, part, _join(path, key))


def _list_problems(schema: Schema, value: list[Any], path: str) -> Iterator[Json]:
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield _bad(path, value, f"{path} in body should have at least {schema['minItems']} items")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        limit = schema["maxItems"]
        yield cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {limit} items", path)
    for at, item in enumerate(value):
        yield from _problems(schema.get("items") or {}, item, f"{path}[{at}]")
    yield from _duplicates(schema, value, path)


def _duplicates(schema: Schema, value: list[Any], path: str) -> Iterator[Json]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    if kind not in ("map", "set"):
        return
    seen = []
    for at, item in enumerate(value):
        identity = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        if identity in seen:
            yield cause("FieldValueDuplicate", f"Duplicate value: {_text(identity)}", f"{path}[{at}]")
        seen.append(identity)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _bad(path: str, value: Any, why: str) -> Json:
    return cause("FieldValueInvalid", f"Invalid value: {_text(value)}: {why}", path)


def _wrong_type(path: str, value: Any, wanted: str) -> Json:
    found = _NAMES.get(type(value), "null")
    why = f'{path} in body must be of type {wanted}: "{found}"'
    return cause("FieldValueTypeInvalid", f'Invalid value: "{found}": {why}', path)
