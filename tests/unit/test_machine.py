"""The state machine as a table: from a state, something comes; what is handed out, and where that leads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

from kubewatch.config import Config
from kubewatch.errors import ApiError, DecodeFailed, Unreachable, WatchError, WatchFailed, WatchStartFailed
from kubewatch.machine import Machine, State
from kubewatch.objects import Object
from kubewatch.pages import Page
from kubewatch.params import ListParams, WatchParams
from kubewatch.vitals import Vitals

from .stub_source import (
    StubSource,
    added,
    bookmark,
    deleted,
    error,
    line,
    modified,
    page,
    pod,
    shown,
    status,
)

EXPIRED = ApiError(410, "Expired", "too old resource version: 5 (90)")
TOO_LARGE = ApiError(
    504,
    "Timeout",
    "Too large resource version: 5, current: 3",
    details={"causes": [{"reason": "ResourceVersionTooLarge"}]},
)


def machine_of(config: Config | None = None, **source: Any) -> Machine[Object]:
    stub: StubSource[Object] = StubSource(**source)
    return Machine(stub, config or Config(), Vitals(stub.clock))


def empty() -> Machine[Object]:
    return machine_of()


def empty_streaming() -> Machine[Object]:
    return machine_of(Config(initial_list="streaming"))


def paging() -> Machine[Object]:
    machine = machine_of()
    list(machine.begin())
    return machine


def paging_on() -> Machine[Object]:
    machine = paging()
    list(machine.listed(page(pod("a", 1), continue_="next")))
    return machine


def initial() -> Machine[Object]:
    machine = empty_streaming()
    list(machine.started())
    return machine


def listed() -> Machine[Object]:
    machine = paging()
    list(machine.listed(page(version=5)))
    return machine


def watching() -> Machine[Object]:
    machine = listed()
    list(machine.started())
    return machine


class Row(NamedTuple):
    """One row: in the state that `start` makes, `stimulus` comes."""

    number: str
    claim: str
    start: Callable[[], Machine[Object]]
    stimulus: Callable[[Machine[Object]], Iterable[Any]]
    items: list[str]
    state: State
    version: str = ""
    restart: str = ""


EMPTY, INIT_PAGE, INITIAL_WATCH, INIT_LISTED, WATCHING = State

# fmt: off
TABLE = [
    Row("1", "Init before any I/O", empty, lambda m: m.begin(), ["Init"], INIT_PAGE),
    Row("2", "streaming: nothing before the request", empty_streaming, lambda m: m.begin(), [], EMPTY),
    Row("2", "streaming: Init once the watch is accepted", empty_streaming,
        lambda m: m.started(), ["Init"], INITIAL_WATCH),
    Row("3", "streaming start fails", empty_streaming, lambda m: m.start_failed(ApiError(403, "Forbidden", "no")),
        ["WatchStartFailed"], EMPTY, restart="failed"),
    Row("4", "objects of a page, in order", paging, lambda m: m.listed(page(pod("a"), pod("b"), continue_="next")),
        ["InitApply(a)", "InitApply(b)"], INIT_PAGE),
    Row("5", "the last page is done", paging_on, lambda m: m.listed(page(version=7)), ["InitDone"], INIT_LISTED, "7"),
    Row("6", "a page without a version, if it goes on", paging,
        lambda m: m.listed(page(continue_="next")), [], INIT_PAGE),
    Row("7", "neither version nor continue", paging, lambda m: m.listed(page(pod("a"))),
        ["NoResourceVersion"], EMPTY, restart="no_version"),
    Row("7", "a version on an earlier page does not help", paging_on, lambda m: m.listed(page(pod("a"))),
        ["NoResourceVersion"], EMPTY, restart="no_version"),
    Row("8", "the first page fails", paging, lambda m: m.list_failed(Unreachable("no route")),
        ["InitialListFailed"], EMPTY, restart="failed"),
    Row("8", "a later page fails", paging_on, lambda m: m.list_failed(EXPIRED),
        ["InitialListFailed"], EMPTY, restart="expired"),
    Row("9", "ADDED among the initial events", initial,
        lambda m: m.line(added("a", 1)), ["InitApply(a)"], INITIAL_WATCH),
    Row("9", "MODIFIED among the initial events", initial,
        lambda m: m.line(modified("a")), ["InitApply(a)"], INITIAL_WATCH),
    Row("10", "DELETED among the initial events is silent", initial,
        lambda m: m.line(deleted("a", 1)), [], INITIAL_WATCH),
    Row("11", "the end bookmark", initial, lambda m: m.line(bookmark(9, end=True)), ["InitDone"], WATCHING, "9"),
    Row("12", "another bookmark", initial, lambda m: m.line(bookmark(9)), [], INITIAL_WATCH),
    Row("13", "ERROR 410 among the initial events", initial, lambda m: m.line(error(410, "Expired")),
        ["WatchStatusError"], EMPTY, restart="expired"),
    Row("14", "another ERROR keeps the stream", initial, lambda m: m.line(error(500, "InternalError")),
        ["WatchStatusError"], INITIAL_WATCH),
    Row("14", "a malformed line keeps the stream", initial, lambda m: m.line(b"{]"), ["WatchFailed"], INITIAL_WATCH),
    Row("14", "a broken connection", initial, lambda m: m.broke(Unreachable("reset")),
        ["WatchFailed"], EMPTY, restart="failed"),
    Row("15", "the initial stream ends", initial, lambda m: m.ended("closed", 60.0, True), [], EMPTY, restart="closed"),
    Row("15", "the initial stream goes silent", initial,
        lambda m: m.ended("idle", 60.0, True), [], EMPTY, restart="idle"),
    Row("16", "the watch starts", listed, lambda m: m.started(), [], WATCHING, "5"),
    Row("17", "the start fails", listed, lambda m: m.start_failed(ApiError(500, "InternalError", "no")),
        ["WatchStartFailed"], INIT_LISTED, "5", restart="failed"),
    Row("17", "the start fails by 422: no matter, this is no initial stream", listed,
        lambda m: m.start_failed(ApiError(422, "Invalid", "no")), ["WatchStartFailed"], INIT_LISTED, "5"),
    Row("18", "ADDED", watching, lambda m: m.line(added("a", 6)), ["Apply(a)"], WATCHING, "6"),
    Row("18", "MODIFIED", watching, lambda m: m.line(modified("a", 6)), ["Apply(a)"], WATCHING, "6"),
    Row("19", "DELETED", watching, lambda m: m.line(deleted("a", 6)), ["Delete(a)"], WATCHING, "6"),
    Row("20", "ADDED without a version", watching, lambda m: m.line(added("a")),
        ["NoResourceVersion"], EMPTY, restart="no_version"),
    Row("20", "DELETED without a version", watching, lambda m: m.line(deleted("a")),
        ["NoResourceVersion"], EMPTY, restart="no_version"),
    Row("21", "a bookmark moves the version", watching, lambda m: m.line(bookmark(8)), [], WATCHING, "8"),
    Row("22", "ERROR 410", watching,
        lambda m: m.line(error(410, "Gone")), ["WatchStatusError"], EMPTY, restart="expired"),
    Row("23", "another ERROR keeps version and stream", watching, lambda m: m.line(error(500)),
        ["WatchStatusError"], WATCHING, "5"),
    Row("23", "a malformed line keeps version and stream", watching, lambda m: m.line(b"<html>"),
        ["WatchFailed"], WATCHING, "5"),
    Row("23", "a broken connection resumes", watching, lambda m: m.broke(Unreachable("reset")),
        ["WatchFailed"], INIT_LISTED, "5", restart="failed"),
    Row("24", "the stream ends", watching,
        lambda m: m.ended("closed", 290.0, False), [], INIT_LISTED, "5", restart="closed"),
    Row("24", "the stream goes silent", watching, lambda m: m.ended("idle", 305.0, False), [], INIT_LISTED, "5",
        restart="idle"),
]
# fmt: on


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"row {row.number}: {row.claim}")
def test_every_row_of_the_state_machine(row: Row) -> None:
    """State rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24: as stated."""
    machine = row.start()
    items = list(row.stimulus(machine))
    assert [shown(item) for item in items] == row.items
    assert machine.state is row.state
    if row.version:
        assert machine.version == row.version
    if row.restart:
        assert machine.vitals.restarts[row.restart] == 1
    assert machine.vitals.failing == any(isinstance(item, WatchError) for item in items)


# Requests


def test_an_initial_streaming_watch_asks_for_initial_events() -> None:
    """Row 1: in the initial phase, a streaming list sends sendInitialEvents."""
    request = empty_streaming().request()
    assert isinstance(request, WatchParams)
    assert request.send_initial_events


@pytest.mark.parametrize(("semantic", "version"), [("most_recent", ""), ("any", "0")])
def test_initial_events_are_the_newest_there_are_unless_any_will_do(semantic: Any, version: str) -> None:
    """State row 2: at version 0 for any semantic alone, as a server that lags behind answers it from its past."""
    machine = machine_of(Config(initial_list="streaming", list_semantic=semantic))
    for _ in range(2):
        request = machine.request()
        assert isinstance(request, WatchParams)
        assert request.query()[-1] == ("resourceVersion", version)
        list(machine.started())
        list(machine.line(added("a", 1)))
        list(machine.line(bookmark(9, end=True)))
        list(machine.line(error(410, "Expired")))


def test_a_resumed_streaming_watch_does_not_ask_for_initial_events() -> None:
    """Row 2: resuming never asks for initial events."""
    machine = initial()
    list(machine.line(bookmark(9, end=True)))
    list(machine.ended("closed", 60.0, True))
    request = machine.request()
    assert isinstance(request, WatchParams)
    assert (request.send_initial_events, request.resource_version) == (False, "9")


def test_list_and_watch_never_asks_for_initial_events() -> None:
    """Row 3: with list_watch neither phase asks for initial events; the first asks for a list."""
    assert isinstance(paging().request(), ListParams)
    request = listed().request()
    assert isinstance(request, WatchParams)
    assert (request.send_initial_events, request.resource_version) == (False, "5")


def test_any_semantic_asks_for_a_cached_list_without_pages_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Improvement 11: any semantic unsets paging, loudly."""
    machine = machine_of(Config(list_semantic="any"))
    list(machine.begin())
    request = machine.request()
    assert isinstance(request, ListParams)
    assert request.query() == [("resourceVersion", "0"), ("resourceVersionMatch", "NotOlderThan")]
    assert [r.levelno for r in caplog.records if "page_size=500 is not used" in r.message] == [logging.WARNING]


