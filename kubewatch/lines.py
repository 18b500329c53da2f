"""`Lines`: blocks of bytes in, complete lines out."""

from __future__ import annotations

Span = tuple[bytes, int, int]  # bytes, and where in them a line begins and ends


class Lines:
    r"""Finds the lines in blocks that are split anywhere, and says where they are: copying them is up to others.

    Bytes stay bytes: a character that was cut in two is whole again in its line.

    >>> lines = Lines()
    >>> [text[start:end] for block in (b"one\ntwo\nth", b"r", b"ee\n") for text, start, end in lines.feed(block)]
    [b'one', b'two', b'three']
    >>> lines.rest()
    b''
    """

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line under way; joined once, so that a long line costs its length

    def feed(self, block: bytes) -> list[Span]:
        """The lines that `block` completes, without their ends; an empty line is one too."""
        find = block.find
        end = find(b"\n")
        if end < 0:
            if block:
                self._pieces.append(block)
            return []
        spans: list[Span] = []
        start = 0
        if self._pieces:
            line = b"".join((*self._pieces, block[:end]))
            spans.append((line, 0, len(line)))
            start = end + 1
            end = find(b"\n", start)
        while end >= 0:  # not by split(), which takes 30 times as long to find an end
            spans.append((block, start, end))
            start = end + 1
            end = find(b"\n", start)
        self._pieces = [block[start:]] if start < len(block) else []
        return spans

    def rest(self) -> bytes:
        """What came after the last line end: at the end of a stream, a line without end or half a line."""
        return b"".join(self._pieces)
