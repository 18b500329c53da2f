"""Whatever a server and a network do: who applies the events of a watch ends up with what the server has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch.config import Config
from kubewatch.decode import Decode, decode_object
from kubewatch.errors import ApiError, IdleTimeout, Unreachable, WatchError
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.pages import Page
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals
from kubewatch.watcher import watch_events

from .stub_source import Clock, bookmark, error, line, page, pod

GONE = ApiError(410, "Expired", "too old resource version")
CALM_AFTER = 25  # requests; then nothing breaks any more


class Cluster:
    """Objects that change, their history as far as it is kept, and requests on them that go wrong at random.

    Everything happens while a request is served, so that one seed decides all of it.
    """

    api_version = "v1"
    kind = "Pod"
    namespace: str | None = "default"
    decode: Decode[Object] = staticmethod(decode_object)

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.clock = Clock()
        self.version = 10
        self.oldest = 0  # versions before it are forgotten
        self.objects: dict[str, int] = {}
        self.history: list[tuple[int, str, str]] = []  # version, type, name
        self.requests = 0
        self._snapshots: dict[str, tuple[int, list[tuple[str, int]]]] = {}
        self.stop = Stop(self.clock)
        for _ in range(5):
            self.change()

    @property
    def calm(self) -> bool:
        return self.requests > CALM_AFTER

    def change(self) -> None:
        name = self.dice.choice("abcde")
        self.version += 1
        type_ = "ADDED" if name not in self.objects else self.dice.choice(["MODIFIED", "DELETED"])
        if type_ == "DELETED":
            del self.objects[name]
        else:
            self.objects[name] = self.version
        self.history.append((self.version, type_, name))

    def at(self, version: int) -> dict[str, str]:
        """The objects as they were at a version."""
        objects: dict[str, str] = {}
        for at, type_, name in self.history:
            if at <= version:
                objects[name] = str(at)
                if type_ == "DELETED":
                    del objects[name]
        return objects

    def live(self) -> None:
        """Time passes."""
        if self.calm:
            return
        for _ in range(self.dice.choice([0, 0, 1, 3])):
            self.change()
        if self.dice.random() < 0.1:
            self.oldest = self.dice.randint(self.oldest, self.version)

    def fails(self, *failures: Exception) -> None:
        if not self.calm and self.dice.random() < 0.25:
            raise self.dice.choice(failures)

    def since(self, version: int) -> list[bytes]:
        return [line(type_, pod(name, at)) for at, type_, name in self.history if at > version]

    # The source that a watcher sees

    def open(self, stop: Stop) -> Cluster:
        return self

    def close(self) -> None:
        """A session has nothing to close here."""

    def list(self, params: ListParams) -> Page:
        self.requests += 1
        self.live()
        self.fails(ApiError(500, "InternalError", ""), ApiError(429, "TooManyRequests", ""), Unreachable("cut"))
        if params.continue_:
            if self.dice.random() < 0.1 and not self.calm:
                raise GONE
            at, left = self._snapshots[params.continue_]
        else:
            at, left = self.version, sorted(self.objects.items())
        size = params.limit or len(left)
        here, left = left[:size], left[size:]
        token = f"{at}-{len(left)}" if left else ""
        self._snapshots[token] = (at, left)
        return page(*(pod(name, version) for name, version in here), version=at, continue_=token)

    def watch(self, params: WatchParams, idle_timeout: float) -> Body:
        self.requests += 1
        self.live()
        failures = [ApiError(500, "InternalError", ""), Unreachable("refused")]
        if params.send_initial_events:
            failures.append(ApiError(422, "Invalid", "sendInitialEvents is forbidden"))
        self.fails(*failures)
        if not params.send_initial_events and int(params.resource_version) < self.oldest:
            if self.dice.random() < 0.5:
                raise GONE
            return Body(self, params, [error(410, "Expired")])
        return Body(self, params, None)


class Body:
    def __init__(self, cluster: Cluster, params: WatchParams, only: list[bytes] | None) -> None:
        self.idle_timeout = 300.0
        self._cluster = cluster
        self._params = params
        self._only = only

    def blocks(self) -> Iterator[bytes]:
        """Lines in blocks cut anywhere, until something ends them; in calm, until all was said."""
        cluster, dice = self._cluster, self._cluster.dice
        if self._only is not None:
            yield b"".join(self._only)
            return
        for lines in self._lines():
            text = b"".join(lines)
            cut = dice.randint(0, len(text)) if dice.random() < 0.3 and not cluster.calm else len(text)
            place = dice.randint(0, cut)
            yield from filter(None, (text[:place], text[place:cut]))
            if cut < len(text):
                cluster.clock.now += dice.choice([0.0, 60.0])
                ending = dice.choice([None, Unreachable("reset"), IdleTimeout("silent")])
                if ending is not None:
                    raise ending
                return
        if cluster.calm:
            cluster.stop.stop()

    def _lines(self) -> Iterator[list[bytes]]:
        cluster, dice = self._cluster, self._cluster.dice
        at = int(self._params.resource_version or 0)
        if self._params.send_initial_events:
            at = cluster.version
            yield [line("ADDED", pod(name, version)) for name, version in sorted(cluster.objects.items())]
            cluster.live()  # what happens before the initial events have ended comes among them
            yield [*cluster.since(at), bookmark(cluster.version, end=True)]
            at = cluster.version
        for _ in range(dice.randint(1, 4)):
            cluster.live()
            if at < cluster.oldest and dice.random() < 0.5:
                yield [error(410, "Expired")]
                return
            news = cluster.since(at)
            if dice.random() < 0.3:
                news.append(bookmark(cluster.version))
            elif dice.random() < 0.2:
                news.append(error(500, "InternalError"))
            at = cluster.version
            yield news

    def close(self) -> None:
        """Nothing is open."""


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=True), st.sampled_from([("list_watch", 2), ("list_watch", None), ("streaming", 2)]))
def test_who_applies_the_events_ends_up_with_what_the_server_has(
    dice: random.Random, how: tuple[Any, int | None]
) -> None:
    """Pain 5: whatever was missed while a watch was broken, no deletion and no change is lost.

    And each object's versions come in order, no live change comes twice, and at every moment what is held is what the
    server had at the version that the vitals claim.
    """
    cluster = Cluster(dice)
    vitals = Vitals(cluster.clock)
    config = Config(initial_list=how[0], page_size=how[1])
    store: dict[str, str] = {}
    aside: dict[str, str] = {}
    newest: dict[str, int] = {}
    settling = False
    for item in watch_events(cluster, config, cluster.stop, vitals):
        # InitDone, with the deletions that may follow it at once, is what makes the claim of its round true.
        settling = isinstance(item, InitDone) or (settling and isinstance(item, Delete))
        if vitals.resource_version is not None and not settling:
            assert store == cluster.at(int(vitals.resource_version))
        match item:
            case Init():
                aside, newest = {}, {}
            case InitApply(obj):
                aside[obj.name] = obj.resource_version
                newest[obj.name] = int(obj.resource_version)
            case InitDone():
                store = aside
            case Apply(obj):
                store[obj.name] = obj.resource_version
                assert newest.get(obj.name, 0) < int(obj.resource_version)
                newest[obj.name] = int(obj.resource_version)
            case Delete(obj):
                store.pop(obj.name, None)
                assert newest.get(obj.name, 0) < int(obj.resource_version)
            case WatchError():
                assert vitals.last_error is item
    assert vitals.resource_version == str(cluster.version)
    assert store == cluster.at(cluster.version)
