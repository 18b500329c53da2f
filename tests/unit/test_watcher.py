"""The watcher over a scripted server: what comes out, what was asked for, and that nothing is left behind."""

from __future__ import annotations

import os
import threading
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch.config import Config
from kubewatch.decode import decode_partial
from kubewatch.errors import (
    ApiError,
    AuthError,
    DecodeFailed,
    InitialListFailed,
    StaleAfterFork,
    UnknownKind,
    Unreachable,
    WatchError,
    WatchFailed,
    WatchStartFailed,
)
from kubewatch.events import Apply, Event
from kubewatch.machine import Machine
from kubewatch.models import decode_model
from kubewatch.objects import Object, PartialObjectMeta
from kubewatch.pages import Page
from kubewatch.params import ListParams
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals
from kubewatch.watcher import metadata_watcher, watch_events, watcher

from .stub_source import (
    Do,
    OutOfScript,
    Run,
    Step,
    StubSource,
    Wait,
    Watch,
    added,
    bookmark,
    deleted,
    error,
    line,
    modified,
    page,
    pod,
    shown,
)

STREAMING = Config(initial_list="streaming")


def run(
    *watches: Watch, lists: list[Page | Exception] | None = None, config: Config | None = None, **source: Any
) -> Run[Object]:
    """A watch of a script; without `lists`, of one that begins with an empty list at version 5."""
    return Run(StubSource([page(version=5)] if lists is None else lists, watches, **source), config)


def versions(played: Run[Object]) -> list[str]:
    """The versions that the watches asked for."""
    return [request.resource_version for request in played.source.watched]


# The stub itself


def test_the_stub_waits_before_it_hands_out_the_next_event() -> None:
    """Row 114: what comes after a wait of 50 ms comes 50 ms later, and not before."""
    played = run([added("a", 6), Wait(0.05), added("b", 7)])
    played.take(3)
    began = played.source.clock.now
    assert played.take(1) == ["Apply(b)"]
    assert played.source.clock.now == pytest.approx(began + 0.05)


def test_the_stub_answers_beyond_its_script_as_empty_list_and_failed_start() -> None:
    played = run(lists=[])
    assert played.take(2) == ["Init", "NoResourceVersion"]
    played = run()
    assert played.take(2) == ["Init", "InitDone"]
    item = played.pull()
    assert isinstance(item, WatchStartFailed)
    assert isinstance(item.__cause__, OutOfScript)


# Building and pulling


def test_nothing_is_requested_before_the_first_pull_and_init_comes_before_any_request() -> None:
    """State row 1: Init needs no I/O."""
    played = run()
    assert played.source.requests == []
    assert shown(played.pull()) == "Init"
    assert played.source.requests == []


def test_streaming_hands_out_init_after_the_request_was_accepted() -> None:
    """State row 2: the request first, then Init; a refused start yields no Init."""
    played = run(ApiError(500, "InternalError", "no"), [added("a", 1)], config=STREAMING)
    assert played.take(1) == ["WatchStartFailed"]
    assert len(played.source.requests) == 1
    assert played.take(2) == ["Init", "InitApply(a)"]
    assert len(played.source.requests) == 2


def test_the_next_page_is_requested_when_the_one_before_is_exhausted() -> None:
    """Row 9: limit and token on each page; the objects in order; an empty token ends; then the watch."""
    lists: list[Page | Exception] = [
        page(pod("a", 1), continue_="first"),
        page(pod("b", 2), continue_="second"),
        page(pod("c", 3), version=9, continue_=""),
    ]
    played = run([added("d", 10)], lists=lists, config=Config(page_size=1))
    seen = []
    for _ in range(6):
        item = shown(played.pull())
        seen.append((item, len(played.source.requests)))
    assert seen == [
        ("Init", 0),
        ("InitApply(a)", 1),
        ("InitApply(b)", 2),
        ("InitApply(c)", 3),
        ("InitDone", 3),
        ("Apply(d)", 4),
    ]
    assert [request.continue_ for request in played.source.listed] == [None, "first", "second"]
    assert {request.limit for request in played.source.listed} == {1}
    assert versions(played) == ["9"]


