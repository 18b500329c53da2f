"""How long to wait after an error: wait generators, in the shape of the `backoff` library's.

A wait generator yields None first (it is primed by that), then takes an error by `send` and yields the seconds to wait.
https://github.com/litl/backoff#readme
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from typing import Any

from .errors import InvalidInput

Waits = Generator[Any, Any, None]
WaitGenerator = Callable[..., Waits]


def primed(wait_gen: WaitGenerator, /, **wait_gen_args: Any) -> Waits:
    """A wait generator that is ready to be sent the first error.

    >>> waits = primed(exponential, minimum=0.1)
    >>> [waits.send(OSError()) for _ in range(3)]
    [0.1, 0.2, 0.4]
    """
    waits = wait_gen(**wait_gen_args)
    next(waits)
    return waits


def exponential(minimum: float = 0.8, maximum: float = 30.0, factor: float = 2.0) -> Waits:
    """`minimum` seconds, then `factor` times as long each time, up to `maximum` seconds.

    Raises InvalidInput unless 0 < minimum <= maximum and factor >= 1.
    """
    if not (0 < minimum <= maximum and factor >= 1):
        raise InvalidInput(
            f"exponential needs 0 < minimum <= maximum (seconds) and factor >= 1, not {minimum}, {maximum}, {factor}"
        )
    from backoff import expo  # not before there is an error to wait after, as it imports asyncio

    return expo(base=factor, factor=minimum, max_value=maximum)


def resetting(
    wait_gen: WaitGenerator,
    after: float = 120.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    **wait_gen_args: Any,
) -> Waits:
    """The waits of `wait_gen`, from the beginning again when the last error is more than `after` seconds ago.

    For a stream: `.backoff(lambda: backoffs.resetting(backoff.fibo, after=60.0))`.
    https://docs.rs/kube-runtime/latest/kube_runtime/utils/struct.ResetTimerBackoff.html
    """
    error = yield None
    waits = primed(wait_gen, **wait_gen_args)
    last = math.inf
    while True:
        now = clock()
        if now - last > after:
            waits = primed(wait_gen, **wait_gen_args)
        last = now
        try:
            wait = waits.send(error)
        except StopIteration:
            return
        error = yield wait


def default() -> Waits:
    """client-go's values: 0.8 s to 30 s, doubling, from the beginning again after 120 s without an error.

    https://docs.rs/kube-runtime/latest/kube_runtime/watcher/struct.DefaultBackoff.html
    """
    return resetting(exponential)


def full_jitter(seconds: float) -> float:
    """Jitter as the `backoff` library has it by default: a random part of the wait, from none to all of it."""
    from random import uniform  # not before there is an error to wait after

    return uniform(0, seconds)


def stretched(seconds: float) -> float:
    """Jitter that adds up to as much again: clients that failed together do not return together."""
    from random import random

    return seconds + seconds * random()
