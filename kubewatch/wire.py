"""`Wire`: one connection to the API server, and requests on it; `Dialer`: how such connections are made.

Connections are made by the official client's own pool manager, so that its rules for TLS, client certificates and
proxies hold. From there on the socket is ours: bytes are written and read here, because that is faster, and because
a `Stop` can then end every phase.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .aside import aside
from .errors import IdleTimeout, InvalidInput, Unreachable
from .http1 import BadResponse, Body, Head, Truncated, parse_head
from .stop import Stop, slice_of

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

# Seconds for each address that the server's name has, and for all of it: name, addresses, proxy, TLS.
CONNECT_TIMEOUT = 5.0
CONNECT_LIMIT = 20.0

# A whole answer may take so many times as long as its peer may be silent: a server gives up on its own after 60 s, and
# a peer that drips never ends.
WHOLE = 5

# Bytes asked of a socket at once. More makes the allocator map fresh memory for each read: measured 20 µs against 3.
BLOCK = 65536

# How deep a chain of causes is searched for its reason.
_DEPTH = 16


class Stale(Unreachable):
    """A kept connection had been closed by the server: not a byte of an answer came. Ask again on a new one."""


class BrokenOff(Unreachable):
    """The connection ended in the middle of an answer."""


def socket_options() -> list[tuple[int, int, int]]:
    """A dead peer is noticed after 60 s (30 + 3 * 10) also while nothing is sent, and small writes go out at once."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # Linux has the first, macOS the second; seconds, but for the last, which is milliseconds of unacknowledged writes.
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), 30),
        (("TCP_KEEPINTVL",), 10),
        (("TCP_KEEPCNT",), 3),
        (("TCP_USER_TIMEOUT",), 60_000),
    ):
        option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if option is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


class NoCertificate(Unreachable):
    """A file with a certificate is gone. Those that the official client wrote to /tmp come back by loading anew."""


