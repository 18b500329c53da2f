"""What is to be written: of each object the newest state, collected from a watch until somebody takes it.

No I/O and no database: events go in, a `Batch` comes out. While the database is down, what waits is bounded by the
number of objects, not of events.
"""

from __future__ import annotations

import enum
import logging
import threading
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from kubewatch.events import Apply, Event, Init, InitApply, InitDone
from kubewatch.objects import meta_of

from .reflection import Key, Reflection, Row

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Mark(enum.Enum):
    """What stands in place of a row."""

    GONE = "the object was deleted, its row goes"
    KEPT = "no row can be made of the object, the one that is there stays"


@dataclass(frozen=True)
class Batch:
    """What one transaction writes; `whole` says that these are all the objects that there are."""

    whole: bool = False
    rows: dict[Key, Row | Mark] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.whole or bool(self.rows)

    def then(self, newer: Batch) -> Batch:
        """This batch and a newer one as one."""
        return newer if newer.whole else Batch(self.whole, self.rows | newer.rows)


class Changes(Generic[T]):
    """What waits to be written; one thread adds, another takes."""

    def __init__(self, reflection: Reflection[T]) -> None:
        self._reflection = reflection
        self._changed = threading.Condition()  # guards all below
        self._draft: dict[Key, Row | Mark] | None = None  # the list under way
        self._batch = Batch()
        self._closed = False
        self.left_out = 0  # objects that no row could be made of

    @property
    def behind(self) -> bool:
        """Whether a list is under way, or waits to be taken: until it is, what was written ages."""
        with self._changed:
            return self._draft is not None or self._batch.whole

    def add(self, event: Event[T]) -> None:
        """Work an event in. Never waits for the database."""
        change: Row | Mark = Mark.GONE
        if isinstance(event, (InitApply, Apply)):
            change = self._row(event.object)
        with self._changed:
            if isinstance(event, Init):
                self._draft = {}
            elif isinstance(event, InitApply):
                if self._draft is not None:
                    self._draft[self._reflection.key_of(event.object)] = change
            elif isinstance(event, InitDone):
                self._batch, self._draft = Batch(True, self._draft or {}), None
                self._changed.notify()
            elif change is not Mark.KEPT:
                self._batch.rows[self._reflection.key_of(event.object)] = change
                self._changed.notify()

    def take(self, timeout: float) -> Batch:
        """All that waits, as soon as there is something; an empty batch after `timeout` seconds, and when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch or self._closed, timeout)
            batch, self._batch = self._batch, Batch()
            return batch

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _row(self, obj: T) -> Row | Mark:
        try:
            return self._reflection.row_of(obj)
        except Exception as error:  # whatever a function of the user's raises; the other objects are not held up
            self.left_out += 1
            meta = meta_of(obj)
            _log.warning(
                "%s: no row can be made of %s, and what is there of it stays: %s",
                *(self._reflection.label, "/".join(self._reflection.key_of(obj)), self._reflection.told(error)),
                extra={"kind": self._reflection.api.kind, "namespace": meta.namespace, "object_name": meta.name},
            )
            return Mark.KEPT
