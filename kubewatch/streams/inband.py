"""Errors in band: what travels inside a chain of stages, and the two gates where a plain iterable enters and leaves it.

Inside, an item is an event or a `WatchError`, as a value: a generator that raised would be dead, and a watch outlives
its errors. A decoded stream carries its events too, so that `backoff` knows what counts as success and
`predicate_filter` knows a deletion; the wrapping comes off when an item is handed out (`bare`). Objects without an
event around them are as good: they come from plain iterables.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from kubewatch.errors import FunctionFailed, WatchError
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.objects import key_of
from kubewatch.stop import Stop

# Items on their way through a chain. Each stage closes the one before when it ends or is closed, and so the connection
# is closed by whoever closes or drops the last one.
InBand = Generator[Any, None, None]

EVENTS = frozenset({Init, InitApply, InitDone, Apply, Delete})


def in_band(items: Iterable[Any], stop: Stop, *, events: bool) -> InBand:
    """The items of any iterable until `stop`; a `WatchError` that it raises becomes an item.

    Raises TypeError for an object among `events`, and for the beginning of a list among objects.
    """
    pull = iter(items).__next__
    try:
        while not stop.stopped:
            try:
                item = pull()
            except StopIteration:
                return
            except WatchError as error:
                item = error
            kind = type(item)
            if events:
                if kind not in EVENTS and not isinstance(item, WatchError):
                    raise TypeError(
                        f"an event stream is made of events, not of {kind.__name__}: "
                        "wrap decoded objects in ObjectStream(...)"
                    )
            elif kind is Init:
                raise TypeError("these are events, not objects: use EventStream(...).applied_objects()")
            yield item
    finally:
        if isinstance(items, Generator):
            items.close()


def bare(items: InBand) -> InBand:
    """The objects and errors of a decoded stream, without the events around them."""
    # Other than a stage it does not close what it reads from: a stream that was pulled and is then chained lets go of
    # this, and its items go on.
    for item in items:
        kind = type(item)
        if kind is Apply or kind is InitApply or kind is Delete:
            yield item.object
        elif kind is not InitDone:
            yield item


def function_failed(stage: str, function: Callable[..., Any], obj: Any, error: Exception) -> FunctionFailed:
    """The error that says which of the user's functions raised, and on which object.

    It names the type of what was raised and not its text, which may hold parts of a Secret and would reach logs.
    """
    name = getattr(function, "__name__", None) or type(function).__name__
    try:
        place = "/".join(filter(None, key_of(obj)))
    except Exception:  # a string, say
        place = ""
    kind = getattr(obj, "kind", None) or type(obj).__name__
    message = f"{stage}({name}) raised {type(error).__name__} on {kind} {place}".rstrip()
    return FunctionFailed(message, error)
