"""Requests and answers as values, and how a body is framed: in chunks, with its length, or up to the end."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Cut(Exception):
    """Raised by a stream to have its connection cut: closed in the middle of the body."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__("the connection is to be cut")
        self.reset = reset


class Silence(Exception):
    """Raised by a stream to go half-open: the connection stays, nothing more is ever sent."""


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    http10: bool = False

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(frozen=True)
class Wire:
    """How an answer goes over the wire, when not in the usual way. Bytes are those of the body, before its framing."""

    before_head: bool = False  # cut or go silent before the status line
    cut_after: int | None = None
    reset: bool = False  # cut with RST rather than FIN
    silent_after: int | None = None
    drip: tuple[int, float] | None = None  # bytes at a time, seconds between
    framing: str = ""  # "chunked", "content-length", "close"
    gzip_members: bool = False

    @property
    def limit(self) -> int | None:
        limits = [limit for limit in (self.cut_after, self.silent_after) if limit is not None]
        return min(limits) if limits else None

    def break_off(self) -> None:
        """What happens at the limit."""
        if self.cut_after is not None and self.limit == self.cut_after:
            raise Cut(reset=self.reset)
        raise Silence


USUAL = Wire()


@dataclass(frozen=True)
class Response:
    """An answer whose body is known."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    content_type: str = "application/json"
    wire: Wire = USUAL


@dataclass(frozen=True)
class Stream:
    """An answer whose body comes in batches of lines, each line its own chunk; ``close`` ends it from any thread."""

    lines: Iterator[Sequence[bytes]]
    close: Callable[[], None]
    headers: Sequence[tuple[str, str]] = ()
    content_type: str = "application/json"
    wire: Wire = USUAL


Transmit = Callable[[bytes, "tuple[int, float] | None"], None]


class BodySender:
    """Frames lines and hands them to ``transmit``, up to the limit that the wire sets."""

    def __init__(self, transmit: Transmit, wire: Wire, framing: str) -> None:
        self._transmit = transmit
        self._wire = wire
        self._chunked = framing == "chunked"
        self._left = wire.limit

    def send_all(self, batches: Iterable[Sequence[bytes]]) -> None:
        for batch in batches:
            self.send(gzip_members(batch) if self._wire.gzip_members else batch)

    def send(self, lines: Sequence[bytes]) -> None:
        if self._left is not None:
            for line in lines:
                self._send_limited(line, self._left)
            return
        if self._chunked:
            lines = [b"%x\r\n%b\r\n" % (len(line), line) for line in lines if line]
        self._transmit(b"".join(lines), self._wire.drip)

    def _send_limited(self, line: bytes, left: int) -> None:
        sent = line[:left]
        opening = b"%x\r\n" % len(line) if self._chunked else b""
        closing = b"\r\n" if self._chunked and len(sent) == len(line) else b""
        self._transmit(opening + sent + closing, self._wire.drip)
        self._left = left - len(sent)
        if self._left == 0:
            self._wire.break_off()

    def finish(self) -> None:
        if self._chunked:
            self._transmit(b"0\r\n\r\n", None)


def gzip_members(lines: Iterable[bytes]) -> list[bytes]:
    """Each line as a gzip member of its own."""
    return [gzip.compress(line) for line in lines]


def response_head(
    status: int, headers: Sequence[tuple[str, str]], *, framing: str, length: int = 0, close: bool = False
) -> bytes:
    """The status line and the headers, the empty line after them included."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}", "Cache-Control: no-cache, private"]
    lines += [f"{name}: {value}" for name, value in headers]
    if framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif framing == "content-length":
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