def test_selectors_are_repeated_on_every_page_and_every_watch() -> None:
    """Row 119: pages with limit, token and selectors; page 1 without a version; the watch at the last one's version."""
    lists: list[Page | Exception] = [
        page(pod("a", 1), continue_="first"),
        page(pod("b", 2), version=3, continue_="second"),
        page(pod("c", 3), version=9),
    ]
    config = Config(page_size=1, label_selector="app=web", field_selector="spec.nodeName=n1")
    played = run([], [], lists=lists, config=config)
    assert played.play() == ["Init", "InitApply(a)", "InitApply(b)", "InitApply(c)", "InitDone"]
    assert {(r.label_selector, r.field_selector) for r in played.source.requests} == {("app=web", "spec.nodeName=n1")}
    assert versions(played) == ["9", "9", "9"]


# The stream around it


def test_building_a_stream_makes_no_request_and_starts_no_thread() -> None:
    source: StubSource[Object] = StubSource([page(pod("a", 1), version=5)])
    threads = set(threading.enumerate())
    stream = watcher(source).default_backoff().applied_objects()
    assert source.requests == []
    assert set(threading.enumerate()) <= threads
    assert next(stream).name == "a"
    assert len(source.requests) == 1
    assert set(threading.enumerate()) <= threads


def test_a_stream_is_labelled_by_what_it_brings() -> None:
    assert watcher(StubSource[Object]()).label == "Pod in default"
    assert watcher(StubSource[Object](kind="Node", namespace=None)).label == "Node"


def test_an_error_is_raised_by_the_pull_that_meets_it_and_the_next_one_goes_on() -> None:
    stream = watcher(StubSource[Object]([ApiError(500, "InternalError", "no"), page(version=5)]))
    assert shown(next(stream)) == "Init"
    with pytest.raises(InitialListFailed):
        next(stream)
    assert [shown(next(stream)) for _ in range(2)] == ["Init", "InitDone"]
    assert stream.vitals.resource_version == "5"


def test_leaving_the_with_block_closes_the_connection() -> None:
    source: StubSource[Object] = StubSource([page(version=5)], [[added("a", 6)]])
    with watcher(source) as stream:
        assert [shown(next(stream)) for _ in range(3)] == ["Init", "InitDone", "Apply(a)"]
        assert source.open_bodies == 1
    assert (source.closed, source.open_bodies) == (1, 0)
    assert list(stream) == []


def test_a_dropped_stream_closes_its_connection_though_its_errors_are_kept() -> None:
    source: StubSource[Object] = StubSource([page(version=5)], [[added("a", 6), Unreachable("reset")], [added("b", 7)]])
    items = watcher(source).in_band()
    kept_items = [next(items) for _ in range(5)]
    assert source.open_bodies == 1
    del items
    assert (source.closed, source.open_bodies) == (1, 0)
    assert shown(kept_items[3]) == "WatchFailed"


def test_metadata_is_watched_by_asking_the_server_for_metadata() -> None:
    """Row 113: the metadata form of a collection is what is listed and watched, and decoded as metadata."""

    class Whole(StubSource[Object]):
        def metadata(self) -> StubSource[PartialObjectMeta]:
            return StubSource([page(pod("a", 1), version=5, kind="PartialObjectMetadataList")], decode=decode_partial)

    source = Whole()
    found = next(metadata_watcher(source).applied_objects())
    assert isinstance(found, PartialObjectMeta)
    assert (found.name, found.kind, source.requests) == ("a", "Pod", [])


# Streaming lists


def test_a_streaming_list_begins_lives_and_resumes() -> None:
    """Row 115: Init, the objects, InitDone, live events; the second watch resumes without initial events."""
    played = run(
        [
            *(added(name, i) for i, name in enumerate("abc", 1)),
            bookmark(3, end=True),
            added("d", 4),
            deleted("a", 5),
            modified("b", 6),
        ],
        [added("e", 7)],
        config=Config(initial_list="streaming", label_selector="app=web"),
    )
    assert played.play() == [
        "Init",
        *("InitApply(a)", "InitApply(b)", "InitApply(c)"),
        "InitDone",
        *("Apply(d)", "Delete(a)", "Apply(b)"),
        "Apply(e)",
    ]
    first, second, _ = played.source.watched
    assert (first.resource_version, first.send_initial_events) == ("", True)
    assert (second.resource_version, second.send_initial_events) == ("6", False)
    assert {request.label_selector for request in played.source.watched} == {"app=web"}
    assert played.source.listed == []


