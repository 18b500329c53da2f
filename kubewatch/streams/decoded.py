"""From events to objects: `applied_objects` and `touched_objects`.

Both only leave events out; a decoded stream hands out what is in the events that stay (`inband.bare`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from kubewatch.events import Delete, Init


def applied_objects(events: Iterable[Any]) -> Generator[Any, None, None]:
    """Objects that were listed, added or modified."""
    for item in events:
        kind = type(item)
        if kind is not Delete and kind is not Init:
            yield item


def touched_objects(events: Iterable[Any]) -> Generator[Any, None, None]:
    """Objects that were listed, added, modified or deleted."""
    for item in events:
        if type(item) is not Init:
            yield item
