"""What this process has open, for tests that say that nothing is left open."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

_DESCRIPTORS = "/proc/self/fd"

counts_open_files = pytest.mark.skipif(
    not os.path.isdir(_DESCRIPTORS), reason="counts open files by /proc, which this system has not"
)


def open_files() -> set[tuple[int, str]]:
    """The descriptors, each with what it is open on: a path, or the number of a socket or a pipe."""
    found = set()
    for number in os.listdir(_DESCRIPTORS):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add((int(number), os.readlink(f"{_DESCRIPTORS}/{number}")))
    return found
