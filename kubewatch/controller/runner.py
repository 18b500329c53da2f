"""`Runner`: one run of a controller: its threads, from the first pull to the last join.

One thread for each trigger, one for each concurrent reconcile, and a keeper: it waits for the stores, opens the gate,
waits for the end, and ends the others. So a controller ends also when nobody pulls.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from kubewatch import freshness
from kubewatch.errors import StaleAfterFork, WriterDropped
from kubewatch.refusals import is_refusal
from kubewatch.stop import Stop
from kubewatch.store import Store
from kubewatch.vitals import Vitals

from .queue import LONG, SIGNALLED, Queue
from .relations import BULK, Main
from .results import QueueError, Result, RunnerError
from .signals import handled
from .telemetry import Stats
from .triggers import Opened, Trigger, pump
from .worker import Worker

logger = logging.getLogger(__name__)

# Seconds. How often a thread that waits for a store looks whether it is to end; after how long it says that it waits;
# how long the end waits for a thread that nothing can stop, in case it is idle.
LOOK = 0.05
COMPLAIN_AFTER = 10.0
GRACE = 0.05


class Runner:
    """A controller's threads. `results` starts them, and ends them."""

    def __init__(
        self,
        label: str,
        main: Main[Any],
        stores: Sequence[tuple[str, Store[Any]]],
        triggers: Sequence[Trigger],
        queue: Queue,
        worker: Worker,
        concurrency: int,
        stop: Stop,
        *,
        once: bool = False,
        on_signal: bool = False,
        pauses: bool = False,
    ) -> None:
        self.label = label
        self._main = main
        self.stores = stores
        self._triggers = triggers
        self.queue = queue
        self._worker = worker
        self.concurrency = concurrency
        self._stop = stop
        self._once = once
        self._on_signal = on_signal
        self._next: Callable[[], Any] = queue.poll if pauses else queue.pull
        self._process: int | None = None  # in which it was begun; none yet
        self._forced = False
        self.is_open = False
        self.ended = False
        self.unfinished = 0
        self.timed_out = False
        self.signals: Sequence[int] = ()  # that have come
        self._impatient_at: float | None = None  # from when on nobody is waited for that cannot be
        self._opened: list[Opened] = []
        self._begun = threading.Event()
        # Pumps that run; the one that makes it 0 has the queue drained. Guarded by the lock.
        self._pumping = 0
        self._lock = threading.Lock()
        self._workers: list[threading.Thread] = []
        self._pumps: list[tuple[threading.Thread, Opened]] = []

    # The consumer's thread

    def results(self) -> Generator[Result, None, None]:
        """What was reconciled, and what went wrong, as it ends. Closing it ends the controller, and joins its threads.

        Raises StaleAfterFork when it is pulled in the child of the process in which it started.
        """
        self._process = freshness.forks
        len(self._main.reader)  # raises StaleAfterFork for a store that is filled in the parent process
        keeper = threading.Thread(target=self._keep, name=f"kubewatch {self.label}", daemon=True)
        signals: AbstractContextManager[Sequence[int]] = (
            handled(self.stop, self.force) if self._on_signal else nullcontext(())
        )
        with signals as self.signals:
            try:
                self._start(keeper)
                while True:
                    self._check_process()
                    result = self._next()
                    if result is None:
                        return
                    yield result
            finally:
                if self._process == freshness.forks:  # else the threads are the parent's
                    self._finish(keeper)

    def stop(self) -> None:
        """End: what runs is waited for. Safe in signal handlers."""
        self._stop.stop()

    @property
    def healthy(self) -> bool:
        """Whether it has not been told to end, and the main store is still filled."""
        return not (self.ended or self._stop.stopped or self._main.reader.closed)

    def stats(self) -> Stats:
        """The numbers at this moment. Raises StaleAfterFork in the child of the process in which it runs."""
        self._check_process()  # the lock may have been held at the fork
        return self.queue.stats()

    def watches(self) -> list[tuple[str, Vitals]]:
        """The health of each watch that triggers, with its label."""
        opened = zip(self._triggers, self._opened, strict=False)  # none before it began
        return [(trigger.label, each.vitals) for trigger, each in opened if each.vitals is not None]

    def force(self) -> None:
        """Stop, and do not wait for what runs. Safe in signal handlers."""
        self._forced = True
        self._stop.stop()
        self.queue.wake_consumer()

    def time_out(self) -> None:
        """`force`, and remember that it took too long."""
        self.timed_out = not self.ended
        self.force()

    def _check_process(self) -> None:
        if self._process not in (None, freshness.forks):
            raise StaleAfterFork(
                "this controller was started before a fork, which does not copy its threads: build it before, and "
                "run it after"
            )

    def _start(self, keeper: threading.Thread) -> None:
        self._opened = [trigger.open(partial(self._report, trigger.label)) for trigger in self._triggers]
        self._pumping = len(self._opened)
        keeper.start()
        try:
            self._start_others()
        finally:
            self._begun.set()

    def _start_others(self) -> None:
        for number in range(self.concurrency):
            name = f"kubewatch {self.label} worker {number + 1}"
            thread = threading.Thread(target=self._worker.work, name=name, daemon=True)
            self._workers.append(thread)
            thread.start()
        for trigger, opened in zip(self._triggers, self._opened, strict=True):
            name = f"kubewatch {self.label} pump: {trigger.label}"
            thread = threading.Thread(target=self._pump, args=(trigger, opened), name=name, daemon=True)
            self._pumps.append((thread, opened))
            thread.start()

    def _finish(self, keeper: threading.Thread) -> None:
        self._stop.stop()
        if keeper is threading.current_thread() or self.is_own_thread:  # dropped there, and cannot wait for itself
            return
        if keeper.ident is None:  # it could not be started, and nothing else was
            self._end()
        while keeper.is_alive():  # in slices, for signals
            keeper.join(SIGNALLED)

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is a reconciler, a mapper or the like, for which the controller's end waits."""
        return threading.current_thread() in [*self._workers, *(thread for thread, _ in self._pumps)]

    # A pump's thread

    def _report(self, label: str, error: BaseException) -> None:
        self.queue.report(QueueError(error, label))

    def _pump(self, trigger: Trigger, opened: Opened) -> None:
        pump(trigger, opened, self.queue)
        with self._lock:
            self._pumping -= 1
            last = not self._pumping
        if last and not self._once:  # else the keeper has yet to add all that there is
            self.queue.drain()

    # The keeper's thread

    def _keep(self) -> None:
        self._begun.wait()  # so that it knows whom to join
        try:
            if self._wait_for_stores():
                if self._once:
                    for obj in self._main.reader:
                        self.queue.trigger(self._main.ref(obj), BULK)
                    self.queue.drain()
                self.is_open = True
                self.queue.open()
                while not self._stop.wait(LONG):
                    pass
        except BaseException as error:
            logger.exception("the controller of %s ends", self.label)
            self.queue.remark(RunnerError(error))
        finally:
            self._end()

    def _wait_for_stores(self) -> bool:
        """Whether all stores are ready; False when the controller is to end."""
        began, complained = time.monotonic(), False
        for _, reader in self.stores:
            while not self._stop.stopped:
                try:
                    reader.wait_until_ready(LOOK)
                    break
                except TimeoutError as error:
                    refusal = reader.last_error
                    if self._once and refusal is not None and is_refusal(refusal):
                        return self._give_up(refusal)
                    if not complained and time.monotonic() - began >= COMPLAIN_AFTER:
                        complained = True
                        logger.warning("the controller of %s waits for its stores: %s", self.label, error)
                except (WriterDropped, StaleAfterFork) as error:
                    if self._stop.stopped:
                        return False
                    return self._give_up(error)
        return not self._stop.stopped

    def _give_up(self, error: BaseException) -> bool:
        logger.error("the controller of %s ends: %s", self.label, error)
        self.queue.remark(RunnerError(error))
        return False

    def _end(self) -> None:
        """Begin nothing more, wait for what runs, and tell the consumer."""
        self._stop.stop()
        dropped = self.queue.stop()
        for opened in self._opened:
            opened.stop.stop()
        for worker in self._workers:
            self._join(worker, waits=True)
        for thread, opened in self._pumps:
            self._join(thread, waits=opened.stoppable)
        self.unfinished = dropped + self.queue.stats().running
        self.ended = True
        self.queue.end()

    def _join(self, thread: threading.Thread, *, waits: bool) -> None:
        """Wait for `thread`: as long as it takes or, when that is not wanted, for as long as idle ones need."""
        while thread.is_alive():
            if self._forced or not waits:
                if self._impatient_at is None:
                    self._impatient_at = time.monotonic() + GRACE
                thread.join(max(0.0, self._impatient_at - time.monotonic()))
                break
            thread.join(LOOK)
        if thread.is_alive():
            logger.warning("%s is still busy; it ends by itself when it is done", thread.name)
