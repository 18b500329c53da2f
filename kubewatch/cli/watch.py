"""`kubewatch watch`: follow objects, and show what happens to them."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubewatch import backoffs, predicates
from kubewatch.config import Config
from kubewatch.errors import ApiError, AuthError, DecodeFailed, Unreachable, WatchError
from kubewatch.events import Event, InitApply
from kubewatch.streams import EventStream
from kubewatch.vitals import Vitals
from kubewatch.watcher import watcher

from .changes import Change, What, as_they_come, changes
from .connect import answered, api_for, client_for, form_of, label_of, output_of
from .messages import cause_of, tell
from .output import Form
from .progress import Progress, bar_fits
from .reader import ending_with_reader

# Answers that another try may change: the server was busy, or had forgotten what the list began with.
_PASSING = (408, 410, 429)


def run(arguments: argparse.Namespace) -> int:
    """Follow what the arguments name until told to end; returns the exit status.

    1 when the time was over before there was a whole list. Raises InvalidInput before any request, and KubewatchError
    for what no retry mends.
    """
    end = math.inf if arguments.seconds is None else time.monotonic() + arguments.seconds
    config = Config(label_selector=arguments.selector, field_selector=field_selector(arguments))
    mark = predicates.any_of(getattr(predicates, name) for name in arguments.predicate or ["resource_version"])
    with client_for(arguments) as client:
        api = answered(lambda: api_for(arguments, client), end)
        label, form = label_of(api), form_of(arguments, api, live=True)
        with Progress(label, shown=bar_fits(output_of(arguments))) as progress:
            stream = going_on(watcher(api, config), progress, label)
            if arguments.seconds is not None:
                stream = stream.until(arguments.seconds)
            with stream, ending_with_reader(sys.stdout, stream.stopper):
                events = counted(stream, stream.vitals, progress, config.page_size)
                found = as_they_come(events) if arguments.events else changes(events, mark)
                follow(found, form, label, only_changes=arguments.only_changes)
    if arguments.seconds is not None and stream.vitals.resource_version is None:
        tell(f"error: no whole list of {label} came in time: {reason(stream.vitals)}")
        return 1
    return 0


def reason(vitals: Vitals) -> str:
    """Why a watch has not come further, as far as is known."""
    if vitals.last_error is not None:
        return str(cause_of(vitals.last_error))
    return "the server has not answered" if vitals.heard_at is None else "it was still coming"


def field_selector(arguments: argparse.Namespace) -> str | None:
    """The field selector that is asked for, and the one that a NAME is."""
    names = [f"metadata.name={name}" for name in arguments.names]
    return ",".join(filter(None, [*names, arguments.field_selector])) or None


def going_on(stream: EventStream[Any], progress: Progress, label: str) -> EventStream[Any]:
    """The stream, which reports its errors and pauses after them; those that no retry mends it raises."""
    vitals = stream.vitals

    def report(details: Mapping[str, Any]) -> None:
        error, wait = details["exception"], details["wait"]
        progress.clear()
        if isinstance(error, DecodeFailed):
            tell(f"{label}: {error}; left out")
        else:
            tell(f"{label}: {cause_of(error)}; trying again in {wait:.1f} s")

    return stream.backoff(
        backoffs.default, jitter=backoffs.stretched, giveup=lambda error: is_final(error, vitals), on_backoff=report
    )


def is_final(error: WatchError, vitals: Vitals) -> bool:
    """Whether an error ends the command: before the first list is complete, and when a retry would not mend it."""
    if vitals.resource_version is not None:
        return False
    cause = cause_of(error)
    if isinstance(cause, ApiError):
        return 400 <= cause.code < 500 and cause.code not in _PASSING
    # Whoever spoke before, and is gone now, may come back. An address where nobody ever spoke may be wrong.
    return isinstance(cause, AuthError) or (isinstance(cause, Unreachable) and vitals.heard_at is None)


def counted(
    events: Iterable[Event[Any]], vitals: Vitals, progress: Progress, page_size: int | None
) -> Iterator[Event[Any]]:
    """The events; while those of the first list come, `progress` shows how many of how many."""
    done = 0
    for event in events:
        if isinstance(event, InitApply) and vitals.resource_version is None:
            done += 1
            left = vitals.remaining  # behind the page that is being handed out
            if page_size and (left or done > page_size):
                pages = -(-done // page_size)
                progress.at(done, pages * page_size + left if left else None)
        else:
            done = 0
            progress.clear()
        yield event


def follow(found: Iterable[Change], form: Form, label: str, *, only_changes: bool = False) -> None:
    """Show changes as they come."""
    nothing = True
    for change in found:
        if change.what is What.READY:
            form.flush()
            if nothing and sys.stderr.isatty():
                tell(f"no resources found ({label}); waiting for the first")
        else:
            nothing = False
            if not (only_changes and change.what is What.LISTED):
                form.show(change)
    form.flush()