class Dialer:
    """Makes connections to the server of one Configuration, through its proxy if it has one. Thread-safe.

    `address` is host and port for messages, `target` what stands before the path in a request line, `headers` what
    every request needs on its way.
    """

    def __init__(self, configuration: Configuration) -> None:
        from kubernetes.client.rest import RESTClientObject
        from urllib3.util import parse_url

        try:
            url = parse_url(configuration.host)
            manager: Any = RESTClientObject(configuration).pool_manager
        except Exception as error:  # urllib3's own; its text may quote a password
            raise InvalidInput(
                f"the address of the server or of its proxy is no URL ({type(error).__name__})"
            ) from None
        scheme, host = url.scheme, url.host
        if scheme not in ("http", "https") or not host:
            raise InvalidInput("the address of the server is no URL that begins with https:// or http:// and a host")
        # Options of the user's own come later and so win.
        own = list(manager.connection_pool_kw.get("socket_options") or ())
        manager.connection_pool_kw["socket_options"] = [*socket_options(), *own]
        self._pool: Any = manager.connection_from_host(host, port=url.port, scheme=scheme)
        self._proxy: Any = manager.proxy
        # A proxy is told the whole address of a plain server, and makes a tunnel to one with TLS.
        absolute = self._proxy is not None and scheme == "http"
        self._tunnel = self._proxy is not None and not absolute
        self.address = f"{host}:{url.port or (443 if scheme == 'https' else 80)}"
        self.url = f"{scheme}://{url.netloc}"
        self.target = (self.url if absolute else "") + (url.path or "").rstrip("/")
        self.headers = [("Host", url.netloc or host)]
        if absolute:
            self.headers += (manager.proxy_headers or {}).items()

    def connect(self, stop: Stop | None = None) -> Any:
        """A connected socket, ready for a request, made on a thread of its own: `stop` and Ctrl-C end the wait for it.

        Takes at most 5 s for each address to connect, and 20 s in all. Raises Unreachable.
        """
        attempt = Stop()  # by which the thread is sent home when nobody waits for it any more
        try:
            return aside(functools.partial(self._connect, attempt), stop, CONNECT_LIMIT, _close_for_good)
        except TimeoutError as error:
            raise Unreachable(f"cannot connect to {self.address}: {self._reason(error)}") from error
        finally:
            attempt.stop()

    def _connect(self, attempt: Stop) -> Any:
        conn = self._pool._new_conn()
        conn.timeout = CONNECT_TIMEOUT
        plain, made = conn._new_conn, []

        def attached() -> socket.socket:
            sock: socket.socket = plain()
            made.append(sock)
            attempt.attach(sock)
            return sock

        # On this one connection, which nobody else sees: the only place where its socket can be had so early.
        conn._new_conn = attached
        try:
            if self._tunnel:
                self._pool._prepare_proxy(conn)
            else:
                conn.connect()
        except BaseException as error:
            conn.close()
            for sock in made:
                _close_for_good(sock)
            if not isinstance(error, Exception):
                raise
            # urllib3's are of many families: each is an answer that did not come.
            lost = any(isinstance(cause, FileNotFoundError) for cause in _causes(error))
            raise (NoCertificate if lost else Unreachable)(
                f"cannot connect to {self.address}: {self._reason(error)}"
            ) from error
        finally:
            attempt.detach()
        del conn._new_conn  # which would keep the connection object alive until the next collection
        return conn.sock

    def _reason(self, error: BaseException) -> str:
        import ssl  # here too: a server without TLS does without it

        causes = list(_causes(error))
        through = f" through the proxy {self._proxy.host}:{self._proxy.port}" if self._proxy is not None else ""
        for cause in causes:
            text = str(cause)
            if "Tunnel connection failed" in text:
                return f"the proxy {self._proxy.host}:{self._proxy.port} refused ({text}); check its settings"
            if isinstance(cause, socket.gaierror):
                return f"its name cannot be resolved{through}; check the server address, DNS and the VPN"
            if isinstance(cause, ssl.SSLCertVerificationError) or type(cause).__name__ == "CertificateError":
                why = getattr(cause, "verify_message", "") or text
                return f"its certificate is not trusted ({why}); check certificate-authority and tls-server-name"
            if "NO_CERTIFICATE_OR_CRL_FOUND" in text or "[SSL] PEM lib" in text:
                return f"a certificate file holds no certificate ({text}); check certificate-authority and the client's"
            if isinstance(cause, ssl.SSLError):
                return f"the TLS handshake failed{through} ({cause.reason or text}); does that port speak TLS?"
            if isinstance(cause, ConnectionRefusedError):
                return f"nothing listens there{through}; is the server running, is its address right?"
            if isinstance(cause, (FileNotFoundError, PermissionError)):
                return f"a certificate file cannot be read ({text})"
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return f"no answer in time{through}; check the address, the firewall and the VPN"
        root = next((cause for cause in reversed(causes) if isinstance(cause, OSError)), error)
        return f"{root}{through}"


def _close_for_good(sock: Any) -> None:
    # Unlike close(), also where something still reads from the socket as from a file; and without a goodbye over TLS.
    inner = getattr(sock, "socket", sock)  # of TLS within TLS
    if inner.fileno() >= 0:
        os.close(inner.detach())


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_DEPTH):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def is_unexpected_eof(error: BaseException) -> bool:
    """Whether a connection just ended, without the peer's goodbye; told by the kind of error, never by its words.

    TLS peers and proxies often hang up like this. It says nothing worse than the end of the connection does. The causes
    of an error are searched, too. A reset connection is another matter.
    """
    import ssl  # slow to import: not before something went wrong
    from http.client import IncompleteRead

    return any(isinstance(cause, (EOFError, ssl.SSLEOFError, IncompleteRead)) for cause in _causes(error))


# Every open connection of this process, so that a fork's child can let go of the copies that it got.
_wires: weakref.WeakSet[Wire] = weakref.WeakSet()


