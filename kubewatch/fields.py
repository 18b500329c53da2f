"""Lazy JSON: a document is opened one level at a time, at first touch; what nobody looks at stays bytes.

A *level* is a dict whose values are `msgspec.Raw` (the bytes of a value, unopened) until they are touched. `Fields` and
`Items` are read-only views on levels; `MutableFields` and `MutableItems` are their counterparts for drafts.

>>> pod = Fields(open_level(b'{"spec": {"nodeName": "n1", "containers": [{"image": "web:1"}]}}'))
>>> pod.spec.nodeName, pod["spec"]["containers"][0].image, pod.spec.hostname
('n1', 'web:1', None)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from keyword import iskeyword
from typing import Any, overload

import msgspec

from .errors import Unreadable

Level = dict[str, Any]

# What `kubectl apply` keeps of its manifest, that of a Secret included. No `repr` shows it.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

open_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_open_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read = msgspec.json.Decoder().decode
encode = msgspec.json.encode


def _opened(raw: msgspec.Raw) -> Any:
    first = memoryview(raw)[0]
    if first == ord("{"):
        return open_level(raw)
    if first == ord("["):
        return _open_items(raw)
    return _read(raw)


def _at(container: Any, key: Any) -> Any:
    # Two threads may open the same value at once; both get equal results and the later one stays.
    value = container[key]
    if type(value) is msgspec.Raw:
        try:
            value = container[key] = _opened(value)
        except msgspec.ValidationError as error:
            raise Unreadable(f"the field {key!r} cannot be read: {error}") from error
    return value


def cut(container: Any, path: Sequence[str]) -> None:
    """Take the fields at `path` out of a level, or of a list of such; `*` is every field or element.

    >>> level = open_level(b'{"a": {"b": 1, "c": 2}}')
    >>> cut(level, ("a", "b"))
    >>> encode(level)
    b'{"a":{"c":2}}'
    """
    step, rest = path[0], path[1:]
    if type(container) is list:
        # From the end on, so that what is cut does not shift what is to be cut.
        keys: Iterable[Any] = [i for i in range(len(container) - 1, -1, -1) if step in ("*", str(i))]
    else:
        keys = list(container) if step == "*" else (step,) if step in container else ()
    for key in keys:
        if not rest:
            del container[key]
            continue
        value = _at(container, key)
        if type(value) is dict or type(value) is list:
            cut(value, rest)


def _view(value: Any) -> Any:
    if type(value) is dict:
        return Fields(value)
    if type(value) is list:
        return Items(value)
    return value


def read(raw: bytes | msgspec.Raw) -> Any:
    """JSON as ordinary dicts, lists and scalars."""
    try:
        return _read(raw)
    except msgspec.ValidationError as error:  # of JSON that passed before: a number
        raise Unreadable(str(error)) from error


def plain(value: Any) -> Any:
    """The value as ordinary dicts, lists and scalars, shared with nobody."""
    if isinstance(value, Fields):
        return read(encode(value._level))
    if isinstance(value, Items):
        return read(encode(value._items))
    if isinstance(value, Mapping):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if isinstance(value, msgspec.Struct):
        return read(encode(value))
    return value


def attributes(level: Level) -> list[str]:
    """The fields that can be written as attributes; a label's key often cannot."""
    return [name for name in level if name.isidentifier() and not iskeyword(name)]


def quiet(value: Any) -> Any:
    """A plain value, without what no `repr` shows."""
    if isinstance(value, dict):
        return {key: "…" if key == LAST_APPLIED else quiet(member) for key, member in value.items()}
    return [quiet(member) for member in value] if isinstance(value, list) else value


class Fields(Mapping[str, Any]):
    """A read-only mapping over one level; fields read as keys or as attributes.

    A missing field is None as an attribute, as Kubernetes treats absent and null alike, and a KeyError as a key. A
    field called like a mapping's method (`items`, `keys`, `values`, `get`) is reached by its key.
    """

    __slots__ = ("_level",)
    _level: Level

    def __init__(self, level: Level) -> None:
        object.__setattr__(self, "_level", level)

    def __getitem__(self, key: str) -> Any:
        return _view(_at(self._level, key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copy, pickle and notebooks probe for is no field
            raise AttributeError(name)
        return self[name] if name in self._level else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._level)

    def __len__(self) -> int:
        return len(self._level)

    def __contains__(self, key: object) -> bool:
        return key in self._level

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and bool(plain(self) == {k: plain(v) for k, v in other.items()})

    __hash__ = None  # type: ignore[assignment]  # a mapping that is equal by value, like dict

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name!r} cannot be set: objects are shared and read-only outside .modify(...)")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *attributes(self._level)]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._level)

    def __repr__(self) -> str:
        return repr(quiet(plain(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (plain(self),)


class HiddenFields(Fields):
    """Fields whose values are secret: `repr` shows their names alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<values not shown: {', '.join(self._level)}>"


class Items(Sequence[Any]):
    """A read-only sequence over a JSON array."""

    __slots__ = ("_items",)
    _items: list[Any]

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._items)))]
        return _view(_at(self._items, index))

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, bytes)) or not isinstance(other, Sequence):
            return False
        return bool(plain(self) == [plain(v) for v in other])

    __hash__ = None  # type: ignore[assignment]  # equal by value, like list

    def __repr__(self) -> str:
        return repr(quiet(plain(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (plain(self),)


def _mutable(value: Any) -> Any:
    if type(value) is dict:
        return MutableFields(value)
    if type(value) is list:
        return MutableItems(value)
    return value


class MutableFields(Fields, MutableMapping[str, Any]):
    """A level that can be changed, by key or by attribute; assigning None to an attribute removes the field."""

    __slots__ = ()

    def _key(self, name: str) -> str:
        return name

    def __getitem__(self, key: str) -> Any:
        return _mutable(_at(self._level, key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._level[key] = plain(value)

    def __delitem__(self, key: str) -> None:
        del self._level[key]

    def __setattr__(self, name: str, value: Any) -> None:
        if value is None:
            self._level.pop(self._key(name), None)
        else:
            self[self._key(name)] = value

    def __delattr__(self, name: str) -> None:
        self._level.pop(self._key(name), None)


class MutableItems(Items, MutableSequence[Any]):
    """A JSON array that can be changed."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._items)))]
        return _mutable(_at(self._items, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._items[index] = [plain(v) for v in value] if isinstance(index, slice) else plain(value)

    def __delitem__(self, index: Any) -> None:
        del self._items[index]

    def insert(self, index: int, value: Any) -> None:
        self._items.insert(index, plain(value))
