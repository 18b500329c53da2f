"""Kubernetes objects as values: lazy, read-only, equal by value, cheap to keep by the hundred thousand.

An object keeps the JSON that the server sent and its metadata (`metadata.py`); everything else is opened at first touch
(`fields.py`). Neither is visible to the cyclic garbage collector, so a big store does not slow a process down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from .errors import InvalidInput, Unreadable
from .fields import Fields, HiddenFields, Level, attributes, encode, open_level, plain, read
from .metadata import EMPTY, ObjectMeta, decode_meta
from .ref import ObjectRef, OwnerReference

if TYPE_CHECKING:
    from .diff import Diff

T = TypeVar("T")

# Fields of a Secret that no `repr` shows the values of.
SECRET = ("data", "stringData")


class _Kept(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What `Object` and `PartialObjectMeta` have in common: kept bytes, decoded metadata, the opened first level."""

    _raw: bytes
    metadata: ObjectMeta
    api_version: str
    kind: str
    _opened: Level | None = None

    @property
    def name(self) -> str:
        """metadata.name"""
        return self.metadata.name

    @property
    def namespace(self) -> str | None:
        """metadata.namespace; None for a cluster-scoped object."""
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        """metadata.uid"""
        return self.metadata.uid

    @property
    def resource_version(self) -> str:
        """metadata.resourceVersion: opaque, to be compared for equality only."""
        return self.metadata.resource_version

    @property
    def labels(self) -> Mapping[str, str]:
        """metadata.labels; empty when there are none."""
        return self.metadata.labels

    @property
    def annotations(self) -> Mapping[str, str]:
        """metadata.annotations; empty when there are none."""
        return self.metadata.annotations

    @property
    def ref(self) -> ObjectRef:
        """A reference to this object."""
        meta = self.metadata
        return ObjectRef(
            self.kind, meta.name, meta.namespace, self.api_version, meta.resource_version or None, meta.uid or None
        )

    def _split(self, raw: bytes | None = None) -> Level:
        """The first level; `raw` is the JSON without what is not wanted of it."""
        raw = self._raw if raw is None else raw
        # What was skipped when the object was decoded is JSON, but not yet known to be text.
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                raise self._unreadable(f"{error.reason} at byte {error.start}, which is no UTF-8") from None
        level = open_level(raw)
        # Items of a typed list carry no apiVersion and kind, and metadata answers carry another kind: ours count.
        level.pop("apiVersion", None)
        level.pop("kind", None)
        return {"apiVersion": self.api_version, "kind": self.kind, **level}

    def _level(self) -> Level:
        level = self._opened
        if level is None:
            level = self._split()
            msgspec.structs.force_setattr(self, "_opened", level)
        return level

    def _unreadable(self, why: object) -> Unreadable:
        return Unreadable(f"{self._words()} cannot be read: {why}")

    def _words(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"

    def __getitem__(self, key: str) -> Any:
        value = Fields(self._level())[key]
        if key in SECRET and self.kind == "Secret" and isinstance(value, Fields):
            return HiddenFields(value._level)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """The field called `key`, or `default`."""
        return self[key] if key in self._level() else default

    def keys(self) -> Iterable[str]:
        """The names of the top-level fields."""
        return self._level().keys()

    def values(self) -> Iterable[Any]:
        """The values of the top-level fields."""
        return [self[key] for key in self._level()]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and values of the top-level fields."""
        return [(key, self[key]) for key in self._level()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._level())

    def __len__(self) -> int:
        return len(self._level())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._level()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Kept):
            if self.kind != other.kind or self.api_version != other.api_version:
                return False
            return self._raw == other._raw or self.to_dict() == other.to_dict()
        return isinstance(other, Mapping) and Fields(self._level()) == other

    def __ne__(self, other: object) -> bool:
        # A Struct has one of its own, which compares identities.
        return not self == other

    def __hash__(self) -> int:
        meta = self.metadata
        return hash((self.kind, meta.namespace, meta.name, meta.uid, meta.resource_version))

    def to_dict(self) -> dict[str, Any]:
        """The whole object as ordinary dicts and lists, the caller's own."""
        raw = encode(self._split())
        try:
            value: dict[str, Any] = read(raw)
        except Unreadable as error:
            raise self._unreadable(error) from error
        return value

    def to_json(self) -> str:
        """The whole object as JSON text."""
        return encode(self._split()).decode()

    def to_yaml(self, *, managed_fields: bool = False) -> str:
        """The object as YAML text, in the order the server sent; as kubectl has it, without managedFields."""
        import yaml  # comes with the official client; not needed by a watch

        value = self.to_dict()
        if not managed_fields:
            value.get("metadata", {}).pop("managedFields", None)
        text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        return text

    def diff(self, old: Any) -> Diff:
        """What became of `old` (an object, or a plain dict), field by field, managedFields left out.

        >>> print(new.diff(old))                                                             # doctest: +SKIP
        spec.replicas: 2 → 3
        spec.template.spec.containers[web].image: "web:1" → "web:2"

        Of a Secret it shows which values changed, and never a value.
        """
        from .diff import diff

        return diff(old, self)

    def to_model(self, model: type[T]) -> T:
        """This object as an official model (`V1Pod`), or as one's own Struct, dataclass or pydantic class."""
        from .models import model_decoder

        return model_decoder(model)(encode(self._split()))

    def __repr__(self) -> str:
        return f"<{self._words()} resourceVersion={self.resource_version}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # What `rich` shows; a Struct has one of its own, which shows all.
        return [(field, getattr(self, field)) for field in ("kind", "namespace", "name", "resource_version")]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._level())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._raw, self.metadata, self.api_version, self.kind)

    def __copy__(self: T) -> T:
        return self  # immutable

    def __deepcopy__(self: T, memo: dict[int, Any]) -> T:
        return self  # immutable


