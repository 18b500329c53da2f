"""How the parts of a kind of object merge: what strategic merge and server-side apply have to know about its fields.

A ``Schema`` describes one position in an object. The facts about built-in kinds stand in ``builtin_schemas``, those of
a custom resource are in its CRD (``from_openapi``); a kind about which nothing is known merges its objects field by
field and replaces its lists.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Schema:
    """One position in an object.

    ``merge`` is server-side apply's rule for a list or an object here: ``each`` field or item has owners of its own
    (a list only with ``keys``), ``set`` is a list of scalars each owned by itself, ``atomic`` has one owner as a whole.
    """

    merge: Literal["each", "set", "atomic"] = "each"
    keys: tuple[str, ...] = ()
    """The fields that identify an item of a list."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What a key is where an item leaves it out."""
    patch_key: str = ""
    """The one field by which strategic merge identifies an item; lists without it are replaced."""
    patch: Literal["usual", "merge", "replace"] = "usual"
    """Strategic merge's rule where it is not the usual one (objects merge, lists of scalars are replaced)."""
    fields: Mapping[str, Schema] = field(default_factory=dict)
    """Fields about which there is more to say than nothing."""
    values: Schema | None = None
    """What an item is, or a value under a key that is data and not a field's name (labels)."""
    free: bool = False
    """Nothing is known: all keys may be data, and so on downwards."""

    def child(self, name: str) -> Schema:
        """The schema of the field ``name``."""
        found = self.fields.get(name, self.values)
        if found is not None:
            return found
        return FREE if self.free else PLAIN

    def is_field(self, name: str) -> bool:
        """Whether ``name`` is a field's name here; otherwise it is data and has an owner like a value."""
        return name in self.fields or not (self.free or self.values)

    @property
    def item(self) -> Schema:
        return self.values or PLAIN


PLAIN = Schema()
FREE = Schema(free=True)
ATOMIC = Schema(merge="atomic")


def struct(**fields: Schema) -> Schema:
    """An object with fixed fields, of which those with a rule are named."""
    return Schema(fields=fields)


def by(*keys: str, item: Schema = PLAIN, patch_key: str | None = None, **defaults: Any) -> Schema:
    """A list whose items are told apart by ``keys``; strategic merge goes by the first, or by ``patch_key``."""
    return Schema(keys=keys, values=item, patch_key=keys[0] if patch_key is None else patch_key, defaults=defaults)


def key_of(schema: Schema, item: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies ``item`` in a list of ``schema``: its key fields, defaults filled in."""
    found = {**schema.defaults, **item}
    return {key: found[key] for key in schema.keys if found.get(key) is not None}


def from_openapi(node: Mapping[str, Any]) -> Schema:
    """The merge rules which a part of a CRD's ``openAPIV3Schema`` declares.

    >>> from_openapi({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}).keys
    ('name',)
    """
    if node.get("type") == "array":
        return _list_from_openapi(node)
    more = node.get("additionalProperties")
    fields = {name: from_openapi(part) for name, part in node.get("properties", {}).items()}
    return Schema(
        merge="atomic" if node.get("x-kubernetes-map-type") == "atomic" else "each",
        fields=fields,
        values=from_openapi(more) if isinstance(more, Mapping) else None,
        free=bool(node.get("x-kubernetes-preserve-unknown-fields") or more is True),
    )


def _list_from_openapi(node: Mapping[str, Any]) -> Schema:
    items = node.get("items", {})
    rule = node.get("x-kubernetes-list-type", "atomic")
    if rule == "set":
        return Schema(merge="set")
    if rule != "map":
        return Schema(merge="atomic", values=from_openapi(items))
    keys = tuple(node.get("x-kubernetes-list-map-keys", ()))
    parts = items.get("properties", {})
    defaults = {key: parts[key]["default"] for key in keys if "default" in parts.get(key, {})}
    return Schema(keys=keys, values=from_openapi(items), defaults=defaults)
