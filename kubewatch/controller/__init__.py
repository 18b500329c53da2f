"""The controller: streams merged into a queue, and reconciled on a pool of threads.

`builder.py` is where users begin, and what they say becomes a `plan.py`. From there the way goes as the data does:
`triggers.py` pumps streams, as `relations.py` says, into `queue.py`, in which `scheduler.py` decides what is due;
`worker.py` reconciles it; `runner.py` owns the threads.
"""

from .action import Action
from .builder import Controller
from .clock import Clock
from .executors import RemoteError
from .results import (
    ControllerError,
    ObjectNotFound,
    QueueError,
    Reconciled,
    ReconcilerFailed,
    Result,
    RunnerError,
    Summary,
)
from .retry import Retry, retry
from .running import RunningController
from .scheduler import Reason
from .telemetry import RunEnded, RunEvent, RunStarted, Stats

__all__ = [
    "Action",
    "Clock",
    "Controller",
    "ControllerError",
    "ObjectNotFound",
    "QueueError",
    "Reason",
    "Reconciled",
    "ReconcilerFailed",
    "RemoteError",
    "Result",
    "Retry",
    "RunEnded",
    "RunEvent",
    "RunStarted",
    "RunnerError",
    "RunningController",
    "Stats",
    "Summary",
    "retry",
]
