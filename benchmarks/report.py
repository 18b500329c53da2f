"""Outcomes as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .rounds import Figure, Outcome


def clients_table(outcomes: Sequence[Outcome]) -> str:
    """Objects per second of client CPU, list and watch, and memory per object: medians, with least and most."""
    lines = [
        "| client | version | objects + events | runs | list into store, objects/s | watch into store, events/s "
        "| bytes per object |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.name} | {each.version} | {_number(each.size.objects)} + {_number(each.size.events)} "
        f"| {each.listed.runs} | {_spread(each.listed)} | {_spread(each.watched)} | {_spread(each.memory)} |"
        for each in outcomes
    ]
    return "\n".join(lines)


def _spread(figure: Figure) -> str:
    if figure.runs == 1:
        return _number(figure.median)
    return f"{_number(figure.median)} ({_number(figure.least)}–{_number(figure.most)})"


def _number(value: float) -> str:
    """Three digits that count, and thousands apart.

    >>> _number(51234.7), _number(871.2)
    ('51 200', '871')
    """
    digits = max(0, len(str(int(abs(value)))) - 3)
    return f"{round(value, -digits):,.0f}".replace(",", " ")
