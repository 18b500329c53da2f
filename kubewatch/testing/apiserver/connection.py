"""One client's connection and the thread that serves it: requests are read, answers are sent, or spoiled, or cut."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from .wire import USUAL, BodySender, Cut, Request, Response, Silence, Stream, Wire, gzip_members, response_head

_HEAD_LIMIT = 64 * 1024  # bytes
_RECV = 64 * 1024  # bytes
_HANDSHAKE_TIMEOUT = 10.0  # seconds
_TLS_ALERT = 21  # type of record
_TLS_ALERT_SIZE = 2 + 1 + 16  # bytes: the alert, the record's real type, a tag; no request is so short
_RST_ON_CLOSE = struct.pack("ii", 1, 0)

Handler = Callable[[Request], "Response | Stream"]


class Owner(Protocol):
    """What a connection needs of its server."""

    @property
    def handler(self) -> Handler:
        """Answers requests."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How connections are encrypted; None: not at all."""

    def forget(self, connection: Connection) -> None:
        """Called when the connection has ended."""

    def watch_for_hang_up(self, connection: Connection) -> None:
        """Calls ``check_hang_up`` when the socket becomes readable, until ``stop_watching``."""

    def stop_watching(self, connection: Connection) -> None:
        """Undoes ``watch_for_hang_up``."""


