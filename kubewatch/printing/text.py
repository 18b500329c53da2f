"""Text for terminals: what came from a cluster is made harmless, measured, padded and coloured.

A name, a label or a message may hold anything, escape sequences that rewrite the screen or the clipboard included.
Nothing but printable characters gets through, in tables, in messages and inside JSON alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TextIO

GREEN, YELLOW, RED, CYAN, BOLD = "32", "33", "31", "36", "1"


def harmless(text: str) -> str:
    r"""The text with every character that does not print written as an escape: line ends, controls, bidi overrides.

    >>> harmless("web\x1b[2J\n\u202etxt")
    'web\\x1b[2J\\n\\u202etxt'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def harmless_json(text: str) -> str:
    r"""The same JSON, with every character that does not print written as JSON writes it.

    >>> harmless_json('{"a":"\x9b2J"}')
    '{"a":"\\u009b2J"}'
    """
    return text if text.isprintable() else re.sub(r"[^ -~]", _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def width(text: str) -> int:
    """How many columns printable text takes in a terminal.

    >>> width("web"), width("日本"), width("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    import unicodedata  # most text is ASCII

    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, columns: int) -> str:
    """The text, filled up with spaces to `columns`."""
    return text + " " * (columns - width(text))


def coloured(text: str, style: str | None) -> str:
    """The text in a style of this module; unchanged without one."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def wants_colour(stream: TextIO, environment: Mapping[str, str], forbidden: bool = False) -> bool:
    """Whether to colour what is written to `stream`: a terminal that can, and nobody who objects.

    https://no-color.org
    """
    return not forbidden and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb" and stream.isatty()
