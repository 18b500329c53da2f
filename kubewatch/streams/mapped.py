"""`map`: make something of each object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, InitApply, InitDone

from .inband import InBand, function_failed


def map(objects: InBand, function: Callable[[Any], Any]) -> InBand:
    """What `function` makes of each object, and all errors. Where it raises, the error takes the object's place."""
    with closing(objects):
        for item in objects:
            kind = type(item)
            if kind is Apply or kind is InitApply or kind is Delete:
                try:
                    item = kind(function(item.object))
                except Exception as error:
                    item = function_failed("map", function, item.object, error)
            elif kind is not InitDone and not isinstance(item, WatchError):
                try:
                    item = function(item)
                except Exception as error:
                    item = function_failed("map", function, item, error)
            yield item
