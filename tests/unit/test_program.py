"""What a target of `kubewatch run` is, and how it is found."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewatch import Action, Api, Controller, InvalidInput, Object, Program, StreamUsed
from kubewatch.program import load
from tests.unit.controller.harness import PATIENCE, Feed, quiet
from tests.unit.stored import pod

HEAD = """
from kubewatch import Action, Api, Controller, Program

def reconcile(obj, context):
    return Action.await_change()

def of(kind):
    return Program(Controller(Api("v1", kind)), reconcile)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder of the test's own, whose modules are forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, text: str, name: str = "operator_of_test.py") -> str:
    (folder / name).write_text(HEAD + text)
    return str(folder / name)


# Program


def test_a_program_starts_its_controller_once() -> None:
    feed = Feed()
    program = Program(Controller.for_stream(feed.reflected(), feed.reader), quiet)
    with program.start() as running:
        feed.list(pod("a"))
        feed.settle()
        assert running.healthy
        with pytest.raises(StreamUsed):
            program.start()
    assert running.join(PATIENCE)


def test_a_program_is_called_as_its_objects_are_or_by_its_name() -> None:
    api = Api("apps/v1", "Deployment", namespace="shop")
    assert Program(Controller(api), quiet).name == "Deployment in shop"
    assert Program(Controller(api), quiet, name="web").name == "web"


def test_a_program_shows_nothing_of_its_context() -> None:
    """Which may hold passwords."""
    assert "hunter2" not in repr(Program(Controller(Api("pods")), quiet, context={"password": "hunter2"}))


def test_what_cannot_be_run_is_no_program() -> None:
    with pytest.raises(TypeError, match="of a Controller and its reconciler, not of a Api"):
        Program(Api("pods"), quiet)  # type: ignore[arg-type]  # refused by mypy, too

    async def reconcile(obj: Object, context: None) -> Action:
        return Action.await_change()

    with pytest.raises(TypeError, match="without async"):
        Program(Controller(Api("pods")), reconcile)  # type: ignore[arg-type]  # refused by mypy, too


# load


def test_the_one_program_of_a_file_is_found(folder: Path) -> None:
    assert load(write(folder, "controller = of('Pod')")).name == "Pod"


def test_the_function_of_a_file_that_is_annotated_to_make_a_program_is_found(folder: Path) -> None:
    text = "from __future__ import annotations\n" + HEAD + "\ndef shop() -> Program: return of('Pod')"
    (folder / "shop_of_test.py").write_text(text)
    assert load("shop_of_test.py").name == "Pod"


def test_one_of_several_programs_is_named(folder: Path) -> None:
    write(folder, "a = of('Pod'); b = of('Node')\ndef c(): return of('Secret')")
    with pytest.raises(InvalidInput, match=r"has 2 programs, name one: operator_of_test.py:a, operator_of_test.py:b"):
        load("operator_of_test.py")
    assert load("operator_of_test.py:b").name == "Node"
    assert load("operator_of_test:a").name == "Pod"
    assert load("operator_of_test:c").name == "Secret"


def test_a_module_is_looked_for_in_the_current_folder(folder: Path) -> None:
    (folder / "package_of_test").mkdir()
    write(folder / "package_of_test", "controller = of('Pod')", "shop.py")
    assert load("package_of_test.shop:controller").name == "Pod"
    assert load("package_of_test.shop").name == "Pod"


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder / "sub", "controller = of('Pod')", "neighbour_of_test.py")
    (folder / "sub" / "main_of_test.py").write_text("from neighbour_of_test import controller")
    assert load("sub/main_of_test.py").name == "Pod"


@pytest.mark.parametrize("target", ["folder_of_test", "folder_of_test/", "{}/folder_of_test"])
def test_a_folder_is_refused_with_how_to_name_a_file_in_it(folder: Path, target: str) -> None:
    (folder / "folder_of_test").mkdir()
    place = target.format(folder)
    with pytest.raises(InvalidInput, match=re.escape(f"{place} is a folder: name a file in it: ")) as caught:
        load(place)
    assert str(caught.value).endswith("folder_of_test/file.py")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("", "no target"),
        ("shop:", "no target"),
        (":controller", "no target"),
        ("missing_of_test.py", "there is no file missing_of_test.py"),
        ("missing_of_test", "there is no module missing_of_test"),
        ("./operator_of_test", "no target"),
        ("operator_of_test.py:nothing", "has no 'nothing'; programs in it: good"),
        ("operator_of_test.py:number", "is a int, and no Program"),
        ("operator_of_test.py:alone", r"say how to reconcile: Program\(controller, reconcile\)"),
        ("operator_of_test.py:wrong", "is None, and no Program"),
        ("operator_of_test.py:reconcile", "called without arguments: missing a required argument: 'obj'"),
        ("empty_of_test.py", "has no program: write"),
        ("json.py", "another module is called 'json'"),
    ],
)
def test_a_wrong_target_is_refused_with_what_to_write(folder: Path, target: str, told: str) -> None:
    write(folder, "good = of('Pod'); number = 1; alone = Controller(Api('pods'))\ndef wrong(): pass")
    (folder / "empty_of_test.py").write_text("")
    (folder / "json.py").write_text("")
    with pytest.raises(InvalidInput, match=told):
        load(target)


def test_what_a_module_raises_when_it_is_imported_is_raised_as_it_is(folder: Path) -> None:
    write(folder, "import missing_of_test")
    for target in ("operator_of_test.py", "operator_of_test:controller"):
        with pytest.raises(ModuleNotFoundError, match="missing_of_test"):
            load(target)
