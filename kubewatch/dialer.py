"""`Dialer`: how connections to the API server are made.

By the official client's own pool manager, so that its rules for TLS, client certificates and proxies hold. From there
on the socket is ours (`wire.py`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .aside import aside
from .errors import InvalidInput, Unreachable
from .stop import Stop

if TYPE_CHECKING:
    import socket

    from kubernetes.client.configuration import Configuration

# Seconds for each address that the server's name has, and for all of it: name, addresses, proxy, TLS.
CONNECT_TIMEOUT = 5.0
CONNECT_LIMIT = 20.0

# How deep a chain of causes is searched for its reason.
_DEPTH = 16


def socket_options() -> list[tuple[int, int, int]]:
    """A dead peer is noticed after 60 s (30 + 3 * 10) also while nothing is sent, and small writes go out at once."""
    import socket  # for whoever connects, not for all who import us

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
            return aside(functools.partial(self._connect, attempt), stop, CONNECT_LIMIT, close_for_good)
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
            if self._pool.scheme == "https":
                conn.ssl_context = _reading_ahead(conn)
            if self._tunnel:
                self._pool._prepare_proxy(conn)
            else:
                conn.connect()
        except BaseException as error:
            conn.close()
            for sock in made:
                close_for_good(sock)
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
        import socket
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


def _reading_ahead(conn: Any) -> Any:
    """The context of a connection, or the one that urllib3 would make for it, such that it reads ahead."""
    from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

    from .tls import ReadingAhead  # not where there is no TLS

    context = conn.ssl_context
    if context is None:
        context = create_urllib3_context(cert_reqs=resolve_cert_reqs(conn.cert_reqs))
        if not (conn.ca_certs or conn.ca_cert_dir or conn.ca_cert_data):
            context.load_default_certs()
    # Not where pyOpenSSL was put in the place of Python's own.
    return ReadingAhead(context) if hasattr(context, "wrap_bio") else context


def close_for_good(sock: Any) -> None:
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
