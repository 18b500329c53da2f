"""HTTP/1.1 on a listening socket: one thread a connection, keep-alive, chunks sent at once, and an end within milliseconds.

Written by hand rather than on ``http.server`` because the server has to misbehave on request: cut a body after any byte,
go silent with the connection open, choose the framing of a body. It knows nothing of Kubernetes: a handler turns a
``Request`` into a ``Response`` or a ``Stream``.
"""

from __future__ import annotations

import gzip
import os
import select
import socket
import ssl
import struct
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

_HEAD_LIMIT = 64 * 1024
_RECV = 64 * 1024
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
    """How a body goes over the wire, when not in the usual way. Bytes are those of the body, before its framing."""

    before_head: bool = False  # cut or go silent before the status line
    cut_after: int | None = None
    reset: bool = False
    silent_after: int | None = None
    drip: tuple[int, float] | None = None  # bytes at a time, seconds between
    framing: str = ""  # "chunked", "content-length", "close"
    gzip_members: bool = False

    @property
    def limit(self) -> int | None:
        limits = [limit for limit in (self.cut_after, self.silent_after) if limit is not None]
        return min(limits) if limits else None


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


Handler = Callable[[Request], "Response | Stream"]


class _BadRequest(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Connection:
    """One client's connection, served by one thread."""

    def __init__(self, server: HttpServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._buffer = b""
        self.gone = threading.Event()  # set when the client hung up or the server stops
        self.stream: Stream | None = None  # what is being sent, while the client has nothing to say

    # --- from other threads ---

    def abort(self) -> None:
        """Cuts the connection; its thread ends at once, whatever it is doing."""
        self._end_stream()
        try:
            # The base class's method: the TLS one drops its state under the feet of the connection's own thread.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        except OSError:
            pass  # closed already

    def check_hang_up(self) -> bool:
        """Looks at a readable socket; True when it need not be watched any more."""
        try:
            peeked = socket.socket.recv(self._sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            peeked = b""
        if not peeked or isinstance(self._sock, ssl.SSLSocket):  # a client that speaks TLS during a stream says goodbye
            self._end_stream()
        return True

    def drop_in_child(self) -> None:
        """After a fork: gives up the child's copy of the socket, unheard by the client."""
        try:
            os.close(self._sock.detach())
        except OSError:
            pass

    def fileno(self) -> int:
        return self._sock.fileno()

    def _end_stream(self) -> None:
        self.gone.set()
        stream = self.stream
        if stream is not None:
            stream.close()

    # --- the connection's own thread ---

    def run(self) -> None:
        try:
            self._start_tls()
            while not self.gone.is_set() and self._serve_one():
                pass
        except (OSError, Cut):
            pass  # the client went away, or a fault sent it away
        finally:
            self._server.forget(self)
            self._sock.close()

    def _start_tls(self) -> None:
        context = self._server.tls
        if context is not None:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            self._sock.settimeout(10.0)
            self._sock.do_handshake()
            self._sock.settimeout(None)

    def _serve_one(self) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        try:
            request = self._read_request()
        except _BadRequest as bad:
            self._send_response(Response(bad.status, str(bad).encode(), content_type="text/plain"), close=True)
            return False
        if request is None:
            return False
        wishes_close = request.http10 or "close" in request.header("connection").lower()
        answer = self._server.handler(request)
        if isinstance(answer, Stream):
            return self._send_stream(answer, request.http10, wishes_close) and not wishes_close
        return self._send_response(answer, close=wishes_close, head=request.method == "HEAD") and not wishes_close

    def _read_request(self) -> Request | None:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise _BadRequest(431, "request header too large")
            if not self._receive():
                return None
        head, self._buffer = self._buffer[:end].decode("latin-1"), self._buffer[end + 4 :]
        lines = head.split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _BadRequest(400, "malformed request line")
        headers = {}
        for line in lines[1:]:
            name, separator, value = line.partition(":")
            if not separator:
                raise _BadRequest(400, "malformed header")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(parts[0], parts[1], headers, self._read_body(headers), http10=parts[2] == "HTTP/1.0")

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunked()
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise _BadRequest(400, "malformed Content-Length")
        return self._read_exactly(int(length))

    def _read_chunked(self) -> bytes:
        chunks = []
        while True:
            try:
                size = int(self._read_line().split(b";")[0], 16)
            except ValueError:
                raise _BadRequest(400, "malformed chunked encoding") from None
            if size == 0:
                break
            chunks.append(self._read_exactly(size))
            self._read_line()
        while self._read_line():
            pass  # trailers
        return b"".join(chunks)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if not self._receive():
                raise ConnectionError("the client hung up within a request")
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._receive():
                raise ConnectionError("the client hung up within a request")
        body, self._buffer = self._buffer[:count], self._buffer[count:]
        return body

    def _receive(self) -> bool:
        received = self._sock.recv(_RECV)
        self._buffer += received
        return bool(received)

    def _send_response(self, response: Response, *, close: bool, head: bool = False) -> bool:
        wire = response.wire
        self._guard_head(wire)
        framing = wire.framing or "content-length"
        close = close or framing == "close"
        headers = [*response.headers, ("Content-Type", response.content_type)]
        body = b"" if head else response.body
        opening = _head(response.status, headers, framing, len(response.body), close)
        if wire is USUAL:
            self._sock.sendall(opening + body)
            return True
        self._sock.sendall(opening)
        sender = _BodySender(self, wire, framing)
        self._guarded(Stream(iter(()), _nothing), lambda: sender.send([body]))
        sender.finish()
        return not close

    def _send_stream(self, stream: Stream, http10: bool, wishes_close: bool) -> bool:
        wire = stream.wire
        self._guard_head(wire)
        framing = wire.framing or ("close" if http10 else "chunked")
        close = framing == "close" or wishes_close
        headers = [*stream.headers, ("Content-Type", stream.content_type)]
        if wire.gzip_members:
            headers.append(("Content-Encoding", "gzip"))
        sender = _BodySender(self, wire, framing)
        if framing == "content-length":
            lines: list[bytes] = []
            self._guarded(stream, lambda: lines.extend(line for batch in stream.lines for line in batch))
            body = b"".join(map(gzip.compress, lines) if wire.gzip_members else lines)
            self._sock.sendall(_head(200, headers, framing, len(body), close))
            self._guarded(stream, lambda: sender.send([body], plain=True))
            return not close
        self._sock.sendall(_head(200, headers, framing, 0, close))
        self._guarded(stream, lambda: sender.send_all(stream.lines))
        sender.finish()
        return not close

    def _guard_head(self, wire: Wire) -> None:
        if wire.before_head:
            self._guarded(Stream(iter(()), _nothing), lambda: _misbehave(wire))

    def _guarded(self, stream: Stream, send: Callable[[], None]) -> None:
        """Sends while the server looks out for the client's hanging up."""
        self.stream = stream
        self._server.watch_for_hang_up(self)
        try:
            if not self.gone.is_set():
                send()
            if self.gone.is_set():
                raise Cut
        except Silence:
            self.gone.wait()
            raise Cut from None
        except Cut as cut:
            if cut.reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise
        finally:
            self._server.stop_watching(self)
            self.stream = None
            stream.close()

    def transmit(self, data: bytes, drip: tuple[int, float] | None) -> None:
        if drip is None:
            self._sock.sendall(data)
            return
        size, pause = drip
        for start in range(0, len(data), size):
            self._sock.sendall(data[start : start + size])
            if self.gone.wait(pause):
                raise Cut


class _BodySender:
    """Frames lines and sends them, to the limit that the wire sets."""

    def __init__(self, connection: Connection, wire: Wire, framing: str) -> None:
        self._connection = connection
        self._wire = wire
        self._chunked = framing == "chunked"
        self._left = wire.limit

    def send_all(self, batches: Iterator[Sequence[bytes]]) -> None:
        for batch in batches:
            self.send(batch)

    def send(self, lines: Sequence[bytes], *, plain: bool = False) -> None:
        if self._wire.gzip_members and not plain:
            lines = [gzip.compress(line) for line in lines]
        if self._left is not None:
            for line in lines:
                self._send_limited(line)
            return
        if self._chunked:
            lines = [b"%x\r\n%b\r\n" % (len(line), line) for line in lines if line]
        self._connection.transmit(b"".join(lines), self._wire.drip)

    def _send_limited(self, line: bytes) -> None:
        assert self._left is not None
        sent = line[: self._left]
        opening = b"%x\r\n" % len(line) if self._chunked else b""
        closing = b"\r\n" if self._chunked and len(sent) == len(line) else b""
        self._connection.transmit(opening + sent + closing, self._wire.drip)
        self._left -= len(sent)
        if self._left == 0:
            _misbehave(self._wire)

    def finish(self) -> None:
        if self._chunked:
            self._connection.transmit(b"0\r\n\r\n", None)


def _head(status: int, headers: Sequence[tuple[str, str]], framing: str, length: int, close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}", "Cache-Control: no-cache, private"]
    lines += [f"{name}: {value}" for name, value in headers]
    if framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif framing == "content-length":
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _misbehave(wire: Wire) -> None:
    if wire.cut_after is not None and wire.limit == wire.cut_after:
        raise Cut(reset=wire.reset)
    raise Silence


def _nothing() -> None:
    """The ``close`` of a stream that needs none."""


@dataclass(eq=False)
class HttpServer:
    """Listens on ``host`` (a port of the system's choice if 0) from ``start`` to ``stop``."""

    handler: Handler
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    name: str = "kubewatch-apiserver"
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the fields below
    _connections: dict[Connection, threading.Thread] = field(default_factory=dict)
    _ended: list[threading.Thread] = field(default_factory=list)
    _watched: dict[int, Connection] = field(default_factory=dict)
    _stopping: bool = False
    _accepted: int = 0

    def start(self) -> None:
        self._listener = socket.create_server((self.host, self.port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._listener.setblocking(False)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._accept_loop, name=f"{self.name}-accept")
        self._thread.start()
        _keep_from_children(self)

    def stop(self) -> None:
        """Cuts every connection and joins every thread."""
        with self._lock:
            self._stopping = True
            open_now = dict(self._connections)
        self._wake()
        self._thread.join()
        for connection in open_now:
            connection.abort()
        for thread in open_now.values():
            thread.join()
        self._join_ended()
        self._listener.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def connections(self) -> list[Connection]:
        with self._lock:
            return list(self._connections)

    def drop_in_child(self) -> None:
        """After a fork: closes the child's copies of every descriptor and forgets the threads, which it does not have."""
        self._lock = threading.Lock()
        for connection in self._connections:
            connection.drop_in_child()
        self._connections, self._watched = {}, {}
        for descriptor in (self._listener.detach(), self._wake_read, self._wake_write):
            try:
                os.close(descriptor)
            except OSError:
                pass

    # --- for connections ---

    def forget(self, connection: Connection) -> None:
        with self._lock:
            thread = self._connections.pop(connection, None)
            if thread is not None:
                self._ended.append(thread)

    def _join_ended(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        for thread in ended:
            thread.join()

    def watch_for_hang_up(self, connection: Connection) -> None:
        with self._lock:
            self._watched[connection.fileno()] = connection
        self._wake()

    def stop_watching(self, connection: Connection) -> None:
        with self._lock:
            self._watched.pop(connection.fileno(), None)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            pass  # the pipe is full: it will wake

    # --- the accepting thread ---

    def _accept_loop(self) -> None:
        while not self._stopping:
            self._join_ended()
            poller = select.poll()
            poller.register(self._listener, select.POLLIN)
            poller.register(self._wake_read, select.POLLIN)
            with self._lock:
                watched = dict(self._watched)
            for descriptor in watched:
                poller.register(descriptor, select.POLLIN)
            for descriptor, _ in poller.poll():
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._check(descriptor, watched[descriptor])

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # the client gave up before it was accepted
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted += 1
        connection = Connection(self, sock)
        thread = threading.Thread(target=connection.run, name=f"{self.name}-connection-{self._accepted}")
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _check(self, descriptor: int, connection: Connection) -> None:
        with self._lock:
            if self._watched.get(descriptor) is not connection:
                return
        if connection.check_hang_up():
            with self._lock:
                self._watched.pop(descriptor, None)


_fork_guard: weakref.WeakSet[HttpServer] | None = None


def _keep_from_children(server: HttpServer) -> None:
    """Has forked children give up their copies of the server's sockets. The hook is set once, with the first server."""
    global _fork_guard
    if _fork_guard is None:
        _fork_guard = weakref.WeakSet()
        os.register_at_fork(after_in_child=_drop_all_in_child)
    _fork_guard.add(server)


def _drop_all_in_child() -> None:
    for server in list(_fork_guard or ()):
        server.drop_in_child()
