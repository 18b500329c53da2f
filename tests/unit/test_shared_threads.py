"""Shared stores among threads: who waits for whom, what ends the waiting, and that nothing is lost on the way."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from kubewatch import fanout
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.shared import SharedWriter, store_shared
from kubewatch.streams import EventStream, ObjectStream, merge

from .stored import names, pod
from .subscribed import Waits, on_thread, reborn, told, versions


class Root:
    """A stream of pods p0, p1, … that a thread of its own pulls, and what came out of it."""

    def __init__(self, writer: SharedWriter[Object], pods: int) -> None:
        self.events = [Apply(pod(f"p{i}")) for i in range(pods)]
        self.passed: list[Event[Object]] = []
        self.stream = EventStream(self.events).reflect_shared(writer)
        self.waits = Waits(writer._fanout.room)
        self.join = on_thread(lambda: self.passed.extend(self.stream))


def pending(writer: SharedWriter[Any]) -> list[int]:
    return [one.pending for one in writer.subscriptions]


# Waiting for room


def test_reflect_applies_backpressure() -> None:
    """Row 44: with room for one, the root waits for the slow reader; both get everything, in order."""
    reader, writer = store_shared(1)
    fast, slow = writer.subscribe(), writer.subscribe()
    root = Root(writer, 3)
    root.waits()
    # The store has the second object, the root's consumer has not.
    assert names(reader) == ["p0", "p1"]
    assert root.passed == root.events[:1]
    got_fast, got_slow = [next(fast)], []
    root.waits()  # for the slow one still; the fast one sees nothing more meanwhile
    assert pending(writer) == [0, 1]
    assert root.passed == root.events[:1]
    got_slow.append(next(slow))
    root.waits()  # for both
    assert root.passed == root.events[:2]
    got_slow.append(next(slow))
    root.waits()  # for the fast one
    assert root.passed == root.events[:2]
    got_fast.append(next(fast))
    root.join()
    assert root.passed == root.events
    assert names(got_fast + list(fast)) == names(got_slow + list(slow)) == ["p0", "p1", "p2"]


def test_a_list_is_told_of_as_there_is_room() -> None:
    """Row 44: object by object, and the list's end is handed on when the last one found room."""
    _, writer = store_shared(2)
    reader = writer.subscribe()
    events: list[Event[Object]] = [Init(), *(InitApply(pod(f"p{i}")) for i in range(5)), InitDone()]
    root = EventStream(events).reflect_shared(writer)
    waits = Waits(writer._fanout.room)
    passed: list[Event[Object]] = []
    join = on_thread(lambda: passed.extend(root))
    got = []
    for _ in range(3):
        waits()
        assert pending(writer) == [2]
        assert passed == events[:-1]
        got.append(next(reader).name)
    join()
    assert got + names(reader) == ["p0", "p1", "p2", "p3", "p4"]


def test_an_object_that_is_unread_needs_no_room() -> None:
    """Pain 24: a hot object does not make the root wait for a slow reader."""
    _, writer = store_shared(1)
    reader = writer.subscribe()
    on_thread(lambda: [writer.apply(Apply(pod("hot", version=i))) for i in range(100)])()
    assert versions([next(reader)]) == ["hot@99"]


def test_a_replay_takes_no_room() -> None:
    """Pain 25: a late subscriber has a whole store to read, and the root goes on meanwhile."""
    _, writer = store_shared(1)
    for i in range(50):
        writer.apply(Apply(pod(f"old{i}")))
    late = writer.subscribe(replay=True)
    root = Root(writer, 2)
    root.waits()
    assert pending(writer) == [51]
    assert [next(late).name for _ in range(50)] == [f"old{i}" for i in range(50)]
    root.waits()
    assert next(late).name == "p0"
    root.join()
    assert names(late) == ["p1"]


