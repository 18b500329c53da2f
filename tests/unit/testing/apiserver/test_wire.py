"""Framing: what goes over the wire for given lines, to the byte."""

from __future__ import annotations

import gzip

import pytest

from kubewatch.testing.apiserver.wire import USUAL, BodySender, Cut, Request, Silence, Wire, response_head


def sent(lines: list[bytes], wire: Wire = USUAL, framing: str = "chunked") -> bytes:
    """All that is transmitted, up to where it breaks."""
    out: list[bytes] = []
    sender = BodySender(lambda data, _drip: out.append(data), wire, framing)
    try:
        sender.send_all([lines])
        sender.finish()
    except Cut:
        out.append(b"<cut>")
    except Silence:
        out.append(b"<silence>")
    return b"".join(out)


def test_each_line_is_a_chunk() -> None:
    assert sent([b"one\n", b"eleven...\n"]) == b"4\r\none\n\r\na\r\neleven...\n\r\n0\r\n\r\n"


def test_other_framings_add_nothing() -> None:
    assert sent([b"one\n", b"two\n"], framing="close") == b"one\ntwo\n"
    assert sent([b"one\n", b"two\n"], framing="content-length") == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1, b"4\r\no<cut>"),
        (4, b"4\r\none\n\r\n<cut>"),
        (5, b"4\r\none\n\r\n4\r\nt<cut>"),
    ],
)
def test_a_connection_is_cut_after_so_many_bytes_of_the_body(limit: int, expected: bytes) -> None:
    assert sent([b"one\n", b"two\n"], Wire(cut_after=limit)) == expected


def test_or_goes_silent_there() -> None:
    assert sent([b"one\n"], Wire(silent_after=2), "close") == b"on<silence>"


def test_a_limit_beyond_the_end_is_never_met() -> None:
    assert sent([b"one\n"], Wire(cut_after=100)) == b"4\r\none\n\r\n0\r\n\r\n"


def test_the_nearer_limit_counts() -> None:
    assert sent([b"one\n"], Wire(cut_after=3, silent_after=1), "close") == b"o<silence>"


def test_gzip_members_are_one_a_line() -> None:
    body = sent([b"one\n", b"two\n"], Wire(gzip_members=True), "close")
    first = gzip.compress(b"one\n")
    assert gzip.decompress(body) == b"one\ntwo\n"
    assert gzip.decompress(body[: len(first)]) == b"one\n"


def test_the_head_says_how_the_body_ends() -> None:
    assert b"Transfer-Encoding: chunked" in response_head(200, [], framing="chunked")
    assert b"Content-Length: 7" in response_head(200, [], framing="content-length", length=7)
    close = response_head(200, [], framing="close", close=True)
    assert b"Connection: close" in close
    assert b"Length" not in close
    assert response_head(429, [("Retry-After", "1")], framing="chunked").startswith(
        b"HTTP/1.1 429 Too Many Requests\r\n"
    )


def test_a_target_is_taken_apart() -> None:
    request = Request("GET", "/api/v1/pods%2Fx?watch=true&labelSelector=a%3Db%2Cc&empty=", {})
    assert request.path == "/api/v1/pods/x"
    assert request.query == {"watch": "true", "labelSelector": "a=b,c", "empty": ""}
