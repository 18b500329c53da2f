"""How objects show themselves to people: as a table of text, a table of HTML, a DataFrame of pandas.

Columns are those of `kubectl get`. What stands in cells came from a cluster, and is harmless to terminals and browsers.
"""

from __future__ import annotations

import difflib
import heapq
import html
import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .decode import decode_object
from .errors import InvalidInput
from .objects import Object, PartialObjectMeta, key_of
from .printing.columns import AGE, NAME
from .printing.json_path import first
from .printing.rows import Shape, as_dict, cells, columns_for, values
from .printing.table import Table
from .sending import to_json

# Objects in a table; names in an error.
ROWS = 20
NEAR = 3

# Names among which similar ones are looked for: among more, only those that begin alike.
COMPARED = 2000

Cell = Callable[[Any], Any]


class Glance(NamedTuple):
    """The first objects of many, as a table."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int

    @property
    def more(self) -> str:
        """How many are not shown; empty where all are."""
        left = self.total - len(self.rows)
        return f"… and {counted(left)} more" if left else ""


def glance(objects: Sequence[Any], *, namespaces: bool) -> Glance:
    """The first of `objects` by name; with a column for the namespace where there may be several."""
    shown = [_plain(obj) for obj in heapq.nsmallest(ROWS, objects, key=key_of)]
    if not shown:
        return Glance((), (), 0)
    columns = columns_for(_shape(shown[0], namespaces=namespaces), shown)
    titles = [column.name.upper() for column in columns]
    return Glance(titles, [cells(columns, obj) for obj in shown], len(objects))


def as_text(objects: Sequence[Any], summary: str, *, namespaces: bool) -> str:
    """A table, and below it the summary."""
    seen = glance(objects, namespaces=namespaces)
    lines: list[str] = []
    if seen.rows:
        Table(lines.append, seen.titles).add((row, None) for row in seen.rows)
    return "\n".join([*lines, *filter(None, [seen.more]), summary])


def as_html(objects: Sequence[Any], summary: str, *, namespaces: bool) -> str:
    """The same for notebooks, with everything escaped."""
    seen = glance(objects, namespaces=namespaces)
    rows = [_row("th", seen.titles), *(_row("td", row) for row in seen.rows)] if seen.rows else []
    below = [f"<div>{html.escape(line)}</div>" for line in [seen.more, *summary.splitlines()] if line]
    return f"<div><table>{''.join(rows)}</table>{''.join(below)}</div>"


def as_frame(objects: Iterable[Any], columns: Mapping[str, str | Cell], shape: Shape) -> Any:
    """A DataFrame, of kubectl's wide columns or of `columns`: paths, or functions of an object.

    `shape` is what tells the columns and the index where there are no objects.
    """
    pandas = _pandas()
    every = sorted(objects, key=key_of)
    data = {name: list(map(_cell(name, cell), every)) for name, cell in columns.items()} or _wide(every, shape)
    keys: Any = [key_of(obj) for obj in every]
    if shape.namespaces and (not keys or keys[0][0]):
        index = pandas.MultiIndex.from_tuples(keys, names=["namespace", "name"])
    else:
        index = pandas.Index([name for _, name in keys], name="name")
    return pandas.DataFrame(data, index=index)


def near(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that come close to the wanted one, the closest first."""
    known = sorted(names)
    inside = [name for name in known if wanted and wanted in name]
    if len(known) > COMPARED:
        known = [name for name in known if name[:3] == wanted[:3]][:COMPARED]
    return list(dict.fromkeys([*difflib.get_close_matches(wanted, known, NEAR), *inside]))[:NEAR]


def counted(number: int, what: str = "") -> str:
    """A number that is easy to read, of things.

    >>> counted(4980), counted(1, "object"), counted(2, "object")
    ('4 980', '1 object', '2 objects')
    """
    text = f"{number:,}".replace(",", " ")
    return f"{text} {what}{'' if number == 1 else 's'}" if what else text


def _wide(objects: Sequence[Any], shape: Shape) -> dict[str, list[Any]]:
    """kubectl's wide columns, with the time of creation instead of the age, which would not last."""
    plain = [_plain(obj) for obj in objects]
    shape = (_shape(plain[0]) if plain else shape)._replace(wide=True, namespaces=False)
    columns = [column for column in columns_for(shape, plain) if column not in (NAME, AGE)]
    rows = [values(columns, obj) for obj in plain]
    data = {re.sub(r"\W", "_", column.name.lower()): [row[i] for row in rows] for i, column in enumerate(columns)}
    return {**data, "created": [obj.metadata.creation_timestamp for obj in plain]}


def _cell(name: str, cell: str | Cell) -> Cell:
    """A function from an object to what stands in a column of the user's."""
    if callable(cell):
        return cell
    path = cell if cell.startswith((".", "[", "{", "$")) else f".{cell}"
    try:
        first({}, path)
    except ValueError as error:
        raise InvalidInput(f"column {name!r}: {error}") from error
    return lambda obj: first(as_dict(_plain(obj)), path)


def _shape(one: Object | PartialObjectMeta, *, namespaces: bool = False) -> Shape:
    namespaces = namespaces and one.namespace is not None
    return Shape(one.api_version, one.kind, namespaces=namespaces, metadata=isinstance(one, PartialObjectMeta))


def _plain(obj: Any) -> Object | PartialObjectMeta:
    """A model of the user's own as the object that it stands for."""
    if isinstance(obj, (Object, PartialObjectMeta)):
        return obj
    return decode_object(to_json(obj), getattr(obj, "api_version", ""), type(obj).__name__)


def _row(tag: str, texts: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("df() makes a DataFrame of pandas, which is not installed: pip install pandas") from error
