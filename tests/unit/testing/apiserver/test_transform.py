"""Accept headers, metadata-only forms, tables."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.printing.ages import human_duration
from kubewatch.printing.json_path import first
from kubewatch.testing.apiserver.transform import (
    Form,
    NotAcceptable,
    negotiate,
    to_partial,
    to_partial_list,
    to_table,
)

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=timezone.utc)
CREATED = "2024-05-01T11:50:00Z"

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class TestAccept:
    @pytest.mark.parametrize(
        ("accept", "form"),
        [
            (None, Form()),
            ("", Form()),
            ("*/*", Form()),
            ("application/*", Form()),
            ("application/json", Form()),
            ("Application/JSON; charset=utf-8", Form()),
            ("application/json;stream=watch", Form()),
            (PARTIAL, Form("partial")),
            (PARTIAL_LIST, Form("partial", of_list=True)),
            (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form("table")),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Form("table", "v1beta1")),
            ("application/vnd.kubernetes.protobuf,application/json", Form()),
            (f"application/cbor;as=Table;v=v1;g=meta.k8s.io,{PARTIAL}", Form("partial")),
            (PARTIAL.replace("json", "vnd.kubernetes.protobuf") + f",{PARTIAL}", Form("partial", protobuf=True)),
            (f"{PARTIAL},{PARTIAL.replace('json', 'vnd.kubernetes.protobuf')}", Form("partial")),
            (f"application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,{PARTIAL}", Form("partial")),
            ("application/json;as=Unheard;g=meta.k8s.io;v=v1,application/json", Form()),
            ("application/json;as=Table;g=meta.k8s.io;v=v2, */*", Form()),
            (f"application/json;q=0.5, {TABLE}", Form("table")),
            (f"{TABLE};q=0.1, application/json;q=0.9", Form()),
            (f"*/*, {TABLE}", Form("table")),
            ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", Form()),
        ],
    )
    def test_the_best_form_that_can_be_served_is_chosen(self, accept: str | None, form: Form) -> None:
        assert negotiate(accept) == form

    @pytest.mark.parametrize(
        "accept",
        [
            "application/vnd.kubernetes.protobuf",
            "application/cbor",
            "text/html",
            "application/json;as=Unheard;g=meta.k8s.io;v=v1",
            "application/json;as=Table;g=elsewhere.io;v=v1",
            "application/json;stream=other",
        ],
    )
    def test_what_cannot_be_served_is_refused(self, accept: str) -> None:
        with pytest.raises(NotAcceptable, match="application/json"):
            negotiate(accept)

    def test_metadata_of_a_list_must_be_asked_for_as_a_list(self) -> None:
        with pytest.raises(NotAcceptable, match=r"you requested PartialObjectMetadata, but .* is a list"):
            negotiate(PARTIAL).check(is_list=True)
        with pytest.raises(NotAcceptable, match=r"you requested PartialObjectMetadataList, but .* is not a list"):
            negotiate(PARTIAL_LIST).check(is_list=False)

    @pytest.mark.parametrize("is_list", [True, False])
    def test_objects_and_tables_fit_both(self, is_list: bool) -> None:
        negotiate(TABLE).check(is_list)
        negotiate(None).check(is_list)


class TestPartial:
    def test_only_metadata_is_left(self) -> None:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"x": 1}}
        assert to_partial(pod) == {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"name": "a"},
        }

    def test_a_list_keeps_its_own_metadata(self) -> None:
        result = to_partial_list([{"metadata": {"name": "a"}}], list_meta={"resourceVersion": "7"}, version="v1beta1")
        assert result["kind"] == "PartialObjectMetadataList"
        assert result["metadata"] == {"resourceVersion": "7"}
        assert result["items"] == [to_partial({"metadata": {"name": "a"}}, "v1beta1")]


def cells(obj: dict[str, Any], kind: str, api_version: str = "v1", **options: Any) -> dict[str, Any]:
    """An object's row, by the names of the columns."""
    obj.setdefault("metadata", {}).update({"name": "one", "creationTimestamp": CREATED})
    table = to_table([obj], kind, api_version=api_version, list_meta={}, now=NOW, **options)
    names = [column["name"] for column in table["columnDefinitions"]]
    assert len(table["rows"][0]["cells"]) == len(names)
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


def pod(phase: str = "Running", **status: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"phase": phase, **status}}


