"""`kubewatch get`: pages as they come, names that are there and names that are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubewatch.cli.get import PAGE, fetch, pages, show_all
from kubewatch.cli.output import form_for
from kubewatch.cli.progress import Progress
from kubewatch.errors import ApiError
from kubewatch.pages import Page
from kubewatch.params import ListParams
from kubewatch.printing.rows import Shape
from tests.unit.stub_source import StubSource

from .objects import pod


class StubApi(StubSource[Any]):
    """A scripted collection that objects can be fetched from by name."""

    resource = SimpleNamespace(plural="pods", namespaced=True)

    def get(self, name: str) -> Any:
        if name == "forbidden":
            raise ApiError(403, "Forbidden", "no")
        if name.startswith("no"):
            raise ApiError(404, "NotFound", f'pods "{name}" not found')
        return pod(name)


def page(*names: str, continue_: str = "", remaining: int | None = None, raw: tuple[bytes, ...] = ()) -> Page:
    items = [pod(name, managedFields=[{"manager": "me"}]).to_json().encode() for name in names]
    return Page([*items, *raw], "v1", "Pod", "5", continue_, remaining)


def shown(api: Any, output: str = "name", limit: int | None = None, whole: bool = False) -> tuple[int, list[str]]:
    lines: list[str] = []
    form = form_for(output, Shape("v1", "Pod"), live=False, whole=whole, write=lines.append)
    with Progress("pods", shown=False) as progress:
        return show_all(api, ListParams(), form, progress, limit=limit), lines


def test_every_page_is_shown_before_the_next_is_asked_for() -> None:
    api = StubApi([page("a", "b", continue_="t1"), page("c")])
    asked: list[int] = []
    form = form_for("name", Shape("v1", "Pod"), live=False, write=lambda line: asked.append(len(api.requests)))
    with Progress("pods", shown=False) as progress:
        show_all(api, ListParams(), form, progress, limit=None)  # type: ignore[arg-type]  # all it needs
    assert asked == [1, 1, 2]


def test_pages_continue_where_the_last_one_ended_with_the_same_selectors() -> None:
    api = StubApi([page("a", continue_="t1"), page("b")])
    assert len(list(pages(api, ListParams(label_selector="app=web")))) == 2  # type: ignore[arg-type]  # all it needs
    assert [(p.label_selector, p.limit, p.continue_) for p in api.listed] == [
        ("app=web", PAGE, None),
        ("app=web", PAGE, "t1"),
    ]


def test_a_limit_is_never_exceeded_nor_more_asked_for() -> None:
    api = StubApi([page("a", "b", continue_="t1"), page("c", continue_="t2")])
    assert shown(api, limit=3) == (0, ["pod/a", "pod/b", "pod/c"])
    assert [p.limit for p in api.listed] == [3, 1]


def test_pages_share_one_table() -> None:
    status, lines = shown(StubApi([page("a", continue_="t1"), page("b")]), "table")
    assert status == 0
    assert [line.split()[0] for line in lines] == ["NAME", "a", "b"]


def test_nothing_found_is_said_on_stderr_and_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(StubApi([page()]), "table") == (0, [])
    assert capsys.readouterr().err == "kubewatch: no resources found (pods in default)\n"


def test_an_object_that_cannot_be_decoded_is_told_and_the_others_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    odd = b'{"metadata": {"name": 5, "password": "secret"}}'
    assert shown(StubApi([page("a", "b", raw=(odd,))])) == (1, ["pod/a", "pod/b"])
    said = capsys.readouterr().err
    assert "one of pods in default cannot be decoded" in said
    assert "secret" not in said


def test_managed_fields_are_left_out_unless_asked_for() -> None:
    for output in ("json", "yaml"):
        assert "managedFields" not in shown(StubApi([page("a")]), output)[1][0]
        assert "managedFields" in shown(StubApi([page("a")]), output, whole=True)[1][0]


def fetched(*names: str, output: str = "name") -> tuple[int, list[str]]:
    lines: list[str] = []
    form = form_for(output, Shape("v1", "Pod"), live=False, write=lines.append)
    return fetch(StubApi(), list(names), form), lines  # type: ignore[arg-type]  # all it needs


def test_names_are_fetched_in_their_order() -> None:
    assert fetched("b", "a") == (0, ["pod/b", "pod/a"])


def test_a_name_that_is_not_there_is_told_and_the_others_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetched("a", "nope", "b") == (1, ["pod/a", "pod/b"])
    assert capsys.readouterr().err == 'kubewatch: error: pods "nope" not found\n'


def test_where_no_name_is_there_no_table_is_begun() -> None:
    assert fetched("nope", output="table") == (1, [])


def test_any_other_refusal_ends_the_command() -> None:
    with pytest.raises(ApiError):
        fetched("a", "forbidden")
