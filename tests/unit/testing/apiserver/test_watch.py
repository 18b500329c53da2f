"""One watch, driven step by step: what it says when. No server, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kubewatch.testing.apiserver.kinds import Kinds
from kubewatch.testing.apiserver.render import WholeRenderer
from kubewatch.testing.apiserver.storage import Entry, Storage
from kubewatch.testing.apiserver.watch import Watch

PODS = Kinds().need("", "v1", "pods")


class World:
    """A storage with pods in it, and watches on them."""

    def __init__(self, history: int = 100) -> None:
        self.storage = Storage(history=history)
        self.pods = self.storage.collection(PODS.stored_in, PODS.fields)

    def put(self, name: str, **labels: str) -> Entry:
        document = {"metadata": {"name": name, "namespace": "default", "labels": labels}}
        return self.storage.put(self.pods, "default", name, f"default/{name}", document)

    def remove(self, name: str) -> Entry:
        return self.storage.remove(self.pods, f"default/{name}", self.pods.entries[f"default/{name}"].decode())

    def watch(self, selects: Callable[[Entry], bool] = lambda _: True, **more: Any) -> Watch:
        more = {"cursor": self.pods.history.end, "version": self.storage.version} | more
        return Watch(self.storage, self.pods, WholeRenderer(PODS), selects=selects, **more)


def said(lines: list[bytes]) -> list[tuple[str, str, str]]:
    """Type, name and version of each line."""
    events = [msgspec.json.decode(line) for line in lines]
    metadata = [event["object"].get("metadata", {}) for event in events]
    return [
        (event["type"], one.get("name", ""), one.get("resourceVersion", ""))
        for event, one in zip(events, metadata, strict=True)
    ]


def after_the_next_look(world: World, monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Has something happen right after a watch has looked for changes, once: another thread's doing."""
    history = world.pods.history
    read = history.read

    def look(cursor: int, limit: int) -> Any:
        found = read(cursor, limit)
        monkeypatch.undo()
        happen()
        return found

    monkeypatch.setattr(history, "read", look)


