"""The scheduler: one entry per object, the earliest time wins, never two runs of one object at once.

It is a state machine without clock, threads or I/O: time comes in as an argument (seconds, monotonic), and what is due
comes out. Whoever drives it guards it with a lock and waits until `next_at()`.

    trigger ─┐             due                 take()
    schedule ┴→ waiting ────────→ ready (FIFO) ────────→ running ──→ finished()
                                    │ its object is running   ↑
                                    └→ held ──────────────────┘

https://docs.rs/kube-runtime/latest/kube_runtime/fn.scheduler.html
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from kubewatch.ref import ObjectRef

# Seconds. Nothing is scheduled further ahead than this, as in kube-rs.
FAR_FUTURE: Final = 180 * 24 * 3600.0

# How many debounce times after the first trigger a run comes at the latest, however many triggers follow.
DEBOUNCE_LIMIT: Final = 10

# Outdated places in the heap, at least, before it is worth tidying up.
SLACK: Final = 64


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an object is reconciled: for logs and metrics, not for the reconciler, which looks at the object only."""

    what: str
    related: ObjectRef | None = None

    def __str__(self) -> str:
        return f"{self.what}: {self.related}" if self.related is not None else self.what


class Request(msgspec.Struct, frozen=True, gc=False):
    """A run that is due: of which object, why, and since when (seconds, on the scheduler's clock)."""

    ref: ObjectRef
    reason: Reason
    due: float


class _Entry(msgspec.Struct, gc=False):
    reason: Reason
    at: float
    # Later triggers move a debounced run back, but never beyond this.
    limit: float
    debouncing: bool
    # Whether a trigger asked for this run, too; if not, it is only planned.
    wanted: bool
    # Tells this state of the entry from the older ones that are still in the heap.
    number: int


class Scheduler:
    """What is to run when. Not thread-safe: its driver's lock guards it."""

    def __init__(self, debounce: float = 0.0) -> None:
        """`debounce`: seconds of quiet to wait for after a trigger, up to ten times as long in all."""
        self._debounce = debounce
        self._waiting: dict[ObjectRef, _Entry] = {}
        self._heap: list[tuple[float, int, ObjectRef]] = []
        # In the order in which they became due, as dicts keep theirs.
        self._ready: deque[Request] = deque()
        self._held: dict[ObjectRef, Request] = {}
        self._pending: set[ObjectRef] = set()
        self._running: set[ObjectRef] = set()
        self._number = 0

    def trigger(self, ref: ObjectRef, reason: Reason, now: float) -> None:
        """`ref` changed: run it once the changes have been quiet for the debounce time.

        An earlier deadline stays; a run that already waits is not moved back beyond ten debounce times.
        """
        if ref in self._pending:
            return
        at = now + self._debounce
        entry = self._waiting.get(ref)
        if entry is None:
            self._put(ref, reason, at, now + DEBOUNCE_LIMIT * self._debounce, debouncing=True)
        elif entry.debouncing:
            self._put(ref, reason, max(entry.at, min(at, entry.limit)), entry.limit, debouncing=True)
        elif at <= entry.at:
            limit = min(entry.at, now + DEBOUNCE_LIMIT * self._debounce)
            self._put(ref, reason, at, limit, debouncing=True)
        else:
            entry.wanted = True

    def schedule(self, ref: ObjectRef, reason: Reason, at: float, now: float) -> None:
        """Run `ref` at `at`, or earlier if something else wants it earlier. Not debounced."""
        if ref in self._pending:
            return
        at = min(at, now + FAR_FUTURE)
        entry = self._waiting.get(ref)
        if entry is None or at <= entry.at:
            self._put(ref, reason, at, at, debouncing=False, wanted=entry is not None and entry.wanted)
        elif entry.debouncing:
            entry.limit = min(entry.limit, at)

    def _put(
        self, ref: ObjectRef, reason: Reason, at: float, limit: float, *, debouncing: bool, wanted: bool = True
    ) -> None:
        self._number += 1
        self._waiting[ref] = _Entry(reason, at, limit, debouncing, wanted, self._number)
        heappush(self._heap, (at, self._number, ref))
        if len(self._heap) > 2 * len(self._waiting) + SLACK:
            # Entries that were moved leave their old place behind, which is found out only when its time has come.
            self._heap = [(entry.at, entry.number, ref) for ref, entry in self._waiting.items()]
            heapify(self._heap)

    def advance(self, now: float) -> None:
        """It is `now`: what was waiting until then is due. `take` does this too."""
        heap, waiting = self._heap, self._waiting
        while heap and heap[0][0] <= now:
            at, number, ref = heappop(heap)
            entry = waiting.get(ref)
            if entry is None or entry.number != number:
                continue  # it was moved since
            del waiting[ref]
            self._pending.add(ref)
            request = Request(ref, entry.reason, at)
            if ref in self._running:
                self._held[ref] = request
            else:
                self._ready.append(request)

    def take(self, now: float) -> Request | None:
        """The next run that is due, oldest first; it counts as running until `finished(ref)`. None: nothing is."""
        self.advance(now)
        if not self._ready:
            return None
        request = self._ready.popleft()
        self._pending.discard(request.ref)
        if not self._pending:
            self._pending = set()  # one that all objects were in stays as large, which is 100 bytes for each of them
        self._running.add(request.ref)
        return request

    def finished(self, ref: ObjectRef) -> None:
        """The run of `ref` ended: what was held for it is ready now."""
        self._running.discard(ref)
        held = self._held.pop(ref, None)
        if held is not None:
            self._ready.append(held)

    def next_at(self) -> float | None:
        """When `take` can give something, at the earliest; None: not before something is added or finished."""
        if self._ready:
            return self._ready[0].due
        while self._heap:
            at, number, ref = self._heap[0]
            entry = self._waiting.get(ref)
            if entry is not None and entry.number == number:
                return at
            heappop(self._heap)
        return None

    def drop_waiting(self) -> int:
        """Forget all that has not begun to run; returns how many (objects)."""
        dropped = len(self._waiting) + len(self._pending)
        self._waiting.clear()
        self._heap.clear()
        self._ready.clear()
        self._held.clear()
        self._pending.clear()
        return dropped

    def flush(self, now: float) -> None:
        """Make due at `now` what triggers asked for, and forget what was planned for later."""
        waiting, self._waiting = self._waiting, {}
        self._heap.clear()
        for ref, entry in waiting.items():
            if entry.wanted or entry.at <= now:
                self._put(ref, entry.reason, min(entry.at, now), now, debouncing=False)

    @property
    def empty(self) -> bool:
        """Whether nothing runs, is due or is planned."""
        return not (self._waiting or self._pending or self._running)

    @property
    def waiting(self) -> int:
        """How many objects have a run in the future."""
        return len(self._waiting)

    @property
    def depth(self) -> int:
        """How many objects are due and not yet running."""
        return len(self._pending)

    @property
    def running(self) -> int:
        """How many objects are running."""
        return len(self._running)

    def oldest_age(self, now: float) -> float:
        """How long the run that is due longest has been waiting, in seconds; 0 where none is."""
        due = [self._ready[0].due] if self._ready else []
        due += [request.due for request in self._held.values()]
        return max(0.0, now - min(due)) if due else 0.0
