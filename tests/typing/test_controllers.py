"""What mypy says of controllers: reconcilers get the type that the main stream brings, and wrong ones are rejected."""

from __future__ import annotations

import re

import pytest

from .verdicts import verdicts

SETTING = """
import threading
import kubewatch
import msgspec
from concurrent.futures import ProcessPoolExecutor
from kubewatch import Api, Config, EventStream, Object, ObjectRef, ObjectStream, PartialObjectMeta, Program, Store
from kubewatch import metadata_watcher, store, watcher
from kubewatch.controller import Action, Controller, retry
from kubewatch.metadata import ObjectMeta

class Web(msgspec.Struct):
    metadata: ObjectMeta

class Context: ...

def of_object(obj: Object, context: Context) -> Action: raise NotImplementedError
def of_web(web: Web, context: Context) -> Action: raise NotImplementedError
def of_meta(meta: PartialObjectMeta, context: Context) -> Action: raise NotImplementedError
def no_action(obj: Object, context: Context) -> str: raise NotImplementedError
def web_policy(web: Web, error: Exception, context: Context) -> Action: raise NotImplementedError
def policy(obj: Object, error: Exception, context: Context) -> Action: raise NotImplementedError
def mapper(web: Web) -> ObjectRef | None: raise NotImplementedError
def no_mapper(web: Web) -> str: raise NotImplementedError

context = Context()
pods = Api("v1", "Pod")
webs = Api(Web)
objects: ObjectStream[Object]
web_objects: ObjectStream[Web]
metas: ObjectStream[PartialObjectMeta]
events: EventStream[Object]
reader: Store[Object]
web_reader: Store[Web]
meta_reader: Store[PartialObjectMeta]
"""

# Expression: the type that mypy infers for it.
RIGHT = {
    "Controller(pods)": "Controller[Object]",
    "Controller(webs, Config())": "Controller[Web]",
    "kubewatch.Controller(webs)": "Controller[Web]",
    "Controller(pods.metadata())": "Controller[PartialObjectMeta]",
    "Controller.for_stream(objects, reader)": "Controller[Object]",
    "Controller.for_stream(metas, meta_reader)": "Controller[PartialObjectMeta]",
    "Controller.for_shared_stream(web_objects, web_reader)": "Controller[Web]",
    "Controller(webs).owns(pods, Config()).owns_stream(metas).owns_shared_stream(objects)": "Controller[Web]",
    "Controller(pods).watches(webs, Config(), mapper).watches(webs, mapper)": "Controller[Object]",
    "Controller(pods).watches_stream(web_objects, mapper).watches_shared_stream(web_objects, mapper)": (
        "Controller[Object]"
    ),
    "Controller(pods).reconcile_on([ObjectRef('Pod', 'a')]).reconcile_all_on([1])": "Controller[Object]",
    "Controller(pods).with_config(debounce=1, concurrency=5).graceful_shutdown_on(threading.Event())": (
        "Controller[Object]"
    ),
    "Controller(webs).store()": "Store[Web]",
    "[result for result in Controller(webs).run(of_web, web_policy, context)]": "list[Reconciled | ControllerError]",
    "Controller(pods).run_once(of_object, retry(), context).exit_code": "int",
    "Controller(pods).run_once(lambda obj, context: Action.requeue(len(obj.name)), timeout=5)": "Summary",
    "Controller(pods).start(of_object, policy, context, executor=ProcessPoolExecutor())": "RunningController",
    "Controller(pods.metadata()).run(of_meta, None, context).close()": "None",
    "Program(Controller(webs), of_web, web_policy, context, name='web')": "Program[Web, Context]",
}

# Expression: what mypy's complaint says.
WRONG = {
    "Controller(pods).run(of_web, None, context)": 'argument 1 to "run"',
    "Controller(webs).run(of_object, None, context)": 'argument 1 to "run"',
    "Controller(pods.metadata()).run(of_object, None, context)": 'argument 1 to "run"',
    "Controller.for_stream(metas, meta_reader).run_once(of_object, None, context)": 'argument 1 to "run_once"',
    "Controller(pods).run(of_object, web_policy, context)": 'argument 2 to "run"',
    "Controller(pods).run(of_object, policy, 'context')": 'to "run"',
    "Controller(pods).run(no_action, None, context)": 'argument 1 to "run"',
    "Program(Controller(pods), of_web, None, context)": 'argument 2 to "program"',
    "Program(Controller(pods), of_object, web_policy, context)": 'argument 3 to "program"',
    "Program(Controller(pods), of_object, None, 'context')": 'to "program"',
    "Controller.for_stream(events, reader)": 'argument 1 to "for_stream"',
    "Controller.for_stream(metas, reader)": "for_stream",
    "Controller(pods).owns_stream(events)": 'argument 1 to "owns_stream"',
    "Controller(objects)": 'argument 1 to "controller"',
    "kubewatch.Contoller": 'module has no attribute "contoller"',
    "Controller(pods).watches(pods, Config(), mapper)": "watches",
    "Controller(pods).watches(webs, Config(), no_mapper)": "watches",
    "Controller(pods).watches_stream(web_objects, no_mapper)": 'argument 2 to "watches_stream"',
    "Controller(pods).reconcile_on(['a'])": "list item 0",
    "Controller(pods).with_config(concurrency='5')": 'argument "concurrency"',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> dict[str, list[str]]:
    return verdicts(SETTING, [*RIGHT], [*WRONG], tmp_path_factory, pytestconfig)


@pytest.mark.parametrize("expression", RIGHT)
def test_a_right_controller_has_the_right_type(expression: str, said: dict[str, list[str]]) -> None:
    messages = said[expression]
    if RIGHT[expression] == "None":  # mypy notes that such a value is of no use
        assert all("does not return a value" in message or "None" in message for message in messages), messages
        return
    assert len(messages) == 1, messages
    revealed = re.fullmatch(r'note: Revealed type is "(.*)"', messages[0])
    assert revealed, messages
    assert re.sub(r"[a-z_]+\.", "", revealed[1]).replace("builtins.", "") == RIGHT[expression]


@pytest.mark.parametrize("expression", WRONG)
def test_a_wrong_controller_is_rejected(expression: str, said: dict[str, list[str]]) -> None:
    errors = [message for message in said[expression] if message.startswith("error: ")]
    assert any(WRONG[expression] in error.lower() for error in errors), said[expression]
