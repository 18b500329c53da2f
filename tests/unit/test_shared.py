"""Shared stores: one stream fills a store, and any number of subscribers hear what changed in it."""

from __future__ import annotations

import gc
import logging
import math
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from kubewatch import fanout, predicates, shared, streams
from kubewatch.errors import InvalidInput, StaleAfterFork, WatchError, WatchFailed, WriterDropped
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object, PartialObjectMeta
from kubewatch.reflector import reflector
from kubewatch.shared import SharedWriter, store_shared
from kubewatch.stop import Stop
from kubewatch.store import Store, store
from kubewatch.streams import EventStream, ObjectStream
from kubewatch.vitals import Vitals

from .stored import fill, in_child, names, pod
from .subscribed import PATIENCE, on_thread, reborn, stop_when_waiting, told, versions
from .test_store import forking

Items = list[Event[Object] | WatchError]


def listed(*objects: Object) -> list[Event[Object]]:
    return [Init(), *map(InitApply, objects), InitDone()]


# What comes


def test_events_are_passed_through() -> None:
    """Row 41: with a shared writer and no subscriber, events and errors pass, and the store fills as with any."""
    reader, writer = store_shared(10)
    foo, bar, error = pod("foo"), pod("bar"), WatchFailed("reset")
    events: Items = [Apply(foo), error, *listed(foo, bar)]
    passed, lengths = [], []
    for item in EventStream(events).reflect_shared(writer).in_band():
        passed.append(item)
        lengths.append(len(reader))
    assert passed == events
    assert lengths == [1, 1, 1, 1, 1, 2]


def test_readers_yield_touched_objects() -> None:
    """Row 42: an Apply is told of; a Delete, an error, Init and InitApply are not; InitDone tells of all objects."""
    _, writer = store_shared(10)
    foo, bar = pod("foo"), pod("bar")
    events: Items = [Delete(foo), Apply(foo), WatchFailed("reset"), Init(), InitApply(foo), InitApply(bar), InitDone()]
    root = EventStream(events).reflect_shared(writer).in_band()
    readers = [writer.subscribe() for _ in range(2)]
    news: list[list[list[str]]] = [[], []]
    for _ in root:
        for reader, new in zip(readers, news, strict=True):
            count = next(one.pending for one in writer.subscriptions if one.label == reader.label)
            new.append([next(reader).name for _ in range(count)])
    assert news == [[[], ["foo"], [], [], [], [], ["foo", "bar"]]] * 2
    assert [list(reader) for reader in readers] == [[], []]  # the root's end is theirs


def test_readers_yield_when_the_root_is_dropped() -> None:
    """Row 43: what is queued survives the root, and is read before the end."""
    _, writer = store_shared(10)
    root = EventStream([Apply(pod("foo")), Apply(pod("bar")), Apply(pod("never pulled"))]).reflect_shared(writer)
    reader = writer.subscribe()
    next(root)
    next(root)
    del root, writer
    assert names(reader) == ["bar", "foo"]


def test_readers_end_when_a_root_is_dropped_that_was_never_pulled() -> None:
    """Row 43: also then."""
    _, writer = store_shared(10)
    root = EventStream([Apply(pod("foo"))]).reflect_shared(writer)
    reader = writer.subscribe()
    del root
    assert list(reader) == []
    _, dropped = store_shared(10)
    reader = dropped.subscribe()
    del dropped
    assert list(reader) == []


def test_reflect_on_a_shared_writer_tells_subscribers_too() -> None:
    """Improvement 9: there is no way to fill a shared store of which subscribers do not hear."""
    chains: list[Callable[[EventStream[Object], SharedWriter[Object]], EventStream[Object]]] = [
        lambda events, writer: events.reflect(writer),
        lambda events, writer: events.reflect_shared(writer),
        lambda events, writer: reflector(writer, events),
        lambda events, writer: streams.reflect_shared(events, writer),
    ]
    for chain in chains:
        _, writer = store_shared(10)
        reader = writer.subscribe()
        list(chain(EventStream([Apply(pod("foo"))]), writer))
        assert names(reader) == ["foo"]


def test_what_is_read_is_the_newest_version_once_in_the_place_of_the_first_change() -> None:
    """Pain 24: however often an object changed, a slow reader has it to read once."""
    _, writer = store_shared(10)
    reader = writer.subscribe()
    writer.apply(Apply(pod("a", version=1)))
    writer.apply(Apply(pod("b", version=2)))
    for version in range(3, 100):
        writer.apply(Apply(pod("a", version=version)))
    assert [one.pending for one in writer.subscriptions] == [2]
    assert versions([next(reader), next(reader)]) == ["a@99", "b@2"]
    writer.apply(Apply(pod("b", version=100)))
    writer.close()
    assert versions(reader) == ["b@100"]