def test_an_error_in_the_middle_of_a_stream_is_an_item_and_the_stream_goes_on() -> None:
    """Row 116: ERROR 502, same stream; its end is a plain resume, where ADDED is Apply and a bookmark is silent."""
    played = run(
        [added("a", 1), bookmark(3, end=True), added("b", 4), error(502, "BadGateway"), added("c", 5)],
        [bookmark(5)],
        [added("d", 6)],
        config=STREAMING,
    )
    assert played.play() == [
        *("Init", "InitApply(a)", "InitDone"),
        *("Apply(b)", "WatchStatusError", "Apply(c)"),
        "Apply(d)",
    ]
    assert versions(played) == ["", "5", "5", "6"]


def kept(items: list[Event[Object] | WatchError]) -> set[str]:
    """What a store holds after these items: built aside since the last Init, published by InitDone."""
    aside: set[str] = set()
    published: set[str] = set()
    for item in items:
        text = shown(item)
        if text == "Init":
            aside = set()
        elif text.startswith("InitApply"):
            aside.add(text[10:-1])
        elif text == "InitDone":
            published = aside
    return published


def test_an_initial_stream_that_ends_early_begins_again_and_leaves_no_ghosts() -> None:
    """Row 117: a new Init straight away, both watches at "0" with initial events; only the second round counts.

    Improvement 1: whatever restarts, Init discards what came before.
    """
    config = Config(initial_list="streaming", list_semantic="any")
    played = run([added("ghost", 1)], [added("real", 2), bookmark(3, end=True)], config=config)
    items = list(islice(played.items, 5))
    assert [shown(i) for i in items] == ["Init", "InitApply(ghost)", "Init", "InitApply(real)", "InitDone"]
    assert [(r.resource_version, r.send_initial_events) for r in played.source.watched] == [("0", True)] * 2
    assert kept(items) == {"real"}


def test_an_initial_stream_that_expires_begins_again_and_leaves_no_ghosts() -> None:
    """Row 118: likewise for ERROR 410, whose error item stands between the rounds."""
    played = run(
        [added("ghost", 1), error(410, "Expired"), added("never", 2)],
        [added("real", 2), bookmark(3, end=True)],
        config=STREAMING,
    )
    items = list(islice(played.items, 6))
    assert [shown(i) for i in items] == [
        *("Init", "InitApply(ghost)", "WatchStatusError"),
        *("Init", "InitApply(real)", "InitDone"),
    ]
    assert kept(items) == {"real"}


def test_a_refused_streaming_list_is_replaced_by_list_and_watch() -> None:
    """Improvement 14: no item is lost over it, and it is not tried again on this stream."""
    lists: list[Page | Exception] = [page(pod("a", 1), version=5), page(pod("b", 1), version=8)]
    refused = ApiError(422, "Invalid", "sendInitialEvents is forbidden for watch")
    played = run(refused, [error(410)], [], lists=lists, config=Config(initial_list="auto"))
    assert played.play() == [
        *("Init", "InitApply(a)", "InitDone", "WatchStatusError"),
        *("Init", "InitApply(b)", "InitDone"),
    ]
    assert [type(r).__name__[0] for r in played.source.requests] == ["W", "L", "W", "L", "W", "W"]


def test_a_server_that_never_ends_its_initial_events_is_found_out_after_a_minute() -> None:
    """Improvement 14: initial events whose end bookmark never comes."""
    played = run([added("a", 1), Wait(1e9)], [], config=STREAMING)
    before = played.source.clock.now
    assert played.play() == ["Init", "InitApply(a)", "Init", "InitDone"]
    assert played.source.clock.now - before == 60.0


# What breaks a watch


def test_a_list_that_fails_on_a_later_page_begins_anew() -> None:
    """State row 8: any failure of any page is an error item and a full restart."""
    lists: list[Page | Exception] = [
        page(pod("a", 1), continue_="next"),
        ApiError(410, "Expired", "the token is too old"),
        Unreachable("no route"),
        AuthError("no credentials"),
        msgspec.DecodeError("no JSON"),
        page(pod("b", 1), version=9),
    ]
    played = run([], lists=lists)
    failures = ["InitialListFailed", "Init"] * 4
    assert played.play() == ["Init", "InitApply(a)", *failures, "InitApply(b)", "InitDone"]
    assert played.vitals.restarts["expired"] == 1
    assert [request.continue_ for request in played.source.listed][:3] == [None, "next", None]


