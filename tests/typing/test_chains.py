"""What mypy says of chains: the right ones keep their types, the wrong ones are rejected."""

from __future__ import annotations

import re

import pytest

from .verdicts import verdicts

SETTING = """
import threading
from collections.abc import Iterator
import backoff
import msgspec
from kubewatch import (
    Api, Apply, Config, Delete, Event, EventStream, Init, Object, ObjectStream, PartialObjectMeta, WatchError,
    await_condition, conditions, live, merge, metadata_watcher, predicates, prune, reflector, store, streams, watcher,
)
from kubewatch.metadata import ObjectMeta

class Web(msgspec.Struct):
    metadata: ObjectMeta

def name_of(obj: Object) -> str:
    return obj.name

def is_seen(obj: Object | None) -> bool:
    return obj is not None

def trim(web: Web) -> None: ...

pods = Api("v1", "Pod")
objects: ObjectStream[Object]
events: EventStream[Object]
webs: EventStream[Web]
metas: EventStream[PartialObjectMeta]
reader, writer = store()
"""

# Expression: the type that mypy infers for it.
RIGHT = {
    # The chapter's expressions
    "watcher(pods, Config())": "EventStream[Object]",
    "watcher(pods).applied_objects().default_backoff()": "ObjectStream[Object]",
    "watcher(pods).default_backoff().modify(prune('metadata.managedFields')).applied_objects()"
    ".predicate_filter(predicates.generation)": "ObjectStream[Object]",
    "reflector(writer, watcher(pods)).applied_objects()": "ObjectStream[Object]",
    "reflector(writer, watcher(pods)).default_backoff().applied_objects().predicate_filter(predicates.generation)": (
        "ObjectStream[Object]"
    ),
    "metadata_watcher(pods).default_backoff().touched_objects()": "ObjectStream[PartialObjectMeta]",
    "watcher(Api(Web)).modify(trim).applied_objects()": "ObjectStream[Web]",
    # Live stores
    "live('pods', 'shop')": "LiveStore[Object]",
    "live(pods.metadata())['web']": "PartialObjectMeta",
    "live(Web, indexes={'name': lambda web: [web.metadata.name]}).start().get('web')": "Web | None",
    # Waiting
    "await_condition(pods, 'web', conditions.is_created & is_seen)": "Object | None",
    "await_condition(Api(Web), 'web', lambda web: web is not None, unless=conditions.is_deleted('u'))": "Web | None",
    "conditions.is_created & is_seen | ~conditions.Condition(is_seen)": "Condition[Any]",
    # Methods
    "next(events)": "Init | InitApply[Object] | InitDone | Apply[Object] | Delete[Object]",
    "next(objects)": "Object",
    "[obj for obj in webs.default_backoff().applied_objects()]": "list[Web]",
    "events.backoff(backoff.expo, max_tries=5, giveup=lambda e: e.code == 403, max_value=30)": "EventStream[Object]",
    "objects.backoff(backoff.fibo, jitter=None)": "ObjectStream[Object]",
    "events.until(seconds=5).take_until(threading.Event())": "EventStream[Object]",
    "events.inspect(print).reflect(writer)": "EventStream[Object]",
    "objects.filter(lambda obj: obj.name == 'a').map(name_of).inspect(print)": "ObjectStream[str]",
    "objects.predicate_filter(lambda obj: obj.name, predicates.labels.combine(predicates.finalizers))": (
        "ObjectStream[Object]"
    ),
    "events.in_band()": (
        "Generator[Init | InitApply[Object] | InitDone | Apply[Object] | Delete[Object] | WatchError, None, None]"
    ),
    "objects.in_band()": "Generator[Object | WatchError, None, None]",
    # Functions
    "streams.applied_objects(events)": "ObjectStream[Object]",
    "streams.touched_objects(webs)": "ObjectStream[Web]",
    "streams.applied_objects(iter([Apply('a')]))": "ObjectStream[str]",
    "streams.predicate_filter(objects, predicates.generation)": "ObjectStream[Object]",
    "streams.predicate_filter([Web(ObjectMeta())], predicates.generation)": "ObjectStream[Web]",
    "streams.filter(objects, bool)": "ObjectStream[Object]",
    "streams.map(objects, name_of)": "ObjectStream[str]",
    "streams.modify(events, print)": "EventStream[Object]",
    "streams.modify(objects, print)": "ObjectStream[Object]",
    "streams.inspect(objects, print)": "ObjectStream[Object]",
    "streams.default_backoff(events)": "EventStream[Object]",
    "streams.backoff(objects, backoff.expo, max_tries=3)": "ObjectStream[Object]",
    "streams.reflect(events, writer)": "EventStream[Object]",
    "streams.map(streams.filter(streams.applied_objects(events), bool), name_of)": "ObjectStream[str]",
    "merge(objects, objects)": "ObjectStream[Object]",
    "merge(objects, webs.applied_objects())": "ObjectStream[Object | Web]",
    "merge(objects, webs.applied_objects(), objects.map(name_of))": "ObjectStream[Object | Web | str]",
}

