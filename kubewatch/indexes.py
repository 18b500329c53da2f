"""Index functions: from an object to the values under which a store finds it again.

An index function takes an object and returns the values (hashable; none is fine) that it belongs to. It must depend on
the object alone. `store(indexes={"node": lambda pod: [pod.spec.nodeName]})` makes `store.index("node", "worker-1")`
cost as much as its answer is long, however full the store is.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from .objects import key_of, labels_of, meta_of

T = TypeVar("T")
IndexFunction = Callable[[T], Iterable[Hashable]]

_log = logging.getLogger(__name__)


def by_namespace(obj: Any) -> Iterable[Hashable]:
    """The object's namespace; None for a cluster-scoped object."""
    return (key_of(obj)[0] or None,)


def by_owner(obj: Any) -> Iterable[Hashable]:
    """The uids of the object's owners.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """
    return [owner.uid for owner in meta_of(obj).owner_references]


def by_label(key: str) -> IndexFunction[Any]:
    """An index function: the value of the label `key`, for objects that have it.

    >>> store(indexes={"app": by_label("app")})                                              # doctest: +SKIP
    """

    def label(obj: Any) -> Iterable[Hashable]:
        labels = labels_of(obj)
        return (labels[key],) if key in labels else ()

    return label


class Indexer(Generic[T]):
    """An index function with its name, made safe: whatever it does to one object harms nothing else."""

    def __init__(self, name: Hashable, function: IndexFunction[T]) -> None:
        self.name = name
        self._function = function
        self.failures = 0
        self._failing: set[tuple[str, str]] = set()  # keys of objects whose failure was logged

    def values(self, obj: T) -> tuple[Hashable, ...]:
        """The values of `obj`, without repeats; a bare text counts as one value, None as no values.

        Raises whatever the function raises, and TypeError for values that are not hashable.
        """
        values = self._function(obj)
        if isinstance(values, (str, bytes)):
            return (values,)
        found = tuple(values) if values is not None else ()
        hash(found)  # raises here and now for what could not be kept
        return found if len(found) < 2 else tuple(dict.fromkeys(found))

    def matches(self, obj: T, value: Hashable) -> bool:
        """Whether `obj` belongs to `value`; not when the function fails on it."""
        try:
            return value in self.values(obj)
        except Exception:  # it is counted and logged where the index is kept
            return False

    def values_or_none(self, key: tuple[str, str], obj: T) -> tuple[Hashable, ...]:
        """The values of `obj`; none when the function fails, which is counted and, once per object, logged."""
        try:
            values = self.values(obj)
        except Exception as error:
            self.failures += 1
            if key not in self._failing:
                self._failing.add(key)
                self._report(key, obj, error)
            return ()
        if self._failing:
            self._failing.discard(key)
        return values

    def forget_failures_except(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget about objects that are gone."""
        if self._failing:
            self._failing.intersection_update(keys)

    def _report(self, key: tuple[str, str], obj: T, error: Exception) -> None:
        # The error's text may quote the object, which may be a Secret: its type and place say enough.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.warning(
            "index %r: %s at %s:%s; the object is stored and this index does not find it",
            self.name,
            type(error).__name__,
            place.filename,
            place.lineno,
            extra={"kind": getattr(obj, "kind", None), "namespace": key[0] or None, "object_name": key[1]},
        )
