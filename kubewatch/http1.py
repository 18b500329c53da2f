"""HTTP/1.1 without the I/O: a request becomes bytes, and bytes become a response's head and body.

Why our own: a watch arrives as one small chunk per event, and http.client asks the socket three times for each. Here a
block is read from the socket once and all chunks in it are found in one pass. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping

import msgspec

from .errors import InvalidInput
from .spans import Span, joined

CRLF = b"\r\n"

# Bytes: no head or trailer is longer in good faith, so a peer that is no HTTP server is noticed.
MAX_HEAD = 65536

# Gzip with its header, as zlib counts.
_GZIP = 31

_forbidden = re.compile("[\x00-\x1f\x7f]").search


class BadResponse(ValueError):
    """What came is no HTTP/1.1 response."""


class Truncated(BadResponse):
    """The connection ended in the middle of a body."""


def encode_request(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes | None = None) -> bytes:
    r"""The bytes of a request; raises InvalidInput where a header or the target would break out of its line.

    >>> encode_request("GET", "/version", [("Host", "localhost")])
    b'GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n'
    """
    lines = [f"{method} {target} HTTP/1.1"]
    if " " in target or _forbidden(target):
        raise InvalidInput(f"the path {target!r} has a space or a control character in it")
    for name, value in headers:
        if _forbidden(name) or _forbidden(value):
            raise InvalidInput(f"the value of the header {name!r} has a control character in it")
        lines.append(f"{name}: {value}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines += ["", ""]
    try:
        return "\r\n".join(lines).encode("utf-8") + (body or b"")
    except UnicodeEncodeError:  # which holds all headers
        raise InvalidInput("the path or a header has half of a surrogate pair in it, which is no character") from None


class Head(msgspec.Struct, frozen=True):
    """Status and headers of a response; header names are in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    keep_alive: bool


_status_line = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\r\n]*))?\Z").match


def parse_head(data: bytes) -> tuple[Head, int] | None:
    r"""The head that `data` begins with and its length in bytes; None while it is incomplete; raises BadResponse.

    >>> head, length = parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    >>> head.status, head.headers, length
    (200, {'content-length': '2'}, 38)
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD or not (data.startswith(b"HTTP/1.") or b"HTTP/1.".startswith(data[:7])):
            raise BadResponse("the answer does not begin like HTTP/1.1")
        return None
    first, *lines = data[:end].split(CRLF)
    match = _status_line(first)
    if match is None:
        raise BadResponse("the answer does not begin like HTTP/1.1")
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in b" \t" and name:  # the outdated way of continuing a header on the next line
            headers[name] += " " + line.decode("latin-1").strip()
            continue
        field, colon, value = line.decode("latin-1").partition(":")
        name = field.lower()
        if not colon or not name or name != name.strip():
            raise BadResponse("the answer has a line among its headers that is no header")
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    tokens = _tokens(headers.get("connection", ""))
    keep_alive = "close" not in tokens if match[1] == b"1" else "keep-alive" in tokens
    return Head(int(match[2]), (match[3] or b"").decode("latin-1"), headers, keep_alive), end + 4


def _tokens(value: str) -> list[str]:
    return [token.strip().lower() for token in value.split(",") if token.strip()]


class Body:
    """Makes the bytes that follow a head into those of the body, free of chunking and compression.

    `done` is True once all of it was fed. What came after it is in `rest`.

    >>> head, _ = parse_head(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
    >>> body = Body(head, "GET")
    >>> body.pieces(b"5\\r\\nhello\\r\\n"), body.pieces(b"0\\r\\n\\r\\n"), body.done
    ([(b'5\\r\\nhello\\r\\n', 3, 8)], [], True)
    """

    def __init__(self, head: Head, method: str) -> None:
        self._framing = _framing(head, method)
        encoding = _tokens(head.headers.get("content-encoding", "identity"))
        self._gunzip: Gunzip | None = None
        if encoding in (["gzip"], ["x-gzip"]):
            self._gunzip = Gunzip()
        elif encoding not in ([], ["identity"]):
            raise BadResponse(f"the answer is compressed in a way that was not asked for: {', '.join(encoding)}")

    @property
    def done(self) -> bool:
        """Whether the whole body was fed."""
        return self._framing.done

    @property
    def rest(self) -> bytes:
        """What was fed after the body's end: nothing, unless the server answers unasked."""
        return self._framing.rest

    def pieces(self, data: bytes) -> list[Span]:
        """Where in `data` the body goes on, none of them empty: nothing is copied. Raises BadResponse."""
        spans = self._framing.feed(data)
        if self._gunzip is None:
            return spans
        data = self._gunzip.feed(joined(spans))
        return [(data, 0, len(data))] if data else []

    def finish(self) -> None:
        """Say that the connection ended; raises Truncated when the body was not complete."""
        self._framing.finish()
        if self._gunzip is not None and self._gunzip.unfinished:
            raise Truncated("the connection ended in the middle of compressed data")


def _framing(head: Head, method: str) -> Chunked | Sized | UntilClose:
    if method == "HEAD" or head.status in (204, 304):
        return Sized(0)
    coding = _tokens(head.headers.get("transfer-encoding", ""))
    if coding == ["chunked"]:
        return Chunked()
    if coding:
        raise BadResponse(f"the answer has an unknown transfer encoding: {', '.join(coding)}")
    lengths = set(_tokens(head.headers.get("content-length", "")))
    if not lengths:
        return UntilClose()
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdecimal() and len(length) < 20):
        raise BadResponse("the answer has no valid Content-Length")
    return Sized(int(length))


