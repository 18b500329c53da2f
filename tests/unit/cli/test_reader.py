"""The end of whoever reads our output is noticed while there is nothing to write."""

from __future__ import annotations

import io
import os
import threading

from kubewatch.cli.reader import ending_with_reader
from kubewatch.stop import Stop

SOON = 30.0  # seconds; far more than it takes


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_a_closed_pipe_stops_the_watch_though_nothing_is_written() -> None:
    read, write = os.pipe()
    stop = Stop()
    with os.fdopen(write, "w") as output, ending_with_reader(output, stop):
        assert not stop.stopped
        os.close(read)
        assert stop.wait(SOON)
    assert "kubewatch-reader" not in names()


def test_a_pipe_that_is_read_from_stops_nothing_and_its_thread_is_joined() -> None:
    read, write = os.pipe()
    stop = Stop()
    with os.fdopen(write, "w") as output, ending_with_reader(output, stop):
        assert "kubewatch-reader" in names()
    assert "kubewatch-reader" not in names()
    assert not stop.stopped
    os.close(read)


def test_a_file_and_text_in_memory_have_no_reader(tmp_path: os.PathLike[str]) -> None:
    with open(os.path.join(tmp_path, "out"), "w") as file:
        for output in (file, io.StringIO()):
            with ending_with_reader(output, Stop()):
                assert "kubewatch-reader" not in names()