def test_any_semantic_without_pages_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    machine_of(Config(list_semantic="any", page_size=None))
    assert caplog.records == []


def test_a_server_that_pages_nevertheless_is_followed_by_its_token_alone() -> None:
    machine = machine_of(Config(list_semantic="any", page_size=None))
    list(machine.begin())
    list(machine.listed(page(continue_="next")))
    request = machine.request()
    assert isinstance(request, ListParams)
    assert request.query() == [("continue", "next")]


def test_the_same_token_twice_is_an_error_and_no_endless_list() -> None:
    """Pain 10: no server makes a pull spin."""
    machine = paging_on()
    assert [shown(item) for item in machine.listed(page(continue_="next"))] == ["InitialListFailed"]
    assert machine.state is State.EMPTY


# Expired versions


@pytest.mark.parametrize("refusal", [EXPIRED, ApiError(410, "Gone", ""), ApiError(400, "Expired", ""), TOO_LARGE])
def test_a_watch_that_cannot_start_from_its_version_relists(refusal: ApiError) -> None:
    """Improvement 2: HTTP 410, "expired" and "too large resource version" at the start lead back to the list."""
    machine = listed()
    (item,) = machine.start_failed(refusal)
    assert isinstance(item, WatchStartFailed)
    assert item.code == refusal.code
    assert machine.state is State.EMPTY
    assert machine.vitals.restarts["expired"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        error(410, "Expired", "too old resource version"),
        error(410),
        error(None, "Gone"),
        error(None, "Expired"),
        error(504, "Timeout", "Too large resource version: 9, current: 5"),
        error(504, "Timeout", "", causes=[{"reason": "ResourceVersionTooLarge"}]),
        line("ERROR", status(410))[:-1].replace(b'{"type":"ERROR","object":', b"")[:-1],
    ],
)
@pytest.mark.parametrize("start", [watching, initial])
def test_a_version_expired_in_any_words_relists(frame: bytes, start: Callable[[], Machine[Object]]) -> None:
    """Pain 4: 410 in any form, as code, as reason, as a Status without a frame, is reported and then relisted."""
    machine = start()
    assert len(list(machine.line(frame))) == 1
    assert machine.state is State.EMPTY


