"""`Draft`: an object under change, inside `modify`, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from .errors import InvalidInput, Unreadable
from .fields import Fields, HiddenFields, Level, MutableFields, cut, encode, open_level
from .managed import find_managed_fields
from .metadata import ObjectMeta, decode_meta
from .objects import SECRET, ProtobufObjectMeta, _Kept
from .prune import Prune

T = TypeVar("T")
K = TypeVar("K", bound=_Kept)


@lru_cache(maxsize=256)
def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda m: m.group(1).upper(), name)


class _HiddenDraft(HiddenFields, MutableFields):
    __slots__ = ()


class DraftMeta(MutableFields):
    """The metadata of a draft; names may be written in snake_case or as in YAML.

    Touching an absent map or list (`labels`, `finalizers`, …) makes an empty one, so that it can be added to.
    """

    __slots__ = ()

    def _key(self, name: str) -> str:
        return _camel(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        key = _camel(name)
        if key not in self._level and key in ("labels", "annotations"):
            self._level[key] = {}
        if key not in self._level and key in ("finalizers", "ownerReferences", "managedFields"):
            self._level[key] = []
        return self[key] if key in self._level else None


class Draft(MutableFields):
    """An object under change, inside `modify` only: fields are set and deleted by attribute or key.

    Only what is touched is opened, so cutting a field costs no decoding of it. As on an object, `spec` and `status` are
    always there to be asked, and set.
    """

    __slots__ = ()

    @property
    def metadata(self) -> DraftMeta:
        """The metadata, to be changed."""
        meta: DraftMeta = self["metadata"]
        return meta

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, Fields):
            if key == "metadata":
                return DraftMeta(value._level)
            if key in SECRET and self._level.get("kind") == "Secret":
                return _HiddenDraft(value._level)
        return value

    def __repr__(self) -> str:
        return f"<draft of {self._level.get('kind')} {self.metadata.name}>"

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if value is None and name in ("spec", "status"):
            self._level[name] = {}
            return self[name]
        return value


_METADATA = b'"metadata":'

# What a store keeps objects under, and what relates them to others.
_KNOWN_BY = ("name", "namespace", "uid", "resource_version", "owner_references")


def modified(obj: T, change: Callable[[Any], object]) -> T:
    """A copy of `obj` after `change` was called on a draft of it; what `change` returns is ignored.

    A model of the user's own is handed to `change` as it is, and returned. Raises InvalidInput where `change` took away
    what the object is known by, and what `change` raises.
    """
    if not isinstance(obj, _Kept):
        change(obj)
        return obj
    if isinstance(obj, ProtobufObjectMeta):
        return cast(T, modified(obj._in_json(), change))
    if isinstance(change, Prune):
        return _pruned(obj, change)
    level = obj._split()
    absent = [name for name in ("spec", "status") if name not in level]
    change(Draft(level))
    for name in absent:
        if level.get(name) == {}:  # it was made by asking for it
            del level[name]
    if level.get("apiVersion") != obj.api_version or level.get("kind") != obj.kind:
        raise InvalidInput(f"modify must leave {obj._words()} its apiVersion, kind")
    opened = level.get("metadata")
    meta = obj.metadata.apart() if type(opened) is msgspec.Raw else _changed_metadata(obj, opened)
    return type(obj)(encode(level), meta, obj.api_version, obj.kind)


def _pruned(obj: K, prune: Prune) -> K:
    # No draft is needed, as no path leads to what an object is known by.
    level = _unmanaged(obj) if prune.managed_fields else None
    paths = prune.paths if level is None else prune.other_paths
    level = level or obj._split()
    for path in paths:
        cut(level, path)
    meta = _changed_metadata(obj, level["metadata"]) if prune.of_metadata else obj.metadata.apart()
    return type(obj)(encode(level), meta, obj.api_version, obj.kind)


def _unmanaged(obj: _Kept) -> Level | None:
    """The first level, the metadata in it without managedFields; None where finding these takes a closer look."""
    found = find_managed_fields(obj._raw)
    if found is None:
        return None
    at, end = found
    rest = obj._raw[:at] + obj._raw[end:]
    try:
        level = obj._split(rest)
    except (Unreadable, msgspec.MsgspecError, RecursionError):
        return None
    # Only if they were a member of the metadata, and not of something in them or elsewhere, and of those that count.
    begin = rest.find(_METADATA, 0, at) + len(_METADATA)
    meta = bytes(level["metadata"])
    last = begin + len(meta) - 1  # the brace that closes them
    ours = rest.startswith(meta, begin) and _opens_metadata(rest[:begin])
    member = at == last or (at < last and _is_json(rest[begin:at] + b"}"))
    twice = b"managedFields" in meta or b"\\" in meta  # maybe, spelled with an escape
    return level if ours and member and not twice else None


@lru_cache(maxsize=256)
def _opens_metadata(text: bytes) -> bool:
    """Whether `text`, which ends in `"metadata":`, is the beginning of an object of which that is a member."""
    return _is_json(text + b"{}}")


def _is_json(raw: bytes) -> bool:
    try:
        open_level(raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _changed_metadata(obj: _Kept, opened: Any) -> ObjectMeta:
    if type(opened) is not dict:
        raise InvalidInput(f"modify must leave {obj._words()} its metadata")
    for key in ("labels", "annotations", "finalizers", "ownerReferences", "managedFields"):
        if key in opened and not opened[key]:
            del opened[key]
    try:
        meta = decode_meta(encode(opened))
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"modify must leave {obj._words()} good metadata: {error}") from error
    lost = [name for name in _KNOWN_BY if getattr(obj.metadata, name) and not getattr(meta, name)]
    if lost:
        raise InvalidInput(f"modify must leave {obj._words()} its metadata.{', '.join(map(_camel, lost))}")
    return meta
