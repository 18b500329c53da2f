"""Conditions: what they are true of, and how they are put together."""

from __future__ import annotations

import operator
from typing import Any

import msgspec
import pytest
from kubernetes.client import (
    V1Deployment,
    V1DeploymentSpec,
    V1DeploymentStatus,
    V1LabelSelector,
    V1ObjectMeta,
    V1Pod,
    V1PodStatus,
    V1PodTemplateSpec,
)

from kubewatch import InvalidInput, Object, conditions
from kubewatch.conditions import Condition
from kubewatch.decode import decode_object, decode_partial


def make(kind: str, *, status: Any = None, spec: Any = None, **metadata: Any) -> Object:
    """An object as a server sends it."""
    meta = {"name": "x", "uid": "u-1", "generation": 1} | metadata
    fields = {"metadata": meta} | ({"spec": spec} if spec else {}) | ({"status": status} if status else {})
    return decode_object(msgspec.json.encode(fields), "v1", kind)


def having(kind: str, *found: dict[str, Any], **metadata: Any) -> Object:
    """An object with these status conditions."""
    return make(kind, status={"conditions": list(found)}, **metadata)


def condition(type_: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": type_, "status": status} | more


# kube-rs's conditions


def test_is_created_holds_for_what_exists() -> None:
    assert conditions.is_created(make("Pod"))
    assert not conditions.is_created(None)


def test_is_deleted_holds_for_what_is_absent_or_was_made_anew() -> None:
    gone = conditions.is_deleted("u-1")
    assert gone(None)
    assert gone(make("Pod", uid="u-2"))
    assert not gone(make("Pod", uid="u-1"))


def test_is_deleted_needs_a_uid() -> None:
    with pytest.raises(InvalidInput, match=r"metadata\.uid"):
        conditions.is_deleted("")


def test_a_crd_is_established_when_its_condition_says_so() -> None:
    """Rows 68-70: crd_established_ok, _fail, _missing."""
    accepted = condition("NamesAccepted")
    assert conditions.is_crd_established(having("CustomResourceDefinition", accepted, condition("Established")))
    assert not conditions.is_crd_established(having("CustomResourceDefinition", condition("Established", "False")))
    assert not conditions.is_crd_established(None)


def test_a_pod_is_running_when_its_phase_says_so() -> None:
    """Rows 71-73: pod_running_ok, _unschedulable, _missing."""
    assert conditions.is_pod_running(make("Pod", status={"phase": "Running"}))
    assert not conditions.is_pod_running(make("Pod", status={"phase": "Pending"}))
    assert not conditions.is_pod_running(make("Pod"))
    assert not conditions.is_pod_running(None)


def test_a_job_is_completed_when_its_condition_says_so_first_in_the_list_or_not() -> None:
    """Rows 74-76: job_completed_ok, _running, _missing."""
    assert conditions.is_job_completed(having("Job", condition("Suspended", "False"), condition("Complete")))
    assert not conditions.is_job_completed(make("Job", status={"active": 1}))
    assert not conditions.is_job_completed(None)


def test_a_deployment_is_completed_when_its_new_replica_set_is_available() -> None:
    """Rows 77-79: deployment_completed_ok, _pending, _missing."""

    def progressing(status: str = "True", **more: str) -> Object:
        return having("Deployment", condition("Available"), condition("Progressing", status, **more))

    assert conditions.is_deployment_completed(progressing(reason="NewReplicaSetAvailable"))
    assert not conditions.is_deployment_completed(progressing(reason="ReplicaSetUpdated"))
    assert not conditions.is_deployment_completed(progressing("False", reason="NewReplicaSetAvailable"))
    assert not conditions.is_deployment_completed(progressing())
    assert not conditions.is_deployment_completed(None)


def balanced(kind: str, *ingress: dict[str, Any], **spec: Any) -> Object:
    """A Service or Ingress with these entries of its load balancer."""
    return make(kind, status={"loadBalancer": {"ingress": list(ingress)} if ingress else {}}, spec=spec)


def test_a_service_is_provisioned_when_each_entry_has_an_address() -> None:
    """Rows 80-84: service_lb_provisioned_ok_ip, _ok_hostname, _pending, _not_loadbalancer, _missing."""
    provisioned = conditions.is_service_loadbalancer_provisioned
    assert provisioned(balanced("Service", {"ip": "192.0.2.1"}, type="LoadBalancer"))
    assert provisioned(balanced("Service", {"hostname": "lb.example.com"}, type="LoadBalancer"))
    assert not provisioned(balanced("Service", {"ip": "192.0.2.1"}, {"ports": []}, type="LoadBalancer"))
    assert not provisioned(balanced("Service", type="LoadBalancer"))
    assert provisioned(balanced("Service", type="ClusterIP")), "there is nothing to wait for"
    assert not provisioned(None)


def test_an_ingress_is_provisioned_when_each_entry_has_an_address() -> None:
    """Rows 85-88: ingress_provisioned_ok_ip, _ok_hostname, _pending, _missing."""
    provisioned = conditions.is_ingress_provisioned
    assert provisioned(balanced("Ingress", {"ip": "192.0.2.1"}))
    assert provisioned(balanced("Ingress", {"hostname": "lb.example.com"}))
    assert not provisioned(balanced("Ingress"))
    assert not provisioned(balanced("Ingress", {}))
    assert not provisioned(None)


# Composition


def true(obj: Any) -> bool:
    return True


def false(obj: Any) -> bool:
    return False


YES, NO = Condition(true), Condition(false)


def test_not_turns_a_condition_around() -> None:
    """Row 89: the truth table of not."""
    assert [(~YES)(None), (~NO)(None)] == [False, True]


@pytest.mark.parametrize(("left", "right"), [(YES, YES), (YES, NO), (NO, YES), (NO, NO)])
def test_and_and_or_combine_two(left: Condition[Any], right: Condition[Any]) -> None:
    """Rows 90-91: the truth tables of and, or."""
    assert (left & right)(None) is (left(None) and right(None))
    assert (left | right)(None) is (left(None) or right(None))


def test_a_plain_function_combines_with_a_condition_on_either_side() -> None:
    assert (YES & true)(None)
    assert (true & YES)(None)
    assert (NO | true)(None)
    assert (true | NO)(None)


def test_the_second_is_not_asked_where_the_first_decides() -> None:
    def never(obj: Any) -> bool:
        raise AssertionError("asked")

    assert not (NO & never)(None)
    assert (YES | never)(None)


def test_a_condition_says_what_it_is_made_of() -> None:
    made = ~(conditions.is_pod_running & true) | conditions.is_deleted("u-1")
    assert str(made) == "(~(is_pod_running & true) | is_deleted('u-1'))"
    assert repr(conditions.has_condition("Ready")) == "has_condition('Ready', 'True')"


def test_what_is_no_function_is_no_condition() -> None:
    number: Any = 5
    with pytest.raises(InvalidInput, match=r"a condition is a function of an object, .* not 5"):
        Condition(number)


@pytest.mark.parametrize("arguments", [(5,), ("",), ("Ready", True)])
def test_has_condition_needs_texts(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInput, match="has_condition needs"):
        conditions.has_condition(*arguments)


def test_what_is_no_function_does_not_combine() -> None:
    number: Any = 1
    for combine in (operator.and_, operator.or_):
        for pair in ((YES, number), (number, YES)):
            with pytest.raises(TypeError):
                combine(*pair)


# Conditions of any kind


def test_has_condition_compares_as_kubectl_does() -> None:
    ready = having("Pod", condition("Ready", "False"), condition("Ready"))
    assert conditions.has_condition("ready", "false")(ready), "upper and lower case are alike, and the first counts"
    assert not conditions.has_condition("Ready")(ready)
    assert not conditions.has_condition("Available")(ready)
    assert not conditions.has_condition("Ready")(make("Pod"))
    assert not conditions.has_condition("Ready")(None)


@pytest.mark.parametrize("status", ["Ready", {"conditions": {"Ready": "True"}}, {"conditions": ["Ready"]}])
def test_a_status_of_another_form_has_no_conditions(status: Any) -> None:
    assert not conditions.has_condition("Ready")(make("Website", status=status))


@pytest.mark.parametrize(
    ("of_condition", "of_status", "holds"),
    [(2, 1, True), (1, 2, False), (0, 2, False), (None, 1, False), (None, 2, True)],
)
def test_a_condition_that_speaks_of_an_older_spec_does_not_count(
    of_condition: int | None, of_status: int, holds: bool
) -> None:
    found = condition("Ready") | ({} if of_condition is None else {"observedGeneration": of_condition})
    obj = make("Website", generation=2, status={"observedGeneration": of_status, "conditions": [found]})
    assert conditions.has_condition("Ready")(obj) is holds


def test_a_job_has_failed_when_its_condition_says_so() -> None:
    assert conditions.is_job_failed(having("Job", condition("FailureTarget"), condition("Failed")))
    assert not conditions.is_job_failed(having("Job", condition("Complete")))
    assert not conditions.is_job_failed(None)


# The classes that an object may come as


def test_conditions_read_official_models_and_plain_dicts_too() -> None:
    model = V1Pod(metadata=V1ObjectMeta(name="web", uid="u-1"), status=V1PodStatus(phase="Running"))
    assert conditions.is_pod_running(model)
    assert not conditions.is_deleted("u-1")(model)
    assert conditions.is_pod_running({"metadata": {"name": "web"}, "status": {"phase": "Running"}})


def test_an_item_of_an_official_list_is_of_the_kind_that_its_class_says() -> None:
    """It has neither kind nor apiVersion."""
    template = V1PodTemplateSpec(metadata=V1ObjectMeta(labels={"app": "web"}))
    spec = V1DeploymentSpec(replicas=1, selector=V1LabelSelector(match_labels={"app": "web"}), template=template)
    status = V1DeploymentStatus(replicas=1, updated_replicas=1, available_replicas=1)
    assert conditions.is_rolled_out(V1Deployment(metadata=V1ObjectMeta(name="web"), spec=spec, status=status))
    with pytest.raises(InvalidInput, match="a dict is not rolled out"):
        conditions.is_rolled_out({"metadata": {"name": "web"}})


def test_metadata_alone_cannot_say_what_a_status_is() -> None:
    partial = decode_partial(b'{"metadata": {"name": "web", "uid": "u-1"}}', "v1", "Pod")
    assert conditions.is_created(partial)
    assert not conditions.is_deleted("u-1")(partial)
    with pytest.raises(AttributeError, match="was not fetched"):
        conditions.is_pod_running(partial)
