"""What may be written after `kubewatch run`, and what comes of it."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch.cli import main
from kubewatch.cli import run as run_module
from kubewatch.cli.arguments import parse
from kubewatch.jsonlog import JsonFormatter
from kubewatch.supervisor import CUT_OFF, supervise

TEXT = """
from kubewatch import Action, Api, Controller, Program

controller = Program(Controller(Api("configmaps")), lambda obj, context: Action.await_change())
"""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "kubewatch", "kubernetes.client.rest")]
    before = [(logger, list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """What the supervisor was asked for; it does nothing, and ends well. The current folder has a shop_of_run.py."""
    asked: list[dict[str, Any]] = []

    def supervise(programs: Any, **more: Any) -> int:
        asked.append({"names": [program.name for program in programs], **more})
        return 0

    monkeypatch.setattr(run_module, "supervise", supervise)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop_of_run.py").write_text(TEXT)
    yield asked
    sys.modules.pop("shop_of_run", None)


def test_targets_run_with_the_defaults_of_a_pod(supervised: list[dict[str, Any]]) -> None:
    assert main(["run", "shop_of_run.py", "shop_of_run:controller"]) == 0
    (asked,) = supervised
    assert asked["names"] == ["configmaps", "configmaps"]
    assert (asked["address"], asked["stale_after"], asked["grace"]) == (("", 8080), 90.0, 25.0)


def test_port_address_and_times_can_be_chosen(supervised: list[dict[str, Any]]) -> None:
    options = ["--port", "0", "--bind", "127.0.0.1", "--stale-after", "2m", "--grace", "500ms"]
    assert main(["run", "shop_of_run", *options]) == 0
    (asked,) = supervised
    assert (asked["address"], asked["stale_after"], asked["grace"]) == (("127.0.0.1", 0), 120.0, 0.5)


def test_a_port_that_was_picked_is_printed(
    supervised: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", "shop_of_run", "--port", "0", "--log-level", "error"])
    supervised[0]["announce"]("at http://localhost:4711")
    assert capsys.readouterr().out == "at http://localhost:4711\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run"], "TARGET"),
        (["run", "shop.py", "--port", "65536"], "no port"),
        (["run", "shop.py", "--port", "http"], "no port"),
        (["run", "shop.py", "--grace", "30"], "no duration"),
        (["run", "shop.py", "--log-format", "xml"], "invalid choice"),
    ],
)
def test_what_is_wrong_is_refused(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argv)
    assert message in capsys.readouterr().err


def test_a_target_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "missing_of_run.py"]) == 2
    assert "there is no file missing_of_run.py" in capsys.readouterr().err


def test_what_a_target_raises_is_logged_with_its_traceback(
    supervised: list[dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken_of_run.py").write_text("raise ValueError('no such shop')")
    assert main(["run", "broken_of_run.py"]) == 1
    assert "broken_of_run.py cannot be loaded" in caplog.text
    assert "ValueError: no such shop" in caplog.text


def test_a_port_in_use_is_told_with_what_to_do(
    supervised: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "supervise", supervise)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["run", "shop_of_run", "--bind", "127.0.0.1", "--port", str(port)]) == 2
    assert f"port {port} cannot be listened on: [Errno 98] Address already in use; choose another" in (
        capsys.readouterr().err
    )


def test_the_process_ends_where_reconciles_were_cut_off(
    supervised: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would wait for the threads of a pool on which they run."""
    ended: list[int] = []
    monkeypatch.setattr(run_module, "supervise", lambda programs, **more: CUT_OFF)
    monkeypatch.setattr(os, "_exit", ended.append)
    main(["run", "shop_of_run"])
    assert ended == [CUT_OFF]


def test_the_official_client_logs_no_answers_which_may_be_secrets(supervised: list[dict[str, Any]]) -> None:
    main(["run", "shop_of_run", "--log-level", "debug"])
    assert not logging.getLogger("kubernetes.client.rest").isEnabledFor(logging.DEBUG)


def test_logs_are_text_or_json_whoever_logs(supervised: list[dict[str, Any]]) -> None:
    root = logging.getLogger()
    root.handlers.clear()  # pytest's own
    main(["run", "shop_of_run", "--log-format", "json", "--log-level", "warning"])
    assert [type(handler.formatter) for handler in root.handlers] == [JsonFormatter]
    assert root.level == logging.WARNING