def test_what_a_server_asks_to_wait_reaches_the_error() -> None:
    """Pain 10: Retry-After is known to whoever backs off."""
    (failed,) = paging().list_failed(ApiError(429, "TooManyRequests", "later", retry_after=7.0))
    (refused,) = listed().start_failed(ApiError(503, "ServiceUnavailable", "later", retry_after=3.0))
    (frame,) = watching().line(error(429, "TooManyRequests", "later", retryAfterSeconds=9))
    assert [e.retry_after for e in (failed, refused, frame)] == [7.0, 3.0, 9.0]  # type: ignore[union-attr]  # errors all


# Objects and lines that are odd

ODD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "odd", "namespace": "n", "resourceVersion": "6", "labels": 7},
}


def test_an_undecodable_object_of_a_list_is_reported_and_the_others_come() -> None:
    """Pain 16: one odd object does not lose the others."""
    machine = paging()
    items = list(machine.listed(page(pod("a"), ODD, pod("b"), version=5)))
    assert [shown(item) for item in items] == ["InitApply(a)", "DecodeFailed", "InitApply(b)", "InitDone"]
    failed = items[1]
    assert isinstance(failed, DecodeFailed)
    assert (failed.kind, failed.namespace, failed.object_name) == ("Pod", "n", "odd")
    assert b'"odd"' in failed.raw
    assert (machine.vitals.dropped, machine.vitals.failing, machine.vitals.last_error) == (1, False, failed)
    assert machine.vitals.undecodable == 1


