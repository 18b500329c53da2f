"""`Lines`: blocks of bytes in, complete lines out."""

from __future__ import annotations


class Lines:
    r"""Cuts blocks, split anywhere, into lines without their ends.

    Bytes stay bytes: a character that was cut in two is whole again in its line.

    >>> lines = Lines()
    >>> lines.feed(b"one\ntwo\nth"), lines.feed(b"r"), lines.feed(b"ee\n"), lines.rest()
    ([b'one', b'two'], [], [b'three'], b'')
    """

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line under way; joined once, so that a long line costs its length

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that `block` completes; an empty line is one too."""
        pieces = self._pieces
        end = block.find(b"\n")
        if end < 0:
            if block:
                pieces.append(block)
            return []
        if end == len(block) - 1 and not pieces:  # by far the most frequent: a server flushes after each event
            return [block[:end]]
        lines = block.split(b"\n")
        rest = lines.pop()
        if pieces:
            pieces.append(lines[0])
            lines[0] = b"".join(pieces)
        self._pieces = [rest] if rest else []
        return lines

    def rest(self) -> bytes:
        """What came after the last line end: at the end of a stream, a line without end or half a line."""
        return b"".join(self._pieces)
