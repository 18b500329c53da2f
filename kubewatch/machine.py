"""The list/watch state machine: what came goes in; items to hand out, and the next request, come out.

No I/O and no waiting happens here, so that a test reads as a table. `watcher.py` drives it.

    EMPTY ──Init──> INIT_PAGE ──pages: InitApply… InitDone──> INIT_LISTED ──watch accepted──> WATCHING
      │                                                            ^                              │
      │                                                            └── watch ended: resume ───────┤
      └──watch accepted: Init──> INITIAL_WATCH ──InitApply… end bookmark: InitDone──> WATCHING    │
                                                                                                  │
    expired (410) anywhere, or a version is missing: back to EMPTY <──────────────────────────────┘

Each round begins with `Init`; whoever keeps a buffer discards it there. Versions are opaque: they come from a list's
metadata, from the bookmark that ends the initial events, and from what is live after it, and are never compared.
https://docs.rs/kube-runtime/latest/kube_runtime/watcher/fn.watcher.html

On purpose other than in kube-rs: an expired version at the start of a watch relists (there: never); a server that ends
watches at once comes out as an error, so that a backoff can act (there: a silent loop); streaming falls back to pages
where the server refuses; a deletion among the initial events is handed out after InitDone (there: lost); an object that
does not decode is reported and left out, but where it is one that was deleted, all begins anew, as nobody would ever
hear of the deletion (there: lost).
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

from .config import Config
from .decode import (
    Bookmark,
    Status,
    checking,
    decode_bookmark,
    decode_frame,
    decode_status,
    decode_whole_frame,
    salvage,
)
from .errors import (
    ApiError,
    DecodeFailed,
    InitialListFailed,
    NoResourceVersion,
    WatchError,
    WatchFailed,
    WatchStartFailed,
    WatchStatusError,
)
from .events import Apply, Delete, Event, Init, InitApply, InitDone
from .initial import InitialList
from .misread import SHOWN, malformed, undecodable
from .pages import Odd, Page
from .params import ListParams, WatchParams
from .patience import Patience
from .source import Source, named
from .versions import expired, key_in, version_of
from .vitals import Vitals

T = TypeVar("T")

log = logging.getLogger(__name__)

INITIAL_EVENTS_END = "k8s.io/initial-events-end"  # the annotation of the bookmark that ends the initial events

LIVE: dict[str, type[Apply[Any]] | type[Delete[Any]]] = {"ADDED": Apply, "MODIFIED": Apply, "DELETED": Delete}
INITIAL: dict[str, type[InitApply[Any]]] = {"ADDED": InitApply, "MODIFIED": InitApply}  # deletions come after the rest


class State(enum.Enum):
    """Where a watch stands."""

    EMPTY = "nothing known"
    INIT_PAGE = "listing, page by page"
    INITIAL_WATCH = "watching, the initial events under way"
    INIT_LISTED = "listed, not watching"
    WATCHING = "watching"


class Machine(Generic[T]):
    """The state of one watch. Tell it what came, hand out what it answers, and make the request that it wants next."""

    def __init__(self, source: Source[T], config: Config, vitals: Vitals) -> None:
        self.state = State.EMPTY
        self.version = ""  # up to which everything was handed out; means nothing before INIT_LISTED
        self._source = source
        self.decode = checking(source.decode) if config.strict else source.decode
        self._config = config
        self.vitals = vitals
        self._initially = InitialList(source, config, vitals)
        self._continue = ""
        self._patience = Patience(config)
        self._framed = False  # the watch under way has brought a frame through `line`
        self.deleted: dict[tuple[str, str], T] = {}  # what was deleted among the initial events
        self._unknown: set[str] = set()  # frame types already logged

    # What to do next

    def begin(self) -> Iterable[Event[T]]:
        """What to hand out before the next request."""
        if self.state is State.EMPTY and not self._initially.streaming:
            self.state = State.INIT_PAGE
            self._continue, self.vitals.remaining = "", None
            return (Init(),)
        return ()

    def request(self) -> ListParams | WatchParams:
        """The request to make now."""
        if self.state is State.INIT_PAGE:
            return self._initially.list_params(self._continue)
        return self._config.to_watch_params(None if self.state is State.EMPTY else self.version)

    @property
    def idle_timeout(self) -> float:
        """How long the watch may stay silent, in seconds, before `ended("idle")`."""
        return self._patience.idle_timeout(initial=self.state in (State.EMPTY, State.INITIAL_WATCH))

    @property
    def reading(self) -> bool:
        """Whether to go on reading the watch that was accepted last."""
        return self.state is State.WATCHING or self.state is State.INITIAL_WATCH

    @property
    def shortcut(self) -> Mapping[str, Callable[[T], Event[T]]]:
        """What frames that tell of an object become, by their type, until `line` was called again; others are its."""
        if self.state is State.WATCHING:
            return LIVE
        return INITIAL if self.state is State.INITIAL_WATCH and not self.deleted else {}

    # What came of a list

    def listed(self, page: Page) -> Iterable[Event[T] | WatchError]:
        """A page came; its objects are decoded one by one as they are pulled."""
        if page.continue_ and page.continue_ == self._continue:
            return self.list_failed(ValueError("the server gave the same continue token twice"))
        self._heard()
        if not page.continue_ and not page.resource_version:
            return self._no_version("the list of")
        self._continue = page.continue_
        self.vitals.remaining = page.remaining
        self.version = page.resource_version
        return self._drain(page)

    def _drain(self, page: Page) -> Iterator[Event[T] | WatchError]:
        decode, api_version, kind = self.decode, self._source.api_version, self._source.kind or page.kind
        try:
            for obj in page.decoded(decode, api_version, kind):
                if not isinstance(obj, Odd):
                    yield InitApply(obj)
                    continue
                failure = self._undecodable(obj.raw, obj.error)
                if self._config.strict:
                    self._restart("failed")
                    yield self._failed(InitialListFailed(f"listing {self._what} failed: {failure}", failure))
                    return
                yield failure
        except ApiError as error:  # it is cut up while it is handed out, and turned out to be no JSON
            yield from self.list_failed(error)
            return
        if not page.continue_:
            self.state = State.INIT_LISTED
            self._initially.done()
            self.vitals.resource_version = self.version
            yield InitDone()

    def list_failed(self, error: Exception) -> Iterable[WatchError]:
        """The list was refused, or broke, on any of its pages: it begins anew."""
        self._initially.list_failed(error, self._continue)
        self._restart("expired" if isinstance(error, ApiError) and expired(error) else "failed")
        return (self._failed(InitialListFailed(f"listing {self._what} failed: {error}", error)),)

    # What came of a watch

    def started(self) -> Iterable[Event[T]]:
        """The server accepted the watch."""
        self._framed = False
        if self.state is State.EMPTY:
            self.state = State.INITIAL_WATCH
            self._initially.started()
            self.deleted.clear()
            return (Init(),)
        self.state = State.WATCHING
        return ()

    def start_failed(self, error: Exception) -> Iterable[WatchError]:
        """The server refused the watch, or could not be reached."""
        if self.state is State.EMPTY and self._initially.refused(error):
            return ()
        if isinstance(error, ApiError) and expired(error):
            self._restart("expired")
        else:
            self.vitals.restarts["failed"] += 1
        return (self._failed(WatchStartFailed(f"watching {self._what} failed to start: {error}", error)),)

    def line(self, line: bytes) -> Iterable[Event[T] | WatchError]:
        """A complete line of the watch came."""
        if not line or line.isspace():
            return ()
        self._framed = True
        type_, raw = "", b""
        try:
            type_, raw = decode_frame(line, 0, len(line))
            content = self._open(type_, raw)
        except Exception:
            # Once more, looking at every byte: a line that is no frame is one thing, an odd object in a frame another.
            try:
                type_, raw = decode_whole_frame(line)
            except Exception as error:
                # By its beginning and its end it may be an event like others, and what is broken is the object in it.
                return self._odd(type_, raw, error) if type_ in LIVE else self._malformed(line, error)
            try:
                content = self._open(type_, raw)
            except Exception as error:
                return self._odd(type_, raw, error)
        if type_ == "ERROR":
            return self._status(content)
        self._heard()
        if type_ == "BOOKMARK":
            return self._bookmark(content)
        if type_ not in LIVE:
            if type_ not in self._unknown:
                self._unknown.add(type_)
                log.warning(
                    "a watch of %s brought %.50r frames, which are left out", self._what, type_, extra=self._extra
                )
            return ()
        return self._live(type_, content, raw) if self.state is State.WATCHING else self._initial(type_, content, raw)

    def ended(
        self, how: Literal["closed", "idle"], lived: float, fruitful: bool, rest: bytes = b""
    ) -> Iterable[Event[T] | WatchError]:
        """The watch ended `lived` seconds after it was accepted: closed by the server, or silent for too long.

        `fruitful` says whether it brought anything that was handed out, `rest` is what came after the last line end.
        """
        items: list[Event[T] | WatchError] = []
        if how == "closed" and rest:
            items += self._last_line(rest)
            fruitful = fruitful or bool(items)
            if not self.reading:
                return items
        self.vitals.restarts[how] += 1
        worn_out = self._patience.worn_out(how, lived=lived, fruitful=fruitful, framed=fruitful or self._framed)
        log.log(
            logging.INFO if self._patience.silences > 1 else logging.DEBUG,
            "the watch of %s is %s after %.1f seconds (%d times in a row without a word); it is taken up again",
            self._what,
            how,
            lived,
            self._patience.silences,
            extra=self._extra,
        )
        self._leave_watch(silent=how == "idle")
        if worn_out:
            message = (
                f"the server accepted a watch of {self._what} {self._patience.fruitless} times in a row, and each was "
                f"{how} without an event, the last after {lived:.1f} seconds"
            )
            items.append(self._failed(WatchFailed(message)))
        return items

    def broke(self, error: Exception) -> Iterable[WatchError]:
        """The connection of the watch broke."""
        self.vitals.restarts["failed"] += 1
        self._leave_watch()
        return (self._failed(WatchFailed(f"the watch of {self._what} broke: {error}", error)),)

    # Frames

    def _open(self, type_: str, raw: bytes) -> Any:
        if type_ in LIVE:
            return self.decode(raw, self._source.api_version, self._source.kind)
        if type_ == "BOOKMARK":
            return decode_bookmark(raw)
        return decode_status(raw) if type_ == "ERROR" else None

    def _live(self, type_: str, obj: T, raw: bytes) -> Iterable[Event[T] | WatchError]:
        version = version_of(obj, raw)
        if not version:
            return self._no_version(f"a {type_} event of")
        self.version = version
        return (LIVE[type_](obj),)

    def _initial(self, type_: str, obj: T, raw: bytes) -> Iterable[Event[T]]:
        if type_ == "DELETED":
            # No event between Init and InitDone can say so: it is said once those that exist are complete.
            log.info("a %s was deleted among the initial events of its watch", self._source.kind, extra=self._extra)
            self.deleted[key_in(raw)] = obj
            return ()
        if self.deleted:
            self.deleted.pop(key_in(raw), None)
        return (InitApply(obj),)

    def _bookmark(self, bookmark: Bookmark) -> Iterable[Event[T] | WatchError]:
        self._patience.bookmarked = True
        if self.state is State.WATCHING:
            if bookmark.resource_version:
                self.version = self.vitals.resource_version = bookmark.resource_version
                if self.vitals.on_bookmark is not None:
                    self.vitals.on_bookmark(bookmark.resource_version)
            return ()
        if INITIAL_EVENTS_END not in bookmark.annotations:
            if not self._initially.bookmarked():
                self.state = State.EMPTY
            return ()
        if not bookmark.resource_version:
            return self._no_version("the end bookmark of the initial events of")
        self.state = State.WATCHING
        self.version = bookmark.resource_version
        self._initially.done()
        deleted, self.deleted = self.deleted, {}
        if not deleted:
            self.vitals.resource_version = self.version
        return (InitDone(), *map(Delete, deleted.values()))

    def _status(self, status: Status) -> Iterable[WatchError]:
        message = f"the watch of {self._what} reported {status.code} {status.reason}: {status.message}"
        error = WatchStatusError(message, status.code, status.reason)
        seconds = status.details.get("retryAfterSeconds")
        if isinstance(seconds, int) and seconds > 0:
            error.retry_after = float(seconds)
        if expired(status):
            self._restart("expired")
        return (self._failed(error),)

    def _last_line(self, rest: bytes) -> Iterable[Event[T] | WatchError]:
        try:
            decode_whole_frame(rest)
        except Exception:
            # Half a line is the connection's end, not data. Its event comes again, as the version stands before it.
            log.debug("the watch of %s ended within a line", self._what, extra=self._extra)
            return ()
        return self.line(rest)

    # What is odd

    def _malformed(self, line: bytes, error: Exception) -> Iterable[WatchError]:
        failure = malformed(self._what, line, error, secret=self._source.kind == "Secret")
        if isinstance(failure.__cause__, ApiError) and expired(failure.__cause__):
            self._restart("expired")
        return (self._failed(failure),)

    def _odd(self, type_: str, raw: bytes, error: Exception) -> Iterable[WatchError]:
        if type_ not in LIVE:  # a BOOKMARK or an ERROR that is none; never a Secret
            message = f"the watch of {self._what} brought a {type_} frame that is none: {raw[:SHOWN]!r}"
            return (self._failed(WatchFailed(message, error)),)
        self._heard()
        failure = self._undecodable(raw, error)
        if self._config.strict or type_ == "DELETED":
            # Nobody can be told which object is gone; the next list is without it. Not by a DecodeFailed alone, after
            # which no backoff waits: a server that deletes many such objects would be asked for as many lists.
            self._restart("failed")
            message = f"the watch of {self._what} begins anew, after {type_} of an object that was not read: {failure}"
            return (self._failed(WatchFailed(message, failure)),)
        if self.state is State.WATCHING:
            self.version = salvage(raw).resource_version or self.version
        return (failure,)

    def _undecodable(self, raw: bytes, error: Exception) -> DecodeFailed:
        """The item for an object that does not decode. It is no failure of the watch, which goes on."""
        failure = undecodable(self._source.kind, raw, error)
        self.vitals.undecodable += 1
        self.vitals.last_error = failure
        where = {"namespace": failure.namespace, "object_name": failure.object_name}
        log.info("%s", failure, extra=self._extra | where)
        return failure

    def _no_version(self, which: str) -> Iterable[WatchError]:
        self._restart("no_version")
        message = f"{which} {self._what} came without resourceVersion: there is no place to watch on from"
        return (self._failed(NoResourceVersion(message)),)

    # Notes

    @property
    def _what(self) -> str:
        return named(self._source)  # asked anew, as a source may learn its kind by its first request

    @property
    def _extra(self) -> dict[str, str | None]:
        return {"kind": self._source.kind, "namespace": self._source.namespace}

    def _heard(self) -> None:
        self.vitals.heard()
        self.vitals.failing = False

    def _failed(self, error: WatchError) -> WatchError:
        self.vitals.failed(error)
        log.log(logging.WARNING if error.code == 403 else logging.INFO, "%s", error, extra=self._extra)
        return error

    def _restart(self, cause: str) -> None:
        """Begin anew: nothing known counts any more."""
        self.vitals.restarts[cause] += 1
        self.state = State.EMPTY

    def _leave_watch(self, *, silent: bool = False) -> None:
        if self.state is State.WATCHING:
            self.state = State.INIT_LISTED
            return
        self._initially.ended(silent=silent)
        self.state = State.EMPTY
