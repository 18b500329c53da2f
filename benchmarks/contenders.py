"""Who is measured, and how each is started: one program for all, told apart by their options (`measure.py`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .builds import client_go, kube_rs, python_environment


class Size(NamedTuple):
    """How much a contender is given to do; the slower it is, the less."""

    objects: int
    events: int


LARGE, MEDIUM, SMALL, TINY = Size(20_000, 50_000), Size(10_000, 20_000), Size(2_000, 4_000), Size(500, 1_000)

# Beneath these, a run of ours takes less than a second, its start excluded.
QUICK = {LARGE: Size(5_000, 10_000), MEDIUM: Size(2_000, 4_000), SMALL: Size(500, 1_000), TINY: Size(100, 200)}


class Contender(NamedTuple):
    """One row of the table.

    `command` makes the program, where it has to be built, and says how it is started; it raises Unavailable. `runs` is
    the most that are made, None for as many as are asked for. `environment` are variables that the process gets
    besides ours.
    """

    name: str
    command: Callable[[], Sequence[str]]
    form: str
    size: Size = LARGE
    port: str = "http"
    runs: int | None = None
    environment: tuple[tuple[str, str], ...] = ()

    def arguments(self, kubeconfig: str, size: Size) -> list[str]:
        """The whole command line; raises Unavailable."""
        options = ["--kubeconfig", kubeconfig, "--form", self.form]
        return [*self.command(), *options, "--objects", str(size.objects), "--events", str(size.events)]


def _ours() -> Sequence[str]:
    return sys.executable, "-m", "benchmarks.clients.ours"


def _bounds() -> Sequence[str]:
    return sys.executable, "-m", "benchmarks.clients.bounds"


def _floor() -> Sequence[str]:
    return sys.executable, "-m", "benchmarks.clients.floor"


def _kube_rs() -> Sequence[str]:
    return (kube_rs(),)


def _client_go() -> Sequence[str]:
    return (client_go(),)


def _peer(name: str, module: str, form: str = "typed", size: Size = SMALL) -> Contender:
    def command() -> Sequence[str]:
        return python_environment(), "-m", f"benchmarks.peers.python.{module}"

    return Contender(name, command, form, size, runs=3)


# Whether client-go lists by pages or by streaming.
WITHOUT_STREAMING = (("KUBE_FEATURE_WatchListClient", "false"),)
WITH_STREAMING = (("KUBE_FEATURE_WatchListClient", "true"),)


OURS = [
    Contender("kubewatch", _ours, "typed"),
    Contender("kubewatch, streaming list", _ours, "streaming"),
    Contender("kubewatch, list in two chunks an object", _ours, "typed", port="itemwise"),
    Contender("kubewatch, TLS", _ours, "typed", port="https"),
    Contender("kubewatch, managedFields pruned", _ours, "pruned"),
    Contender("kubewatch, predicates.generation", _ours, "predicates"),
    Contender("kubewatch, typed model", _ours, "model"),
    Contender("kubewatch metadata", _ours, "metadata"),
    Contender("kubewatch metadata, streaming list", _ours, "metadata-streaming"),
    Contender("kubewatch metadata, managedFields pruned", _ours, "metadata-pruned"),
]

FLOOR = "the least in Python"

BOUNDS = [
    Contender("receive only, socket", _bounds, "socket"),
    Contender("receive only, http.client", _bounds, "receive"),
    Contender("msgspec prototype", _bounds, "prototype"),
    Contender(FLOOR, _floor, "typed"),
]

PEERS = [
    Contender("kube-rs", _kube_rs, "typed", MEDIUM),
    Contender("kube-rs, streaming list", _kube_rs, "streaming", MEDIUM),
    Contender("kube-rs metadata", _kube_rs, "metadata", MEDIUM),
    Contender("client-go", _client_go, "typed", MEDIUM, runs=3, environment=WITHOUT_STREAMING),
    Contender("client-go, streaming list", _client_go, "typed", MEDIUM, runs=3, environment=WITH_STREAMING),
    Contender("client-go metadata", _client_go, "metadata", MEDIUM, runs=3, environment=WITHOUT_STREAMING),
    _peer("lightkube", "lightkube_peer"),
    _peer("kubernetes, Watch with models", "official", "models"),
    _peer("kubernetes, informer", "official", "informer"),
    _peer("kubernetes, dynamic client", "official", "dynamic"),
    _peer("pykube-ng", "pykube_peer"),
    _peer("kopf", "kopf_peer"),
    _peer("kr8s", "kr8s_peer", size=TINY),
]
