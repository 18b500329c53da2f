"""What clients have asked, for tests to look at."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .routes import Route
from .wire import Request


@dataclass(frozen=True)
class RecordedRequest:
    """A request as the server saw it; the value of an Authorization header is left out."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    verb: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    target: str = ""  # path and query as they were sent


class RequestLog:
    """The latest requests, oldest first. Safe from any thread."""

    def __init__(self, limit: int) -> None:
        self._changed = threading.Condition()  # guards _kept
        self._kept: deque[RecordedRequest] = deque(maxlen=limit)

    def append(self, request: RecordedRequest) -> None:
        with self._changed:
            self._kept.append(request)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._changed:
            return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        with self._changed:
            self._kept.clear()

    def of(self, verb: str = "", kind: str = "", path: str = "") -> list[RecordedRequest]:
        """The requests with that verb, of that kind, on that path; empty means any."""
        return [
            one
            for one in self
            if (not verb or one.verb == verb) and (not kind or one.kind == kind) and (not path or one.path == path)
        ]

    def wait_for(self, count: int, *, verb: str = "", kind: str = "", path: str = "", timeout: float = 10.0) -> bool:
        """Waits until ``of(verb, kind, path)`` has ``count`` requests; False after ``timeout`` seconds without."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.of(verb, kind, path)) >= count, timeout)


def recorded(request: Request, found: Route | None) -> RecordedRequest:
    """The record of a request, without its credentials."""
    headers = dict(request.headers)
    if "authorization" in headers:
        headers["authorization"] = headers["authorization"].partition(" ")[0] + " …"
    plain = RecordedRequest(request.method, request.path, request.query, headers, target=request.target)
    if found is None:
        return plain
    return replace(plain, verb=found.verb, kind=found.resource.kind, namespace=found.namespace, name=found.name)
