"""The least that fills a dict in Python: what is above it is what kubewatch adds.

Large blocks are received; where an object begins and ends is taken from how the replay server writes; each object is
copied into bytes of its own, seen to be JSON, and kept by its name, which is all that is read of it beside namespace
and version. Nothing else is looked at: no error, no end of a connection, no other server would be survived.
"""

from __future__ import annotations

import socket

import msgspec

from benchmarks.measure import Measurement, Task, parse_task

from .bounds import END, address_of, continue_in, list_path, request, watch_path

BLOCK = 122_880  # bytes at once, as kubewatch asks for

OPENING = b'{"type":"MODIFIED","object":'
ITEMS = b'"items":['
SEAM = b'},{"metadata":'  # between two objects of a list
SHORTEST = 4000  # bytes of an object of a list: so many are passed over in the search for its end


class Names(msgspec.Struct, gc=False, rename="camel"):
    """The least of the metadata that a store needs."""

    name: str
    namespace: str
    resource_version: str


class Head(msgspec.Struct, gc=False):
    """An object, of which only the names are decoded."""

    metadata: Names


class Kept(msgspec.Struct, gc=False):
    """What is stored of an object."""

    names: Names
    raw: bytes


Stored = dict[str, dict[str, Kept]]

_head = msgspec.json.Decoder(Head).decode


def run(task: Task) -> None:
    """Follow the pods and print what it cost."""
    address = address_of(task)
    host, port = address.split(":")
    stored: Stored = {}
    with socket.create_connection((host, int(port))) as sock:
        measurement = Measurement(task, "floor", msgspec.__version__)
        token: str | None = ""
        while token is not None:
            sock.sendall(request(address, list_path(token)))
            token = _page(sock, stored)
        measurement.ready()
        sock.sendall(request(address, watch_path(task)))
        _watch(sock, stored, task.events)
        measurement.done(stored=sum(map(len, stored.values())))


def _page(sock: socket.socket, stored: Stored) -> str | None:
    """One page; returns the token of the next."""
    block = b""
    while ITEMS not in block:
        block += sock.recv(BLOCK)
    token, start = continue_in(block), block.index(ITEMS) + len(ITEMS)
    while True:
        while (stop := block.find(SEAM, start + SHORTEST) + 1) > 0:
            _keep(block[start:stop], stored)
            start = stop + 1
        if block.endswith(END):
            _keep(block[start : block.rindex(b"]}")], stored)
            return token
        block, start = block[start:] + sock.recv(BLOCK), 0


def _watch(sock: socket.socket, stored: Stored, events: int) -> None:
    begun = b""
    while events > 0:  # live changes may come along with the last of them
        block, stop = begun + sock.recv(BLOCK), 0
        while (start := block.find(OPENING, stop)) >= 0 and (end := block.find(b"\n", start)) >= 0:
            stop = end
            _keep(block[start + len(OPENING) : stop - 1], stored)
            events -= 1
        begun = block[stop:]


def _keep(raw: bytes, stored: Stored) -> None:
    names = _head(raw).metadata
    try:
        stored[names.namespace][names.name] = Kept(names, raw)
    except KeyError:
        stored[names.namespace] = {names.name: Kept(names, raw)}


if __name__ == "__main__":
    run(parse_task(["typed"]))
