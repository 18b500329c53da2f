"""Faults: which request they hit, and what they make of an answer. Lines in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from kubewatch.testing.apiserver.faults import Answer, AnyFault, Asked, Fault, Faults
from kubewatch.testing.apiserver.spoil import spoil_lines, spoil_list, wire_of
from kubewatch.testing.apiserver.wire import USUAL, Cut, Silence

LIST = Asked("GET", "/api/v1/pods", "list", "Pod", "pods")
WATCH = Asked("GET", "/api/v1/pods", "watch", "Pod", "pods")


def faults() -> Faults:
    return Faults(lambda: 0, lambda _faults, _fits: 0)


class TestScript:
    def test_no_fault_is_the_usual_case(self) -> None:
        assert faults().take(LIST) == ()
        assert wire_of(()) is USUAL

    def test_a_fault_is_used_up_by_the_requests_that_fit(self) -> None:
        script = faults()
        script.add(Fault.gone(), verb="list", times=2)
        assert script.take(WATCH) == ()
        assert [bool(script.take(LIST)) for _ in range(3)] == [True, True, False]
        assert script.pending == 0

    def test_faults_are_taken_in_the_order_in_which_they_were_added(self) -> None:
        script = faults()
        script.add(Fault.status(500))
        script.add(Fault.status(503))
        codes = [fault.status for _ in range(2) for fault in script.take(LIST) if isinstance(fault, Answer)]
        assert codes == [500, 503]

    def test_without_a_number_of_times_it_lasts_until_cleared(self) -> None:
        script = faults()
        script.add(Fault.gone(), times=None)
        assert all(script.take(LIST) for _ in range(10))
        script.clear()
        assert script.take(LIST) == ()

    @pytest.mark.parametrize(
        ("where", "hit"),
        [
            ({"verb": "list"}, True),
            ({"verb": "watch"}, False),
            ({"method": "GET"}, True),
            ({"method": "POST"}, False),
            ({"kind": "Pod"}, True),
            ({"kind": "pods"}, True),
            ({"kind": "Node"}, False),
            ({"path": "/api/v1/*"}, True),
            ({"path": "/api/v1/pods"}, True),
            ({"path": "/apis/*"}, False),
            ({"verb": "list", "kind": "Node"}, False),
        ],
    )
    def test_a_fault_hits_what_fits_all_that_it_names(self, where: dict[str, str], hit: bool) -> None:
        script = faults()
        method, verb, path, kind = (where.get(name, "") for name in ("method", "verb", "path", "kind"))
        script.add(Fault.gone(), method=method, verb=verb, path=path, kind=kind)
        assert bool(script.take(LIST)) is hit

    def test_faults_of_lines_wait_for_an_answer_that_has_some(self) -> None:
        script = faults()
        script.add(Fault.malformed_line())
        assert script.take(LIST) == ()
        assert script.take(WATCH)

    @pytest.mark.parametrize(
        ("fault", "where"),
        [
            (Fault.malformed_line(), {"verb": "list"}),
            (Fault.cut(after_events=1), {"verb": "get"}),
            (Fault.undecodable(), {"verb": "create"}),
            (Fault.gone(), {"verb": "LIST"}),
            (Fault.gone(), {"times": 0}),
        ],
    )
    def test_what_can_never_happen_is_refused(self, fault: AnyFault, where: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"verb|times|cannot happen"):
            faults().add(fault, **where)

    def test_no_fault_is_no_script(self) -> None:
        with pytest.raises(ValueError, match="needs a fault"):
            faults().add(verb="list")


class TestAnswers:
    def test_a_status_with_retry_after_says_so_in_header_and_details(self) -> None:
        answer = Fault.status(429, retry_after=3)
        status = msgspec.json.decode(answer.body)
        assert (answer.status, status["code"], status["reason"]) == (429, 429, "TooManyRequests")
        assert answer.headers == (("Retry-After", "3"),)
        assert status["details"] == {"retryAfterSeconds": 3}

    def test_a_proxys_text_is_no_status(self) -> None:
        answer = Fault.status(503, text="upstream connect error")
        assert (answer.body, answer.content_type) == (b"upstream connect error", "text/plain; charset=utf-8")

    def test_where_a_connection_breaks(self) -> None:
        assert wire_of([Fault.cut()]).before_head
        assert wire_of([Fault.silent()]).before_head
        assert wire_of([Fault.cut(7)]).limit == 7
        assert wire_of([Fault.silent(7)]).limit == 7
        assert wire_of([Fault.cut(after_events=2)]).limit is None
        with pytest.raises(Cut):
            wire_of([Fault.cut(0)]).break_off()
        with pytest.raises(Silence):
            wire_of([Fault.silent(0)]).break_off()


def event(name: str) -> bytes:
    kind = "BOOKMARK" if name.startswith("bookmark") else "ADDED"
    return msgspec.json.encode({"type": kind, "object": {"metadata": {"name": name}}}) + b"\n"


def spoilt(names: Sequence[str], *script: AnyFault) -> list[bytes]:
    """What comes of events with these names, all in one batch; a break is the last line."""

    def lines() -> Iterator[Sequence[bytes]]:
        yield [event(name) for name in names]

    result: list[bytes] = []
    try:
        for batch in spoil_lines(lines(), script):
            result += batch
    except Cut:
        result.append(b"cut")
    except Silence:
        result.append(b"silence")
    return result


class TestLines:
    @pytest.mark.parametrize(("after", "place"), [(0, 0), (1, 1), (2, 2)])
    def test_a_line_comes_after_so_many_events(self, after: int, place: int) -> None:
        lines = spoilt("ab", Fault.line(b"mine\n", after_events=after))
        assert lines.index(b"mine\n") == place
        assert len(lines) == 3

    def test_bookmarks_are_no_events_to_count(self) -> None:
        lines = spoilt(["a", "bookmark", "b"], Fault.line(b"mine\n", after_events=1))
        assert lines == [event("a"), b"mine\n", event("bookmark"), event("b")]

    def test_an_error_event_ends_the_watch(self) -> None:
        lines = spoilt("ab", Fault.error_event(410, after_events=1))
        assert lines[0] == event("a")
        error = msgspec.json.decode(lines[1])
        assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert len(lines) == 2

    def test_a_malformed_line_does_not(self) -> None:
        lines = spoilt("ab", Fault.malformed_line(1))
        assert [lines[0], lines[2]] == [event("a"), event("b")]
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(lines[1])

    def test_a_truncated_line_is_the_last_one(self) -> None:
        lines = spoilt("abc", Fault.truncated_line(1, drop=5))
        assert lines == [event("a"), event("b")[:-5]]

    def test_an_undecodable_object_can_still_be_named(self) -> None:
        lines = spoilt("ab", Fault.undecodable(1))
        metadata = msgspec.json.decode(lines[1])["object"]["metadata"]
        assert metadata == {"name": "b", "labels": "not a mapping"}

    def test_duplicate_bookmarks(self) -> None:
        lines = spoilt(["a", "bookmark"], Fault.duplicate_bookmarks())
        assert lines == [event("a"), event("bookmark"), event("bookmark")]

    def test_late_bookmarks(self) -> None:
        lines = spoilt(["bookmark", "a", "b"], Fault.late_bookmarks())
        assert lines == [event("a"), event("bookmark"), event("b")]

    def test_broken_off_after_so_many_events(self) -> None:
        assert spoilt("abc", Fault.cut(after_events=2)) == [event("a"), event("b"), b"cut"]
        assert spoilt("abc", Fault.silent(after_events=1)) == [event("a"), b"silence"]
        assert spoilt("abc", Fault.silent(after_events=0)) == [b"silence"]

    def test_several_faults_at_once(self) -> None:
        lines = spoilt("abc", Fault.malformed_line(1), Fault.cut(after_events=2))
        assert lines[0] == event("a")
        assert lines[-1] == b"cut"
        assert len(lines) == 3


def test_an_undecodable_item_of_a_list_leaves_the_others_alone() -> None:
    items = [{"metadata": {"name": name}} for name in "abc"]
    body = spoil_list(msgspec.json.encode({"items": items}), [Fault.undecodable(1)])
    labels = [item["metadata"].get("labels") for item in msgspec.json.decode(body)["items"]]
    assert labels == [None, "not a mapping", None]
