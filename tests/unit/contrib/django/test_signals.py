"""Which signals events come to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from kubewatch import Object, live
from kubewatch.decode import decode_object
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import object_applied, object_deleted
from kubewatch.contrib.django.signals import Announcer

PODS, NAME = live("pods"), "pods"


def pod(name: str, version: int = 1, uid: str = "u") -> Object:
    metadata = {"name": name, "uid": f"{uid}-{name}", "resourceVersion": str(version)}
    return decode_object(json.dumps({"metadata": metadata}).encode(), "v1", "Pod")


def listed(*pods: Object) -> list[Event[Object]]:
    return [Init(), *map(InitApply, pods), InitDone()]


@pytest.fixture
def told() -> Iterator[list[str]]:
    told: list[str] = []

    def applied(sender: str, object: Object, **_: Any) -> None:
        told.append(f"{sender}: applied {object.name} {object.resource_version}")

    def deleted(sender: str, object: Object, **_: Any) -> None:
        told.append(f"{sender}: deleted {object.name} {object.resource_version}")

    object_applied.connect(applied, sender=NAME)
    object_deleted.connect(deleted, sender=NAME)
    yield told
    object_applied.disconnect(applied, sender=NAME)
    object_deleted.disconnect(deleted, sender=NAME)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([Apply(pod("a", 2)), Delete(pod("a", 3))], ["applied a 2", "deleted a 3"]),
        ([Apply(pod("c")), *listed(pod("a"))], ["applied c 1", "deleted c 1"]),
        ([Init(), InitApply(pod("b"))], []),
        (listed(pod("a"), pod("b")), ["applied b 1"]),
        (listed(pod("a", 2)), ["applied a 2"]),
        (listed(), ["deleted a 1"]),
        (listed(pod("a", 2, uid="another")), ["deleted a 1", "applied a 2"]),
        ([Delete(pod("a")), *listed()], ["deleted a 1"]),
        ([Init(), InitApply(pod("broken off")), *listed(pod("a"))], []),
    ],
)
def test_after_a_list_a_signal_for_each_change_also_for_those_that_only_another_list_shows(
    told: list[str], events: list[Event[Object]], expected: list[str]
) -> None:
    announcer = Announcer("".join(["po", "ds"]), PODS)
    for event in [*listed(pod("a")), *events]:
        announcer(event)
    assert told == [f"pods: {each}" for each in ["applied a 1", *expected]]


def test_a_receiver_s_error_is_logged_and_counted_and_keeps_no_other_from_hearing(
    told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise LookupError("no such pod")

    object_deleted.connect(broken)
    try:
        announcer = Announcer("".join(["po", "ds"]), PODS)
        with caplog.at_level(logging.ERROR, "django.dispatch"):
            announcer(Delete(pod("a")))
            announcer(Delete(pod("b")))
    finally:
        object_deleted.disconnect(broken)
    assert announcer.failures == 2
    assert "LookupError: no such pod" in caplog.text
    assert told == ["pods: deleted a 1", "pods: deleted b 1"]


def test_receivers_of_another_store_hear_nothing(told: list[str]) -> None:
    Announcer("nodes", live("nodes"))(Apply(pod("a")))
    assert told == []
