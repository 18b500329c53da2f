"""`filter`: leave objects out by a function of theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, InitApply, InitDone

from .inband import InBand, function_failed


def filter(objects: InBand, keep: Callable[[Any], object]) -> InBand:
    """The objects for which `keep` is true, and all errors. Where `keep` raises, the error takes the object's place."""
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
                kept = keep(obj)
            except Exception as error:
                yield function_failed("filter", keep, obj, error)
            else:
                if kept:
                    yield item