def test_a_list_tells_of_all_objects_in_the_order_of_the_store() -> None:
    _, writer = store_shared(1000)
    reader = writer.subscribe()
    fill(writer, *(pod(f"p{i}") for i in range(100)))
    writer.close()
    assert [obj.name for obj in reader] == [f"p{i}" for i in range(100)]


def test_an_object_that_vanished_before_it_was_read_is_skipped() -> None:
    """Improvement 9: Apply foo, Delete foo, Apply bar; the reader gets bar, and does not get stuck at foo."""
    _, writer = store_shared(10)
    reader = writer.subscribe()
    for event in (Apply(pod("foo")), Delete(pod("foo")), Apply(pod("bar"))):
        writer.apply(event)
    assert next(reader).name == "bar"


def test_what_is_read_before_it_is_queued_is_not_queued() -> None:
    """A subscriber that gets to a key after its object was stored has the newest version, and needs not be told."""
    _, writer = store_shared(10)
    stream = writer.subscribe()
    fanout: Any = writer._fanout
    push = fanout.push
    got: list[Object] = []

    def read_first(*args: Any) -> None:
        if len(writer._store) == 2:
            got.append(next(stream))
        push(*args)

    fanout.push = read_first  # here a thread may be interrupted
    writer.apply(Apply(pod("a", version=1)))
    writer.apply(Apply(pod("b", version=2)))
    assert versions(got) == ["a@1"]
    writer.apply(Apply(pod("b", version=3)))
    assert versions(got) == ["a@1", "b@3"]
    assert writer.subscriptions[0].pending == 0
    fanout.push = push
    writer.apply(InitDone())
    assert versions([next(stream), next(stream)]) == ["a@1", "b@3"]


def test_a_deletion_that_is_under_way_when_its_object_is_looked_for_comes_all_the_same() -> None:
    """Improvement 9: the object has vanished, and its deletion is not queued yet."""
    _, writer = store_shared(10)
    stream = writer.subscribe(deletes=True)
    [subscription] = writer.subscriptions
    writer.apply(Apply(pod("a")))
    fanout: Any = writer._fanout
    push = fanout.push

    def look_first(*args: Any) -> None:
        assert subscription._take() == ()
        push(*args)

    fanout.push = look_first  # here a thread may be interrupted
    writer.apply(Delete(pod("a", version=2)))
    assert versions([next(stream)]) == ["a@2"]


def test_the_newest_version_is_read_in_a_chain_like_any_objects() -> None:
    _, writer = store_shared(10)
    labelled = writer.subscribe().predicate_filter(predicates.labels).map(lambda obj: obj.labels["app"])
    for version, app in enumerate(["web", "web", "db"]):
        writer.apply(Apply(pod("a", version=version, labels={"app": app})))
        if version == 0:
            assert next(labelled) == "web"
    writer.close()
    assert list(labelled) == ["db"]


def test_what_is_deleted_takes_no_place_in_a_queue() -> None:
    """Pain 24: however many objects come and go, a subscriber that does not read holds what there is, and no more."""
    _, writer = store_shared(10)
    stream = writer.subscribe(replay=True)
    for i in range(100):
        writer.apply(Apply(pod(f"job{i}")))
        if i > 0:
            writer.apply(Delete(pod(f"job{i - 1}")))
    assert [one.pending for one in writer.subscriptions] == [1]
    fill(writer, pod("listed"))
    assert [one.pending for one in writer.subscriptions] == [1]
    writer.close()
    assert names(stream) == ["listed"]


def test_what_was_to_be_replayed_and_is_deleted_leaves_no_extra_room() -> None:
    _, writer = store_shared(1)
    fill(writer, pod("a"), pod("b"))
    stream = writer.subscribe(replay=True)
    [subscription] = writer.subscriptions
    assert subscription._bound == 3
    writer.apply(Delete(pod("a")))
    assert subscription._bound == 2
    fill(writer)
    assert subscription._bound == 1
    assert next(stream.until(seconds=0), None) is None


# Deletions


