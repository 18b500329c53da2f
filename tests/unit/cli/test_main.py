"""How a command ends: its exit status, and what it says on the way out."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from kubewatch.cli import main
from kubewatch.cli.messages import explain
from kubewatch.errors import (
    ApiError,
    AuthError,
    InitialListFailed,
    InvalidInput,
    KubewatchError,
    UnknownKind,
    Unreachable,
    WatchFailed,
)

Run = Callable[[argparse.Namespace], int]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    logger = logging.getLogger("kubewatch")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


def run_by(monkeypatch: pytest.MonkeyPatch, run: Run, *more: str) -> int:
    """The exit status of `kubewatch get pods` with a command of the test's own."""
    monkeypatch.setitem(sys.modules, "kubewatch.cli.get", SimpleNamespace(run=run))
    return main(["get", "pods", *more])


def raising(error: BaseException) -> Run:
    def run(arguments: argparse.Namespace) -> int:
        raise error

    return run


def test_the_status_is_the_commands_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_by(monkeypatch, lambda arguments: 0) == 0
    assert run_by(monkeypatch, lambda arguments: 1) == 1


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InvalidInput("label selector: no"), 2, "error: label selector: no"),
        (UnknownKind("pds", ("pods",)), 1, "Did you mean pods?"),
        (
            ApiError(403, "Forbidden", "pods is forbidden"),
            1,
            "the right to get, list and watch",
        ),
        (ApiError(500, "InternalError", "oops"), 1, "500 InternalError: oops"),
        (AuthError("no cluster found: set KUBECONFIG"), 1, "set KUBECONFIG"),
        (Unreachable("127.0.0.1:1 refused the connection"), 1, "--context or --kubeconfig"),
        (InitialListFailed("listing failed: x", ApiError(403, "Forbidden", "no")), 1, "403 Forbidden: no. Ask for"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_ends_with_one_line_that_says_what_to_do(
    error: KubewatchError, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_by(monkeypatch, raising(error)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kubewatch: error: ")
    assert err.count("\n") == 1
    assert said in err


def test_what_a_server_says_is_harmless_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_by(monkeypatch, raising(ApiError(500, "x", "a\x1b[2J\nkubewatch: all is well")))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_by(monkeypatch, raising(KeyboardInterrupt())) == 130


def test_sigterm_is_143_and_is_listened_to_only_while_a_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def run(arguments: argparse.Namespace) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal did not end the command")

    assert run_by(monkeypatch, run) == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_mistake_of_ours_is_not_dressed_up_as_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_by(monkeypatch, raising(ZeroDivisionError()))


def test_the_log_is_silent_unless_asked_for_and_harmless_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: argparse.Namespace) -> int:
        logging.getLogger("kubewatch.test").warning("odd: %s", "\x1b[2J")
        return 0

    run_by(monkeypatch, run)
    assert capsys.readouterr().err == ""
    run_by(monkeypatch, run, "-v")
    assert "odd: \\x1b[2J" in capsys.readouterr().err


def test_an_error_of_a_watch_is_explained_by_its_cause() -> None:
    assert explain(WatchFailed("the watch broke: reset", Unreachable("reset"))).startswith("reset. Another cluster")
    assert explain(WatchFailed("a line was no event")) == "a line was no event"
