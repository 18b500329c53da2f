"""TLS over a socket of which the test is the other end: no thread, no clock, and cut wherever the test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch.dialer import _reading_ahead
from kubewatch.tls import TLS, ReadingAhead
from kubewatch.wire import Wire
from tests.integration.peer import CA, PKI, server_tls

BLOCK = 65536


class Far:
    """The client's socket, and the server beyond it. `cuts` is how many bytes each `recv` brings at most."""

    def __init__(self, cuts: Iterable[int] = (), context: ssl.SSLContext | None = None) -> None:
        self._cuts: Iterator[int] = iter(cuts)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or server_tls()).wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.reads = 0
        self.open = True
        self.told: str | None = None  # why the client did not want the handshake

    def send(self, *records: bytes) -> None:
        for record in records:
            self.tls.write(record)

    def say_goodbye(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):  # for the client's
            self.tls.unwrap()

    def cut_short(self, size: int) -> None:
        """Have the next `recv` bring all but the last `size` bytes."""
        self._cuts = iter([self._outgoing.pending - size])

    def hang_up_early(self, size: int) -> None:
        """End the connection without the last `size` bytes."""
        self._outgoing.write(self._outgoing.read()[:-size])
        self.open = False

    def damage(self) -> None:
        sent = bytearray(self._outgoing.read())
        sent[-1] ^= 1
        self._outgoing.write(sent)

    def sendall(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.told = error.reason

    def recv(self, size: int) -> bytes:
        self.reads += 1
        if not self._outgoing.pending and self.open:
            raise TimeoutError("timed out")
        return self._outgoing.read(min(size, next(self._cuts, size)))

    fileno = getpeername = settimeout = close = lambda *_: None


def client(far: Any, *, trusting: bool = True, certificate: bool = False) -> TLS:
    context = ssl.create_default_context(cafile=CA if trusting else None)
    if certificate:
        context.post_handshake_auth = True
        context.load_cert_chain(PKI / "client.pem")
    made = TLS(far, context, "localhost")
    far.reads = 0
    return made


def all_of(tls: TLS) -> list[bytes]:
    """All that comes, by somebody who waits until the end."""
    came = []
    while True:
        with contextlib.suppress(TimeoutError):
            came.append(tls.recv(BLOCK))
            if came[-1] == b"":
                return came[:-1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=20_000), max_size=6),
    st.lists(st.integers(1, 9_000), max_size=40),
    st.booleans(),
)
def test_what_was_sent_arrives_however_it_is_cut(records: list[bytes], cuts: list[int], goodbye: bool) -> None:
    far = Far()
    tls = client(far)
    far._cuts = iter(cuts)
    far.send(*records)
    if goodbye:
        far.say_goodbye()
    far.open = False
    assert b"".join(all_of(tls)) == b"".join(records)
    assert tls.recv(BLOCK) == b""


def test_one_read_brings_all_records_that_have_come() -> None:
    far = Far()
    tls = client(far)
    records = [b"a" * 4096, b"b" * 3867, b"\r\n", b"c" * 4096]
    far.send(*records)
    assert tls.recv(BLOCK) == b"".join(records)
    assert far.reads == 1


def test_half_a_record_is_waited_for_without_what_stands_before_it_waiting() -> None:
    far = Far()
    tls = client(far)
    far.send(b"first", b"second")
    far.cut_short(5)
    assert tls.recv(BLOCK) == b"first"
    assert tls.recv(BLOCK) == b"second"


def test_who_waits_for_the_rest_of_a_record_can_look_at_the_clock_after_each_part_of_it() -> None:
    """A peer that drips would otherwise hold up a reader for ever, whose own limit is on all of the wait."""
    far = Far()
    tls = client(far)
    far._cuts = repeat(1)
    far.send(b"dripping")
    for reads in range(1, 6):
        with pytest.raises(TimeoutError):
            tls.recv(BLOCK)
        assert far.reads == reads
    far._cuts = repeat(BLOCK)
    assert tls.recv(BLOCK) == b"dripping"


