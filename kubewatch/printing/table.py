"""Tables that are written as their rows come: aligned, and never redrawn, so that nothing flickers or is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kubewatch.printing.text import BOLD, coloured, padded, width

GAP = "  "
Row = Sequence[str]


class Table:
    """Rows under a header, written by `write`, one line a call. A column grows with what comes, and never shrinks.

    Rows written together are aligned together. The header is written before the first row.

    >>> table = Table(print, ["NAME", "STATUS"])
    >>> table.add([(["web", "Running"], None), (["db-0", "Pending"], None)])
    NAME  STATUS
    web   Running
    db-0  Pending
    """

    def __init__(
        self, write: Callable[[str], object], titles: Sequence[str], room: Sequence[int] = (), *, colour: bool = False
    ) -> None:
        """`room` is how wide the columns are at least, in terminal columns."""
        self._write = write
        self._titles = titles
        self._widths = list(room) or [0] * len(titles)
        self._colour = colour
        self._begun = False

    def add(self, rows: Iterable[tuple[Row, str | None]]) -> None:
        """Write rows, each with its style (of `text.py`) or None; without rows, the header."""
        rows = list(rows)
        for cells in (self._titles, *(cells for cells, _ in rows)):
            self._widths = [max(old, width(cell)) for old, cell in zip(self._widths, cells, strict=True)]
        if not self._begun:
            self._begun = True
            self._line(self._titles, BOLD)
        for cells, style in rows:
            self._line(cells, style)

    def _line(self, cells: Row, style: str | None) -> None:
        line = GAP.join(map(padded, cells, self._widths)).rstrip()
        self._write(coloured(line, style if self._colour else None))
