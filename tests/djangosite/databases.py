"""The databases that the tests run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import backoff
from django.apps import apps
from django.core.management import call_command
from django.db import Error, connections

# Seconds within which something is seen in a database; a bound, not a pause.
PATIENCE = 30.0


@contextmanager
def added(alias: str, settings: dict[str, Any]) -> Iterator[None]:
    """Within, there is a database called `alias`, with all tables."""
    connections.databases[alias] = {**connections.databases["default"], **settings}
    try:
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]


def emptied(alias: str) -> None:
    """Delete all rows."""
    for model in apps.get_models():
        model._base_manager.using(alias).delete()


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until `reached` says so; a database that is away for the moment says no."""

    @backoff.on_predicate(backoff.constant, interval=0.02, jitter=None, max_time=PATIENCE)
    def ask() -> object:
        try:
            return reached()
        except Error:
            connections.close_all()
            return False

    assert ask(), f"not within {PATIENCE} s"