@pytest.mark.parametrize(
    "start",
    [
        ApiError(410, "Gone", "too old resource version"),
        ApiError(504, "Timeout", "Too large resource version: 5, current: 3"),
    ],
)
def test_a_version_that_expired_before_the_watch_began_relists(start: Exception) -> None:
    """Improvement 2: the error is told, and the next pull lists again."""
    lists: list[Page | Exception] = [page(pod("a", 1), version=5), page(pod("b", 1), version=90)]
    played = run(start, [added("c", 91)], lists=lists)
    assert played.play() == [
        *("Init", "InitApply(a)", "InitDone", "WatchStartFailed"),
        *("Init", "InitApply(b)", "InitDone", "Apply(c)"),
    ]
    assert versions(played) == ["5", "90", "91"]


def test_a_version_that_expires_during_the_watch_relists() -> None:
    """Pain 4: ERROR 410 is told, and then Init to InitDone show what is still there."""
    lists: list[Page | Exception] = [page(pod("a", 1), version=5), page(version=90)]
    played = run([added("b", 6), error(410, "Expired"), added("never", 7)], [], lists=lists)
    assert played.play() == ["Init", "InitApply(a)", "InitDone", "Apply(b)", "WatchStatusError", "Init", "InitDone"]


def test_what_was_deleted_in_a_gap_is_missing_between_init_and_init_done() -> None:
    """Pain 5: a relist is marked as such, so that whoever keeps objects knows what went away."""
    lists: list[Page | Exception] = [page(pod("a", 1), pod("b", 2), version=5), page(pod("b", 2), version=90)]
    played = run([error(410)], [], lists=lists)
    items = list(islice(played.items, 8))
    assert kept(items[:4]) == {"a", "b"}
    assert kept(items) == {"b"}


def test_a_refused_watch_keeps_its_version() -> None:
    """State row 17: any other refusal is an error item, and the same version is tried again."""
    refusals: list[Watch] = [ApiError(code, "", "") for code in (401, 403, 404, 429, 500, 503)]
    played = run(*refusals, AuthError("expired"), Unreachable("no route"), [added("a", 6)])
    assert played.play() == ["Init", "InitDone", *["WatchStartFailed"] * 8, "Apply(a)"]
    assert versions(played)[:9] == ["5"] * 9


def test_a_refused_watch_is_one_error_with_its_code() -> None:
    """Row 128: a 403 at the start of a watch is one WatchStartFailed, however its body was printed."""
    played = run(ApiError(403, "Forbidden", "pods is forbidden"))
    played.take(2)
    item = played.pull()
    assert isinstance(item, WatchStartFailed)
    assert item.code == 403
    assert "pods is forbidden" in str(item)


def test_an_event_is_handed_out_and_then_the_quiet_end_resumes() -> None:
    """Rows 130, 131, 132: what ended before or after an event, the events stand and the watch is resumed."""
    played = run([added("a", 6)], [], [modified("b", 7)])
    assert played.play() == ["Init", "InitDone", "Apply(a)", "Apply(b)"]
    assert versions(played) == ["5", "6", "6", "7"]


def test_half_a_line_at_the_end_is_dropped_and_the_version_before_it_stands() -> None:
    """Rows 133, 134: the complete line before it keeps its version."""
    whole = added("b", 7)
    played = run([added("a", 6) + whole[:40]], [whole])
    assert played.play() == ["Init", "InitDone", "Apply(a)", "Apply(b)"]
    assert versions(played) == ["5", "6", "7"]


def test_two_lines_in_one_block_are_two_items() -> None:
    """Row 135: a clean end delivers every event."""
    played = run([added("a", 6) + added("b", 7)])
    assert played.play() == ["Init", "InitDone", "Apply(a)", "Apply(b)"]


def test_a_line_comes_whole_however_it_is_cut() -> None:
    """Pain 17: UTF-8 split between blocks."""
    text = line("ADDED", pod("a", 6, note="ä€𝄞")).replace(b"\\u00e4\\u20ac\\ud834\\udd1e", "ä€𝄞".encode())
    assert "ä€𝄞".encode() in text
    played = run([text[i : i + 1] for i in range(len(text))])
    played.take(2)
    item = played.pull()
    assert isinstance(item, Apply)
    assert item.object.note == "ä€𝄞"


def test_a_reset_connection_is_an_error_and_the_next_pull_resumes() -> None:
    """Rows 138, 139: what is no end but an error comes out as WatchFailed, its cause with it."""
    reset = Unreachable("connection reset by peer")
    played = run([added("a", 6), reset], [added("b", 7)])
    played.take(3)
    item = played.pull()
    assert isinstance(item, WatchFailed)
    assert item.__cause__ is reset
    assert played.play() == ["Apply(b)"]
    assert versions(played) == ["5", "6", "7"]


