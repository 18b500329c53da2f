"""Sets of fields, as ``metadata.managedFields`` holds them, and their form on the wire: FieldsV1.

A field is a path of elements: ``f:spec`` (a field), ``k:{"name":"web"}`` (the item of a list with that key),
``v:"web"`` (that item of a set), ``i:0`` (the item at that place). In FieldsV1 the paths are nested objects; ``.``
marks a field that is in the set itself besides some beneath it.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

Path = tuple[str, ...]
FieldSet = frozenset[Path]

NO_FIELDS: FieldSet = frozenset()

_AS_GO_WRITES_THEM = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def key_element(key: Mapping[str, Any]) -> str:
    """The element for the item of a list with this key."""
    return "k:" + compact_json(dict(key))


def value_element(value: Any) -> str:
    """The element for this item of a set."""
    return "v:" + compact_json(value)


def to_fields_v1(fields: Iterable[Path]) -> dict[str, Any]:
    """A set of fields in its form on the wire, sorted.

    >>> to_fields_v1({("f:spec",), ("f:spec", "f:replicas")})
    {'f:spec': {'.': {}, 'f:replicas': {}}}
    """
    root: dict[str, Any] = {}
    for path in sorted(fields):
        here = root
        for element in path:
            here = here.setdefault(element, {})
        here["."] = {}
    return _without_needless_dots(root)


@lru_cache(maxsize=4096)
def to_shared_fields_v1(fields: FieldSet) -> dict[str, Any]:
    """The same, remembered: the result belongs to everybody and is not to be changed."""
    return to_fields_v1(fields)


def _without_needless_dots(tree: dict[str, Any]) -> dict[str, Any]:
    if tree.keys() == {"."}:
        return {}
    return {element: _without_needless_dots(below) for element, below in tree.items()}


def from_fields_v1(tree: Mapping[str, Any]) -> FieldSet:
    """A set of fields from its form on the wire.

    Raises ``ValueError`` for an element that is none.
    """
    return _parsed(msgspec.json.encode(tree))


@lru_cache(maxsize=4096)
def _parsed(tree: bytes) -> FieldSet:
    """Remembered, for an object's managers are read at each of its changes."""
    found: set[Path] = set()
    _collect(msgspec.json.decode(tree), (), found)
    return frozenset(found)


def _collect(tree: Mapping[str, Any], path: Path, found: set[Path]) -> None:
    if path and (not tree or "." in tree):
        found.add(path)
    for element, below in tree.items():
        if element != ".":
            _collect(below or {}, (*path, _normal(element)), found)


def _normal(element: str) -> str:
    """The element as this module writes it: keys sorted, no spaces."""
    kind, content = element[:2], element[2:]
    if kind == "k:":
        return key_element(json.loads(content))
    if kind == "v:":
        return value_element(json.loads(content))
    if kind not in ("f:", "i:"):
        raise ValueError(f"unknown path element {element!r}")
    return element


def path_text(path: Path) -> str:
    """A path as people read it.

    >>> path_text(("f:spec", "f:containers", 'k:{"name":"web"}', "f:image"))
    '.spec.containers[name="web"].image'
    """
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    kind, content = element[:2], element[2:]
    if kind == "f:":
        return f".{content}"
    if kind == "k:":
        return "[" + ",".join(f"{name}={compact_json(value)}" for name, value in json.loads(content).items()) + "]"
    return f"[={content}]" if kind == "v:" else f"[{content}]"


def compact_json(value: Any) -> str:
    """JSON as the API server writes it into texts: no spaces, keys sorted, safe within HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.translate(_AS_GO_WRITES_THEM)
