"""`Lines`: pieces of a body in, complete lines out."""

from __future__ import annotations

from collections.abc import Iterable

from .decode import decode_frame
from .spans import Span, joined


class Lines:
    r"""Finds the lines in what is cut up anywhere, and says where they are: copying them is up to others.

    Bytes stay bytes: a character that was cut in two is whole again in its line.

    >>> lines = Lines()
    >>> [text[start:end] for text, start, end in lines.feed([(b"one\ntwo\nth", 0, 10), (b"ree\n", 0, 4)])]
    [b'one', b'two', b'three']
    >>> lines.rest()
    b''
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: list[Span] = []  # of the line under way; joined once, so that a long line costs its length

    def feed(self, pieces: Iterable[Span]) -> list[Span]:
        """The lines that `pieces` complete, without their ends; an empty line is one too."""
        lines: list[Span] = []
        for text, start, end in pieces:
            stop = text.find(b"\n", start, end)
            if self._begun and stop >= 0:
                line = joined([*self._begun, (text, start, stop)])
                lines.append((line, 0, len(line)))
                self._begun = []
                start = stop + 1
                stop = text.find(b"\n", start, end)
            while stop >= 0:  # not by split(), which takes 30 times as long to find an end
                lines.append((text, start, stop))
                start = stop + 1
                stop = text.find(b"\n", start, end) if start < end else -1
            if start < end:
                self._begun.append((text, start, end))
        return lines

    def rest(self) -> bytes:
        """What came after the last line end: at the end of a stream, a line without end or half a line."""
        return joined(self._begun)

    decode = staticmethod(decode_frame)  # what happened, and the object

    @staticmethod
    def line(text: bytes, start: int, end: int) -> bytes:
        """The line itself."""
        return text[start:end]
