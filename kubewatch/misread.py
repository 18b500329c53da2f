"""What to say of bytes that are not what they should be, without saying what a Secret holds."""

from __future__ import annotations

from .decode import decode_status, salvage
from .errors import ApiError, DecodeFailed, WatchFailed

SHOWN = 200  # bytes of an odd line in a message


def undecodable(kind: str, raw: bytes, error: Exception) -> DecodeFailed:
    """The error item for an object that does not decode; it says which object as far as its bytes tell."""
    found = salvage(raw)
    name = f"{found.namespace}/{found.name}" if found.namespace else found.name or "(no name)"
    # A validator's words may quote what they found.
    why = type(error).__name__ if kind == "Secret" else f"{type(error).__name__}: {error}"
    return DecodeFailed(
        f"{kind} {name} could not be decoded: {why}",
        kind=kind,
        namespace=found.namespace,
        object_name=found.name,
        raw=raw,
        cause=ValueError(f"{why}, whose words are left out as they may quote the Secret")
        if kind == "Secret"
        else error,
    )


def malformed(what: str, line: bytes, error: Exception, *, secret: bool) -> WatchFailed:
    """The error item for a line that is no frame; its cause is an ApiError where the line is a bare Status."""
    try:
        status = decode_status(line)
    except Exception:
        shown = "" if secret else f": {line[:SHOWN]!r}"
        return WatchFailed(f"the watch of {what} brought a line that is no event{shown}", error)
    cause = ApiError(status.code or 0, status.reason, status.message, details=status.details)
    return WatchFailed(f"the watch of {what} brought an error: {cause}", cause)
