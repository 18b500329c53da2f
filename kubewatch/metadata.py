"""`ObjectMeta`: the metadata of an object, of which the larger parts stay JSON until somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from .errors import Unreadable
from .fields import LAST_APPLIED, quiet
from .ref import OwnerReference

EMPTY: Mapping[str, str] = MappingProxyType({})


class _Annotations(dict[str, str]):
    """Annotations whose `repr` leaves out the copy of the whole object, which may be a Secret."""

    def __repr__(self) -> str:
        return repr(quiet(self))

    def copy(self) -> _Annotations:  # by which `pprint` would get at a dict that shows all
        return _Annotations(self)


_ABSENT: Any = None
_READERS: dict[str, Callable[[msgspec.Raw], Any]] = {
    "own_labels": msgspec.json.Decoder(dict[str, str] | None).decode,
    "own_annotations": msgspec.json.Decoder(dict[str, str] | None).decode,
    "own_owners": msgspec.json.Decoder(tuple[OwnerReference, ...] | None).decode,
}


class ObjectMeta(msgspec.Struct, frozen=True, gc=False, eq=False, rename="camel", omit_defaults=True):
    """The metadata of an object, typed and read-only.

    Labels, annotations and owner references are decoded when they are first touched, which raises `Unreadable` where
    they are something else: so few objects are kept for each of the cluster's, and none that Python's garbage collector
    counts. Until then metadata hold on to the bytes of their object, also where they are kept alone. `managedFields` is
    left undecoded, as it is half of the bytes and rarely read: `obj["metadata"]["managedFields"]`.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
    """

    name: str = ""
    generate_name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    # JSON, in the bytes that the object keeps; or what was made of it.
    own_labels: msgspec.Raw = msgspec.field(default=_ABSENT, name="labels")
    own_annotations: msgspec.Raw = msgspec.field(default=_ABSENT, name="annotations")
    own_owners: msgspec.Raw = msgspec.field(default=_ABSENT, name="ownerReferences")
    finalizers: tuple[str, ...] = ()

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels; empty when there are none."""
        own: Any = self.own_labels
        if type(own) is msgspec.Raw:
            own = self._read("own_labels", own)
        return MappingProxyType(own) if own else EMPTY

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations; empty when there are none."""
        own: Any = self.own_annotations
        if type(own) is msgspec.Raw:
            own = self._read("own_annotations", own)
        if not own:
            return EMPTY
        return MappingProxyType(_Annotations(own) if LAST_APPLIED in own else own)

    @property
    def owner_references(self) -> tuple[OwnerReference, ...]:
        """The owners; empty when there are none."""
        own: Any = self.own_owners
        if type(own) is msgspec.Raw:
            own = self._read("own_owners", own)
        return own or ()

    def _read(self, field: str, raw: msgspec.Raw) -> Any:
        try:
            value = _READERS[field](raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            place = f"{self.namespace}/" if self.namespace else ""
            name = self.__struct_encode_fields__[self.__struct_fields__.index(field)]
            raise Unreadable(f"metadata.{name} of {place}{self.name} cannot be read: {error}") from None
        msgspec.structs.force_setattr(self, field, value)
        return value

    def check(self) -> None:
        """Raise `msgspec.MsgspecError` now where the first touch of something would raise `Unreadable`."""
        for field, reader in _READERS.items():
            value = getattr(self, field)
            if type(value) is msgspec.Raw:
                reader(value)

    def apart(self) -> ObjectMeta:
        """The same, but without a hold on the bytes that it was decoded from."""
        own = {field: getattr(self, field) for field in _READERS}
        copies = {field: value.copy() for field, value in own.items() if type(value) is msgspec.Raw}
        return msgspec.structs.replace(self, **copies) if copies else self

    def _values(self) -> dict[str, Any]:
        values = {field: getattr(self, field) for field in self.__struct_fields__ if field not in _READERS}
        return {
            **values,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "owner_references": self.owner_references,
        }

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ObjectMeta) and self._values() == other._values())

    def __ne__(self, other: object) -> bool:
        # A Struct has one of its own, which compares identities.
        return not self == other

    def __hash__(self) -> int:
        return hash((self.namespace, self.name, self.uid, self.resource_version))

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # What `rich` shows; a Struct has one of its own, which shows all.
        return [(name, quiet(value)) for name, value in self._values().items() if value]

    def __repr__(self) -> str:
        try:
            shown = self.__rich_repr__()
        except Unreadable as error:  # which is not to end what only wanted to show it
            return f"<ObjectMeta: {error}>"
        return f"ObjectMeta({', '.join(f'{name}={value!r}' for name, value in shown)})"


_decode_meta = msgspec.json.Decoder(ObjectMeta).decode


def decode_meta(raw: bytes) -> ObjectMeta:
    """The metadata that `raw` is the JSON of, all of them checked; raises `msgspec.MsgspecError`."""
    meta = _decode_meta(raw)
    meta.check()
    return meta.apart()