def test_deletions_are_told_of_on_demand() -> None:
    """Improvement 9: a subscriber may ask for deletions, and hears of each object's last state."""
    _, writer = store_shared(10)
    touched, applied = writer.subscribe(deletes=True), writer.subscribe()
    foo = pod("foo", version=1)
    writer.apply(Apply(foo))
    assert next(touched) is next(applied) is foo
    last = pod("foo", version=2)
    writer.apply(Delete(last))
    assert next(touched) is last
    writer.close()
    assert list(applied) == []


def test_deletions_pass_a_predicate_filter() -> None:
    """Improvement 9: nothing that a predicate looks at changed, and the deletion comes all the same."""
    _, writer = store_shared(10)
    touched = writer.subscribe(deletes=True).predicate_filter(predicates.labels)
    writer.apply(Apply(pod("foo", version=1)))
    next(touched)
    writer.apply(Apply(pod("foo", version=2)))
    writer.apply(Delete(pod("foo", version=2)))
    assert versions([next(touched)]) == ["foo@2"]
    writer.apply(Apply(pod("foo", version=3)))  # the same, as far as the predicate knows, but for the deletion
    assert versions([next(touched)]) == ["foo@3"]


def test_objects_that_a_list_found_gone_are_deletions() -> None:
    """Improvement 9: they were deleted while no watch was there to see it; they come before what is there."""
    _, writer = store_shared(10)
    fill(writer, pod("a"), pod("b"), pod("c"))
    touched, applied = told(writer.subscribe(deletes=True)), told(writer.subscribe())
    fill(writer, pod("b", version=2), pod("d"))
    writer.close()
    assert list(touched) == ["-a@1", "-c@1", "b@2", "d@1"]
    assert list(applied) == ["b@2", "d@1"]


def test_another_object_of_the_same_name_that_a_list_found_is_a_deletion_and_an_object() -> None:
    """Improvement 9: what belonged to the first is to be cleaned up, as if the watch had seen it go."""
    _, writer = store_shared(10)
    fill(writer, reborn("a", "first"), reborn("b", "same"))
    touched = told(writer.subscribe(deletes=True))
    fill(writer, reborn("a", "second", version=2), reborn("b", "same", version=2))
    writer.close()
    assert list(touched) == ["-a@1", "a@2", "b@2"]


def test_a_deletion_is_not_lost_when_the_object_is_made_again_before_it_is_read() -> None:
    """Improvement 9: first the deletion, then the object; of one that came and went meanwhile nobody ever knew."""
    _, writer = store_shared(10)
    touched = told(writer.subscribe(deletes=True))
    writer.apply(Apply(reborn("a", "first")))
    next(touched)
    for event in (
        Delete(reborn("a", "first", 2)),
        Apply(reborn("a", "second", 3)),
        Delete(reborn("a", "second", 4)),
        Apply(reborn("a", "third", 5)),
    ):
        writer.apply(event)
    assert [one.pending for one in writer.subscriptions] == [1]
    writer.close()
    assert list(touched) == ["-a@2", "a@5"]


def test_an_object_that_comes_and_goes_unread_is_a_deletion() -> None:
    _, writer = store_shared(10)
    touched = told(writer.subscribe(deletes=True))
    writer.apply(Apply(pod("a", version=1)))
    writer.apply(Apply(pod("b")))
    writer.apply(Delete(pod("a", version=2)))
    writer.close()
    assert list(touched) == ["-a@2", "b@1"]


# Coming and going


def test_a_late_subscriber_starts_at_now() -> None:
    _, writer = store_shared(10)
    fill(writer, pod("a"), pod("b"))
    late = writer.subscribe()
    writer.apply(Apply(pod("b", version=2)))
    writer.close()
    assert versions(late) == ["b@2"]


def test_a_late_subscriber_may_have_everything_replayed() -> None:
    """Pain 25: it first gets all that is in the store at that moment, then what changes; nothing twice."""
    _, writer = store_shared(1)
    fill(writer, pod("a"), pod("b"), pod("c"))
    late = writer.subscribe(replay=True)
    writer.apply(Apply(pod("b", version=2)))  # not read yet: it comes once, as it is then
    writer.apply(Apply(pod("d")))
    assert versions([next(late), next(late)]) == ["a@1", "b@2"]
    writer.apply(Apply(pod("b", version=3)))
    writer.close()
    assert versions(late) == ["c@1", "d@1", "b@3"]


