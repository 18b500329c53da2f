"""How much a connection asks of its socket, which costs memory while it waits and calls while much comes."""

from __future__ import annotations

from typing import Any

from kubewatch.wire import BLOCK, LITTLE, Wire


class Coming:
    """A server that accepted a watch, and its socket; what comes is given by `sizes`, in bytes."""

    address = "a server"

    def __init__(self, *sizes: int) -> None:
        self._coming = iter([b"HTTP/1.1 200 OK\r\n\r\n", *(b"x" * size for size in sizes)])
        self.asked: list[int] = []

    def connect(self, stop: object) -> Any:
        return self

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        return next(self._coming)

    def sendall(self, data: bytes) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


def asked_of(server: Coming, reads: int) -> list[int]:
    wire = Wire(server)  # type: ignore[arg-type]  # what a dialer is to a wire without a stop
    wire.ask("GET", b"", 1.0)
    del server.asked[:]
    for _ in range(reads):
        wire.read(1.0)
    return server.asked


def test_a_connection_asks_for_little_until_that_is_not_enough() -> None:
    assert asked_of(Coming(8_000, LITTLE, BLOCK, 8_000, 8_000), 5) == [LITTLE, LITTLE, BLOCK, BLOCK, LITTLE]


def test_it_asks_for_much_as_long_as_much_comes() -> None:
    assert asked_of(Coming(LITTLE, 20_000, 30_000, 20_000), 4) == [LITTLE, BLOCK, BLOCK, BLOCK]
