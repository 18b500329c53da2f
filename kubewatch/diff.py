"""`diff`: what became of an object, field by field, for people.

    >>> print(new.diff(old))                                                                 # doctest: +SKIP
    metadata.labels[tier.io/name]: (none) → "front"
    spec.template.spec.containers[web].image: "web:1" → "web:2"
    status.conditions[Available].status: "False" → "True"

Items of a list that have names, types or ports are told apart by these, other objects in a list by their place.
No value of a Secret is ever in a diff, nor of what does not say its kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from .errors import InvalidInput
from .fields import LAST_APPLIED
from .objects import SECRET, PartialObjectMeta
from .printing.text import harmless
from .sending import to_json

Json = dict[str, Any]

# Characters of a value in a line of text.
LONGEST = 120

# What tells the items of a list apart, where all of them have it and no two have the same.
NAMES = ("name", "type", "key", "ip", "containerPort", "port")


class _Missing:
    def __repr__(self) -> str:
        return "(none)"


MISSING = _Missing()
"""Stands in a `Change` where there is no value."""


class Hidden:
    """Stands in a `Change` for a value that is secret; it does not hold the value."""

    def __init__(self, value: Any) -> None:
        self._digest = hash(json.dumps(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._digest == other._digest

    def __hash__(self) -> int:
        return self._digest

    def __repr__(self) -> str:
        return "(not shown)"


class Change(NamedTuple):
    """A field that changed, with its plain values: before and after."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if isinstance(self.old, Hidden) and isinstance(self.new, Hidden):
            return f"{harmless(self.path)}: changed, not shown"
        return f"{harmless(self.path)}: {_shown(self.old)} → {_shown(self.new)}"


class Diff(tuple[Change, ...]):
    """The changes between two objects; empty, and so false, where there are none. Shows as a line for each."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "(no changes)"


def diff(old: Any, new: Any) -> Diff:
    """What became of `old`; both are objects, models or plain dicts. `metadata.managedFields` is left out.

    Raises InvalidInput for what is no object, and where one of them is metadata only.
    """
    if isinstance(old, PartialObjectMeta) != isinstance(new, PartialObjectMeta):
        raise InvalidInput("one of these objects came as metadata only: there is no rest of it to compare")
    before, after = (json.loads(to_json(obj)) for obj in (old, new))
    kinds = {before.get("kind"), after.get("kind")} - {None}
    secret = not kinds or "Secret" in kinds  # what does not say what it is may be one
    for value in (before, after):
        _prepare(value, secret)
    return Diff(_changes("", before, after))


def _prepare(value: Json, secret: bool) -> None:
    meta = value.get("metadata") or {}
    meta.pop("managedFields", None)
    annotations = meta.get("annotations") or {}
    if LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = Hidden(annotations[LAST_APPLIED])
    for name in SECRET if secret else ():
        content = value.get(name)
        if isinstance(content, dict):
            value[name] = {key: Hidden(each) for key, each in content.items()}
        elif content is not None:
            value[name] = Hidden(content)


def _changes(path: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _changes(_at(path, key), old.get(key, MISSING), new.get(key, MISSING))
    elif _are_objects(old) and _are_objects(new):
        yield from _items(path, old, new)
    elif old != new or _text(old) != _text(new):  # true and 1 are equal in Python
        yield Change(path, old, new)


def _items(path: str, old: list[Json], new: list[Json]) -> Iterator[Change]:
    name = next((name for name in NAMES if _tells_apart(name, old) and _tells_apart(name, new)), None)
    before, after = _by(name, old), _by(name, new)
    for key in {**before, **after}:
        yield from _changes(f"{path}[{key}]", before.get(key, MISSING), after.get(key, MISSING))
    stayed = [key for key in before if key in after]
    moved = [key for key in after if key in before]
    if stayed != moved:
        yield Change(f"{path}, order", stayed, moved)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _tells_apart(name: str, items: list[Json]) -> bool:
    names = [item.get(name) for item in items]
    return all(isinstance(one, (str, int)) for one in names) and len(set(names)) == len(names)


def _by(name: str | None, items: list[Json]) -> dict[Any, Json]:
    return {item[name] if name is not None else place: item for place, item in enumerate(items)}


def _at(path: str, key: str) -> str:
    if not key.replace("-", "_").isidentifier():
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _shown(value: Any) -> str:
    if value is MISSING or isinstance(value, Hidden):
        return repr(value)
    text = harmless(_text(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)
