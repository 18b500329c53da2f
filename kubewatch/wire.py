"""`Wire`: one connection to the API server, and requests on it.

Bytes are written and read here, and not by the official client, because that is faster, and because a `Stop` can then
end every phase.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import weakref
from collections.abc import Callable
from typing import Any

from .dialer import CONNECT_TIMEOUT, Dialer, close_for_good, is_unexpected_eof
from .errors import IdleTimeout, Unreachable
from .http1 import BadResponse, Body, Head, Truncated, parse_head
from .spans import Span, joined
from .stop import Stop, slice_of

# A whole answer may take so many times as long as its peer may be silent: a server gives up on its own after 60 s, and
# a peer that drips never ends.
WHOLE = 5

# Bytes asked of a socket at once: while much comes, and before that, as whoever waits for a read holds memory for it.
# From 128 KB on the allocator would map fresh memory for each read: measured 20 µs against 3.
BLOCK, LITTLE = 122_880, 16_384


class Stale(Unreachable):
    """A kept connection had been closed by the server: not a byte of an answer came. Ask again on a new one."""


class BrokenOff(Unreachable):
    """The connection ended in the middle of an answer."""


# Every open connection of this process, so that a fork's child can let go of the copies that it got.
_wires: weakref.WeakSet[Wire] = weakref.WeakSet()


class Wire:
    """One connection, used by one thread at a time: `ask`, then `read` until the body's end, then `ask` again.

    Between the two, `ask_ahead` may send the next request already: the server works on it meanwhile.

    With a `stop`, all of it ends within milliseconds of `stop.stop()`, by an Unreachable or as if the server had hung
    up: look at `stop.stopped` first. Seconds everywhere. Raises Unreachable.
    """

    def __init__(self, dialer: Dialer, stop: Stop | None = None) -> None:
        self.dialer = dialer
        self._stop = stop
        self._sock: Any = None
        try:
            self._sock = dialer.connect(stop)
            if stop is not None:
                import socket  # for whoever connects, not for all who import us

                # By its number, as a socket with TLS cannot be duplicated.
                with socket.socket(fileno=socket.dup(self._sock.fileno())) as plain:
                    stop.attach(plain)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and not isinstance(error, Unreachable):  # there are too many open files, say
                raise Unreachable(f"cannot connect to {dialer.address}: {error}") from error
            raise
        self._timeout: float | None = CONNECT_TIMEOUT
        self._head: Head | None = None
        self._body: Body | None = None
        self._begun: list[Span] = []  # what of the body came with the head
        self._ahead = b""  # the request that was sent ahead
        self._asked = LITTLE
        self.idle_since = time.monotonic()
        _wires.add(self)

    def ask(self, method: str, request: bytes, timeout: float) -> Head:
        """Send a request and wait for the head of its answer, at most `timeout` seconds each.

        One that was sent ahead is not sent again. Raises Stale where another one was: its answer is in the way.
        """
        kept, self._head, self._body = self._head is not None, None, None
        ahead, self._ahead = self._ahead, b""
        if ahead not in (b"", request):
            raise Stale(f"the connection to {self.dialer.address} brings the answer to another request")
        sock = self._socket()
        self._set_timeout(timeout)
        data = b""
        try:
            # The server may have answered and hung up before it had read everything: the answer is worth a look.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if not ahead:
                    sock.sendall(request)
            end, left = time.monotonic() + timeout, timeout
            while True:
                block = self._receive(timeout, end, left)
                if not block:
                    raise BrokenOff(f"{self.dialer.address} closed the connection without an answer")
                left = end - time.monotonic()
                data += block
                while (parsed := parse_head(data)) is not None:
                    self._head, data = parsed[0], data[parsed[1] :]
                    if self._head.status >= 200:  # others are remarks that come before the answer
                        self._body = Body(self._head, method)
                        self._begun = self._body.pieces(data)
                        return self._head
        except BadResponse as error:
            raise Unreachable(f"{self.dialer.address} does not answer as an API server: {error}") from error
        except TimeoutError as error:
            raise IdleTimeout(f"{self.dialer.address} did not take the request within {timeout:g} s") from error
        except (Unreachable, OSError) as error:
            if kept and not data and not isinstance(error, IdleTimeout):
                raise Stale(f"{self.dialer.address} had closed the connection") from error
            if isinstance(error, Unreachable):
                raise
            raise Unreachable(f"the connection to {self.dialer.address} broke: {error}") from error

    def ask_ahead(self, request: bytes) -> None:
        """Send a request, of which `ask` will get the answer, on a connection that is `reusable`."""
        try:
            self._socket().sendall(request)
        except OSError:
            self.close()  # so the request is sent on another one when its time comes
        else:
            self._ahead = request

    @property
    def asked_ahead(self) -> bool:
        """Whether an answer is on its way that nobody waited for yet."""
        return bool(self._ahead)

    def read(self, timeout: float) -> bytes:
        """The next bytes of the body, as they come; empty at its end, and only there.

        Raises IdleTimeout after `timeout` seconds without a byte of it, BrokenOff at an end before the body's.
        """
        return joined(self.read_pieces(timeout))

    def read_pieces(self, timeout: float) -> list[Span]:
        """Like `read`, but says where the bytes stand in what was received, and copies nothing."""
        body = self._body
        assert body is not None, "read() comes after ask()"
        pieces, self._begun = self._begun, []
        end, left = time.monotonic() + timeout, timeout
        try:
            while not pieces and not body.done:
                block = self._receive(timeout, end, left)
                if not block:
                    body.finish()
                elif not (pieces := body.pieces(block)):  # the size of a chunk, say, or some bits of what is compressed
                    left = end - time.monotonic()
            if not pieces:
                body.finish()
        except Truncated as error:
            raise BrokenOff(f"the connection to {self.dialer.address} was cut: {error}") from error
        except BadResponse as error:
            raise Unreachable(f"the answer of {self.dialer.address} cannot be read: {error}") from error
        return pieces

    def read_all(self, timeout: float, limit: int | None = None) -> bytes:
        """The rest of the body; of a body longer than `limit` bytes only its beginning. Takes 5 * `timeout` at most."""
        blocks: list[bytes] = []
        self.read_each(blocks.append, timeout, limit)
        return b"".join(blocks)

    def read_each(self, take: Callable[[bytes], object], timeout: float, limit: int | None = None) -> int:
        """Like `read_all`, but gives the bytes to `take` as they come; returns how many they were."""
        length, end = 0, time.monotonic() + WHOLE * timeout
        try:
            while (limit is None or length < limit) and (block := self.read(min(timeout, end - time.monotonic()))):
                take(block)
                length += len(block)
        except IdleTimeout as error:
            if time.monotonic() < end:
                raise
            slow = f"{self.dialer.address} is too slow: {length} bytes within {WHOLE * timeout:g} s"
            raise IdleTimeout(slow) from error
        return length

    @property
    def reusable(self) -> bool:
        """Whether the connection can be asked again: the body was read to its end, and the server keeps it open."""
        head, body = self._head, self._body
        if self._sock is None or head is None or body is None or not head.keep_alive or not body.done or body.rest:
            return False
        return not self._readable()

    @property
    def global_peer(self) -> bool:
        """Whether the other end is out on the internet, and not on this machine or in a private network."""
        import ipaddress

        try:
            return ipaddress.ip_address(self._socket().getpeername()[0].partition("%")[0]).is_global
        except (OSError, ValueError, AttributeError):  # gone already, or not a TCP socket of our own
            return False

    def close(self) -> None:
        """Close the connection; idempotent."""
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._stop is not None:
                self._stop.detach()
            sock.close()

    def __del__(self) -> None:
        self.close()

    def abandon(self) -> None:
        """Close a connection copied by a fork, in such a way that the parent's goes on undisturbed."""
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._stop is not None:
                self._stop.detach()
            # TLS would say goodbye on the parent's connection, and locks may be held by threads that are no more.
            with contextlib.suppress(OSError):
                close_for_good(sock)

    def _socket(self) -> Any:
        if self._sock is None:
            raise BrokenOff(f"the connection to {self.dialer.address} is closed")
        return self._sock

    def _readable(self) -> bool:
        from urllib3.util import wait_for_read

        # Nothing is due on a connection at rest: what can be read is its end, or an answer to nothing. Over TLS, the
        # server's goodbye may have been read along with its answer.
        return getattr(self._sock, "ended", False) or wait_for_read(self._sock, timeout=0)

    def _set_timeout(self, seconds: float) -> None:
        # A timeout of 0 would mean "do not block", and each call costs a system call.
        timeout = None if seconds == float("inf") else max(seconds, 0.001)
        if timeout != self._timeout:
            self._socket().settimeout(timeout)
            self._timeout = timeout

    def _receive(self, seconds: float, end: float, left: float) -> bytes:
        # `left` are the seconds until `end`; of those that were granted, `seconds`, the error speaks.
        stop = self._stop
        while True:
            # Looked at also where bytes come all the time, as they may add up to nothing.
            if stop is not None and stop.stopped:
                raise Unreachable("stopped")
            if left <= 0:
                raise IdleTimeout(f"{self.dialer.address} has been silent for {seconds:g} s")
            sock = self._socket()
            self._set_timeout(slice_of(left) if stop is None else stop.slice(left))
            try:
                block: bytes = sock.recv(self._asked) or b""  # the end of TLS within TLS is a 0
                self._asked = BLOCK if len(block) >= LITTLE else LITTLE
                return block
            except TimeoutError as error:
                if error.errno == errno.ETIMEDOUT:
                    raise IdleTimeout(f"{self.dialer.address} is gone: it acknowledges nothing any more") from error
            except OSError as error:
                if is_unexpected_eof(error):
                    return b""
                raise Unreachable(f"the connection to {self.dialer.address} broke: {error}") from error
            left = end - time.monotonic()


def _let_go() -> None:
    for wire in list(_wires):
        wire.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