class Object(_Kept, frozen=True, gc=False, eq=False):
    """A Kubernetes object of any kind: a read-only mapping with typed metadata.

    Fields read as in YAML, by attribute or key: `obj.spec.nodeName`, `obj["spec"]["nodeName"]`. As attributes, absent
    fields are None, and absent `spec` and `status` are empty, so that `obj.status.phase` is always safe to ask.

    >>> from kubewatch.decode import decode_object
    >>> pod = decode_object(b'{"metadata": {"name": "web"}, "spec": {"nodeName": "n1"}}', "v1", "Pod")
    >>> pod.name, pod.metadata.namespace, pod.spec.nodeName, pod.status.phase
    ('web', None, 'n1', None)
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copy, pickle and notebooks probe for is no field
            raise AttributeError(name)
        level = self._level()
        if name in level:
            value = self[name] if name in SECRET else Fields(level)[name]
            if value is not None:
                return value
        return Fields({}) if name in ("spec", "status") else None

    def __dir__(self) -> Iterable[str]:
        return {*super().__dir__(), *attributes(self._level())}


class PartialObjectMeta(_Kept, frozen=True, gc=False, eq=False):
    """An object of which only the metadata was asked for.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(
            f"{name!r} was not fetched: this {self.kind} came from a metadata watch and has .metadata only. "
            f"Use watcher(api) instead of metadata_watcher(api), or fetch the whole object with api.get({self.name!r})."
        )


class ProtobufObjectMeta(PartialObjectMeta, frozen=True, gc=False, eq=False):
    """A `PartialObjectMeta` that keeps the protobuf that the server sent, and reads it when it is touched.

    What a watch and a store need is read on arrival; the slot for `metadata` is filled when they are touched.
    """

    _name: str = ""
    _namespace: str | None = None
    _version: str = ""

    @property  # type: ignore[misc]  # in place of a slot, and as read-only
    def metadata(self) -> ObjectMeta:
        slot = _Kept.__dict__["metadata"]
        meta: ObjectMeta | None = slot.__get__(self)
        if meta is None:
            from .protobuf.values import metadata

            try:
                meta = decode_meta(msgspec.json.encode(metadata(self._raw, self.kind)))
            except msgspec.DecodeError as error:
                raise self._unreadable(error) from None
            slot.__set__(self, meta)
        return meta

    @property
    def name(self) -> str:
        return self._name

    @property
    def namespace(self) -> str | None:
        return self._namespace

    @property
    def resource_version(self) -> str:
        return self._version

    def _in_json(self) -> PartialObjectMeta:
        from .decode import decode_partial
        from .protobuf.values import to_json

        try:
            return decode_partial(to_json(self._raw, self.kind), self.api_version, self.kind)
        except msgspec.DecodeError as error:
            raise self._unreadable(error) from None

    def _split(self, raw: bytes | None = None) -> Level:
        return self._in_json()._split(raw)

    def __reduce__(self) -> tuple[Any, ...]:
        names = self._name, self._namespace, self._version
        return type(self), (self._raw, None, self.api_version, self.kind, None, *names)


Mapping.register(Object)
Mapping.register(PartialObjectMeta)


def meta_of(obj: Any) -> ObjectMeta:
    """The metadata of an object, of a plain dict, of an official model or of a model of the user's own."""
    meta = obj["metadata"] if isinstance(obj, dict) else obj.metadata
    if isinstance(meta, ObjectMeta):
        return meta
    if isinstance(meta, Mapping):
        known = {name: plain(meta[name]) for name in ObjectMeta.__struct_encode_fields__ if name in meta}
        return decode_meta(encode(known))
    known = {name: getattr(meta, name, None) for name in ObjectMeta.__struct_fields__}
    known["own_labels"] = getattr(meta, "labels", None)
    known["own_annotations"] = getattr(meta, "annotations", None)
    known["own_owners"] = tuple(
        msgspec.convert(owner, OwnerReference, from_attributes=True)
        for owner in getattr(meta, "owner_references", None) or ()
    )
    known["finalizers"] = tuple(known["finalizers"] or ())
    return ObjectMeta(**{name: value for name, value in known.items() if value is not None})


def key_of(obj: Any) -> tuple[str, str]:
    """What tells objects of one kind apart: (namespace, or "" where there is none; name).

    Raises AttributeError for what has no metadata, InvalidInput for metadata that do not say it.
    """
    if type(obj) is ProtobufObjectMeta:
        return obj._namespace or "", obj._name
    meta = obj.metadata
    try:
        return meta.namespace or "", meta.name
    except AttributeError:
        if isinstance(meta, dict) and "name" in meta:
            return meta.get("namespace") or "", meta["name"]
        raise InvalidInput(
            f"objects are told apart by metadata.namespace and metadata.name: the class {type(obj).__name__} needs both"
        ) from None


def labels_of(obj: Any) -> Mapping[str, str]:
    """The labels of an object or model; empty when there are none."""
    meta = obj.metadata
    return (meta.get("labels") if isinstance(meta, dict) else meta.labels) or EMPTY
