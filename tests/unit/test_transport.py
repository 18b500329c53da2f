"""Connections without a network: a socket pair, or a socket that fails as it is told."""

from __future__ import annotations

import errno
import gzip
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kubewatch.dialer import Dialer, is_unexpected_eof, socket_options
from kubewatch.errors import IdleTimeout, Unreachable
from kubewatch.stop import SIGNAL_INTERVAL, Stop
from kubewatch.transport import WatchBody
from kubewatch.wire import Wire

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
EVENT = b'{"type":"ADDED"}\n'


class Ready:
    """Stands for a Dialer: hands out one socket that is connected already."""

    address = "server:443"

    def __init__(self, sock: Any) -> None:
        self.sock = sock

    def connect(self, stop: Stop | None = None) -> Any:
        return self.sock


class Failing:
    """A socket that gives the blocks it was given, then raises."""

    def __init__(self, *blocks: bytes, error: BaseException) -> None:
        self.blocks = list(blocks)
        self.error = error

    def recv(self, size: int) -> bytes:
        if self.blocks:
            return self.blocks.pop(0)
        raise self.error

    def sendall(self, data: bytes) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


def wire(sock: Any, stop: Stop | None = None) -> Wire:
    return Wire(cast(Dialer, Ready(sock)), stop)


def body_of(*blocks: bytes, error: BaseException) -> Iterator[bytes]:
    connection = wire(Failing(HEAD, *blocks, error=error))
    connection.ask("GET", b"GET / HTTP/1.1\r\n\r\n", 1.0)
    return WatchBody(connection, Stop(), 5.0).blocks()


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


def wrapped(error: BaseException, times: int) -> BaseException:
    for _ in range(times):
        outer = OSError("reading the body failed")
        outer.__cause__ = error
        error = outer
    return error


@pytest.mark.parametrize(
    "error",
    [ssl.SSLEOFError(8, "EOF occurred"), http.client.IncompleteRead(b"half", 10), EOFError("worded in any way")],
)
@pytest.mark.parametrize("times", [0, 1, 2, 10])
def test_an_unexpected_end_is_found_however_deep_it_is_wrapped(error: BaseException, times: int) -> None:
    """Rows 130, 131: watch_direct/wrapped_unexpected_eof: told by kind, whatever the wording."""
    assert is_unexpected_eof(wrapped(error, times))


def test_an_endless_chain_of_causes_is_not_searched_for_ever() -> None:
    error = OSError("its own cause")
    error.__context__ = OSError()
    error.__context__.__context__ = error
    assert not is_unexpected_eof(error)


def test_a_body_ends_quietly_at_a_wrapped_unexpected_end() -> None:
    """Row 131: watch_wrapped_unexpected_eof_delivers_modified_then_ends."""
    error = wrapped(ssl.SSLEOFError(8, "EOF occurred"), 2)
    assert list(body_of(EVENT, error=error)) == [EVENT]


def test_the_wording_of_an_unexpected_end_with_another_kind_is_an_error() -> None:
    """Row 139: watch_close_notify_message_with_other_io_kind_is_read_events."""
    error = ConnectionAbortedError("peer closed connection without sending TLS close_notify")
    blocks = body_of(EVENT, error=error)
    assert next(blocks) == EVENT
    with pytest.raises(Unreachable) as failed:
        next(blocks)
    assert failed.value.__cause__ is error


def test_a_peer_that_acknowledges_nothing_counts_as_silent() -> None:
    """Pain 1: what keepalive notices ends a watch as silence does, and not as a timeout of our own."""
    with pytest.raises(IdleTimeout, match="server:443 is gone"):
        list(body_of(error=TimeoutError(110, "Connection timed out")))


def test_a_stopped_stream_ends_quietly_whatever_the_socket_says() -> None:
    stop = Stop()
    connection = wire(Failing(HEAD, error=ConnectionResetError()))
    connection.ask("GET", b"", 1.0)
    blocks = WatchBody(connection, stop, 5.0).blocks()
    stop.stop()
    assert list(blocks) == []


