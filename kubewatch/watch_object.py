"""`watch_object`: one object, followed through its coming, changing and going."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from .config import Config
from .errors import InvalidInput
from .events import Delete, Init, InitApply, InitDone
from .selectors import FieldRequirement, FieldSelector
from .source import Source
from .streams.fluent import ObjectStream
from .watcher import watcher

T = TypeVar("T")

_DEFAULT = Config()


def watch_object(api: Source[T], name: str, config: Config = _DEFAULT) -> ObjectStream[T | None]:
    """The states of the object called `name`: the object each time it changes, None while it does not exist.

    >>> for pod in watch_object(Api("v1", "Pod", namespace="default"), "web-0"):            # doctest: +SKIP
    ...     print("gone" if pod is None else pod.status.phase)
    Pending
    Running
    gone

    The first state comes at once, and again after every relist, absence included. Errors are raised as by `watcher`.
    Names are unique in a namespace only: an `api` of a namespaced kind needs `namespace=…`. Raises InvalidInput, when
    it is built or, where the kind is not known before, when it meets an object with a namespace that nobody named.
    https://docs.rs/kube-runtime/latest/kube_runtime/fn.watch_object.html
    """
    if not isinstance(name, str) or not name or "/" in name or name in (".", ".."):
        raise InvalidInput(f"{name!r} is no name of an object: give metadata.name, without a namespace or kind")
    if config.field_selector is not None:
        raise InvalidInput("watch_object selects by metadata.name: leave field_selector out of its config")
    if api.namespace is None and getattr(api, "namespaced", None) is True:
        raise _ambiguous(api.kind, name)
    selector = FieldSelector((FieldRequirement("metadata.name", "=", name),))
    events = watcher(api, replace(config, field_selector=selector))
    stop, vitals, label = events.stopper, events.vitals, f"{name}, {events.label}"
    named = states(events.in_band(), one_namespace=api.namespace is not None, kind=api.kind, name=name)
    return ObjectStream(named, stop=stop, vitals=vitals, label=label)


def states(events: Iterable[Any], *, one_namespace: bool = True, kind: str = "", name: str = "") -> Iterator[Any]:
    """The states of the one object that `events` are about, as events and None; errors pass.

    >>> from kubewatch.events import Apply
    >>> list(states([Init(), InitDone(), Apply("a"), Delete("a")]))
    [None, Apply(object='a'), None]
    """
    seen = False
    for item in events:
        type_ = type(item)
        if type_ is InitDone:
            # To a stream of objects it is no object, but the success that ends a row of errors.
            yield item if seen else None
        elif type_ is Init:
            seen = False
        elif type_ is Delete:
            yield None
        else:
            seen = seen or type_ is InitApply
            obj = getattr(item, "object", None)
            if not one_namespace and getattr(getattr(obj, "metadata", None), "namespace", None):
                raise _ambiguous(kind, name)
            yield item


def _ambiguous(kind: str, name: str) -> InvalidInput:
    return InvalidInput(f"{kind} has namespaces, and each may hold a {name!r}: say which, as in Api(…, namespace=…)")
