"""Which columns a kind has in a table, and what stands in them: kubectl's, where kubectl has its own.

The columns of built-in kinds are those that the embedded API server prints, as any API server does for kubectl. Here
they are made on this side, because a watch brings objects and not tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from kubewatch.errors import Unreadable
from kubewatch.objects import PartialObjectMeta
from kubewatch.printing.builtin_columns import BUILTIN
from kubewatch.printing.columns import AGE, NAME, Column, field, get, of
from kubewatch.printing.text import harmless

UNKNOWN = "-"  # in a cell: what stood here is not known, as only metadata came

NAMESPACE = Column("Namespace", field("metadata.namespace"))
STATUS = Column("Status", of(lambda obj: _status(obj)))
LABELS = Column("Labels", of(lambda obj: _pairs(get(obj, "metadata.labels", {}))), wide=True)
_OF_METADATA = (NAMESPACE, NAME, AGE, LABELS)

# Columns at the beginning of a live table, before anything is known that could be wider.
_ROOM = {"Namespace": 12, "Name": 28, "Status": 16, "Ready": 5, "Age": 4}


class Shape(NamedTuple):
    """What decides on the columns: the kind, and what was asked for."""

    api_version: str
    kind: str
    wide: bool = False
    namespaces: bool = False  # with a column for the namespace
    metadata: bool = False  # metadata is all that comes


def columns_for(shape: Shape, first: Sequence[Any] = ()) -> list[Column]:
    """The columns for objects of a kind, of which `first` are known already.

    A kind that has no columns of its own has its name, its age, and a status where one of `first` has one.
    """
    group = shape.api_version.rpartition("/")[0]
    own: Sequence[Column] = (NAME, AGE, LABELS)
    if not shape.metadata:
        with_status = not first or any(_status(as_dict(obj)) for obj in first)
        own = BUILTIN.get((group, shape.kind)) or ((NAME, STATUS, AGE) if with_status else (NAME, AGE))
    return [*([NAMESPACE] if shape.namespaces else []), *(one for one in own if shape.wide or not one.wide)]


def cells(columns: Iterable[Column], obj: Any, now: datetime | None = None) -> list[str]:
    """What stands in the columns of one object, harmless to a terminal; ages count to `now`.

    An object that is not what its kind should be has `<invalid>` in the cells that trip over it.
    """
    return [_text(value) for value in values(columns, obj, now)]


def values(columns: Iterable[Column], obj: Any, now: datetime | None = None) -> list[Any]:
    """The same as numbers, texts and None, as they came."""
    now = now or datetime.now(timezone.utc)
    partial = isinstance(obj, PartialObjectMeta)
    fields = as_dict(obj)
    return [UNKNOWN if partial and column not in _OF_METADATA else _value(column, fields, now) for column in columns]


def room(column: Column) -> int:
    """How wide a column of a live table is from the start."""
    return max(len(column.name), _ROOM.get(column.name, 0))


def as_dict(obj: Any) -> dict[str, Any]:
    """The object as plain dicts; nothing but its name where the bytes of the rest are no text."""
    try:
        whole: dict[str, Any] = obj.to_dict()
    except Unreadable:
        return {"metadata": {"name": obj.name, "namespace": obj.namespace}}
    return whole


def _value(column: Column, fields: dict[str, Any], now: datetime) -> Any:
    try:
        return column.cell(fields, now)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return "<invalid>"


def _text(value: Any) -> str:
    if value is None:
        return "<none>"
    return harmless(str(value).lower() if isinstance(value, bool) else str(value))


def _status(fields: dict[str, Any]) -> str:
    """The phase of an object of any kind, or what its conditions say of its being ready."""
    if get(fields, "metadata.deletionTimestamp"):
        return "Terminating"
    phase = get(fields, "status.phase")
    if isinstance(phase, str):
        return phase
    conditions = get(fields, "status.conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") in ("Ready", "Available", "Established"):
            is_so, reason = condition.get("status"), condition.get("reason")
            return str(condition["type"]) if is_so == "True" else str(reason or f"Not{condition['type']}")
    return ""


def _pairs(labels: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items()) or "<none>"