def test_a_replay_during_a_relist_is_of_what_readers_see() -> None:
    """Pain 25: the old content, as the new one is not complete; then the new one."""
    _, writer = store_shared(10)
    fill(writer, pod("old"))
    writer.apply(Init())
    writer.apply(InitApply(pod("new")))
    late = told(writer.subscribe(replay=True, deletes=True))
    assert next(late) == "old@1"
    writer.apply(InitDone())
    writer.close()
    assert list(late) == ["-old@1", "new@1"]


def test_a_replay_of_a_store_whose_root_has_ended_is_all_there_will_be() -> None:
    """Pain 25: also then a late subscriber gets what there is."""
    _, writer = store_shared(10)
    fill(writer, pod("a"))
    writer.close()
    assert names(writer.subscribe(replay=True)) == ["a"]
    assert list(writer.subscribe()) == []


@pytest.mark.parametrize("end", ["stop", "close", "drop", "drop the chain", "leave with", "until", "take_until"])
@pytest.mark.parametrize("pulled", [True, False])
def test_who_unsubscribes_is_waited_for_no_longer(end: str, pulled: bool) -> None:
    """Improvement 9: there is a way to unsubscribe, and dropping the stream is one."""
    _, writer = store_shared(1)
    stream = writer.subscribe()
    [subscription] = writer.subscriptions
    writer.apply(Apply(pod("a")))
    if pulled:
        next(stream)
        writer.apply(Apply(pod("a")))
    subscription._thread = -1  # another thread's: the writer would wait for it
    if end == "stop":
        stream.stop()
    elif end == "close":
        stream.close()
    elif end == "drop":
        del stream
    elif end == "drop the chain":
        chain = stream.predicate_filter(predicates.labels).map(str)
        del stream, chain
    elif end == "leave with":
        with stream:
            pass
    elif end == "until":
        stream.until(seconds=0)
    else:
        event = threading.Event()
        stream.take_until(event)
        event.set()
    writer.apply(Apply(pod("b")))
    assert writer.subscriptions == []


def test_a_stream_that_was_stopped_ends() -> None:
    _, writer = store_shared(10)
    stream = writer.subscribe()
    writer.apply(Apply(pod("a")))
    writer.apply(Apply(pod("b")))
    next(stream)
    stream.stop()
    assert list(stream) == []


def test_a_subscriber_that_fails_harms_nobody_else() -> None:
    """Pain 24: what a consumer raises is its own affair."""

    def fail(obj: Object) -> None:
        raise ValueError(obj.name)

    _, writer = store_shared(10)
    failing, good = writer.subscribe().inspect(fail), writer.subscribe()
    writer.apply(Apply(pod("a")))
    with pytest.raises(WatchError):
        next(failing)
    writer.apply(Apply(pod("b")))
    assert names([next(good), next(good)]) == ["a", "b"]


def test_nothing_is_kept_for_nobody() -> None:
    _, writer = store_shared(1)
    stream = writer.subscribe()
    writer.apply(Apply(pod("a")))
    kept = weakref.ref(writer.subscriptions[0])
    del stream
    for i in range(10):
        writer.apply(Apply(pod(f"b{i}")))
    gc.collect()
    assert kept() is None


def test_a_subscription_does_not_keep_the_writer() -> None:
    """Row 43: dropping the root is dropping it."""
    reader, writer = store_shared(10)
    stream = writer.subscribe()
    dropped = weakref.ref(writer)
    del writer
    assert dropped() is None
    with pytest.raises(WriterDropped):
        reader.wait_until_ready()
    assert list(stream) == []


# One thread


def test_on_one_thread_the_root_never_waits() -> None:
    """It would wait for ever. What is unread is bounded all the same: no more than there are objects."""
    _, writer = store_shared(1)
    root = EventStream([Apply(pod(f"p{i % 7}", version=i)) for i in range(100)]).reflect_shared(writer)
    never_pulled, pulled = writer.subscribe(), writer.subscribe()
    next(root)
    next(pulled)
    assert len(list(root)) == 99
    assert [one.pending for one in writer.subscriptions] == [7, 7]
    newest = {f"p{i % 7}@{i}" for i in range(93, 100)}
    assert set(versions(never_pulled)) == set(versions(pulled)) == newest


