"""Refusals: the errors of a watch that waiting does not mend, for those who are to end rather than to try for ever."""

from __future__ import annotations

from collections.abc import Callable

from .errors import ApiError, AuthError, DecodeFailed, WatchError, WatchFailed, WatchStartFailed, WatchStatusError
from .vitals import Vitals

# Refusals that another try may turn: too slow, in conflict, expired, too many.
_PASSING = (408, 409, 410, 429)


def is_refusal(error: WatchError) -> bool:
    """Whether the server refused what was asked for, and will until somebody changes it: 401, 403, 404, …

    >>> from kubewatch.errors import InitialListFailed
    >>> is_refusal(InitialListFailed("no", ApiError(403, "Forbidden", "no")))
    True
    """
    cause = error.__cause__
    if isinstance(cause, ApiError):
        return 400 <= cause.code < 500 and cause.code not in _PASSING
    return isinstance(cause, AuthError)


def refused(vitals: Vitals) -> Callable[[WatchError], bool]:
    """A `giveup` for who waits: whether an error is one that waiting does not mend.

    That is a refusal of what the server has never granted so far, to list or to watch. What was granted once comes
    back: a kube-apiserver that has just started may refuse what it will grant in a moment. And it is an object that
    cannot be decoded, as nothing can be told of it.
    """
    watched = False

    def giveup(error: WatchError) -> bool:
        nonlocal watched
        if isinstance(error, DecodeFailed):
            return True
        if isinstance(error, WatchStartFailed):
            granted = watched or vitals.restarts["closed"] + vitals.restarts["idle"] > 0
        else:
            watched = watched or isinstance(error, (WatchFailed, WatchStatusError))
            granted = vitals.resource_version is not None
        return not granted and is_refusal(error)

    return giveup