@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED"])
def test_an_undecodable_event_is_reported_and_its_version_counts(type_: str) -> None:
    """Row 109: the version of an undecodable object is salvaged, so that it is not sent again and again."""
    machine = watching()
    assert [shown(item) for item in machine.line(line(type_, ODD))] == ["DecodeFailed"]
    assert (machine.state, machine.version, machine.vitals.dropped) == (State.WATCHING, "6", 1)


def test_an_undecodable_event_without_a_version_leaves_the_version_as_it_was() -> None:
    machine = watching()
    assert [shown(item) for item in machine.line(line("ADDED", {"metadata": 3}))] == ["DecodeFailed"]
    assert (machine.state, machine.version) == (State.WATCHING, "5")


@pytest.mark.parametrize("start", [watching, initial])
def test_a_deletion_that_cannot_be_decoded_is_not_lost(start: Callable[[], Machine[Object]]) -> None:
    """Pain 16: nobody can be told what is gone, so all begins anew; and not without a pause, as it may happen often."""
    machine = start()
    (item,) = machine.line(line("DELETED", ODD))
    assert isinstance(item, WatchFailed)  # which a backoff waits after
    assert isinstance(item.__cause__, DecodeFailed)
    assert item.__cause__.object_name == "odd"
    assert (machine.state, machine.vitals.dropped, machine.vitals.restarts["failed"]) == (State.EMPTY, 1, 1)


def test_strict_fails_the_list_that_an_undecodable_object_is_in() -> None:
    machine = machine_of(Config(strict=True))
    list(machine.begin())
    items = [shown(item) for item in machine.listed(page(pod("a"), ODD, pod("b"), version=5))]
    assert items == ["InitApply(a)", "InitialListFailed"]
    assert machine.state is State.EMPTY


def test_strict_restarts_the_watch_that_an_undecodable_object_comes_by() -> None:
    machine = machine_of(Config(strict=True))
    list(machine.begin())
    list(machine.listed(page(version=5)))
    list(machine.started())
    (item,) = machine.line(line("ADDED", ODD))
    assert isinstance(item, WatchFailed)
    assert isinstance(item.__cause__, DecodeFailed)
    assert machine.state is State.EMPTY


