"""`kubewatch watch`: what it bears and what ends it, on scripted servers."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from kubewatch import predicates
from kubewatch.cli.arguments import parse
from kubewatch.cli.changes import Change, changes
from kubewatch.cli.output import form_for
from kubewatch.cli.progress import Progress
from kubewatch.cli.watch import counted, field_selector, follow, going_on, is_final
from kubewatch.config import Config
from kubewatch.errors import (
    ApiError,
    AuthError,
    DecodeFailed,
    InitialListFailed,
    Unreachable,
    WatchError,
    WatchFailed,
    WatchStartFailed,
)
from kubewatch.events import Apply, Init, InitApply, InitDone
from kubewatch.pages import Page
from kubewatch.printing.rows import Shape
from kubewatch.streams import EventStream
from kubewatch.vitals import Vitals
from kubewatch.watcher import watcher
from tests.unit.stub_source import StubSource

from .objects import pod


def failed(cause: Exception) -> WatchError:
    return InitialListFailed(f"listing failed: {cause}", cause)


NO_RIGHTS = ApiError(403, "Forbidden", "pods is forbidden")
BUSY = ApiError(429, "TooManyRequests", "later")
BROKEN = ApiError(500, "InternalError", "oops")
GONE = ApiError(410, "Expired", "too old")


@pytest.mark.parametrize(
    "cause",
    [
        ApiError(400, "BadRequest", "unable to parse the selector"),
        NO_RIGHTS,
        ApiError(404, "NotFound", "no such resource"),
        AuthError("401"),
        Unreachable("refused"),
    ],
    ids=str,
)
def test_what_no_retry_mends_ends_the_command_before_its_first_list(cause: Exception) -> None:
    assert is_final(failed(cause), Vitals())


@pytest.mark.parametrize("cause", [BUSY, BROKEN, GONE, ApiError(503, "ServiceUnavailable", "starting")], ids=str)
def test_what_passes_is_tried_again_from_the_beginning(cause: Exception) -> None:
    assert not is_final(failed(cause), Vitals())


def test_a_server_that_was_heard_from_and_is_gone_is_tried_again() -> None:
    vitals = Vitals()
    vitals.heard()
    assert not is_final(failed(Unreachable("reset")), vitals)


@pytest.mark.parametrize("cause", [NO_RIGHTS, AuthError("401"), Unreachable("refused")], ids=str)
def test_nothing_ends_a_watch_once_its_first_list_was_complete(cause: Exception) -> None:
    vitals = Vitals()
    vitals.resource_version = "7"
    assert not is_final(WatchStartFailed("the watch failed to start", cause), vitals)


def test_an_error_without_a_request_behind_it_is_tried_again() -> None:
    assert not is_final(WatchFailed("a line was no event"), Vitals())


def watched(items: Iterable[Any]) -> EventStream[Any]:
    return going_on(EventStream(items), Progress("pods", shown=False), "pods in shop")


def test_a_final_error_is_raised_and_ends_the_stream() -> None:
    stream = watched([Init(), failed(NO_RIGHTS), Init()])
    assert next(stream) == Init()
    with pytest.raises(InitialListFailed) as raised:
        next(stream)
    assert raised.value.__cause__ is NO_RIGHTS


def test_errors_are_told_with_the_pause_that_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kubewatch.backoffs.stretched", lambda seconds: 0.001)
    assert list(watched([failed(BUSY), Init(), InitDone()])) == [Init(), InitDone()]
    assert capsys.readouterr().err == ("kubewatch: pods in shop: 429 TooManyRequests: later; trying again in 0.0 s\n")


def test_an_object_that_cannot_be_decoded_is_told_and_holds_nothing_up(capsys: pytest.CaptureFixture[str]) -> None:
    odd = DecodeFailed(
        "Pod shop/odd", kind="Pod", namespace="shop", object_name="odd", raw=b"secret", cause=ValueError()
    )
    assert list(watched([Init(), odd, InitApply(pod("a")), InitDone()]))[1:] == [InitApply(pod("a")), InitDone()]
    said = capsys.readouterr().err
    assert "odd; left out" in said
    assert "secret" not in said


def test_a_watch_through_a_relist_tells_each_difference_once() -> None:
    a, b, c = (pod(name, "1") for name in "abc")
    changed = pod("b", "2")
    source: StubSource[Any] = StubSource(
        lists=[page([a, b], "5"), page([changed, c], "9")], watches=[GONE],
    )  # fmt: skip
    stream = watcher(source, Config())
    lines: list[str] = []
    form = form_for("name", Shape("v1", "Pod"), live=True, write=lines.append)
    events = (item for item in stream.in_band() if not isinstance(item, WatchError))
    seen: list[Change] = []
    for change in changes(events, predicates.resource_version):
        seen.append(change)
        if len(seen) == 6:
            stream.stop()
    follow(seen, form, "pods")
    assert lines == ["pod/a", "pod/b", "pod/b", "pod/c", "pod/a deleted"]


def page(objects: list[Any], version: str, continue_: str = "", remaining: int | None = None) -> Page:
    return Page([obj.to_json().encode() for obj in objects], "v1", "Pod", version, continue_, remaining)


def test_the_progress_of_a_list_is_known_by_its_pages() -> None:
    source: StubSource[Any] = StubSource(
        lists=[
            page([pod("a"), pod("b")], "5", "t1", 3),
            page([pod("c"), pod("d")], "5", "t2", 1),
            page([pod("e")], "5"),
        ]
    )
    stream = watcher(source, Config(page_size=2))
    drawn: list[tuple[int, int | None]] = []

    class Recorded(Progress):
        def at(self, done: int, total: int | None) -> None:
            drawn.append((done, total))

    progress = Recorded("pods", shown=False)
    for event in counted(stream, stream.vitals, progress, 2):
        if isinstance(event, InitDone):
            stream.stop()
    assert drawn == [(1, 5), (2, 5), (3, 5), (4, 5), (5, None)]


def test_a_bar_is_taken_away_before_an_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubewatch.backoffs.stretched", lambda seconds: 0.001)
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("pods", shown=True)
    progress.at(500, 1000)
    list(going_on(EventStream([failed(BUSY)]), progress, "pods"))
    _, _, after = terminal.getvalue().partition("of 1,000\x1b[K")
    assert after.startswith("\r\x1b[Kkubewatch: pods: 429")


def test_only_changes_leaves_out_what_was_there_at_the_start() -> None:
    events: list[Any] = [Init(), InitApply(pod("a")), InitDone(), Apply(pod("b"))]
    lines: list[str] = []
    form = form_for("name", Shape("v1", "Pod"), live=True, write=lines.append)
    follow(changes(events, predicates.resource_version), form, "pods", only_changes=True)
    assert lines == ["pod/b"]


def test_a_name_is_a_field_selector() -> None:
    assert field_selector(parse(["watch", "pod/web"])) == "metadata.name=web"
    assert field_selector(parse(["watch", "pod", "web", "--field-selector", "spec.nodeName=n1"])) == (
        "metadata.name=web,spec.nodeName=n1"
    )
    assert field_selector(parse(["watch", "pods"])) is None