def test_a_malformed_line_is_an_error_and_the_stream_goes_on() -> None:
    """Row 137, at the watcher: the item, and then what follows on the same stream."""
    played = run([added("a", 6), b'{"type":"ADDED", "object":{"a" 1}}\n', added("b", 7)])
    assert played.play() == ["Init", "InitDone", "Apply(a)", "WatchFailed", "Apply(b)"]
    assert len(played.source.watched) == 2


def test_one_odd_object_does_not_stop_the_others() -> None:
    """Pain 16: the error item carries the key and the bytes, the version advances, the stream goes on.

    Row 109: name and namespace of an undecodable object are kept.
    """

    class Sized(msgspec.Struct):
        metadata: dict[str, Any]
        size: int

    odd = line("MODIFIED", pod("odd", 7, size="large"))
    played = run([line("ADDED", pod("a", 6, size=1)), odd], [], decode=decode_model(Sized))
    played.take(3)
    item = played.pull()
    assert isinstance(item, DecodeFailed)
    assert (item.kind, item.namespace, item.object_name) == ("Pod", "default", "odd")
    assert msgspec.json.decode(item.raw)["size"] == "large"
    played.play()
    assert versions(played)[:2] == ["5", "7"]
    assert played.vitals.dropped == 1


def test_a_model_without_metadata_is_watched_by_the_versions_in_its_bytes() -> None:
    class Phase(msgspec.Struct):
        phase: str

    played = run([line("ADDED", pod("a", 6, phase="Running"))], [], decode=decode_model(Phase))
    assert played.play() == ["Init", "InitDone", "Apply()"]
    assert versions(played) == ["5", "6", "6"]


def test_versions_come_from_lists_bookmarks_and_live_events_alone() -> None:
    """Pain 6: never from the objects of a list or of the initial events, and they are not compared."""
    played = run([], lists=[page(pod("a", 900), pod("b", 3), version="x-5")])
    played.play()
    assert versions(played) == ["x-5", "x-5"]
    played = run([added("a", 900), added("b", 3), bookmark("x-7", end=True)], [added("c", "x-6")], [], config=STREAMING)
    played.play()
    assert versions(played) == ["", "x-7", "x-6", "x-6"]


def test_bookmarks_move_the_version_and_come_out_as_nothing() -> None:
    """Pain 8: the version advances on every path; nothing is replayed after a resume."""
    played = run([bookmark(50)], [added("a", 60)], [])
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert versions(played) == ["5", "50", "60", "60"]


def test_a_stream_outlives_any_number_of_quiet_ends() -> None:
    """Pain 7: nothing happened for hours, and the stream still stands."""
    played = run(*[[Wait(290.0)]] * 50, [added("a", 6)])
    assert played.play() == ["Init", "InitDone", "Apply(a)"]


def test_an_unknown_kind_is_a_mistake_in_the_call_and_is_raised() -> None:
    played = run(lists=[UnknownKind("Pood", ("Pod",))])
    played.take(1)
    with pytest.raises(UnknownKind):
        played.pull()


# Silence


def test_an_item_after_a_short_silence_passes() -> None:
    """Row 6: what comes before the idle deadline is handed out."""
    played = run([Wait(304.0), added("a", 6)])
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert len(played.source.watched) == 2


def test_a_dead_connection_is_left_at_the_idle_deadline_and_resumed() -> None:
    """Row 7: silence is treated like the server closing the stream; no error, the same version."""
    played = run([added("a", 6), Wait(1e9)], [added("b", 7)])
    before = played.source.clock.now
    assert played.play() == ["Init", "InitDone", "Apply(a)", "Apply(b)"]
    assert played.source.clock.now - before == 305.0
    assert versions(played)[:2] == ["5", "6"]
    assert played.vitals.restarts["idle"] == 1


def test_an_ended_stream_is_resumed() -> None:
    """Row 8: the end is an end, not an error."""
    played = run([], [added("a", 6)])
    assert played.play() == ["Init", "InitDone", "Apply(a)"]


def test_silence_is_noticed_after_100_seconds_once_bookmarks_were_seen() -> None:
    """Pain 1: a dead stream is resumed within about 100 seconds where the server sends bookmarks."""
    played = run([Wait(60.0), bookmark(6), Wait(1e9)], [Wait(1e9)], [added("a", 7)])
    before = played.source.clock.now
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert played.source.clock.now - before == 60.0 + 100.0 + 100.0
    assert played.source.deadlines == [305.0, 100.0, 100.0]


