"""The columns of tables, and those of custom resources.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubewatch.printing.ages import age
from kubewatch.printing.json_path import first

Json = dict[str, Any]
Cell = Callable[[Json, datetime], Any]


@dataclass(frozen=True)
class Column:
    """A column: ``cell`` makes its value from an object and the time that ages are counted to."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False
    format: str = ""
    description: str = ""

    def definition(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": int(self.wide),
        }


def get(obj: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path, ``default`` where there is none."""
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return default if obj is None else obj


def field(path: str, default: Any = "") -> Cell:
    """A cell with the value at ``path``."""
    return lambda obj, _: get(obj, path, default)


def age_of(*paths: str) -> Cell:
    """A cell with the age of the first timestamp that there is."""
    return lambda obj, now: age(next(filter(None, (get(obj, path) for path in paths)), None), now)


def of(some: Callable[[Json], Any]) -> Cell:
    """A cell that does not depend on the time."""
    return lambda obj, _: some(obj)


NAME = Column("Name", field("metadata.name"), format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", age_of("metadata.creationTimestamp"), description="How long ago the object was created.")


def custom_columns(printer_columns: Iterable[Mapping[str, Any]] | None) -> Sequence[Column]:
    """The columns of a custom resource: its name and the CRD's ``additionalPrinterColumns``, or its age."""
    rest = [
        Column(
            one["name"],
            _found(one["jsonPath"], one["type"]),
            one["type"],
            wide=one.get("priority", 0) > 0,
            format=one.get("format", ""),
            description=one.get("description", ""),
        )
        for one in printer_columns or [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    ]
    return [NAME, *rest]


def _found(path: str, kind: str) -> Cell:
    def cell(obj: Json, now: datetime) -> Any:
        value = first(obj, path)
        if value is None:
            return None
        if kind == "string":
            return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        if kind == "date":
            return age(value, now) if isinstance(value, str) else None
        if kind == "boolean":
            return value if isinstance(value, bool) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return int(value) if kind == "integer" else float(value)

    return cell
