"""Results as Markdown, and the page in which they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .chart import chart
from .contenders import FLOOR
from .real import Real
from .results import Results
from .rounds import Figure, Outcome
from .targets import Target, targets

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
RESULTS = PAGE.with_suffix(".json")


def write_page(results: Results) -> None:
    """Replace what is generated in the page, and the chart beside it."""
    page = PAGE.read_text()
    for name, text in blocks(results).items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL)
        if found is None:
            raise ValueError(f"{PAGE.name} has no {begin} … {end}")
        page = f"{page[: found.start()]}{begin}\n{text}\n{end}{page[found.end() :]}"
    PAGE.write_text(page)
    CHART.write_text(chart(results))


def blocks(results: Results) -> dict[str, str]:
    """The generated parts, by name."""
    real = real_table(results.real) if results.real else "The real server was not part of this run."
    return {
        "machine": f"{results.date}; {results.machine}; medians of up to {results.runs} runs (least–most).",
        "clients": clients_table(results.clients),
        "targets": targets_table(targets(results)),
        "real": real,
        "hot path": hot_path_table(results),
        "trials": trials_table(results),
    }


def text(results: Results) -> str:
    """Everything, for a terminal."""
    return "\n\n".join(part for part in blocks(results).values() if part)


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


def targets_table(rows: Sequence[Target]) -> str:
    """Each target, what was measured, whether it is met, and what the least in Python would reach."""
    lines = [f"| target | limit | measured | met | {FLOOR} |", "|---|---|---|---|---|"]
    for row in rows:
        measured = "not measured" if row.measured is None else f"{_number(row.measured)}{row.unit}"
        verdict = {True: "yes", False: "**no**", None: "–"}[row.met]
        limit = f"{'at most' if row.at_most else 'at least'} {_number(row.limit)}{row.unit}"
        floor = "" if row.floor is None else f"{_number(row.floor)}{row.unit}"
        lines.append(f"| {row.text} | {limit} | {measured} | {verdict} | {floor} |")
    return "\n".join(lines)


def real_table(real: Real) -> str:
    """The initial list beside curl's, and the watches."""
    lines = [
        f"kube-apiserver {real.version}, {_number(real.size.objects)} pods of about 10 KB, TLS. List: kubewatch "
        f"{_spread(real.listed)} s, curl {_spread(real.fetched)} s for the same pages.",
        "",
        "| client | list into store, objects/s | watch, all at once, events/s | watch, as they come, events/s "
        "| bytes per object |",
        "|---|---|---|---|---|",
    ]
    coming = {each.name: each.watched for each in real.as_they_come}
    lines += [
        f"| {each.name} {each.version} | {_spread(each.listed)} | {_spread(each.watched)} "
        f"| {_spread(coming[each.name])} | {_spread(each.memory)} |"
        for each in real.at_once
        if each.name in coming
    ]
    return "\n".join(lines)


def hot_path_table(results: Results) -> str:
    """Of an event and of a listed object, each layer's share; what the layers do not explain is said too.

    All of it from the quickest run of each, as a machine that slows down for a while slows some of them only.
    """
    figures = results.trials.get("hot path", {})
    receive, ours = results.client("receive only, socket"), results.client("kubewatch")
    if not figures or receive is None or ours is None:
        return "The hot path was not part of this run."
    system = "system calls: `recv`"
    watch = {system: 1e6 / receive.watched.most}
    page = {system: 1e6 / receive.listed.most}
    bounds = {}
    for name, figure in figures.items():
        if name.startswith("bound: "):
            bounds[name.removeprefix("bound: ")] = figure.least
            continue
        (page if name.startswith("list: ") else watch)[name.removeprefix("list: ")] = figure.least
    watch["what is left of a whole run"] = 1e6 / ours.watched.most - sum(watch.values())
    page["watcher, stream, store, and memory that is kept"] = 1e6 / ours.listed.most - sum(page.values())
    tables = f"{_layers('a change, by watch', watch)}\n\n{_layers('an object, by paged list', page)}"
    bound = _bound({system: watch[system]} | bounds, results.client(FLOOR), results.client("kube-rs"))
    return f"{tables}\n\n{bound}"


def _bound(bounds: Mapping[str, float], floor: Outcome | None, kube_rs: Outcome | None) -> str:
    """What a change cannot cost less than, and what the highest of the targets would have it cost."""
    parts = ", ".join(f"{name} {_number(cost)} µs" for name, cost in bounds.items())
    text = f"The bounds beneath, each measured by itself: {parts}; together {_number(sum(bounds.values()))} µs."
    if floor is not None:
        text += f" In a whole run, {FLOOR} takes {_number(1e6 / floor.watched.most)} µs."
    if kube_rs is not None:
        eighth = 1e6 / kube_rs.watched.most / 8
        text += f" Eight times kube-rs would be {_number(eighth)} µs for all of it."
    return text


def _layers(what: str, layers: Mapping[str, float]) -> str:
    total = sum(layers.values())
    lines = [f"| {what} | µs | share |", "|---|---|---|"]
    lines += [f"| {name} | {_number(cost)} | {cost / total:.0%} |" for name, cost in layers.items()]
    return "\n".join([*lines, f"| **all** | {_number(total)} | |"])


def trials_table(results: Results) -> str:
    """Every other figure, as its program names it."""
    lines = ["| measured | figure | median (least–most) |", "|---|---|---|"]
    for trial, figures in results.trials.items():
        if trial == "hot path":
            continue
        lines += [f"| {trial} | {name.replace('_', ' ')} | {_spread(figure)} |" for name, figure in figures.items()]
    return "\n".join(lines)


def _spread(figure: Figure) -> str:
    if figure.runs == 1:
        return _number(figure.median)
    return f"{_number(figure.median)} ({_number(figure.least)}–{_number(figure.most)})"


def _number(value: float) -> str:
    """Three digits that count, and thousands apart.

    >>> _number(51234.7), _number(871.2), _number(0.1834), _number(7.5), _number(4)
    ('51 200', '871', '0.183', '7.5', '4')
    """
    if abs(value) < 100:
        return f"{value:.3g}"
    digits = max(0, len(str(int(abs(value)))) - 3)
    return f"{round(value, -digits):,.0f}".replace(",", " ")
