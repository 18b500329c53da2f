"""The error policy that a controller has by default."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import backoff
import pytest

from kubewatch import ApiError
from kubewatch.controller import Action, Controller, retry
from kubewatch.errors import InvalidInput
from kubewatch.objects import Object
from kubewatch.testing import FakeClock
from tests.unit.stored import pod

from .harness import Feed, take

WEB, DB = pod("web"), pod("db")
ERROR = ValueError("no")


def waits(policy: Any, obj: Object, count: int, error: Exception = ERROR) -> list[float | None]:
    return [policy(obj, error, None).requeue_after for _ in range(count)]


def test_each_object_waits_longer_after_each_of_its_failures() -> None:
    policy = retry(jitter=None)
    assert waits(policy, WEB, 10) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert waits(policy, DB, 2) == [1, 2]


def test_a_success_resets_the_wait_of_its_object_only() -> None:
    policy = retry(jitter=None)
    waits(policy, WEB, 3), waits(policy, DB, 3)
    policy.succeeded(WEB)
    assert (waits(policy, WEB, 1), waits(policy, DB, 1)) == ([1], [8])


def test_jitter_takes_a_part_of_the_wait() -> None:
    policy = retry()
    for most in (1, 2, 4, 8, 16):
        (seconds,) = waits(policy, WEB, 1)
        assert seconds is not None
        assert 0 <= seconds <= most


def test_any_wait_generator_will_do() -> None:
    assert waits(retry(backoff.fibo, jitter=None, max_value=4), WEB, 5) == [1, 1, 2, 3, 4]
    assert waits(retry(backoff.constant, jitter=None, interval=7), WEB, 2) == [7, 7]
    assert waits(retry(jitter=None, minimum=0.5, maximum=2), WEB, 4) == [0.5, 1, 2, 2]


def test_where_the_waits_end_the_object_waits_for_a_change() -> None:
    def twice() -> Generator[float | None, Any, None]:
        yield None
        yield 1.0
        yield 2.0

    policy = retry(twice, jitter=None)
    assert waits(policy, WEB, 4) == [1, 2, None, None]
    policy.succeeded(WEB)
    assert waits(policy, WEB, 1) == [1]


def test_a_server_that_asks_for_a_pause_gets_it() -> None:
    asked = ApiError(429, "TooManyRequests", "later", retry_after=20.0)
    assert waits(retry(jitter=None), WEB, 2, asked) == [20, 20]


def test_only_so_many_objects_are_remembered() -> None:
    policy = retry(jitter=None, objects=2)
    for obj in (WEB, DB, pod("x")):
        waits(policy, obj, 2)
    assert waits(policy, DB, 1) == [4]
    assert waits(policy, WEB, 1) == [1]


@pytest.mark.parametrize("wrong", [{"wait_gen": 5}, {"objects": 0}, {"minimum": 5, "maximum": 1}])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        retry(**wrong)


def test_a_controller_retries_each_object_by_itself_and_begins_anew_after_a_success() -> None:
    """The default policy, in a controller: 1, 2 and 4 s at most; after a success, 1 s again."""
    clock, feed = FakeClock(), Feed().list(pod("web"))
    outcomes = iter([ERROR, ERROR, None, ERROR])
    policy = retry(jitter=None)

    def reconcile(obj: Object, context: Any) -> Action:
        error = next(outcomes, None)
        if error:
            raise error
        return Action.requeue(10)

    results = Controller.for_stream(feed.reflected(), feed.reader).with_config(clock=clock).run(reconcile, policy)
    for moment in (1, 3, 13, 14):
        take(results, 1)
        clock.wait_for_sleeper(moment)
        clock.advance(moment - clock.now())
    take(results, 1)
    feed.end()
    assert list(results) == []
