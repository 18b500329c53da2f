"""What the guard counts: calls, instructions, bytes, and objects that the garbage collector visits. Never time."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(work: Callable[[], object]) -> int:
    """How many functions are called by `work` on this thread: Python's own, and those in C that it calls."""
    count = 0

    def count_one(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(count_one)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def calls_of_all_threads(work: Callable[[], object]) -> int:
    """The same, of this thread and of those that are started meanwhile."""
    count = 0

    def count_one(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    threading.setprofile(count_one)
    try:
        work()
    finally:
        threading.setprofile(None)
    return count


def instructions(work: Callable[[], object]) -> int:
    """How many bytecode instructions `work` takes on this thread."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def kept_bytes(work: Callable[[], object]) -> tuple[int, object]:
    """Bytes that are allocated after `work` and were not before; and what it returned, which keeps them."""
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, result
    finally:
        tracemalloc.stop()


def visited(work: Callable[[], object]) -> tuple[int, object]:
    """How many more objects the garbage collector visits after `work`; and what it returned, which keeps them."""
    gc.collect()
    before = len(gc.get_objects())
    result = work()
    gc.collect()
    return len(gc.get_objects()) - before, result
