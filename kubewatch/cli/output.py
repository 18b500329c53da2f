"""The forms of output: a line, a document or a row of a table for each object; harmless to terminals, all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Protocol

import msgspec

from kubewatch.drafts import modified
from kubewatch.errors import Unreadable
from kubewatch.printing.columns import Column
from kubewatch.printing.rows import Shape, cells, columns_for, room
from kubewatch.printing.table import Table
from kubewatch.printing.text import GREEN, RED, YELLOW, harmless, harmless_json
from kubewatch.prune import prune

from .changes import Change, What
from .messages import tell

Write = Callable[[str], object]

_STYLES = {What.ADDED: GREEN, What.CHANGED: YELLOW, What.DELETED: RED, What.DELETE: RED}
_cut_managed_fields = prune("metadata.managedFields")


class Form(Protocol):
    """A form of output, written to as changes come."""

    def show(self, change: Change) -> None:
        """Show a change, now or at the next flush."""

    def flush(self) -> None:
        """Write what has been held back."""


class Lines:
    """A line, or a document, for each change; written at once. `whole` is with metadata.managedFields."""

    def __init__(self, write: Write, render: Callable[[Change], str], *, whole: bool = True) -> None:
        self._write = write
        self._render = render
        self._whole = whole

    def show(self, change: Change) -> None:
        try:
            if not self._whole and change.object is not None:
                change = Change(change.what, modified(change.object, _cut_managed_fields))
            text = self._render(change)
        except Unreadable as error:
            tell(f"{name_of(change.object)} cannot be shown: {error}")
        else:
            self._write(text)

    def flush(self) -> None:
        return


class Rows:
    """A row of a table for each change. What is there at the start is held back, so that all of it is aligned together.

    A `live` table says what happened and, when it is wide, when.
    """

    def __init__(
        self,
        write: Write,
        shape: Shape,
        *,
        live: bool,
        colour: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._write = write
        self._shape = shape
        self._live = live
        self._colour = colour
        self._clock = clock
        self._columns: list[Column] = []
        self._table: Table | None = None
        self._held: list[Change] = []

    def show(self, change: Change) -> None:
        self._held.append(change)
        if change.what is not What.LISTED:
            self.flush()

    def flush(self) -> None:
        held, self._held = self._held, []
        if self._table is None:
            self._columns = columns_for(self._shape, [change.object for change in held if change.object])
            self._table = self._begin()
        now = self._clock()
        self._table.add([(self._row(change, now), _STYLES.get(change.what)) for change in held])

    def _begin(self) -> Table:
        titles = [column.name.upper() for column in self._columns]
        if not self._live:
            return Table(self._write, titles, colour=self._colour)
        titles, widths = ["EVENT", *titles], [9, *map(room, self._columns)]
        if self._shape.wide:
            titles, widths = ["TIME", *titles], [8, *widths]
        return Table(self._write, titles, widths, colour=self._colour)

    def _row(self, change: Change, now: datetime) -> list[str]:
        obj = change.object
        row = cells(self._columns, obj, now) if obj is not None else [""] * len(self._columns)
        if self._live:
            row.insert(0, change.what.word)
            if self._shape.wide:
                row.insert(0, now.astimezone().strftime("%H:%M:%S"))
        return row


def form_for(
    output: str, shape: Shape, *, live: bool, colour: bool = False, whole: bool = False, write: Write | None = None
) -> Form:
    """The form called `output`; `live` says that what happened is of interest, too, `whole` managedFields."""
    write = write or write_line
    if output in ("table", "wide"):
        return Rows(write, shape._replace(wide=output == "wide"), live=live, colour=colour)
    render = {"name": _name, "json": _json, "yaml": _yaml}[output] if live else _BARE[output]
    return Lines(write, render, whole=whole or output == "name")


def write_line(line: str) -> None:
    """Write one line to stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def name_of(obj: Any) -> str:
    """An object as kubectl's `-o name` has it: `pod/web`, `deployment.apps/web`."""
    group = obj.api_version.rpartition("/")[0]
    return harmless(f"{obj.kind.lower()}{'.' if group else ''}{group}/{obj.name}")


def json_of(obj: Any) -> str:
    """An object as JSON in one line, its fields in the order in which the server sent them."""
    text: str = obj.to_json()
    if text.isprintable():
        return text
    # Written anew, in case that what does not print are line ends between the fields.
    return harmless_json(msgspec.json.encode(obj.to_dict()).decode())


def yaml_of(value: dict[str, Any]) -> str:
    """A YAML document, with the line that begins it."""
    import yaml  # not needed by the other forms, and slow to import

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True)
    if not all(map(str.isprintable, text.split("\n"))):
        text = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=False)  # all but ASCII as escapes
    return f"---\n{text.rstrip()}"


def _name(change: Change) -> str:
    what, obj = change
    if what.word == what.event:  # an event as it came: as the library writes it
        return f"{what.event}({harmless(obj.name)})" if obj else what.event
    return f"{name_of(obj)} deleted" if what is What.DELETED else name_of(obj)


def _json(change: Change) -> str:
    what, obj = change
    return f'{{"event":"{what.event}","object":{json_of(obj)}}}' if obj else f'{{"event":"{what.event}"}}'


def _yaml(change: Change) -> str:
    what, obj = change
    return yaml_of({"event": what.event} | ({"object": obj.to_dict()} if obj else {}))


_BARE: dict[str, Callable[[Change], str]] = {
    "name": lambda change: name_of(change.object),
    "json": lambda change: json_of(change.object),
    "yaml": lambda change: yaml_of(change.object.to_dict()),
}