def test_bookmarks_are_read_for_their_metadata_alone() -> None:
    """Pain 15: a bookmark never reaches a model, however strict that is."""

    def never(raw: bytes, api_version: str, kind: str) -> Object:
        raise AssertionError("a bookmark was decoded as an object")

    machine = machine_of(decode=never)
    list(machine.begin())
    list(machine.listed(page(version=5)))
    list(machine.started())
    assert list(machine.line(line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "7"}, "spec": 5}))) == []
    assert machine.version == "7"


def test_whoever_waits_for_bookmarks_is_told_of_each() -> None:
    told: list[str] = []
    machine = watching()
    machine.vitals.on_bookmark = told.append
    for version in ("7", "9"):
        list(machine.line(bookmark(version)))
    assert told == ["7", "9"]


def test_a_bookmark_without_a_version_is_left_out() -> None:
    machine = watching()
    assert list(machine.line(bookmark(""))) == []
    assert machine.version == "5"


def test_an_end_bookmark_without_a_version_is_no_place_to_watch_on_from() -> None:
    machine = initial()
    assert [shown(item) for item in machine.line(bookmark("", end=True))] == ["NoResourceVersion"]
    assert machine.state is State.EMPTY


@pytest.mark.parametrize("odd", [b"{]", b"<html>", b'{"type":"ADDED"}', b'{"type":5,"object":{}}', b"\xff\xfe", b"5"])
def test_a_line_that_is_no_event_is_an_error_with_its_first_bytes(odd: bytes) -> None:
    """Pain 9: every line is an event, or a typed error that shows its first 200 bytes. Row 137 likewise."""
    (item,) = watching().line(odd + b" " * 300)
    assert isinstance(item, WatchFailed)
    assert repr(odd)[2:-1] in str(item)
    assert len(str(item)) < 1100


def test_malformed_json_is_an_error_item() -> None:
    """Row 137: JSON that is broken, not merely cut off, is an error item."""
    (item,) = watching().line(b'{"type":"ADDED", "object":{"a" 1}}')
    assert isinstance(item, WatchFailed)


BROKEN = b'{"metadata":{"name":"b","namespace":"n","resourceVersion":"7"},"spec":{"a":tru}}'


@pytest.mark.parametrize("type_", [b"ADDED", b"MODIFIED"])
def test_an_object_that_is_no_json_is_one_error_of_that_object_and_those_around_it_come(type_: bytes) -> None:
    """In a frame as servers write it, whose object is broken; the version goes on behind it."""
    odd = b'{"type":"%s","object":%s}' % (type_, BROKEN)
    for machine, event in ((watching(), "Apply"), (initial(), "InitApply")):
        assert [shown(item) for item in machine.line(added("a", 6))] == [f"{event}(a)"]
        (item,) = machine.line(odd)
        assert isinstance(item, DecodeFailed)
        assert (item.namespace, item.object_name, item.raw) == ("n", "b", BROKEN)
        assert machine.version == ("7" if machine.state is State.WATCHING else "")
        assert [shown(item) for item in machine.line(added("c", 8))] == [f"{event}(c)"]
        assert machine.vitals.undecodable == 1


def test_a_deletion_of_an_object_that_is_no_json_is_not_lost() -> None:
    """As nobody can be told for sure what is gone, the list that follows tells it."""
    machine = watching()
    assert [shown(item) for item in machine.line(b'{"type":"DELETED","object":%s}' % BROKEN)] == ["WatchFailed"]
    assert machine.state is State.EMPTY


def test_a_broken_bookmark_is_an_error_item() -> None:
    machine = watching()
    assert [shown(item) for item in machine.line(b'{"type":"BOOKMARK","object":%s}' % BROKEN)] == ["WatchFailed"]
    assert machine.state is State.WATCHING


def test_what_a_secret_holds_reaches_no_message() -> None:
    machine = machine_of(kind="Secret")
    list(machine.begin())
    list(machine.listed(page(version=5)))
    list(machine.started())
    for odd in (b'{"type":"ADDED","object":{"data":"hunter2"', b'{"type":"ADDED","object":{"metadata":"hunter2"}}'):
        (item,) = machine.line(odd)
        assert "hunter2" not in f"{item!r} {item} {item.__cause__!r}"  # type: ignore[union-attr]  # an error


