"""Where the microseconds of an event go, from bytes that were received to the store: each layer less the one beneath.

The events are those of a replay server, in blocks of the size that a socket gives at full rate; they fill more memory
than the processor's caches hold, as events do that have just arrived.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.pods import TYPED
from benchmarks.rendered import Rendered
from kubewatch import Config, Object, store
from kubewatch.decode import Decode, decode_frame, decode_object
from kubewatch.errors import Unreachable
from kubewatch.http1 import Body, parse_head
from kubewatch.lines import Lines
from kubewatch.pages import Page, decode_page
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from kubewatch.streams import EventStream
from kubewatch.vitals import Vitals
from kubewatch.watcher import watch_events
from kubewatch.wire import BLOCK

from .program import run

EVENTS = 4_000
REPEATS = 5


class Recorded:
    """A source whose list is empty, and whose watch brings what was recorded, once."""

    api_version, kind, namespace = "v1", "Pod", None
    decode: Decode[Object] = staticmethod(decode_object)

    def __init__(self, received: Sequence[bytes]) -> None:
        self.received = received
        self.idle_timeout = 0.0

    def open(self, stop: Stop) -> Recorded:
        """Itself, as the session and the body of the watch too."""
        return self

    def list(self, params: ListParams) -> Page:
        """Nothing."""
        return decode_page(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}')

    def watch(self, params: WatchParams, idle_timeout: float) -> Recorded:
        """The first one is accepted."""
        if not self.received:
            raise Unreachable("it was all")
        return self

    def blocks(self) -> Iterator[bytes]:
        """What was recorded."""
        received, self.received = self.received, ()
        return _unchunked(received)

    def close(self) -> None:
        """Nothing is open."""


def _unchunked(received: Sequence[bytes]) -> Iterator[bytes]:
    head = parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert head is not None
    return map(Body(head[0], "GET").feed, received)


def _lines(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for block in _unchunked(received):
        yield from feed(block)


def _frames(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for block in _unchunked(received):
        for text, start, end in feed(block):
            yield decode_frame(text, start, end)


def _objects(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for block in _unchunked(received):
        for text, start, end in feed(block):
            _, raw = decode_frame(text, start, end)
            yield decode_object(raw, "v1", "Pod")


def _watched(received: Sequence[bytes]) -> Iterator[object]:
    events = watch_events(Recorded(received), Config(), Stop(), Vitals())
    for _ in range(2):  # Init, InitDone
        next(events)
    for _ in range(EVENTS):
        yield next(events)


def _stored(received: Sequence[bytes]) -> Iterator[object]:
    events = EventStream(watch_events(Recorded(received), Config(), Stop(), Vitals())).reflect(store()[1])
    for _ in range(2):
        next(events)
    for _ in range(EVENTS):
        yield next(events)


LAYERS: dict[str, Callable[[Sequence[bytes]], Iterable[object]]] = {
    "chunks of HTTP": _unchunked,
    "lines": _lines,
    "frame, and a copy of the object's bytes": _frames,
    "metadata, and a look at all other bytes": _objects,
    "watcher: version, freshness, event": _watched,
    "stream, store, and memory that is kept": _stored,
}


def _cost(received: Sequence[bytes], work: Callable[[Sequence[bytes]], Iterable[object]]) -> float:
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        collections.deque(work(received), maxlen=0)
        taken.append(time.process_time() - started)
    return min(taken) / EVENTS * 1e6


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Microseconds of CPU per event, of each layer."""
    changes = b"".join(Rendered(TYPED, 2_000, EVENTS).changes)
    received = [changes[start : start + BLOCK] for start in range(0, len(changes), BLOCK)]
    before = 0.0
    costs = {}
    for name, work in LAYERS.items():
        cost = _cost(received, work)
        costs[name] = cost - before
        before = cost
    return costs


if __name__ == "__main__":
    run(measure)
