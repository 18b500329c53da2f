"""A client that fails is told of, and takes nothing from the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import pytest

from benchmarks import __main__ as program
from benchmarks import real, rounds, trials
from benchmarks.contenders import Contender, Size

ONE = Size(1, 1)
TOLD = {
    "version": "1.0",
    "objects": 1,
    "events": 1,
    "list_cpu": 0.5,
    "watch_cpu": 0.25,
    "rss_before": 0,
    "rss_after": 9,
}

FAILING = {
    "no program": ("/no/such/program",),
    "an error": (sys.executable, "-c", "raise SystemExit('no pods here')"),
    "nothing said": (sys.executable, "-c", "pass"),
    "no JSON": (sys.executable, "-c", "print('done')"),
}


def contender(name: str, command: Sequence[str]) -> Contender:
    return Contender(name, lambda: command, "typed", ONE)


def test_who_fails_is_left_out_and_the_others_are_measured() -> None:
    good = (sys.executable, "-c", f"print({json.dumps(TOLD)!r})")
    contenders = [*(contender(name, command) for name, command in FAILING.items()), contender("good", good)]
    outcomes, failed = rounds.run(contenders, 2, quick=False, tell=lambda text: None)
    assert [(each.name, each.listed.median, each.watched.runs) for each in outcomes] == [("good", 2.0, 2)]
    assert list(failed) == list(FAILING)
    assert "no pods here" in failed["an error"]


def test_a_trial_that_fails_is_left_out() -> None:
    figures, failed = trials.run([trials.Trial("odd", "no_such_scenario")], 1, quick=True, tell=lambda text: None)
    assert figures == {}
    assert "no_such_scenario" in failed["odd"]


def test_what_was_measured_before_the_real_server_failed_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TimeoutError("no watches after 120 s")

    monkeypatch.setattr(real, "measure", fail)
    given = program.arguments(["--real", "--quick", "--only", "nobody"])
    assert program.measured(given).failed == {"real server": "TimeoutError: no watches after 120 s"}
