"""A report says of each target whether it is met, leaves out what was not measured, and replaces no prose."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import report
from benchmarks.chart import chart
from benchmarks.contenders import FLOOR, Size
from benchmarks.results import Results, load, save
from benchmarks.rounds import Figure, Outcome
from benchmarks.targets import Target, targets


def outcome(name: str, listed: float, watched: float, memory: float) -> Outcome:
    figures = (Figure.of([value * 0.9, value, value * 1.1]) for value in (listed, watched, memory))
    return Outcome(name, "1.0", Size(20_000, 50_000), *figures)


def results() -> Results:
    clients = [
        outcome("kubewatch", 30_000, 90_000, 9_000),
        outcome(FLOOR, 35_000, 120_000, 8_500),
        outcome("kube-rs", 10_000, 10_000, 65_000),
    ]
    trials = {"stop": {"p99_ms": Figure.of([11.0])}}
    return Results("a machine", "2026-01-02", 3, clients, trials, None, {})


def by_text(text: str) -> Target:
    return next(each for each in targets(results()) if each.text == text)


def test_a_ratio_is_that_of_medians_and_met_where_it_reaches_its_limit() -> None:
    watch = by_text("watch into a store, beside kube-rs typed")
    assert (watch.measured, watch.met) == (9, True)
    paged = by_text("paged list into a store, beside kube-rs typed")
    assert (paged.measured, paged.met) == (3, False)


def test_beside_what_was_measured_stands_what_the_least_in_python_reaches() -> None:
    table = report.targets_table(targets(results()))
    assert "| watch into a store, beside kube-rs typed | at least 8 times | 9 times | yes | 12 times |" in table
    assert "| at least 4 times | 3 times | **no** | 3.5 times |" in table


def test_a_limit_from_above_is_missed_by_what_is_more() -> None:
    assert by_text("stop() of a stream blocked in its watch, p99").met is False


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert by_text("watch into a store, beside client-go JSON").met is None
    assert "| not measured | – |  |" in report.targets_table(targets(results()))


def test_results_are_the_same_after_they_were_kept(tmp_path: Path) -> None:
    save(results(), tmp_path / "results.json")
    assert load(tmp_path / "results.json") == results()


def test_the_chart_is_xml_with_a_bar_of_each_client_in_both_panels() -> None:
    svg = ElementTree.fromstring(chart(results()))
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("kube-rs") == texts.count("kubewatch") == 2
    assert "90 000" in texts


def test_a_page_keeps_its_prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(report, "CHART", tmp_path / "page.svg")
    parts = "".join(f"Prose.\n<!-- begin: {name} -->\nold\n<!-- end: {name} -->\n" for name in report.blocks(results()))
    report.PAGE.write_text(parts)
    for _ in range(2):
        report.write_page(results())
    page = report.PAGE.read_text()
    assert page.count("Prose.") == len(report.blocks(results()))
    assert "old" not in page
    assert page.count("9 times") == 1
    assert report.CHART.exists()


def test_a_page_without_its_place_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    report.PAGE.write_text("Prose.")
    with pytest.raises(ValueError, match="begin: machine"):
        report.write_page(results())