def test_an_error_frame_that_is_no_status_is_an_error_item() -> None:
    """Pain 9: ERROR without the fields of a Status crashes nothing."""
    odds: list[Any] = [{}, {"kind": "Pod"}, {"kind": "Status", "code": "x"}, None, []]
    for odd in odds:
        machine = watching()
        assert [shown(item) for item in machine.line(line("ERROR", odd))] == ["WatchFailed"]
        assert machine.state is State.WATCHING
    assert [shown(item) for item in watching().line(line("ERROR", {"kind": "Status"}))] == ["WatchStatusError"]


def test_blank_lines_are_nothing() -> None:
    """Pain 9: blank lines yield nothing."""
    assert [list(watching().line(blank)) for blank in (b"", b"\r", b"  ")] == [[], [], []]


def test_unknown_kinds_of_frame_are_left_out_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = watching()
    for _ in range(3):
        assert list(machine.line(line("NOVELTY", pod("a", 9)))) == []
    assert machine.version == "5"
    assert sum("'NOVELTY'" in record.message for record in caplog.records) == 1


def test_a_frame_in_any_order_with_any_members_is_read() -> None:
    machine = watching()
    odd = b'{"extra":{"b":1}, "object":{"metadata":{"name":"a","resourceVersion":"6"}},"type" : "ADDED"}\r'
    assert [shown(item) for item in machine.line(odd)] == ["Apply(a)"]
    more = b'{"type":"ADDED","object":{"metadata":{"name":"b","resourceVersion":"7"}},"extra":{}}'
    assert [shown(item) for item in machine.line(more)] == ["Apply(b)"]


def test_what_was_deleted_among_the_initial_events_is_deleted_after_them() -> None:
    """State row 10: silent where it comes, and not lost: nobody keeps the object as a ghost."""
    machine = initial()
    lines = [added("a", 1), added("b", 2), deleted("a", 3), deleted("b", 4), added("b", 5), bookmark(9, end=True)]
    items = [shown(item) for each in lines for item in machine.line(each)]
    assert items == ["InitApply(a)", "InitApply(b)", "InitApply(b)", "InitDone", "Delete(a)"]
    assert not machine.deleted  # objects are not kept for as long as the stream lives


def test_what_was_deleted_in_a_broken_round_is_forgotten_with_it() -> None:
    """Improvement 1: a restart discards all that came before."""
    machine = initial()
    list(machine.line(deleted("a", 3)))
    list(machine.ended("closed", 9.0, False))
    list(machine.started())
    assert [shown(item) for item in machine.line(bookmark(9, end=True))] == ["InitDone"]


def test_a_list_that_begins_anew_says_nothing_of_what_was_left_of_the_one_before() -> None:
    machine = paging()
    list(machine.listed(Page([], continue_="more", remaining=700)))
    assert machine.vitals.remaining == 700
    list(machine.list_failed(EXPIRED))
    list(machine.begin())
    assert machine.vitals.remaining is None


# Storms, silence and falling back


def test_watches_closed_at_once_become_an_error_after_a_few() -> None:
    """Improvement 4: consecutive ends without an event are counted, and from the third on each is an error."""
    machine = listed()
    items = []
    for _ in range(5):
        list(machine.started())
        items.append([shown(item) for item in machine.ended("closed", 0.0, False)])
        assert machine.state is State.INIT_LISTED
    assert items == [[], [], ["WatchFailed"], ["WatchFailed"], ["WatchFailed"]]


def test_an_event_begins_the_count_anew() -> None:
    machine = listed()
    items = []
    for fruitful in (False, False, True, False, False, False):
        list(machine.started())
        items.append(len(list(machine.ended("closed", 0.0, fruitful))))
    assert items == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("timeout", "lived"), [(290, 290.0), (290, 60.0), (1, 0.99), (0, 30.0)])
