"""Answers: what is shown of them, and the errors that they are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from kubewatch.answers import Response, api_error, retry_after
from kubewatch.http1 import Head


def head(status: int, **headers: str) -> Head:
    return Head(status, "Some Reason", {name.replace("_", "-"): value for name, value in headers.items()}, True)


def test_an_answer_does_not_show_its_body() -> None:
    answer = Response(200, {}, b'{"kind": "Secret", "data": {"password": "cGFzcw=="}}')
    assert repr(answer) == "Response(200, 52 bytes)"
    assert answer.__rich_repr__() == [("status", 200), ("bytes", 52)]


def test_a_status_becomes_an_error_with_all_that_it_says() -> None:
    body = b'{"kind":"Status","code":409,"reason":"Conflict","message":"changed","details":{"name":"web"}}'
    error = api_error(head(409), body, "PUT /api/v1/pods/web")
    assert (error.code, error.reason, error.message, error.details) == (409, "Conflict", "changed", {"name": "web"})
    assert str(error) == "PUT /api/v1/pods/web: 409 Conflict: changed"


def test_a_status_without_code_and_reason_gets_those_of_http() -> None:
    error = api_error(head(503), b'{"kind":"Status"}', "GET /")
    assert (error.code, error.reason) == (503, "Some Reason")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"kind":"Pod"}', b"{broken", b"\xff\xfe"])
def test_any_other_body_becomes_an_error_all_the_same(body: bytes) -> None:
    error = api_error(head(502), body, "GET /")
    assert (error.code, error.reason) == (502, "Failed to parse error data")
    assert error.message


def test_a_long_text_is_cut() -> None:
    assert len(api_error(head(500), b"x" * 60_000, "GET /").message) == 1000


def test_a_sensible_pause_is_honoured_and_an_absurd_one_left_to_our_backoff() -> None:
    """Row 140: retry_after_overflow_falls_back_to_backoff."""
    assert retry_after("30") == 30.0
    assert retry_after("18446744073709551615") is None
    assert retry_after("9" * 5000) is None


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "²", "Wed, 21 Oct 2015 07:28:00"])
def test_what_is_no_pause_is_none(value: str | None) -> None:
    assert retry_after(value) is None


def test_a_pause_may_be_given_as_a_date() -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    earlier = format_datetime(datetime.now(timezone.utc) - timedelta(seconds=90), usegmt=True)
    assert 80 < (retry_after(later) or 0) <= 90
    assert retry_after(earlier) == 0.0


def test_a_pause_may_be_given_in_the_status() -> None:
    body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'
    assert api_error(head(429), body, "GET /").retry_after == 7.0
    assert api_error(head(429, retry_after="3"), body, "GET /").retry_after == 3.0
    assert api_error(head(429), b'{"kind":"Status","details":{"retryAfterSeconds":"x"}}', "GET /").retry_after is None