# Expression: what mypy's complaint says.
WRONG = {
    "await_condition(pods, 'web', name_of)": 'argument 3 to "await_condition"',  # it does not bear absence
    "events.predicate_filter(predicates.generation)": 'has no attribute "predicate_filter"',
    "events.filter(bool)": 'has no attribute "filter"',
    "events.map(str)": 'has no attribute "map"',
    "objects.reflect(writer)": 'has no attribute "reflect"',
    "objects.reflect_shared(writer)": 'has no attribute "reflect_shared"',
    "objects.applied_objects()": 'has no attribute "applied_objects"',
    "objects.touched_objects()": 'has no attribute "touched_objects"',
    "watcher(pods).predicate_filter(predicates.generation)": 'has no attribute "predicate_filter"',
    "watcher(pods).applied_objects().reflect(writer)": 'has no attribute "reflect"',
    "watcher(pods).default_backoff().filter(bool)": 'has no attribute "filter"',
    "streams.predicate_filter(events, predicates.generation)": 'argument 1 to "predicate_filter"',
    "streams.filter(events, bool)": 'argument 1 to "filter"',
    "streams.map(events, str)": 'type variable "m" of "map" cannot be',
    "streams.applied_objects(objects)": 'argument 1 to "applied_objects"',
    "streams.touched_objects(objects)": 'argument 1 to "touched_objects"',
    "streams.reflect(objects, writer)": 'argument 1 to "reflect"',
    "reflector(writer, objects)": 'argument 2 to "reflector"',
    "merge(events)": "no overload variant",
    "webs.reflect(writer)": 'argument 1 to "reflect"',
    "objects.map(trim)": 'argument 1 to "map"',
    "objects.predicate_filter(trim)": 'argument 1 to "predicate_filter"',
    "objects.until('5')": 'argument 1 to "until"',
    "events.modify(5)": 'argument 1 to "modify"',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> dict[str, list[str]]:
    return verdicts(SETTING, [*RIGHT], [*WRONG], tmp_path_factory, pytestconfig)


@pytest.mark.parametrize("expression", RIGHT)
def test_a_right_chain_has_the_right_type(expression: str, said: dict[str, list[str]]) -> None:
    messages = said[expression]
    assert len(messages) == 1, messages
    revealed = re.fullmatch(r'note: Revealed type is "(.*)"', messages[0])
    assert revealed, messages
    assert re.sub(r"[a-z_]+\.", "", revealed[1]) == RIGHT[expression]


@pytest.mark.parametrize("expression", WRONG)
def test_a_wrong_chain_is_rejected(expression: str, said: dict[str, list[str]]) -> None:
    errors = [message for message in said[expression] if message.startswith("error: ")]
    assert any(WRONG[expression] in error.lower() for error in errors), said[expression]
