"""What every measured Python client shares: its options, and the one line of JSON it prints.

    PROGRAM --kubeconfig FILE --form FORM --objects N --events M

It imports the standard library alone, as peers have environments of their own.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from typing import NamedTuple


class Task(NamedTuple):
    """What to do: follow pods of all namespaces, `objects` of them, through `events` changes."""

    kubeconfig: str
    form: str
    objects: int
    events: int


def parse_task(forms: Sequence[str]) -> Task:
    """The task that the command line gives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--objects", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    given = parser.parse_args()
    return Task(given.kubeconfig, given.form, given.objects, given.events)


def resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def cpu() -> float:
    """Seconds of user and system time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Measurement:
    """Takes the times: make it just before the client starts; call `ready`, then `done`."""

    def __init__(self, task: Task, client: str, version: str) -> None:
        self._result: dict[str, str | int | float] = {"client": client, "version": version, **task._asdict()}
        del self._result["kubeconfig"]
        self._result["rss_before"] = resident()
        self._cpu, self._wall = cpu(), time.perf_counter()

    def ready(self) -> None:
        """The store holds all objects."""
        self._take("list")
        self._result["rss_after"] = resident()
        self._cpu, self._wall = cpu(), time.perf_counter()

    def done(self, *, stored: int) -> None:
        """The last change is in the store, which holds `stored` objects: prints the line."""
        self._take("watch")
        if stored != self._result["objects"]:
            raise RuntimeError(f"the store holds {stored} objects, not {self._result['objects']}")
        print(json.dumps(self._result), flush=True)

    def _take(self, phase: str) -> None:
        self._result[f"{phase}_cpu"] = cpu() - self._cpu
        self._result[f"{phase}_wall"] = time.perf_counter() - self._wall
