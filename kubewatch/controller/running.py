"""Controllers whose results nobody looks at one by one: `RunningController`, in the background, and `run_once`'s."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from kubewatch.store import Store
from kubewatch.vitals import Vitals

from .results import Result, RunnerError, Summary
from .runner import Runner
from .telemetry import Stats

V = TypeVar("V")

logger = logging.getLogger(__name__)


def summary(runner: Runner, results: Iterator[Result], timeout: float | None) -> Summary:
    """Pull all results, for `timeout` seconds at most (None: until the end), and sum them up."""
    timer = None
    if timeout is not None:
        timer = threading.Timer(min(timeout, threading.TIMEOUT_MAX), runner.time_out)
        timer.name, timer.daemon = f"kubewatch {runner.label} timeout", True
        timer.start()
    try:
        told = list(results)
        return Summary.of(
            told,
            unfinished=runner.unfinished,
            unlisted=not runner.is_open,
            timed_out=runner.timed_out,
            signal=next(iter(runner.signals), None),
        )
    finally:
        if timer is not None:
            timer.cancel()
            timer.join()


def apart(named: Iterable[tuple[str, V]]) -> dict[str, V]:
    """By name; the second of a name gets ` #2`, and so on.

    >>> apart([("Pod", 1), ("Node", 2), ("Pod", 3)])
    {'Pod': 1, 'Node': 2, 'Pod #2': 3}
    """
    found: dict[str, V] = {}
    seen: Counter[str] = Counter()
    for name, value in named:
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} #{seen[name]}"] = value
    return found


class RunningController:
    """What `Controller.start` gives. A context manager that stops the controller; usable from any thread.

    >>> with Controller(api).start(reconcile) as running:               # doctest: +SKIP
    ...     app.run()
    """

    def __init__(self, runner: Runner, results: Iterator[Result]) -> None:
        self._runner = runner
        self._results = results
        self._error: BaseException | None = None
        self._runner_error: RunnerError | None = None
        self._thread = threading.Thread(target=self._run, name=f"kubewatch {runner.label} results", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for result in self._results:
                if isinstance(result, RunnerError):
                    self._runner_error = result
        except BaseException as error:
            self._error = error
            logger.exception("the controller ended")

    def stop(self, timeout: float | None = None) -> bool:
        """End it: running reconciles finish, for `timeout` seconds at most (None: as long as it takes).

        Returns whether it has ended. After `timeout` it is left to end by itself; so it is where a reconciler, a mapper
        or a hook on one of its own threads stops it. On an executor's thread, give a `timeout`.
        """
        self._runner.stop()
        return self.join(timeout)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end, `timeout` seconds at most; returns whether it has ended. Raises what ended it, if any."""
        if self._thread is not threading.current_thread() and not self._runner.is_own_thread:
            self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    @property
    def healthy(self) -> bool:
        """Whether it works, or waits for its stores to be filled: for liveness probes."""
        return self._thread.is_alive() and self._runner.healthy

    @property
    def ready(self) -> bool:
        """Whether its stores are filled, and so it reconciles: for readiness probes."""
        return self.healthy and all(reader.is_ready for _, reader in self._runner.stores)

    @property
    def error(self) -> BaseException | None:
        """Why it ended by itself: a `RunnerError` when it could not work; None when it was told to, or has not."""
        return self._error or self._runner_error

    @property
    def stats(self) -> Stats:
        """Its numbers at this moment."""
        return self._runner.stats()

    @property
    def concurrency(self) -> int:
        """How many objects it reconciles at the same time, at most."""
        return self._runner.concurrency

    @property
    def label(self) -> str:
        """What its objects are called: `Deployment in shop`."""
        return self._runner.label

    @property
    def stores(self) -> dict[str, Store[Any]]:
        """The stores that it waits for, by what their objects are called; that of the main kind first."""
        return apart(self._runner.stores)

    @property
    def watches(self) -> dict[str, Vitals]:
        """The health of each watch that triggers it, by what its objects are called; that of the main kind first."""
        return apart(self._runner.watches())

    def __enter__(self) -> RunningController:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> str:
        """How it is, in words: `ready`, `waiting for its stores`, `ended by WriterDropped`; for probes and people."""
        if self.healthy:
            return "ready" if self.ready else "waiting for its stores"
        error = self.error.error if isinstance(self.error, RunnerError) else self.error
        return "ended" if error is None else f"ended by {type(error).__name__}"

    def __repr__(self) -> str:
        return f"<RunningController of {self._runner.label}, {self.state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a running controller belongs to one process: start one in the other process")