def test_a_quiet_watch_that_ends_at_its_time_is_no_error_however_often(timeout: int, lived: float) -> None:
    """Pain 2: the server's timeout is a resume, never an exception."""
    machine = machine_of(Config(timeout=timeout))
    list(machine.begin())
    list(machine.listed(page(version=5)))
    for _ in range(10):
        list(machine.started())
        assert list(machine.ended("closed", lived, False)) == []


def test_initial_streams_closed_at_once_are_an_error_too() -> None:
    """Improvement 4: the restart of an initial stream is counted like any other."""
    machine = empty_streaming()
    items: list[str] = []
    for _ in range(3):
        items += [shown(item) for item in machine.started()]
        items += [shown(item) for item in machine.ended("closed", 0.0, False)]
    assert items == ["Init", "Init", "Init", "WatchFailed"]


def test_a_server_that_falls_silent_although_it_sends_bookmarks_is_reported_after_a_few() -> None:
    machine = watching()
    list(machine.line(bookmark(6)))
    list(machine.ended("idle", 160.0, False))
    items = []
    for _ in range(3):
        list(machine.started())
        items.append([shown(item) for item in machine.ended("idle", 100.0, False)])
    assert items == [[], [], ["WatchFailed"]]


def test_silence_within_a_short_limit_of_the_users_own_is_no_error() -> None:
    machine = machine_of(Config(idle_timeout=30))
    list(machine.begin())
    list(machine.listed(page(version=5)))
    for _ in range(10):
        list(machine.started())
        assert list(machine.ended("idle", 30.0, False)) == []


def test_repeated_silence_is_logged_from_the_second_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kubewatch")
    machine = listed()
    seen = []
    for _ in range(3):
        list(machine.started())
        list(machine.ended("idle", 305.0, False))
        seen.append(len(caplog.records))
    assert seen == [0, 1, 2]


def test_the_idle_deadline_follows_the_timeout_until_bookmarks_are_seen() -> None:
    """Pain 1: silence is always limited, to about 100 seconds where the server sends bookmarks."""
    machine = watching()
    assert machine.idle_timeout == 305.0
    list(machine.line(bookmark(6)))
    assert machine.idle_timeout == 100.0
    for config, expected in (
        (Config(timeout=60), 75.0),
        (Config(timeout=0), 305.0),
        (Config(timeout=1800), 1815.0),
        (Config(idle_timeout=20.0), 20.0),
        (Config(timeout=10**12), 2e6),
        (Config(idle_timeout=1e300), 2e6),
    ):
        machine = machine_of(config)
        list(machine.begin())
        assert machine.idle_timeout == expected


def test_initial_events_may_not_pause_for_long() -> None:
    assert empty_streaming().idle_timeout == initial().idle_timeout == 60.0
    machine = initial()
    list(machine.line(bookmark(9, end=True)))
    assert machine.idle_timeout == 100.0


@pytest.mark.parametrize("code", [400, 405, 422, 501])
def test_a_refused_streaming_list_falls_back_to_list_and_watch_for_good(code: int) -> None:
    """Improvement 14: where streaming is refused, the objects are listed; the stream remembers."""
    machine = empty_streaming()
    assert list(machine.start_failed(ApiError(code, "Invalid", "sendInitialEvents is forbidden"))) == []
    assert [shown(item) for item in machine.begin()] == ["Init"]
    assert isinstance(machine.request(), ListParams)
    list(machine.list_failed(EXPIRED))
    assert [shown(item) for item in machine.begin()] == ["Init"]


@pytest.mark.parametrize("code", [401, 403, 404, 410, 429, 500, 503, 504])
def test_a_streaming_list_that_fails_for_other_reasons_is_tried_again(code: int) -> None:
    """State row 3: any other failure of the start is an error item, and streaming stays."""
    machine = empty_streaming()
    assert [shown(item) for item in machine.start_failed(ApiError(code, "", ""))] == ["WatchStartFailed"]
    assert isinstance(machine.request(), WatchParams)


def test_initial_events_without_an_end_fall_back_at_once_when_silent_and_after_a_few_when_cut() -> None:
    """Improvement 14: a server that does not know of end bookmarks is found out."""
    machine = initial()
    list(machine.line(added("a", 1)))
    list(machine.ended("idle", 60.0, True))
    assert [shown(item) for item in machine.begin()] == ["Init"]

    machine = empty_streaming()
    for _ in range(3):
        assert list(machine.begin()) == []
        list(machine.started())
        list(machine.line(added("a", 1)))
        list(machine.ended("closed", 20.0, True))
    assert [shown(item) for item in machine.begin()] == ["Init"]


