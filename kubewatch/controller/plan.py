"""`Plan`: what a controller was told while it was built: what triggers it, what it waits for, how it runs.

`Controller` is the words for it. A plan is carried out once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kubewatch.errors import StreamUsed
from kubewatch.stop import Stop
from kubewatch.store import Store
from kubewatch.streams.fluent import EventStream, ObjectStream

from . import checks
from .action import Action
from .clock import Clock, SystemClock
from .executors import caller
from .queue import Queue
from .relations import Main, Relation
from .results import Result
from .runner import Runner
from .telemetry import RunEvent
from .triggers import Trigger, iterated, streamed
from .worker import Worker

T = TypeVar("T")
C = TypeVar("C")

# Objects reconciled at the same time, where nobody says how many.
CONCURRENCY = 10

# Results that wait to be pulled, at most; then nothing more is begun.
ROOM = 100


@dataclass(eq=False)
class Plan(Generic[T]):
    """Raises StreamUsed for whatever comes after `begin`."""

    label: str
    main: Main[T]
    triggers: list[Trigger] = field(default_factory=list)
    stores: list[tuple[str, Store[Any]]] = field(default_factory=list)  # that are waited for, the main one first
    stop: Stop = field(default_factory=Stop)
    on_signal: bool = False
    concurrency: int = CONCURRENCY
    debounce: float = 0.0
    on_event: Callable[[RunEvent], object] | None = None
    clock: Clock = field(default_factory=SystemClock)
    runner: Runner | None = None
    _streams: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores.append((self.label, self.main.reader))

    def add(self, trigger: Trigger) -> None:
        """One more trigger."""
        self.check_unused()
        self.triggers.append(trigger)

    def add_stream(
        self, stream: ObjectStream[Any], relation: Relation, stage: str, reader: Store[Any] | None = None
    ) -> None:
        """One more, a stream of the user's; its `reader` is waited for. `stage` is who took it, for messages."""
        checks.check_stream(stream, stage)
        if reader is not None and not isinstance(reader, Store):
            raise TypeError(
                f"{stage}'s reader is the store that the stream is reflected to, not {checks.kind_of(reader)}"
            )
        self._check_new(stream, stage)
        self.add(streamed(stream, relation, stage))
        if reader is not None:
            self.stores.append((stream.label or stage, reader))

    def add_iterable(self, items: Iterable[Any], relation: Relation, stage: str) -> None:
        """One more, any iterable of the user's."""
        if isinstance(items, EventStream):
            checks.check_stream(items, stage)
        if not isinstance(items, Iterable) or isinstance(items, (str, bytes, Store)):
            raise TypeError(f"{stage} needs an iterable that brings something at times, not {checks.kind_of(items)}")
        self._check_new(items, stage)
        self.add(iterated(items, relation, stage))

    def begin(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None,
        context: C | None,
        executor: Executor | None,
        *,
        once: bool = False,
        pauses: bool = False,
    ) -> tuple[Runner, Generator[Result, None, None]]:
        """The runner, and its results, with whose first pull it starts."""
        checks.check_function("reconcile", reconcile)
        if error_policy is not None:
            checks.check_function("error_policy", error_policy)
        call = caller(reconcile, executor)
        self.check_unused()
        queue = Queue(self.clock, self.debounce, max(ROOM, self.concurrency), self.stop.stop)
        worker = Worker(queue, self.main, call, error_policy, context, self.on_event)
        self.runner = Runner(
            self.label,
            self.main,
            self.stores,
            self.triggers,
            queue,
            worker,
            self.concurrency,
            self.stop,
            once=once,
            pauses=pauses,
            on_signal=self.on_signal,
        )
        return self.runner, self.runner.results()

    def check_unused(self) -> None:
        """Refuse what comes too late."""
        if self.runner is not None:
            raise StreamUsed("this controller runs, or has run; its streams are single-use: build a new one")

    def _check_new(self, items: Any, stage: str) -> None:
        self.check_unused()
        if any(items is other for other in self._streams):
            raise TypeError(f"{stage}: {items!r} is one of this controller's streams already; build another")
        self._streams.append(items)
