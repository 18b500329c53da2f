"""Signals: what happens to the objects of the stores that the settings name.

    @receiver(object_applied, sender=stores["pods"])
    def on_pod(sender, name, object, **kwargs): ...

They are sent on the store's thread, in every process in which the store runs, after the change is in the store. When a
list is complete, they tell what it changed. https://docs.djangoproject.com/en/stable/topics/signals/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import close_old_connections
from django.dispatch import Signal

from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.live import LiveStore
from kubewatch.objects import key_of, meta_of

# An object was added or changed. Arguments: `name` (the store's), `object`.
object_applied = Signal()

# An object was deleted, or a list found that it is gone. Arguments: `name` (the store's), `object` (its last state).
object_deleted = Signal()


class Announcer:
    """Sends the signals of one store; its listener."""

    def __init__(self, name: str, store: LiveStore[Any]) -> None:
        self.failures = 0  # receivers that raised; Django logs each
        self._name = name
        self._store = store
        self._known: dict[tuple[str, str], Any] = {}
        self._listed: dict[tuple[str, str], Any] = {}

    def __call__(self, event: Event[Any]) -> None:
        """Send what an event comes to."""
        if isinstance(event, Init):
            self._listed = {}
        elif isinstance(event, InitApply):
            self._listed[key_of(event.object)] = event.object
        elif isinstance(event, InitDone):
            before, self._known, self._listed = self._known, self._listed, {}
            self._send_difference(before, self._known)
        elif isinstance(event, Apply):
            self._known[key_of(event.object)] = event.object
            self._send(object_applied, event.object)
        elif isinstance(event, Delete):
            self._known.pop(key_of(event.object), None)
            self._send(object_deleted, event.object)

    def _send_difference(self, before: Mapping[Any, Any], now: Mapping[Any, Any]) -> None:
        for key, obj in before.items():
            if key not in now or meta_of(now[key]).uid != meta_of(obj).uid:
                self._send(object_deleted, obj)
        for key, obj in now.items():
            if key not in before or meta_of(before[key]).resource_version != meta_of(obj).resource_version:
                self._send(object_applied, obj)

    def _send(self, signal: Signal, obj: Any) -> None:
        if not signal.has_listeners(self._store):
            return
        # As around a request: receivers use the database, on a thread that lives as long as the process.
        close_old_connections()
        for _, answer in signal.send_robust(sender=self._store, name=self._name, object=obj):
            self.failures += isinstance(answer, Exception)
        close_old_connections()