class Wire:
    """One connection, used by one thread at a time: `ask`, then `read` until the body's end, then `ask` again.

    Between the two, `ask_ahead` may send the next request already: the server works on it meanwhile.

    With a `stop`, all of it ends within milliseconds of `stop.stop()`, by an Unreachable or as if the server had hung
    up: look at `stop.stopped` first. Seconds everywhere. Raises Unreachable.
    """

    def __init__(self, dialer: Dialer, stop: Stop | None = None) -> None:
        self.dialer = dialer
        self._stop = stop
        self._sock: Any = None
        try:
            self._sock = dialer.connect(stop)
            if stop is not None:
                # By its number, as a socket with TLS cannot be duplicated.
                with socket.socket(fileno=socket.dup(self._sock.fileno())) as plain:
                    stop.attach(plain)
        except BaseException:
            self.close()
            raise
        self._timeout: float | None = CONNECT_TIMEOUT
        self._head: Head | None = None
        self._body: Body | None = None
        self._begun = b""  # what of the body came with the head
        self._ahead = b""  # the request that was sent ahead
        self.idle_since = time.monotonic()
        _wires.add(self)

    def ask(self, method: str, request: bytes, timeout: float) -> Head:
        """Send a request and wait for the head of its answer, at most `timeout` seconds each.

        One that was sent ahead is not sent again. Raises Stale where another one was: its answer is in the way.
        """
        kept, self._head, self._body = self._head is not None, None, None
        ahead, self._ahead = self._ahead, b""
        if ahead not in (b"", request):
            raise Stale(f"the connection to {self.dialer.address} brings the answer to another request")
        sock = self._socket()
        self._set_timeout(timeout)
        data = b""
        try:
            # The server may have answered and hung up before it had read everything: the answer is worth a look.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if not ahead:
                    sock.sendall(request)
            end, left = time.monotonic() + timeout, timeout
            while True:
                block = self._receive(timeout, end, left)
                if not block:
                    raise BrokenOff(f"{self.dialer.address} closed the connection without an answer")
                left = end - time.monotonic()
                data += block
                while (parsed := parse_head(data)) is not None:
                    self._head, data = parsed[0], data[parsed[1] :]
                    if self._head.status >= 200:  # others are remarks that come before the answer
                        self._body = Body(self._head, method)
                        self._begun = self._body.feed(data)
                        return self._head
        except BadResponse as error:
            raise Unreachable(f"{self.dialer.address} does not answer as an API server: {error}") from error
        except TimeoutError as error:
            raise IdleTimeout(f"{self.dialer.address} did not take the request within {timeout:g} s") from error
        except (Unreachable, OSError) as error:
            if kept and not data and not isinstance(error, IdleTimeout):
                raise Stale(f"{self.dialer.address} had closed the connection") from error
            if isinstance(error, Unreachable):
                raise
            raise Unreachable(f"the connection to {self.dialer.address} broke: {error}") from error

    def ask_ahead(self, request: bytes) -> None:
        """Send a request, of which `ask` will get the answer, on a connection that is `reusable`."""
        try:
            self._socket().sendall(request)
        except OSError:
            self.close()  # so the request is sent on another one when its time comes
        else:
            self._ahead = request

    @property
    def asked_ahead(self) -> bool:
        """Whether an answer is on its way that nobody waited for yet."""
        return bool(self._ahead)

    def read(self, timeout: float) -> bytes:
        """The next bytes of the body, as they come; empty at its end, and only there.

        Raises IdleTimeout after `timeout` seconds without a byte of it, BrokenOff at an end before the body's.
        """
        body = self._body
        assert body is not None, "read() comes after ask()"
        data, self._begun = self._begun, b""
        end, left = time.monotonic() + timeout, timeout
        try:
            while not data and not body.done:
                block = self._receive(timeout, end, left)
                if not block:
                    body.finish()
                elif not (data := body.feed(block)):  # the size of a chunk, say, or some bits of what is compressed
                    left = end - time.monotonic()
            if not data:
                body.finish()
        except Truncated as error:
            raise BrokenOff(f"the connection to {self.dialer.address} was cut: {error}") from error
        except BadResponse as error:
            raise Unreachable(f"the answer of {self.dialer.address} cannot be read: {error}") from error
        return data

    def read_all(self, timeout: float, limit: int | None = None) -> bytes:
        """The rest of the body; of a body longer than `limit` bytes only its beginning. Takes 5 * `timeout` at most."""
        buffer = bytearray()
        self.read_into(buffer, timeout, limit)
        return bytes(buffer)

    def read_into(self, buffer: bytearray, timeout: float, limit: int | None = None) -> int:
        """Like `read_all`, over what is in `buffer`, which grows where it is too short; returns how many bytes came."""
        length, end = 0, time.monotonic() + WHOLE * timeout
        while (limit is None or length < limit) and (block := self.read(min(timeout, end - time.monotonic()))):
            buffer[length : length + len(block)] = block
            length += len(block)
            if time.monotonic() >= end:
                raise IdleTimeout(f"{self.dialer.address} is too slow: {length} bytes within {WHOLE * timeout:g} s")
        return length

    @property
    def reusable(self) -> bool:
        """Whether the connection can be asked again: the body was read to its end, and the server keeps it open."""
        head, body = self._head, self._body
        if self._sock is None or head is None or body is None or not head.keep_alive or not body.done or body.rest:
            return False
        return not self._readable()

    @property
    def global_peer(self) -> bool:
        """Whether the other end is out on the internet, and not on this machine or in a private network."""
        import ipaddress

        try:
            return ipaddress.ip_address(self._socket().getpeername()[0].partition("%")[0]).is_global
        except (OSError, ValueError, AttributeError):  # gone already, or not a TCP socket of our own
            return False

    def close(self) -> None:
        """Close the connection; idempotent."""
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._stop is not None:
                self._stop.detach()
            sock.close()

    def __del__(self) -> None:
        self.close()

    def abandon(self) -> None:
        """Close a connection copied by a fork, in such a way that the parent's goes on undisturbed."""
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._stop is not None:
                self._stop.detach()
            # TLS would say goodbye on the parent's connection, and locks may be held by threads that are no more.
            with contextlib.suppress(OSError):
                _close_for_good(sock)

    def _socket(self) -> Any:
        if self._sock is None:
            raise BrokenOff(f"the connection to {self.dialer.address} is closed")
        return self._sock

    def _readable(self) -> bool:
        from urllib3.util import wait_for_read

        # Nothing is due on a connection at rest: what can be read is its end, or an answer to nothing.
        return wait_for_read(self._sock, timeout=0)

    def _set_timeout(self, seconds: float) -> None:
        # A timeout of 0 would mean "do not block", and each call costs a system call.
        timeout = None if seconds == float("inf") else max(seconds, 0.001)
        if timeout != self._timeout:
            self._socket().settimeout(timeout)
            self._timeout = timeout

    def _receive(self, seconds: float, end: float, left: float) -> bytes:
        # `left` are the seconds until `end`; of those that were granted, `seconds`, the error speaks.
        stop = self._stop
        while True:
            sock = self._socket()
            self._set_timeout(slice_of(left) if stop is None else stop.slice(left))
            try:
                return sock.recv(BLOCK)  # type: ignore[no-any-return]  # a socket, or what wraps one
            except TimeoutError as error:
                if error.errno == errno.ETIMEDOUT:
                    raise IdleTimeout(f"{self.dialer.address} is gone: it acknowledges nothing any more") from error
            except OSError as error:
                if is_unexpected_eof(error):
                    return b""
                raise Unreachable(f"the connection to {self.dialer.address} broke: {error}") from error
            left = end - time.monotonic()
            if stop is not None and stop.stopped:
                raise Unreachable("stopped")
            if left <= 0:
                raise IdleTimeout(f"{self.dialer.address} has been silent for {seconds:g} s")


def _let_go() -> None:
    for wire in list(_wires):
        wire.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
