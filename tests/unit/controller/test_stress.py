"""Many objects, many changes, many workers, failures and requeues: what must hold, holds for all of them."""

from __future__ import annotations

import random
import threading
from typing import Any

from kubewatch.controller import Action, Controller
from kubewatch.objects import Object
from kubewatch.testing import FakeClock
from tests.open_files import counts_open_files, open_files
from tests.unit.stored import pod

from .harness import Feed

OBJECTS, CHANGES, WORKERS = 5_000, 20_000, 32


@counts_open_files
def test_every_object_is_seen_in_its_last_version_and_never_by_two_at_once() -> None:
    dice = random.Random(7)
    feed, clock = Feed(), FakeClock(flowing=True)
    feed.list(*(pod(str(number)) for number in range(OBJECTS)))
    versions = {str(number): 1 for number in range(OBJECTS)}
    running: set[str] = set()
    twice: list[str] = []
    seen: dict[str, int] = {}
    lock = threading.Lock()  # guards the three above

    def reconcile(obj: Object, context: Any) -> Action:
        with lock:
            if obj.name in running:
                twice.append(obj.name)
            running.add(obj.name)
        try:
            if dice.random() < 0.1:
                raise ValueError("as it happens")
            return Action.requeue(dice.random()) if dice.random() < 0.2 else Action.await_change()
        finally:
            with lock:
                running.discard(obj.name)
                seen[obj.name] = max(seen.get(obj.name, 0), int(obj.resource_version))

    def change() -> None:
        for _ in range(CHANGES):
            name = str(dice.randrange(OBJECTS))
            versions[name] += 1
            feed.apply(pod(name, version=versions[name]))
        feed.end()

    threads, files = set(threading.enumerate()), open_files()
    changer = threading.Thread(target=change)
    changer.start()
    controller = Controller.for_stream(feed.reflected(), feed.reader)
    controller.with_config(concurrency=WORKERS, clock=clock, debounce=0.5)
    results = sum(1 for _ in controller.run(reconcile, lambda obj, error, context: Action.requeue(dice.random())))
    changer.join()

    assert not twice
    assert seen == versions
    stats = controller.stats
    assert results == stats.runs >= OBJECTS
    assert stats.failures > 0
    assert stats.retries <= stats.failures
    assert (stats.running, stats.depth, stats.waiting, stats.unread) == (0, 0, 0, 0)
    assert set(threading.enumerate()) <= threads
    assert open_files() - files == set()
