"""Whoever reads our output from a pipe may go away while there is nothing to write. Then there is nothing to watch for."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from collections.abc import Iterator

from kubewatch.stop import Stop


@contextlib.contextmanager
def ending_with_reader(descriptor: int, stop: Stop) -> Iterator[None]:
    """Within it, `stop` is told when the other end of a pipe or a socket is closed; other files have no reader.

    A thread called `kubewatch-reader` waits for that; it is joined at the end.
    """
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
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


def _wait(descriptor: int, wake: int, stop: Stop) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # nothing to wait for but errors, which always count: POLLERR, POLLHUP
    poll.register(wake, select.POLLIN)
    for ready, _ in poll.poll():
        if ready == descriptor:
            stop.stop()
