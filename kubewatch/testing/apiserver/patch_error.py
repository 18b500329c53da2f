"""The error that every kind of patch raises."""

from __future__ import annotations

INVALID = "the server rejected our request due to an error in our request"


class PatchError(Exception):
    """A patch that cannot be applied: ``message``, ``reason`` and ``code`` of the Status to answer with.

    Codes are those of a real kube-apiserver: 400 BadRequest for a malformed patch, 422 Invalid for a patch that does
    not fit the object, 413 RequestEntityTooLarge, 415 UnsupportedMediaType, and 500 without a reason where its
    strategic merge gives up.
    """

    def __init__(self, message: str, reason: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code


def malformed(why: str) -> PatchError:
    return PatchError(why, "BadRequest", 400)


def does_not_apply(why: str) -> PatchError:
    """The real server's text ends before the colon; what follows says what was wrong."""
    return PatchError(f"{INVALID}: {why}", "Invalid", 422)


def gave_up(why: str) -> PatchError:
    return PatchError(why, "", 500)