def test_who_subscribes_while_the_root_waits_starts_at_now() -> None:
    """Pain 25: nothing is lost or doubled between what is replayed and what comes, at this moment either."""
    _, writer = store_shared(1)
    slow = writer.subscribe()
    root = Root(writer, 3)
    root.waits()  # with p1, which is stored
    late, replayed = writer.subscribe(), writer.subscribe(replay=True)
    first = next(slow).name
    root.waits()  # with p2
    assert pending(writer) == [1, 0, 2]
    rest = on_thread(lambda: names(slow))
    root.join()
    assert [first, *rest()] == ["p0", "p1", "p2"]
    assert names(late) == ["p2"]
    assert names(replayed) == ["p0", "p1", "p2"]


def test_without_subscribers_nothing_waits() -> None:
    """Row 41: what nobody asked for is not kept."""
    _, writer = store_shared(1)
    on_thread(lambda: [writer.apply(Apply(pod(f"p{i}"))) for i in range(100)])()
    assert writer.subscriptions == []


@pytest.mark.parametrize("end", ["stop", "close", "drop", "until", "take_until"])
def test_the_root_goes_on_when_the_one_it_waits_for_unsubscribes(end: str) -> None:
    """Improvement 9: at once, whatever way it goes."""
    _, writer = store_shared(1)
    slow, other = writer.subscribe(), writer.subscribe()
    event = threading.Event()
    if end == "take_until":
        slow.take_until(event)
    root = Root(writer, 3)
    root.waits()
    got = [next(other).name]
    root.waits()
    if end == "until":
        slow.until(seconds=0)
        assert list(slow) == []
    elif end == "take_until":
        event.set()
        writer._fanout.room.ring()  # so that it looks
    elif end == "drop":
        del slow
    else:
        getattr(slow, end)()
    got += names(other)
    root.join()
    assert got == ["p0", "p1", "p2"]


def test_a_subscriber_whose_time_is_up_is_found_out_while_the_root_waits_for_it() -> None:
    """Nobody pulls it, so nobody but the root can see that its time is up."""
    _, writer = store_shared(1)
    slow = writer.subscribe().until(seconds=0.2)
    on_thread(lambda: [writer.apply(Apply(pod(f"p{i}"))) for i in range(10)])()
    assert writer.subscriptions == []
    assert list(slow) == []


def test_stopping_the_root_ends_its_waiting_and_what_is_left_is_delivered() -> None:
    """Row 43: whoever stops the root is not held up by a reader, and the reader loses nothing."""
    _, writer = store_shared(1)
    slow = writer.subscribe()
    events: list[Event[Object]] = [Init(), *(InitApply(pod(f"p{i}")) for i in range(5)), InitDone(), Apply(pod("no"))]
    root = EventStream(events).reflect_shared(writer)
    waits = Waits(writer._fanout.room, poll=True)
    join = on_thread(lambda: [str(event) for event in root])
    waits()
    root.stop()
    assert "Apply(no)" not in join()
    assert names(slow) == ["p0", "p1", "p2", "p3", "p4"]


def test_a_second_writing_thread_is_refused_while_the_first_waits() -> None:
    from kubewatch.errors import InvalidInput

    _, writer = store_shared(1)
    slow = writer.subscribe()
    root = Root(writer, 2)
    root.waits()
    with pytest.raises(InvalidInput, match="a store has one writer, and it is busy"):
        writer.apply(Apply(pod("other")))
    next(slow)
    root.join()


