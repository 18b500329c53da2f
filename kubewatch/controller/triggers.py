"""Triggers: the streams that tell a controller what to reconcile, each pumped into the queue by a thread of its own.

What fails in one holds up no other: its errors become results, and it alone waits before it goes on.

What a list brings while runs may begin is put into the queue when the list is complete. Stores take it over then and
not before: a run that began earlier would see what was, and nothing would tell of the change again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from kubewatch import backoffs
from kubewatch.config import Config
from kubewatch.errors import DecodeFailed, FunctionFailed, InitialListFailed, StreamUsed, UnknownKind, WatchError
from kubewatch.events import Apply, Delete, InitApply, InitDone
from kubewatch.ref import ObjectRef
from kubewatch.source import Source, named
from kubewatch.stop import Stop
from kubewatch.streams.fluent import EventStream, ObjectStream
from kubewatch.streams.reflected import EventWriter
from kubewatch.streams.retried import Failures, Policy
from kubewatch.vitals import Vitals
from kubewatch.watcher import watch_events

from .queue import Queue
from .relations import Relation
from .results import QueueError
from .scheduler import Reason

logger = logging.getLogger(__name__)

Report = Callable[[BaseException], None]


class Opened(msgspec.Struct, frozen=True):
    """A trigger that runs: its items and errors, what stops it, and whether its thread can be relied on to end then.

    The items are objects, with the events around them where there are any.

    `vitals` are those of the watch behind it; None where there is none.
    """

    items: Iterator[Any]
    stop: Stop
    vitals: Vitals | None
    stoppable: bool = True


class Trigger(msgspec.Struct, frozen=True):
    """A stream and what its items mean. `open` is called once, when the controller starts; it makes no request.

    Of a watch of the controller's own, `source` is what is watched, and `noted` makes the same one of which another
    writer sees every event.
    """

    label: str
    relation: Relation
    open: Callable[[Report], Opened]
    source: tuple[Source[Any], Config] | None = None
    noted: Callable[[EventWriter[Any]], Trigger] | None = None


def watched(
    api: Source[Any],
    config: Config,
    relation: Relation,
    decode: Literal["applied_objects", "touched_objects"],
    *writers: EventWriter[Any],
) -> Trigger:
    """A watch of the controller's own, built when it starts, so that a controller may be built before a fork."""
    label = named(api)

    def open(report: Report) -> Opened:
        stop, vitals = Stop(), Vitals()
        events = EventStream[Any](_for_ever(api, config, stop, vitals), stop=stop, vitals=vitals, label=label)
        for writer in writers:
            events = events.reflect(writer)
        objects: ObjectStream[Any] = getattr(events, decode)()
        objects = objects.backoff(jitter=backoffs.stretched, on_backoff=lambda details: report(details["exception"]))
        return Opened(objects._take("in_band"), stop, vitals)

    def noted(writer: EventWriter[Any]) -> Trigger:
        return watched(api, config, relation, decode, *writers, writer)

    return Trigger(label, relation, open, (api, config), noted)


def _for_ever(api: Source[Any], config: Config, stop: Stop, vitals: Vitals) -> Iterator[Any]:
    """A watch that also outlives that the cluster does not know the kind, or not yet."""
    while not stop.stopped:
        try:
            yield from watch_events(api, config, stop, vitals)
        except UnknownKind as error:
            failed = InitialListFailed(str(error), error)
            vitals.failed(failed)
            yield failed


def streamed(stream: ObjectStream[Any], relation: Relation, stage: str) -> Trigger:
    """A stream of the user's, which this takes; raises StreamUsed if it was taken before."""
    opened = Opened(stream._take("in_band"), stream.stopper, stream.vitals)
    return Trigger(stream.label or stage, relation, lambda _: opened)


def iterated(items: Iterable[Any], relation: Relation, stage: str) -> Trigger:
    """Any iterable of the user's. One that blocks can be stopped only if it is an ObjectStream."""
    if isinstance(items, ObjectStream):
        return streamed(items, relation, stage)
    opened = Opened(iter(items), Stop(), None, stoppable=False)
    return Trigger(stage, relation, lambda _: opened)


def pump(trigger: Trigger, opened: Opened, queue: Queue) -> None:
    """Put what a trigger brings into the queue, until it ends or is stopped. Raises nothing."""
    items, stop, label = opened.items, opened.stop, trigger.label
    failures: Failures | None = None
    listed: dict[ObjectRef, Reason] | None = None  # what the list under way brought, if it is held back
    first = True  # no list was complete yet
    try:
        while not stop.stopped:
            try:
                item = next(items)
            except StopIteration:
                return
            except WatchError as error:
                item = error
            if not isinstance(item, WatchError):
                failures, kind = None, type(item)
                if kind is InitApply:
                    if listed is None and (queue.is_open or not first):
                        listed = queue.begin_list()
                    _map(trigger, item.object, queue.trigger if listed is None else listed.setdefault, queue)
                    continue
                if listed is not None:
                    queue.end_list(listed)
                    listed = None
                if kind is InitDone:
                    first = False
                else:
                    _map(trigger, item.object if kind is Apply or kind is Delete else item, queue.trigger, queue)
                continue
            queue.report(QueueError(item, label))
            if isinstance(item, (FunctionFailed, DecodeFailed)):
                continue  # no waiting mends them
            if failures is None:
                failures = Failures(_POLICY, queue.clock.now, {"label": label})
            seconds = failures.wait_after(item)
            if seconds is None or stop.wait(seconds):
                return
    except StreamUsed as error:
        queue.report(QueueError(error, label))
    except BaseException as error:
        logger.exception("%s raised %s: it triggers nothing any more; the others go on", label, type(error).__name__)
        queue.report(QueueError(error, label))
    finally:
        if listed is not None:
            queue.end_list(listed)
        _close(items, label)


def _map(trigger: Trigger, item: Any, put: Callable[[ObjectRef, Reason], object], queue: Queue) -> None:
    try:
        for ref, reason in trigger.relation(item):
            put(ref, reason)
    except BaseException as error:  # a mapper is the user's, and may raise anything
        logger.warning("%s: the mapper failed, and the object triggers nothing", trigger.label, exc_info=True)
        queue.report(QueueError(error, trigger.label))


def _close(items: Iterator[Any], label: str) -> None:
    close = getattr(items, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException:
        logger.exception("closing %s failed", label)


_POLICY = Policy(backoffs.default, jitter=backoffs.stretched)
