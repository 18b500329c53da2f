"""`EventStream` and `ObjectStream`: the stages as methods, each there on the kind of stream that it fits.

Building a chain makes no request and starts no thread. All work happens on the thread that pulls, but for what nothing
can interrupt there (resolving a name, connecting, a login plugin): that runs aside, so that `stop()` works meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, Generic, TypeVar
from weakref import finalize

from kubewatch.errors import InvalidInput, StreamUsed
from kubewatch.events import Event
from kubewatch.predicates import any_of

from . import decoded, filtered, mapped
from .inband import bare
from .inspected import inspect_events, inspect_objects
from .modified import modify
from .predicated import predicate_filter
from .reflected import EventWriter, SharedEventWriter, reflect
from .stream import Stream, check_callable

__all__ = ["EventStream", "ObjectStream", "Stream"]

T = TypeVar("T")
U = TypeVar("U")


class EventStream(Stream[Event[T]], Generic[T]):
    """A stream of events: what `watcher` gives. Stores are filled from it; `applied_objects` makes objects of it.

    >>> from kubewatch.events import Apply, Delete
    >>> list(EventStream([Apply("a"), Delete("a")]).applied_objects())
    ['a']
    """

    __slots__ = ()

    _events = True

    def modify(self, change: Callable[[Any], object]) -> EventStream[T]:
        """Call `change` on a draft of each object, and hand on what became of it.

        Before `reflect`, so that the store keeps what is left. What an object is known by stays: apiVersion, kind, and
        metadata.name, namespace, resourceVersion, uid and ownerReferences. What `change` raises, and taking these away,
        comes as `FunctionFailed`; the object is passed over, which `vitals.dropped` counts, or handed on as it is if it
        was deleted.

        >>> from kubewatch.decode import decode_object
        >>> from kubewatch.events import Apply
        >>> pod = decode_object(b'{"metadata": {"name": "web"}, "status": {"phase": "Running"}}', "v1", "Pod")
        >>> def drop_status(pod):
        ...     del pod.status
        >>> [event.object.to_dict().keys() for event in EventStream([Apply(pod)]).modify(drop_status)]
        [dict_keys(['apiVersion', 'kind', 'metadata'])]
        """
        check_callable("modify", change)
        return self._then(EventStream, "modify", modify, change, self.vitals)

    def inspect(self, look: Callable[[Event[T]], object]) -> EventStream[T]:
        """Call `look` with each event, errors left out, and hand the event on: `events.inspect(print)`.

        What it raises comes as `FunctionFailed`, and the event after it.
        """
        check_callable("inspect", look)
        return self._then(EventStream, "inspect", inspect_events, look)

    def reflect(self, writer: EventWriter[T]) -> EventStream[T]:
        """Write each event to a store, then hand it on; errors pass, and leave the store as it is.

        What comes before (`modify`) is kept in the store, what comes after is not. The writer is closed when the
        stream ends or is dropped. A store must see a stream from its beginning: StreamUsed is raised if it was pulled.
        https://docs.rs/kube-runtime/latest/kube_runtime/utils/trait.WatchStreamExt.html#method.reflect
        """
        if not all(callable(getattr(writer, name, None)) for name in ("apply", "follow", "begin", "close")):
            raise InvalidInput(f"reflect needs a store's writer, as in reader, writer = store(), not {writer!r}")
        self._check_unused()
        if getgeneratorstate(self._items) != GEN_CREATED:
            raise StreamUsed(f"{self!r} was pulled already, and a store must see it from its beginning")
        writer.follow(self._vitals, self._stop)
        events = self._then(EventStream, "reflect", reflect, writer)
        # A generator that was never pulled runs no `finally`; whoever waits for the store must hear of its end.
        finalize(events._items, writer.close).atexit = False
        return events

    def reflect_shared(self, writer: SharedEventWriter[T]) -> EventStream[T]:
        """`reflect` for a writer of `store_shared`; refuses any other.

        Subscribers are told of each event before it is handed on. A pull waits for a subscriber that has no room.
        `reflect` does the same with such a writer; this says that it is meant. Raises TypeError.
        https://docs.rs/kube-runtime/latest/kube_runtime/utils/trait.WatchStreamExt.html#method.reflect_shared
        """
        if not callable(getattr(writer, "subscribe", None)):
            raise TypeError(
                f"reflect_shared needs a writer to subscribe to, as in reader, writer = store_shared(buffer=100), "
                f"not {writer!r}; for a store without subscribers there is reflect"
            )
        return self.reflect(writer)

    def applied_objects(self) -> ObjectStream[T]:
        """The objects that were listed, added or modified; deletions are left out.

        https://docs.rs/kube-runtime/latest/kube_runtime/utils/trait.WatchStreamExt.html#method.applied_objects

        >>> from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
        >>> events = [Init(), InitApply("a"), InitDone(), Apply("b"), Delete("a")]
        >>> list(EventStream(events).applied_objects())
        ['a', 'b']
        """
        return self._then(ObjectStream, "applied_objects", decoded.applied_objects)

    def touched_objects(self) -> ObjectStream[T]:
        """The objects that were listed, added, modified or deleted; of a deleted one, its last state.

        https://docs.rs/kube-runtime/latest/kube_runtime/utils/trait.WatchStreamExt.html#method.touched_objects

        >>> from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
        >>> events = [Init(), InitApply("a"), InitDone(), Apply("b"), Delete("a")]
        >>> list(EventStream(events).touched_objects())
        ['a', 'b', 'a']
        """
        return self._then(ObjectStream, "touched_objects", decoded.touched_objects)


class ObjectStream(Stream[T], Generic[T]):
    """A stream of objects: what `applied_objects` and `touched_objects` give."""

    __slots__ = ()

    _events = False
    _bare = staticmethod(bare)

    def modify(self, change: Callable[[Any], object]) -> ObjectStream[T]:
        """Call `change` on a draft of each object, and hand on what became of it; see `EventStream.modify`."""
        check_callable("modify", change)
        return self._then(ObjectStream, "modify", modify, change)

    def inspect(self, look: Callable[[T], object]) -> ObjectStream[T]:
        """Call `look` with each object, errors left out, and hand the object on: `objects.inspect(print)`.

        What it raises comes as `FunctionFailed`, and the object after it.
        """
        check_callable("inspect", look)
        return self._then(ObjectStream, "inspect", inspect_objects, look)

    def filter(self, keep: Callable[[T], object]) -> ObjectStream[T]:
        """The objects for which `keep` is true.

        What it raises comes as `FunctionFailed`, and the object is passed over.

        >>> list(ObjectStream(["web", "db"]).filter(lambda name: name != "db"))
        ['web']
        """
        check_callable("filter", keep)
        return self._then(ObjectStream, "filter", filtered.filter, keep)

    def map(self, function: Callable[[T], U]) -> ObjectStream[U]:
        """What `function` makes of each object.

        What it raises comes as `FunctionFailed`, and the object is passed over.

        >>> list(ObjectStream(["web", "db"]).map(str.upper))
        ['WEB', 'DB']
        """
        check_callable("map", function)
        return self._then(ObjectStream, "map", mapped.map, function)

    def predicate_filter(
        self,
        *predicates: Callable[[T], Hashable | None],
        ttl: float = 3600.0,
        maxsize: int | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> ObjectStream[T]:
        """The objects of which a predicate gives another value than the last time; deleted objects always pass.

        - `predicates`: `predicates.generation` and its like, or any function of an object to something that can be
          compared; with several, one that changed is enough. An object without a value (None) passes.
        - `ttl`: seconds since an object was last seen, passed or not, after which it passes again.
        - `maxsize`: objects to remember at most, the least recently seen being forgotten first; None for all.
        - `timer`: the clock, in seconds.

        A deleted and recreated object is another one, as its uid is. What a predicate raises comes as
        `FunctionFailed`, and the object is passed over. Raises InvalidInput.
        https://docs.rs/kube-runtime/latest/kube_runtime/utils/trait.WatchStreamExt.html#method.predicate_filter

        >>> from kubewatch import predicates
        >>> from kubewatch.decode import decode_object
        >>> states = [(1, "Pending"), (1, "Running"), (2, "Running")]
        >>> pods = [
        ...     decode_object(b'{"metadata": {"name": "web", "generation": %d}, "status": "%s"}' % (g, s.encode()))
        ...     for g, s in states
        ... ]
        >>> [pod.metadata.generation for pod in ObjectStream(pods).predicate_filter(predicates.generation)]
        [1, 2]
        """
        predicate = any_of(predicates)
        if not isinstance(ttl, (int, float)) or not ttl > 0:
            raise InvalidInput(f"ttl is a number of seconds, more than 0, not {ttl!r}")
        if maxsize is not None and (not isinstance(maxsize, int) or maxsize < 1):
            raise InvalidInput(f"maxsize is a number of objects, 1 or more, or None, not {maxsize!r}")
        limits: dict[str, Any] = {"ttl": ttl, "maxsize": maxsize, "timer": timer}
        return self._then(ObjectStream, "predicate_filter", predicate_filter, predicate, **limits)
