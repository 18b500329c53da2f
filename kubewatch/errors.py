"""Every error that kubewatch raises or hands out, and nothing else.

Families, told apart by what the caller can do:

- `InvalidInput`, `UnknownKind`: the call is wrong; it was refused before a request was made. Mend the call.
- `ApiError`, `Unreachable`, `AuthError`: a request failed. The message says which, and what to do.
- `WatchError`: something broke inside a watch. It travels *in band*, as an item of the stream: the watch goes on
  at the next pull. See https://docs.rs/kube-runtime/latest/kube_runtime/watcher/enum.Error.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class KubewatchError(Exception):
    """The base of all errors of kubewatch. They pickle and copy with all that they say, their `__cause__` left out."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are otherwise made anew by calling the class with the message, which most of ours do not take. One
        # that cannot be made anew breaks the process pool that it is raised in.
        return _same, (type(self), self.args), self.__dict__


def _same(kind: type[KubewatchError], args: tuple[Any, ...]) -> KubewatchError:
    return kind.__new__(kind, *args)


class InvalidInput(KubewatchError, ValueError):
    """A call that cannot work, refused before any request; the message names the mend."""


class UnknownKind(KubewatchError, LookupError):
    """The cluster serves no such kind; `near` holds the names that come close."""

    def __init__(self, wanted: str, near: tuple[str, ...] = ()) -> None:
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"the cluster serves no kind called {wanted!r}.{hint} See `kubectl api-resources`.")
        self.wanted = wanted
        self.near = near


class NoSuchObject(KubewatchError, KeyError):
    """What was looked up by name is not there; `near` holds the names that come close."""

    def __init__(self, wanted: str, place: str, near: tuple[str, ...] = ()) -> None:
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"there is no {wanted!r} among {place}.{hint}")
        self.wanted = wanted
        self.near = near

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would quote it


class Unreadable(KubewatchError, ValueError):
    """Bytes of an object turned out, when they were first touched, to be no text, or a number that nothing can hold.

    The object's metadata is good. No API server sends such bytes: look for what stands between it and here.
    """


class Unreachable(KubewatchError, ConnectionError):
    """No answer came: the connection could not be made, broke, or stayed silent."""


class IdleTimeout(Unreachable):
    """The server stayed silent for longer than was agreed. A watch takes it for its end, and resumes."""


class AuthError(KubewatchError):
    """Credentials could not be loaded, or the server refused them (HTTP 401)."""


class ApiError(KubewatchError):
    """The server answered with an error; built from its Status object.

    `code` is the HTTP status, `reason` the machine-readable word (`NotFound`, `Conflict`, `Expired`, …),
    `retry_after` seconds the server asked us to wait, if it did.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        request: str = "",
    ) -> None:
        super().__init__(f"{request}: {code} {reason}: {message}" if request else f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after
        self.request = request


class StreamUsed(KubewatchError, RuntimeError):
    """A stream was iterated or chained twice; streams are single-use, build a new one."""


class WriterDropped(KubewatchError):
    """The store's writer is gone before the store was ever filled: it will never become ready."""


class StaleAfterFork(KubewatchError):
    """The store was filled by a thread of the parent process, which a fork does not copy."""


class ConditionTimeout(KubewatchError, TimeoutError):
    """What was waited for did not come in time. `last` is what was seen last, None for absence, `seen` says it."""

    last: Any = None
    seen: str = ""


class ConditionFailed(KubewatchError):
    """What was waited for will not come: what it was not to be (`unless`) came instead. `last` and `seen` say what."""

    last: Any = None
    seen: str = ""


class WatchError(KubewatchError):
    """Something broke inside a watch. Retryable, always: the next pull goes on.

    `code` is the HTTP or Status code, if a server's answer is the cause, else None.
    """

    code: int | None = None
    retry_after: float | None = None

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.__cause__ = cause
        if isinstance(cause, ApiError):
            self.code = cause.code
            self.retry_after = cause.retry_after


class InitialListFailed(WatchError):
    """The list that opens a watch failed, on any of its pages."""


class WatchStartFailed(WatchError):
    """The server refused to start the watch."""


class WatchFailed(WatchError):
    """The running watch broke: the connection was reset, or a line was no event."""


class WatchStatusError(WatchError):
    """The server sent an ERROR frame; `code` and `reason` are those of its Status."""

    def __init__(self, message: str, code: int | None, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class NoResourceVersion(WatchError):
    """A list or an event came without resourceVersion: there is no place to watch on from."""


class DecodeFailed(WatchError):
    """One object could not be decoded; the others are unharmed, and the watch goes on.

    `kind`, `namespace`, `object_name` say which object as far as its bytes tell, `raw` is what came (bytes; never part
    of the message, as it may be a Secret).
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        namespace: str | None,
        object_name: str | None,
        raw: bytes,
        cause: BaseException,
    ) -> None:
        super().__init__(message, cause)
        self.kind = kind
        self.namespace = namespace
        self.object_name = object_name
        self.raw = raw


class FunctionFailed(WatchError):
    """A function that the user gave to a stage (`modify`, `filter`, `map`, a predicate, …) raised on one object.

    The object is passed over (not by `inspect`, which changes nothing), the watch goes on; `__cause__` is what the
    function raised. No backoff consumes this error, as no retry mends it.
    """
