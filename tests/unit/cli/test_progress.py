"""The bar on stderr while a large collection is listed."""

from __future__ import annotations

import io

from kubewatch.cli.progress import INTERVAL, Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_bar_says_how_far_the_list_has_come_and_is_taken_away() -> None:
    out, clock = io.StringIO(), Clock()
    with Progress("pods", shown=True, out=out, clock=clock) as progress:
        progress.at(500, 2000)
        assert out.getvalue() == "\rlisting pods ━━━━━━────────────────── 500 of 2,000\x1b[K"
        progress.clear()
    assert out.getvalue().endswith("2,000\x1b[K\r\x1b[K")


def test_the_bar_is_drawn_no_more_often_than_an_eye_can_follow() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress("pods", shown=True, out=out, clock=clock)
    for done in range(1, 11):
        progress.at(done, 2000)
    assert out.getvalue().count("\r") == 1
    clock.now += INTERVAL
    progress.at(11, 2000)
    assert out.getvalue().count("\r") == 2


def test_where_the_server_does_not_say_how_many_there_are_the_count_is_shown() -> None:
    out = io.StringIO()
    Progress("pods", shown=True, out=out, clock=Clock()).at(1500, None)
    assert "listing pods: 1,500 so far" in out.getvalue()


def test_nothing_is_drawn_where_it_is_not_to_be_shown() -> None:
    out = io.StringIO()
    progress = Progress("pods", shown=False, out=out, clock=Clock())
    progress.at(500, 2000)
    progress.clear()
    assert out.getvalue() == ""
