"""`await_condition`: follow one object until something is true of it; `delete_and_finalize`: until it is gone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from . import backoffs
from .api import Api
from .conditions import conditions_of, is_deleted, name_of
from .errors import (
    ConditionFailed,
    ConditionTimeout,
    InvalidInput,
    KubewatchError,
    WatchError,
)
from .fields import Fields
from .objects import Object
from .refusals import refused
from .source import Source
from .watch_object import watch_object

T = TypeVar("T")
E = TypeVar("E", ConditionFailed, ConditionTimeout)


def await_condition(
    api: Source[T],
    name: str,
    condition: Callable[[T | None], object],
    timeout: float | None = None,
    *,
    unless: Callable[[T | None], object] | None = None,
) -> T | None:
    """Wait until `condition` is true of the object called `name`; returns the object as it was then, None where absent.

    >>> from kubewatch import conditions
    >>> jobs = Api("batch/v1", "Job", namespace="shop")
    >>> await_condition(                                                                    # doctest: +SKIP
    ...     jobs, "import", conditions.is_job_completed, timeout=600, unless=conditions.is_job_failed
    ... )
    <Job shop/import resourceVersion=8>

    `condition` is called with each state of the object, first with the present one; with None while it does not exist.
    It is one of `kubewatch.conditions`, or any function. `unless` is what makes further waiting useless. `timeout` is
    in seconds: None waits for ever, 0 looks once. Runs on the caller's thread; Ctrl-C ends it, as does an exception
    that a signal handler raises.

    Errors that pass are waited out: a server that is down or busy, a broken watch. Raises ConditionTimeout;
    ConditionFailed when `unless` is true; UnknownKind; AuthError, and ApiError (403, say), for what the server refuses
    to list or watch from the beginning; DecodeFailed for an object that cannot be read; InvalidInput, before any
    request, for a call that cannot work; and what `condition` raises.
    https://docs.rs/kube-runtime/latest/kube_runtime/wait/fn.await_condition.html
    """
    for what, function in (("condition", condition), ("unless", unless)):
        if function is not None and not callable(function):
            raise InvalidInput(f"{what} is a function of the object, such as conditions.is_created, not {function!r}")
    if timeout is not None and not _is_duration(timeout):
        raise InvalidInput(f"timeout is a number of seconds, 0 or more, or None for no end, not {timeout!r}")
    states = watch_object(api, name)
    vitals = states.vitals
    final = refused(vitals) if timeout != 0 else lambda error: True
    states = states.backoff(backoffs.default, jitter=backoffs.stretched, giveup=final)
    if timeout:
        states = states.until(timeout)
    last: T | None = None
    told, failure = "never seen", None
    with states:
        try:
            for last in states:
                told = f"last seen: {seen_of(last)}"
                if condition(last):
                    return last
                if unless is not None and unless(last):
                    how = f"{name_of(unless)} held instead"
                    raise _ended(ConditionFailed, api, name, condition, how, last, told)
                if timeout == 0:
                    raise _ended(ConditionTimeout, api, name, condition, "not so", last, told)
        except WatchError as error:
            failure = error
    if failure is not None:
        cause = failure.__cause__
        raise cause if isinstance(cause, KubewatchError) else failure
    if vitals.failing:
        told += f"; newest error: {vitals.last_error}"
    elif vitals.heard_at is None:
        told += "; the server has not answered"
    raise _ended(ConditionTimeout, api, name, condition, f"not within {timeout:g} s", last, told)


def delete_and_finalize(api: Api[Any], name: str, timeout: float | None = None, **options: Any) -> None:
    """Delete the object called `name`, and wait until it is gone: finalizers done, grace period over.

    >>> delete_and_finalize(Api("pods", namespace="shop"), "web-0", timeout=60)             # doctest: +SKIP

    `options` are those of `Api.delete`. Another object of its name does not count. Raises what `Api.delete` raises, an
    ApiError with code 404 where there is none, and what `await_condition` does.
    https://docs.rs/kube-runtime/latest/kube_runtime/wait/delete/fn.delete_and_finalize.html
    """
    obj = api.delete(name, **options)
    if obj is not None and not options.get("dry_run"):  # after which it would be waited for in vain
        await_condition(api, name, is_deleted(obj.metadata.uid), timeout)


def seen_of(obj: Any) -> str:
    """A state of an object, in the few words that say how far it has come, and none of what it may hold in secret.

    >>> seen_of(None)
    'it did not exist'
    """
    if obj is None:
        return "it did not exist"
    words = []
    meta = obj.metadata
    if isinstance(obj, Object):
        status = obj.status if isinstance(obj.status, Fields) else Fields({})
        if isinstance(status.phase, str):
            words.append(f"phase {status.phase}")
        for each in conditions_of(obj):
            words.append(f"{each.type}={each.status}" + (f" ({each.reason})" if each.reason else ""))
        if meta.deletion_timestamp:
            words.append("being deleted" + (f", held by {', '.join(meta.finalizers)}" if meta.finalizers else ""))
    return ", ".join(words) or f"resourceVersion {getattr(meta, 'resource_version', '') or 'unknown'}"


def _ended(
    kind: type[E], api: Source[Any], name: str, condition: Callable[..., object], how: str, last: Any, seen: str
) -> E:
    place = f"{api.namespace}/" if api.namespace else ""
    error = kind(f"waiting for {api.kind} {place}{name} until {name_of(condition)}: {how}; {seen}")
    error.last, error.seen = last, seen
    return error


def _is_duration(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and not math.isnan(value)
