"""What the server does by itself: it collects dependents whose owners are gone, and empties namespaces being deleted.

A kube-apiserver leaves both to kube-controller-manager. What garbage collection decides stands in ``gc_rules``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

from .cluster import Cluster, Committed, WriteOptions
from .deletion import DeleteOptions
from .gc_rules import Delete, DropFinalizer, DropOwners, Node, Step, Unblock, node_of, steps_for
from .kinds import Resource
from .status import ApiError
from .storage import Entry

Json = dict[str, Any]

_log = logging.getLogger(__name__)
_PROTECTIONS = frozenset(("kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"))  # nothing here uses volumes
_AS_SERVER = WriteOptions(manager="")


class Collector:
    """Hears of every change, notes what it leads to, and does it on a thread of its own from ``start`` to ``stop``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = cluster.storage.lock  # guards the three indexes
        self._objects: dict[str, tuple[Resource, Entry]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._emptying: set[str] = set()
        self._todo_changed = threading.Condition()  # guards the three fields below; never held while work is done
        self._todo: dict[tuple[str, str], None] = {}  # in order, each once
        self._busy = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        cluster.listeners.append(self._changed)
        for resource in cluster.kinds.all():
            for entry in cluster.collection(resource).entries.values():
                self._objects[entry.uid] = (resource, entry)

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kubewatch-apiserver-collector")
        self._thread.start()

    def stop(self) -> None:
        with self._todo_changed:
            self._stopping = True
            self._todo_changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def settle(self, seconds: float) -> bool:
        """Waits until there is nothing left to do; False if that took longer."""
        with self._todo_changed:
            return self._todo_changed.wait_for(lambda: not self._todo and not self._busy, seconds)

    # --- hearing, within the change ---

    def _changed(self, committed: Committed) -> None:
        resource, entry, previous = committed.resource, committed.entry, committed.previous
        before = previous.owners if previous is not None else ()
        if committed.gone:
            self._objects.pop(entry.uid, None)
        else:
            self._objects[entry.uid] = (resource, entry)
        if entry.owners or before:
            self._index(entry, before, gone=committed.gone)
        if entry.owners or entry.deleting:
            self._note("object", entry.uid)
        if committed.gone or entry.deleting:
            for uid in self._dependents.get(entry.uid, ()):
                self._note("object", uid)
        for uid in before:
            self._note("object", uid)
        if resource.is_namespaces and entry.deleting and not committed.gone:
            self._emptying.add(entry.name)
            self._note("namespace", entry.name)
        elif committed.gone and entry.namespace in self._emptying:
            self._note("namespace", entry.namespace)

    def _index(self, entry: Entry, before: Iterable[str], *, gone: bool) -> None:
        for owner in before:
            self._dependents.get(owner, set()).discard(entry.uid)
            if not self._dependents.get(owner):
                self._dependents.pop(owner, None)
        if not gone:
            for owner in entry.owners:
                self._dependents.setdefault(owner, set()).add(entry.uid)

    def _note(self, kind: str, which: str) -> None:
        with self._todo_changed:
            self._todo.setdefault((kind, which))
            self._todo_changed.notify_all()

    # --- working ---

    def _run(self) -> None:
        while True:
            with self._todo_changed:
                self._busy = False
                self._todo_changed.notify_all()
                self._todo_changed.wait_for(lambda: self._todo or self._stopping)
                if self._stopping:
                    return
                kind, which = next(iter(self._todo))
                del self._todo[kind, which]
                self._busy = True
            try:
                with self._lock:
                    self._collect(which) if kind == "object" else self._empty(which)
            except ApiError as error:
                _log.warning("the collector was refused: %s", error)

    def _collect(self, uid: str) -> None:
        node = self._find(uid)
        if node is None:
            return
        for step in steps_for(node, self._find, self._below):
            self._take(step)
        if node.deleting:
            for finalizer in node.finalizers & _PROTECTIONS:
                self._take(DropFinalizer(uid, finalizer))

    def _find(self, uid: str) -> Node | None:
        found = self._objects.get(uid)
        return None if found is None else node_of(found[1].decode())

    def _below(self, uid: str) -> list[Node]:
        nodes = (self._find(one) for one in sorted(self._dependents.get(uid, ())))
        return [node for node in nodes if node is not None]

    def _take(self, step: Step) -> None:
        found = self._objects.get(step.uid)
        if found is None:
            return
        resource, entry = found
        if isinstance(step, Delete):
            options = DeleteOptions(uid=entry.uid, propagation=step.propagation)
            self._cluster.delete(resource, entry.namespace, entry.name, options)
            return

        def change(document: Json) -> Json:
            return document | {"metadata": _changed_metadata(document["metadata"], step)}

        self._cluster.patch(resource, entry.namespace, entry.name, change, _AS_SERVER)

    def _empty(self, namespace: str) -> None:
        namespaces = self._cluster.kinds.need("", "v1", "namespaces")
        doomed = self._cluster.find(namespaces, "", namespace)
        if doomed is None or not doomed.deleting:
            self._emptying.discard(namespace)
            return
        at_once = DeleteOptions(propagation="Background", grace_seconds=0)
        for resource, entry in [found for found in self._objects.values() if found[1].namespace == namespace]:
            if not entry.deleting or resource.graceful:
                self._cluster.delete(resource, entry.namespace, entry.name, at_once)
        if any(entry.namespace == namespace for _, entry in self._objects.values()):
            return  # what is left has finalizers: its going is heard of
        self._emptying.discard(namespace)
        document = self._cluster.whole(namespaces, doomed) | {"spec": {"finalizers": []}}
        self._cluster.replace(namespaces, "", namespace, document, WriteOptions(manager="", subresource="finalize"))


def _changed_metadata(metadata: Json, step: DropOwners | Unblock | DropFinalizer) -> Json:
    references = metadata.get("ownerReferences") or []
    if isinstance(step, DropOwners):
        return metadata | {"ownerReferences": [one for one in references if one["uid"] not in step.owners]}
    if isinstance(step, Unblock):
        return metadata | {"ownerReferences": [one | {"blockOwnerDeletion": False} for one in references]}
    finalizers = metadata.get("finalizers") or []
    return metadata | {"finalizers": [one for one in finalizers if one != step.finalizer]}