def test_bookmarks_among_initial_events_without_an_end_fall_back_after_a_few() -> None:
    """Improvement 14: on a busy server that knows no end bookmark, nothing is silent and a watch may last for hours."""
    machine = empty_streaming()
    for ends_after in (2, 3):
        list(machine.started())
        for version in range(ends_after):
            assert machine.reading
            list(machine.line(added("a", version)))
            list(machine.line(bookmark(version)))
        if machine.reading:
            list(machine.ended("closed", 290.0, True))
    assert not machine.reading
    assert [shown(item) for item in machine.begin()] == ["Init"]
    assert machine.vitals.restarts["refused"] == 1


def limit_of(machine: Machine[Object]) -> int | None:
    request = machine.request()
    assert isinstance(request, ListParams)
    return request.limit


def test_a_list_whose_pages_expire_comes_in_one_piece_the_next_time() -> None:
    """Pain 24: a consumer slower than the server's memory sees what is behind the first pages, too."""
    machine = paging_on()
    list(machine.list_failed(EXPIRED))
    list(machine.begin())
    assert limit_of(machine) is None
    list(machine.listed(page(pod("a", 1), pod("b", 2), version=5)))
    list(machine.start_failed(EXPIRED))
    list(machine.begin())
    assert limit_of(machine) == 500


@pytest.mark.parametrize(("start", "failure"), [(paging, EXPIRED), (paging_on, ApiError(500, "InternalError", "no"))])
def test_a_list_that_fails_otherwise_is_paged_again(start: Callable[[], Machine[Object]], failure: ApiError) -> None:
    machine = start()
    list(machine.list_failed(failure))
    list(machine.begin())
    assert limit_of(machine) == 500


@pytest.mark.parametrize(("initial_list", "level"), [("streaming", logging.WARNING), ("auto", logging.INFO)])
def test_falling_back_is_said_loudly_where_streaming_was_asked_for(
    initial_list: Any, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kubewatch")
    machine = machine_of(Config(initial_list=initial_list))
    list(machine.start_failed(ApiError(422, "Invalid", "no")))
    assert [record.levelno for record in caplog.records] == [level]


def test_auto_streams_where_it_can_and_lists_where_bookmarks_are_off() -> None:
    assert list(machine_of(Config(initial_list="auto")).begin()) == []
    assert [shown(item) for item in machine_of(Config(initial_list="auto", bookmarks=False)).begin()] == ["Init"]


# The end of a body


def test_a_line_cut_off_by_the_end_is_dropped_and_the_version_stays() -> None:
    """Rows 133, 134: half a line is the connection's end, not data; it comes again after the resume."""
    for half in (b'{"type":"ADDED","object":{"metadata":{"na', b'{"type":"ADD', b"{"):
        machine = watching()
        list(machine.line(added("a", 6)))
        assert list(machine.ended("closed", 9.0, True, half)) == []
        assert (machine.state, machine.version) == (State.INIT_LISTED, "6")


def test_a_complete_event_that_only_lacks_its_line_end_counts() -> None:
    machine = watching()
    assert [shown(item) for item in machine.ended("closed", 9.0, True, added("a", 6)[:-1])] == ["Apply(a)"]
    assert (machine.state, machine.version) == (State.INIT_LISTED, "6")
    machine = watching()
    assert [shown(i) for i in machine.ended("closed", 9.0, True, error(410)[:-1])] == ["WatchStatusError"]
    assert machine.state is State.EMPTY


# Logs


def test_forbidden_is_a_warning_and_other_errors_are_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kubewatch")
    list(paging().list_failed(ApiError(403, "Forbidden", "no")))
    list(paging().list_failed(ApiError(500, "InternalError", "no")))
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]
    assert [(r.kind, r.namespace) for r in caplog.records] == [("Pod", "default")] * 2  # type: ignore[attr-defined]  # extras
