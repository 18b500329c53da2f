"""What a controller tells of itself while it runs: an event for each run, and numbers that any thread may read."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from kubewatch.ref import ObjectRef

from .action import Action
from .scheduler import Reason


class RunStarted(msgspec.Struct, frozen=True):
    """A reconcile begins; for `with_config(on_event=…)`.

    `attempt` is 1, and one more for each failure in a row before; `waited` is how long the run was due, in seconds.
    """

    ref: ObjectRef
    reason: Reason
    attempt: int
    waited: float


class RunEnded(msgspec.Struct, frozen=True):
    """A reconcile ended after `duration` seconds: `error` is what it raised, `action` what comes next."""

    ref: ObjectRef
    reason: Reason
    attempt: int
    duration: float
    action: Action
    error: BaseException | None = None


RunEvent = RunStarted | RunEnded


# Seconds: the upper ends of the ranges in which durations are counted; what is longer is counted, too.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Durations(msgspec.Struct, frozen=True):
    """How many durations fell into each range up to one of `BOUNDS`, and beyond the last; and their sum in seconds."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    sum: float = 0.0


class Histogram:
    """Durations being counted. Not thread-safe: whoever counts guards it."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def read(self) -> Durations:
        """What was counted so far."""
        return Durations(tuple(self._counts), self._sum)


class Stats(msgspec.Struct, frozen=True):
    """A controller's numbers at one moment.

    - `depth`: objects that are due and wait for a worker; `oldest_age`: seconds that the first of them has waited.
    - `waiting`: objects with a run in the future.
    - `running`: objects being reconciled; `longest_run`, `all_runs`: seconds that the first of them, and that all of
      them together have been at it.
    - `added`: how often an object became due; `runs`, `failures`, `retries`: reconciles ended, those that raised, those
      begun because of an error; `requeues`: those that ended well and asked for another after a while; `delayed`: those
      that, failed or not, were to come again after a while; in all.
    - `gone`: runs that were left out because the object was deleted.
    - `unread`: results that wait to be pulled. At its limit, nothing new is started.
    - `waited`, `took`: how long runs were due before they began, and how long they took.
    """

    depth: int = 0
    waiting: int = 0
    running: int = 0
    oldest_age: float = 0.0
    longest_run: float = 0.0
    all_runs: float = 0.0
    added: int = 0
    runs: int = 0
    failures: int = 0
    retries: int = 0
    requeues: int = 0
    delayed: int = 0
    gone: int = 0
    unread: int = 0
    waited: Durations = Durations()
    took: Durations = Durations()
