"""Tables: what a reader of an index finds when the writer is caught at any point of a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubewatch.indexes import Indexer
from kubewatch.table import Index

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
