"""`reflector`: a stream of events that keeps a store up to date as it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .store import Writer

if TYPE_CHECKING:
    from .streams import EventStream

T = TypeVar("T")


def reflector(writer: Writer[T], events: EventStream[T]) -> EventStream[T]:
    """`events`, with every event worked into the store of `writer` before it is handed on; the same as `.reflect`.

    >>> reader, writer = store()                                                             # doctest: +SKIP
    >>> for pod in reflector(writer, watcher(pods)).default_backoff().applied_objects():     # doctest: +SKIP
    ...     print(len(reader))

    Errors pass. Runs on the thread that iterates. What is chained before is stored, what is chained after is not.
    https://docs.rs/kube-runtime/latest/kube_runtime/reflector/fn.reflector.html
    """
    return events.reflect(writer)