def test_a_timeout_is_the_sockets_and_loses_nothing() -> None:
    far = Far(repeat(BLOCK))
    tls = client(far)
    with pytest.raises(TimeoutError):
        tls.recv(BLOCK)
    far.send(b"late")
    assert tls.recv(BLOCK) == b"late"


def test_a_goodbye_is_the_end_also_where_the_connection_stays() -> None:
    far = Far()
    tls = client(far)
    far.send(b"last")
    far.say_goodbye()
    assert all_of(tls) == [b"last"]
    assert far.reads == 1


def test_a_connection_is_not_used_again_once_the_server_said_goodbye() -> None:
    """It came along with the answer, so that nothing is left to be read by which the end could be seen."""
    far = Far()
    dialer: Any = SimpleNamespace(address="server:443", connect=lambda stop: client(far))
    wire = Wire(dialer)
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    far.say_goodbye()
    wire.ask("GET", b"GET / HTTP/1.1\r\n\r\n", 1.0)
    assert wire.read_all(1.0) == b"{}"
    assert not wire.reusable


def test_a_connection_that_ends_within_a_record_ends() -> None:
    far = Far()
    tls = client(far)
    far.send(b"never whole")
    far.hang_up_early(1)
    assert all_of(tls) == []


def test_what_was_tampered_with_is_an_error() -> None:
    far = Far()
    tls = client(far)
    far.send(b"secret")
    far.damage()
    with pytest.raises(ssl.SSLError):
        tls.recv(BLOCK)


def test_what_is_sent_arrives() -> None:
    far = Far()
    client(far).sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert far.tls.read(100) == b"GET / HTTP/1.1\r\n\r\n"


def test_what_the_server_asks_of_tls_after_the_handshake_is_answered_before_anything_is_waited_for() -> None:
    context = server_tls(client_certificates=True)
    context.post_handshake_auth = True
    far = Far(context=context)
    tls = client(far, certificate=True)
    far.tls.verify_client_post_handshake()
    far.send(b"who are you?")
    assert tls.recv(BLOCK) == b"who are you?"
    with pytest.raises(TimeoutError):
        tls.recv(BLOCK)
    with pytest.raises(ssl.SSLWantReadError):  # the answer is no data
        far.tls.read(BLOCK)
    assert "kubewatch test client" in str(far.tls.getpeercert())


def test_a_server_that_is_not_trusted_is_told_so() -> None:
    far = Far()
    with pytest.raises(ssl.SSLCertVerificationError):
        client(far, trusting=False)
    assert far.told == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_server_that_hangs_up_in_the_handshake_is_an_error() -> None:
    far = Far(repeat(0))  # which is how a connection ends
    with pytest.raises(ssl.SSLError):
        client(far)


def test_a_context_that_reads_ahead_is_otherwise_the_context_that_it_was_made_of() -> None:
    context = ssl.create_default_context(cafile=CA)
    ahead = ReadingAhead(context)
    ahead.check_hostname = False
    ahead.verify_mode = ssl.CERT_NONE
    assert not context.check_hostname
    assert context.verify_mode is ahead.verify_mode is ssl.CERT_NONE
    near: Any = Far()
    assert ahead.wrap_socket(near, server_hostname="localhost").version() == "TLSv1.3"


def test_a_host_without_a_name_is_refused_where_its_name_is_to_be_checked() -> None:
    with pytest.raises(ValueError, match="server_hostname"):
        ReadingAhead(ssl.create_default_context(cafile=CA)).wrap_socket(Far())  # type: ignore[arg-type]  # a socket


def test_a_context_that_can_only_wrap_sockets_does_so() -> None:
    conn = SimpleNamespace(ssl_context=SimpleNamespace(wrap_socket=None))
    assert _reading_ahead(conn) is conn.ssl_context


def test_a_long_request_arrives_whole() -> None:
    far = Far()
    client(far).sendall(b"x" * 1_000_000)
    assert b"".join(far.tls.read(BLOCK) for _ in range(62)) == b"x" * 1_000_000


def test_the_socket_beneath_is_the_one_that_was_given() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.close()
        with pytest.raises(BrokenPipeError):
            TLS(near, ssl.create_default_context(), "localhost")
        assert near.fileno() >= 0  # left to who made it