def test_one_connection_serves_many_requests_until_the_server_closes_it() -> None:
    with pair() as (ours, theirs), closing(wire(ours)) as connection:
        for number in range(3):
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            connection.ask("GET", b"GET / HTTP/1.1\r\n\r\n", 1.0)
            assert connection.read_all(1.0) == b"%d" % number
            assert connection.reusable
        theirs.close()
        assert not connection.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1 and more than announced",
    ],
)
def test_some_connections_are_not_used_again(answer: bytes) -> None:
    with pair() as (ours, theirs), closing(wire(ours)) as connection:
        theirs.sendall(answer)
        connection.ask("GET", b"", 1.0)
        assert connection.read_all(1.0) == b"1"
        assert not connection.reusable


def test_no_more_of_a_long_error_is_read_than_asked_for() -> None:
    with pair() as (ours, theirs), closing(wire(ours)) as connection:
        theirs.sendall(b"HTTP/1.1 500 Internal Server Error\r\n\r\n" + b"x" * 100_000)
        assert connection.ask("GET", b"", 1.0).status == 500
        assert 1 <= len(connection.read_all(1.0, limit=1)) < 100_000


def test_the_timeout_of_a_socket_is_set_when_it_changes_and_not_for_every_read() -> None:
    set_to: list[float | None] = []

    class Counting(Failing):
        def settimeout(self, seconds: float | None) -> None:
            set_to.append(seconds)

    def read() -> None:
        connection = wire(Counting(HEAD, *[b"x"] * 50, b"", error=AssertionError()))
        connection.ask("GET", b"", 30.0)
        while connection.read(95.0):
            pass

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    reader.join()
    assert set_to == [30.0, 95.0]
    set_to.clear()
    read()  # on the main thread, which must look at signals
    assert set_to == [30.0, SIGNAL_INTERVAL]


@pytest.mark.parametrize("part", [b"HTTP/1.1 100 Continue\r\n\r\n", gzip.compress(b"")], ids=["remarks", "nothing"])
def test_a_server_that_says_nothing_without_a_pause_is_silent(part: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0.0, 0.1)
    monkeypatch.setattr("kubewatch.wire.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    begin = [] if part.startswith(b"HTTP") else [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"]
    connection = wire(Failing(*begin, *[part] * 1000, error=AssertionError("it is still waited for")))

    def answer() -> bytes:
        connection.ask("GET", b"", 5.0)
        return connection.read(5.0)

    with pytest.raises(IdleTimeout, match=r"silent for 5 s"):
        answer()


def test_a_body_that_does_not_end_in_time_is_too_slow_and_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0.0, 0.1)
    monkeypatch.setattr("kubewatch.wire.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    connection = wire(Failing(HEAD, *[b"x"] * 1000, error=AssertionError("it is still waited for")))
    connection.ask("GET", b"", 5.0)
    with pytest.raises(IdleTimeout, match=r"too slow: \d+ bytes within 25 s"):
        connection.read_all(5.0)


def test_a_connection_left_by_a_fork_is_closed_without_touching_the_others_end() -> None:
    with pair() as (ours, theirs):
        copy = ours.dup()  # as the parent of a fork has one
        connection = wire(ours)
        theirs.sendall(HEAD)
        connection.ask("GET", b"", 1.0)
        connection.abandon()
        with pytest.raises(Unreachable):
            connection.read(1.0)
        theirs.sendall(b"for the parent")
        assert copy.recv(100) == b"for the parent"
        copy.close()


def test_a_connection_without_a_file_left_for_its_stop_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an error like others of connections, which a watch outlives."""

    def dup(fd: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "dup", dup)
    with pair() as (ours, _):
        with pytest.raises(Unreachable, match=r"server:443: .*Too many open files"):
            wire(ours, Stop())
        assert ours.fileno() == -1  # closed


def test_closing_an_old_connection_leaves_the_stop_with_the_newer_one() -> None:
    stop = Stop()
    with pair() as (first, _), pair() as (second, _):
        old = wire(first, stop)
        old.close()
        new = wire(second, stop)
        old.close()
        stop.stop()
        assert second.recv(1) == b""  # woken
        new.close()


def test_dead_peers_are_noticed_within_a_minute() -> None:
    options = {(level, option): value for level, option, value in socket_options()}
    assert options[socket.SOL_SOCKET, socket.SO_KEEPALIVE] == 1
    assert options[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1
