"""Conditions: what to wait for, as functions of an object, which is None while it does not exist.

kube-rs's conditions under kube-rs's names, and some more. They combine by `&`, `|` and `~`, also with functions of your
own: any `Callable[[object | None], bool]` is a condition. They read objects of any class: ours, official models, dicts.
https://docs.rs/kube-runtime/latest/kube_runtime/wait/conditions/index.html

>>> from kubewatch import conditions
>>> conditions.is_job_completed | conditions.is_job_failed
(is_job_completed | is_job_failed)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .decode import decode_object
from .errors import InvalidInput
from .fields import Fields, Items
from .objects import Object, PartialObjectMeta, meta_of
from .rollout import rollout_status
from .sending import to_json

T = TypeVar("T")


class Condition(Generic[T]):
    """A condition that combines with others: `c & d`, `c | d`, `~c`; also a decorator that makes one of a function.

    >>> @Condition
    ... def is_scheduled(pod):
    ...     return pod is not None and pod.spec.nodeName is not None
    >>> is_pod_running & ~is_scheduled
    (is_pod_running & ~is_scheduled)
    """

    def __init__(self, test: Callable[[T | None], object], name: str | None = None) -> None:
        """`test` says whether it holds; `name` is what it is called in messages, by default what `test` is called.

        Raises InvalidInput for a `test` that is no function.
        """
        if not callable(test):
            raise InvalidInput(f"a condition is a function of an object, such as conditions.is_created, not {test!r}")
        functools.update_wrapper(self, test)
        self.__name__ = name or name_of(test)
        self._test = test

    def __call__(self, obj: T | None) -> bool:
        return bool(self._test(obj))

    def __and__(self, other: Callable[[T | None], object]) -> Condition[T]:
        return _both(self, other) if callable(other) else NotImplemented

    def __rand__(self, other: Callable[[T | None], object]) -> Condition[T]:
        return _both(other, self) if callable(other) else NotImplemented

    def __or__(self, other: Callable[[T | None], object]) -> Condition[T]:
        return _either(self, other) if callable(other) else NotImplemented

    def __ror__(self, other: Callable[[T | None], object]) -> Condition[T]:
        return _either(other, self) if callable(other) else NotImplemented

    def __invert__(self) -> Condition[T]:
        return Condition(lambda obj: not self(obj), f"~{self}")

    def __repr__(self) -> str:
        return self.__name__


Test = Callable[[T | None], object]


def _both(left: Test[T], right: Test[T]) -> Condition[T]:
    return Condition(lambda obj: left(obj) and right(obj), f"({name_of(left)} & {name_of(right)})")


def _either(left: Test[T], right: Test[T]) -> Condition[T]:
    return Condition(lambda obj: left(obj) or right(obj), f"({name_of(left)} | {name_of(right)})")


def name_of(condition: Callable[..., object]) -> str:
    """What a condition, or a function that serves as one, is called in messages."""
    return getattr(condition, "__name__", None) or repr(condition)


# Of any kind of object


@Condition
def is_created(obj: Any) -> bool:
    """The object exists."""
    return obj is not None


def is_deleted(uid: str) -> Condition[Any]:
    """The object with this `metadata.uid` is gone, also if there is another of its name."""
    if not isinstance(uid, str) or not uid:
        raise InvalidInput(f"is_deleted needs the metadata.uid of what is to be gone, not {uid!r}")
    return Condition(lambda obj: obj is None or meta_of(obj).uid != uid, f"is_deleted({uid!r})")


def has_condition(type_: str, status: str = "True") -> Condition[Any]:
    """`status.conditions` has one of this type, and it has this status, as `kubectl wait --for=condition=…` judges.

    >>> status = {"conditions": [{"type": "Ready", "status": "True"}]}
    >>> has_condition("Ready")({"metadata": {"name": "web"}, "status": status})
    True

    Upper and lower case are alike, and the first of its type counts. One that speaks of an older spec, by its
    `observedGeneration` or the status's, does not.
    https://kubernetes.io/docs/reference/kubectl/generated/kubectl_wait/
    """
    if not (isinstance(type_, str) and type_ and isinstance(status, str)):
        raise InvalidInput(f'has_condition needs texts, as in has_condition("Ready", "True"), not {(type_, status)!r}')

    def test(obj: Any) -> bool:
        for each in conditions_of(obj):
            if str(each.type).casefold() == type_.casefold():
                seen = each.observedGeneration
                seen = whole(obj).status.observedGeneration if seen is None else seen
                newest = whole(obj).metadata.generation
                outdated = seen is not None and newest is not None and seen < newest
                return not outdated and str(each.status).casefold() == status.casefold()
        return False

    return Condition(test, f"has_condition({type_!r}, {status!r})")


# Of one kind


@Condition
def is_pod_running(pod: Any) -> bool:
    """A Pod is in the phase Running; what Services go by is `has_condition("Ready")`."""
    return pod is not None and whole(pod).status.phase == "Running"


@Condition
def is_job_completed(job: Any) -> bool:
    """A Job has succeeded. One that failed never will: see `is_job_failed`."""
    return _is_true("Complete", job)


@Condition
def is_job_failed(job: Any) -> bool:
    """A Job has failed, and is not tried again."""
    return _is_true("Failed", job)


@Condition
def is_deployment_completed(deployment: Any) -> bool:
    """A Deployment's newest ReplicaSet is available, as its condition Progressing says."""
    for each in conditions_of(deployment):
        if each.type == "Progressing" and each.reason == "NewReplicaSetAvailable":
            return bool(each.status == "True")
    return False


@Condition
def is_rolled_out(obj: Any) -> bool:
    """A Deployment, StatefulSet or DaemonSet is rolled out, as `kubectl rollout status` judges."""
    return obj is not None and rollout_status(whole(obj)).complete


@Condition
def is_rollout_failed(obj: Any) -> bool:
    """`kubectl rollout status` gives up: a Deployment exceeded its progress deadline."""
    return obj is not None and rollout_status(whole(obj)).failed


@Condition
def is_crd_established(crd: Any) -> bool:
    """A CustomResourceDefinition is in effect: objects of its kind can be made."""
    return _is_true("Established", crd)


@Condition
def is_service_loadbalancer_provisioned(service: Any) -> bool:
    """Each entry of a Service's load balancer has an address; a Service of another type waits for none."""
    return service is not None and (whole(service).spec.type != "LoadBalancer" or _has_addresses(service))


@Condition
def is_ingress_provisioned(ingress: Any) -> bool:
    """Each entry of an Ingress's load balancer has an address."""
    return ingress is not None and _has_addresses(ingress)


# Reading objects


def whole(obj: Any) -> Any:
    """An object of whatever class as one that reads as in YAML."""
    if isinstance(obj, (Object, PartialObjectMeta)):
        return obj
    # Items of official lists say in their class alone what they are.
    return decode_object(to_json(obj), kind=type(obj).__name__.removeprefix("V1"))


def conditions_of(obj: Any) -> list[Fields]:
    """What `status.conditions` lists; nothing where a kind has something of another form there."""
    status = whole(obj).status if obj is not None else None
    found = status.conditions if isinstance(status, Fields) else None
    return [each for each in found if isinstance(each, Fields)] if isinstance(found, Items) else []


def _is_true(type_: str, obj: Any) -> bool:
    return any(each.type == type_ and each.status == "True" for each in conditions_of(obj))


def _has_addresses(obj: Any) -> bool:
    balancer = whole(obj).status.loadBalancer
    entries = (balancer and balancer.ingress) or ()
    return bool(entries) and all(entry.ip or entry.hostname for entry in entries)
