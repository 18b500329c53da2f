"""`stores`: the stores that the settings name, by name; each process has its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from kubewatch.errors import InvalidInput
from kubewatch.live import LiveStore

from . import conf
from .signals import Announcer


class Stores(Mapping[str, LiveStore[Any]]):
    """The stores of `KUBEWATCH["STORES"]`: `stores["pods"].get("web-0", "shop")`. Safe to use from any thread.

    None runs before somebody asks: the first read of a store starts it, in the process that reads, and waits for its
    first list; for READY_TIMEOUT seconds at most, then it raises TimeoutError, and at once AuthError. So nothing runs
    in gunicorn's master, in runserver's reloader, or with a management command that reads no store. Raises
    ImproperlyConfigured, and KeyError.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[LiveStore[Any], Announcer]] = {}

    def __getitem__(self, name: str) -> LiveStore[Any]:
        made = self._made.get(name)
        return made[0] if made is not None else self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(configured().stores)

    def __len__(self) -> int:
        return len(configured().stores)

    def start(self) -> None:
        """Start all stores in this process, also those that ended by themselves, and wait for none of them.

        For a server's worker that is to be warm before its first request.
        """
        for store in self.values():
            store.start(awaited=True)

    def stop(self) -> None:
        """Stop all stores; what they hold can be read on."""
        for store, _ in list(self._made.values()):
            store.stop()

    def forget(self) -> None:
        """Stop all stores, and make them anew from the settings when they are next asked for; for tests."""
        self.stop()
        self._made.clear()

    @property
    def receiver_failures(self) -> int:
        """How often receivers of `object_applied` and `object_deleted` failed; Django logged each."""
        return sum(announcer.failures for _, announcer in self._made.values())

    def _make(self, name: str) -> LiveStore[Any]:
        settings = configured()
        if name not in settings.stores:
            raise KeyError(f"KUBEWATCH['STORES'] has no {name!r}, only {', '.join(map(repr, settings.stores))}")
        try:
            store = conf.make_store(settings, name)
        except InvalidInput as error:
            raise ImproperlyConfigured(str(error)) from error
        announcer = Announcer(name, store)
        store.on_change(announcer)
        return self._made.setdefault(name, (store, announcer))[0]


def configured() -> conf.Conf:
    """What the settings say. Raises ImproperlyConfigured."""
    try:
        return conf.read()
    except InvalidInput as error:
        raise ImproperlyConfigured(str(error)) from error


stores = Stores()
