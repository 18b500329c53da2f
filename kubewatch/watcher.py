"""`watcher`: list, then watch, for ever, through everything that breaks a watch.

The decisions are the state machine's (`machine.py`); here it is driven over a connection, one pull at a time.
`watch_events` is the generator, `watcher` the stream around it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

import msgspec

from .config import Config
from .errors import ApiError, AuthError, IdleTimeout, StaleAfterFork, Unreachable, WatchError
from .events import Event
from .lines import Lines
from .machine import Machine, State
from .objects import Object, PartialObjectMeta
from .params import ListParams, WatchParams
from .source import MetadataSource, Session, Source, WatchBody, named
from .spans import Span
from .stop import Stop
from .streams.fluent import EventStream
from .versions import version_of
from .vitals import Vitals

T = TypeVar("T")

# What a request may raise and the stream survives. Anything else is a mistake in the call, and is raised.
_SURVIVED = (ApiError, AuthError, Unreachable, msgspec.MsgspecError)


_DEFAULT = Config()


def watcher(api: Source[T], config: Config = _DEFAULT) -> EventStream[T]:
    """What exists, and then each change, for ever.

    >>> for event in watcher(Api("v1", "Pod", namespace="default")):                        # doctest: +SKIP
    ...     print(event)
    Init
    InitApply(web-0)
    InitDone
    Apply(web-0)

    Yields `Init`, an `InitApply` for each object, `InitDone`; then `Apply` and `Delete` as things change. When the
    server has forgotten where we were, all of that comes again: what was known before and is not between the new `Init`
    and `InitDone` is gone. Everything happens on the thread that pulls; building makes no request. `api` may be any
    `kubewatch.source.Source`; one of metadata (`api.metadata()`) gives `PartialObjectMeta`.

    An error is raised by the pull that meets it, as a `WatchError`, and the next pull goes on: put `.default_backoff()`
    on the stream to have it wait and go on by itself. Raises UnknownKind if the cluster does not know the kind, and
    StaleAfterFork in a child process.
    https://docs.rs/kube-runtime/latest/kube_runtime/watcher/fn.watcher.html
    """
    stop, vitals = Stop(), Vitals()
    return EventStream.of(watch_events(api, config, stop, vitals), stop, vitals, named(api))


def metadata_watcher(api: MetadataSource, config: Config = _DEFAULT) -> EventStream[PartialObjectMeta]:
    """Like `watcher`, but the server sends names, labels and the other metadata only: less to send and to keep.

    >>> for meta in metadata_watcher(Api("v1", "Secret")).applied_objects():                # doctest: +SKIP
    ...     print(meta.namespace, meta.name, dict(meta.labels))

    https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
    """
    return watcher(api.metadata(), config)


def watch_events(
    source: Source[T], config: Config, stop: Stop, vitals: Vitals
) -> Generator[Event[T] | WatchError, None, None]:
    """List and watch `source` for ever; errors are yielded, and the next pull goes on.

    Runs on the thread that pulls, and ends when `stop` says so. Makes no request before the first pull.
    """
    machine = Machine(source, config, vitals)
    owner = os.getpid()
    session = source.open(stop)
    try:
        while not stop.stopped:
            yield from machine.begin()
            if stop.stopped:
                return
            _refuse_after_fork(owner)
            params = machine.request()
            if isinstance(params, ListParams):
                for item in _list(machine, session, params, stop):
                    yield item
                    if stop.stopped:
                        return
                continue
            body, items = _open(machine, session, params, stop)
            if body is None:
                yield from items
            else:
                with closing(body):
                    yield from items
                    yield from _follow(machine, source, body, stop, vitals, owner)
    finally:
        session.close()


def _refuse_after_fork(owner: int) -> None:
    if os.getpid() != owner:
        raise StaleAfterFork(
            "this stream belongs to the parent process, and so does its connection; build a new stream after the fork"
        )


def _list(machine: Machine[T], session: Session, params: ListParams, stop: Stop) -> Iterable[Event[T] | WatchError]:
    try:
        page = session.list(params)
    except _SURVIVED as error:
        return () if stop.stopped else machine.list_failed(error)
    return machine.listed(page)


def _open(
    machine: Machine[T], session: Session, params: WatchParams, stop: Stop
) -> tuple[WatchBody | None, Iterable[Event[T] | WatchError]]:
    try:
        body = session.watch(params, machine.idle_timeout)
    except _SURVIVED as error:
        return None, () if stop.stopped else machine.start_failed(error)
    return body, machine.started()


def _pieces(body: WatchBody) -> Iterator[list[Span]]:
    """What the body brings; without copies, where it can say where that stands."""
    pieces: Callable[[], Iterator[list[Span]]] | None = getattr(body, "pieces", None)
    return pieces() if pieces is not None else ([(block, 0, len(block))] for block in body.blocks())


def _follow(
    machine: Machine[T], source: Source[T], body: WatchBody, stop: Stop, vitals: Vitals, owner: int
) -> Iterator[Event[T] | WatchError]:
    """Hand out what an accepted watch brings, until it ends or the machine has enough of it.

    Live events and initial ones take a short way, with no call per event but decoding; all else, also what is odd about
    such an event, is the machine's. Both ways come to the same, as a test of random streams proves.
    """
    decode, api_version, kind, clock = machine.decode, source.api_version, source.kind, vitals.clock
    watching, opened, fruitful = State.WATCHING, clock(), False
    lines: Lines = getattr(body, "frames", Lines)()  # or what does the same with frames in protobuf
    decode_frame, received = lines.decode, map(lines.feed, _pieces(body))
    failure: Exception | None = None
    events, live = machine.shortcut, machine.state is watching
    while not stop.stopped:
        try:
            found = next(received, None)
        except Unreachable as error:
            found, failure = None, error
        if found is None:
            break
        now = clock()
        for text, start, end in found:
            try:
                type_, raw = decode_frame(text, start, end)
                event = events[type_]
                obj = decode(raw, api_version, kind)
                version = obj.metadata.resource_version if isinstance(obj, Object) else version_of(obj, raw)
            except Exception:
                version = ""  # nothing is lost: the machine looks at the line again, and says what is odd
            if version:
                vitals.heard_at = now
                vitals.failing = False
                fruitful = True
                if live:
                    machine.version = version
                    yield event(obj)
                    # Not before: what is synced was handed on, so that a store never claims a version it has not.
                    vitals.resource_version = version
                else:
                    yield event(obj)
                if stop.stopped:
                    return
                continue
            items = machine.line(lines.line(text, start, end))
            if vitals.heard_at is not None:
                vitals.heard_at = min(vitals.heard_at, now)  # it came then, however long what is before it took
            for item in items:
                fruitful = True
                yield item
                if stop.stopped:
                    return
            if not machine.reading:
                return
            events, live = machine.shortcut, machine.state is watching
            if live:
                vitals.resource_version = machine.version
            body.idle_timeout = machine.idle_timeout
    if stop.stopped:
        return
    _refuse_after_fork(owner)
    lived = clock() - opened
    if failure is None:
        yield from machine.ended("closed", lived, fruitful, lines.rest())
        if machine.state is State.INIT_LISTED:
            vitals.resource_version = machine.version  # the rest may have been an event
    elif isinstance(failure, IdleTimeout):
        yield from machine.ended("idle", lived, fruitful)
    else:
        yield from machine.broke(failure)
