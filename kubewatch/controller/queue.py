"""`Queue`: where triggers, workers and consumer of a controller meet: the scheduler, with a lock, a clock and a gate.

Triggers put objects in, workers take runs that are due and bring back results, the consumer pulls these. A run is
handed out only when the gate is open and there is room for its result: who does not pull stops the work, and memory is
bounded. Nothing here polls: idle workers sleep until there is something for them.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable

from kubewatch.gates import Bell
from kubewatch.ref import ObjectRef

from .clock import Clock
from .relations import RETRIED
from .results import Result
from .scheduler import Reason, Request, Scheduler
from .telemetry import Histogram, Stats


class Pause(enum.Enum):
    """That there is no result at this moment, and will be none before something changes, or that there will be one."""

    IDLE = "nothing is due, and nothing runs"
    BUSY = "something is due, or runs"


# Seconds: a wait without a limit, and one on the main thread. A signal that comes in the moment before a thread falls
# asleep does not wake it: its handler runs when the wait ends.
LONG = 86_400.0
SIGNALLED = 0.1


class Queue:
    """Any number of threads may trigger and take; one pulls."""

    def __init__(self, clock: Clock, debounce: float, room: int, on_idle: Callable[[], None]) -> None:
        """`room`: results that may wait to be pulled. `on_idle` is called, after `drain`, when all has run."""
        self.clock = clock
        self._room = room
        self._on_idle = on_idle
        # Guards everything below. Held for moments only, and never while anything of the user's runs.
        self._lock = threading.Lock()
        self._scheduler = Scheduler(debounce)
        self._results: deque[Result] = deque()
        # Idle workers: one keeps the time, that is, waits for the next moment at which something is due. The others
        # wait for work.
        self._work = threading.Condition(self._lock)
        self._time = threading.Condition(self._lock)
        self._timekeeper = False
        self._kept: float | None = None  # the moment that the timekeeper waits for
        self._idle = 0  # workers that wait for work, and were not told of any
        # For triggers with an error and no room for it.
        self._reporters = threading.Condition(self._lock)
        self._reporting = 0
        # For the consumer. A bell and no condition, as it may be the main thread, where a signal handler can raise.
        self._bell = Bell()
        self._lists = 0  # under way, of which what they bring is held back
        self._open = False
        self._taking = True  # whether triggers and requeues are taken
        self._stopped = False
        self._ended = False
        self._runs = self._failures = self._retries = self._requeues = self._delayed = self._gone = 0
        self._begun = self._dropped = 0
        self._began: dict[ObjectRef, float] = {}  # when the runs under way did
        self._waited, self._took = Histogram(), Histogram()

    # Triggers

    def trigger(self, ref: ObjectRef, reason: Reason) -> None:
        """`ref` is to be reconciled, after the debounce time."""
        with self._lock:
            if self._taking:
                self._scheduler.trigger(ref, reason, self.clock.now())
                self._wake()

    @property
    def is_open(self) -> bool:
        """Whether runs may begin."""
        return self._open

    def begin_list(self) -> dict[ObjectRef, Reason]:
        """What a list brings is held back: where to keep it, until `end_list`. Meanwhile this is not idle."""
        with self._lock:
            self._lists += 1
        return {}

    def end_list(self, listed: dict[ObjectRef, Reason]) -> None:
        """The list is complete, or will never be: what it brought is to be reconciled."""
        for ref, reason in listed.items():
            self.trigger(ref, reason)
        with self._lock:
            self._lists -= 1
        self._bell.ring()

    def report(self, error: Result) -> None:
        """Hand an error to the consumer; waits for room, so that errors that nobody reads do not pile up."""
        with self._lock:
            self._reporting += 1
            while len(self._results) >= self._room and not self._stopped:
                self._reporters.wait()
            self._reporting -= 1
            self._results.append(error)
        self._bell.ring()

    # Workers

    def take(self) -> Request | None:
        """The next run, once it is due and there is room; None when there will be no more."""
        with self._lock:
            while not self._stopped:
                if self._open:
                    if len(self._results) + self._scheduler.running < self._room:
                        now = self.clock.now()
                        request = self._scheduler.take(now)
                        if request is not None:
                            self._begun += 1
                            self._began[request.ref] = now
                            self._waited.add(now - request.due)
                            if request.reason is RETRIED:
                                self._retries += 1
                            self._relieve()
                            return request
                    if not self._taking and self._scheduler.empty:
                        self._on_idle()
                self._sleep()
            return None

    def done(self, request: Request, result: Result, again: tuple[Reason, float] | None, failed: bool = False) -> None:
        """The run of `request` ended with `result`; `again` says why and in how many seconds it comes again."""
        with self._lock:
            now = self.clock.now()
            self._took.add(now - self._began.pop(request.ref))
            self._runs += 1
            self._failures += failed
            self._scheduler.finished(request.ref)
            if again is not None:
                self._delayed += 1
                self._requeues += not failed
                if self._taking:
                    self._scheduler.schedule(request.ref, again[0], now + again[1], now)
            self._wake()
            self._results.append(result)
        self._bell.ring()

    def left_out(self, request: Request, result: Result | None = None) -> None:
        """There is no object for `request`; `result` is what to tell of that, if anything."""
        with self._lock:
            self._gone += 1
            del self._began[request.ref]
            self._scheduler.finished(request.ref)
            self._wake()
            if result is not None:
                self._results.append(result)
        self._bell.ring()

    def redirect(self, request: Request, ref: ObjectRef) -> None:
        """The object of `request` goes by `ref`: run that, as soon as it is not running."""
        with self._lock:
            del self._began[request.ref]
            self._scheduler.finished(request.ref)
            now = self.clock.now()
            if not self._stopped:  # also while draining: it was asked for before
                self._scheduler.schedule(ref, request.reason, now, now)
            self._wake()

    def remark(self, error: Result) -> None:
        """Hand on what went wrong beside a run; does not wait, as there are few of them to one run."""
        with self._lock:
            self._results.append(error)
        self._bell.ring()

    # The consumer

    def pull(self) -> Result | None:
        """The next result; None at the end. Interruptible by signals."""
        seconds = SIGNALLED if threading.current_thread() is threading.main_thread() else LONG
        while True:
            with self._lock:
                if self._results:
                    result = self._results.popleft()
                    if self._reporting:
                        self._reporters.notify_all()
                    self._wake()
                    return result
                if self._ended:
                    return None
            self._bell.wait(seconds)

    def poll(self) -> Result | Pause | None:
        """`pull` for who does not want to wait: where there is no result, whether anything is due or under way."""
        with self._lock:
            if not self._results and not self._ended:
                self._scheduler.advance(self.clock.now())
                idle = self._open and not (self._lists or self._scheduler.depth or self._scheduler.running)
                return Pause.IDLE if idle else Pause.BUSY
        return self.pull()

    def next_at(self) -> float | None:
        """When something is due next, as far as is known; None where nothing is planned."""
        with self._lock:
            return self._scheduler.next_at()

    def wait_for_news(self, seconds: float) -> None:
        """Wait for a result, the end of a run or `wake_consumer`, `seconds` at most."""
        self._bell.wait(seconds)

    # Its life

    def open(self) -> None:
        """Let runs begin."""
        with self._lock:
            self._open = True
            self._wake()
        self._bell.ring()

    def drain(self) -> None:
        """Take no more triggers, run what there is, without waiting for what is planned for later."""
        with self._lock:
            self._taking = False
            self._scheduler.flush(self.clock.now())
            self._wake_all()

    def stop(self) -> int:
        """Begin no more runs; returns how many objects were still to be reconciled."""
        with self._lock:
            self._taking = False
            self._stopped = True
            self._reporters.notify_all()
            self._wake_all()
            self._dropped += self._scheduler.depth
            return self._scheduler.drop_waiting()

    def end(self) -> None:
        """No more results come: the consumer is told once it has pulled those that there are."""
        with self._lock:
            self._ended = True
        self._bell.ring()

    def wake_consumer(self) -> None:
        """Have the consumer look; safe in signal handlers."""
        self._bell.ring()

    def stats(self) -> Stats:
        """The numbers at this moment."""
        with self._lock:
            scheduler, now = self._scheduler, self.clock.now()
            scheduler.advance(now)  # nobody else does, when nothing may begin
            under_way = [now - began for began in self._began.values()]
            return Stats(
                depth=scheduler.depth,
                waiting=scheduler.waiting,
                running=scheduler.running,
                oldest_age=scheduler.oldest_age(now),
                longest_run=max(under_way, default=0.0),
                all_runs=sum(under_way),
                added=self._begun + scheduler.depth + self._dropped,
                runs=self._runs,
                failures=self._failures,
                retries=self._retries,
                requeues=self._requeues,
                delayed=self._delayed,
                gone=self._gone,
                unread=len(self._results),
                waited=self._waited.read(),
                took=self._took.read(),
            )

    # With the lock held

    def _next_at(self) -> float | None:
        """When there is something to take, as far as is known."""
        if not self._open or len(self._results) + self._scheduler.running >= self._room:
            return None
        return self._scheduler.next_at()

    def _wake(self) -> None:
        """Something changed: wake one worker if that gives it something to do, or another moment to wait for."""
        if not (self._idle or self._timekeeper):
            return
        at = self._next_at()
        if at is None:
            if not self._taking:
                self._time.notify()
        elif at <= self.clock.now():
            self._wake_one()
        elif self._kept is None or at < self._kept:
            self._time.notify()

    def _relieve(self) -> None:
        """A worker got work: wake another if there is more to do, or nobody keeps the time that comes next."""
        if self._idle and not self._timekeeper:
            self._wake_one()
        else:
            self._wake()

    def _wake_one(self) -> None:
        if self._idle:
            self._idle -= 1
            self._work.notify()
        else:
            self._time.notify()

    def _wake_all(self) -> None:
        self._idle = 0
        self._work.notify_all()
        self._time.notify_all()

    def _sleep(self) -> None:
        if self._timekeeper:
            self._idle += 1
            self._work.wait()
            return
        self._timekeeper, self._kept = True, self._next_at()
        try:
            self.clock.wait(self._time, self._kept)
        finally:
            self._timekeeper = False