class Sized:
    """A body of known length (bytes)."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> list[Span]:
        size = min(len(data), self._left)
        self.rest += data[size:]
        self._left -= size
        self.done = self._left == 0
        return [(data, 0, size)] if size else []

    def finish(self) -> None:
        if not self.done:
            raise Truncated(f"the connection ended {self._left} bytes before the end of the body")


class UntilClose:
    """A body that ends with the connection."""

    rest = b""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> list[Span]:
        return [(data, 0, len(data))] if data else []

    def finish(self) -> None:
        self.done = True


class Chunked:
    """A body in chunks, each announced by a line with its size in hexadecimal digits."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._left = 0  # bytes that the chunk under way still lacks
        self._lead = 0  # 2 while the line end that closes a chunk is still to come before the next size line
        self._carry = b""  # an unfinished size line or trailer

    def feed(self, data: bytes) -> list[Span]:
        if self.done:
            self.rest += data
            return []
        if self._carry:
            data, self._carry = self._carry + data, b""
        end = len(data)
        pos = self._left
        if pos >= end:
            self._left = pos - end
            return [(data, 0, end)] if end else []
        find, lead = data.find, self._lead
        spans = [(data, 0, pos)] if pos else []
        self._left = 0
        while (eol := find(CRLF, pos + lead)) >= 0:
            if lead and (data[pos] != 13 or data[pos + 1] != 10):
                raise BadResponse(_NO_SIZE)
            try:
                size = int(data[pos:eol], 16)  # which skips the line end of the chunk before
                odd = size < _LEAST[eol - pos - lead]
            except (ValueError, IndexError):
                odd = True
            if odd:  # or the last one
                size = _size_in(data[pos + lead : eol])
                if size == 0:
                    over = find(b"\r\n\r\n", eol)
                    if over < 0:
                        break
                    self.done, self.rest = True, data[over + 4 :]
                    return spans
            start = eol + 2
            pos, lead = start + size, 2
            if pos >= end:
                if start < end:
                    spans.append((data, start, end))
                self._left, self._lead = pos - end, 2
                return spans
            spans.append((data, start, pos))
        carry = data[pos:]
        if lead and carry == CRLF:
            carry, lead = b"", 0
        if len(carry) > MAX_HEAD:
            raise BadResponse(_NO_SIZE)
        self._carry, self._lead = carry, lead
        return spans

    def finish(self) -> None:
        if not self.done:
            raise Truncated("the connection ended before the last chunk")


_NO_SIZE = "the answer has a chunk without a valid size"

# What so many hexadecimal digits are at least, if the first is no 0. `int` takes more than digits for a number, such as
# +5, 0x5 or 1_0; whatever has another character among them is less than this. So they are told apart without a call,
# which each chunk would pay for.
_LEAST = (1, *(16**digits for digits in range(16)))

# Blanks are allowed before an extension, which means nothing to us; and as some servers pad sizes, without one, too.
_size_line = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?").fullmatch


def _size_in(line: bytes) -> int:
    match = _size_line(line)
    if match is None:
        raise BadResponse(_NO_SIZE)
    return int(match[1], 16)


class Gunzip:
    """Decompresses any number of gzip members, one after the other; what a member holds comes out with its last byte.

    Servers from Kubernetes 1.37 on compress each event of a watch as a member of its own.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self.unfinished = False

    def feed(self, data: bytes) -> bytes:
        parts = []
        while data:
            if not self.unfinished and not (data := data.lstrip(b"\0")):  # a member may be followed by zeros
                break
            self.unfinished = True
            try:
                parts.append(self._member.decompress(data))
            except zlib.error as error:
                raise BadResponse(f"the answer's compressed data is damaged: {error}") from error
            if not self._member.eof:
                break
            data = self._member.unused_data
            self._member = zlib.decompressobj(_GZIP)
            self.unfinished = False
        return b"".join(parts)
