"""Scripted failures: which answers to spoil, and how. Faults are data; ``spoil`` and ``wire`` act on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

import msgspec

from .status import REASONS, Json, failure


@dataclass(frozen=True)
class Answer:
    """Another answer instead of the real one."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CutConnection:
    """The connection is cut: before the status line, after so many bytes of the body, or after so many events."""

    after_bytes: int | None = None
    after_events: int | None = None
    reset: bool = False


@dataclass(frozen=True)
class GoSilent:
    """The connection stays open and nothing more is sent: not an event, not a bookmark, not the end."""

    after_bytes: int | None = None
    after_events: int | None = None


@dataclass(frozen=True)
class Drip:
    """The body comes a few bytes at a time, with a pause (seconds) after each."""

    size: int
    pause: float


@dataclass(frozen=True)
class Framing:
    """The body is framed as ``chunked``, ``content-length`` or ``close``; ``events`` ends a watch after so many."""

    framing: str
    events: int | None = None


@dataclass(frozen=True)
class GzipMembers:
    """A watch's events come gzipped, each as a gzip member of its own."""


@dataclass(frozen=True)
class Line:
    """A line of the caller's own in a watch, after so many events; ``ends`` closes the watch after it."""

    line: bytes
    after_events: int = 0
    ends: bool = False


@dataclass(frozen=True)
class TruncateLine:
    """The event after so many others is cut short by ``drop`` bytes, and the watch ends there, in good order."""

    after_events: int = 0
    drop: int = 10


@dataclass(frozen=True)
class Undecodable:
    """The object of the event after so many others (the list's item at that place) has labels of the wrong type."""

    after_events: int = 0


@dataclass(frozen=True)
class BookmarkTwice:
    """Every bookmark comes twice."""


@dataclass(frozen=True)
class BookmarkLate:
    """Every bookmark comes after the next event, which is newer than it."""


@dataclass(frozen=True)
class RefuseInitialEvents:
    """sendInitialEvents is answered with 422, or (``ignore``) overlooked, as servers do that do not know it."""

    ignore: bool = False


AnyFault: TypeAlias = (
    Answer
    | CutConnection
    | GoSilent
    | Drip
    | Framing
    | GzipMembers
    | Line
    | TruncateLine
    | Undecodable
    | BookmarkTwice
    | BookmarkLate
    | RefuseInitialEvents
)


class Fault:
    """The faults by name, for tests: ``server.faults.add(Fault.status(429, retry_after=1), verb="list", times=2)``."""

    @staticmethod
    def status(
        code: int,
        *,
        reason: str | None = None,
        message: str = "a scripted failure",
        retry_after: int | None = None,
        details: Json | None = None,
        text: str | None = None,
    ) -> Answer:
        """A failure: with a Status object, or with plain ``text`` as a proxy sends it. ``retry_after`` in seconds."""
        headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
        if text is not None:
            return Answer(code, text.encode(), "text/plain; charset=utf-8", headers)
        if retry_after is not None:
            details = {"retryAfterSeconds": retry_after, **(details or {})}
        status = failure(code, REASONS.get(code, "") if reason is None else reason, message, details=details)
        return Answer(code, msgspec.json.encode(status) + b"\n", headers=headers)

    @staticmethod
    def gone() -> Answer:
        """HTTP status 410, reason Expired."""
        return Fault.status(410, message="The provided resource version is too old.")

    @staticmethod
    def answer(code: int, body: bytes, *, content_type: str = "application/json", **headers: str) -> Answer:
        """Any answer at all."""
        return Answer(code, body, content_type, tuple((key.replace("_", "-"), value) for key, value in headers.items()))

    @staticmethod
    def cut(after_bytes: int | None = None, *, after_events: int | None = None, reset: bool = False) -> CutConnection:
        """Cuts the connection; without a place, before the status line. ``reset``: with RST instead of FIN."""
        return CutConnection(after_bytes, after_events, reset)

    @staticmethod
    def silent(after_bytes: int | None = None, *, after_events: int | None = None) -> GoSilent:
        """Leaves the connection half-open; without a place, before the status line."""
        return GoSilent(after_bytes, after_events)

    @staticmethod
    def drip(size: int = 1, pause: float = 0.01) -> Drip:
        return Drip(size, pause)

    @staticmethod
    def error_event(
        code: int = 410, *, reason: str | None = None, message: str = "", after_events: int = 0, ends: bool = True
    ) -> Line:
        """An ERROR event with a Status, within an answer of status 200."""
        reason = REASONS.get(code, "") if reason is None else reason
        status = failure(code, reason, message or "too old resource version: 1 (2)")
        return Line(msgspec.json.encode({"type": "ERROR", "object": status}) + b"\n", after_events, ends)

    @staticmethod
    def line(line: bytes, *, after_events: int = 0, ends: bool = False) -> Line:
        """Any line at all."""
        return Line(line, after_events, ends)

    @staticmethod
    def malformed_line(after_events: int = 0) -> Line:
        """A line that is no JSON; the watch goes on."""
        return Line(b'{"type":"ADDED","object":{{]\n', after_events)

    @staticmethod
    def truncated_line(after_events: int = 0, drop: int = 10) -> TruncateLine:
        return TruncateLine(after_events, drop)

    @staticmethod
    def undecodable(after_events: int = 0) -> Undecodable:
        return Undecodable(after_events)

    @staticmethod
    def duplicate_bookmarks() -> BookmarkTwice:
        return BookmarkTwice()

    @staticmethod
    def late_bookmarks() -> BookmarkLate:
        return BookmarkLate()

    @staticmethod
    def refuse_initial_events(*, ignore: bool = False) -> RefuseInitialEvents:
        return RefuseInitialEvents(ignore)

    @staticmethod
    def chunked() -> Framing:
        """A list in chunks (watches come so anyway)."""
        return Framing("chunked")

    @staticmethod
    def content_length(events: int | None = None) -> Framing:
        """A body of announced length: a watch is sent in one piece when it ends, which it does after ``events``."""
        return Framing("content-length", events)

    @staticmethod
    def close_delimited(events: int | None = None) -> Framing:
        """A body that ends where the connection does."""
        return Framing("close", events)

    @staticmethod
    def gzip_members() -> GzipMembers:
        return GzipMembers()


