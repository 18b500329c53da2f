"""Signals: SIGINT and SIGTERM end a controller, the second one without waiting for what runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kubewatch.errors import InvalidInput

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handled(first: Callable[[], None], second: Callable[[], None]) -> Iterator[Sequence[int]]:
    """Within, the first signal calls `first`, any other `second`; both must be safe in a signal handler.

    Gives the numbers of the signals that have come so far. The handlers that were there before are put back. Raises
    InvalidInput on any thread but the main one, as Python runs signal handlers there only.
    """
    if threading.current_thread() is not threading.main_thread():
        raise InvalidInput(
            "shutdown_on_signal works only where the main thread pulls the results, as Python handles signals there; "
            "elsewhere use graceful_shutdown_on(event), or stop() of what start() gives"
        )
    calls = iter((first,))
    came: list[int] = []

    def handler(number: int, frame: Any) -> None:
        came.append(number)
        next(calls, second)()

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield came
    finally:
        if threading.current_thread() is threading.main_thread():  # else it is dropped by another thread
            for number, previous in before.items():
                signal.signal(number, signal.SIG_DFL if previous is None else previous)
