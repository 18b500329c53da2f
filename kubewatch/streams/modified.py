"""`modify`: change objects in flight."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kubewatch.drafts import modified
from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.vitals import Vitals

from .inband import InBand, function_failed


def modify(items: InBand, change: Callable[[Any], object], vitals: Vitals | None = None) -> InBand:
    """Each object after `change` was called on a draft of it.

    Where `change` raises, the error takes the object's place, and `vitals`, if given, count the object as dropped: the
    store behind lacks it. A deletion follows its error all the same, so that what is gone does not stay in the store.
    """
    with closing(items):
        for item in items:
            kind = type(item)
            if kind is Apply or kind is InitApply or kind is Delete:
                try:
                    item = kind(modified(item.object, change))
                except Exception as error:
                    failure = function_failed("modify", change, item.object, error)
                    if vitals is not None and kind is not Delete:
                        vitals.unmodified += 1
                        vitals.last_error = failure
                    yield failure
                    if kind is not Delete:
                        continue
            elif kind is not Init and kind is not InitDone and not isinstance(item, WatchError):
                try:
                    item = modified(item, change)
                except Exception as error:
                    item = function_failed("modify", change, item, error)
            yield item
