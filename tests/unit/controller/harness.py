"""What tests of controllers are made of: a watch in the hands of the test, and a reconciler that can be held."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from typing import Any

from kubewatch.controller import Action, Reconciled
from kubewatch.controller.results import Result
from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.stop import Stop
from kubewatch.store import store
from kubewatch.streams import EventStream, ObjectStream
from kubewatch.vitals import Vitals
from tests.unit.stored import pod

# Seconds, for what happens at once.
PATIENCE = 30.0

_END: Any = object()


class _WakingStop(Stop):
    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def stop(self) -> None:
        super().stop()
        self._tell()


class Feed:
    """A stream that brings what the test says, when it says so; for a main stream, with the store it is reflected to.

    Like a watcher it blocks while there is nothing, and is stopped at once.
    """

    def __init__(self, label: str = "pods") -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self.stop = _WakingStop(lambda: self._queue.put(_END))
        self.closed = threading.Event()
        self.vitals = Vitals()
        self.reader, self._writer = store()
        self._label = label

    def reflected(self) -> ObjectStream[Object]:
        """The stream, written to `reader`."""
        events: EventStream[Object] = EventStream(self._run(), stop=self.stop, vitals=self.vitals, label=self._label)
        return events.reflect(self._writer).applied_objects()

    def touched(self) -> ObjectStream[Object]:
        """The stream, decoded."""
        events = EventStream[Object](self._run(), stop=self.stop, vitals=self.vitals, label=self._label)
        return events.touched_objects()

    def plain(self) -> ObjectStream[Any]:
        """The stream of whatever was fed."""
        return ObjectStream(self._run(), stop=self.stop, label=self._label)

    def _run(self) -> Iterator[Any]:
        try:
            while (item := self._queue.get()) is not _END:
                if isinstance(item, threading.Event):
                    item.set()
                else:
                    self.vitals.heard()
                    yield item
        finally:
            self.closed.set()

    def feed(self, *items: Any) -> Feed:
        """Bring these: events, or WatchErrors."""
        for item in items:
            self._queue.put(item)
        return self

    def list(self, *objects: Object) -> Feed:
        """A whole list."""
        return self.feed(Init(), *map(InitApply, objects), InitDone())

    def apply(self, obj: Object) -> Feed:
        return self.feed(Apply(obj))

    def delete(self, obj: Object) -> Feed:
        return self.feed(Delete(obj))

    def fail(self, error: WatchError) -> Feed:
        return self.feed(error)

    def end(self) -> Feed:
        """Nothing more comes."""
        return self.feed(_END)

    def settle(self) -> None:
        """Wait until all that was fed has been worked into the queue."""
        done = threading.Event()
        self._queue.put(done)
        assert done.wait(PATIENCE)


class Held:
    """A reconciler whose runs go on when the test says so; it knows how many ran at once, of all and of each object."""

    def __init__(self, action: Action | None = None) -> None:
        self.action = action or Action.await_change()
        self.seen: list[str] = []
        self.started: SimpleQueue[str] = SimpleQueue()
        self._go = threading.Semaphore(0)
        self._lock = threading.Lock()  # guards what follows
        self.now: dict[str, int] = {}
        self.most = 0
        self.most_of_one = 0

    def __call__(self, obj: Object, context: Any) -> Action:
        name = obj.name
        with self._lock:
            self.now[name] = self.now.get(name, 0) + 1
            self.most = max(self.most, sum(self.now.values()))
            self.most_of_one = max(self.most_of_one, self.now[name])
            self.seen.append(f"{name}@{obj.resource_version}")
        self.started.put(name)
        assert self._go.acquire(timeout=PATIENCE)
        with self._lock:
            self.now[name] -= 1
        return self.action

    def next_started(self) -> str:
        """Wait for a run to begin: the name of its object."""
        return self.started.get(timeout=PATIENCE)

    def go(self, runs: int = 1) -> None:
        """Let that many runs end."""
        self._go.release(runs)


class Pulled:
    """The results of a controller, pulled on a thread of its own."""

    def __init__(self, results: Iterator[Result]) -> None:
        self.results: list[Result] = []
        self._changed = threading.Condition()
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._pull, args=(results,), name="consumer", daemon=True)
        self._thread.start()

    def _pull(self, results: Iterator[Result]) -> None:
        for result in results:
            with self._changed:
                self.results.append(result)
                self._changed.notify_all()
        self.ended.set()

    def wait_for(self, count: int) -> list[Result]:
        """All results, once there are `count`."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.results) >= count, PATIENCE), self.results
            return list(self.results)

    def wait_for_end(self) -> list[Result]:
        self._thread.join(PATIENCE)
        assert self.ended.is_set()
        return self.results


def quiet(obj: Any, context: Any) -> Action:
    """A reconciler that has nothing to do."""
    return Action.await_change()


def finite(*objects: Object) -> tuple[ObjectStream[Object], Any]:
    """A main stream of one list, and its store."""
    reader, writer = store()
    events: list[Any] = [Init(), *map(InitApply, objects), InitDone()]
    return EventStream[Object](events).reflect(writer).applied_objects(), reader


def pods(*names: str, version: int = 1) -> list[Object]:
    return [pod(name, version=version) for name in names]


def take(results: Iterator[Result], count: int) -> list[Result]:
    """The next results."""
    return list(islice(results, count))


def names(results: Iterable[Result]) -> list[str]:
    """What was reconciled by name, errors by their type."""
    return [result.ref.name if isinstance(result, Reconciled) else type(result).__name__ for result in results]
