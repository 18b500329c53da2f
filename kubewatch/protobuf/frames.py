"""A watch in protobuf: pieces of a body in, frames out, each behind its length.

Most frames bring an object, which stays in protobuf. All others, and what is odd about an object, are handed on as the
line of JSON that the server would have written in their place: what a bookmark, an error or a broken object leads to is
decided once, for JSON.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubewatch.decode import Frame
from kubewatch.errors import Unreachable
from kubewatch.spans import Span, joined

from .messages import DecodeError, reader, shown
from .values import to_json

# Bytes. No frame is longer in good faith: what says that it is does not speak protobuf.
LONGEST = 16 << 20

_LENGTH = 4  # bytes

_event = reader("WatchEvent")


class Frames:
    r"""Finds the frames in what is cut up anywhere, and says where they are, as `Lines` does with lines.

    >>> frames = Frames()
    >>> [text[start:end] for text, start, end in frames.feed([(b"\0\0\0\3one\0\0", 0, 9), (b"\0\3two\0", 0, 6)])]
    [b'one', b'two']
    """

    __slots__ = ("_begun", "_missing")

    def __init__(self) -> None:
        self._begun: list[Span] = []  # of the frame under way; joined once, so that a long one costs its length
        self._missing = _LENGTH  # bytes at least, until there is another frame, or its length

    def feed(self, pieces: Iterable[Span]) -> list[Span]:
        """The frames that `pieces` complete, without their lengths; raises Unreachable for an impossible length."""
        for piece in pieces:
            self._begun.append(piece)
            self._missing -= piece[2] - piece[1]
        if self._missing > 0:
            return []
        text = joined(self._begun)
        frames: list[Span] = []
        at, size = 0, len(text)
        stop = _LENGTH
        while stop <= size:
            start = at + _LENGTH
            length = int.from_bytes(text[at:start], "big")
            if length > LONGEST:
                raise Unreachable(f"a frame in protobuf has no {length} bytes: the connection brings something else")
            stop = start + length
            if stop <= size:
                frames.append((text, start, stop))
                at, stop = stop, stop + _LENGTH
        self._begun = [(text[at:], 0, size - at)] if at < size else []
        self._missing = stop - size
        return frames

    def rest(self) -> bytes:
        """Nothing: half a frame at the end of a stream is no data, and its event comes again."""
        return b""

    def decode(self, text: bytes, start: int, end: int) -> Frame:
        """What happened, and the object in its envelope; raises `msgspec.DecodeError` where the bytes are no frame."""
        try:
            event = _event(text[start:end])
            return shown(event.type), event.object.raw
        except DecodeError as error:
            raise msgspec.DecodeError(f"protobuf: {error}") from error

    def line(self, text: bytes, start: int, end: int) -> bytes:
        """The frame as a line of JSON; as it is, where it is no frame.

        In place of an object that cannot be read, the line has a text that says why: no line brings such an object.
        """
        try:
            type_, raw = self.decode(text, start, end)
        except msgspec.DecodeError:
            return text[start:end]
        try:
            obj = to_json(raw)
        except msgspec.DecodeError as error:
            obj = msgspec.json.encode(str(error))
        return b'{"type":%b,"object":%b}' % (msgspec.json.encode(type_), obj)