def test_waiting_for_a_root_that_nobody_else_can_pull_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fanout, "COMPLAIN_AFTER", 1e-9)
    _, writer = store_shared(1)

    def said(label: str) -> str:
        caplog.clear()
        stream = writer.subscribe(label=label)
        stop_when_waiting(writer.subscriptions[-1]._bell, stream, waits=3)
        assert list(stream) == []
        return caplog.text

    text = said("nobody's")
    assert "nobody's has waited 0 s for a change of <Store of 0 objects, not ready, never heard>" in text
    assert text.count("iterated, on another thread?") == 1
    vitals = Vitals()
    vitals.heard()
    writer.follow(vitals, Stop())
    assert said("quiet") == ""  # somebody may well be pulling it
    writer.apply(Init())
    assert "mine has waited" in said("mine")


# Health


def test_the_vitals_of_a_subscription_are_those_of_the_root() -> None:
    _, writer = store_shared(10)
    early = writer.subscribe().predicate_filter(predicates.labels)
    assert (early.vitals.age, early.vitals.failing, early.vitals.restarts) == (math.inf, False, {})
    vitals = Vitals(lambda: 107.0)
    root = EventStream([Apply(pod("a"))], vitals=vitals).reflect_shared(writer)
    late = writer.subscribe()
    vitals.heard_at = 100.0
    vitals.restarts["idle"] += 1
    error = WatchFailed("reset")
    vitals.failed(error)
    for stream in (early, late):
        assert (stream.vitals.age, stream.vitals.last_error, stream.vitals.restarts) == (7.0, error, {"idle": 1})
        assert stream.vitals.failing
    del root


def test_each_subscription_shows_its_lag() -> None:
    """Pain 24: who is behind, by how many objects and how many seconds."""
    _, writer = store_shared(10)
    now = [100.0]
    writer._fanout.clock = lambda: now[0]
    streams = [writer.subscribe(label="fast"), writer.subscribe(label="slow"), writer.subscribe()]
    for name in ("a", "b", "a"):
        writer.apply(Apply(pod(name)))
        next(streams[0])
        now[0] += 1.0
    next(streams[1])
    shown = [(one.label, one.pending, one.lag) for one in writer.subscriptions]
    assert shown == [("fast", 0, 0.0), ("slow", 1, 2.0), ("subscription 1", 2, 3.0)]


def test_a_subscription_says_whose_it_is() -> None:
    _, writer = store_shared(10)
    assert repr(writer.subscribe(label="web")) == "<ObjectStream of web>"
    assert repr(writer.subscribe().filter(bool)) == "<ObjectStream of subscription 1: filter>"


# What is refused


def test_reflect_shared_refuses_a_writer_that_nobody_can_subscribe_to() -> None:
    """When the chain is built, before any request; the stream is still good."""
    events = EventStream([Apply(pod("a"))])
    wrong: Any
    for wrong in (store()[1], None, store_shared(1)):
        with pytest.raises(TypeError, match=r"reader, writer = store_shared\(buffer=100\)"):
            events.reflect_shared(wrong)
    assert len(list(events)) == 1


def test_decoded_objects_cannot_be_reflected() -> None:
    _, writer = store_shared(10)
    objects: Any = EventStream([Apply(pod("a"))]).applied_objects()
    with pytest.raises(TypeError, match="reflect_shared needs events"):
        objects.reflect_shared(writer)


@pytest.mark.parametrize("buffer", [0, -1, 1.5, None, "9"])
def test_a_buffer_is_at_least_one_object(buffer: Any) -> None:
    with pytest.raises(InvalidInput, match="buffer is a number of objects, 1 or more"):
        store_shared(buffer)


def test_a_shared_store_is_a_store() -> None:
    reader, writer = store_shared(10, {"node": lambda p: [p.spec.nodeName]})
    assert isinstance(reader, Store)
    assert isinstance(writer, SharedWriter)
    fill(writer, pod("a", node="n1"), pod("b", node="n2"))
    assert names(reader.index("node", "n1")) == ["a"]
    gone = writer.apply(Init()), writer.apply(InitDone())
    assert (gone[0], names(gone[1])) == ((), ["a", "b"])
    with pytest.raises(InvalidInput, match="index 'node' must be a function"):
        store_shared(10, {"node": "spec.nodeName"})  # type: ignore[dict-item]  # what is tested
    metas, _ = store_shared(10, of=PartialObjectMeta)
    assert metas.state() == []


def test_a_subscription_that_looks_into_the_store_from_an_index_function_does_not_hang() -> None:
    """An index function runs while the store changes."""
    streams: list[ObjectStream[Object]] = []

    def subscribing(obj: Object) -> list[str]:
        streams.append(writer.subscribe())
        return []

    _, writer = store_shared(10, {"odd": subscribing})
    writer.apply(Apply(pod("a")))
    assert len(streams) == 1


