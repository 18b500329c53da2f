"""What the garbage collector does with an object, by its owners, its dependents and its finalizers.

Deleted in the background, an object goes, and then those go whose last owner it was. In the foreground it waits, with
the finalizer ``foregroundDeletion``, for the dependents that block it, and these are deleted. To orphan them, it waits
with the finalizer ``orphan`` until no dependent names it.
https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True)
class Node:
    """As much of an object as garbage collection looks at."""

    uid: str
    namespace: str = ""
    owners: Mapping[str, bool] = field(default_factory=dict)
    """The owners' UIDs, and of each whether it must wait for this object (blockOwnerDeletion)."""
    finalizers: frozenset[str] = frozenset()
    deleting: bool = False
    """Whether it has a deletionTimestamp."""

    @property
    def awaits_dependents(self) -> bool:
        return self.deleting and FOREGROUND in self.finalizers


@dataclass(frozen=True)
class Delete:
    """Delete the object, with this propagation."""

    uid: str
    propagation: Literal["Background", "Foreground", "Orphan"] = "Background"


@dataclass(frozen=True)
class DropOwners:
    """Take these owners out of the object's ownerReferences."""

    uid: str
    owners: frozenset[str]


@dataclass(frozen=True)
class Unblock:
    """Set blockOwnerDeletion to false in all the object's ownerReferences."""

    uid: str


@dataclass(frozen=True)
class DropFinalizer:
    """Take a finalizer from the object, which may be the last thing that kept it."""

    uid: str
    finalizer: str


Step = Delete | DropOwners | Unblock | DropFinalizer


def node_of(obj: Mapping[str, Any]) -> Node:
    """What garbage collection looks at in an object.

    >>> node_of({"metadata": {"uid": "u", "ownerReferences": [{"uid": "o", "blockOwnerDeletion": True}]}}).owners
    {'o': True}
    """
    metadata = obj["metadata"]
    return Node(
        uid=metadata["uid"],
        namespace=metadata.get("namespace", ""),
        owners={one["uid"]: bool(one.get("blockOwnerDeletion")) for one in metadata.get("ownerReferences") or ()},
        finalizers=frozenset(metadata.get("finalizers") or ()),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def steps_for(
    node: Node, find: Callable[[str], Node | None], dependents: Callable[[str], Iterable[Node]]
) -> list[Step]:
    """What is to be done now because of ``node``, in this order; nothing when it has to wait, or can stay as it is.

    ``find`` gives the object with a UID, ``dependents`` those that name a UID as their owner.

    >>> steps_for(Node("child", owners={"gone": False}), find=lambda uid: None, dependents=lambda uid: [])
    [Delete(uid='child', propagation='Background')]
    """
    if node.deleting and ORPHAN in node.finalizers:
        orphans = [DropOwners(one.uid, frozenset({node.uid})) for one in dependents(node.uid)]
        return [*orphans, DropFinalizer(node.uid, ORPHAN)]
    if node.awaits_dependents:
        blocked = any(one.owners[node.uid] for one in dependents(node.uid))
        return [] if blocked else [DropFinalizer(node.uid, FOREGROUND)]
    if node.deleting or not node.owners:
        return []
    return list(_steps_for_dependent(node, find, dependents))


def _steps_for_dependent(
    node: Node, find: Callable[[str], Node | None], dependents: Callable[[str], Iterable[Node]]
) -> Iterator[Step]:
    found = {uid: find(uid) for uid in node.owners}
    if not node.namespace and any(owner and owner.namespace for owner in found.values()):
        return  # a cluster-wide object cannot be owned by one in a namespace: such a one is left alone
    owners = {uid: owner for uid, owner in found.items() if owner and owner.namespace in ("", node.namespace)}
    waiting = frozenset(uid for uid, owner in owners.items() if owner.awaits_dependents)
    gone = frozenset(node.owners) - owners.keys()
    if owners.keys() - waiting:
        if gone | waiting:
            yield DropOwners(node.uid, gone | waiting)
        return
    below = list(dependents(node.uid))
    if waiting and below:
        if any(one.awaits_dependents for one in below):
            yield Unblock(node.uid)  # or they might wait for each other, in a circle
        yield Delete(node.uid, "Foreground")
    elif ORPHAN in node.finalizers:
        yield Delete(node.uid, "Orphan")
    else:
        yield Delete(node.uid, "Foreground" if FOREGROUND in node.finalizers else "Background")


def plan(nodes: Iterable[Node]) -> list[Step]:
    """The steps for all of these objects as they are now. Take them, and ask again, until there are none."""
    known = {node.uid: node for node in nodes}
    below: dict[str, list[Node]] = {}
    for node in known.values():
        for uid in node.owners:
            below.setdefault(uid, []).append(node)
    steps = (steps_for(node, known.get, lambda uid: below.get(uid, ())) for node in known.values())
    return [step for some in steps for step in some]
