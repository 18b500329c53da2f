"""`Probes`: the HTTP port that the kubelet and Prometheus ask: a path, and the function that answers it.

    with Probes(("", 8080), {"/readyz": lambda accept: Answer.of(report())}) as probes:
        ...

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from .health import Report

logger = logging.getLogger(__name__)

# Seconds that a client may take over sending its request and taking the answer.
PATIENCE = 10.0

# Requests at the same time; then the oldest is cut off, so that whoever asks in earnest is answered.
MOST = 64


class Answer(NamedTuple):
    """What a path is answered with."""

    status: int
    content_type: str
    body: bytes

    @classmethod
    def of(cls, report: Report) -> Answer:
        """A report of health, as JSON."""
        return cls(report.status, "application/json", report.body())

    @classmethod
    def text(cls, status: int, text: str) -> Answer:
        """A line of text."""
        return cls(status, "text/plain; charset=utf-8", f"{text}\n".encode())


# From the request's Accept header to the answer; called on a thread of the request's own.
Page = Callable[[str], Answer]


class Probes:
    """A context manager that answers `GET` on `address`, a host ("" for all) and a port (0: one that the system picks).

    A port in use is an OSError of the constructor. A thread of its own, and one for each request; all are joined at the
    end.
    """

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page]) -> None:
        self._server = _listening(address, pages)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kubewatch probes")
        self._thread.daemon = True

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Probes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.cut()
        self._server.server_close()


def _listening(address: tuple[str, int], pages: Mapping[str, Page]) -> _Server:
    host, port = address
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return _Server((host, port), family, pages)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # a kernel that knows IPv6 may still have no address of it
            return _Server(("::", port), socket.AF_INET6, pages)
    return _Server(("0.0.0.0", port), socket.AF_INET, pages)  # the kubelet asks from outside of the pod


class _Server(ThreadingHTTPServer):
    request_queue_size = MOST  # who comes when it is full waits for seconds, as the kernel tries again
    daemon_threads = False  # those are joined by server_close

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, pages: Mapping[str, Page]) -> None:
        self.address_family = family
        self.pages = pages
        self._open: dict[Any, float] = {}  # the requests under way, oldest first, and since when
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for our name

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = time.monotonic()
        for oldest in list(self._open)[:-MOST]:
            self._cut(oldest)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        threading.current_thread().name = "kubewatch probes request"
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(request, None)

    def service_actions(self) -> None:  # what the base class calls now and then
        self.cut(time.monotonic() - PATIENCE)

    def cut(self, before: float = math.inf) -> None:
        """End the requests that began before that, which may wait for a client that says nothing."""
        for request, began in list(self._open.items()):
            if began < before:
                self._cut(request)

    def _cut(self, request: Any) -> None:
        self._open.pop(request, None)
        with contextlib.suppress(OSError):  # it has ended just now
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a request to the probes broke", exc_info=sys.exc_info())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "kubewatch"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def _answer(self) -> Answer:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            return Answer.text(404, f"here are {', '.join(self.server.pages)}")
        try:
            return page(self.headers.get("Accept", ""))
        except Exception as error:
            logger.exception("%s could not be answered", self.path)
            return Answer.text(500, f"{type(error).__name__}, see the log")

    def log_message(self, format: str, *arguments: Any) -> None:
        logger.debug(format, *arguments)
