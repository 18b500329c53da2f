"""Where the microseconds of an event go, from bytes that were received to the store: each layer less the one beneath.

The events are those of a replay server, in blocks of the size that a socket gives at full rate; they fill more memory
than the processor's caches hold, as events do that have just arrived.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from benchmarks.pods import TYPED, render
from benchmarks.rendered import Rendered
from kubewatch import Config, Object, store
from kubewatch.decode import Decode, decode_frame, decode_object
from kubewatch.errors import Unreachable
from kubewatch.http1 import Body, parse_head
from kubewatch.lines import Lines
from kubewatch.pages import Arriving, Page, decode_page
from kubewatch.params import ListParams, WatchParams
from kubewatch.spans import Span, joined
from kubewatch.stop import Stop
from kubewatch.streams import EventStream
from kubewatch.vitals import Vitals
from kubewatch.watcher import watch_events
from kubewatch.wire import BLOCK

from .program import run

Pieces = list[Span]

EVENTS = 4_000
PAGE = 500
REPEATS = 7


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
        """What was recorded, as one who cannot say where it stands would bring it."""
        return map(joined, self.pieces())

    def pieces(self) -> Iterator[Pieces]:
        """What was recorded."""
        received, self.received = self.received, ()
        return _unchunked(received)

    def close(self) -> None:
        """Nothing is open."""


def _unchunked(received: Sequence[bytes]) -> Iterator[Pieces]:
    head = parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert head is not None
    return map(Body(head[0], "GET").pieces, received)


def _lines(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for pieces in _unchunked(received):
        yield from feed(pieces)


def _frames(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for pieces in _unchunked(received):
        for text, start, end in feed(pieces):
            yield decode_frame(text, start, end)


def _objects(received: Sequence[bytes]) -> Iterator[object]:
    feed = Lines().feed
    for pieces in _unchunked(received):
        for text, start, end in feed(pieces):
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


def _page(received: Sequence[bytes]) -> Page:
    arriving = Arriving()
    for pieces in _unchunked(received):
        arriving.feed(joined(pieces))
    return arriving.page()


def _cut_out(received: Sequence[bytes]) -> Iterable[object]:
    _page(received)
    return ()


def _listed(received: Sequence[bytes]) -> Iterable[object]:
    return _page(received).decoded(decode_object, "v1", "Pod")


LIST_LAYERS: dict[str, Callable[[Sequence[bytes]], Iterable[object]]] = {
    "chunks of HTTP": _unchunked,
    "objects cut out, and copied": _cut_out,
    "metadata, and a look at all other bytes": _listed,
}

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
    return min(taken) * 1e6


def _blocks(body: bytes) -> list[bytes]:
    return [body[start : start + BLOCK] for start in range(0, len(body), BLOCK)]


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Microseconds of CPU of each layer, per event; per object of a page as `list: …`; bounds as `bound: …`."""
    rendered = Rendered(TYPED, 2_000, EVENTS)
    changes, page = _blocks(b"".join(rendered.changes)), _blocks(b"".join(rendered.page(0, PAGE, itemwise=False)))
    costs: dict[str, float] = {}
    for layers, received, count, prefix in ((LAYERS, changes, EVENTS, ""), (LIST_LAYERS, page, PAGE, "list: ")):
        beneath = 0.0
        for name, work in layers.items():
            cost = _cost(received, work) / count
            costs[prefix + name] = cost - beneath
            beneath = cost
    return costs | {f"bound: {name}": cost for name, cost in _bounds(rendered).items()}


def _bounds(rendered: Rendered) -> dict[str, float]:
    """What an 8 KB object cannot cost less than: a copy that is kept, and a look at each of its bytes."""
    pods = [render(rendered.form.in_event, number, number + 1) for number in range(EVENTS)]
    views = [memoryview(pod) for pod in pods]
    look = msgspec.json.Decoder(msgspec.Raw).decode
    kept = [bytes(view) for view in views]
    started = time.process_time()
    for number, view in enumerate(views):  # in place of an object that is kept, as a change is
        kept[number] = bytes(view)
    copied = time.process_time()
    collections.deque(map(look, kept), maxlen=0)
    looked = time.process_time()
    return {
        "a copy into memory of its own": (copied - started) / EVENTS * 1e6,
        "a look at every byte (msgspec.Raw)": (looked - copied) / EVENTS * 1e6,
    }


if __name__ == "__main__":
    run(measure)
