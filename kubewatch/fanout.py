"""`Fanout`: what changed in one store, for any number of subscriptions, each with a queue of its own.

What is queued is the key of an object, and not the object: a subscription looks it up in the store when it gets there,
and so reads the newest version. A key that is queued already is not queued again, and one whose object is deleted is
taken out. However slow its reader, a queue holds no more keys than there are objects (and deletions, for who asked to
be told of them), in the order in which they changed first since they were read.

The store changes first, then the key is queued, and a key is taken first, then looked up; so no version is lost. Nor is
a live change delivered twice: a subscription that finds in the store what the writer is about to queue notes that it
has seen it. There is no lock that all of them need, as a hundred threads would spend their time handing it on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Generic, TypeVar

from . import freshness
from .errors import StaleAfterFork
from .events import Delete
from .gates import Bell
from .stop import FOLLOW_INTERVAL, Stop
from .table import Key

if TYPE_CHECKING:
    from .store import Store

T = TypeVar("T")

# Seconds of waiting, for room or for changes, after which a log line says for whom.
COMPLAIN_AFTER = 10.0

_log = logging.getLogger(__name__)


class _WakingStop(Stop):
    """A Stop that tells somebody of it, on the thread that stops."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def stop(self) -> None:
        super().stop()
        self._tell()


class Subscription(Generic[T]):
    """One subscriber of a shared store: what it has yet to read. Any thread may look at it.

    `label` is its name, `stopper` the Stop of its stream; `deletes` says whether it is told of deletions.
    """

    def __init__(self, fanout: Fanout[T], label: str, deletes: bool) -> None:
        self.label = label
        self.deletes = deletes
        self.stopper: Stop = _WakingStop(self.leave)
        self._fanout = fanout
        self._bell = Bell()  # rung when there is something to look at: a key, a stop, the end
        self._left = False
        # Whose thread it is: its maker's, until another pulls it.
        self._thread = get_ident()
        # Held for taking a key with what belongs to it, and by the writer to see whether that is done or not.
        # Reentrant, as the writer holds it for all that a list means.
        self._lock = threading.RLock()
        # Keys, and when they were queued; None for those to be replayed, which come first. As a plain dict is slow to
        # give its first key away, it is an OrderedDict.
        self._unread: OrderedDict[Key, float | None] = OrderedDict()
        # Of unread keys, the object that was deleted. The first of several: the others came and went unread.
        self._deleted: dict[Key, Delete[T]] = {}
        # How many unread keys leave no room for more: the buffer, and those to be replayed.
        self._bound = fanout.buffer
        self._since = fanout.clock()
        self._seen: object = None  # the last of the writer's changes that was found in the store before it was queued

    @property
    def pending(self) -> int:
        """How many objects changed and were not read yet; those to be replayed count."""
        return len(self._unread)

    @property
    def lag(self) -> float:
        """Seconds since the change that is to be read next, or the beginning of a replay; 0 when all were read."""
        while True:
            try:
                queued_at = next(iter(self._unread.values()))
            except StopIteration:
                return 0.0
            except RuntimeError:
                continue  # another key was queued, or this one taken, at this moment
            return self._fanout.clock() - (self._since if queued_at is None else queued_at)

    def leave(self) -> None:
        """Nobody reads any more: the writer waits for it no longer. Idempotent; takes no lock, for finalizers."""
        self._left = True
        self._fanout.left = True
        self._bell.ring()
        self._fanout.room.ring()

    def read(self) -> Iterator[T | Delete[T]]:
        """Objects that changed and deletions, as they come; ends when told to stop, or when the writer has ended.

        Runs on the thread that pulls. Raises StaleAfterFork.
        """
        stop, fanout = self.stopper, self._fanout
        waited = 0.0
        try:
            while not stop.stopped:
                ended = fanout.closed  # asked first: what was queued before the end is there to be taken
                items = self._take()
                if items is not None:
                    waited = 0.0
                    yield from items
                elif ended:
                    return
                else:
                    waited = self._wait(waited)
        finally:
            self.leave()

    def _take(self) -> Sequence[T | Delete[T]] | None:
        """What the first unread key stands for, a deletion before an object; empty if it vanished, None without key."""
        fanout = self._fanout
        if fanout.process != freshness.forks:
            raise StaleAfterFork(
                "this subscription is the parent process's, and so is the stream that feeds it: "
                "start a stream in this process, and subscribe here"
            )
        self._thread = get_ident()
        with self._lock:
            if not self._unread:
                return None
            key, queued_at = self._unread.popitem(last=False)
            obj = fanout.store._table.get(key)
            deletion = self._deleted.pop(key, None) if self._deleted else None
            change = fanout.change
            if obj is not None and change[0] is obj:
                self._seen = change
            if queued_at is None:
                self._bound -= 1
        if fanout.blocked:
            fanout.room.ring()
        items = () if obj is None else (obj,)
        return items if deletion is None else (deletion, *items)

    def _wait(self, waited: float) -> float:
        """Wait for the bell; says once when nothing can come, or so it seems. Returns the seconds waited in a row."""
        began = time.monotonic()
        self._bell.wait(self.stopper.slice(COMPLAIN_AFTER))
        now = waited + time.monotonic() - began
        if waited < COMPLAIN_AFTER <= now and self._fanout.seems_idle():
            _log.warning(
                "%s has waited %.0f s for a change of %r: is the stream that fills it iterated, on another thread?",
                self.label,
                now,
                self._fanout.store,
            )
        return now


