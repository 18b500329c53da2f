"""Where reconcile runs: on threads, in a pool of the user's, in other processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from kubewatch import ApiError
from kubewatch.controller import Action, Controller, Reconciled, ReconcilerFailed, RemoteError
from kubewatch.objects import Object
from kubewatch.testing import FakeClock
from tests.unit.stored import pod

from .harness import Feed, finite, names, pods


class NoTraveller(Exception):
    """One that pickles, and cannot be unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def where(obj: Object, context: dict[str, int]) -> Action:
    """Runs in any process; tells its own by what it answers."""
    assert context == {"answer": 42}
    return Action.requeue(os.getpid())


def fail(obj: Object, kind: str) -> Action:
    if kind == "plain":
        raise ValueError(obj.name)
    if kind == "api":
        raise ApiError(409, "Conflict", "changed", retry_after=3.0)
    if kind == "untravelled":
        raise NoTraveller("this", "that")
    if kind == "exit":
        raise SystemExit(3)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_reconcile_runs_in_other_processes(processes: ProcessPoolExecutor) -> None:
    results = list(
        Controller.for_stream(*finite(*pods("a", "b", "c"))).run(where, None, {"answer": 42}, executor=processes)
    )
    assert sorted(names(results)) == ["a", "b", "c"]
    actions = {result.action.requeue_after for result in results if isinstance(result, Reconciled)}
    assert os.getpid() not in actions


@pytest.mark.parametrize(
    ("kind", "expected", "text"),
    [
        ("plain", ValueError, "a"),
        ("api", ApiError, "Conflict"),
        ("untravelled", RemoteError, "this and that"),
        ("exit", RemoteError, "SystemExit: 3"),
    ],
)
def test_what_is_raised_in_another_process_reaches_the_error_policy(
    processes: ProcessPoolExecutor, kind: str, expected: type[Exception], text: str
) -> None:
    """Improvement 10: an exception that cannot travel is told as text, and does not break the pool."""
    seen: list[Exception] = []

    def policy(obj: Object, error: Exception, context: str) -> Action:
        seen.append(error)
        return Action.await_change()

    (failed,) = Controller.for_stream(*finite(pod("a"))).run(fail, policy, kind, executor=processes)
    assert isinstance(failed, ReconcilerFailed)
    assert failed.error is seen[0]
    assert type(seen[0]) in (expected, RemoteError)
    assert text in str(seen[0])
    assert processes.submit(os.getpid).result() != os.getpid()


def test_a_killed_worker_is_an_error_that_the_error_policy_sees(processes: ProcessPoolExecutor) -> None:
    seen: list[Exception] = []

    def policy(obj: Object, error: Exception, context: str) -> Action:
        seen.append(error)
        return Action.await_change()

    (failed,) = Controller.for_stream(*finite(pod("a"))).run(fail, policy, "killed", executor=processes)
    assert isinstance(failed, ReconcilerFailed)
    assert [type(error) for error in seen] == [BrokenProcessPool]


def test_a_context_that_cannot_travel_is_a_failure(processes: ProcessPoolExecutor) -> None:
    (failed,) = Controller.for_stream(*finite(pod("a"))).run(fail, None, threading.Lock(), executor=processes)  # type: ignore[arg-type]
    assert isinstance(failed, ReconcilerFailed)
    assert "pickle" in str(failed)


def test_reconcile_runs_on_threads_of_an_executor() -> None:
    seen: set[str] = set()

    def reconcile(obj: Object, context: Any) -> Action:
        seen.add(threading.current_thread().name)
        return Action.await_change()

    with ThreadPoolExecutor(1, thread_name_prefix="theirs") as pool:
        results = list(Controller.for_stream(*finite(*pods("a", "b"))).run(reconcile, executor=pool))
    assert sorted(names(results)) == ["a", "b"]
    assert seen == {"theirs_0"}


def test_an_executor_that_is_shut_down_is_an_error_and_no_end() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    feed, clock = Feed().list(pod("a")), FakeClock(flowing=True)
    results = Controller.for_stream(feed.reflected(), feed.reader).with_config(clock=clock).run(where, executor=pool)
    for _ in range(3):
        assert isinstance(next(results), ReconcilerFailed)
    results.close()


def test_by_default_reconcile_runs_on_the_controllers_threads() -> None:
    seen: set[str] = set()

    def reconcile(obj: Object, context: Any) -> Action:
        seen.add(threading.current_thread().name.rpartition(" ")[0])
        return Action.await_change()

    list(Controller.for_stream(*finite(*pods("a", "b"))).run(reconcile))
    assert seen == {"kubewatch objects worker"}
