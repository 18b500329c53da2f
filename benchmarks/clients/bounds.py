"""What nobody can be faster than: bytes received and nothing made of them; and a plain prototype on msgspec.

- `socket`: `recv` until all is there, in large blocks.
- `receive`: `http.client`, a page by `read`, the watch chunk by chunk.
- `prototype`: `http.client`; every event as Raw, then its metadata as a Struct; raw bytes kept in a dict.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.measure import Measurement, Task, parse_task

PAGE = 500

BLOCK = 1 << 18

END = b"\r\n0\r\n\r\n"

MARK = b'{"type":"MODIFIED"'
KEPT = len(MARK) - 1

_continue = re.compile(rb'"continue":"([^"]*)"').search


class Meta(msgspec.Struct, gc=False, rename="camel"):
    """The metadata of an object, as far as controllers commonly look at it."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    deletion_timestamp: str | None = None


class Head(msgspec.Struct, gc=False):
    """An object, of which only the metadata is decoded."""

    metadata: Meta


class Frame(msgspec.Struct, gc=False):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class ListMeta(msgspec.Struct, gc=False, rename="camel"):
    """Where a list stands."""

    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, gc=False):
    """One page of a list."""

    metadata: ListMeta
    items: list[msgspec.Raw]


_head = msgspec.json.Decoder(Head).decode
_frame = msgspec.json.Decoder(Frame).decode
_page = msgspec.json.Decoder(Page).decode

Stored = dict[tuple[str, str], tuple[Meta, bytes]]


def main() -> None:
    """Measure one of the three."""
    forms: dict[str, Callable[[Task, str], None]] = {"socket": _socket, "receive": _receive, "prototype": _prototype}
    task = parse_task(list(forms))
    forms[task.form](task, address_of(task))


def address_of(task: Task) -> str:
    """Host and port of the server."""
    cluster = json.loads(Path(task.kubeconfig).read_text())["clusters"][0]["cluster"]
    url: str = cluster["server"]
    return urlsplit(url).netloc


def list_path(continue_: str) -> str:
    """Where the list, or its next page, is asked for."""
    return f"/api/v1/pods?limit={PAGE}" + (f"&continue={continue_}" if continue_ else "")


def watch_path(task: Task) -> str:
    """Where the watch that follows the list is asked for."""
    return f"/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion={task.objects}"


def request(address: str, path: str) -> bytes:
    """The bytes of a request."""
    return f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()


def continue_in(page: bytes) -> str | None:
    """The token of the next page, which stands at the head of this one; None on the last."""
    found = _continue(page, 0, 2000)
    return found[1].decode() if found else None


def _get(connection: HTTPConnection, path: str) -> HTTPResponse:
    connection.request("GET", path)
    return connection.getresponse()


def _receive(task: Task, address: str) -> None:
    connection = HTTPConnection(address)
    connection.connect()
    measurement = Measurement(task, "receive only", "")
    token: str | None = ""
    while token is not None:
        body = _get(connection, list_path(token)).read()
        token = continue_in(body)
    measurement.ready()
    response, left = _get(connection, watch_path(task)), task.events
    while left:
        if response.read1(BLOCK).endswith(b"\n"):
            left -= 1
    measurement.done(stored=task.objects)


def _prototype(task: Task, address: str) -> None:
    connection = HTTPConnection(address)
    connection.connect()
    stored: Stored = {}
    measurement = Measurement(task, "msgspec prototype", msgspec.__version__)
    token, more = "", True
    while more:
        page = _page(_get(connection, list_path(token)).read())
        for item in page.items:
            raw = bytes(item)
            meta = _head(raw).metadata
            stored[meta.namespace, meta.name] = meta, raw
        token, more = page.metadata.continue_, bool(page.metadata.continue_)
    measurement.ready()
    response = _get(connection, watch_path(task))
    for _ in range(task.events):
        frame = _frame(response.readline())
        raw = bytes(frame.object)
        meta = _head(raw).metadata
        stored[meta.namespace, meta.name] = meta, raw
    measurement.done(stored=len(stored))


def _socket(task: Task, address: str) -> None:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as sock:
        measurement = Measurement(task, "socket only", "")
        token: str | None = ""
        buffer = bytearray(BLOCK)
        while token is not None:
            sock.sendall(request(address, list_path(token)))
            head = tail = b""
            while tail != END:
                size = sock.recv_into(buffer)
                head = head if len(head) > 2000 else head + buffer[:size]
                tail = (tail + buffer[max(0, size - len(END)) : size])[-len(END) :]
            token = continue_in(head)
        measurement.ready()
        sock.sendall(request(address, watch_path(task)))
        view, size, left = memoryview(buffer), 0, task.events
        while left > 0:  # the live changes may come along with the last of them
            view[:KEPT] = view[size : size + KEPT]  # a mark may have been cut in two
            size = sock.recv_into(view[KEPT:])
            left -= buffer.count(MARK, 0, KEPT + size)
        measurement.done(stored=task.objects)


if __name__ == "__main__":
    main()
