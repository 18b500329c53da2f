"""`inspect`: look at what goes by. Where looking fails, the error comes first and then the item: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, InitApply, InitDone

from .inband import EVENTS, InBand, function_failed


def inspect_events(events: InBand, look: Callable[[Any], object]) -> InBand:
    """The items, each after `look` was called with it, if it is an event."""
    with closing(events):
        for item in events:
            if type(item) in EVENTS:
                try:
                    look(item)
                except Exception as error:
                    yield function_failed("inspect", look, getattr(item, "object", item), error)
            yield item


def inspect_objects(objects: InBand, look: Callable[[Any], object]) -> InBand:
    """The items, each after `look` was called with its object, if it has one."""
    with closing(objects):
        for item in objects:
            kind = type(item)
            if kind is Apply or kind is InitApply or kind is Delete:
                obj = item.object
            elif kind is InitDone or isinstance(item, WatchError):
                yield item
                continue
            else:
                obj = item
            try:
                look(obj)
            except Exception as error:
                yield function_failed("inspect", look, obj, error)
            yield item
