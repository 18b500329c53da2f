"""`manage.py runstores`: keep stores up to date for the sake of the signals, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kubewatch.contrib.django.health import stores_report
from kubewatch.contrib.django.management.running import add_address, until_told
from kubewatch.contrib.django.stores import stores
from kubewatch.health import Check, Report

# Seconds: how often it looks whether a store has ended by itself.
LOOK = 0.1


class Command(BaseCommand):
    """Where receivers of `object_applied` and `object_deleted` are to hear of each change once: in this one process."""

    help = "Follow the cluster and send object_applied and object_deleted, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        add_address(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not stores:
            raise CommandError("there is nothing to follow: name it in KUBEWATCH['STORES']")
        with until_told(options, self.stdout, _alive, stores_report) as told:
            stores.start()
            try:
                while not told.wait(LOOK) and all(store.failure is None for store in stores.values()):
                    pass
            finally:
                stores.stop()
        failed = [f"{name}: {store.failure}" for name, store in stores.items() if store.failure is not None]
        if failed:
            raise CommandError("; ".join(failed))


def _alive() -> Report:
    return Report(tuple(Check(name, each.failure is None, each.freshness) for name, each in stores.items()))
