"""HTTP/1.1 framing without I/O: whatever way the bytes are cut, the same head and the same body come out."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.errors import InvalidInput
from kubewatch.http1 import MAX_HEAD, BadResponse, Body, Head, Truncated, encode_request, parse_head
from kubewatch.spans import joined

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_GZIP = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"


def head_of(data: bytes) -> Head:
    parsed = parse_head(data)
    assert parsed is not None
    return parsed[0]


def body_of(head: bytes, method: str = "GET") -> Body:
    return Body(head_of(head), method)


def feed(body: Body, data: bytes) -> bytes:
    return joined(body.pieces(data))


def chunked(parts: Iterable[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in blocks of the given sizes; what is left is the last block."""
    blocks, at = [], 0
    for size in sizes:
        blocks.append(data[at : at + size])
        at += size
    return [block for block in [*blocks, data[at:]] if block]


# --- heads -----------------------------------------------------------------------------------------------------------


def test_a_head_is_status_reason_and_headers_with_lower_case_names() -> None:
    head = head_of(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX-A:1\r\n\r\n{}")
    assert (head.status, head.reason) == (404, "Not Found")
    assert head.headers == {"content-type": "application/json", "x-a": "1"}


@given(st.integers(0, len(CHUNKED) - 1))
def test_a_head_cut_anywhere_is_incomplete(length: int) -> None:
    assert parse_head(CHUNKED[:length]) is None


def test_repeated_headers_are_joined_and_folded_ones_unfolded() -> None:
    head = head_of(b"HTTP/1.1 200 OK\r\nWarning: a\r\nwarning: b\r\nX-Long: one\r\n  two\r\n\r\n")
    assert head.headers == {"warning": "a, b", "x-long": "one two"}


def test_a_status_line_may_lack_its_reason() -> None:
    assert head_of(b"HTTP/1.1 200\r\n\r\n").reason == ""


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: upgrade, close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_as_version_and_header_say(head: bytes, kept: bool) -> None:
    assert head_of(head).keep_alive is kept


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x03\x01\x00\x02\x02\x16",  # TLS where plain HTTP was expected
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD,
    ],
)
def test_what_is_no_http_head_is_refused(data: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_head(data)


# --- bodies ----------------------------------------------------------------------------------------------------------

PARTS = st.lists(st.binary(min_size=1, max_size=40), max_size=12)
SIZES = st.lists(st.integers(1, 30), max_size=40)


@given(
    PARTS,
    SIZES,
    st.sampled_from([b"", b";name=value", b" "]),
    st.sampled_from([b"", b"X-Trailer: 1\r\n", b"A: 1\r\nB: 2\r\n"]),
)
def test_a_chunked_body_is_the_same_however_it_is_cut(
    parts: list[bytes], sizes: list[int], extension: bytes, trailer: bytes
) -> None:
    body = body_of(CHUNKED)
    blocks = cut(chunked(parts, extension, trailer), sizes)
    assert b"".join(feed(body, block) for block in blocks) == b"".join(parts)
    assert body.done
    assert body.rest == b""
    body.finish()


@given(PARTS, SIZES, st.binary(max_size=20))
def test_what_follows_a_chunked_body_is_kept_apart(parts: list[bytes], sizes: list[int], extra: bytes) -> None:
    body = body_of(CHUNKED)
    assert b"".join(feed(body, block) for block in cut(chunked(parts) + extra, sizes)) == b"".join(parts)
    assert body.done
    assert body.rest == extra


@given(PARTS, SIZES, st.data())
def test_a_chunked_body_that_ends_early_gives_what_came_and_says_so(
    parts: list[bytes], sizes: list[int], data: st.DataObject
) -> None:
    whole = chunked(parts)
    end = data.draw(st.integers(0, len(whole) - 1))
    body = body_of(CHUNKED)
    came = b"".join(feed(body, block) for block in cut(whole[:end], sizes))
    assert b"".join(parts).startswith(came)
    assert not body.done
    with pytest.raises(Truncated):
        body.finish()


def test_each_chunk_comes_out_with_its_last_byte() -> None:
    body = body_of(CHUNKED)
    assert feed(body, b"5\r\nhello") == b"hello"
    assert feed(body, b"\r\n6\r\n world") == b" world"


@pytest.mark.parametrize(
    "data",
    [
        b"zz\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b";x\r\nabc\r\n",
        b"\r\nabc\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",  # longer than announced
        b"3\r\nab\r\n5\r\nhello\r\n0\r\n\r\n",  # shorter than announced
        b"1" * (MAX_HEAD + 1),
    ],
)
def test_broken_chunks_are_refused_not_guessed(data: bytes) -> None:
    body = body_of(CHUNKED)
    with pytest.raises(BadResponse):
        feed(body, data)


@pytest.mark.parametrize(
    "size",
    [
        *(b"+5", b"-5", b"-0", b"0x5", b"0X5", b"1_0", b" 5", b"\t5", b"\n5", b"5\n", b"5\v", b"5 5"),
        *(b"+5;x", b"0x5;x", b"1_0;x", b" 5;x", b"\n5;x", b"5;x\ny", b"5\n;x", b"+", b"_", b"0x", b" ", b"\xb2"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"5\r\nhello\r\n"], ids=["first", "later"])
def test_a_size_is_made_of_hexadecimal_digits_alone(size: bytes, before: bytes) -> None:
    """Python's `int` takes more than that, and another reader of the same bytes takes them for something else."""
    body = body_of(CHUNKED)
    with pytest.raises(BadResponse, match="size"):
        feed(body, before + size + b"\r\n")


@pytest.mark.parametrize("size", [b"a", b"A", b"0a", b"0" * 40 + b"A", b"a \t", b"a \t;x=y", b"00A;", b"a" + b" " * 40])
def test_a_size_may_have_leading_zeros_blanks_behind_it_and_an_extension(size: bytes) -> None:
    body = body_of(CHUNKED)
    assert feed(body, size + b"\r\n0123456789\r\n000\r\n\r\n") == b"0123456789"
    assert body.done


@given(st.binary(min_size=1, max_size=8), SIZES)
def test_a_size_is_taken_for_what_its_digits_say_and_nothing_else_is_taken_for_one(
    line: bytes, sizes: list[int]
) -> None:
    body, digits = body_of(CHUNKED), b"0123456789abcdefABCDEF"
    size = line.partition(b";")[0].rstrip(b" \t")
    is_one = size != b"" and not size.strip(digits) and not set(line) & set(b"\r\n")
    if is_one and 0 < (length := int(size, 16)) < 10_000:
        assert len(b"".join(feed(body, block) for block in cut(line + b"\r\n" + b"x" * length, sizes))) == length
    elif not is_one and b"\r\n" not in line + b"\r":
        with pytest.raises(BadResponse):
            feed(body, line + b"\r\n")


@pytest.mark.parametrize("end", [b"\r5", b"\r 5", b"\n\n5", b" \n5", b"\v\n5", b"\r\r5", b"x\n5", b"5"])
def test_what_stands_behind_a_chunk_is_a_line_end(end: bytes) -> None:
    body = body_of(CHUNKED)
    with pytest.raises(BadResponse):
        feed(body, b"5\r\nhello" + end + b"\r\nhello\r\n0\r\n\r\n")


@given(st.binary(max_size=60), SIZES, st.binary(max_size=10))
def test_a_body_of_known_length_is_the_same_however_it_is_cut(data: bytes, sizes: list[int], extra: bytes) -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
    assert b"".join(feed(body, block) for block in cut(data + extra, sizes)) == data
    assert body.done
    assert body.rest == extra


def test_a_body_of_known_length_that_ends_early_says_so() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert feed(body, b"abc") == b"abc"
    with pytest.raises(Truncated, match="2 bytes before the end"):
        body.finish()


def test_a_body_without_length_lasts_until_the_connection_ends() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\n\r\n")
    assert feed(body, b"abc") + feed(body, b"def") == b"abcdef"
    assert not body.done
    body.finish()
    assert body.done


@pytest.mark.parametrize(
    ("head", "method"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HEAD"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET"),
    ],
)
def test_some_answers_have_no_body(head: bytes, method: str) -> None:
    assert body_of(head, method).done


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: five",
        b"Content-Length: -1",
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: br",
    ],
)
def test_framing_that_is_not_understood_is_refused(header: bytes) -> None:
    with pytest.raises(BadResponse):
        body_of(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")


def test_a_content_length_said_twice_alike_counts_once() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n")
    assert feed(body, b"abc") == b"abc"


# --- gzip ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=60), max_size=6), SIZES, st.integers(0, 3))
def test_any_number_of_gzip_members_is_the_same_however_it_is_cut(
    parts: list[bytes], sizes: list[int], padding: int
) -> None:
    members = b"".join(gzip.compress(part) + b"\0" * padding for part in parts)
    body = body_of(CHUNKED_GZIP)
    came = b"".join(feed(body, block) for block in cut(chunked([members]), sizes))
    assert came == b"".join(parts)
    assert body.done
    body.finish()


def test_each_gzip_member_comes_out_with_its_last_byte() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    assert [feed(body, gzip.compress(event)) for event in (b"one\n", b"two\n")] == [b"one\n", b"two\n"]


def test_what_a_server_flushed_comes_out_before_the_member_ends() -> None:
    member = zlib.compressobj(wbits=31)
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\n\r\n")
    assert feed(body, member.compress(b"one\n") + member.flush(zlib.Z_SYNC_FLUSH)) == b"one\n"
    assert feed(body, member.compress(b"two\n") + member.flush(zlib.Z_SYNC_FLUSH)) == b"two\n"


def test_a_gzip_member_that_ends_early_says_so() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    feed(body, gzip.compress(b"x" * 1000)[:-4])
    with pytest.raises(Truncated, match="compressed"):
        body.finish()


def test_damaged_gzip_is_refused() -> None:
    body = body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    with pytest.raises(BadResponse, match="damaged"):
        feed(body, b"this is no gzip")


# --- requests --------------------------------------------------------------------------------------------------------


def test_a_request_is_its_line_its_headers_and_its_body() -> None:
    assert encode_request("POST", "/api", [("Host", "h"), ("X", "1")], b"{}") == (
        b"POST /api HTTP/1.1\r\nHost: h\r\nX: 1\r\nContent-Length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize("text", ["a\r\nX: 1", "a\nb", "a\0b"])
def test_nothing_breaks_out_of_its_line(text: str) -> None:
    with pytest.raises(InvalidInput):
        encode_request("GET", "/" + text, [])
    with pytest.raises(InvalidInput) as refused:
        encode_request("GET", "/", [("Authorization", text)])
    assert text not in str(refused.value)


def test_a_path_with_a_space_is_refused() -> None:
    with pytest.raises(InvalidInput, match="space"):
        encode_request("GET", "/a b", [])
