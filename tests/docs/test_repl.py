"""The sessions of docs/repl.md are what a REPL answers, but for numbers, which are those of the moment."""

from __future__ import annotations

import doctest
import logging
import re
import sys
from pathlib import Path

import pytest

from kubewatch.testing import ApiServer

from .test_pages import OBJECTS

PAGE = Path(__file__).parent.parent.parent / "docs" / "repl.md"


class ButForNumbers(doctest.OutputChecker):
    """Takes numbers for equal, and `...` for anything."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(_without(want), _without(got), optionflags)


def _without(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "0", text)


def test_the_sessions_of_the_page_are_true(
    kube_api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for obj in OBJECTS:
        kube_api.objects.create(obj)
    monkeypatch.setenv("KUBECONFIG", kube_api.kubeconfig(tmp_path / "kubeconfig"))
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    sessions = re.findall(r"^```pycon\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    text = "\n".join(f"{session}\n" for session in sessions)
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    told: list[str] = []
    runner = doctest.DocTestRunner(ButForNumbers(), optionflags=flags)
    try:
        results = runner.run(test, out=told.append, clear_globs=False)
    finally:
        logging.getLogger("kubewatch").setLevel(logging.NOTSET)  # the page sets it
        test.globs["pods"].stop()
    assert results.attempted > 10
    assert not results.failed, "".join(told)
