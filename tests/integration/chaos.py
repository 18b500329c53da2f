"""A proxy that breaks watches: it stands between a client and either API server, and does what networks do.

Plain HTTP on our side, whatever the server speaks on the other; one request a connection. Each request draws its fate
from a seeded random source: passed on, refused, cut after some bytes, or left silent after some bytes.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fate:
    """What becomes of one request: `status` instead of an answer; or silence, or a cut, after so many bytes of it."""

    status: int | None = None
    silent_after: int | None = None
    cut_after: int | None = None


def draw(dice: random.Random, watching: bool) -> Fate:
    """The fate of one request: no watch lasts, and three lists in four pass, so that there is progress too."""
    if dice.random() < 0.2:
        return Fate(status=dice.choice([410, 429, 500]))
    if watching:
        after = dice.randrange(200, 15_000)
        return Fate(silent_after=after) if dice.random() < 0.05 else Fate(cut_after=after)
    return Fate(cut_after=dice.randrange(200, 60_000)) if dice.random() < 0.05 else Fate()


REASONS = {410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


class ChaosProxy:
    """Forwards requests to `url`, each to its fate, until `calm` is set; a context manager."""

    def __init__(self, url: str, *, headers: dict[str, str], ca_file: str | None, seed: int) -> None:
        self._target = urlsplit(url)
        self._headers = headers
        self._tls = ssl.create_default_context(cafile=ca_file) if self._target.scheme == "https" else None
        self._dice = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.calm = threading.Event()
        self.fates: list[Fate] = []
        # Guards the open sockets and the threads that serve them, which come and go with the client's connections.
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="chaos-accept")

    def __enter__(self) -> ChaosProxy:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.cut_all()
        for thread in self._threads:
            thread.join()

    def cut_all(self) -> None:
        """Cut every open connection now."""
        with self._lock:
            for sock in self._sockets:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was first

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # closed: the proxy is leaving
            thread = threading.Thread(target=self._serve, args=(sock,), name="chaos-serve")
            with self._lock:
                self._sockets.add(sock)
                self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        upstream: socket.socket | None = None
        try:
            head = self._read_head(client)
            if not head:
                return
            fate = Fate() if self.calm.is_set() else draw(self._dice, b"watch=true" in head)
            self.fates.append(fate)
            if fate.status is not None:
                reason = REASONS[fate.status]
                body = f'{{"kind":"Status","code":{fate.status},"reason":"{reason}","message":"chaos"}}'
                client.sendall(
                    f"HTTP/1.1 {fate.status} {reason}\r\nContent-Type: application/json\r\nRetry-After: 0\r\n"
                    f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                return
            upstream = self._connect()
            upstream.sendall(self._forwarded(head))
            self._pipe(upstream, client, fate)
        except OSError:
            return  # a broken connection is what this proxy is for
        finally:
            with self._lock:
                for sock in (client, upstream):
                    if sock is not None:
                        self._sockets.discard(sock)
                        sock.close()

    def _connect(self) -> socket.socket:
        host, port = self._target.hostname or "", self._target.port or 0
        sock: socket.socket = socket.create_connection((host, port))
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_hostname=host)
        with self._lock:
            self._sockets.add(sock)
        return sock

    @staticmethod
    def _read_head(client: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            block = client.recv(65536)
            if not block:
                return b""
            head += block
        return head

    def _forwarded(self, head: bytes) -> bytes:
        request, *lines = head.rstrip(b"\r\n").split(b"\r\n")
        kept = [line for line in lines if line.split(b":")[0].lower() not in (b"host", b"authorization", b"connection")]
        ours = {"Host": self._target.netloc, "Connection": "close"} | self._headers
        return b"\r\n".join([request, *kept, *(f"{k}: {v}".encode() for k, v in ours.items()), b"", b""])

    def _pipe(self, upstream: socket.socket, client: socket.socket, fate: Fate) -> None:
        left = fate.cut_after if fate.cut_after is not None else fate.silent_after
        while block := upstream.recv(65536):
            if left is not None and len(block) >= left:
                client.sendall(block[:left])
                if fate.silent_after is not None:
                    client.recv(1)  # nothing more, until the client gives up
                return
            left = None if left is None else left - len(block)
            client.sendall(block)
