"""Acting on faults: what becomes of an answer's wire and of a watch's lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from .faults import (
    AnyFault,
    BookmarkLate,
    BookmarkTwice,
    CutConnection,
    Drip,
    Framing,
    GoSilent,
    GzipMembers,
    Line,
    TruncateLine,
    Undecodable,
)
from .wire import USUAL, Cut, Silence, Wire

F = TypeVar("F")
Lines = Iterator[Sequence[bytes]]

_BOOKMARK = b'{"type":"BOOKMARK"'


def find(faults: Sequence[AnyFault], kind: type[F]) -> F | None:
    """The fault of that kind, if there is one."""
    for fault in faults:
        if isinstance(fault, kind):
            return fault
    return None


def wire_of(faults: Sequence[AnyFault]) -> Wire:
    """How an answer with these faults goes over the wire."""
    if not faults:
        return USUAL
    cut, silent = find(faults, CutConnection), find(faults, GoSilent)
    drip, framing = find(faults, Drip), find(faults, Framing)
    before_head = any(one and one.after_bytes is None and one.after_events is None for one in (cut, silent))
    return Wire(
        before_head=before_head,
        cut_after=(cut.after_bytes or 0 if before_head else cut.after_bytes) if cut else None,
        reset=bool(cut and cut.reset),
        silent_after=silent.after_bytes if silent else None,
        drip=(drip.size, drip.pause) if drip else None,
        framing=framing.framing if framing else "",
        gzip_members=find(faults, GzipMembers) is not None,
    )


def spoil_lines(lines: Lines, faults: Sequence[AnyFault]) -> Lines:
    """A watch's lines, as the faults leave them."""
    for fault in faults:
        if isinstance(fault, Line):
            lines = _with_line(lines, fault)
        elif isinstance(fault, TruncateLine):
            lines = _truncated(lines, fault)
        elif isinstance(fault, Undecodable):
            lines = _with_undecodable(lines, fault)
        elif isinstance(fault, BookmarkTwice):
            lines = ([copy for line in batch for copy in _bookmark_copies(line)] for batch in lines)
        elif isinstance(fault, BookmarkLate):
            lines = _with_late_bookmarks(lines)
        elif isinstance(fault, (CutConnection, GoSilent)) and fault.after_events is not None:
            lines = _broken_off(
                lines, fault.after_events, Cut(reset=fault.reset) if isinstance(fault, CutConnection) else Silence()
            )
        elif isinstance(fault, Framing) and fault.events is not None:
            lines = _first(lines, fault.events)
    return lines


def spoil_list(body: bytes, faults: Sequence[AnyFault]) -> bytes:
    """A list's body, as the faults leave it."""
    fault = find(faults, Undecodable)
    if fault is None:
        return body
    document = msgspec.json.decode(body)
    items = document.get("items") or []
    if fault.after_events < len(items):
        _spoil_object(items[fault.after_events])
    return msgspec.json.encode(document)


def _one_by_one(lines: Lines) -> Iterator[bytes]:
    for batch in lines:
        yield from batch


def _with_line(lines: Lines, fault: Line) -> Lines:
    seen = 0
    if fault.after_events == 0:
        yield [fault.line]
        if fault.ends:
            return
    for line in _one_by_one(lines):
        yield [line]
        seen += not line.startswith(_BOOKMARK)
        if seen == fault.after_events and not line.startswith(_BOOKMARK):
            yield [fault.line]
            if fault.ends:
                return


def _truncated(lines: Lines, fault: TruncateLine) -> Lines:
    for seen, line in enumerate(_one_by_one(lines)):
        if seen == fault.after_events:
            yield [line[: max(1, len(line) - fault.drop)]]
            return
        yield [line]


def _with_undecodable(lines: Lines, fault: Undecodable) -> Lines:
    for seen, line in enumerate(_one_by_one(lines)):
        if seen == fault.after_events:
            event = msgspec.json.decode(line)
            _spoil_object(event["object"])
            yield [msgspec.json.encode(event) + b"\n"]
        else:
            yield [line]


def _spoil_object(document: dict[str, object]) -> None:
    """Leaves name, namespace and version readable: a report should be able to say which object it was."""
    metadata = document["metadata"]
    if isinstance(metadata, dict):
        metadata["labels"] = "not a mapping"


def _bookmark_copies(line: bytes) -> list[bytes]:
    return [line, line] if line.startswith(_BOOKMARK) else [line]


def _with_late_bookmarks(lines: Lines) -> Lines:
    held = b""
    for line in _one_by_one(lines):
        if line.startswith(_BOOKMARK):
            held = line
            continue
        yield [line]
        if held:
            yield [held]
            held = b""
    if held:
        yield [held]


def _broken_off(lines: Lines, after: int, how: Exception) -> Lines:
    if after == 0:
        raise how
    for seen, line in enumerate(_one_by_one(lines), 1):
        yield [line]
        if seen == after:
            raise how


def _first(lines: Lines, count: int) -> Lines:
    for seen, line in enumerate(_one_by_one(lines), 1):
        yield [line]
        if seen == count:
            return
