"""Text from a cluster reaches a terminal without its teeth."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.printing.text import RED, coloured, harmless, harmless_json, padded, wants_colour, width

DANGEROUS = {
    "clears the screen": "\x1b[2J",
    "sets the title": "\x1b]0;owned\x07",
    "C1 control sequence introducer": "\x9b2J",
    "overwrites the line": "safe\revil",
    "fakes a row": "web\nfake  Running",
    "turns the text around": "\u202etxt.exe",
    "hides": "\u200b",
    "backspace": "a\x08b",
    "deletes": "\x7f",
}


@pytest.mark.parametrize("text", DANGEROUS.values(), ids=DANGEROUS)
def test_nothing_that_moves_a_terminal_gets_through(text: str) -> None:
    assert harmless(text).isprintable()


@given(st.text())
def test_harmless_text_prints_and_printable_text_is_left_alone(text: str) -> None:
    assert harmless(text).isprintable()
    if text.isprintable():
        assert harmless(text) == text


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_harmless_json_prints_and_means_the_same(value: object) -> None:
    text = harmless_json(json.dumps(value, ensure_ascii=False))
    assert text.isprintable()
    assert json.loads(text) == value


def test_width_counts_columns_and_not_characters() -> None:
    assert [width(text) for text in ("", "web", "日本", "é", "e\u0301", "\u2764\ufe0f")] == [0, 3, 4, 1, 1, 1]
    assert padded("日本", 6) == "日本  "
    assert padded("too long", 3) == "too long"


def test_colour_is_for_terminals_whose_owner_wants_it() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert wants_colour(Terminal(), {})
    assert not wants_colour(io.StringIO(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(Terminal(), {}, forbidden=True)
    assert coloured("x", RED) == "\x1b[31mx\x1b[0m"
    assert coloured("x", None) == "x"
