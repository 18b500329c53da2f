"""`Program`: a controller with its reconciler, ready to be run by others: `kubewatch run`, `manage.py runcontroller`.

    # shop.py
    def reconcile(deployment, context):
        return Action.await_change()

    controller = Program(Controller(Api("deployments.apps")), reconcile)

`kubewatch run shop.py` finds it, as does `kubewatch run shop:controller`; `load` is what reads such a target.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import typing
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from .controller.action import Action
from .controller.builder import Controller
from .controller.checks import check_function, kind_of
from .controller.running import RunningController
from .errors import InvalidInput

T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True)
class Program(Generic[T, C]):
    """A controller, and the arguments of its `run`. As a controller runs once, so does a program.

    `name` is what it is called in probes and metrics; by default what the controller's objects are called, such as
    `Deployment in shop`. Building it makes no request and starts no thread. Raises TypeError and InvalidInput for what
    `run` would refuse.
    """

    controller: Controller[T]
    reconcile: Callable[[T, C], Action]
    error_policy: Callable[[T, Exception, C], Action] | None = None
    context: C | None = field(default=None, repr=False)  # it may hold passwords
    executor: Executor | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.controller, Controller):
            raise TypeError(f"a Program is of a Controller and its reconciler, not of {kind_of(self.controller)}")
        check_function("reconcile", self.reconcile)
        if self.error_policy is not None:
            check_function("error_policy", self.error_policy)
        if not self.name:
            object.__setattr__(self, "name", self.controller.label)

    def start(self) -> RunningController:
        """`controller.start(…)`: begin, on threads of its own. Raises StreamUsed the second time."""
        return self.controller.start(self.reconcile, self.error_policy, self.context, executor=self.executor)


def load(target: str) -> Program[Any, Any]:
    """The program that a target names: `shop.py`, `shop.py:controller`, `package.shop` or `package.shop:controller`.

    The name is bound to a Program, or to a function that is called without arguments and returns one. Without a name,
    the module has one such: a Program, or a function of its own that is annotated `-> Program`. A file is loaded as
    Python loads a script, with its folder first in `sys.path`; for a module, the current folder is looked into, too.

    Raises InvalidInput, saying what there is; and whatever importing the module raises.
    """
    place, colon, name = target.rpartition(":") if ":" in target else (target, "", "")
    if not place or (colon and not name) or (place.startswith(".") and not place.endswith(".py")):
        raise InvalidInput(f"{target!r} is no target: write file.py, file.py:name, module or module:name")
    module = _file(place) if place.endswith(".py") else _module(place)
    if name:
        return _made(_bound(module, name, place), f"{place}:{name}")
    found = _programs(module)
    if len(found) != 1:
        those = ", ".join(f"{place}:{each}" for each in found)
        raise InvalidInput(
            f"{place} has {len(found)} programs, name one: {those}"
            if found
            else f"{place} has no program: write, at its top level, controller = Program(Controller(…), reconcile); "
            f"or name the function that makes one, {place}:function"
        )
    ((name, value),) = found.items()
    return _made(value, f"{place}:{name}")


def _file(place: str) -> ModuleType:
    path = Path(place).resolve()
    if not path.is_file():
        raise InvalidInput(f"there is no file {place}")
    loaded = sys.modules.get(path.stem)
    if loaded is not None:  # by another target
        if getattr(loaded, "__file__", None) != str(path):
            raise InvalidInput(f"{place} cannot be loaded, as another module is called {path.stem!r}: rename the file")
        return loaded
    from importlib.util import module_from_spec, spec_from_file_location  # for whoever loads, not for all who import us

    _look_into(str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None  # of what ends in .py
    assert spec.loader is not None
    module = sys.modules[path.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _module(name: str) -> ModuleType:
    _look_into(os.getcwd())
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and imports what is not
        if not os.path.isdir(name):
            raise InvalidInput(f"there is no module {name}: {error}. For a file, write its path: {name}.py") from None
    else:
        # To Python a folder of whatever is a package, too: one that has nothing in it, and no file.
        if getattr(module, "__file__", None) or not os.path.isdir(name):
            return module
    raise InvalidInput(f"{name} is a folder: name a file in it: {os.path.join(name, 'file.py')}")


def _look_into(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _bound(module: ModuleType, name: str, place: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        known = ", ".join(_programs(module)) or "none"
        raise InvalidInput(f"{place} has no {name!r}; programs in it: {known}") from None


def _made(value: Any, target: str) -> Program[Any, Any]:
    if inspect.isroutine(value):
        try:
            inspect.signature(value).bind()
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{target} is no function that is called without arguments: {error}") from None
        value = value()
    if isinstance(value, Program):
        return value
    hint = "; say how to reconcile: Program(controller, reconcile)" if isinstance(value, Controller) else ""
    raise InvalidInput(f"{target} is {kind_of(value)}, and no Program{hint}")


def _programs(module: ModuleType) -> dict[str, Any]:
    """What is a program in the module, or makes one, by name; nothing twice."""
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        makes = inspect.isfunction(value) and value.__module__ == module.__name__ and _makes_program(value)
        if (isinstance(value, Program) or makes) and not any(value is other for other in found.values()):
            found[name] = value
    return found


def _makes_program(function: Callable[..., Any]) -> bool:
    try:
        annotation = typing.get_type_hints(function).get("return")
    except Exception:  # an annotation that only a type checker can read is no target's
        return False
    return (typing.get_origin(annotation) or annotation) is Program
