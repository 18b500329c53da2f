"""`watch_object`: one object, followed through its coming, changing and going."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from .config import Config
from .errors import DecodeFailed, InvalidInput
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
    check = partial(_check_namespace, api, name)
    check(None)
    selector = FieldSelector((FieldRequirement("metadata.name", "=", name),))
    events = watcher(api, replace(config, field_selector=selector))
    stop, vitals, label = events.stopper, events.vitals, f"{name}, {events.label}"
    return ObjectStream(states(events.in_band(), check), stop=stop, vitals=vitals, label=label)


def states(events: Iterable[Any], check: Callable[[Any], object] = lambda state: None) -> Iterator[Any]:
    """The states of the one object that `events` are about, as events and None; errors pass.

    `check` is called with each object, and with None for absence, before it is handed out.

    >>> from kubewatch.events import Apply
    >>> list(states([Init(), InitDone(), Apply("a"), Delete("a")]))
    [None, Apply(object='a'), None]
    """
    seen = False
    for item in events:
        type_ = type(item)
        if type_ is InitDone:
            if not seen:
                check(None)
            # To a stream of objects it is no object, but the success that ends a row of errors.
            yield item if seen else None
        elif type_ is Init:
            seen = False
        elif type_ is Delete:
            check(item.object)
            yield None
        else:
            # What cannot be decoded is there all the same.
            seen = seen or type_ is InitApply or type_ is DecodeFailed
            check(getattr(item, "object", None))
            yield item


def _check_namespace(api: Source[Any], name: str, state: Any) -> None:
    """Raise InvalidInput where the name does not say which object is meant, as far as that is known by now."""
    if api.namespace is None and (
        getattr(api, "namespaced", None) is True or getattr(getattr(state, "metadata", None), "namespace", None)
    ):
        raise InvalidInput(
            f"{api.kind} has namespaces, and each may hold a {name!r}: say which, as in Api(…, namespace=…)"
        )
