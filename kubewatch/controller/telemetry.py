"""What a controller tells of itself while it runs: an event for each run, and numbers that any thread may read."""

from __future__ import annotations

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


class Stats(msgspec.Struct, frozen=True):
    """A controller's numbers at one moment.

    - `depth`: objects that are due and wait for a worker; `oldest_age`: seconds that the first of them has waited.
    - `waiting`: objects with a run in the future; `running`: objects being reconciled.
    - `runs`, `failures`, `retries`: reconciles ended, those that raised, those begun because of an error; in all.
    - `gone`: runs that were left out because the object was deleted.
    - `unread`: results that wait to be pulled. At its limit, nothing new is started.
    """

    depth: int = 0
    waiting: int = 0
    running: int = 0
    oldest_age: float = 0.0
    runs: int = 0
    failures: int = 0
    retries: int = 0
    gone: int = 0
    unread: int = 0
