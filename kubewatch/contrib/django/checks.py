"""System checks: what is wrong with the settings is said before anything is requested.

https://docs.djangoproject.com/en/stable/topics/checks/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

from kubewatch.errors import InvalidInput

from . import conf
from .reflection import Reflection, overlap
from .signals import object_applied, object_deleted

DOCS = "See `kubewatch.contrib.django.conf.Conf` for what may stand there."


def check_settings(**_: Any) -> list[CheckMessage]:
    """kubewatch.E001 to E005, W001. Imports the modules that REFLECT names; opens no connection of any sort."""
    found: list[CheckMessage] = []

    def attempt(id_: str, hint: str, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except InvalidInput as error:
            found.append(Error(str(error), hint=hint, id=f"kubewatch.{id_}"))
            return None

    read = attempt("E001", DOCS, conf.read)
    if read is None:
        return found
    for name in read.stores:
        attempt("E002", DOCS, partial(conf.make_store, read, name))
    made_by = "Name what `reflect_model(…)` gave, at the top level of a module that is not imported by models.py."
    loaded = [attempt("E003", made_by, partial(conf.load_reflection, path)) for path in read.reflect]
    found += check_reflections([reflection for reflection in loaded if reflection is not None])
    found += _unheard(read.stores)
    return found


def check_reflections(reflections: Sequence[Reflection[Any]]) -> Iterator[CheckMessage]:
    """kubewatch.E004 and E005: what keeps these from being reflected together."""
    for one, other in combinations(reflections, 2):
        if overlap(one, other):
            yield Error(
                f"KUBEWATCH['REFLECT']: two reflections write, and delete, the same rows: {one.name} and {other.name}",
                hint="Give each a scope of its own: scope={'cluster': 'prod'}.",
                id="kubewatch.E004",
            )
    for reflection in reflections:
        if reflection.database not in connections:
            yield Error(
                f"KUBEWATCH['REFLECT']: {reflection.name}: there is no database {reflection.database!r} in DATABASES",
                id="kubewatch.E005",
            )
        elif not connections[reflection.database].features.supports_update_conflicts_with_target:
            vendor = connections[reflection.database].vendor
            yield Error(
                f"KUBEWATCH['REFLECT']: {reflection.name}: rows cannot be reflected into {vendor}",
                hint="Use a database that has INSERT … ON CONFLICT (…) DO UPDATE: PostgreSQL, or SQLite.",
                id="kubewatch.E005",
            )


def _unheard(stores: Collection[str]) -> Iterator[CheckMessage]:
    for word, signal in (("object_applied", object_applied), ("object_deleted", object_deleted)):
        for sender in signal.names.keys() - {None, *stores}:
            yield Warning(
                f"a receiver of {word} waits for {sender!r}, and KUBEWATCH['STORES'] has no such store",
                hint=f"There are: {', '.join(map(repr, stores)) or 'none'}.",
                id="kubewatch.W001",
            )
