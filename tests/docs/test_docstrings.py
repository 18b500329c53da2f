"""Every doctest of the package is true, and importing it costs little."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import kubewatch
import tests.djangosite.setup  # noqa: F401  # modules with Django models cannot be imported without a site


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(kubewatch.__path__, "kubewatch.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("module", modules())
def test_every_example_in_a_docstring_is_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_importing_kubewatch_loads_neither_the_official_client_nor_threads() -> None:
    code = "import kubewatch, sys, threading; print('kubernetes' in sys.modules, threading.active_count())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "1"]
