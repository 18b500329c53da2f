"""Dask as the executor: a real scheduler and two worker processes, on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kubewatch import ApiError
from kubewatch.controller import Action, Controller, Reconciled, ReconcilerFailed
from kubewatch.objects import Object
from tests.unit.stored import pod

from .harness import finite, names, pods

distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A client of the scheduler. A worker that dies with a task fails it at once, and is started anew."""
    import dask.config

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def where(obj: Object, context: dict[str, int]) -> Action:
    """Tells its process by what it answers."""
    assert (obj.name[:3], context) == ("web", {"answer": 42})
    return Action.requeue(os.getpid())


def fail(obj: Object, how: str) -> Action:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ApiError(409, "Conflict", obj.name, retry_after=3.0)


def test_objects_and_context_reach_two_processes_and_the_answers_come_back(dask: Any) -> None:
    objects = pods(*(f"web-{number}" for number in range(40)))
    controller = Controller.for_stream(*finite(*objects))
    results = list(controller.run(where, None, {"answer": 42}, executor=dask.get_executor(pure=False)))
    assert sorted(names(results)) == sorted(obj.name for obj in objects)
    processes = {result.action.requeue_after for result in results if isinstance(result, Reconciled)}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.parametrize(("how", "expected"), [("raised", "ApiError"), ("killed", "KilledWorker")])
def test_an_error_there_and_a_killed_worker_reach_the_error_policy(dask: Any, how: str, expected: str) -> None:
    seen: list[Exception] = []

    def policy(obj: Object, error: Exception, context: str) -> Action:
        seen.append(error)
        return Action.await_change()

    executor = dask.get_executor(pure=False)
    (failed,) = Controller.for_stream(*finite(pod("web"))).run(fail, policy, how, executor=executor)
    assert isinstance(failed, ReconcilerFailed)
    assert [type(error).__name__ for error in seen] == [expected]
    assert how == "killed" or getattr(seen[0], "retry_after", None) == 3.0
    after = Controller.for_stream(*finite(pod("web"))).run(where, None, {"answer": 42}, executor=executor)
    assert names(after) == ["web"]
