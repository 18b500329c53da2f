"""What deleting does to an object before it goes."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch.testing.apiserver.deletion import DeleteOptions, added_finalizers, begin, may_go
from kubewatch.testing.apiserver.kinds import Kinds

NOW = "2026-01-01T00:00:00Z"
KINDS = Kinds()
MAPS, PODS = KINDS.need("", "v1", "configmaps"), KINDS.need("", "v1", "pods")
JOBS, NAMESPACES = KINDS.need("batch", "v1", "jobs"), KINDS.need("", "v1", "namespaces")


def document(*finalizers: str, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "generation": 1, **({"finalizers": list(finalizers)} if finalizers else {})},
        **more,
    }


def test_without_finalizers_it_can_go_at_once() -> None:
    doc = document()
    begin(MAPS, doc, DeleteOptions(), NOW)
    assert may_go(MAPS, doc)


def test_with_finalizers_it_waits_and_its_generation_counts_the_deletion() -> None:
    doc = document("ex.io/wait")
    begin(MAPS, doc, DeleteOptions(), NOW)
    assert not may_go(MAPS, doc)
    assert doc["metadata"] == {
        "name": "x",
        "generation": 2,
        "finalizers": ["ex.io/wait"],
        "deletionTimestamp": NOW,
        "deletionGracePeriodSeconds": 0,
    }


def test_deleting_again_changes_nothing() -> None:
    doc = document("ex.io/wait")
    begin(MAPS, doc, DeleteOptions(), NOW)
    once = {**doc["metadata"]}
    begin(MAPS, doc, DeleteOptions(), "2026-02-02T00:00:00Z")
    assert doc["metadata"] == once


@pytest.mark.parametrize(
    ("propagation", "finalizers"),
    [
        ("Foreground", ["keep", "foregroundDeletion"]),
        ("Orphan", ["keep", "orphan"]),
        ("Background", ["keep"]),
        ("", ["keep"]),
    ],
)
def test_propagation_is_a_finalizer(propagation: str, finalizers: list[str]) -> None:
    doc = document("keep")
    begin(MAPS, doc, DeleteOptions(propagation=propagation), NOW)
    assert doc["metadata"]["finalizers"] == finalizers


def test_background_takes_back_what_was_asked_before() -> None:
    doc = document("orphan", "foregroundDeletion")
    begin(MAPS, doc, DeleteOptions(propagation="Background"), NOW)
    assert may_go(MAPS, doc)


def test_jobs_orphan_their_pods_unless_told_otherwise() -> None:
    doc = document()
    begin(JOBS, doc, DeleteOptions(), NOW)
    assert doc["metadata"]["finalizers"] == ["orphan"]


@pytest.mark.parametrize(
    ("spec", "status", "asked", "seconds"),
    [
        ({}, {}, None, 0),
        ({"nodeName": "n"}, {"phase": "Running"}, None, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 5}, {"phase": "Running"}, None, 5),
        ({"nodeName": "n"}, {"phase": "Running"}, 7, 7),
        ({"nodeName": "n"}, {"phase": "Running"}, 0, 0),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, None, 0),
        ({"nodeName": "n"}, {"phase": "Failed"}, 9, 0),
    ],
)
def test_only_a_pod_that_runs_on_a_node_takes_time(
    spec: dict[str, Any], status: dict[str, Any], asked: int | None, seconds: int
) -> None:
    doc = document(spec=spec, status=status)
    begin(PODS, doc, DeleteOptions(grace_seconds=asked), NOW)
    assert doc["metadata"]["deletionGracePeriodSeconds"] == seconds
    assert doc["metadata"]["deletionTimestamp"] == f"2026-01-01T00:00:{seconds:02}Z"
    assert may_go(PODS, doc) is (seconds == 0)


def test_a_second_deletion_can_only_make_it_quicker() -> None:
    doc = document(spec={"nodeName": "n"}, status={"phase": "Running"})
    begin(PODS, doc, DeleteOptions(grace_seconds=10), NOW)
    begin(PODS, doc, DeleteOptions(grace_seconds=60), NOW)
    assert doc["metadata"]["deletionGracePeriodSeconds"] == 10
    begin(PODS, doc, DeleteOptions(grace_seconds=0), NOW)
    assert may_go(PODS, doc)


def test_a_namespace_waits_for_its_content() -> None:
    doc = document(spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
    begin(NAMESPACES, doc, DeleteOptions(), NOW)
    assert doc["status"] == {"phase": "Terminating"}
    assert not may_go(NAMESPACES, doc)
    doc["spec"] = {"finalizers": []}
    assert may_go(NAMESPACES, doc)


def test_what_is_being_deleted_gets_no_new_finalizers() -> None:
    old = {"finalizers": ["a"], "deletionTimestamp": NOW}
    assert added_finalizers(old, {"finalizers": ["a", "b"]}) == ["b"]
    assert added_finalizers(old, {"finalizers": []}) == []
    assert added_finalizers({"finalizers": ["a"]}, {"finalizers": ["a", "b"]}) == []