def container(**state: Any) -> dict[str, Any]:
    ready = "running" in state
    return {"name": "a", "ready": ready, "restartCount": 0, "state": state}


class TestTables:
    def test_a_table_has_columns_rows_and_the_metadata_of_its_list(self) -> None:
        table = to_table([], "Pod", list_meta={"resourceVersion": "7", "continue": "x", "remainingItemCount": 3})
        assert table["metadata"] == {"resourceVersion": "7", "continue": "x", "remainingItemCount": 3}
        assert (table["kind"], table["apiVersion"], table["rows"]) == ("Table", "meta.k8s.io/v1", [])
        assert [one["name"] for one in table["columnDefinitions"] if not one["priority"]] == [
            "Name",
            "Ready",
            "Status",
            "Restarts",
            "Age",
        ]
        assert table["columnDefinitions"][0]["format"] == "name"

    @pytest.mark.parametrize(
        ("kind", "api_version", "short"),
        [
            ("Deployment", "apps/v1", ["Name", "Ready", "Up-to-date", "Available", "Age"]),
            ("StatefulSet", "apps/v1", ["Name", "Ready", "Age"]),
            ("Service", "v1", ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]),
            ("Node", "v1", ["Name", "Status", "Roles", "Age", "Version"]),
            ("Namespace", "v1", ["Name", "Status", "Age"]),
            ("ConfigMap", "v1", ["Name", "Data", "Age"]),
            ("Secret", "v1", ["Name", "Type", "Data", "Age"]),
            ("Event", "v1", ["Last Seen", "Type", "Reason", "Object", "Message"]),
            ("Job", "batch/v1", ["Name", "Status", "Completions", "Duration", "Age"]),
            ("Lease", "coordination.k8s.io/v1", ["Name", "Holder", "Age"]),
            ("CustomResourceDefinition", "apiextensions.k8s.io/v1", ["Name", "Created At"]),
            ("Role", "rbac.authorization.k8s.io/v1", ["Name", "Created At"]),
            ("Widget", "example.com/v1", ["Name", "Age"]),
            ("Service", "serving.knative.dev/v1", ["Name", "Age"]),
        ],
    )
    def test_a_kind_has_the_columns_that_kubectl_shows(self, kind: str, api_version: str, short: list[str]) -> None:
        table = to_table([], kind, api_version=api_version, list_meta={})
        assert [one["name"] for one in table["columnDefinitions"] if not one["priority"]] == short

    @pytest.mark.parametrize(
        ("include", "shown"),
        [
            (None, {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}),
            ("Metadata", {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}),
            ("Object", {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}),
            ("None", None),
        ],
    )
    def test_a_row_includes_as_much_of_its_object_as_was_asked_for(self, include: str | None, shown: Any) -> None:
        obj = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
        table = to_table([obj], "ConfigMap", list_meta={}, include_object=include)
        assert table["rows"][0]["object"] == shown

    def test_another_include_object_is_refused(self) -> None:
        with pytest.raises(ValueError, match="includeObject"):
            to_table([], "Pod", list_meta={}, include_object="Some")

    def test_later_events_of_a_watch_have_no_headers(self) -> None:
        assert to_table([], "Pod", list_meta={}, headers=False)["columnDefinitions"] is None

    def test_what_is_given_is_never_changed(self) -> None:
        objects = [pod("Running", containerStatuses=[container(running={})])]
        before = copy.deepcopy(objects)
        to_table(objects, "Pod", list_meta={})
        assert objects == before

    @pytest.mark.parametrize(
        ("status", "shown", "ready"),
        [
            (pod("Pending"), "Pending", "0/2"),
            (pod(containerStatuses=[container(running={}), container(running={})]), "Running", "2/2"),
            (pod(containerStatuses=[container(waiting={"reason": "CrashLoopBackOff"})]), "CrashLoopBackOff", "0/2"),
            (pod(containerStatuses=[container(terminated={"exitCode": 3})]), "ExitCode:3", "0/2"),
            (pod(containerStatuses=[container(terminated={"exitCode": 0, "signal": 9})]), "Signal:9", "0/2"),
            (pod("Succeeded", containerStatuses=[container(terminated={"reason": "Completed"})]), "Completed", "0/2"),
            (pod("Failed", reason="Evicted"), "Evicted", "0/2"),
            (pod("Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
             "SchedulingGated", "0/2"),
            (pod(containerStatuses=[container(running={}), container(terminated={"reason": "Completed"})],
                 conditions=[{"type": "Ready", "status": "True"}]), "Running", "1/2"),
            (pod(containerStatuses=[container(running={}), container(terminated={"reason": "Completed"})]),
             "NotReady", "1/2"),
            ({"spec": {"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]},
              "status": {"phase": "Pending", "initContainerStatuses": [
                  {"name": "i", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}},
                  {"name": "j", "restartCount": 0, "state": {"waiting": {}}}]}}, "Init:1/2", "0/1"),
            ({"spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]},
              "status": {"phase": "Pending", "initContainerStatuses": [
                  {"name": "i", "restartCount": 0, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}},
             "Init:Error", "0/1"),
            ({"spec": {"initContainers": [{"name": "i", "restartPolicy": "Always"}], "containers": [{"name": "a"}]},
              "status": {"phase": "Running", "containerStatuses": [container(running={})], "initContainerStatuses": [
                  {"name": "i", "restartCount": 0, "started": True, "ready": True, "state": {"running": {}}}]}},
             "Running", "2/2"),
            ({"metadata": {"deletionTimestamp": CREATED}, **pod()}, "Terminating", "0/2"),
            ({"metadata": {"deletionTimestamp": CREATED}, **pod("Succeeded")}, "Succeeded", "0/2"),
        ],
    )  # fmt: skip
    def test_a_pod_is_told_in_one_word(self, status: dict[str, Any], shown: str, ready: str) -> None:
        row = cells(status, "Pod")
        assert (row["Status"], row["Ready"]) == (shown, ready)

    def test_a_pods_restarts_say_when_the_last_one_was(self) -> None:
        once = {**container(running={}), "restartCount": 3}
        once["lastState"] = {"terminated": {"finishedAt": "2024-05-01T11:55:00Z"}}
        assert cells(pod(containerStatuses=[once]), "Pod")["Restarts"] == "3 (5m ago)"
        assert cells(pod(containerStatuses=[container(running={})]), "Pod")["Restarts"] == "0"

    def test_a_pod_that_has_ended_is_marked(self) -> None:
        row = to_table([{"metadata": {"name": "a"}, **pod("Succeeded")}], "Pod", list_meta={})["rows"][0]
        assert row["conditions"][0]["type"] == "Completed"
        assert "conditions" not in to_table([pod()], "Pod", list_meta={})["rows"][0]

    def test_a_pods_wide_columns_say_where_it_is(self) -> None:
        row = cells({**pod(podIPs=[{"ip": "10.0.0.1"}]), "spec": {"nodeName": "n", "containers": []}}, "Pod")
        assert (row["IP"], row["Node"], row["Nominated Node"], row["Readiness Gates"], row["Age"]) == (
            "10.0.0.1",
            "n",
            "<none>",
            "<none>",
            "10m",
        )

    @pytest.mark.parametrize(
        ("kind", "api_version", "obj", "shown"),
        [
            ("Deployment", "apps/v1",
             {"spec": {"replicas": 3, "selector": {"matchLabels": {"b": "2", "a": "1"}},
                       "template": {"spec": {"containers": [
                           {"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}},
              "status": {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}},
             {"Ready": "2/3", "Up-to-date": 1, "Available": 2, "Containers": "c,d", "Images": "i,j",
              "Selector": "a=1,b=2"}),
            ("DaemonSet", "apps/v1", {"spec": {"selector": {"matchExpressions": [
                {"key": "k", "operator": "In", "values": ["y", "x"]}, {"key": "e", "operator": "Exists"}]}},
                "status": {"desiredNumberScheduled": 4}},
             {"Desired": 4, "Ready": 0, "Node Selector": "<none>", "Selector": "k in (x,y),e"}),
            ("Service", "v1", {"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "selector": {"app": "w"},
                                        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53}]}},
             {"Cluster-IP": "10.0.0.1", "External-IP": "<pending>", "Port(s)": "80:30080/TCP,53/TCP",
              "Selector": "app=w"}),
            ("Service", "v1", {"spec": {"type": "ClusterIP"}},
             {"Cluster-IP": "<none>", "External-IP": "<none>", "Port(s)": "<none>"}),
            ("Node", "v1", {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
                            "spec": {"unschedulable": True},
                            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                                       "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
                                       "nodeInfo": {"kubeletVersion": "v1.36.0"}}},
             {"Status": "Ready,SchedulingDisabled", "Roles": "control-plane", "Version": "v1.36.0",
              "Internal-IP": "1.2.3.4", "External-IP": "<none>"}),
            ("Node", "v1", {}, {"Status": "Unknown", "Roles": "<none>"}),
            ("ConfigMap", "v1", {"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}, {"Data": 3}),
            ("Secret", "v1", {"type": "Opaque", "data": {"a": ""}}, {"Type": "Opaque", "Data": 1}),
            ("Event", "v1", {"type": "Normal", "reason": "R", "message": " m\n", "lastTimestamp": CREATED,
                             "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "c", "host": "h"}},
             {"Last Seen": "10m", "Object": "pod/p", "Message": "m", "Source": "c, h", "Count": 1}),
            ("Event", "events.k8s.io/v1", {"regarding": {"kind": "Pod", "name": "p"}, "note": "n",
                                           "eventTime": "2024-05-01T11:59:00.000000Z", "reportingController": "rc"},
             {"Last Seen": "60s", "Object": "pod/p", "Message": "n", "Source": "rc"}),
            ("Job", "batch/v1", {"spec": {"completions": 3}, "status": {
                "succeeded": 1, "startTime": CREATED, "conditions": [{"type": "Suspended", "status": "True"}]}},
             {"Status": "Suspended", "Completions": "1/3", "Duration": "10m"}),
            ("Job", "batch/v1", {"spec": {"parallelism": 2}}, {"Status": "Running", "Completions": "0/1 of 2"}),
            ("Lease", "coordination.k8s.io/v1", {"spec": {"holderIdentity": "me"}}, {"Holder": "me", "Age": "10m"}),
            ("CustomResourceDefinition", "apiextensions.k8s.io/v1", {}, {"Name": "one", "Created At": CREATED}),
            ("Endpoints", "v1", {"subsets": [
                {"addresses": [{"ip": str(n)} for n in range(5)], "ports": [{"port": 1}]}]},
             {"Endpoints": "0:1,1:1,2:1 + 2 more..."}),
            ("Ingress", "networking.k8s.io/v1", {"spec": {"rules": [{"host": "a"}], "tls": [{}]}},
             {"Class": "<none>", "Hosts": "a", "Ports": "80, 443"}),
            ("RoleBinding", "rbac.authorization.k8s.io/v1",
             {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [
                 {"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "n", "name": "s"}]},
             {"Role": "Role/r", "Users": "u", "ServiceAccounts": "n/s", "Groups": ""}),
            ("CronJob", "batch/v1", {"spec": {"schedule": "* * * * *", "suspend": False}},
             {"Suspend": "False", "Last Schedule": "<none>", "Active": 0}),
            ("HorizontalPodAutoscaler", "autoscaling/v2", {
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 5, "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                    {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                    {"type": "External", "external": {"target": {"value": "3"}}}]},
                "status": {"currentMetrics": [{"resource": {"current": {"averageUtilization": 30}}}]}},
             {"Reference": "Deployment/d", "Targets": "cpu: 30%/80%, <unknown>/10 + 1 more...", "MinPods": "<unset>"}),
            ("HorizontalPodAutoscaler", "autoscaling/v2", {"spec": {"metrics": [
                {"type": "External", "external": {"target": {"averageValue": "3"}}}]}},
             {"Targets": "<unknown>/3 (avg)"}),
            ("CertificateSigningRequest", "certificates.k8s.io/v1", {
                "spec": {"expirationSeconds": 7200}, "status": {
                    "certificate": "x", "conditions": [{"type": "Approved"}]}},
             {"Condition": "Approved,Issued", "SignerName": "<none>", "RequestedDuration": "120m"}),
            ("APIService", "apiregistration.k8s.io/v1", {
                "spec": {"service": {"namespace": "n", "name": "s"}}, "status": {"conditions": [
                    {"type": "Available", "status": "False", "reason": "Missing"}]}},
             {"Service": "n/s", "Available": "False (Missing)"}),
            ("APIService", "apiregistration.k8s.io/v1", {}, {"Service": "Local", "Available": "Unknown"}),
            ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1", {"status": {
                "conditions": [{"type": "Dangling", "status": "False"}]}},
             {"MissingPL": "False", "DistinguisherMethod": "<none>"}),
            ("ResourceClaim", "resource.k8s.io/v1", {"status": {"allocation": {"x": 1}, "reservedFor": [{}]}},
             {"State": "allocated,reserved"}),
            ("ResourceClaim", "resource.k8s.io/v1", {}, {"State": "pending"}),
            ("IPAddress", "networking.k8s.io/v1", {"spec": {"parentRef": {
                "resource": "services", "namespace": "n", "name": "s"}}}, {"ParentRef": "services/n/s"}),
            ("ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1", {
                "spec": {"policyName": "p", "paramRef": {"name": "c"}}}, {"PolicyName": "p", "ParamRef": "*/c"}),
            ("CSIDriver", "storage.k8s.io/v1", {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "b"}]}},
             {"AttachRequired": True, "TokenRequests": "a,b", "Modes": "<none>"}),
            ("PersistentVolumeClaim", "v1", {"status": {"phase": "Bound", "accessModes": ["ReadWriteMany"]}},
             {"Status": "Bound", "Access Modes": "RWX", "VolumeMode": "<unset>"}),
        ],
    )  # fmt: skip
    def test_cells_say_what_kubectl_says(
        self, kind: str, api_version: str, obj: dict[str, Any], shown: dict[str, Any]
    ) -> None:
        row = cells(obj, kind, api_version)
        assert {name: row[name] for name in shown} == shown

    @pytest.mark.parametrize("kind", ["Pod", "Node", "Service", "Event", "Endpoints", "Namespace", "PersistentVolume"])
    def test_an_empty_object_makes_a_row_too(self, kind: str) -> None:
        assert cells({}, kind)

    def test_custom_resources_show_the_columns_of_their_definition(self) -> None:
        columns = [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "On", "type": "boolean", "jsonPath": ".spec.on", "priority": 1},
            {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            {"name": "List", "type": "string", "jsonPath": ".spec.list"},
            {"name": "Absent", "type": "number", "jsonPath": ".spec.absent"},
        ]
        obj = {
            "spec": {"size": 3, "on": True, "list": ["a", 1]},
            "status": {"conditions": [{"type": "Other"}, {"type": "Ready", "status": "True"}]},
        }
        row = cells(obj, "Widget", "example.com/v1", printer_columns=columns)
        assert row == {
            "Name": "one",
            "Size": 3,
            "Ready": "True",
            "On": True,
            "Since": "10m",
            "List": '["a",1]',
            "Absent": None,
        }


class TestJsonPath:
    DOC = {"a": {"b.c": 1, "d": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}}  # noqa: RUF012  # never changed

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            (".a.d[0].v", 1),
            (".a.d[-1].v", 2),
            (".a.d[5].v", None),
            (".a['b.c']", 1),
            ('.a["b.c"]', 1),
            (r".a.b\.c", 1),
            ("{.a.d[*].n}", "x"),
            (".a.d[?(@.n=='y')].v", 2),
            (".a.d[?(@.v > 1)].n", "y"),
            (".a.d[?(@.v)].n", "x"),
            (".a.d[?(@.z)].n", None),
            ("$.a.d[1].n", "y"),
            (".nothing.at.all", None),
        ],
    )
    def test_a_path_finds_the_first_value(self, path: str, found: Any) -> None:
        assert first(self.DOC, path) == found

    @pytest.mark.parametrize("path", ["a", ".a[", ".a[?(b==1)]", ".a..b"])
    def test_a_path_that_is_none_is_refused(self, path: str) -> None:
        with pytest.raises(ValueError, match="unrecognized JSONPath"):
            first(self.DOC, path)


class TestAges:
    @pytest.mark.parametrize(
        ("duration", "text"),
        [
            (timedelta(seconds=-5), "<invalid>"),
            (timedelta(seconds=-1), "0s"),
            (timedelta(seconds=119), "119s"),
            (timedelta(seconds=120), "2m"),
            (timedelta(seconds=200), "3m20s"),
            (timedelta(minutes=179), "179m"),
            (timedelta(hours=3, minutes=5), "3h5m"),
            (timedelta(hours=47), "47h"),
            (timedelta(hours=50), "2d2h"),
            (timedelta(days=8), "8d"),
            (timedelta(days=729), "729d"),
            (timedelta(days=735), "2y5d"),
            (timedelta(days=3000), "8y"),
        ],
    )
    def test_durations_have_two_or_three_figures(self, duration: timedelta, text: str) -> None:
        assert human_duration(duration.total_seconds()) == text

    @given(st.floats(0, 1e9))
    def test_durations_are_short(self, seconds: float) -> None:
        assert len(human_duration(seconds)) <= 6
