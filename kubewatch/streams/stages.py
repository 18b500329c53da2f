"""The stages as functions, over a stream or any iterable: a list in a test, a generator of one's own.

Each is the method of its name; what it does is said there. A plain iterable holds events or objects, and `WatchError`s
among them. Stages that fit both kinds of stream take a plain iterable for one of events: of objects, make an
`ObjectStream(…)` first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, overload

from kubewatch.backoffs import WaitGenerator, default
from kubewatch.errors import InvalidInput, StreamUsed, WatchError
from kubewatch.events import Event
from kubewatch.predicates import HasMetadata

from . import order
from .fluent import EventStream, ObjectStream, Stream
from .merged import Input, JointStop, JointVitals, merged
from .reflected import EventWriter, SharedEventWriter

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
M = TypeVar("M", bound=HasMetadata | None)
S = TypeVar("S", bound=Stream[Any])

Events = Iterable[Event[T] | WatchError]


def _events(events: Iterable[Any], stage: str) -> EventStream[Any]:
    if isinstance(events, EventStream):
        return events
    if isinstance(events, ObjectStream):
        raise order.needs_events(stage)
    return EventStream(events)


def _objects(objects: Iterable[Any], stage: str) -> ObjectStream[Any]:
    if isinstance(objects, ObjectStream):
        return objects
    if isinstance(objects, EventStream):
        raise order.needs_objects(stage)
    return ObjectStream(objects)


def _either(items: Iterable[Any]) -> EventStream[Any] | ObjectStream[Any]:
    return items if isinstance(items, (EventStream, ObjectStream)) else EventStream(items)


def applied_objects(events: Events[T]) -> ObjectStream[T]:
    """`EventStream.applied_objects`.

    >>> from kubewatch.events import Apply, Delete
    >>> list(applied_objects([Apply("a"), Delete("a")]))
    ['a']
    """
    return _events(events, "applied_objects").applied_objects()


def touched_objects(events: Events[T]) -> ObjectStream[T]:
    """`EventStream.touched_objects`.

    >>> from kubewatch.events import Apply, Delete
    >>> list(touched_objects([Apply("a"), Delete("a")]))
    ['a', 'a']
    """
    return _events(events, "touched_objects").touched_objects()


def reflect(events: Events[T], writer: EventWriter[T]) -> EventStream[T]:
    """`EventStream.reflect`."""
    return _events(events, "reflect").reflect(writer)


def reflect_shared(events: Events[T], writer: SharedEventWriter[T]) -> EventStream[T]:
    """`EventStream.reflect_shared`."""
    return _events(events, "reflect_shared").reflect_shared(writer)


def predicate_filter(
    objects: Iterable[M | WatchError],
    *predicates: Callable[[M], Hashable | None],
    ttl: float = 3600.0,
    maxsize: int | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> ObjectStream[M]:
    """`ObjectStream.predicate_filter`."""
    return _objects(objects, "predicate_filter").predicate_filter(*predicates, ttl=ttl, maxsize=maxsize, timer=timer)


def filter(objects: Iterable[M | WatchError], keep: Callable[[M], object]) -> ObjectStream[M]:
    """`ObjectStream.filter`."""
    return _objects(objects, "filter").filter(keep)


def map(objects: Iterable[M | WatchError], function: Callable[[M], U]) -> ObjectStream[U]:
    """`ObjectStream.map`."""
    return _objects(objects, "map").map(function)


@overload
def modify(items: S, change: Callable[[Any], object]) -> S: ...
@overload
def modify(items: Events[T], change: Callable[[Any], object]) -> EventStream[T]: ...
def modify(items: Iterable[Any], change: Callable[[Any], object]) -> Any:
    """`EventStream.modify`, `ObjectStream.modify`."""
    return _either(items).modify(change)


@overload
def inspect(items: S, look: Callable[[Any], object]) -> S: ...
@overload
def inspect(items: Events[T], look: Callable[[Event[T]], object]) -> EventStream[T]: ...
def inspect(items: Iterable[Any], look: Callable[[Any], object]) -> Any:
    """`EventStream.inspect`, `ObjectStream.inspect`."""
    return _either(items).inspect(look)


@overload
def default_backoff(items: S) -> S: ...
@overload
def default_backoff(items: Events[T]) -> EventStream[T]: ...
def default_backoff(items: Iterable[Any]) -> Any:
    """`EventStream.default_backoff`, `ObjectStream.default_backoff`."""
    return _either(items).default_backoff()


@overload
def backoff(items: S, wait_gen: WaitGenerator = ..., **arguments: Any) -> S: ...
@overload
def backoff(items: Events[T], wait_gen: WaitGenerator = ..., **arguments: Any) -> EventStream[T]: ...
def backoff(items: Iterable[Any], wait_gen: WaitGenerator = default, **arguments: Any) -> Any:
    """`EventStream.backoff`, `ObjectStream.backoff`; `arguments` are that method's."""
    return _either(items).backoff(wait_gen, **arguments)


@overload
def merge(first: ObjectStream[T], /, *, buffer: int = ...) -> ObjectStream[T]: ...
@overload
def merge(first: ObjectStream[T], second: ObjectStream[U], /, *, buffer: int = ...) -> ObjectStream[T | U]: ...
@overload
def merge(
    first: ObjectStream[T], second: ObjectStream[U], third: ObjectStream[V], /, *, buffer: int = ...
) -> ObjectStream[T | U | V]: ...
@overload
def merge(*streams: ObjectStream[T], buffer: int = ...) -> ObjectStream[T]: ...
def merge(*streams: ObjectStream[Any], buffer: int = 100) -> ObjectStream[Any]:
    """Several streams of objects as one, in the order in which the objects come.

    Each input is pulled by a thread of its own, from the first pull on until the merge ends; `buffer` objects at most
    wait to be pulled. An error of one input comes in band, and the others go on. The merge ends when all have ended.
    `stop`, leaving `with` and dropping the merge stop all inputs and join the threads. An input that dies of an
    exception is reported by a WatchError.

    Raises InvalidInput when there is nothing to merge, StreamUsed for a stream that was taken already.

    >>> from kubewatch.streams import ObjectStream, merge
    >>> sorted(merge(ObjectStream(["web", "db"]), ObjectStream(["node"])))
    ['db', 'node', 'web']
    """
    if not streams:
        raise InvalidInput("merge needs at least one stream of objects")
    if not isinstance(buffer, int) or buffer < 1:
        raise InvalidInput(f"buffer is a number of objects, 1 or more, not {buffer!r}")
    objects = [_objects(stream, "merge") for stream in streams]
    if len({id(stream) for stream in objects}) < len(objects):
        raise StreamUsed("one stream is to be merged with itself; a stream is single-use")
    for stream in objects:
        iter(stream)  # raises StreamUsed before any of the others is taken
    stop = JointStop([stream.stopper for stream in objects])
    vitals = JointVitals([stream.vitals for stream in objects])
    label = ", ".join(stream.label for stream in objects if stream.label)
    inputs = [Input(stream._take("merge"), stream.stopper, stream.label or "stream") for stream in objects]
    return ObjectStream(merged(inputs, stop, buffer), stop=stop, vitals=vitals, label=label)
