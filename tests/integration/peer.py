"""A scripted peer: a TCP or TLS server on loopback that does with each connection what a test says, byte for byte.

The certificates in `pki` are for these tests alone: `ca.pem` signed `server.pem` (localhost, 127.0.0.1, apiserver.test)
and `client.pem`; all are valid for a hundred years.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

PKI = Path(__file__).parent / "pki"
CA = str(PKI / "ca.pem")

P = TypeVar("P", bound="Peer")

# What a test does with a connection; the number says which one it is, from 0.
Serve = Callable[[socket.socket, int], None]


def server_tls(*, client_certificates: bool = False) -> ssl.SSLContext:
    """The server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PKI / "server.pem")
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(CA)
    return context


class Peer:
    """Serves each connection by `serve`, on a thread of its own; a context manager.

    `requests` holds the head of each request that was read by `head`, in order.
    """

    def __init__(self, serve: Serve, *, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.requests: list[str] = []
        self.accepted = 0
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="peer", daemon=True)]

    def __enter__(self: P) -> P:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        shut(self._listener)
        for sock in self._sockets:
            shut(sock)
        for thread in list(self._threads):
            thread.join(5.0)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            thread = threading.Thread(target=self._one, args=(sock, self.accepted), name="peer-conn", daemon=True)
            self.accepted += 1
            self._threads.append(thread)
            thread.start()

    def _one(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            self._serve(sock, number)
        shut(sock)

    def head(self, sock: socket.socket) -> str:
        """Read the head of a request; empty when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            block = sock.recv(1)  # not a byte more: what follows is the next request
            if not block:
                return ""
            data += block
        text = data.decode()
        self.requests.append(text)
        return text


def shut(sock: socket.socket) -> None:
    """Wake whoever waits on `sock`, and close it."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    sock.close()


def reset(sock: socket.socket) -> None:
    """End a connection by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with Content-Length."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def until_gone(sock: socket.socket) -> None:
    """Say nothing until the client goes."""
    with contextlib.suppress(OSError):
        while sock.recv(4096):
            pass


def configuration(url: str, **settings: Any) -> Any:
    """A Configuration of the official client for a peer, with its certificate trusted."""
    from kubernetes.client import Configuration

    made = Configuration()
    made.host = url
    made.ssl_ca_cert = CA
    for name, value in settings.items():
        setattr(made, name, value)
    return made
