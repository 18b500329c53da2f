"""What tests of shared stores have in common: watching a writer wait, and threads that are joined."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kubewatch.decode import decode_object
from kubewatch.events import Delete
from kubewatch.gates import Bell
from kubewatch.objects import Object
from kubewatch.streams import ObjectStream

from .stored import pod

# Seconds: a bound for what happens at once.
PATIENCE = 10.0


def reborn(name: str, uid: str, version: int = 1) -> Object:
    """A pod like `stored.pod` under the same name that is another object."""
    body = pod(name, version=version).to_dict()
    body["metadata"]["uid"] = uid
    return decode_object(json.dumps(body).encode())


class Waits:
    """Tells when somebody waits for `bell`; to be made before he does.

    He then waits until it rings, so that a forgotten ring shows; with `poll`, he looks now and then as usual.
    """

    def __init__(self, bell: Bell, poll: bool = False) -> None:
        self._reached = threading.Semaphore(0)
        wait = bell.wait

        def noted(seconds: float) -> bool:
            self._reached.release()
            if poll:
                return wait(seconds)
            assert wait(PATIENCE), "nobody rang"
            return True

        bell.wait = noted  # type: ignore[method-assign]  # to see what cannot be seen from outside

    def __call__(self) -> None:
        """Wait until he waits, again."""
        assert self._reached.acquire(timeout=PATIENCE), "nobody waits"


def stop_when_waiting(bell: Bell, stream: ObjectStream[Any], waits: int) -> None:
    """Have whoever waits for `bell` wait no time, and the stream stopped by the last of so many `waits`."""
    left = iter(range(waits - 1, -1, -1))

    def waited(seconds: float) -> bool:
        if next(left) == 0:
            stream.stop()
        return False

    bell.wait = waited  # type: ignore[method-assign]  # so that no time is to pass


def on_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start `function` on a thread; returns what joins it and gives its result, or raises its error."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="test", daemon=True)
    thread.start()

    def join() -> Any:
        thread.join(PATIENCE)
        assert not thread.is_alive()
        for error in errors:
            raise error
        return results[0]

    return join


def versions(objects: Iterable[Object]) -> list[str]:
    """`name@version` of each object, in order."""
    return [f"{obj.name}@{obj.resource_version}" for obj in objects]


def told(stream: ObjectStream[Object]) -> Iterator[str]:
    """What comes, as `versions` has it, with deletions told apart: `-name@version`."""
    items: Any = stream._take("told")
    return (f"-{versions([item.object])[0]}" if isinstance(item, Delete) else versions([item])[0] for item in items)
