"""TLS that takes all that has come with one system call: the socket of `wire.py` where the server speaks TLS.

An `ssl.SSLSocket` asks the socket twice for each record, and a kube-apiserver writes an event as two records, the first
of 4 KB: five system calls an event, and never a whole event at once. Measured on one: 15 to 30 % of a client's CPU.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

# Bytes: no record brings more, so that each is read whole.
RECORD = 16384


class TLS:
    """TLS over a connected socket, which it owns, as its client; to be used like a socket by one thread.

    Makes the handshake at once, within the socket's timeout. Raises what an `ssl.SSLSocket` raises. `ended` says that
    nothing more can come: the server said goodbye, or hung up.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        if context.check_hostname and not server_hostname:
            raise ValueError("check_hostname needs a server_hostname")  # else any certificate would do, for any host
        self.socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.ended = False
        self.fileno, self.getpeername, self.settimeout = sock.fileno, sock.getpeername, sock.settimeout
        self.close, self.version, self.getpeercert = sock.close, self._tls.version, self._tls.getpeercert
        try:
            self._shake_hands()
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                self._flush()  # the server is told why
            raise

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(RECORD)
                self._incoming.write(data) if data else self._incoming.write_eof()
            else:
                return self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.socket.sendall(self._outgoing.read())

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        """What has come, once anything has; empty at the end. `size` bytes are asked of the socket, at most once.

        It may be a little more than `size`, where the beginning of a record had come before. As from an `SSLSocket`,
        the end is the end also where the server did not say goodbye. Raises TimeoutError after the socket's timeout,
        and where no whole record has come: whoever waits for longer looks at the clock meanwhile.
        """
        incoming, read, asked = self._incoming, self._tls.read, False
        while not self.ended:
            parts = []
            try:
                while incoming.pending:
                    part = read(RECORD)
                    if not part:  # the server's goodbye
                        self.ended = True
                        break
                    parts.append(part)
            except ssl.SSLWantReadError:  # half a record
                pass
            if parts:
                return b"".join(parts)
            if self.ended:
                break
            if asked:
                raise TimeoutError("only a part of a record has come")
            self._flush()  # some records want an answer
            data, asked = self.socket.recv(size), True
            incoming.write(data)
            self.ended = not data
        return b""


class ReadingAhead:
    """An `ssl.SSLContext`, of which `wrap_socket` makes a `TLS`; in all else it is that context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        object.__setattr__(self, "_context", context)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._context, name, value)

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None) -> TLS:
        """TLS over `sock`, as urllib3 asks for it."""
        return TLS(sock, self._context, server_hostname)
