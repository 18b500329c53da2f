"""Tables that are written as their rows come."""

from __future__ import annotations

from kubewatch.printing.table import Table
from kubewatch.printing.text import RED, coloured


def test_rows_written_together_are_aligned_together_without_trailing_space() -> None:
    lines: list[str] = []
    Table(lines.append, ["NAME", "READY"]).add([(["a-long-name", "1/1"], None), (["b", ""], None)])
    assert lines == ["NAME         READY", "a-long-name  1/1", "b"]


def test_columns_grow_with_what_comes_and_never_shrink() -> None:
    lines: list[str] = []
    table = Table(lines.append, ["NAME", "READY"], [6, 0])
    for name in ("a", "a-long-name", "b"):
        table.add([([name, "1/1"], None)])
    assert lines == ["NAME    READY", "a       1/1", "a-long-name  1/1", "b            1/1"]


def test_a_table_without_rows_has_its_header_once() -> None:
    lines: list[str] = []
    table = Table(lines.append, ["NAME"])
    table.add([])
    table.add([(["a"], None)])
    assert lines == ["NAME", "a"]


def test_colours_do_not_count_for_the_alignment_and_are_left_out_where_not_wanted() -> None:
    for colour in (True, False):
        lines: list[str] = []
        Table(lines.append, ["NAME", "STATUS"], colour=colour).add([(["a", "x"], RED), (["日本", "y"], None)])
        assert lines[1:] == [coloured("a     x", RED) if colour else "a     x", "日本  y"]
