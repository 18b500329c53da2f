"""`Replay`: a server in a process of its own that lists and watches pods from bytes that are made once.

It does nothing else, so that what is measured is the client. Every watch gets the same changes, as fast as its socket
takes them and a chunk each, as the real server writes them, and stays open afterwards.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .discovery import DOCUMENTS
from .rendered import BLOCK, Rendered, both_forms, start_of

# How to reach the server. `itemwise` is HTTP with lists in two chunks an object, as Kubernetes 1.33 and later write
# them; over the others, each page is one chunk.
PORTS = ("http", "https", "itemwise")


class Replay:
    """A running replay server of `objects` pods and `events` changes; `live` further ones follow, `rate` a second.

    A live change has in its annotation `note` the `time.monotonic_ns()` at which it was sent.

    >>> with Replay(100, 1000) as server:                                                   # doctest: +SKIP
    ...     server.kubeconfig("http")
    """

    def __init__(self, objects: int, events: int = 0, *, live: int = 0, rate: float = 1000.0) -> None:
        self.objects, self.events = objects, events
        self._live, self._rate = live, rate
        self._directory = tempfile.TemporaryDirectory(prefix="kubewatch-replay-")
        self._files = Path(self._directory.name)

    def __enter__(self) -> Replay:
        make_certificate(self._files)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, str(self._files), self.objects, self.events, self._live, self._rate)
        self._process = context.Process(target=serve, args=arguments, name="replay server")
        self._process.start()
        theirs.close()
        self.ports: dict[str, int] = self._pipe.recv()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.kill()
        self._process.join()
        self._directory.cleanup()

    def url(self, port: str = "http") -> str:
        """The server's address."""
        return f"{'https' if port == 'https' else 'http'}://127.0.0.1:{self.ports[port]}"

    @property
    def certificate(self) -> str:
        """The file that clients are to trust over https."""
        return str(self._files / "cert.pem")

    def kubeconfig(self, port: str = "http") -> str:
        """The path of a kubeconfig that leads here."""
        path = self._files / f"{port}.kubeconfig"
        cluster: dict[str, str] = {"server": self.url(port)}
        if port == "https":
            cluster["certificate-authority"] = self.certificate
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "replay", "cluster": cluster}],
            "users": [{"name": "replay", "user": {"token": "benchmark"}}],
            "contexts": [{"name": "replay", "context": {"cluster": "replay", "user": "replay"}}],
            "current-context": "replay",
        }
        path.write_text(json.dumps(text))  # JSON is YAML
        return str(path)


def make_certificate(directory: Path) -> None:
    """Writes cert.pem and key.pem, for 127.0.0.1, by the openssl program."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=replay", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


def serve(pipe: Connection, files: str, objects: int, events: int, live: int, rate: float) -> None:
    """The server's process: tells its ports, and ends when the other end of the pipe is closed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{files}/cert.pem", f"{files}/key.pem")
    over = threading.Event()
    rendered = both_forms(objects, events)
    servers = [_Server(rendered, over, port, tls, live, rate) for port in PORTS]
    for server in servers:
        threading.Thread(target=server.serve_forever, name=f"replay {server.port}", daemon=True).start()
    pipe.send({server.port: server.server_address[1] for server in servers})
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        pipe.recv()
    os._exit(0)  # threads of open watches are in the middle of a send


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        rendered: dict[bool, Rendered],
        over: threading.Event,
        port: str,
        tls: ssl.SSLContext,
        live: int,
        rate: float,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rendered, self.over, self.port, self.tls = rendered, over, port, tls
        self.live, self.rate = live, rate

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients leave in the middle of a watch: that is how they end."""


class _Handler(StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        self.request.setsockopt(IPPROTO_TCP, TCP_NODELAY, True)
        if self.server.port == "https":
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, target, _ = line.decode().split(" ", 2)
            headers = {}
            while (field := self.rfile.readline().strip()) != b"":
                name, _, value = field.decode().partition(":")
                headers[name.lower()] = value.strip()
            self.rfile.read(int(headers.get("content-length", 0)))
            self._answer(method, target, "PartialObjectMetadata" in headers.get("accept", ""))

    def _answer(self, method: str, target: str, metadata: bool) -> None:
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        document = DOCUMENTS.get(url.path.rstrip("/"))
        if method == "GET" and document:
            self._document(200, document)
        elif method != "GET" or url.path != "/api/v1/pods":
            message = f"{method} {url.path}: this server only lists and watches pods of all namespaces"
            self._document(404, {"kind": "Status", "status": "Failure", "code": 404, "message": message})
        elif query.get("watch", "") in ("true", "1", "True"):
            self._send_head()
            self._watch(self.server.rendered[metadata], query)
        else:
            # What is asked for at version 0 comes from the real server's cache, which knows no pages.
            limit = 0 if query.get("resourceVersion") == "0" else int(query.get("limit", 0))
            itemwise = self.server.port == "itemwise" and not metadata
            self._send_head()
            page = self.server.rendered[metadata].page(start_of(query.get("continue", "")), limit, itemwise=itemwise)
            self._send(page)

    def _watch(self, rendered: Rendered, query: dict[str, str]) -> None:
        version = int(query.get("resourceVersion") or 0)
        if query.get("sendInitialEvents") == "true":
            version = rendered.version
            self._send(rendered.initial_events)
        self._send(rendered.changes[max(0, version - rendered.version) :])
        self._send_live(rendered)
        self.server.over.wait()

    def _send_live(self, rendered: Rendered) -> None:
        due = time.monotonic()
        for at in range(self.server.live):
            due += 1 / self.server.rate
            self.server.over.wait(max(0.0, due - time.monotonic()))
            self.request.sendall(rendered.change(rendered.events + at, note=str(time.monotonic_ns())))

    def _send(self, pieces: Iterable[bytes]) -> None:
        pieces = list(pieces)
        if self.server.port == "https":  # a TLS record for each, as the real server has it
            for piece in pieces:
                self.request.sendall(piece)
            return
        for start in range(0, len(pieces), BLOCK):
            self.request.sendall(b"".join(pieces[start : start + BLOCK]))

    def _send_head(self) -> None:
        head = "HTTP/1.1 200 OK\r\nCache-Control: no-cache, private\r\nContent-Type: application/json\r\n"
        self.request.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())

    def _document(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\nContent-Type: application/json\r\n"
        self.request.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
