"""A client that fails is told of, and takes nothing from the others."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import real, rounds, trials
from benchmarks.contenders import Contender, Size
from kubewatch.answers import Response

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


# Each says that it watches, and then waits until the pods were changed.
WATCHES = "import sys; open(sys.argv[1] + '/watching', 'a').write('.'); "
CHANGED = "open(sys.argv[1] + '/' + sys.argv[2]).readline(); "


class Changing:
    """Stands for a client: counts who watches, and lets those go on who wait for the change."""

    def __init__(self, directory: Path, waiting: Sequence[str]) -> None:
        self.watching = directory / "watching"
        self.watching.touch()
        for name in waiting:
            os.mkfifo(directory / name)
        self.pipes = [os.open(directory / name, os.O_RDWR) for name in waiting]

    def request(self, method: str, path: str, **_: object) -> Response:
        if method == "PATCH":
            for pipe in self.pipes:
                os.write(pipe, b"\n")
        watches = len(self.watching.read_bytes())
        metrics = f'apiserver_longrunning_requests{{resource="pods",verb="WATCH"}} {watches}\n'
        return Response(200, {}, metrics.encode())

    def close(self) -> None:
        for pipe in self.pipes:
            os.close(pipe)


@pytest.mark.parametrize("at_once", [True, False])
def test_who_fails_beside_the_real_server_is_told_of_at_once_and_the_others_are_measured(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follower(name: str, program: str) -> Contender:
        return contender(name, (sys.executable, "-c", program, str(tmp_path), name))

    followers = [
        contender("no program", ("/no/such/program",)),
        follower("no list", "raise SystemExit('no pods here')"),
        follower("no rest", f"{WATCHES}raise SystemExit('not allowed to watch')"),
        follower("no end", f"{WATCHES}{CHANGED}raise SystemExit('the watch broke')"),
        follower("nothing said", f"{WATCHES}{CHANGED}"),
        follower("good", f"{WATCHES}{CHANGED}print({json.dumps(TOLD)!r})"),
    ]
    monkeypatch.setattr(real, "FOLLOWERS", followers)
    monkeypatch.setattr(real, "IDLE", 0.05)
    failed: dict[str, str] = {}
    with closing(Changing(tmp_path, ["no end", "nothing said", "good"])) as changing:
        client: Any = changing
        assert real._follow(client, "", ONE, "note", at_once, failed) == {"good": TOLD}
        assert list(failed) == [each.name for each in followers[:-1]]
        said = ["no/such/program", "no pods here", "not allowed to watch", "the watch broke", "no result was printed"]
        assert [text in why for text, why in zip(said, failed.values(), strict=True)] == [True] * 5
        assert real._follow(client, "", ONE, "note", at_once, failed) == {"good": TOLD}  # nobody fails twice


def test_watches_of_the_round_before_may_end_late() -> None:
    """Who waits for as many as they were, and one, waits in vain."""
    counts = iter([4, 4, 2, 0, 0, 1])

    class Counting:
        def request(self, method: str, path: str) -> Response:
            metrics = f'apiserver_longrunning_requests{{resource="pods",verb="WATCH"}} {next(counts)}\n'
            return Response(200, {}, metrics.encode())

    client: Any = Counting()
    follower: Any = SimpleNamespace(check=lambda: None)
    real._wait_for_a_watch(client, real._watches(client), follower)
    assert list(counts) == []
