"""The conformance tables are covered: each row has a test whose docstring names it.

The rows are those of kube-rs's own tests and of its watcher's state machine; improvements are where kubewatch goes
beyond it on purpose; pains are what users of other Python clients suffer from.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
NUMBERS = r"(\d+(?:\s*(?:,|and|-|to)\s*\d+)*)"


@cache
def docstrings() -> list[str]:
    """Those of all tests."""
    return [
        ast.get_docstring(node) or ""
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def named(kind: str) -> set[int]:
    """The numbers that docstrings of tests give as `KIND N:`, `KINDs N, M:` or `KINDs N-M:`."""
    found: set[int] = set()
    for docstring in docstrings():
        for match in re.finditer(rf"(?<!State ){kind}s? {NUMBERS}", docstring):
            for part in re.split(r",|and", match[1]):
                first, *last = re.split(r"-|to", part)
                found |= set(range(int(first), int(last[0] if last else first) + 1))
    return found


WANTED = {
    "Row": {*range(1, 65), *range(68, 141)} - {105},
    "State row": set(range(1, 25)),
    "Improvement": {*range(1, 13), *range(14, 18)},
    # 12 is of speed: tests/benchmarks guards it. 27 and 28 are of leader election, which is not here.
    "Pain": {*range(1, 31)} - {12, 27, 28},
}


@pytest.mark.parametrize("kind", WANTED)
def test_every_row_has_a_test(kind: str) -> None:
    assert sorted(WANTED[kind] - named(kind)) == []
