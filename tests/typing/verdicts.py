"""What mypy says of expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from mypy import api as mypy


def verdicts(
    setting: str, right: Sequence[str], wrong: Sequence[str], folders: pytest.TempPathFactory, config: pytest.Config
) -> dict[str, list[str]]:
    """What mypy says of each expression, behind the lines of `setting`; the types of the `right` ones are revealed.

    All are looked at in one go, as starting mypy takes seconds.
    """
    folder = folders.mktemp("typing")
    kept = getattr(config, "cache", None)  # pytest may run without
    cache = kept.mkdir("mypy") if kept else folder
    script = folder / "expressions.py"
    lines = [f"reveal_type({expression})\n" for expression in right] + [
        f"print({expression})\n" for expression in wrong
    ]
    script.write_text(setting + "".join(lines))
    settings = ["--strict", "--python-version=3.10", "--follow-imports=silent", f"--cache-dir={cache}"]
    report, errors, _ = mypy.run([*settings, "--hide-error-context", str(script)])
    assert not errors
    first = setting.count("\n") + 1
    expressions = [*right, *wrong]
    found: dict[str, list[str]] = {expression: [] for expression in expressions}
    for line, message in re.findall(r"expressions\.py:(\d+): (.*)", report):
        number = int(line) - first
        assert 0 <= number < len(found), message
        found[expressions[number]].append(message)
    return found
