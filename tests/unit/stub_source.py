"""A scripted server on virtual time, and the lines that such a server sends.

`StubSource(lists=[…], watches=[…])` answers each list with the next of `lists` and each watch with the next of
`watches`. A list answer is a page or an exception; a watch is an exception, by which its start fails, or a sequence of
steps: bytes to send, `Wait(seconds)`, an exception by which it breaks. Where a watch's steps end, it is closed; where
the script ends, lists are empty and without version, and watches fail to start. Every request is recorded.

Waits take no time: they advance the clock, and end in IdleTimeout when they are longer than the deadline then is.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from kubewatch.config import Config
from kubewatch.decode import Decode, decode_object
from kubewatch.errors import IdleTimeout, Unreachable, WatchError
from kubewatch.events import Event
from kubewatch.lines import Lines
from kubewatch.pages import Page, decode_page
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals
from kubewatch.watcher import watch_events

T = TypeVar("T")
Json = dict[str, Any]


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wait(NamedTuple):
    """Silence, in seconds."""

    seconds: float


class Do(NamedTuple):
    """Something that happens at this point of the watch, within the server's process or ours."""

    action: Callable[[], object]


Step = bytes | Wait | Do | Exception
Watch = Sequence[Step] | Exception


class OutOfScript(Unreachable):
    """A watch was started that the script does not know of."""


class StubSource(Generic[T]):
    """A source that follows a script."""

    api_version = "v1"

    def __init__(
        self,
        lists: Iterable[Page | Exception] = (),
        watches: Iterable[Watch] = (),
        *,
        kind: str = "Pod",
        namespace: str | None = "default",
        decode: Decode[Any] = decode_object,
        frames: Callable[[], Any] = Lines,
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.decode: Decode[T] = decode
        self.frames = frames
        self.clock = Clock()
        self.requests: list[ListParams | WatchParams] = []
        self.deadlines: list[float] = []  # the idle deadline of each wait, in seconds
        self.closed = 0  # sessions closed
        self.open_bodies = 0
        self._lists = deque(lists)
        self._watches = deque(watches)

    @property
    def used_up(self) -> bool:
        """Whether the whole script was played."""
        return not self._lists and not self._watches

    @property
    def watched(self) -> list[WatchParams]:
        """The watches asked for."""
        return [request for request in self.requests if isinstance(request, WatchParams)]

    @property
    def listed(self) -> list[ListParams]:
        """The lists asked for."""
        return [request for request in self.requests if isinstance(request, ListParams)]

    def open(self, stop: Stop) -> _Session:
        return _Session(self, stop)

    def next_list(self) -> Page | Exception:
        return self._lists.popleft() if self._lists else Page([])

    def next_watch(self) -> Watch:
        return self._watches.popleft() if self._watches else OutOfScript("the script has no further watch")


class _Session:
    def __init__(self, source: StubSource[Any], stop: Stop) -> None:
        self._source = source
        self._stop = stop

    def list(self, params: ListParams) -> Page:
        self._source.requests.append(params)
        answer = self._source.next_list()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(self, params: WatchParams, idle_timeout: float) -> _Body:
        self._source.requests.append(params)
        answer = self._source.next_watch()
        if isinstance(answer, Exception):
            raise answer
        return _Body(self._source, self._stop, answer, idle_timeout)

    def close(self) -> None:
        self._source.closed += 1


class _Body:
    def __init__(self, source: StubSource[Any], stop: Stop, steps: Sequence[Step], idle_timeout: float) -> None:
        self.idle_timeout = idle_timeout
        self.frames = source.frames
        self._source = source
        self._stop = stop
        self._steps = steps
        self._closed = False
        source.open_bodies += 1

    def blocks(self) -> Iterator[bytes]:
        for step in self._steps:
            if self._stop.stopped:
                return
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Do):
                step.action()
            elif isinstance(step, Wait):
                self._source.deadlines.append(self.idle_timeout)
                self._source.clock.now += min(step.seconds, self.idle_timeout)
                if step.seconds > self.idle_timeout:
                    raise IdleTimeout(f"silent for {self.idle_timeout} seconds")
            else:
                yield step

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._source.open_bodies -= 1


class Run(Generic[T]):
    """A watch of a stub: its items, one pull at a time, with what belongs to it."""

    def __init__(self, source: StubSource[T], config: Config | None = None) -> None:
        self.source = source
        self.stop = Stop(source.clock)
        self.vitals = Vitals(source.clock)
        self.items: Iterator[Event[T] | WatchError] = watch_events(source, config or Config(), self.stop, self.vitals)

    def pull(self) -> Event[T] | WatchError:
        """The next item."""
        return next(self.items)

    def take(self, count: int) -> list[str]:
        """The next items, as text: events as they print, errors by their type."""
        return [shown(self.pull()) for _ in range(count)]

    def play(self) -> list[str]:
        """All items up to the end of the script."""
        out: list[str] = []
        for item in self.items:
            if isinstance(item, WatchError) and isinstance(item.__cause__, OutOfScript):
                return out
            out.append(shown(item))
        return out


def shown(item: Event[Any] | WatchError) -> str:
    """Events as they print, errors by their type."""
    return type(item).__name__ if isinstance(item, WatchError) else str(item)


# What a server says


def pod(name: str, version: str | int = "", **fields: Any) -> Json:
    """A pod; without `version` it has none."""
    meta: Json = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if version != "":
        meta["resourceVersion"] = str(version)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta} | fields


def page(*objects: Json, version: str | int = "", continue_: str = "", kind: str = "PodList") -> Page:
    """A page of a list, as it is read from its bytes."""
    meta = {"resourceVersion": str(version), "continue": continue_}
    return decode_page(json.dumps({"kind": kind, "apiVersion": "v1", "metadata": meta, "items": objects}).encode())


def line(type_: str, obj: Any) -> bytes:
    """A line of a watch, as Go writes it."""
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), json.dumps(obj, separators=(",", ":")).encode())


def added(name: str, version: str | int = "") -> bytes:
    return line("ADDED", pod(name, version))


def modified(name: str, version: str | int = "") -> bytes:
    return line("MODIFIED", pod(name, version))


def deleted(name: str, version: str | int = "") -> bytes:
    return line("DELETED", pod(name, version))


def bookmark(version: str | int, *, end: bool = False) -> bytes:
    """A bookmark; with `end`, the one that ends the initial events."""
    meta: Json = {"resourceVersion": str(version)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return line("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": meta})


def status(code: int | None, reason: str = "", message: str = "", **details: Any) -> Json:
    """A Status object."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    if code is not None:
        body["code"] = code
    if details:
        body["details"] = details
    return body


def error(code: int | None, reason: str = "", message: str = "", **details: Any) -> bytes:
    """An ERROR line."""
    return line("ERROR", status(code, reason, message, **details))
