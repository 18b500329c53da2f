"""Signals: what happens to the objects of the stores that the settings name.

    @receiver(object_applied, sender="pods")
    def on_pod(sender, store, object, **kwargs): ...

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


class StoreSignal(Signal):
    """A signal whose senders are names; Django's own tells senders apart by identity, which equal texts may lack."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[Any, Any] = {}  # of the senders that anybody connected to

    def connect(self, receiver: Any, sender: Any = None, weak: bool = True, dispatch_uid: Any = None) -> None:
        """Have `receiver` called with what happens in the store called `sender`; None: in any."""
        super().connect(receiver, self.names.setdefault(sender, sender), weak, dispatch_uid)

    def disconnect(self, receiver: Any = None, sender: Any = None, dispatch_uid: Any = None) -> bool:
        """The contrary."""
        return super().disconnect(receiver, self._one(sender), dispatch_uid)

    def has_listeners(self, sender: Any = None) -> bool:
        """Whether anybody would hear."""
        return super().has_listeners(self._one(sender))

    def send_robust(self, sender: Any, **named: Any) -> list[Any]:
        """Call the receivers; what one raises is logged, and comes in place of its answer."""
        return super().send_robust(self._one(sender), **named)

    def _one(self, sender: Any) -> Any:
        return self.names.get(sender, sender)


# An object was added or changed. `sender` is the store's name; arguments: `store`, `object`.
object_applied = StoreSignal()

# An object was deleted, or a list found that it is gone. The same; `object` is its last state.
object_deleted = StoreSignal()


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
        if not signal.has_listeners(self._name):
            return
        # As around a request: receivers use the database, on a thread that lives as long as the process.
        close_old_connections()
        for _, answer in signal.send_robust(sender=self._name, store=self._store, object=obj):
            self.failures += isinstance(answer, Exception)
        close_old_connections()
