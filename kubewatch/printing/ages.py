"""Times as tables show them: ``75s``, ``3m20s``, ``5h``, ``12d``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any


def age(timestamp: Any, now: datetime) -> str:
    """How long ago an RFC 3339 ``timestamp`` was; ``<unknown>`` when there is none."""
    if not timestamp:
        return "<unknown>"
    then = parse(timestamp)
    return "<invalid>" if then is None else human_duration((now - then).total_seconds())


def parse(timestamp: Any) -> datetime | None:
    """An RFC 3339 timestamp as a datetime, None when it is none."""
    try:
        then = datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    except ValueError:
        return None
    return then if then.tzinfo else then.replace(tzinfo=timezone.utc)


def human_duration(seconds: float) -> str:
    """Two or three significant figures of a number of seconds, as kubectl shows an age.

    >>> human_duration(200), human_duration(7 * 3600)
    ('3m20s', '7h')
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{max(whole, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"
