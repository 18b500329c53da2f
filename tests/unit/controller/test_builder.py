"""What a controller is built of; what is wrong is refused at once, and the message says what to do."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kubewatch import Api, Config, EventStream, ObjectStream, StreamUsed, store
from kubewatch.controller import Action, Controller
from kubewatch.errors import InvalidInput
from kubewatch.objects import Object
from tests.unit.stub_source import StubSource

from .harness import finite, names, pods, quiet


def empty() -> Controller[Object]:
    return Controller.for_stream(*finite())


def objects() -> ObjectStream[Any]:
    return ObjectStream([])


def events() -> Any:
    return EventStream[Any]([])


reader, writer = store()

WRONG: dict[str, tuple[Any, str]] = {
    "events for the main stream": (lambda: Controller.for_stream(events(), reader), "decode it first"),
    "events of a shared stream": (lambda: Controller.for_shared_stream(events(), reader), "decode it first"),
    "events for owns": (lambda: empty().owns_stream(events()), r"applied_objects\(\), or .touched_objects\(\)"),
    "events for watches": (lambda: empty().watches_stream(events(), lambda obj: None), "decode it first"),
    "events for references": (lambda: empty().reconcile_on(events()), "decode it first"),
    "a list for a stream": (lambda: Controller.for_stream([], reader), r"ObjectStream\(iterable\)"),  # type: ignore[arg-type]  # wrong
    "no stream": (lambda: empty().owns_stream(None), "not None"),  # type: ignore[arg-type]
    "no reader": (lambda: Controller.for_stream(objects()), r"reader, writer = store\(\)"),
    "no reader of a shared stream": (lambda: Controller.for_shared_stream(objects()), r"reader, writer = store\(\)"),
    "the writer for the reader": (lambda: Controller.for_stream(objects(), writer), "not a Writer"),  # type: ignore[arg-type]
    "a reader that is none": (lambda: empty().owns_stream(objects(), writer), "not a Writer"),  # type: ignore[arg-type]
    "a stream for an Api": (lambda: Controller(objects()), r"Controller\.for_stream\(stream, reader\)"),  # type: ignore[arg-type]
    "a stream for owns": (lambda: empty().owns(objects()), r"owns_stream\(stream\)"),  # type: ignore[arg-type]
    "a stream for watches": (lambda: empty().watches(objects(), quiet), r"watches_stream\("),  # type: ignore[call-overload]
    "a name for an Api": (lambda: Controller("pods"), r"Api\('apps/v1', 'Deployment'\)"),  # type: ignore[arg-type]
    "a selector for a Config": (lambda: Controller(StubSource(), "app=web"), "label_selector"),  # type: ignore[arg-type]
    "text for references": (lambda: empty().reconcile_on("web"), "iterable"),  # type: ignore[arg-type]
    "a store for references": (lambda: empty().reconcile_on(reader), "iterable"),  # type: ignore[arg-type]
    "no event": (lambda: empty().graceful_shutdown_on(True), r"threading\.Event"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_fit_is_refused_when_built(what: str) -> None:
    build, message = WRONG[what]
    with pytest.raises(TypeError, match=message):
        build()


def test_one_stream_twice_is_refused() -> None:
    stream, reader = finite()
    controller = Controller.for_stream(stream, reader)
    with pytest.raises(TypeError, match="already"):
        controller.owns_stream(stream)
    ticks = iter([1])
    controller.reconcile_all_on(ticks)
    with pytest.raises(TypeError, match="already"):
        controller.reconcile_on(ticks)  # type: ignore[arg-type]


def test_a_stream_that_was_taken_is_refused() -> None:
    stream = objects()
    empty().owns_stream(stream)
    with pytest.raises(StreamUsed, match="in_band"):
        empty().owns_stream(stream)


@pytest.mark.parametrize(
    "config",
    [
        {"debounce": -1},
        {"debounce": float("nan")},
        {"debounce": float("inf")},
        {"debounce": "1"},
        {"concurrency": 0},
        {"concurrency": 1.5},
        {"concurrency": True},
        {"on_event": 5},
    ],
)
def test_a_setting_that_cannot_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        empty().with_config(**config)


async def _async(obj: Any, context: Any) -> Action:
    return Action.await_change()


def _yielding(obj: Any, context: Any) -> Any:
    yield Action.await_change()


@pytest.mark.parametrize("wrong", [None, 5, _async, _yielding])
def test_a_reconciler_that_is_no_plain_function_is_refused(wrong: Any) -> None:
    controller = empty()
    policy: Any = wrong or 5
    with pytest.raises((InvalidInput, TypeError), match="reconcile"):
        controller.run(wrong)
    with pytest.raises((InvalidInput, TypeError), match="error_policy"):
        controller.run(quiet, policy)
    with pytest.raises(InvalidInput, match="executor"):
        controller.run(quiet, executor=5)  # type: ignore[arg-type]
    assert list(controller.run(quiet)) == []


def test_a_wrong_mapper_is_refused() -> None:
    for add in (
        lambda: empty().watches(StubSource(), Config(), 5),  # type: ignore[call-overload]
        lambda: empty().watches(StubSource()),  # type: ignore[call-overload]
        lambda: empty().watches_stream(objects(), None),  # type: ignore[arg-type]
        lambda: empty().watches_shared_stream(objects(), None),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidInput, match="function"):
            add()


def test_building_makes_no_request_and_starts_no_thread() -> None:
    source: StubSource[Object] = StubSource()
    before = set(threading.enumerate())
    api = Api("apps/v1", "Deployment")
    controller = Controller(source).owns(api).watches(api, quiet).watches(api, Config(), quiet).with_config(debounce=1)  # type: ignore[arg-type]
    assert len(controller.store()) == 0
    controller.run(quiet)
    assert source.requests == []
    assert set(threading.enumerate()) <= before


def test_the_store_is_the_one_that_was_given() -> None:
    stream, reader = finite(*pods("a"))
    controller = Controller.for_stream(stream, reader)
    assert controller.store() is reader
    assert names(controller.run(quiet)) == ["a"]


def test_a_controller_says_what_it_is_of() -> None:
    assert repr(Controller(StubSource())) == "<Controller of Pod in default, 1 triggers>"
