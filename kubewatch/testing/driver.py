"""`ControllerDriver`: runs a controller until it is idle, on a clock that stands still, for users' own tests.

    def test_the_shop_is_looked_at_every_hour(kube_api, drive):
        kube_api.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}})
        driver = drive(Program(Controller(Api("configmaps", client=kube_api.client())), reconcile))
        assert len(driver.run_until_idle()) == 1
        assert len(driver.advance(3 * 3600)) == 3

Idle is: every watch has handed on all that the server holds, then nothing was due and nothing ran, and the server still
held the same. `fences.py` says how that is known. Nothing sleeps.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kubewatch.api import Api
from kubewatch.controller.checks import kind_of
from kubewatch.controller.queue import Pause
from kubewatch.controller.results import Result, RunnerError
from kubewatch.errors import InvalidInput
from kubewatch.program import Program
from kubewatch.store import Store

from .clock import FakeClock
from .fences import BookmarkFence, Fence, ListFence
from .handle import ApiServer

if TYPE_CHECKING:
    from kubewatch.controller.builder import Controller

    from .envtest import EnvTest

# Seconds after which the server is asked again: a watch that was just being opened is told nothing.
AGAIN = 0.05


class ControllerDriver:
    """A program under way, in the hands of one test, against its server; a context manager that ends it.

    One object is reconciled at a time, so that results come in the same order each time. `results` are all that the
    controller has told so far, `clock` is its time, a `FakeClock`. `patience` is how long, in real seconds, anything
    may take.

    Streams that are merged or shared cannot be driven, as what they bring waits in between; on a real server only
    watches that the controller makes itself can: InvalidInput says so. It also refuses a controller whose watches would
    go to another server, such as that of your kubeconfig.
    """

    def __init__(self, server: ApiServer | EnvTest, program: Program[Any, Any], *, patience: float = 30.0) -> None:
        self.clock = FakeClock()
        self.results: list[Result] = []
        self._patience = patience
        if not isinstance(program, Program):
            raise TypeError(f"the driver drives a Program, not {kind_of(program)}; call the function that makes one")
        _check_cluster(program.controller, server)
        controller = program.controller.with_config(clock=self.clock, concurrency=1)
        self._fence: Fence = BookmarkFence(server, patience) if isinstance(server, ApiServer) else ListFence(controller)
        self._store = controller.store()
        self._runner, self._pulled = controller._plan.begin(
            program.reconcile, program.error_policy, program.context, program.executor, pauses=True
        )
        try:
            self._take()  # begins
            self._fence.follow(self._runner)
        except BaseException:
            self.stop()
            raise

    @property
    def store(self) -> Store[Any]:
        """The store of the main kind."""
        return self._store

    def run_until_idle(self) -> list[Result]:
        """Reconcile until nothing is due any more at this time, and return what came of it, in order.

        By then everything was handled that the server held, also what the reconciler wrote. What is planned for later
        waits for `advance`, and so does what is debounced.

        Raises TimeoutError, saying what is still going on, and the RunnerError of a controller that cannot work.
        """
        began, until = len(self.results), time.monotonic() + self._patience
        goal = self._fence.goal()
        while True:
            reached = self._fence.reached(goal)
            if time.monotonic() >= until:
                raise TimeoutError(self._what_goes_on(goal))
            pause = self._take()
            if pause is Pause.IDLE and reached:
                newest = self._fence.goal()
                if newest == goal:
                    return self.results[began:]
                goal = newest
            elif pause is not None:
                self._fence.ask()
                self._runner.queue.wait_for_news(AGAIN)
                goal = self._fence.goal()

    def advance(self, seconds: float) -> list[Result]:
        """Let `seconds` pass, with everything that is planned in them at its time; then as `run_until_idle`."""
        began, end = len(self.results), self.clock.now() + seconds
        self.run_until_idle()
        while (at := self._runner.queue.next_at()) is not None and at <= end:
            self.clock.advance_to(at)
            self.run_until_idle()
        self.clock.advance_to(end)
        return self.results[began:]

    def stop(self) -> None:
        """End the controller, and join its threads; a reconciler that hangs is left behind after `patience`.

        Idempotent.
        """
        forced = threading.Timer(self._patience, self._runner.force)
        forced.name, forced.daemon = f"kubewatch {self._runner.label} patience", True
        forced.start()
        try:
            self._pulled.close()
        finally:
            forced.cancel()
            forced.join()

    def __enter__(self) -> ControllerDriver:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take(self) -> Pause | None:
        """Note the next result; where there is none, say whether that is for now or because all is done."""
        item: Any = next(self._pulled, None)
        if isinstance(item, Pause):
            return item
        if item is None:
            ended = InvalidInput("the controller has ended, and cannot be driven any more: make a new driver")
            raise next((result for result in self.results if isinstance(result, RunnerError)), ended)
        self.results.append(item)
        return None

    def _what_goes_on(self, goal: Any) -> str:
        stats = self._runner.stats()
        return (
            f"the controller is not idle after {self._patience:g} s: {stats.running} running, {stats.depth} due, "
            f"{stats.runs} done; behind the server: {', '.join(self._fence.behind(goal)) or 'no watch'}"
        )


def _check_cluster(controller: Controller[Any], server: ApiServer | EnvTest) -> None:
    """Refuse a controller that would work on another cluster than the test's: nobody wants that by accident."""
    for trigger in controller._plan.triggers:
        api = trigger.source[0] if trigger.source is not None else None
        if isinstance(api, Api):
            url = api._target.client._credentials.current().dialer.url
            if url != server.url:
                raise InvalidInput(
                    f"{trigger.label} is watched on {url}, not on {server.url}, the server of this test: "
                    "give the Api client=server.client()"
                )
