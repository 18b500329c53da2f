"""Messages that JSON shows as one value: times, durations, numbers or texts, JSON within protobuf."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from .protobuf_wire import Malformed, Occurrences, number, payload, scalars

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNITS = ((3_600_000_000_000, "h"), (60_000_000_000, "m"))


def time(found: Occurrences) -> str | None:
    """To the second; None if it is unset, which is when it has no fields."""
    return f"{_moment(found):%Y-%m-%dT%H:%M:%SZ}" if found else None


def micro_time(found: Occurrences) -> str | None:
    """To the microsecond."""
    return f"{_moment(found) + _fraction(found):%Y-%m-%dT%H:%M:%S.%fZ}" if found else None


def _moment(found: Occurrences) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=number(found, 1))
    except OverflowError as error:
        raise Malformed(f"a time {number(found, 1)} s after 1970 has no date") from error


def _fraction(found: Occurrences) -> timedelta:
    return timedelta(microseconds=number(found, 2) // 1000)


def duration(found: Occurrences) -> str:
    """As Go writes it.

    >>> duration({1: [(0, 5_400_000_000_000, b"")]})
    '1h30m0s'
    """
    left = number(found, 1)
    if not left:
        return "0s"
    sign, left = ("-", -left) if left < 0 else ("", left)
    for size, unit in ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")):
        if left < size:
            return f"{sign}{_decimal(left, size // 1000)}{unit}"
    text = sign
    for size, unit in _UNITS:
        if left >= size or text.strip("-"):
            text += f"{left // size}{unit}"
            left %= size
    return f"{text}{_decimal(left, 1_000_000_000)}s"


def _decimal(value: int, of: int) -> str:
    whole, rest = divmod(value, of)
    digits = f"{rest:0{len(str(of)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def int_or_string(found: Occurrences) -> int | str:
    """The number in field 2 or the text in field 3, whichever field 1 says."""
    if number(found, 1) == 0:
        numbers: list[int] = scalars("int32", found.get(2, ()))
        return numbers[-1] if numbers else 0
    texts: list[str] = scalars("string", found.get(3, ()))
    return texts[-1] if texts else ""


def json_of(found: Occurrences) -> Any:
    """What is kept as JSON in field 1; None if nothing is."""
    text = payload(found.get(1, ()))
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise Malformed(f"a field that holds JSON does not: {error}") from error
