"""`merge`: several streams as one, each pulled by a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from kubewatch.errors import StaleAfterFork, WatchError
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals

from .inband import InBand

logger = logging.getLogger(__name__)

# Seconds that the end of a merge waits for its threads. A stop wakes them at once, unless they are in a function of the
# user's or in a connection attempt.
JOIN_TIMEOUT = 1.0

# Seconds: a wait without a limit.
LONG = 86_400.0

_END: Any = object()


class Input(NamedTuple):
    """One of the streams: its items in band, what stops it, and what it is called."""

    items: InBand
    stop: Stop
    label: str


class JointStop(Stop):
    """Stops all inputs, and wakes who waits for them. Safe in a signal handler, as `SimpleQueue.put` is."""

    def __init__(self, members: Sequence[Stop]) -> None:
        super().__init__()
        self._members = members
        self.wake: Callable[[], None] = lambda: None

    def stop(self) -> None:
        """End the merge and all of its inputs. Idempotent."""
        super().stop()
        for member in self._members:
            member.stop()
        self.wake()


class JointVitals(Vitals):
    """The health of several watches as one: as stale as the stalest, failing if one fails."""

    def __init__(self, members: Sequence[Vitals]) -> None:
        # What Vitals keeps is not set but computed, in __getattr__.
        self._members = members
        self.clock = members[0].clock

    def __getattr__(self, name: str) -> Any:
        members: Sequence[Vitals] = self.__dict__.get("_members", ())
        if name == "heard_at":
            heard = [vitals.heard_at for vitals in members if vitals.heard_at is not None]
            return min(heard) if len(heard) == len(members) else None
        if name == "failing":
            return any(vitals.failing for vitals in members)
        if name == "last_error":
            by_failing = sorted(members, key=lambda vitals: not vitals.failing)
            return next((vitals.last_error for vitals in by_failing if vitals.last_error), None)
        if name == "restarts":
            return sum((vitals.restarts for vitals in members), Counter())
        if name in ("undecodable", "unmodified"):
            return sum(getattr(vitals, name) for vitals in members)
        if name == "remaining":
            known = [vitals.remaining for vitals in members if vitals.remaining is not None]
            return sum(known) if known else None
        if name in ("resource_version", "on_bookmark"):
            return None  # several collections have no version in common
        raise AttributeError(name)


def merged(inputs: Sequence[Input], stop: JointStop, buffer: int) -> InBand:
    """The items of all inputs, as they come; ends when all have ended.

    `buffer` items at most wait to be pulled; then the inputs wait.
    """
    if stop.stopped:
        return
    pid = os.getpid()
    arrived: SimpleQueue[Any] = SimpleQueue()
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(buffer):
        room.put(None)

    def wake() -> None:
        arrived.put(None)
        for _ in inputs:
            room.put(None)

    stop.wake = wake
    threads = [
        threading.Thread(target=_pump, args=(one, arrived, room), name=f"kubewatch merge: {one.label}", daemon=True)
        for one in inputs
    ]
    running = len(threads)
    try:
        for thread in threads:
            thread.start()
        while running and not stop.stopped:
            try:
                item = arrived.get(timeout=stop.slice(LONG))
            except Empty:
                continue
            if item is _END:
                running -= 1
            elif not stop.stopped:
                room.put(None)
                yield item
                if os.getpid() != pid:
                    raise StaleAfterFork(
                        "this merge was started before a fork, which does not copy its threads: build it anew"
                    )
    finally:
        if os.getpid() == pid:  # else the connections are the parent's
            stop.stop()
            _join(threads)


def _pump(one: Input, arrived: SimpleQueue[Any], room: SimpleQueue[None]) -> None:
    try:
        with closing(one.items) as items:
            for item in items:
                room.get()
                if one.stop.stopped:
                    break
                arrived.put(item)
    except BaseException as error:
        logger.exception("%s ended, and what is merged with it goes on", one.label)
        arrived.put(WatchError(f"{one.label} ended when {type(error).__name__} was raised inside of it", error))
    finally:
        arrived.put(_END)


def _join(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + JOIN_TIMEOUT
    for thread in threads:
        # A merge that is dropped ends on the thread that drops it, which may be one of its own. Where there are too
        # many threads already, one was not started.
        if thread is not threading.current_thread() and thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning("%s is still busy; it ends by itself when it is done", thread.name)