def test_a_timeout_of_zero_leaves_time_for_silence_and_still_has_a_deadline() -> None:
    """Row 120: with timeout 0 an item after 6 s of silence still arrives."""
    played = run([Wait(6.0), added("a", 6), Wait(1e9)], [], config=Config(timeout=0))
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert played.source.watched[0].timeout == 0
    assert played.source.deadlines == [305.0, 305.0]


def test_the_deadline_may_be_set_below_a_load_balancers_limit() -> None:
    played = run([bookmark(6), Wait(1e9)], [added("a", 7)], config=Config(idle_timeout=20.0, timeout=1800))
    before = played.source.clock.now
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert played.source.clock.now - before == 20.0
    assert played.source.watched[0].timeout == 1800


def test_the_timeout_of_the_server_and_the_deadline_of_the_client_are_one_setting() -> None:
    """Pain 2: one number, from which the other follows; and its end is never an exception."""
    played = run([Wait(61.0)], [Wait(1e9)], [added("a", 6)], config=Config(timeout=60))
    assert played.play() == ["Init", "InitDone", "Apply(a)"]
    assert {request.timeout for request in played.source.watched} == {60}
    assert played.source.deadlines == [75.0, 75.0]


# Storms


def test_a_server_that_closes_at_once_makes_no_pull_spin() -> None:
    """Improvement 4: after a few silent ends each further one is an error item, by which a backoff can act.

    Pain 10: no hot loop: never more than three requests in one pull.
    """
    played = run(*[[]] * 100)
    played.take(2)
    requests = []
    for _ in range(20):
        assert played.take(1) == ["WatchFailed"]
        requests.append(len(played.source.watched))
    assert requests == list(range(3, 23))


def test_a_server_that_closes_initial_streams_at_once_makes_no_pull_spin() -> None:
    """Improvement 4: also where the initial stream is what is closed."""
    played = run(*[[]] * 100, lists=[page(version=5)] * 9, config=STREAMING)
    assert played.take(7) == ["Init", "Init", "Init", "WatchFailed", "Init", "InitDone", "WatchFailed"]
    assert len(played.source.watched) == 4


def test_a_bookmark_now_and_then_is_no_excuse_for_a_storm() -> None:
    played = run(*[[bookmark(i)] for i in range(6, 100)])
    assert played.take(4) == ["Init", "InitDone", "WatchFailed", "WatchFailed"]
    assert len(played.source.watched) == 4


@pytest.mark.parametrize("script", [[], [b"\n"], [bookmark(6)], [line("NOVELTY", {})], [b'{"type":"ADD']])
def test_no_script_makes_a_pull_spin(script: list[Step]) -> None:
    """Pain 10: whatever a watch brings before it is closed at once, a pull makes a few requests at most."""
    played = run(*[script] * 1000)
    for _ in range(50):
        before = len(played.source.requests)
        played.take(1)
        assert len(played.source.requests) - before <= 4


def test_what_a_server_asks_to_wait_for_is_on_the_item() -> None:
    """Pain 10: Retry-After reaches the backoff."""
    played = run(lists=[ApiError(429, "TooManyRequests", "later", retry_after=7.0)])
    played.take(1)
    item = played.pull()
    assert isinstance(item, InitialListFailed)
    assert (item.code, item.retry_after) == (429, 7.0)


# Vitals


def test_what_came_at_once_was_heard_at_once_however_long_it_takes_to_hand_it_on() -> None:
    """Or what a slow consumer has would pass for fresher than it is."""
    played = run([added("b", 6) + bookmark(9) + error(500)])
    played.take(3)
    came = played.vitals.heard_at
    played.source.clock.now += 60.0
    assert played.take(1) == ["WatchStatusError"]
    assert played.vitals.resource_version == "9"
    assert played.vitals.heard_at == came
    assert played.vitals.age == 60.0