def test_writing_while_writing_is_refused() -> None:
    refused: list[InvalidInput] = []

    def writing(obj: Object) -> list[str]:
        with pytest.raises(InvalidInput, match="a store has one writer, and it is busy") as caught:
            writer.apply(Apply(pod("b")))
        refused.append(caught.value)
        return []

    reader, writer = store_shared(10, {"odd": writing})
    writer.apply(Apply(pod("a")))
    assert len(refused) == 1
    assert names(reader) == ["a"]


def test_a_writer_that_was_refused_an_event_goes_on() -> None:
    _, writer = store_shared(10)
    stream = writer.subscribe()
    wrong: Any = pod("a")
    with pytest.raises(TypeError, match="put reflect before applied_objects"):
        writer.apply(wrong)
    writer.apply(Apply(pod("a")))
    assert next(stream).name == "a"


# Processes


@forking
def test_a_subscription_that_came_by_fork_says_so() -> None:
    """Pain 21: the stream that feeds it is not in the child, and its locks may be held for ever there."""
    reader, writer = store_shared(10)
    fill(writer, pod("a"), pod("b"))
    fresh, pulled = writer.subscribe(replay=True), writer.subscribe(replay=True)
    next(pulled)
    with writer._fanout.lock, writer.subscriptions[0]._lock:  # as if a thread of the parent's were writing just now
        assert type(in_child(lambda: next(fresh))) is StaleAfterFork
        assert type(in_child(lambda: next(pulled))) is StaleAfterFork
        assert type(in_child(lambda: writer.subscribe(replay=True))) is StaleAfterFork
        assert in_child(lambda: len(writer.subscriptions)) == 0
    assert names(reader) == names([next(fresh), next(fresh)]) == ["a", "b"]


@forking
def test_a_child_may_fill_and_share_the_store_anew() -> None:
    """Pain 21: the parent's subscribers are none of the child's, nor does it wait for them."""
    _, writer = store_shared(1)
    parents = writer.subscribe()
    writer.subscriptions[0]._thread = -1
    fill(writer, pod("parents"))
    writer._fanout.lock.acquire()  # as if a thread of the parent's were writing at this moment

    def child() -> Any:
        root = EventStream(listed(pod("mine"), pod("too"))).reflect_shared(writer)
        stream = writer.subscribe()
        list(root)
        return names(stream)

    assert in_child(child) == ["mine", "too"]
    writer._fanout.lock.release()
    assert next(parents).name == "parents"


@forking
def test_a_pair_that_was_made_before_the_fork_and_not_used_works_in_the_child() -> None:
    """Pain 21: made at import, before a web server forks its workers."""
    reader, writer = store_shared(10)

    def child() -> Any:
        stream = writer.subscribe()
        list(EventStream(listed(pod("mine"))).reflect_shared(writer))
        return names(reader), names(stream)

    assert in_child(child) == (["mine"], ["mine"])


@forking
def test_threads_of_a_child_that_come_at_once_share_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pain 21: a web server's worker, whose first requests come together."""
    _, writer = store_shared(10)
    others = []

    class Meanwhile(fanout.Fanout[Object]):
        """Made while another thread of the child makes its own."""

        def __init__(self, *args: Any) -> None:
            monkeypatch.undo()
            others.append(on_thread(writer.subscribe)())
            super().__init__(*args)

    monkeypatch.setattr(shared, "Fanout", Meanwhile)

    def child() -> Any:
        streams = [writer.subscribe(), *others]
        list(EventStream(listed(pod("mine"))).reflect_shared(writer))
        return [names(stream.until(PATIENCE)) for stream in streams]

    assert in_child(child) == [["mine"], ["mine"]]


def test_the_log_names_no_content(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither names nor bodies of objects, which may be Secrets."""
    monkeypatch.setattr(fanout, "COMPLAIN_AFTER", 0.0)
    caplog.set_level(logging.DEBUG)
    _, writer = store_shared(1)
    stream = writer.subscribe(label="reader")
    writer.subscriptions[0]._thread = -1  # another thread's: the writer waits for it
    writer.apply(Apply(pod("secret-name")))
    stop_when_waiting(writer._fanout.room, stream, waits=2)
    writer.apply(Apply(pod("secret-too")))
    assert "has waited 0 s for room: reader (1 unread)" in caplog.text
    assert "secret" not in caplog.text
