"""Collecting changes: what events come to, by whatever breaks they are taken and written."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import Api, Object
from kubewatch.decode import decode_object
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import reflect_model
from kubewatch.contrib.django.changes import Batch, Changes, Mark
from tests.djangosite.models import Machine

GONE, KEPT = Mark.GONE, Mark.KEPT


def size(machine: Object) -> int:
    if machine.spec.size == "bad":
        raise LookupError("no such size")
    return int(machine.spec.size)


MACHINES = reflect_model(Machine, Api("machines"), key={"name": "metadata.name"}, fields={"size": size})


def machine(name: str, size: int | str = 1) -> Object:
    return decode_object(json.dumps({"metadata": {"name": name}, "spec": {"size": size}}).encode(), "v1", "Machine")


def after(*events: Event[Object]) -> Changes[Object]:
    changes = Changes(MACHINES)
    for event in events:
        changes.add(event)
    return changes


def listed(*machines: Object) -> list[Event[Object]]:
    return [Init(), *map(InitApply, machines), InitDone()]


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        ([], {}),
        ([Apply(machine("a", 1))], {"a": (1,)}),
        ([Apply(machine("a", 1)), Apply(machine("a", 2))], {"a": (2,)}),
        ([Apply(machine("a")), Delete(machine("a"))], {"a": GONE}),
        ([Delete(machine("a")), Apply(machine("a", 3))], {"a": (3,)}),
        ([Apply(machine("a", 1)), Apply(machine("a", "bad"))], {"a": (1,)}),
        ([Apply(machine("a", "bad"))], {}),
        ([Init(), InitApply(machine("a"))], {}),
        ([Apply(machine("b", 5)), Init(), InitApply(machine("a"))], {"b": (5,)}),
    ],
)
def test_live_changes_come_to_the_newest_state_of_each_object(
    events: list[Event[Object]], rows: dict[str, Any]
) -> None:
    assert after(*events).take(0) == Batch(False, {(name,): row for name, row in rows.items()})


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        (listed(), {}),
        (listed(machine("a", 1), machine("b", 2)), {"a": (1,), "b": (2,)}),
        ([Apply(machine("gone")), *listed(machine("a"))], {"a": (1,)}),
        ([*listed(machine("a")), Apply(machine("b", 2))], {"a": (1,), "b": (2,)}),
        ([*listed(machine("a")), Delete(machine("a"))], {"a": GONE}),
        ([*listed(machine("a")), *listed(machine("b"))], {"b": (1,)}),
        ([Init(), InitApply(machine("broken off")), *listed(machine("b"))], {"b": (1,)}),
        (listed(machine("a", "bad")), {"a": KEPT}),
    ],
)
def test_a_complete_list_takes_the_place_of_all_before_it(events: list[Event[Object]], rows: dict[str, Any]) -> None:
    assert after(*events).take(0) == Batch(True, {(name,): row for name, row in rows.items()})


def test_what_was_taken_is_not_given_twice() -> None:
    changes = after(Apply(machine("a")))
    assert changes.take(0)
    assert not changes.take(0)


def test_from_the_beginning_of_a_list_until_it_is_taken_what_was_written_ages() -> None:
    changes = after(Init(), InitApply(machine("a")))
    assert changes.behind
    changes.add(InitDone())
    assert changes.behind
    changes.take(0)
    assert not changes.behind
    changes.add(Apply(machine("a")))
    assert not changes.behind


def test_an_object_without_a_row_is_counted_and_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        changes = after(Apply(machine("a", "bad")))
    assert changes.left_out == 1
    (record,) = caplog.records
    assert record.getMessage() == (
        "machines -> djangosite.machine: no row can be made of a, and what is there of it stays: "
        "LookupError: no such size"
    )
    assert record.object_name == "a"  # type: ignore[attr-defined]  # from `extra`


def test_who_takes_waits_for_the_first_change() -> None:
    changes = after()
    taken: list[Batch] = []
    taker = threading.Thread(target=lambda: taken.append(changes.take(60.0)))
    taker.start()
    changes.add(Apply(machine("a")))
    taker.join(10.0)
    assert taken == [Batch(False, {("a",): (1,)})]


def test_closing_lets_nobody_wait() -> None:
    changes = after()
    changes.close()
    assert not changes.take(60.0)


# Any events, taken and retried by any breaks


NAMES = st.sampled_from("abc")
LIVE = st.one_of(
    st.builds(lambda name, size: Apply(machine(name, size)), NAMES, st.integers(0, 9)),
    st.builds(lambda name: Delete(machine(name)), NAMES),
)
LISTS = st.lists(st.builds(machine, NAMES, st.integers(0, 9)), max_size=3, unique_by=lambda each: each.name)
STEPS = st.one_of(
    st.lists(LIVE, min_size=1, max_size=3),
    LISTS.map(lambda machines: listed(*machines)),
    LISTS.map(lambda machines: listed(*machines)[:-1]),  # broken off, as the next Init says
)


@settings(max_examples=50)
@given(STEPS.filter(lambda step: isinstance(step[-1], InitDone)), st.lists(st.tuples(STEPS, st.booleans())))
def test_whatever_is_taken_when_and_whatever_write_fails_the_rows_end_as_the_objects_are(
    first: list[Event[Object]], rest: list[tuple[list[Event[Object]], bool]]
) -> None:
    changes = Changes(MACHINES)
    objects: dict[str, int] = {}
    rows: dict[Any, Any] = {("stale",): (0,)}
    batch = Batch()
    for events, works in [(first, True), *rest, ([], True)]:
        for event in events:
            changes.add(event)
        play(events, objects)
        batch = batch.then(changes.take(0))
        if works:
            write(batch, rows)
            batch = Batch()
    assert rows == {(name,): (size,) for name, size in objects.items()}


def play(events: Iterable[Event[Object]], objects: dict[str, int]) -> None:
    """What the events say, the slow way."""
    draft: dict[str, int] = {}
    for event in events:
        if isinstance(event, Init):
            draft = {}
        elif isinstance(event, InitApply):
            draft[event.object.name] = event.object.spec.size
        elif isinstance(event, InitDone):
            objects.clear()
            objects.update(draft)
        elif isinstance(event, Apply):
            objects[event.object.name] = event.object.spec.size
        else:
            objects.pop(event.object.name, None)


def write(batch: Batch, rows: dict[Any, Any]) -> None:
    if batch.whole:
        rows.clear()
    rows.update(batch.rows)
    for key in [key for key, row in rows.items() if row is GONE]:
        del rows[key]
