"""`Session`: one stream's dealings with the server, as bytes: pages of a list, then the body of a watch.

A session has one connection at a time. The pages of a list share it, and the watch that follows takes it over, so that
both come from the same one of several API servers. Each later watch opens a new one.

When a page is read, the next one is asked for before anything is decoded: the server works on it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from .aside import aside
from .client import Client
from .errors import ApiError, IdleTimeout, Unreachable
from .lines import Lines
from .pace import GATHER, Pace
from .pages import Arriving, Long, Page, decode_page
from .params import ListParams, WatchParams
from .spans import Span, joined
from .stop import Stop
from .turns import TURN, give_way
from .wire import BrokenOff, Wire

if TYPE_CHECKING:
    from .protobuf.pages import ArrivingMessages

# Seconds without a byte of a page: as long as a server may take to answer a list (its --request-timeout).
LIST_TIMEOUT = 60.0

PROTOBUF = "application/vnd.kubernetes.protobuf"

# Seconds until the server has accepted a watch or refused it.
WATCH_START_TIMEOUT = 30.0


class Session:
    """Lists and watches one collection, on one thread; whatever it waits for, `stop` ends.

    `path` finds the collection, at the first request. `list_as` and `watch_as` are the media types to ask for.
    """

    def __init__(
        self,
        client: Client,
        path: Callable[[], str],
        stop: Stop,
        *,
        list_as: str = "application/json",
        watch_as: str = "application/json",
    ) -> None:
        self._client = client
        self._find_path = path
        self._found = ""
        self._stop = stop
        self._list_as = list_as
        self._watch_as = watch_as
        self._wire: Wire | None = None  # at rest between requests
        self._watched: Wire | None = None

    def list(self, params: ListParams) -> Page:
        """One page of the list; at most 60 s without a byte of it. Raises ApiError, AuthError, Unreachable."""
        wire = self._take()
        ahead = wire is not None and wire.asked_ahead
        try:
            return self._page(wire, params)
        except Unreachable as error:
            if not ahead or self._stop.stopped or isinstance(error, IdleTimeout):
                raise
        # Its answer waited while the page before was handed out, and the server did not wait that long.
        self.close()
        return self._page(None, params)

    def _page(self, wire: Wire | None, params: ListParams) -> Page:
        path, headers = self._path(), {"accept": self._list_as}
        wire, head = self._client.exchange(
            wire, "GET", path, query=params.query(), headers=headers, timeout=LIST_TIMEOUT, stop=self._stop
        )
        self._wire = wire
        coming = arriving(head.headers, self._list_as)
        try:
            size = wire.read_each(coming.feed, LIST_TIMEOUT)
            page = parse_page(coming, size, head.headers, path)
            if page.continue_:
                following = msgspec.structs.replace(params, continue_=page.continue_)
                self._client.ask_ahead(wire, path, following.query(), headers)
            return page
        finally:
            if not (wire.asked_ahead or wire.reusable):
                self.close()

    def watch(self, params: WatchParams, idle_timeout: float) -> WatchBody:
        """A watch that the server has accepted; refused ones raise ApiError, AuthError, Unreachable."""
        wire, head = self._client.exchange(
            self._take(),
            "GET",
            self._path(),
            query=params.query(),
            # A compressed event is more work on both sides, and comes later.
            headers={"accept": self._watch_as, "accept-encoding": "identity"},
            timeout=WATCH_START_TIMEOUT,
            stop=self._stop,
        )
        self._watched = wire
        body = WatchBody(wire, self._stop, idle_timeout)
        if in_protobuf(head.headers, self._watch_as):
            from .protobuf.frames import Frames

            body.frames = Frames
        return body

    def _path(self) -> str:
        self._found = self._found or aside(self._find_path, self._stop)
        return self._found

    def close(self) -> None:
        """Close what is open; idempotent."""
        wire = self._take()
        if wire is not None:
            wire.close()

    def _take(self) -> Wire | None:
        if self._watched is not None:
            # One connection at a time: the stop wakes the reader of the newest only.
            self._watched.close()
            self._watched = None
        wire, self._wire = self._wire, None
        return wire


def in_protobuf(headers: Mapping[str, str], asked: str) -> bool:
    """Whether the server chose protobuf, from what was asked for."""
    return PROTOBUF in asked and headers.get("content-type", "").startswith(PROTOBUF)


def arriving(headers: Mapping[str, str], asked: str) -> Arriving | ArrivingMessages:
    """What to feed with the answer to a list, of which these are the headers, for `parse_page`."""
    if not in_protobuf(headers, asked):
        return Arriving()
    from .protobuf.pages import ArrivingMessages

    return ArrivingMessages()


def parse_page(body: bytes | Arriving | ArrivingMessages, size: int, headers: Mapping[str, str], path: str) -> Page:
    """The page that the answer to a list holds, which has `size` bytes.

    Raises ApiError where it holds none; so do its items, where that is seen late.
    """

    def refuse(error: Exception) -> ApiError:
        # Without a word of the body, which may be Secrets.
        what = f"{headers.get('content-type', 'an unknown type')}, {size} bytes"
        message = f"the answer ({what}) is no list: {error}"
        return ApiError(200, "Failed to parse list", message, request=f"GET {path}")

    try:
        page = decode_page(body) if isinstance(body, bytes) else body.page()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise refuse(error) from error
    if isinstance(page.items, Long):
        page.items.refuse = refuse
    return page


class WatchBody:
    """The body of an accepted watch, as it comes; used by one thread.

    `idle_timeout` is the seconds of silence after which the server is taken for dead; it may be changed at any time
    and counts from the next read on. `clock` tells how quickly changes follow each other (`pace.py`).
    """

    def __init__(self, wire: Wire, stop: Stop, idle_timeout: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._wire = wire
        self._stop = stop
        self.idle_timeout = idle_timeout
        self._clock = clock
        self.frames: Callable[[], Any] = Lines  # what finds its events

    def blocks(self) -> Iterator[bytes]:
        """The body in blocks, split anywhere, none of them empty; free of chunking and compression.

        Ends quietly where the body does, where the connection does, and when stopped. Raises IdleTimeout after a
        silence of `idle_timeout`, Unreachable when the connection was reset or what came cannot be read.
        """
        with closing(self.pieces()) as pieces:
            yield from map(joined, pieces)

    def pieces(self) -> Generator[list[Span], None, None]:
        """Like `blocks`, but says where they stand in what was received, and copies nothing."""
        wire, stop, turn, pace, clock = self._wire, self._stop, TURN, Pace(), self._clock
        try:
            while not stop.stopped and (pieces := wire.read_pieces(self.idle_timeout)):
                size = pieces[-1][2]  # about what was read at once
                gather = pace.arrived(size, clock())
                yield pieces
                if gather and stop.wait(GATHER):
                    return
                turn -= size
                if turn <= 0:
                    turn = TURN
                    give_way()
        except BrokenOff:
            return
        except Unreachable:
            if not stop.stopped:
                raise
        finally:
            wire.close()

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._wire.close()
