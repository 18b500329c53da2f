"""Writing a batch to the database: in one transaction, in bulk, and only what differs from what is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connections, transaction
from django.db.models import QuerySet

from .changes import Batch, Mark
from .models import ReflectionState
from .reflection import Key, Reflection, Row

X = TypeVar("X")
_log = logging.getLogger(__name__)

# Rows in one statement. Some databases cut it further.
CHUNK = 500

# How a database, or its driver, refuses what a row says. Anything else is trouble with the database, and not the row's.
REFUSED = (IntegrityError, DataError, ValidationError, ValueError, TypeError, OverflowError)


class Rows:
    """The rows of one reflection."""

    def __init__(self, reflection: Reflection[Any]) -> None:
        self._reflection = reflection
        self._model = reflection.model
        self._database = reflection.database
        self._columns = [*reflection.key, *reflection.fields]
        # Of fields that say when a row was written, as bulk_create leaves them alone in rows that exist.
        written = [field.attname for field in self._model._meta.concrete_fields if getattr(field, "auto_now", False)]
        self._updated = [*reflection.fields, *(column for column in written if column not in self._columns)]
        # Tables with foreign keys that a row of ours may break.
        fields = self._model._meta.get_fields(include_hidden=True)
        pointing = [field.related_model for field in fields if field.auto_created and field.related_model]
        self._tables = [model._meta.db_table for model in (self._model, *pointing)]
        self._early = False  # whether constraints are looked at after each statement
        self.refused = 0  # rows that the database refused

    def write(self, batch: Batch, heard_at: datetime | None) -> None:
        """Write `batch` in one transaction. Raises django.db.Error; then nothing was written.

        A row that the database refuses is logged, counted, and left as it was; the others are not held up.
        """
        try:
            self._write(batch, heard_at)
        except IntegrityError:  # said when all was written, and of no row: such constraints are looked at when it ends
            self._early = True
            try:
                self._write(batch, heard_at)
            finally:
                self._early = False

    def _write(self, batch: Batch, heard_at: datetime | None) -> None:
        with transaction.atomic(using=self._database):
            self._stamp(heard_at)
            if batch.whole:
                self._replace(batch.rows)
            else:
                self._change(batch.rows)

    def _stamp(self, heard_at: datetime | None) -> None:
        # First, and also where there is nothing new to say: it keeps other processes that write the same rows waiting.
        states, name = ReflectionState._default_manager.using(self._database), self._reflection.name
        if heard_at is None:
            states.filter(name=name).update(name=name)
            return
        state = ReflectionState(name=name, heard_at=heard_at)
        states.bulk_create([state], update_conflicts=True, unique_fields=["name"], update_fields=["heard_at"])

    def _replace(self, rows: dict[Key, Row | Mark]) -> None:
        """Make the rows those of `rows`, and no others; what is there already is not written again."""
        there: dict[Key, Row] = {}
        gone: list[Any] = []
        size = len(self._reflection.key)
        for pk, *values in self._there().values_list("pk", *self._columns):
            key = tuple(map(str, values[:size]))  # a uid may be a UUID here
            there[key] = tuple(values[size:])
            if rows.get(key, Mark.GONE) is Mark.GONE:
                gone.append(pk)
        self._each(gone, lambda some: self._there().filter(pk__in=some).delete())
        self._put((key, row) for key, row in rows.items() if not isinstance(row, Mark) and there.get(key) != row)

    def _change(self, rows: dict[Key, Row | Mark]) -> None:
        self._delete(key for key, row in rows.items() if row is Mark.GONE)
        self._put((key, row) for key, row in rows.items() if not isinstance(row, Mark))

    def _delete(self, keys: Iterable[Key]) -> None:
        for place, some in groupby(sorted(keys), lambda key: key[:-1]):
            self._each([key[-1] for key in some], partial(self._delete_in, place))

    def _delete_in(self, place: Key, names: Sequence[str]) -> None:
        *outer, last = self._reflection.key
        where: dict[str, Any] = dict(zip(outer, place, strict=True))
        self._there().filter(**where, **{f"{last}__in": names}).delete()

    def _put(self, rows: Iterable[tuple[Key, Row]]) -> None:
        # Sorted, so that two processes lock rows in the same order.
        self._each(sorted(rows, key=lambda item: item[0]), self._upsert)

    def _upsert(self, rows: Sequence[tuple[Key, Row]]) -> None:
        scope, key = self._reflection.scope, self._reflection.key
        manager = self._model._base_manager.using(self._database)
        # Where there is nothing else to update, the key is, to itself; where that is the primary key, it must not be.
        updated = self._updated or [name for name in key if name != self._model._meta.pk.attname]
        if not updated:
            there = set(self._there().filter(pk__in=[name for (name,), _ in rows]).values_list("pk", flat=True))
            rows = [(key, row) for key, row in rows if key[0] not in there]
        made = [self._model(**scope, **dict(zip(self._columns, (*key, *row), strict=True))) for key, row in rows]
        if updated:
            manager.bulk_create(made, update_conflicts=True, update_fields=updated, unique_fields=[*key, *scope])
        else:
            manager.bulk_create(made)

    def _there(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self._model._base_manager.using(self._database).filter(**self._reflection.scope)
        return rows

    def _each(self, items: Sequence[X], write: Callable[[Sequence[X]], object]) -> None:
        for some in _chunks(items):
            self._attempt(some, write)

    def _attempt(self, items: Sequence[X], write: Callable[[Sequence[X]], object]) -> None:
        """Write all of `items`; where the database refuses, in halves, until those that it refuses are found."""
        try:
            with transaction.atomic(using=self._database):
                write(items)
                if self._early:
                    connections[self._database].check_constraints(self._tables)
        except REFUSED as error:
            if len(items) == 1:
                self.refused += 1
                _log.error(
                    "%s: the database refuses the row of %s, which stays as it was: %s",
                    *(self._reflection.label, _named(items[0]), self._reflection.told(error)),
                )
                return
            middle = len(items) // 2
            self._attempt(items[:middle], write)
            self._attempt(items[middle:], write)


def _chunks(items: Sequence[X]) -> Iterator[Sequence[X]]:
    for begin in range(0, len(items), CHUNK):
        yield items[begin : begin + CHUNK]


def _named(item: Any) -> str:
    key = item[0] if isinstance(item, tuple) else item
    return "/".join(key) if isinstance(key, tuple) else str(key)
