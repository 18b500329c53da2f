"""Waiting for what nothing can interrupt, such as resolving a name or a login plugin, and being able to leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, wait
from typing import Generic, TypeVar

from .errors import Unreachable
from .stop import FOLLOW_INTERVAL, Stop

T = TypeVar("T")


def aside(
    work: Callable[[], T],
    stop: Stop | None = None,
    seconds: float = float("inf"),
    discard: Callable[[T], object] = lambda result: None,
) -> T:
    """What `work()` returns or raises. It runs on a thread of its own, so that the caller can leave at any time.

    >>> aside(lambda: 6 * 7, Stop())
    42

    The caller leaves within 50 ms of `stop`, by an Unreachable; after `seconds`, by a TimeoutError; and by Ctrl-C at
    once. The work then goes on to its own end, and `discard` is called with what it still brings. Where there is
    nothing to leave for, and where an interpreter on its way out starts no threads, it runs on the caller's thread.
    """
    if stop is None and seconds == float("inf"):
        return work()
    if stop is not None and stop.stopped:
        raise Unreachable("stopped")
    outcome: Future[T] = Future()
    thread = threading.Thread(target=_run, args=(work, outcome), name="kubewatch-aside", daemon=True)
    end = time.monotonic() + seconds
    try:
        thread.start()
    except RuntimeError:
        return work()
    try:
        while not wait((outcome,), min(FOLLOW_INTERVAL, end - time.monotonic())).done:
            if stop is not None and stop.stopped:
                raise Unreachable("stopped")
            if time.monotonic() >= end:
                raise TimeoutError(f"not done within {seconds:g} s")
    except BaseException:
        outcome.add_done_callback(lambda late: None if late.exception() else discard(late.result()))
        raise
    thread.join()
    return outcome.result()


def _run(work: Callable[[], T], outcome: Future[T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # it is raised where the outcome is waited for
        outcome.set_exception(error)
    del outcome  # or the error's traceback would hold it, and it the error


class Together(Generic[T]):
    """Of all threads that want the same at the same time one gets it; the others get what that one got, or its error.

    >>> Together().get("answer", lambda: 42)
    42
    """

    def __init__(self) -> None:
        # Guards `_under_way`; held for no longer than a look.
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[T]] = {}

    def get(self, wanted: Hashable, work: Callable[[], T]) -> T:
        """What `work()` returns or raises, here or where it is under way for the same `wanted`."""
        while True:
            with self._lock:
                theirs = self._under_way.get(wanted)
                if theirs is None:
                    mine = self._under_way[wanted] = Future[T]()
                    break
            try:
                return theirs.result()
            except CancelledError:  # that thread was interrupted: it says nothing about the work
                continue
        try:
            result = work()
            mine.set_result(result)
            return result
        except Exception as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[wanted]
            mine.cancel()  # without effect where there is an outcome
            del mine
