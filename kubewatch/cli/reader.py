"""Whoever reads our output from a pipe may go away while there is nothing to write: nobody is left to watch for."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from collections.abc import Iterator
from typing import TextIO

from kubewatch.stop import Stop


@contextlib.contextmanager
def ending_with_reader(output: TextIO, stop: Stop) -> Iterator[None]:
    """Within it, `stop` is told when whoever reads `output` closes it, where that is a pipe or a socket.

    A thread called `kubewatch-reader` waits for that; it is joined at the end.
    """
    descriptor = _reader_of(output)
    if descriptor is None:
        yield
        return
    wake, waker = os.pipe()
    thread = threading.Thread(target=_wait, args=(descriptor, wake, stop), name="kubewatch-reader", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(waker)
        thread.join()
        os.close(wake)


def _reader_of(output: TextIO) -> int | None:
    try:
        descriptor = output.fileno()
    except OSError:  # text in memory
        return None
    mode = os.fstat(descriptor).st_mode
    return descriptor if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def _wait(descriptor: int, wake: int, stop: Stop) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # nothing to wait for but errors, which always count: POLLERR, POLLHUP
    poll.register(wake, select.POLLIN)
    for ready, _ in poll.poll():
        if ready == descriptor:
            stop.stop()