def test_vitals_tell_the_health_of_the_watch() -> None:
    lists: list[Page | Exception] = [ApiError(500, "InternalError", "no"), page(pod("a", 1), version=5)]
    played = run([Wait(10.0), added("b", 6), Wait(10.0), bookmark(9), Wait(10.0), error(500)], lists=lists)
    vitals, clock = played.vitals, played.source.clock
    assert played.take(2) == ["Init", "InitialListFailed"]
    assert (vitals.heard_at, vitals.failing, vitals.restarts["failed"]) == (None, True, 1)
    assert played.take(2) == ["Init", "InitApply(a)"]
    assert (vitals.heard_at, vitals.failing, vitals.resource_version) == (clock.now, False, None)
    assert played.take(1) == ["InitDone"]
    assert vitals.resource_version == "5"
    assert played.take(1) == ["Apply(b)"]
    assert vitals.age == 0.0
    assert vitals.resource_version == "5", "the consumer has it in hand, and has not asked for more yet"
    assert played.take(1) == ["WatchStatusError"]
    assert vitals.resource_version == "9"
    assert vitals.age == 10.0, "an error answer is no sign of life"
    assert (vitals.failing, getattr(vitals.last_error, "code", None)) == (True, 500)


def test_restarts_are_counted_by_cause() -> None:
    lists: list[Page | Exception] = [page(version=5)] * 3
    played = run(
        [added("a", 6)], [Wait(1e9)], [Unreachable("reset")], [error(410)], [added("b")], [added("c", 6)], lists=lists
    )
    played.play()
    assert played.vitals.restarts == {"closed": 2, "idle": 1, "failed": 2, "expired": 1, "no_version": 1}


# Ending


@pytest.mark.parametrize("pulls", range(9))
def test_stop_ends_the_stream_normally_at_every_point(pulls: int) -> None:
    """Pain 3: after stop() the next pull ends, wherever the stream stands, and what was open is closed."""
    lists: list[Page | Exception] = [page(pod("a", 1), pod("b", 2), version=5)]
    played = run([added("c", 6) + added("d", 7), added("e", 8), error(500), b"{]\n", b"{]\n"], lists=lists)
    played.take(pulls)
    played.stop.stop()
    assert list(played.items) == []
    assert (played.source.closed, played.source.open_bodies) == (1, 0)


def test_stop_before_the_first_pull_makes_no_request() -> None:
    """Pain 3: a stop before the beginning is not lost."""
    played = run([added("a", 6)])
    played.stop.stop()
    assert played.play() == []
    assert played.source.requests == []


@pytest.mark.parametrize("failure", [Unreachable("shut"), ApiError(500, "", ""), AuthError("x")])
def test_a_failure_that_stop_caused_is_no_item(failure: Exception) -> None:
    """Pain 3: whatever the shut connection raises, the stream ends without an error."""

    class Stopping(StubSource[Object]):
        def next_list(self) -> Page | Exception:
            stop.stop()
            return failure

    stop = Stop()
    source = Stopping()
    assert [shown(i) for i in watch_events(source, Config(), stop, Vitals())] == ["Init"]


def test_stop_while_a_watch_is_read_ends_the_stream_without_an_item() -> None:
    for failure in ([], [Unreachable("shut")], [added("late", 9)]):
        played = run()
        script: list[Step] = [added("a", 6), Do(played.stop.stop), *failure]
        played.source._watches.append(script)
        assert played.play() == ["Init", "InitDone", "Apply(a)"]


def test_a_deadline_ends_the_stream_between_two_objects_of_a_page() -> None:
    played = run(lists=[page(pod("a", 1), pod("b", 2), version=5)])
    played.stop.until(5.0)
    assert played.take(2) == ["Init", "InitApply(a)"]
    played.source.clock.now += 6.0
    assert played.play() == []


@pytest.mark.parametrize("pulls", [1, 2, 3, 4])
def test_closing_the_generator_closes_the_connection(pulls: int) -> None:
    played = run([added("a", 6), added("b", 7)])
    played.take(pulls)
    played.items.close()  # type: ignore[attr-defined]  # a generator
    assert (played.source.closed, played.source.open_bodies) == (1, 0)


def test_an_interrupt_closes_the_connection() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    played = run([added("a", 6), Do(interrupt)])
    with pytest.raises(KeyboardInterrupt):
        played.play()
    assert (played.source.closed, played.source.open_bodies) == (1, 0)


def test_a_stream_of_the_parent_process_is_refused_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pain 21: a child that goes on with the parent's stream is told so at its next request."""
    played = run([added("a", 6)], [added("b", 7)])
    played.take(3)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(StaleAfterFork, match="build a new stream"):
        played.pull()
    assert (played.source.closed, played.source.open_bodies) == (1, 0)


# Both ways through the watcher