def test_a_root_that_waits_long_says_for_whom(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pain 24: a slow consumer is found by its name, before the watch is cut for being slow."""
    monkeypatch.setattr(fanout, "COMPLAIN_AFTER", 0.0)
    _, writer = store_shared(1)
    _fast, slow = writer.subscribe(label="fast"), writer.subscribe(label="slow")
    next_fast = on_thread(lambda: next(_fast))
    root = Root(writer, 2)
    next_fast()
    root.waits()
    writer._fanout.room.ring()
    root.waits()
    assert "has waited 0 s for room: slow (1 unread)" in caplog.text
    next(slow)
    root.join()
    assert caplog.text.count("for room") == 1


def test_nobody_reads_of_a_new_object_before_the_deletion_of_its_namesake() -> None:
    """Improvement 9: while a list becomes the store's content, who is told of deletions takes nothing."""
    _, writer = store_shared(10)
    stream = told(writer.subscribe(deletes=True))
    [subscription] = writer.subscriptions
    writer.apply(Apply(reborn("a", "first")))
    fresh: Any = writer._store._fresh
    finish_list = fresh.finish_list
    could_take: list[bool] = []

    def look() -> None:  # called when the list is there, and its deletions are not noted yet
        could_take.append(on_thread(lambda: subscription._lock.acquire(False))())
        finish_list()

    fresh.finish_list = look
    for event in (Init(), InitApply(reborn("a", "second", version=2)), InitDone()):
        writer.apply(event)
    assert could_take == [False]
    assert [next(stream), next(stream)] == ["-a@1", "a@2"]


# Waiting for changes


def test_a_subscriber_waits_for_a_root_that_is_not_pulled_until_it_is_stopped() -> None:
    """A stop from another thread ends the waiting at once."""
    _, writer = store_shared(1)
    stream = writer.subscribe()
    waits = Waits(writer.subscriptions[0]._bell)
    join = on_thread(lambda: list(stream))
    waits()
    stream.stop()
    assert join() == []


def test_a_subscriber_waits_until_its_time_is_up_or_an_event_is_set() -> None:
    _, writer = store_shared(1)
    assert list(writer.subscribe().until(seconds=0.05)) == []
    event = threading.Event()
    join = on_thread(lambda: list(writer.subscribe().take_until(event)))
    event.set()
    assert join() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no setitimer")
def test_a_signal_handler_stops_a_subscriber_that_waits_on_the_main_thread() -> None:
    """Also a handler that interrupts the very thread that waits."""
    _, writer = store_shared(1)
    stream = writer.subscribe()
    before = signal.signal(signal.SIGALRM, lambda *_: stream.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert list(stream) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_subscriber_that_waits_gets_what_comes_and_ends_with_the_root() -> None:
    """Row 43: the root's end wakes whoever waits."""
    _, writer = store_shared(10)
    streams = [writer.subscribe() for _ in range(3)]
    waits = [Waits(one._bell) for one in writer.subscriptions]
    joins = [on_thread(partial(names, stream)) for stream in streams]
    root = EventStream([Apply(pod("a"))]).reflect_shared(writer)
    for waiting in waits:
        waiting()
    next(root)
    for waiting in waits:
        waiting()
    assert list(root) == []
    assert [join() for join in joins] == [["a"]] * 3


def test_the_root_waits_for_whichever_thread_pulled_a_subscription_last() -> None:
    """A subscription may be handed from thread to thread; only on the root's own it would be waited for in vain."""
    _, writer = store_shared(1)
    stream = writer.subscribe()
    for name in ("a", "b"):
        writer.apply(Apply(pod(name)))
    assert on_thread(partial(next, stream))().name == "a"
    waits = Waits(writer._fanout.room)

    def read_when_waited_for() -> list[str]:
        waits()
        return names([next(stream), next(stream)])

    join = on_thread(read_when_waited_for)
    writer.apply(Apply(pod("c")))
    assert join() == ["b", "c"]


def test_subscriptions_can_be_merged() -> None:
    one, two = store_shared(10), store_shared(10)
    both = merge(one[1].subscribe(), two[1].subscribe())
    for name, (_, writer) in (("a", one), ("b", two)):
        writer.apply(Apply(pod(name)))
        writer.close()
    assert names(both) == ["a", "b"]


# Many at once


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual, so that races show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def work(amount: int) -> None:
    """Take some time, without sleeping."""
    sum(range(amount))


class Mirror:
    """What one subscriber knows of the store: filled from what it is told alone."""

    def __init__(self, stream: ObjectStream[Object], slowness: int) -> None:
        self.known: dict[str, Object] = {}
        self.seen = 0
        self._items: Any = stream._take("mirror")  # with deletions as events
        self._slowness = slowness

    def follow(self) -> None:
        with closing(self._items):  # whatever happens here, the writer does not wait for us
            for item in self._items:
                self.seen += 1
                obj = item.object if isinstance(item, Delete) else item
                before = self.known.pop(obj.name, None)
                if before is not None:
                    assert int(before.resource_version) <= int(obj.resource_version), "told of the past"
                if not isinstance(item, Delete):
                    assert before is None or before.uid == obj.uid, "a deletion was not told of"
                    self.known[obj.name] = obj
                work(self._slowness)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("buffer", [1, 3, 100])
def test_all_subscribers_end_with_the_last_version_of_every_object(buffer: int) -> None:
    """Pain 24: eight of different speeds, some late, among changes, deletions and relists; no thread is left."""
    before = set(threading.enumerate())
    dice = random.Random(buffer)
    reader, writer = store_shared(buffer)
    mirrors = [Mirror(writer.subscribe(deletes=True), slowness=100 * i * i) for i in range(6)]
    joins: list[Callable[[], Any]] = [on_thread(mirror.follow) for mirror in mirrors]
    alive: dict[str, Object] = {}
    version = 0
    for step in range(2000):
        version += 1
        name = f"p{dice.randrange(30)}"
        current = alive.get(name)
        if step % 200 == 199:  # a list finds some gone, some others made again, and some new
            for other in dice.sample([f"p{i}" for i in range(30)], 10):
                alive.pop(other, None)
            for other in dice.sample([f"p{i}" for i in range(30)], 5):
                version += 1
                alive[other] = reborn(other, f"uid-{version}", version)
            writer.apply(Init())
            for obj in list(alive.values()):
                writer.apply(InitApply(obj))
            writer.apply(InitDone())
        elif current is not None and dice.random() < 0.3:
            del alive[name]
            writer.apply(Delete(reborn(name, current.uid, version)))
        else:
            alive[name] = reborn(name, current.uid if current is not None else f"uid-{version}", version)
            writer.apply(Apply(alive[name]))
        if step in (500, 1500):
            mirrors.append(Mirror(writer.subscribe(replay=True, deletes=True), slowness=1000))
            joins.append(on_thread(mirrors[-1].follow))
    writer.close()
    for join in joins:
        join()
    assert len(mirrors) == 8
    for mirror in mirrors:
        assert mirror.known == alive == {obj.name: obj for obj in reader.state()}
        assert mirror.seen > 0
    assert writer.subscriptions == []
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("eager_switching")
def test_subscribers_that_come_and_go_lose_nothing_and_hold_up_nobody() -> None:
    """Pain 25: each replay is of one moment, and what came after it follows."""
    _, writer = store_shared(2)
    done = threading.Event()

    def come_and_go() -> int:
        rounds = 0
        while not done.is_set():
            with writer.subscribe(replay=True) as stream:
                last: dict[str, int] = {}
                for obj in stream.take_until(done):
                    assert last.get(obj.name, -1) < int(obj.resource_version), "twice, or out of order"
                    last[obj.name] = int(obj.resource_version)
                    if len(last) == 10 and len(set(last.values())) > 5:
                        break
            rounds += 1
        return rounds

    joins = [on_thread(come_and_go) for _ in range(4)]
    try:
        for version in range(3000):
            writer.apply(Apply(pod(f"p{version % 10}", version=version)))
    finally:
        done.set()
    assert all(join() > 0 for join in joins)


@pytest.mark.usefixtures("eager_switching")
def test_lag_can_be_asked_for_while_everything_moves() -> None:
    """Pain 24: metrics are read from any thread, and hold up nobody."""
    _, writer = store_shared(100)
    done = threading.Event()
    streams = [writer.subscribe() for _ in range(2)]

    def ask() -> int:
        asked = 0
        while not done.is_set():
            for one in writer.subscriptions:
                assert one.lag >= 0
                assert one.pending <= 50
            asked += 1
        return asked

    joins = [on_thread(partial(list, stream)) for stream in streams]
    asking = on_thread(ask)
    try:
        for i in range(3000):
            writer.apply((Delete if i % 3 == 0 else Apply)(pod(f"p{i % 50}", version=i)))
    finally:
        done.set()
        writer.close()
    assert asking() > 0
    assert all(join() for join in joins)