class Fanout(Generic[T]):
    """The subscriptions of one writer, in one process, and the bound of what they may have unread."""

    def __init__(self, store: Store[T], buffer: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`buffer` is a number of keys; `clock` is in seconds."""
        self.store = store
        self.buffer = buffer
        self.clock = clock
        self.closed = store._fresh.closed
        self.process = freshness.forks
        # Held for a change of the store with a look at who subscribes, and to subscribe; never while waiting.
        # Reentrant, as index functions run under it, and may subscribe.
        self.lock = threading.RLock()
        self.change: tuple[T | None] = (None,)  # the object that was stored last; set before it is stored
        self.pushing = False  # whether the writer is at work on an event
        self.blocked = False  # whether it waits for room
        self.room = Bell()  # rung when a queue got shorter while the writer waits, and when a subscription left
        self.left = False  # whether a subscription left that is still among ours
        self.thread: int | None = None  # the writer's
        self._subscriptions: tuple[Subscription[T], ...] = ()

    def active(self) -> tuple[Subscription[T], ...]:
        """Those who have not left. To be called with the lock held."""
        if self.left:
            self.left = False
            self._subscriptions = tuple(one for one in self._subscriptions if not one._left)
        return self._subscriptions

    def seems_idle(self) -> bool:
        """Whether it looks as if nobody pulled the writer's stream, or nobody but the calling thread."""
        vitals = self.store._fresh.vitals
        return self.thread == get_ident() or vitals is None or (vitals.heard_at is None and not vitals.failing)

    def join(self, subscription: Subscription[T], replay: bool) -> None:
        """From now on it hears of all changes; with `replay`, it first has everything to read that there is."""
        with self.lock:
            if replay:
                subscription._unread = OrderedDict.fromkeys(self.store._table)
                subscription._bound += len(subscription._unread)
            self._subscriptions = (*self.active(), subscription)

    def close(self) -> None:
        """Nothing will be queued any more. Idempotent; takes no lock, for finalizers."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription._bell.ring()

    def owing(
        self, subscriptions: Sequence[Subscription[T]], key: Key, deletion: Delete[T] | None
    ) -> list[Subscription[T]]:
        """Those for whom `key` is to be queued: it is not, and they have not seen the change yet.

        Who has it queued reads of the change there; a deletion is noted there for who is to be told of it.
        """
        owed = []
        for one in subscriptions:
            if deletion is None:
                if key not in one._unread:
                    with one._lock:
                        if one._seen is not self.change:
                            owed.append(one)
            elif one.deletes:
                with one._lock:
                    if key in one._unread:
                        one._deleted.setdefault(key, deletion)
                    else:
                        owed.append(one)
        return owed

    def forget(self, subscriptions: Sequence[Subscription[T]], key: Key) -> None:
        """Have nobody read of what was deleted, of those who are not told of deletions."""
        for one in subscriptions:
            if not one.deletes and key in one._unread:
                with one._lock:
                    if one._unread.pop(key, 0.0) is None:
                        one._bound -= 1

    def offer(
        self,
        subscriptions: Sequence[Subscription[T]],
        key: Key,
        deletion: Delete[T] | None,
        *,
        bounded: bool = True,
    ) -> Sequence[Subscription[T]]:
        """Queue `key` for all or, where one has no room for it, for none; returns those who are still owed it."""
        owed = self.owing(subscriptions, key, deletion)
        if bounded:
            for one in owed:
                # Whoever waited for a subscription that only its own thread can read would wait for ever.
                if len(one._unread) >= one._bound and one._thread != get_ident():
                    return owed
        now = self.clock()
        for one in owed:
            # No lock: until the key is queued, they cannot take it, and queueing it is a single step.
            if deletion is not None:
                one._deleted[key] = deletion
            unread = one._unread
            unread[key] = now
            if len(unread) == 1:
                one._bell.ring()
        return ()

    def push(self, owed: Sequence[Subscription[T]], key: Key, deletion: Delete[T] | None, stop: Stop) -> None:
        """Queue `key` for all, and wait until everyone has room for it; once told to stop, room or not."""
        owed = self.offer(owed, key, deletion)
        if not owed:
            return
        began, complained = time.monotonic(), False
        self.blocked = True  # from here on, who makes room rings; what was made before is found by looking again
        while owed := self.offer(
            [one for one in owed if not (one._left or one.stopper.stopped)], key, deletion, bounded=not stop.stopped
        ):
            self.room.wait(FOLLOW_INTERVAL)
            waited = time.monotonic() - began
            if waited >= COMPLAIN_AFTER and not complained:
                complained = True
                slow = ", ".join(f"{one.label} ({one.pending} unread)" for one in owed if one.pending >= one._bound)
                _log.warning("the stream that fills %r has waited %.0f s for room: %s", self.store, waited, slow)
        self.blocked = False
