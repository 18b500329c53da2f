"""`ObjectRef`: which object, without the object."""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import InvalidInput


class OwnerReference(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """One entry of `metadata.ownerReferences`.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


def owner_reference(owner: Any, *, controller: bool = True) -> OwnerReference:
    """The entry of a child's `metadata.ownerReferences` that names its owner; the child then goes when the owner does.

    >>> config_maps.apply(                                                                  # doctest: +SKIP
    ...     {"metadata": {"name": "page", "ownerReferences": [owner_reference(website)]}}, field_manager="website"
    ... )

    `owner` is an object or an official model, and in the child's namespace or in none. `controller` says that it is the
    one owner that manages the child. Raises InvalidInput for what has no uid: it is not, or not as the server has it.
    """
    metadata = getattr(owner, "metadata", None)
    api_version, kind = getattr(owner, "api_version", None), getattr(owner, "kind", None)
    name, uid = getattr(metadata, "name", None), getattr(metadata, "uid", None)
    if not (api_version and kind and name and uid):
        raise InvalidInput(
            f"an owner is an object as the server has it, with kind and uid; this {type(owner).__name__} is not"
        )
    return OwnerReference(api_version, kind, name, uid, controller=controller or None)


class ObjectRef(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A reference to an object: equal to another when kind, API version, name and namespace are.

    `resource_version` and `uid` are carried along and do not count. A reference with a namespace differs from one
    without, also for a cluster-scoped kind. https://docs.rs/kube-runtime/latest/kube_runtime/reflector/struct.ObjectRef.html

    >>> str(ObjectRef("Deployment", "web", "shop", api_version="apps/v1"))
    'Deployment.v1.apps/web.shop'
    >>> str(ObjectRef("Node", "n1"))
    'Node.v1./n1'
    """

    kind: str
    name: str
    namespace: str | None = None
    api_version: str = "v1"
    resource_version: str | None = None
    uid: str | None = None

    @classmethod
    def to(cls, api_or_model: Any, name: str, namespace: str | None = None) -> ObjectRef:
        """The object called `name` of the kind that an `Api`, a model class or an object stands for.

        Raises InvalidInput where that does not say its kind, or not before a request.
        """
        api_version: str | None
        kind: str | None
        if isinstance(api_or_model, type):
            from .typed import of_model

            api_version, kind, _ = of_model(api_or_model)
        else:
            api_version, kind = (getattr(api_or_model, field, None) for field in ("api_version", "kind"))
        if not (api_version and kind):
            what = (api_or_model if isinstance(api_or_model, type) else type(api_or_model)).__name__
            raise InvalidInput(
                f"this {what} does not say its API version and kind (an Api of a name alone: not before its first "
                'request): write ObjectRef("Deployment", name, namespace, api_version="apps/v1")'
            )
        return cls(kind, name, namespace, api_version)

    @classmethod
    def from_owner(cls, owner: OwnerReference, namespace: str | None = None) -> ObjectRef:
        """The object that an owner reference names; `namespace` is None for a cluster-scoped owner."""
        return cls(owner.kind, owner.name, namespace, owner.api_version, uid=owner.uid or None)

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the API group."""
        return self.api_version.rpartition("/")[2]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef):
            return NotImplemented
        return (
            self.name == other.name
            and self.namespace == other.namespace
            and self.kind == other.kind
            and self.api_version == other.api_version
        )

    def __ne__(self, other: object) -> bool:
        # A Struct has one of its own, which compares identities.
        return not self == other

    def __hash__(self) -> int:
        return hash((self.kind, self.api_version, self.name, self.namespace))

    def __str__(self) -> str:
        place = f".{self.namespace}" if self.namespace is not None else ""
        return f"{self.kind}.{self.version}.{self.group}/{self.name}{place}"