def plainly(source: StubSource[Object], config: Config) -> list[str]:
    """What a script comes to when the machine alone sees every line; the reference for the short way."""
    machine: Machine[Object] = Machine(source, config, Vitals(source.clock))
    session = source.open(Stop(source.clock))
    out: list[str] = []

    def hand_out(items: Any) -> bool:
        for item in items:
            if isinstance(item, WatchError) and isinstance(item.__cause__, OutOfScript):
                return False
            out.append(shown(item))
        return True

    def follow(params: Any) -> bool:
        try:
            body = session.watch(params, machine.idle_timeout)
        except (ApiError, Unreachable) as failure:
            return hand_out(machine.start_failed(failure))
        hand_out(machine.started())
        opened, handed_out, rest = source.clock(), len(out), b""
        try:
            for block in body.blocks():
                *whole, rest = (rest + block).split(b"\n")
                for each in whole:
                    hand_out(machine.line(each))
                    body.idle_timeout = machine.idle_timeout
                    if not machine.reading:
                        return True
        except Unreachable as failure:
            idle = type(failure).__name__ == "IdleTimeout"
            lived = source.clock() - opened
            return hand_out(machine.ended("idle", lived, len(out) > handed_out) if idle else machine.broke(failure))
        return hand_out(machine.ended("closed", source.clock() - opened, len(out) > handed_out, rest))

    while True:
        hand_out(machine.begin())
        params = machine.request()
        if isinstance(params, ListParams):
            try:
                answer = session.list(params)
            except (ApiError, Unreachable) as failure:
                hand_out(machine.list_failed(failure))
            else:
                hand_out(machine.listed(answer))
        elif not follow(params):
            return out


NAMES = st.sampled_from("abc")
VERSIONS = st.one_of(st.just(""), st.integers(1, 99).map(str))
LINES = st.one_of(
    st.builds(added, NAMES, VERSIONS),
    st.builds(modified, NAMES, st.integers(1, 99)),
    st.builds(deleted, NAMES, st.integers(1, 99)),
    st.builds(bookmark, VERSIONS, end=st.booleans()),
    st.builds(error, st.sampled_from([None, 410, 500, 504]), st.sampled_from(["", "Expired", "Timeout"])),
    st.sampled_from(
        [b"\n", b"{]\n", b'{"type":"ADDED"}\n', line("NOVELTY", {}), line("ADDED", {"metadata": 3}), b'{"a":1}\r\n']
    ),
)
BROKEN = st.builds(Unreachable, st.just("broken"))
REFUSED = st.sampled_from([400, 403, 410, 422, 500]).map(lambda code: ApiError(code, "", ""))


@st.composite
def watch_scripts(draw: st.DrawFn) -> list[Step] | Exception:
    if draw(st.integers(0, 5)) == 0:
        return draw(REFUSED)
    text = b"".join(draw(st.lists(LINES, max_size=8)))
    text = text[: len(text) - draw(st.sampled_from([0, 0, 0, 1, 5, 60]))]
    cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, max(len(text), 1)), max_size=4))})
    steps: list[Step] = []
    for start, end in pairwise(cuts):
        steps += [text[start:end]] if text[start:end] else []
        steps += draw(st.lists(st.sampled_from([Wait(1.0), Wait(90.0), Wait(1e6)]), max_size=1))
    return steps + draw(st.lists(BROKEN, max_size=1))


PAGES = st.one_of(
    st.builds(lambda names, version: page(*(pod(n, 1) for n in names), version=version), st.lists(NAMES), VERSIONS),
    st.builds(lambda names, token: page(*(pod(n) for n in names), continue_=token), st.lists(NAMES), st.just("next")),
    st.just(page(pod("a", 1), {"metadata": 3}, version=9)),
    REFUSED,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(PAGES, max_size=6),
    st.lists(watch_scripts(), max_size=8),
    st.sampled_from([Config(), STREAMING, Config(strict=True), Config(bookmarks=False), Config(idle_timeout=50.0)]),
)
def test_the_short_way_of_live_events_comes_to_the_same_as_the_machine(
    lists: list[Page | Exception], watches: list[Watch], config: Config
) -> None:
    # The script's end is a failing watch, so it must be reached: lists of it end, too.
    ending: list[Page | Exception] = [*lists, *[page(version=70)] * 30]
    fast: Run[Object] = Run(StubSource(ending, watches), config)
    reference: StubSource[Object] = StubSource(ending, watches)
    assert fast.play() == plainly(reference, config)
    assert fast.source.requests == reference.requests
    assert fast.source.deadlines == reference.deadlines
    assert fast.source.open_bodies == 0
