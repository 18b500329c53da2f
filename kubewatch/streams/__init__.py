"""Stages: small composable steps from a watch to what you need, as methods of streams and as functions.

`fluent.py` and `stream.py` hold the streams, `stages.py` the functions; every stage is a generator function in a module
of its own, over items that travel as `inband.py` says.
"""

from .fluent import EventStream, ObjectStream, Stream
from .stages import (
    applied_objects,
    backoff,
    default_backoff,
    filter,
    inspect,
    map,
    merge,
    modify,
    predicate_filter,
    reflect,
    reflect_shared,
    touched_objects,
)

__all__ = [
    "EventStream",
    "ObjectStream",
    "Stream",
    "applied_objects",
    "backoff",
    "default_backoff",
    "filter",
    "inspect",
    "map",
    "merge",
    "modify",
    "predicate_filter",
    "reflect",
    "reflect_shared",
    "touched_objects",
]
