"""`reflect`: write events into a store on their way."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Protocol, TypeVar

from kubewatch.events import Event
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals

from .inband import EVENTS, InBand

T_contra = TypeVar("T_contra", contravariant=True)


class EventWriter(Protocol[T_contra]):
    """What `reflect` needs of a store's writer."""

    def apply(self, event: Event[T_contra], /) -> object:
        """Write one event."""

    def follow(self, vitals: Vitals, stop: Stop, /) -> object:
        """Learn whose events come from now on; called once, when the chain is built."""

    def begin(self) -> object:
        """The stream is pulled for the first time: from now on it belongs to this process."""

    def close(self) -> object:
        """There will be no more events. Idempotent; called on the thread that ends or drops the stream."""


class SharedEventWriter(EventWriter[T_contra], Protocol[T_contra]):
    """What `reflect_shared` needs: a writer that tells subscribers of what it writes."""

    def subscribe(self, replay: bool = False, deletes: bool = False) -> object:
        """A stream of the objects that change from now on."""


def reflect(events: InBand, writer: EventWriter[Any]) -> InBand:
    """The events, each after it was written; errors pass, and leave the store as it is.

    What `writer.apply` raises ends the stream: a store that missed an event must not go on as if it had not.
    """
    apply = writer.apply
    with closing(writer), closing(events):
        writer.begin()
        for item in events:
            if type(item) in EVENTS:
                apply(item)
            yield item
