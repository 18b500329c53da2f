"""`modify`: change objects in flight."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.objects import modified

from .inband import InBand, function_failed


def modify(items: InBand, change: Callable[[Any], object]) -> InBand:
    """Each object after `change` was called on a draft of it.

    Where `change` raises, the error takes the object's place. A deletion follows its error all the same: to a store it
    is a loss, and nothing of the object stays behind.
    """
    with closing(items):
        for item in items:
            kind = type(item)
            if kind is Apply or kind is InitApply or kind is Delete:
                try:
                    changed = kind(modified(item.object, change))
                except Exception as error:
                    yield function_failed("modify", change, item.object, error)
                    if kind is Delete:
                        yield item
                else:
                    yield changed
            elif kind is Init or kind is InitDone or isinstance(item, WatchError):
                yield item
            else:
                try:
                    item = modified(item, change)
                except Exception as error:
                    item = function_failed("modify", change, item, error)
                yield item