@dataclass(frozen=True)
class Asked:
    """What a fault is matched against."""

    method: str
    path: str
    verb: str = ""  # list, watch, get, create, …; empty for what is on no resource
    kind: str = ""
    plural: str = ""


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_OF_WATCHES = (Line, TruncateLine, GzipMembers, BookmarkTwice, BookmarkLate, RefuseInitialEvents)


def _verbs_of(fault: AnyFault) -> tuple[str, ...]:
    """The verbs whose answers the fault can spoil; none: every answer."""
    if isinstance(fault, _OF_WATCHES):
        return ("watch",)
    if isinstance(fault, (CutConnection, GoSilent)) and fault.after_events is not None:
        return ("watch",)
    return ("list", "watch") if isinstance(fault, Undecodable) else ()


@dataclass
class _Rule:
    faults: tuple[AnyFault, ...]
    left: int | None
    method: str = ""
    verb: str = ""
    path: str = ""
    kind: str = ""

    def can_spoil(self, verb: str) -> bool:
        """Whether all of the faults can happen to an answer to this verb."""
        return all(not verbs or verb in verbs for verbs in map(_verbs_of, self.faults))

    def fits(self, asked: Asked) -> bool:
        return (
            self.can_spoil(asked.verb)
            and (not self.method or self.method == asked.method)
            and (not self.verb or self.verb == asked.verb)
            and (not self.kind or self.kind in (asked.kind, asked.plural))
            and (not self.path or fnmatchcase(asked.path, self.path))
        )


@dataclass
class Faults:
    """The script: what ``add`` was given, used up in that order by the requests that fit. Safe from any thread."""

    _compact: Callable[[], int]
    _now: Callable[[Sequence[AnyFault], Callable[[Asked], bool]], int]
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _rules
    _rules: list[_Rule] = field(default_factory=list)

    def add(
        self,
        *faults: AnyFault,
        verb: str = "",
        method: str = "",
        path: str = "",
        kind: str = "",
        times: int | None = 1,
    ) -> None:
        """Spoils the answers to the next ``times`` requests that fit (None: to all, until ``clear``).

        ``path`` is a pattern (``/api/v1/*``), ``kind`` a kind or a plural. Several faults are applied to the same
        answer. Faults of lines and events hit only what has some. Raises ``ValueError`` for what can never happen.
        """
        rule = _Rule(faults, times, method, verb, path, kind)
        if not faults:
            raise ValueError("add() needs a fault, such as Fault.status(500)")
        if times is not None and times < 1:
            raise ValueError(f"times={times}: a fault happens at least once, or until clear() if times is None")
        if verb and verb not in VERBS:
            raise ValueError(f"verb={verb!r} is none of {', '.join(VERBS)}")
        if verb and not rule.can_spoil(verb):
            raise ValueError(f"this cannot happen to the answer to a {verb}: {faults}")
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forgets every fault not yet used up."""
        with self._lock:
            self._rules.clear()

    @property
    def pending(self) -> int:
        """How many rules wait for a request."""
        with self._lock:
            return len(self._rules)

    def take(self, asked: Asked) -> tuple[AnyFault, ...]:
        """The faults for one request, counted as used."""
        if not self._rules:
            return ()
        with self._lock:
            for rule in self._rules:
                if rule.fits(asked):
                    if rule.left is not None:
                        rule.left -= 1
                        if rule.left <= 0:
                            self._rules.remove(rule)
                    return rule.faults
        return ()

    def now(self, *faults: AnyFault, kind: str = "", path: str = "") -> int:
        """Does it to the watches that are open now: cut, silent, a line, an ERROR event. Returns how many there are."""
        rule = _Rule(faults, None, kind=kind, path=path)
        return self._now(faults, rule.fits)

    def drop_watches(self, *, kind: str = "", reset: bool = False) -> int:
        """Cuts every open watch at once; returns how many."""
        return self.now(CutConnection(reset=reset), kind=kind)

    def expire_watches(self, *, kind: str = "") -> int:
        """Ends every open watch with an ERROR event of code 410; returns how many."""
        return self.now(Fault.error_event(410), kind=kind)

    def compact(self) -> int:
        """Makes every version and continue token handed out so far too old. Returns the oldest that is not."""
        return self._compact()
