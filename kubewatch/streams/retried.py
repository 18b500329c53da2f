"""`backoff`: consume errors, and wait before the next pull."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import msgspec

from kubewatch.backoffs import WaitGenerator, Waits, primed
from kubewatch.errors import DecodeFailed, FunctionFailed, WatchError
from kubewatch.events import Init, InitApply
from kubewatch.stop import Stop

from .inband import InBand

logger = logging.getLogger(__name__)

Handler = Callable[[Any], object]

# Seconds. A server that asks for a longer pause is taken to be mistaken, and the computed wait counts.
MAX_RETRY_AFTER = 3600.0


class Policy(msgspec.Struct, frozen=True):
    """When to wait how long, and when to give up; the words mean what they mean in the `backoff` library."""

    wait_gen: WaitGenerator
    wait_gen_args: Mapping[str, Any] = {}
    max_tries: int | Callable[[], int | None] | None = None
    max_time: float | Callable[[], float | None] | None = None
    giveup: Callable[[WatchError], bool] | None = None
    on_backoff: tuple[Handler, ...] = ()
    on_giveup: tuple[Handler, ...] = ()
    jitter: Callable[[float], float] | None = None

    def waits(self) -> Waits:
        """The waits of a row of errors, from the beginning."""
        return primed(self.wait_gen, **{name: _now(value) for name, value in self.wait_gen_args.items()})


class Failures:
    """Errors in a row, with no success between them: how many, since when, and what that means."""

    def __init__(self, policy: Policy, clock: Callable[[], float], details: Mapping[str, Any]) -> None:
        self._policy = policy
        self._clock = clock
        self._details = details
        self._tries = 0
        self._since = clock()
        self._max_tries = policy.max_tries() if callable(policy.max_tries) else policy.max_tries
        self._max_time = policy.max_time() if callable(policy.max_time) else policy.max_time
        self._waits = policy.waits()

    def wait_after(self, error: WatchError) -> float | None:
        """Seconds to wait before the next try, or None to give up; the handlers were called."""
        self._tries += 1
        elapsed = self._clock() - self._since
        seconds = self._seconds(error, elapsed)
        details = {**self._details, "tries": self._tries, "elapsed": elapsed, "exception": error}
        if seconds is None:
            logger.error("%s: %s; giving up, try %d was the last", details["label"], error, self._tries)
            _call(self._policy.on_giveup, details)
            return None
        logger.warning("%s: %s; trying again in %.1f s", details["label"], error, seconds)
        _call(self._policy.on_backoff, {**details, "wait": seconds})
        return seconds

    def _seconds(self, error: WatchError, elapsed: float) -> float | None:
        policy, max_time = self._policy, self._max_time
        if policy.giveup is not None and policy.giveup(error):
            return None
        if self._tries == self._max_tries or (max_time is not None and elapsed >= max_time):
            return None
        try:
            seconds: float = self._waits.send(error)
        except StopIteration:
            return None
        if policy.jitter is not None:
            seconds = policy.jitter(seconds)
        if max_time is not None:
            seconds = min(seconds, max_time - elapsed)
        asked = error.retry_after
        if asked is not None and asked <= MAX_RETRY_AFTER:
            seconds = max(seconds, asked)
        return seconds


def retry(items: InBand, policy: Policy, stop: Stop, clock: Callable[[], float], label: str) -> InBand:
    """The items without their errors; after each error a pause, in which nothing is pulled.

    Giving up hands the error out, as the last item. What ends a row of failures: a completed list, a live change, or an
    object that came without an event. The beginning and the objects of a list do not: a list that always breaks
    half-way is asked for more and more slowly.

    Two errors are no reason to wait: an object that cannot be decoded (it is logged and left out), and a function of
    the user's that failed (it is handed on: no retry mends it).
    """
    details = {"target": items.__next__, "args": (), "kwargs": {}, "label": label}
    failures: Failures | None = None
    with closing(items):
        for item in items:
            kind = type(item)
            if kind is InitApply or kind is Init:
                yield item
            elif not isinstance(item, WatchError):
                failures = None
                yield item
            elif isinstance(item, FunctionFailed):
                yield item
            elif isinstance(item, DecodeFailed):
                where = {"kind": item.kind, "namespace": item.namespace, "object_name": item.object_name}
                at_once = {**details, "tries": 1, "elapsed": 0.0, "exception": item}
                if policy.giveup is not None and policy.giveup(item):
                    logger.error("%s: %s; giving up", label, item, extra=where)
                    _call(policy.on_giveup, at_once)
                    yield item
                    return
                logger.warning("%s: %s; left out", label, item, extra=where)
                _call(policy.on_backoff, {**at_once, "wait": 0.0})
            else:
                if failures is None:
                    failures = Failures(policy, clock, details)
                seconds = failures.wait_after(item)
                if seconds is None:
                    yield item
                    return
                if stop.wait(seconds):
                    return


def _now(value: Any) -> Any:
    # As in the backoff library: an argument of a wait generator may be a function that is asked when it is needed. One
    # that cannot be called without arguments is a value itself (the `value` of `backoff.runtime`).
    if not callable(value):
        return value
    try:
        return value()
    except TypeError:
        return value


def _call(handlers: tuple[Handler, ...], details: dict[str, Any]) -> None:
    for handler in handlers:
        handler(details)
