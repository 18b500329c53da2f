"""What tests of streams are made of: small objects, and time that passes only when somebody waits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kubewatch.decode import decode_object
from kubewatch.errors import WatchFailed
from kubewatch.objects import Object
from kubewatch.stop import Stop


def pod(name: str = "web", **metadata: Any) -> Object:
    """A pod; `metadata` in the words of YAML."""
    meta = {"name": name, "namespace": "default", "uid": f"uid-of-{name}", **metadata}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {"phase": "Running"}}
    return decode_object(json.dumps(body).encode())


def failed(text: str = "connection reset") -> WatchFailed:
    return WatchFailed(text)


class FakeTime(Stop):
    """A Stop and a clock in one: waiting takes no time, and makes the clock go on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        super().__init__(clock=self)

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if self.stopped:
            return True
        self.waits.append(seconds)
        self.now += seconds
        return self.stopped


class Source:
    """A source of items that counts what is asked of it, and knows whether it was closed."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = items
        self.pulls = 0
        self.opened = False
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        return self._run()

    def _run(self) -> Iterator[Any]:
        self.opened = True
        try:
            for item in self.items:
                self.pulls += 1
                yield item
        finally:
            self.closed = True
