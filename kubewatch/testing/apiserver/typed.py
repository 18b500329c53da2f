"""What server-side apply does with objects: their fields, how two differ, merging one into another, taking fields out.

All by a ``Schema``. Absent is not null here: a side that has no value at some place is ``ABSENT``.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubewatch.testing.apiserver.fieldsets import FieldSet, Path, key_element, path_text, to_fields_v1, value_element
from kubewatch.testing.apiserver.json_patch import same_json
from kubewatch.testing.apiserver.schemas import Schema, key_of

ABSENT: Any = object()


class NotOfSchema(ValueError):
    """A list cannot be merged by key: two items have the same, or a set has an item that is no scalar."""


class NoKey(NotOfSchema):
    """A list that is to be merged by key has an item without one."""


def fields_of(value: Any, schema: Schema) -> FieldSet:
    """Every field and item that ``value`` mentions; of atomic parts only the part itself."""
    return frozenset(_fields(value, schema, ()))


def _fields(value: Any, schema: Schema, path: Path) -> Iterator[Path]:
    shape = _shape(value, schema)
    if shape == "object":
        for name, part in value.items():
            below = (*path, f"f:{name}")
            yield from _fields(part, schema.child(name), below)
            if part is None or part == {} or not schema.is_field(name):
                yield below
    elif shape == "list":
        for element, items in _by_element(value, schema).items():
            below = (*path, element)
            if len(items) == 1:
                yield from _fields(items[0], schema.item, below)
            yield below
    elif value is not None:
        yield path


class Difference:
    """What changed from one object to another; no field is in more than one of the sets."""

    def __init__(self, old: Any, new: Any, schema: Schema) -> None:
        self.added: set[Path] = set()
        self.modified: set[Path] = set()
        self.removed: set[Path] = set()
        self._compare(old, new, schema, ())

    def _compare(self, old: Any, new: Any, schema: Schema, path: Path) -> None:
        # Where the shapes differ both are walked: what was beneath is removed, what is now is added.
        for shape in _shapes(old, new, schema):
            if shape == "object":
                before, after = _object(old), _object(new)
                for name in before.keys() | after.keys():
                    part = (before.get(name, ABSENT), after.get(name, ABSENT))
                    self._compare(*part, schema.child(name), (*path, f"f:{name}"))
            elif shape == "list":
                self._compare_items(_by_element(_list(old), schema), _by_element(_list(new), schema), schema, path)
            elif old is not ABSENT and new is not ABSENT and not same_json(old, new):
                self.modified.add(path)
        if old is ABSENT:
            self.added.add(path)
        elif new is ABSENT:
            self.removed.add(path)

    def _compare_items(
        self, before: dict[str, list[Any]], after: dict[str, list[Any]], schema: Schema, path: Path
    ) -> None:
        """Items of the same key are compared; several of one key count as one thing."""
        for element in before.keys() | after.keys():
            olds, news, below = before.get(element, []), after.get(element, []), (*path, element)
            if len(olds) > 1 and len(news) > 1:
                if not same_json(olds, news):
                    self.modified.add(below)
                continue
            old = olds[0] if len(olds) == 1 else ABSENT
            new = news[0] if len(news) == 1 else ABSENT
            if not (old is ABSENT and new is ABSENT):
                self._compare(old, new, schema.item, below)
            if len(olds) > 1:
                self.removed.add(below)
            elif len(news) > 1:
                self.added.add(below)


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """``live`` with everything that ``applied`` says; nothing is removed. ``ABSENT`` when neither has anything."""
    shapes = _shapes(live, applied, schema)
    if applied is ABSENT or (len(shapes) == 1 and shapes[0] == "leaf"):
        return live if applied is ABSENT else applied
    if len(shapes) > 1:
        return applied
    if shapes[0] == "list":
        return _merge_lists(_list(live), _list(applied), schema)
    mine, theirs = _object(live), _object(applied)
    result = {}
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        value = merge(mine.get(name, ABSENT), theirs.get(name, ABSENT), schema.child(name))
        if value is not ABSENT:
            result[name] = value
    return result or ABSENT


def _merge_lists(live: list[Any], applied: list[Any], schema: Schema) -> Any:
    """Items of both in the order of ``applied``, those of ``live`` alone where they stood between the others."""
    mine, theirs = _by_element(live, schema), _by_element(applied, schema)
    for name, items in theirs.items():
        if len(items) > 1:
            raise NotOfSchema(f"duplicate entries for key {path_text((name,))}")
    order, waiting = [element_of(item, schema) for item in live], list(theirs)
    shared = [element for element in theirs if element in mine]
    result: list[Any] = []
    done: set[str] = set()

    def take(element: str) -> None:
        old = mine.get(element, [])
        result.append(merge(old[0] if len(old) == 1 else ABSENT, theirs[element][0], schema.item))
        done.add(element)
        waiting.remove(element)
        if shared and shared[0] == element:
            shared.pop(0)

    place = 0
    while place < len(order) or waiting:
        element: str | None = order[place] if place < len(order) else None
        if element is not None and waiting:
            if element == waiting[0]:
                take(element)
                place += 1
                continue
            if element in theirs and shared and shared[0] != element:
                place += 1  # its turn comes later
                continue
        if element is not None and element not in theirs:
            result.append(live[place])
            place += 1
            continue
        if element in done:
            place += 1
        if waiting:
            take(waiting[0])
    return result or ABSENT


def without(value: Any, fields: FieldSet, schema: Schema) -> Any:
    """``value`` less these fields and items; what gets empty becomes null."""
    return _without(value, to_fields_v1(fields), schema)


def _without(value: Any, tree: Mapping[str, Any], schema: Schema) -> Any:
    shape = _shape(value, schema)
    if shape == "leaf":
        return None if isinstance(value, (dict, list)) else value
    if shape == "object":
        parts = ((name, part, f"f:{name}", schema.child(name)) for name, part in value.items())
        kept = {name: _pruned(part, tree.get(at), below) for name, part, at, below in parts if not _has(tree, at)}
        return kept or None
    items = ((item, element_of(item, schema)) for item in value)
    return [_pruned(item, tree.get(at), schema.item) for item, at in items if not _has(tree, at)] or None


def _pruned(part: Any, below: Mapping[str, Any] | None, schema: Schema) -> Any:
    return _without(part, below, schema) if below else part


def _has(tree: Mapping[str, Any], element: str) -> bool:
    below = tree.get(element)
    return below is not None and (not below or "." in below)


def with_named_fields(fields: FieldSet, schema: Schema) -> FieldSet:
    """``fields`` and the fields of fixed name above them: who has ``.spec.replicas`` has ``.spec`` in a sense."""
    found = set(fields)
    _add_named(to_fields_v1(fields), schema, (), found)
    return frozenset(found)


def _add_named(tree: Mapping[str, Any], schema: Schema, path: Path, found: set[Path]) -> None:
    for element, below in tree.items():
        if not below or element == ".":
            continue
        here, name = (*path, element), element[2:]
        is_name = element.startswith("f:")
        if is_name and schema.is_field(name):
            found.add(here)
        _add_named(below, schema.child(name) if is_name else schema.item, here, found)


def element_of(item: Any, schema: Schema) -> str:
    """The path element of an item of a list of ``schema``."""
    if schema.merge == "set":
        if isinstance(item, (dict, list)) or item is None:
            raise NotOfSchema("a list that is a set has an item that is no scalar")
        return value_element(item)
    key = key_of(schema, item) if isinstance(item, dict) else None
    if not key:
        raise NoKey(f"associative list with keys has an element that omits all key fields {list(schema.keys)}")
    return key_element(key)


def _by_element(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(element_of(item, schema), []).append(item)
    return found


def _shape(value: Any, schema: Schema) -> str:
    """How a value merges: ``object``, ``list``, or as a ``leaf``, whole."""
    if schema.merge != "atomic":
        if isinstance(value, dict):
            return "object"
        if isinstance(value, list) and (schema.keys or schema.merge == "set"):
            return "list"
    return "leaf"


def _shapes(one: Any, other: Any, schema: Schema) -> list[str]:
    """The shapes of two values in one place, one or two. Null has that of the other; nothing and nothing is a leaf."""
    if _is_empty(one) and _is_empty(other):
        return ["leaf"]
    shapes = [_shape(value, schema) for value in (one, other) if value is not None and value is not ABSENT]
    return list(dict.fromkeys(shapes))


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value is None or value == {} or value == []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
