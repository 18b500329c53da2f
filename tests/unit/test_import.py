"""What `import kubewatch` costs: the modules that are loaded by it, and those that are not before they are needed."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types

import pytest

import kubewatch
from kubewatch import controller, program

# Each takes milliseconds to load, and is for what a program may never do: connect, wait after an error, write YAML,
# reconcile.
NOT_YET = (
    "asyncio",
    "backoff",
    "cachetools",
    "http.client",
    "kubernetes",
    "kubewatch.controller",
    "kubewatch.program",
    "pathlib",
    "random",
    "socket",
    "ssl",
    "unicodedata",
    "urllib.parse",
    "urllib3",
    "yaml",
)

CONTROLLERS = {name: controller for name in controller.__all__ if name in kubewatch.__all__} | {"Program": program}


def run(code: str) -> list[str]:
    """The words that a process of its own prints, in which nothing of ours is loaded yet."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_kubewatch_loads_nothing_that_can_wait() -> None:
    # Python itself loads some of them where a package is installed from its sources.
    code = "import sys; before = set(sys.modules); import kubewatch; print(*(set(sys.modules) - before))"
    assert set(run(code)).intersection(NOT_YET) == set()


@pytest.mark.parametrize("name", [*CONTROLLERS, "controller", "program"])
def test_what_is_for_controllers_is_there_when_it_is_asked_for(name: str) -> None:
    module = f"sys.modules['{CONTROLLERS[name].__name__}'].{name}" if name in CONTROLLERS else f"kubewatch.{name}"
    code = f"import sys, kubewatch; a = kubewatch.{name}; from kubewatch import {name} as b; print(a is b is {module})"
    assert run(code) == ["True"]


def test_a_star_imports_all_that_is_public() -> None:
    code = "from kubewatch import *; import kubewatch; print(*(one for one in kubewatch.__all__ if one in globals()))"
    assert run(code) == kubewatch.__all__


def test_dir_shows_all_that_is_public_before_it_is_loaded() -> None:
    shown = run("import sys, kubewatch; print('kubewatch.controller' in sys.modules, *dir(kubewatch))")
    assert shown[0] == "False"
    assert {*kubewatch.__all__, "controller", "program", "watcher", "__version__"} <= set(shown[1:])
    assert shown[1:] == sorted(set(shown[1:]))


def test_public_classes_and_functions_are_pickled_as_names() -> None:
    public = [getattr(kubewatch, name) for name in kubewatch.__all__]
    named = [one for one in public if isinstance(one, (type, types.FunctionType))]
    assert kubewatch.Controller in named
    assert pickle.loads(pickle.dumps(named)) == named


def test_a_pickled_action_is_read_where_nothing_is_loaded_yet() -> None:
    raw = pickle.dumps(kubewatch.Action.requeue(5.0))
    assert run(f"import pickle, kubewatch; print(pickle.loads({raw!r}) == kubewatch.Action.requeue(5.0))") == ["True"]


def test_threads_that_ask_at_once_get_the_same_class() -> None:
    code = """
import threading, kubewatch
gate, found = threading.Barrier(8), []
def ask():
    gate.wait()
    found.append(kubewatch.Controller)
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), len(set(found)))
"""
    assert run(code) == ["8", "1"]


def test_a_name_that_is_not_there_is_an_error_that_knows_its_like() -> None:
    with pytest.raises(AttributeError, match="module 'kubewatch' has no attribute 'Contoller'") as failed:
        getattr(kubewatch, "Contoller")  # noqa: B009  # which mypy refuses to look up
    assert (failed.value.name, failed.value.obj) == ("Contoller", kubewatch)
    with pytest.raises(ImportError, match="cannot import name 'Contoller' from 'kubewatch'"):
        exec("from kubewatch import Contoller")


def test_an_error_of_loading_controllers_is_raised_and_not_taken_for_a_missing_name() -> None:
    code = """
import sys, kubewatch
sys.modules["msgspec"] = None
try:
    hasattr(kubewatch, "Controller")
except ImportError as error:
    print(error.name)
del sys.modules["msgspec"]
"""
    assert run(code) == ["msgspec"]
