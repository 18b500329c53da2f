"""Lines: blocks in, lines out, whatever the cuts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kubewatch.lines import Lines


def fed(lines: Lines, block: bytes) -> list[bytes]:
    return [text[start:end] for text, start, end in lines.feed([(block, 0, len(block))])]


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.lists(st.integers(0, 40)))
def test_the_lines_do_not_depend_on_the_cuts(parts: list[bytes], cuts: list[int]) -> None:
    """Pain 17: whatever is cut in two, a character of several bytes included, comes out whole."""
    text = b"\n".join(parts)
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    lines, out = Lines(), []
    for start, end in pairwise(places):
        out += fed(lines, text[start:end])
    assert [*out, lines.rest()] == text.split(b"\n")


def test_one_complete_line_in_a_block_is_that_line() -> None:
    lines = Lines()
    assert fed(lines, b'{"a":1}\n') == [b'{"a":1}']
    assert lines.rest() == b""


def test_a_line_that_comes_in_many_pieces_is_joined_once() -> None:
    lines = Lines()
    assert [fed(lines, b"x") for _ in range(1000)] == [[]] * 1000
    assert fed(lines, b"\nrest") == [b"x" * 1000]
    assert lines.rest() == b"rest"


def test_a_character_split_between_two_blocks_is_whole_again() -> None:
    """Pain 17: UTF-8 split across chunks."""
    text = "ä€\n".encode()
    lines = Lines()
    assert fed(lines, text[:1]) + fed(lines, text[1:3]) + fed(lines, text[3:]) == ["ä€".encode()]


def test_lines_are_found_within_what_stands_around_them() -> None:
    text = b"5\r\none\n\r\n9\r\ntwo\nthree\r\n"
    lines = Lines()
    found = lines.feed([(text, 3, 7), (text, 12, 21)])
    assert [text[start:end] for text, start, end in found] == [b"one", b"two"]
    assert lines.rest() == b"three"


def test_an_empty_block_changes_nothing() -> None:
    lines = Lines()
    assert fed(lines, b"") == []
    assert fed(lines, b"\n\n") == [b"", b""]
