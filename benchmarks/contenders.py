"""Who is measured, and how each is started: one program for all, told apart by their options (`measure.py`)."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Size(NamedTuple):
    """How much a contender is given to do; the slower it is, the less."""

    objects: int
    events: int


LARGE, MEDIUM, SMALL = Size(20_000, 50_000), Size(10_000, 20_000), Size(2_000, 4_000)

# Beneath these, a run of ours takes less than a second, its start excluded.
QUICK = {LARGE: Size(5_000, 10_000), MEDIUM: Size(2_000, 4_000), SMALL: Size(500, 1_000)}


class Contender(NamedTuple):
    """One row of the table. `runs` is the most that are made, None for as many as are asked for."""

    name: str
    command: tuple[str, ...]
    form: str
    size: Size = LARGE
    port: str = "http"
    runs: int | None = None

    def arguments(self, kubeconfig: str, size: Size) -> list[str]:
        """The whole command line."""
        options = ["--kubeconfig", kubeconfig, "--form", self.form]
        return [*self.command, *options, "--objects", str(size.objects), "--events", str(size.events)]


def _module(name: str, python: str = sys.executable) -> tuple[str, ...]:
    return (python, "-m", f"benchmarks.{name}")


_OURS = _module("clients.ours")
_BOUNDS = _module("clients.bounds")

OURS = [
    Contender("kubewatch", _OURS, "typed"),
    Contender("kubewatch, streaming list", _OURS, "streaming"),
    Contender("kubewatch, list in two chunks an object", _OURS, "typed", port="itemwise"),
    Contender("kubewatch, TLS", _OURS, "typed", port="https"),
    Contender("kubewatch, managedFields pruned", _OURS, "pruned"),
    Contender("kubewatch, predicates.generation", _OURS, "predicates"),
    Contender("kubewatch, typed model", _OURS, "model"),
    Contender("kubewatch metadata", _OURS, "metadata"),
    Contender("kubewatch metadata, streaming list", _OURS, "metadata-streaming"),
    Contender("kubewatch metadata, managedFields pruned", _OURS, "metadata-pruned"),
]

BOUNDS = [
    Contender("receive only, socket", _BOUNDS, "socket"),
    Contender("receive only, http.client", _BOUNDS, "receive"),
    Contender("msgspec prototype", _BOUNDS, "prototype"),
]
