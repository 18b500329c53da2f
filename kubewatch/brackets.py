"""Objects of a list, told apart by their brackets alone: for a list in which one of them is no JSON.

One broken object must not take all others with it. Its end is certain where texts and brackets in it still belong
together; where they do not, nothing behind it can be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from .turns import TURN, give_way

_SPACE = re.compile(rb"[ \t\r\n]*").match
_SEPARATOR = re.compile(rb"[ \t\r\n]*([,\]])").match

# A text; a bracket, from behind its key on where it has one; a quote with which no text begins. Behind a text comes no
# word: where a quote is missing, what was text is outside of it from there on, and the next one that is missing would
# seem to mend that.
_TOKENS = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"(?=[ \t\r\n:,{}\[\]"])|(?<=[:"])[ \t\r\n]*[{\[]|[{}\[\]"]', re.DOTALL
).finditer

_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE = ord('"')
_KEY = b':"'
_END_OF_OBJECT = ord("}")


def objects_in(body: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where each object begins and ends, from `at` to the bracket behind the last one.

    Other threads get their turn meanwhile. Raises `msgspec.DecodeError` where it cannot be told.

    >>> body = b'{"a": tru}, {"b": "}"}]}'
    >>> [body[slice(*place)] for place in objects_in(body, 0)]
    [b'{"a": tru}', b'{"b": "}"}']
    """
    turn = at + TURN
    while True:
        start = at + len(_SPACE(body, at)[0])  # type: ignore[index]  # it matches nothing, too
        stop = _end_of(body, start)
        separator = _SEPARATOR(body, stop)
        if separator is None:
            raise msgspec.DecodeError(f"no comma comes behind an object of it (byte {stop})")
        yield start, stop
        if separator[1] == b"]":
            return
        at = separator.end()
        if at >= turn:
            turn = at + TURN
            give_way()


def _end_of(body: bytes, start: int) -> int:
    awaited: list[int] = []
    for token in _TOKENS(body, start):
        begin, end = token.span()
        bracket = body[end - 1]
        if bracket == _QUOTE:
            if not awaited or end - begin == 1:
                break
        elif bracket in _CLOSING:
            if not awaited:
                if begin > start:
                    break
            elif awaited[-1] == _END_OF_OBJECT and body[begin - 1] not in _KEY:
                break  # it is rather the next object that begins there, and a bracket of this one is missing
            awaited.append(_CLOSING[bracket])
        elif not awaited or awaited.pop() != bracket:
            break
        elif not awaited:
            return end
    raise msgspec.DecodeError(f"an object of it is broken, and where it ends is not certain (byte {start})")
