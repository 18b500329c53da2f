"""Which stage goes on which kind of stream, and what to say when they are confused."""

from __future__ import annotations

EVENTS_ONLY = frozenset({"reflect", "reflect_shared", "applied_objects", "touched_objects"})
OBJECTS_ONLY = frozenset({"predicate_filter", "filter", "map"})


class WrongOrder(TypeError, AttributeError):
    """Stages chained in an order that cannot work; raised while the chain is built.

    An AttributeError as well, as the class has no such method: `hasattr` and its like stay right.
    """


def needs_objects(stage: str) -> WrongOrder:
    """The error for a stage of decoded streams that was put on an event stream."""
    return WrongOrder(
        f"{stage} needs decoded objects: call .applied_objects() or .touched_objects() first, "
        f"as in watcher(api).applied_objects().{stage}(…)"
    )


def needs_events(stage: str) -> WrongOrder:
    """The error for a stage of event streams that was put on a decoded stream."""
    if stage in ("applied_objects", "touched_objects"):
        return WrongOrder(f"{stage} needs events, and this stream is decoded already: decode once")
    return WrongOrder(
        f"{stage} needs events, and this stream is decoded already: call .{stage}(…) before it is decoded, "
        f"as in watcher(api).{stage}(…).applied_objects()"
    )
