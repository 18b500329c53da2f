"""The columns of tables: those that kubectl has, made of objects, whatever these look like."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.decode import decode_object
from kubewatch.printing.builtin_columns import BUILTIN
from kubewatch.printing.rows import Shape, cells, columns_for
from tests.unit.cli.objects import make, make_partial, pod

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def ago(**since: float) -> str:
    return (NOW - timedelta(**since)).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(obj: Any, **shape: bool) -> dict[str, str]:
    columns = columns_for(Shape(obj.api_version, obj.kind, **shape), [obj])
    return dict(zip([column.name for column in columns], cells(columns, obj, NOW), strict=True))


def test_a_pod_shows_its_readiness_its_state_its_restarts_and_its_age() -> None:
    crashing = make(
        "Pod",
        metadata={"creationTimestamp": ago(minutes=5)},
        spec={"containers": [{"name": "main"}, {"name": "log"}], "nodeName": "n1"},
        status={
            "phase": "Running",
            "podIP": "10.0.0.7",
            "containerStatuses": [
                {"name": "main", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"finishedAt": ago(seconds=40)}}},
                {"name": "log", "ready": True, "state": {"running": {}}},
            ],
        },
    )  # fmt: skip
    assert row(crashing) == {
        "Name": "web", "Ready": "1/2", "Status": "CrashLoopBackOff", "Restarts": "3 (40s ago)", "Age": "5m",
    }  # fmt: skip
    wide = row(crashing, wide=True)
    assert (wide["IP"], wide["Node"]) == ("10.0.0.7", "n1")


def test_a_namespace_column_comes_first_where_all_namespaces_are_shown() -> None:
    assert list(row(pod(), namespaces=True))[:2] == ["Namespace", "Name"]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (
            make(
                "Deployment",
                api_version="apps/v1",
                spec={"replicas": 3},
                status={"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2},
            ),
            {"Ready": "2/3", "Up-to-date": "3", "Available": "2"},
        ),
        (make("ConfigMap", data={"a": "1", "b": "2"}), {"Data": "2"}),
        (make("Namespace", status={"phase": "Active"}), {"Status": "Active"}),
        (make("Lease", api_version="coordination.k8s.io/v1", spec={"holderIdentity": "me"}), {"Holder": "me"}),
        (make("Node", status={"conditions": [{"type": "Ready", "status": "True"}]}), {"Status": "Ready"}),
        (
            make("Service", spec={"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": [{"port": 80}]}),
            {"Type": "ClusterIP", "Cluster-IP": "10.0.0.1", "Port(s)": "80/TCP"},
        ),
        (
            make("Job", api_version="batch/v1", spec={"completions": 2}, status={"succeeded": 1}),
            {"Completions": "1/2", "Status": "Running"},
        ),
        (
            make(
                "Event", type="Warning", message="no\x1b[2J", involvedObject={"kind": "Pod", "name": "web"}
            ),
            {"Type": "Warning", "Object": "pod/web", "Message": "no\\x1b[2J"},
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)  # fmt: skip
def test_a_common_kind_has_the_columns_that_kubectl_shows(obj: Any, expected: dict[str, str]) -> None:
    assert row(obj).items() >= expected.items()


@pytest.mark.parametrize("wide", [False, True])
def test_the_values_of_a_secret_are_in_no_cell(wide: bool) -> None:
    secret = make("Secret", type="Opaque", data={"password": "aHVudGVyMg=="}, stringData={"pin": "12345"})
    shown = row(secret, wide=wide)
    assert (shown["Type"], shown["Data"]) == ("Opaque", "1")
    assert "aHVudGVyMg" not in str(shown)
    assert "12345" not in str(shown)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": {"phase": "Bound"}}, "Bound"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "Ready"),
        ({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NoQuota"}]}}, "NoQuota"),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "NotReady"),
        ({"status": {"phase": "Up"}, "metadata": {"deletionTimestamp": ago(seconds=1)}}, "Terminating"),
    ],
)
def test_a_kind_without_columns_of_its_own_shows_its_phase_or_whether_it_is_ready(fields: Any, status: str) -> None:
    assert row(make("Website", api_version="example.com/v1", **fields))["Status"] == status


def test_a_kind_without_a_status_has_no_column_for_it() -> None:
    assert list(row(make("Website", api_version="example.com/v1"))) == ["Name", "Age"]


def test_metadata_alone_has_the_columns_of_metadata() -> None:
    partial = make_partial("Pod", creationTimestamp=ago(hours=5), labels={"app": "web"})
    assert row(partial, metadata=True) == {"Name": "web", "Age": "5h"}
    assert row(partial, metadata=True, wide=True)["Labels"] == "app=web"


def test_what_is_not_known_of_an_object_is_not_made_up() -> None:
    """A pod of which only metadata is known is neither ready nor unready."""
    shown = row(make_partial("Pod"))
    assert shown == {"Name": "web", "Ready": "-", "Status": "-", "Restarts": "-", "Age": "<unknown>"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = [
    "status", "spec", "type", "data", "phase", "conditions", "containers", "containerStatuses", "initContainerStatuses",
    "state", "waiting", "reason", "ports", "replicas", "ingress", "loadBalancer", "rules", "selector", "matchLabels",
    "addresses", "nodeInfo", "capacity", "accessModes", "subjects", "roleRef",
]  # fmt: skip
_ODD = st.recursive(
    _JSON, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4)
)


@given(st.sampled_from(sorted(BUILTIN)), st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=4))
def test_an_object_that_is_not_what_its_kind_should_be_still_has_a_row(gvk: tuple[str, str], fields: Any) -> None:
    group, kind = gvk
    body = {"apiVersion": f"{group}/v1".lstrip("/"), "kind": kind, "metadata": {"name": "odd"}, **fields}
    obj = decode_object(json.dumps(body).encode())
    shown = row(obj, wide=True)
    assert "odd" in " ".join(shown.values())
    assert all(cell.isprintable() for cell in shown.values())


def test_an_object_whose_text_is_broken_still_has_a_row() -> None:
    obj = decode_object(b'{"metadata": {"name": "web"}, "status": {"phase": "\xff"}}', "v1", "Pod")
    assert row(obj)["Name"] == "web"
