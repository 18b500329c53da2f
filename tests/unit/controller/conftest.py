"""After each test of controllers no thread of theirs is left; a test that hangs says where."""

from __future__ import annotations

import faulthandler
import threading
from collections.abc import Iterator

import pytest

# Seconds; far more than any of these tests takes.
PATIENCE = 120


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    before = set(threading.enumerate())
    yield
    faulthandler.cancel_dump_traceback_later()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("kubewatch")]
    assert not left
