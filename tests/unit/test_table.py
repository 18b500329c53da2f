"""Tables: what a reader finds when the writer is caught at any point of a change, or overtakes the reader."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubewatch import table as tables
from kubewatch.indexes import Indexer
from kubewatch.table import Index, Table

KEY = ("shop", "web")


class Thing:
    """An object that is found under `place`."""

    def __init__(self, place: str) -> None:
        self.place = place


class Objects(dict[tuple[str, str], Thing]):
    """Objects of which a look-up lets the writer go on first, once."""

    meanwhile: Callable[[], None] | None = None

    def get(self, key: Any, default: Any = None) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().get(key, default)


class Caught:
    """A writer that moves one object through an index, as far as the test says."""

    def __init__(self, place: str) -> None:
        self.objects = Objects()
        self.index: Index[Thing] = Index(Indexer("place", lambda thing: [thing.place]))
        self.move(Thing(place))

    def note(self, thing: Thing | None) -> None:
        self.index.begin(self.objects, KEY, thing)

    def happen(self, thing: Thing | None) -> None:
        if thing is None:
            del self.objects[KEY]
        else:
            self.objects[KEY] = thing

    def finish(self) -> None:
        self.index.finish(self.objects)

    def move(self, thing: Thing | None) -> None:
        self.note(thing)
        self.happen(thing)
        self.finish()

    def at(self, place: str) -> list[Thing]:
        return self.index.find(self.objects, place)


@pytest.mark.parametrize("to", ["here", "there", None])
def test_a_change_that_is_noted_is_not_seen_before_the_object_changed(to: str | None) -> None:
    caught = Caught("here")
    old = caught.objects[KEY]
    caught.note(Thing(to) if to else None)
    assert caught.at("here") == [old]
    assert caught.at("there") == []


@pytest.mark.parametrize("to", ["here", "there", None])
def test_a_change_is_seen_as_soon_as_the_object_changed(to: str | None) -> None:
    caught = Caught("here")
    new = Thing(to) if to else None
    caught.note(new)
    caught.happen(new)
    for _ in range(2):
        assert caught.at("here") == ([new] if to == "here" else [])
        assert caught.at("there") == ([new] if to == "there" else [])
        caught.finish()


def test_who_is_overtaken_by_the_writer_looks_again() -> None:
    """The first move had happened before the look; so what was before it must not be found, whatever comes next."""
    caught = Caught("here")
    moved, back = Thing("there"), Thing("here")
    caught.note(moved)
    caught.happen(moved)

    def meanwhile() -> None:
        caught.finish()
        caught.move(back)

    caught.objects.meanwhile = meanwhile
    assert caught.at("here") == [back]
    assert caught.at("there") == []


def test_a_change_between_two_looks_is_seen_by_the_second_only() -> None:
    caught = Caught("here")
    old = caught.objects[KEY]
    assert caught.at("here") == [old]
    caught.move(None)
    assert caught.at("here") == []


class Spaces(dict[str, dict[str, int]]):
    """The objects by namespace; between the first two of them, a copy of all lets the writer go on, once."""

    meanwhile: Callable[[], None] | None = None

    def values(self) -> Iterator[dict[str, int]]:  # type: ignore[override]  # a view that is gone through once
        for space in super().values():
            yield space
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()


def overtaken(meanwhile: Callable[[Table[int]], None]) -> Table[int]:
    table: Table[int] = Table()
    table.spaces = spaces = Spaces({"a": {"x": 1, "y": 2}, "b": {"z": 3}})
    spaces.meanwhile = lambda: meanwhile(table)
    return table


def test_who_copies_all_objects_sees_one_moment_however_far_the_writer_gets_meanwhile() -> None:
    """The second change is behind the place that the copy has come to, the first one before it."""

    def meanwhile(table: Table[int]) -> None:
        table.put(("a", "x"), 10)
        table.put(("b", "z"), 30)

    assert overtaken(meanwhile).values() == [10, 2, 30]


def test_who_copies_all_objects_sees_namespaces_that_come_and_go_meanwhile() -> None:
    assert overtaken(lambda table: table.put(("c", "w"), 4)).values() == [1, 2, 3, 4]
    assert overtaken(lambda table: table.remove(("b", "z"))).values() == [1, 2]


def test_a_namespace_goes_with_its_last_object() -> None:
    table: Table[int] = Table()
    table.put(("a", "x"), 1)
    table.put(("a", "y"), 2)
    table.remove(("a", "x"))
    table.remove(("a", "x"))
    assert (len(table), table.get(("a", "x")), table.get(("a", "y"))) == (1, None, 2)
    table.remove(("a", "y"))
    assert table.spaces == {}


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    table, other = Table[int](), Table[int]()
    table.put(("a", "x"), 1)
    table.put(("b", "x"), 2)
    other.put(("b", "x"), 3)
    assert dict(table.items()) == {("a", "x"): 1, ("b", "x"): 2}
    assert list(table) == [("a", "x"), ("b", "x")]
    assert table.missing_in(other) == [1]


def test_a_table_that_ends_frees_its_objects_and_indexes_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn in between: all at once would hold them up for as long as it takes."""
    monkeypatch.setattr(tables, "FREED", 10)
    table: Table[Thing] = Table([Indexer("place", lambda thing: [thing.place])])
    for number in range(25):
        table.put((f"space-{number % 2}", f"web-{number}"), Thing("here"))
    things = [weakref.ref(thing) for thing in table.values()]
    left: list[int] = []
    monkeypatch.setattr(tables, "give_way", lambda: left.append(sum(thing() is not None for thing in things)))
    only = [table]
    del table
    thread = threading.Thread(target=only.clear, name="dropper")
    thread.start()
    thread.join()
    # 25 values and 25 entries of the index, which hold no object alone; then the objects.
    assert left == [25, 25, 25, 25, 25, 15, 5]
    assert not any(thing() for thing in things)


def test_a_table_that_ends_on_the_main_thread_runs_no_code_in_which_a_signal_could_be_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a signal's handler raises in a finalizer goes nowhere: a Ctrl-C, a SIGTERM that exits."""
    monkeypatch.setattr(tables, "FREED", 1)
    table: Table[Thing] = Table()
    table.put(KEY, Thing("here"))
    thing = weakref.ref(table.values()[0])
    turns: list[None] = []
    monkeypatch.setattr(tables, "give_way", lambda: turns.append(None))
    del table
    assert (thing(), turns) == (None, [])


def test_what_goes_through_a_table_keeps_it_from_ending() -> None:
    def made() -> Table[int]:
        table: Table[int] = Table()
        table.put(("a", "x"), 1)
        return table

    items, keys = made().items(), iter(made())  # not within an assert, which would keep the tables
    assert list(items) == [(("a", "x"), 1)]
    assert list(keys) == [("a", "x")]
