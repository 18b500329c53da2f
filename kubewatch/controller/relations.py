"""Relations: from an object that changed to the objects that are to be reconciled for it, and why.

A relation is a function of what a trigger stream brings to requests: pairs of a reference and a reason.
https://docs.rs/kube-runtime/latest/kube_runtime/controller/index.html#functions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from kubewatch.errors import InvalidInput
from kubewatch.objects import Object, PartialObjectMeta, meta_of
from kubewatch.ref import ObjectRef, OwnerReference
from kubewatch.source import Source
from kubewatch.store import Store

from .scheduler import Reason

T = TypeVar("T")

OBJECT_UPDATED = Reason("object updated")
BULK = Reason("bulk reconcile")
UNKNOWN = Reason("unknown")
REQUEUED = Reason("reconciler requested retry")
RETRIED = Reason("error policy requested retry")
OWNED = "owned object updated"
RELATED = "related object updated"

Request = tuple[ObjectRef, Reason]
Relation = Callable[[Any], Iterable[Request]]
Mapper = Callable[[T], Iterable[ObjectRef] | ObjectRef | None]


class Main(Generic[T]):
    """The kind that is reconciled: its name, its store, and the one reference that each of its objects goes by."""

    def __init__(self, reader: Store[T], api: Source[T] | None = None) -> None:
        self.reader = reader
        self._api = api
        self._seen: tuple[str, str] | None = None

    @property
    def kind(self) -> tuple[str, str] | None:
        """API version and kind; None as long as neither an Api nor an object has told."""
        if self._seen is None:
            # An Api that was given one of kubectl's names knows no version before its first request.
            if self._api is not None and self._api.api_version:
                self._seen = self._api.api_version, self._api.kind
            else:
                for obj in self.reader:
                    self._see(obj)
                    break
        return self._seen

    def _see(self, obj: Any) -> tuple[str, str]:
        if self._seen is None:
            kind, api_version = getattr(obj, "kind", None), getattr(obj, "api_version", None)
            self._seen = api_version or "v1", kind or type(obj).__name__
        return self._seen

    def ref(self, obj: Any) -> ObjectRef:
        """The reference that an object of the main kind goes by."""
        if isinstance(obj, (Object, PartialObjectMeta)):
            return obj.ref
        meta = obj.metadata
        api_version, kind = self.kind or self._see(obj)
        return ObjectRef(
            getattr(obj, "kind", None) or kind,
            meta.name,
            meta.namespace or None,
            getattr(obj, "api_version", None) or api_version,
            getattr(meta, "resource_version", None) or None,
            getattr(meta, "uid", None) or None,
        )

    def canonical(self, ref: ObjectRef) -> ObjectRef:
        """`ref` as the store's object has it, so that no object goes by two: by version, or by namespace.

        A child names the owner's API version as it was when the child was made, and not whether the owner has a
        namespace.
        """
        found = self.reader.get(ref)
        return ref if found is None else self.ref(found)


def itself(main: Main[T]) -> Relation:
    """The object that changed."""

    def relation(obj: Any) -> tuple[Request]:
        return ((main.ref(obj), OBJECT_UPDATED),)

    return relation


def owners(main: Main[T], *, controller_only: bool = False, check_uid: bool = False) -> Relation:
    """The owners of the object that are of the main kind; of whatever version of its group.

    With `controller_only` only the one whose reference says `controller: true`; with `check_uid` none that was deleted
    and made again since. https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """

    def relation(obj: Any) -> Iterator[Request]:
        meta = meta_of(obj)
        for owner in meta.owner_references:
            if controller_only and not owner.controller:
                continue
            ref = _owner_ref(main, owner, meta.namespace)
            if ref is None:
                continue
            found = main.reader.get(ref)
            if found is not None:
                ref = main.ref(found)
                if check_uid and owner.uid != ref.uid:
                    continue
            yield ref, Reason(OWNED, _ref_of(obj))

    return relation


def _owner_ref(main: Main[T], owner: OwnerReference, namespace: str | None) -> ObjectRef | None:
    kind = main.kind
    if kind is None:
        # Who is who shows when the run is due: what is not in the store is not run.
        return ObjectRef.from_owner(owner, namespace)
    group = kind[0].rpartition("/")[0]
    if owner.kind != kind[1] or owner.api_version.rpartition("/")[0] != group:
        return None
    return ObjectRef(kind[1], owner.name, namespace, kind[0], uid=owner.uid or None)


def mapped(main: Main[T], mapper: Mapper[Any]) -> Relation:
    """What the user's `mapper` makes of the object: references, one reference, or None."""

    def relation(obj: Any) -> list[Request]:
        found = mapper(obj)
        if found is None:
            return []
        if not isinstance(found, Iterable):
            found = (found,)
        reason = Reason(RELATED, _ref_of(obj))
        return [(main.canonical(_checked(ref, "the mapper gave")), reason) for ref in found]

    return relation


def given(main: Main[T]) -> Relation:
    """The reference that came."""

    def relation(ref: Any) -> tuple[Request]:
        return ((main.canonical(_checked(ref, "reconcile_on was given")), UNKNOWN),)

    return relation


def everything(main: Main[T]) -> Relation:
    """All objects in the store, whatever came."""

    def relation(_: Any) -> Iterator[Request]:
        for obj in main.reader:
            yield main.ref(obj), BULK

    return relation


def _checked(ref: Any, who: str) -> ObjectRef:
    if not isinstance(ref, ObjectRef):
        raise InvalidInput(
            f"{who} {type(ref).__name__}, where references are wanted: ObjectRef.to(api, name, namespace)"
        )
    return ref


def _ref_of(obj: Any) -> ObjectRef | None:
    if isinstance(obj, (Object, PartialObjectMeta)):
        return obj.ref
    meta = getattr(obj, "metadata", None)
    if meta is None:
        return None
    kind, api_version = getattr(obj, "kind", None), getattr(obj, "api_version", None)
    return ObjectRef(kind or type(obj).__name__, meta.name, meta.namespace or None, api_version or "v1")
