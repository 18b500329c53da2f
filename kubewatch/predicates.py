"""Predicates: what must change about an object for `predicate_filter` to let it pass.

A predicate takes an object and gives a value to compare with the last one, or None where the object has none. Any
function of that shape is one; `predicate` lends it `fallback` and `combine`.
https://docs.rs/kube-runtime/latest/kube_runtime/predicates/index.html

`generation` changes with the spec, and not with metadata or status. So it hides a finalizer that is added: combine it
with `finalizers` where that matters.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from .errors import InvalidInput
from .objects import meta_of

T_contra = TypeVar("T_contra", contravariant=True)


class HasMetadata(Protocol):
    """A Kubernetes object of any type: ours, an official model, one's own. An event is none."""

    @property
    def metadata(self) -> Any:
        """Its metadata."""


# What the predicates below can be asked of; also plain dicts, and the None of `watch_object` (which is never asked).
Asked = HasMetadata | Mapping[str, Any] | None

# Characters in all keys and values of a mapping. Values are kept per object for as long as its TTL runs; annotations
# may hold 256 KiB each.
KEPT_AS_IT_IS = 256


class Predicate(Generic[T_contra]):
    """A predicate that can be joined to others.

    >>> from kubewatch.decode import decode_object
    >>> pod = decode_object(b'{"metadata": {"name": "web", "resourceVersion": "7"}}')
    >>> generation(pod) is None, generation.fallback(resource_version)(pod), generation.combine(resource_version)(pod)
    (True, '7', (None, '7'))
    """

    __slots__ = ("__name__", "function")

    def __init__(self, function: Callable[[T_contra], Hashable | None], name: str | None = None) -> None:
        if not callable(function):
            raise InvalidInput(
                f"a predicate is a function of an object, such as predicates.generation, not {function!r}"
            )
        self.function = function
        self.__name__ = name or getattr(function, "__name__", None) or type(function).__name__

    def __call__(self, obj: T_contra) -> Hashable | None:
        """The value of `obj` to compare, or None where it has none."""
        return self.function(obj)

    def fallback(self, other: Callable[[T_contra], Hashable | None]) -> "Predicate[T_contra]":
        """This predicate's value, or `other`'s where there is none: `generation.fallback(resource_version)`."""
        first, second = self.function, _function(other)

        def value(obj: T_contra) -> Hashable | None:
            found = first(obj)
            return second(obj) if found is None else found

        return Predicate(value, f"{self.__name__}.fallback({predicate(other).__name__})")

    def combine(self, other: Callable[[T_contra], Hashable | None]) -> "Predicate[T_contra]":
        """Both values: an object passes when either has changed. None only where neither has one."""
        first, second = self.function, _function(other)

        def value(obj: T_contra) -> Hashable | None:
            both = first(obj), second(obj)
            return None if both == (None, None) else both

        return Predicate(value, f"{self.__name__}.combine({predicate(other).__name__})")

    def __repr__(self) -> str:
        return f"<predicate {self.__name__}>"


def predicate(function: Callable[[T_contra], Hashable | None]) -> Predicate[T_contra]:
    """A function as a predicate; also as a decorator. Raises InvalidInput for what is no function.

    >>> @predicate
    ... def phase(pod):
    ...     return pod.status.phase
    >>> phase.combine(labels)
    <predicate phase.combine(labels)>
    """
    if isinstance(function, Predicate):
        return function
    return Predicate(function)


def any_of(functions: Iterable[Callable[[T_contra], Hashable | None]]) -> Predicate[T_contra]:
    """All of them combined. Raises InvalidInput when there is none.

    >>> any_of([generation, finalizers])
    <predicate generation.combine(finalizers)>
    """
    joined: Predicate[T_contra] | None = None
    for function in functions:
        joined = predicate(function) if joined is None else joined.combine(function)
    if joined is None:
        raise InvalidInput("at least one predicate is needed, such as predicates.generation")
    return joined


def _function(other: Callable[[T_contra], Hashable | None]) -> Callable[[T_contra], Hashable | None]:
    return predicate(other).function


def _generation(obj: Any) -> Hashable | None:
    return meta_of(obj).generation


def _resource_version(obj: Any) -> Hashable | None:
    return meta_of(obj).resource_version or None


def _labels(obj: Any) -> Hashable:
    return _value(meta_of(obj).labels)


def _annotations(obj: Any) -> Hashable:
    return _value(meta_of(obj).annotations)


def _finalizers(obj: Any) -> Hashable:
    return meta_of(obj).finalizers


def _value(mapping: Mapping[str, str] | None) -> Hashable:
    # Small mappings are kept, so that nothing can collide. Of large ones a digest of 128 bits: that two of one object's
    # states share one is less likely than that memory errs, and what is kept is the same few bytes whatever comes.
    if not mapping:
        return ()
    members = tuple(sorted(mapping.items()))
    if sum(map(len, mapping)) + sum(map(len, mapping.values())) <= KEPT_AS_IT_IS:
        return members
    from hashlib import blake2b  # with OpenSSL behind it: slow to import, for what most never need

    return blake2b(msgspec.json.encode(members), digest_size=16).digest()


generation: Predicate[Asked] = Predicate(_generation, "generation")
"""metadata.generation: changes with the spec. None for kinds that do not count it."""

resource_version: Predicate[Asked] = Predicate(_resource_version, "resource_version")
"""metadata.resourceVersion: changes with every write. None where it is absent."""

labels: Predicate[Asked] = Predicate(_labels, "labels")
"""metadata.labels, none being as good as empty."""

annotations: Predicate[Asked] = Predicate(_annotations, "annotations")
"""metadata.annotations, none being as good as empty."""

finalizers: Predicate[Asked] = Predicate(_finalizers, "finalizers")
"""metadata.finalizers, in their order, none being as good as empty."""
