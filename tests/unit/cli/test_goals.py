"""`kubewatch wait --for=…`: what it may ask for, and what is true of an object then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubewatch import InvalidInput, Object
from kubewatch.cli.goals import Unmet, goal
from kubewatch.decode import decode_object

STATUS = {
    "phase": "Running",
    "replicas": 3,
    "share": 0.5,
    "idle": False,
    "note": None,
    "version": "1.0",
    "load": 1.0,
    "podIPs": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}],
    "conditions": [{"type": "Ready", "status": "True"}],
}


def pod() -> Object:
    raw = msgspec.json.encode({"metadata": {"name": "web", "labels": {"a.b/c": "d"}}, "status": STATUS})
    return decode_object(raw, "v1", "Pod")


@pytest.mark.parametrize(
    "text",
    [
        "create",
        "Create",
        "condition=Ready",
        "condition=ready=TRUE",
        "jsonpath={.status.phase}=Running",
        "jsonpath={.status.phase}",
        "jsonpath={.status.podIPs}",
        "jsonpath=.status.phase=Running",
        "jsonpath=status.phase=Running",
        "jsonpath={status.phase}= Running ",
        "jsonpath={.status.phase}='Running'",
        "jsonpath={.status.replicas}=3",
        "jsonpath={.status.share}=0.5",
        "jsonpath={.status.idle}=false",
        "jsonpath={.status.version}=1.0",
        "jsonpath={.status.load}=1",
        "jsonpath={.status.note}=<nil>",
        "jsonpath={.status.podIPs[1].ip}=192.0.2.2",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        'jsonpath=.status.conditions[?(@.type=="Ready")].status=True',
        r"jsonpath={.metadata.labels.a\.b/c}=d",
    ],
)
def test_what_is_true_of_an_object(text: str) -> None:
    assert goal(text)(pod())


@pytest.mark.parametrize(
    "text",
    [
        "delete",
        "condition=Ready=False",
        "condition=Ready=",
        "condition=Synced",
        "jsonpath={.status.version}=1",
        "jsonpath={.status.phase}=Run",
        "jsonpath={.status.nope}",
        'jsonpath={.status.conditions[?(@.type=="Synced")].status}=True',
    ],
)
def test_what_is_not(text: str) -> None:
    assert not goal(text)(pod())


@pytest.mark.parametrize("text", ["create", "condition=Ready", "jsonpath={.status.phase}", "rollout"])
def test_nothing_but_deletion_is_true_of_what_is_absent(text: str) -> None:
    assert not goal(text)(None)
    assert goal("delete")(None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jsonpath={.status.podIPs[*].ip}=192.0.2.1", "more than one value"),
        ("jsonpath={.status.podIPs}=192.0.2.1", "nested object or list"),
    ],
)
def test_what_cannot_be_compared_is_an_error(text: str, message: str) -> None:
    with pytest.raises(Unmet, match=message):
        goal(text)(pod())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ready",
        "create=x",
        "condition",
        "condition=",
        "jsonpath",
        "jsonpath=",
        "jsonpath={}",
        "jsonpath={.a}=",
        "jsonpath={.a}==b",
        "jsonpath={.a}{.b}=c",
        "jsonpath={.a[}=b",
        "jsonpath=x{.a}=b",
    ],
)
def test_what_kubectl_would_not_understand_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        goal(text)


def test_a_path_given_without_a_value_waits_for_any() -> None:
    found: Any = goal("jsonpath={.status.replicas}")
    assert str(found) == "has_value('.status.replicas', None)"