class _Malformed(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Connection:
    """``run`` is the thread; ``abort`` and ``check_hang_up`` come from others."""

    def __init__(self, owner: Owner, sock: socket.socket) -> None:
        self._owner = owner
        self._sock = sock
        self._buffer = b""
        self._stream: Stream | None = None  # what is being sent, while the client has nothing to say
        self._gone = threading.Event()  # set when the client hung up or the server stops

    # --- from other threads ---

    def abort(self) -> None:
        """Cuts the connection; its thread ends at once, whatever it is doing."""
        self._end_stream()
        with suppress(OSError):  # closed already
            # The base class's method: the TLS one drops its state under the feet of the connection's own thread.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def check_hang_up(self) -> bool:
        """Looks at a readable socket; True when it need not be looked at any more."""
        try:
            peeked = socket.socket.recv(self._sock, 5, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            peeked = b""
        if not peeked or (isinstance(self._sock, ssl.SSLSocket) and _is_alert(peeked)):
            self._end_stream()
        return True  # else it is the next request

    def drop_in_child(self) -> None:
        """After a fork: gives up the child's copy of the socket, unheard by the client."""
        with suppress(OSError):
            os.close(self._sock.detach())

    def fileno(self) -> int:
        return self._sock.fileno()

    def _end_stream(self) -> None:
        self._gone.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    # --- the connection's own thread ---

    def run(self) -> None:
        try:
            self._start_tls()
            while not self._gone.is_set() and self._serve_one():
                pass
        except (OSError, Cut):
            pass  # the client went away, or a fault sent it away
        finally:
            self._owner.forget(self)
            self._sock.close()

    def _start_tls(self) -> None:
        context = self._owner.tls
        if context is not None:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            if self._gone.is_set():  # `abort` came before this socket was there for it to cut
                return
            self._sock.settimeout(_HANDSHAKE_TIMEOUT)
            self._sock.do_handshake()
            self._sock.settimeout(None)

    def _serve_one(self) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        try:
            request = self._read_request()
        except _Malformed as error:
            self._send_response(Response(error.status, str(error).encode(), content_type="text/plain"), close=True)
            return False
        if request is None:
            return False
        last = request.http10 or "close" in request.header("connection").lower()
        answer = self._owner.handler(request)
        if isinstance(answer, Stream):
            return self._send_stream(answer, last=last, http10=request.http10)
        return self._send_response(answer, close=last, head_only=request.method == "HEAD")

    # --- reading ---

    def _read_request(self) -> Request | None:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise _Malformed(431, "request header too large")
            if not self._receive():
                return None
        head, self._buffer = self._buffer[:end].decode("latin-1"), self._buffer[end + 4 :]
        lines = head.split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _Malformed(400, "malformed request line")
        headers = {}
        for line in lines[1:]:
            name, separator, value = line.partition(":")
            if not separator:
                raise _Malformed(400, "malformed header")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(parts[0], parts[1], headers, self._read_body(headers), http10=parts[2] == "HTTP/1.0")

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunked()
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise _Malformed(400, "malformed Content-Length")
        return self._read_exactly(int(length))

    def _read_chunked(self) -> bytes:
        chunks = []
        while size := self._read_chunk_size():
            chunks.append(self._read_exactly(size))
            self._read_line()
        while self._read_line():
            pass  # trailers
        return b"".join(chunks)

    def _read_chunk_size(self) -> int:
        try:
            return int(self._read_line().split(b";")[0], 16)
        except ValueError:
            raise _Malformed(400, "malformed chunked encoding") from None

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive_more()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive_more()
        body, self._buffer = self._buffer[:count], self._buffer[count:]
        return body

    def _receive(self) -> bool:
        received = self._sock.recv(_RECV)
        self._buffer += received
        return bool(received)

    def _receive_more(self) -> None:
        if not self._receive():
            raise ConnectionError("the client hung up within a request")

    # --- sending ---

    def _send_response(self, response: Response, *, close: bool, head_only: bool = False) -> bool:
        wire = response.wire
        framing = wire.framing or "content-length"
        close = close or framing == "close"
        headers = [*response.headers, ("Content-Type", response.content_type)]
        head = response_head(response.status, headers, framing=framing, length=len(response.body), close=close)
        body = b"" if head_only else response.body
        if wire is USUAL:
            self._sock.sendall(head + body)
            return not close
        self._break_off_before_head(wire)
        self._sock.sendall(head)
        sender = BodySender(self._transmit, wire, framing)
        self._guarded(_no_stream(), lambda: sender.send([body]))
        sender.finish()
        return not close

    def _send_stream(self, stream: Stream, *, last: bool, http10: bool) -> bool:
        wire = stream.wire
        self._break_off_before_head(wire, stream)
        framing = wire.framing or ("close" if http10 else "chunked")
        close = last or framing == "close"
        headers = [*stream.headers, ("Content-Type", stream.content_type)]
        if wire.gzip_members:
            headers.append(("Content-Encoding", "gzip"))
        sender = BodySender(self._transmit, wire, framing)
        if framing == "content-length":
            body = self._collected(stream)
            self._sock.sendall(response_head(200, headers, framing=framing, length=len(body), close=close))
            self._guarded(_no_stream(), lambda: sender.send([body]))
        else:

            def send() -> None:
                self._sock.sendall(response_head(200, headers, framing=framing, close=close))
                sender.send_all(stream.lines)

            self._guarded(stream, send)
            sender.finish()
        return not close

    def _collected(self, stream: Stream) -> bytes:
        """The whole body of a stream, once it has ended."""
        lines: list[bytes] = []
        self._guarded(stream, lambda: lines.extend(line for batch in stream.lines for line in batch))
        return b"".join(gzip_members(lines) if stream.wire.gzip_members else lines)

    def _break_off_before_head(self, wire: Wire, stream: Stream | None = None) -> None:
        if wire.before_head:
            self._guarded(stream or _no_stream(), wire.break_off)

    def _guarded(self, stream: Stream, send: Callable[[], None]) -> None:
        """Sends while the server looks out for the client's hanging up; closes the stream in the end."""
        self._stream = stream
        self._owner.watch_for_hang_up(self)
        try:
            if not self._gone.is_set():
                send()
            if self._gone.is_set():
                raise Cut
        except Silence:
            self._gone.wait()
            raise Cut from None
        except Cut as cut:
            if cut.reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            raise
        finally:
            self._owner.stop_watching(self)
            self._stream = None
            stream.close()

    def _transmit(self, data: bytes, drip: tuple[int, float] | None) -> None:
        if drip is None:
            self._sock.sendall(data)
            return
        size, pause = drip
        for start in range(0, len(data), size):
            self._sock.sendall(data[start : start + size])
            if self._gone.wait(pause):
                raise Cut


def _is_alert(header: bytes) -> bool:
    """Whether a TLS record, of which this is the header, is an alert: goodbye. In TLS 1.3 its size alone tells."""
    return header[0] == _TLS_ALERT or int.from_bytes(header[3:5], "big") <= _TLS_ALERT_SIZE


def _no_stream() -> Stream:
    return Stream(iter(()), lambda: None)
