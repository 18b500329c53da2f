"""Answers: what a request brought, and the error that an answer with a status of 300 and more is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import msgspec

from .decode import Status, decode_status
from .errors import ApiError
from .http1 import Head

# Characters of an error that is no Status.
MESSAGE_LIMIT = 1000

# Seconds. A server that asks for a longer pause has lost its wits, and our own backoff decides.
LONGEST_PAUSE = 3600.0

UNPARSED = "Failed to parse error data"


class Response(msgspec.Struct, frozen=True):
    """A successful answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"  # which may be a Secret

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # what `rich` shows; a Struct's own has all
        return [("status", self.status), ("bytes", len(self.body))]


def api_error(head: Head, body: bytes, request: str) -> ApiError:
    """The error that an answer with a status of 300 and more is.

    A body that is no Status becomes the message as it is, trimmed.
    """
    try:
        status = decode_status(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = body.decode(errors="backslashreplace").strip()[:MESSAGE_LIMIT]
        if 300 <= head.status < 400:
            text = (
                f"the server sends us on to {head.headers.get('location', 'nowhere')}: use that address. {text}".strip()
            )
        status = Status("Status", head.status, UNPARSED, text or head.reason)
    return ApiError(
        status.code or head.status,
        status.reason or head.reason,
        status.message,
        details=status.details,
        retry_after=retry_after(head.headers.get("retry-after"), status),
        request=request,
    )


def retry_after(header: str | None, status: Status | None = None) -> float | None:
    """The seconds that a server asks us to wait: a Retry-After header in seconds or as a date, or what a Status says.

    None for none and for absurd ones.

    >>> retry_after("30"), retry_after("18446744073709551615"), retry_after("soon")
    (30.0, None, None)
    """
    seconds: float | None = None
    if header is not None and header.isascii() and header.isdecimal():
        seconds = float(header)
    elif header is not None:
        from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(timezone.utc)).total_seconds()
        except (TypeError, ValueError, OverflowError):  # no date, or one without a time zone
            seconds = None
    elif status is not None:
        value = status.details.get("retryAfterSeconds")
        seconds = float(value) if isinstance(value, int) and value > 0 else None
    return None if seconds is None or seconds > LONGEST_PAUSE else max(seconds, 0.0)
