"""What may be written on the command line, and what is refused before anything is done."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.cli import main
from kubewatch.cli.arguments import COMMANDS, duration, parse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("1m500ms", 60.5)],
)
def test_a_duration_is_read_as_kubernetes_writes_it(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "30 s", "s", "-5s", "1d", "0s", "0ms", "5S", "1h 30m", "٣s", "nans", "1e3s"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="500ms, 30s, 5m or 1h30m"):
        duration(text)


@given(st.text(max_size=12))
def test_a_duration_is_read_or_refused_whatever_is_written(text: str) -> None:
    with contextlib.suppress(argparse.ArgumentTypeError):
        assert duration(text) > 0


def test_a_name_may_follow_its_kind_after_a_slash_or_a_space() -> None:
    for argv in (["watch", "pod/web"], ["watch", "pod", "web"], ["get", "pod/web"], ["get", "pod", "web"]):
        arguments = parse(argv)
        assert (arguments.kind, arguments.names) == ("pod", ["web"])
    assert parse(["watch", "pods"]).names == []
    assert parse(["get", "pods", "a", "b"]).names == ["a", "b"]


def test_predicates_add_up_and_may_be_written_with_dashes() -> None:
    arguments = parse(["watch", "pods", "--predicate", "labels", "--predicate", "resource-version"])
    assert arguments.predicate == ["labels", "resource_version"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "COMMAND"),
        (["grab", "pods"], "invalid choice"),
        (["watch"], "KIND"),
        (["watch", "pods,services"], "one kind at a time"),
        (["watch", "pod/"], "no KIND/NAME"),
        (["watch", "/web"], "no KIND/NAME"),
        (["watch", "pod/a/b"], "no KIND/NAME"),
        (["watch", "pod/a", "b"], "given twice"),
        (["watch", "pods", "a=b"], "no name of an object"),
        (["watch", "pods", ""], "no name of an object"),
        (["watch", "pods", "-n", "x", "-A"], "not allowed with"),
        (["watch", "pods", "-o", "xml"], "invalid choice"),
        (["watch", "pods", "--for", "a while"], "no duration"),
        (["watch", "pods", "--predicate", "spec"], "invalid choice"),
        (["watch", "pods", "--events", "--only-changes"], "--events shows every event"),
        (["watch", "pods", "--events", "--predicate", "labels"], "--events shows every event"),
        (["watch", "pods", "--name"], "unrecognized"),
        (["watch", "pods", "--only"], "unrecognized"),  # no abbreviations: they break when an option is added
        (["get", "pods", "--limit", "0"], "1 or more"),
        (["get", "pods", "--limit", "ten"], "1 or more"),
        (["get", "pod", "web", "-l", "app=web"], "leave out -l"),
        (["get", "pod", "web", "-A"], "leave out -A"),
        (["demo", "--for", "0s"], "ends before it begins"),
    ],
)
def test_wrong_usage_is_refused_with_status_2_and_a_message(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_goes_to_stdout_and_is_no_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "kubewatch" in out
    assert err == ""


@pytest.mark.parametrize("argv", [["--help"], ["watch", "--help"], ["watch", "pods", "--for", "never"]])
def test_help_and_wrong_usage_do_not_import_the_official_client(argv: list[str]) -> None:
    script = (
        "import sys; from kubewatch.cli import main; main(sys.argv[1:]);"
        "print([m for m in ('kubernetes', 'urllib3', 'yaml') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
