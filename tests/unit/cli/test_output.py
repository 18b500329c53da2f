"""The forms of output, of what happens (`live`) and of what is there."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
import yaml

from kubewatch.cli.arguments import FORMS
from kubewatch.cli.changes import Change, What
from kubewatch.cli.output import Rows, form_for
from kubewatch.decode import decode_object
from kubewatch.printing.rows import Shape

from .objects import make, make_partial, pod

SHAPE = Shape("v1", "Pod")


def shown(output: str, *changes: Change, live: bool = True, shape: Shape = SHAPE, colour: bool = False) -> list[str]:
    lines: list[str] = []
    form = form_for(output, shape, live=live, colour=colour, write=lines.append)
    for change in changes:
        form.show(change)
    form.flush()
    return lines


def test_json_is_one_compact_object_a_line_that_says_what_happened() -> None:
    lines = shown("json", Change(What.LISTED, pod("a")), Change(What.CHANGED, pod("a")), Change(What.DELETED, pod("a")))
    assert [json.loads(line)["event"] for line in lines] == ["Apply", "Apply", "Delete"]
    assert json.loads(lines[0])["object"] == pod("a").to_dict()
    assert lines[0].startswith('{"event":"Apply","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"')


def test_json_of_what_is_there_is_the_object_itself() -> None:
    (line,) = shown("json", Change(What.LISTED, pod("a")), live=False)
    assert json.loads(line) == pod("a").to_dict()


def test_json_stays_in_its_line_and_prints_whatever_the_object_holds() -> None:
    raw = '{\n "metadata": {"name": "a"},\n "data": {"k": "\x9b2J\u202e é"}\n}'
    (line,) = shown("json", Change(What.LISTED, decode_object(raw.encode(), "v1", "ConfigMap")), live=False)
    assert line.isprintable()
    assert json.loads(line)["data"] == {"k": "\x9b2J\u202e é"}


def test_yaml_is_one_document_an_object() -> None:
    lines = shown("yaml", Change(What.ADDED, pod("a")), Change(What.DELETED, pod("b")))
    documents = list(yaml.safe_load_all("\n".join(lines)))
    assert [(d["event"], d["object"]["metadata"]["name"]) for d in documents] == [("Apply", "a"), ("Delete", "b")]
    assert yaml.safe_load("\n".join(shown("yaml", Change(What.LISTED, pod("a")), live=False))) == pod("a").to_dict()


@pytest.mark.parametrize("text", ["\x9b2J", "a\x85b", "\u202etxt", "one\ntwo\x1b", "\u2028", "日本\n"])
def test_yaml_prints_and_means_the_same_whatever_the_object_holds(text: str) -> None:
    obj = make("ConfigMap", data={"k": text})
    (document,) = shown("yaml", Change(What.LISTED, obj), live=False)
    assert all(line.isprintable() for line in document.split("\n"))
    assert yaml.safe_load(document)["data"] == {"k": text}


def test_names_are_kubectls_and_say_who_is_deleted() -> None:
    deploy = make("Deployment", "web", api_version="apps/v1")
    changes = Change(What.ADDED, deploy), Change(What.CHANGED, pod("a")), Change(What.DELETED, pod("a"))
    assert shown("name", *changes) == ["deployment.apps/web", "pod/a", "pod/a deleted"]


def test_a_live_table_says_what_happened_and_nothing_of_what_was_there() -> None:
    lines = shown(
        "table", Change(What.LISTED, pod("a")), Change(What.ADDED, pod("b")),
        Change(What.CHANGED, pod("a")), Change(What.DELETED, pod("b")),
    )  # fmt: skip
    assert [line.split()[:2] for line in lines] == [
        ["EVENT", "NAME"], ["a", "1/1"], ["added", "b"], ["changed", "a"], ["deleted", "b"],
    ]  # fmt: skip


def test_a_table_of_what_is_there_has_no_room_for_events() -> None:
    (header, line) = shown("table", Change(What.LISTED, pod("a")), live=False)
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert line.split() == ["a", "1/1", "Running", "0", "<unknown>"]


def test_a_wide_live_table_says_when() -> None:
    lines: list[str] = []
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    form = Rows(lines.append, SHAPE._replace(wide=True), live=True, clock=lambda: noon)
    form.show(Change(What.ADDED, pod("a")))
    assert lines[0].split()[:2] == ["TIME", "EVENT"]
    assert lines[1].split()[0] == noon.astimezone().strftime("%H:%M:%S")


def test_a_table_shows_its_header_once_ready_though_there_is_nothing_yet() -> None:
    (header,) = shown("table")
    assert header.split() == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]


def test_what_is_there_at_the_start_is_aligned_together() -> None:
    lines = shown(
        "table", Change(What.LISTED, pod("a")), Change(What.LISTED, pod("a-name-that-is-longer-than-most-names"))
    )
    assert lines[1].index("1/1") == lines[2].index("1/1") == lines[0].index("READY")


def test_the_deletion_of_an_object_of_which_little_is_known_makes_nothing_up() -> None:
    lines = shown("table", Change(What.LISTED, pod("a")), Change(What.DELETED, make_partial("Pod", "a")))
    assert lines[-1].split() == ["deleted", "a", "-", "-", "-", "<unknown>"]


def test_colours_tell_what_happened() -> None:
    lines = shown("table", Change(What.ADDED, pod("a")), Change(What.DELETED, pod("a")), colour=True)
    assert [line[:5] for line in lines] == ["\x1b[1mE", "\x1b[32m", "\x1b[31m"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("json", ['{"event":"Init"}', '{"event":"Delete","object":']),
        ("name", ["Init", "Delete(a)"]),
        ("yaml", ["---\nevent: Init", "---\nevent: Delete\nobject:"]),
    ],
)
def test_events_as_they_come_have_their_own_names(output: str, expected: list[str]) -> None:
    lines = shown(output, Change(What.INIT), Change(What.DELETE, pod("a")))
    assert [line.startswith(start) for line, start in zip(lines, expected, strict=True)] == [True, True]


def test_events_as_they_come_have_rows_in_a_table() -> None:
    lines = shown("table", Change(What.INIT), Change(What.INIT_APPLY, pod("a")), Change(What.INIT_DONE))
    assert [line.split()[0] for line in lines] == ["EVENT", "Init", "InitApply", "InitDone"]


@pytest.mark.parametrize("output", FORMS)
def test_an_object_whose_text_is_broken_does_not_end_the_output(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = decode_object(b'{"metadata": {"name": "odd"}, "status": {"phase": "\xff"}}', "v1", "Pod")
    lines = shown(output, Change(What.LISTED, broken), Change(What.ADDED, pod("fine")))
    assert "fine" in lines[-1]
    assert "odd" in "".join(lines) + capsys.readouterr().err


def test_every_form_is_harmless_to_a_terminal() -> None:
    evil: Any = make("ConfigMap", "a\x1b[2J\nfake", metadata={"labels": {"l": "\x9b"}}, data={"k": "\u202e"})
    for output in FORMS:
        for live in (True, False):
            text = "\n".join(shown(output, Change(What.DELETED, evil), live=live, shape=Shape("v1", "ConfigMap")))
            assert all(line.isprintable() for line in text.split("\n"))
            assert "\nfake" not in text