def labelled(value: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.labels.get("app") == value


def test_changes_are_told_in_their_order() -> None:
    world = World()
    watch = world.watch()
    a, changed = world.put("a"), world.put("a", app="x")
    gone = world.remove("a")
    assert said(watch.poll(0)) == [
        ("ADDED", "a", str(a.version)),
        ("MODIFIED", "a", str(changed.version)),
        ("DELETED", "a", str(gone.version)),
    ]
    assert watch.poll(0) == []
    assert not watch.done


def test_what_is_there_comes_first_then_the_end_of_it_then_changes() -> None:
    world = World()
    a, b = world.put("a"), world.put("b")
    version = str(world.storage.version)
    watch = world.watch(initial=[a, b], announce_end=True)
    later = world.put("c")
    lines = watch.poll(0)
    assert said(lines) == [
        ("ADDED", "a", str(a.version)),
        ("ADDED", "b", str(b.version)),
        ("BOOKMARK", "", version),
    ]
    end = msgspec.json.decode(lines[-1])["object"]
    assert end["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert end["kind"] == "Pod"
    assert said(watch.poll(0)) == [("ADDED", "c", str(later.version))]


def test_the_end_of_nothing_is_announced_too() -> None:
    watch = World().watch(initial=[], announce_end=True)
    assert [kind for kind, _, _ in said(watch.poll(0))] == ["BOOKMARK"]


def test_an_object_that_stops_matching_is_deleted_as_it_was_at_the_new_version() -> None:
    world = World()
    world.put("a", app="x")
    watch = world.watch(labelled("x"))
    left = world.put("a", app="y")
    lines = watch.poll(0)
    assert said(lines) == [("DELETED", "a", str(left.version))]
    assert msgspec.json.decode(lines[0])["object"]["metadata"]["labels"] == {"app": "x"}


def test_an_object_that_starts_matching_is_added() -> None:
    world = World()
    world.put("a", app="y")
    watch = world.watch(labelled("x"))
    entered = world.put("a", app="x")
    assert said(watch.poll(0)) == [("ADDED", "a", str(entered.version))]


def test_the_deletion_of_an_object_that_does_not_match_is_not_told() -> None:
    world = World()
    world.put("a", app="y")
    watch = world.watch(labelled("x"))
    world.remove("a")
    assert watch.poll(0) == []


def test_a_watch_from_a_later_version_keeps_quiet_until_then() -> None:
    world = World()
    watch = world.watch(version=world.storage.version + 2)
    world.put("a"), world.put("b")
    third = world.put("c")
    assert said(watch.poll(0)) == [("ADDED", "c", str(third.version))]


def test_a_bookmark_comes_when_its_time_has_come_and_carries_the_latest_version() -> None:
    world = World()
    watch = world.watch(bookmarks=True, bookmark_interval=60, now=0.0)
    world.storage.compact()  # any change elsewhere
    assert watch.poll(59.9) == []
    assert watch.due() == 60
    assert said(watch.poll(60)) == [("BOOKMARK", "", str(world.storage.version))]
    assert watch.due() == 120


def test_a_bookmark_can_be_asked_for() -> None:
    watch = World().watch(bookmarks=True)
    watch.send_bookmark()
    assert [kind for kind, _, _ in said(watch.poll(0))] == ["BOOKMARK"]
    assert watch.poll(0) == []


def test_no_bookmark_overtakes_a_change() -> None:
    world = World()
    watch = world.watch(bookmarks=True)
    watch.send_bookmark()
    world.put("a")
    assert [kind for kind, _, _ in said(watch.poll(0) + watch.poll(0))] == ["ADDED", "BOOKMARK"]


def test_a_bookmark_that_a_change_comes_before_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    watch = world.watch(bookmarks=True)
    watch.send_bookmark()
    after_the_next_look(world, monkeypatch, lambda: world.put("a"))
    lines = [line for _ in range(3) for line in watch.poll(0)]
    assert [kind for kind, _, _ in said(lines)] == ["ADDED", "BOOKMARK"]


def test_nobody_gets_bookmarks_who_has_not_asked_for_them() -> None:
    watch = World().watch(bookmarks=False, ends_at=100.0)
    watch.send_bookmark()
    assert watch.poll(99) == watch.poll(100) == []
    assert watch.done


def test_when_its_time_is_up_a_watch_ends_with_a_bookmark() -> None:
    watch = World().watch(bookmarks=True, ends_at=10.0)
    assert watch.poll(9.9) == []
    assert not watch.done
    assert [kind for kind, _, _ in said(watch.poll(10))] == ["BOOKMARK"]
    assert watch.done


def test_changes_made_before_the_time_was_up_are_told_before_the_end() -> None:
    world = World()
    watch = world.watch(ends_at=10.0)
    world.put("a")
    assert [name for _, name, _ in said(watch.poll(11))] == ["a"]
    assert not watch.done
    watch.poll(11)
    assert watch.done


@pytest.mark.parametrize("bookmarks", [True, False])
def test_what_changes_while_a_watch_ends_is_told_when_nothing_will_change_any_more(
    bookmarks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.put("a")
    watch = world.watch(bookmarks=bookmarks)

    def end() -> None:
        world.remove("a")
        watch.finish()

    after_the_next_look(world, monkeypatch, end)
    lines = [line for _ in range(4) if not watch.done for line in watch.poll(0)]
    assert [kind for kind, _, _ in said(lines)] == ["DELETED", *(["BOOKMARK"] if bookmarks else [])]
    assert watch.done


def test_a_watch_too_slow_for_the_history_is_closed() -> None:
    world = World(history=8)
    watch = world.watch()
    for number in range(20):
        world.put(f"pod-{number}")
    assert watch.poll(0) == []
    assert watch.done


def test_a_watch_that_keeps_up_does_not_mind_the_history_being_short() -> None:
    world = World(history=8)
    watch = world.watch()
    told = 0
    for number in range(50):
        world.put(f"pod-{number}")
        told += len(watch.poll(0))
    assert told == 50
    assert not watch.done


def test_a_closed_watch_says_nothing_more() -> None:
    world = World()
    watch = world.watch()
    world.put("a")
    watch.close()
    assert watch.poll(0) == []
    assert watch.done


def test_an_interjection_comes_before_what_is_due() -> None:
    world = World()
    watch = world.watch()
    world.put("a")
    watch.interject(b"hello\n")
    assert watch.poll(0) == [b"hello\n"]
    assert [name for _, name, _ in said(watch.poll(0))] == ["a"]


def test_an_exception_that_is_interjected_is_raised() -> None:
    watch = World().watch()
    watch.interject(ConnectionError("cut"))
    with pytest.raises(ConnectionError, match="cut"):
        watch.poll(0)


def test_an_interjected_end_ends_it() -> None:
    watch = World().watch()
    watch.interject(None)
    assert watch.poll(0) == []
    assert watch.done


def test_two_watches_share_one_history_each_at_its_own_pace() -> None:
    world = World()
    quick, slow = world.watch(), world.watch()
    world.put("a")
    assert len(quick.poll(0)) == 1
    world.put("b")
    assert len(quick.poll(0)) == 1
    assert len(slow.poll(0)) == 2
