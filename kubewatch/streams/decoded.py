"""From events to objects: `applied_objects` and `touched_objects`.

Both only leave events out; a decoded stream hands out what is in the events that stay (`inband.bare`).
"""

from __future__ import annotations

from contextlib import closing

from kubewatch.events import Delete, Init

from .inband import InBand


def applied_objects(events: InBand) -> InBand:
    """Objects that were listed, added or modified."""
    with closing(events):
        for item in events:
            kind = type(item)
            if kind is not Delete and kind is not Init:
                yield item


def touched_objects(events: InBand) -> InBand:
    """Objects that were listed, added, modified or deleted."""
    with closing(events):
        for item in events:
            if type(item) is not Init:
                yield item
