"""What kubewatch sets out to reach, and whether it does: each target is one line of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .contenders import FLOOR
from .pods import TYPED, render
from .results import Results
from .rounds import Figure, Outcome

# Bytes of JSON of a pod, as it comes in a list and is kept.
KEPT = len(render(TYPED.in_list, 1, 1))


class Target(NamedTuple):
    """A target, what was measured (None: not measured), and the limit; `unit` follows the number.

    `floor` is what the least that fills a dict in Python would reach.
    """

    text: str
    measured: float | None
    limit: float
    unit: str = " times"
    at_most: bool = False
    floor: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit


def targets(results: Results) -> list[Target]:
    """All of them, in order."""
    return [*_speed(results), *_real(results), *_memory(results), *_streams(results), *_process(results)]


Phase = Literal["listed", "watched", "memory"]


def _median(outcome: Outcome | None, phase: Phase) -> float | None:
    if outcome is None:
        return None
    figure: Figure = getattr(outcome, phase)
    return figure.median


def _over(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _speed(results: Results) -> Iterator[Target]:
    def ratio(ours: str, theirs: str, phase: Phase) -> float | None:
        return _over(_median(results.client(ours), phase), _median(results.client(theirs), phase))

    watch, streaming, paged = "watch into a store", "streaming list into a store", "paged list into a store"
    metadata, streamed, models = "kubewatch metadata", "kubewatch, streaming list", "kubernetes, Watch with models"

    def target(text: str, ours: str, theirs: str, phase: Phase, limit: float) -> Target:
        return Target(text, ratio(ours, theirs, phase), limit, floor=ratio(FLOOR, theirs, phase))

    prototype = "msgspec prototype"
    yield target(f"{watch}, beside kube-rs typed", "kubewatch", "kube-rs", "watched", 8)
    yield target(f"{watch}, beside client-go JSON", "kubewatch", "client-go", "watched", 25)
    yield target(f"{watch}, beside the official models", "kubewatch", models, "watched", 50)
    yield target(f"{watch}, beside the msgspec prototype", "kubewatch", prototype, "watched", 1.7)
    for theirs, limit in (("kube-rs", 8), ("client-go", 25)):
        yield target(f"{streaming}, beside {theirs}'s", streamed, f"{theirs}, streaming list", "listed", limit)
        yield target(f"{streaming}, beside {theirs}'s paged list", streamed, theirs, "listed", limit)
    yield target(f"{streaming}, beside the official models' paged list", streamed, models, "listed", 50)
    yield target(f"{streaming}, beside the prototype's paged list", streamed, prototype, "listed", 1.7)
    yield target(f"{paged}, beside kube-rs typed", "kubewatch", "kube-rs", "listed", 4)
    yield target(f"{paged}, beside the msgspec prototype", "kubewatch", prototype, "listed", 1.7)
    yield Target("metadata watch, beside kube-rs's", ratio(metadata, "kube-rs metadata", "watched"), 4)
    yield Target("metadata list, beside kube-rs's", ratio(metadata, "kube-rs metadata", "listed"), 4)


def _real(results: Results) -> Iterator[Target]:
    real = results.real
    if real is None:
        return
    text = f"real server: initial list of {real.size.objects} objects, beside curl fetching the same pages"
    yield Target(text, _over(real.listed.median, real.fetched.median), 1.1, " of its time", at_most=True)
    for how, outcomes in (("changes all at once", real.at_once), ("changes as they come", real.as_they_come)):
        ours, theirs = (
            next((each for each in outcomes if each.name == name), None)
            for name in ("kubewatch", "client-go, protobuf")
        )
        ratio = _over(_median(ours, "watched"), _median(theirs, "watched"))
        yield Target(f"real server: watch into a store, beside client-go with protobuf, {how}", ratio, 4)


def _memory(results: Results) -> Iterator[Target]:
    limit = 1.15 * KEPT + 1024
    for name in ("kubewatch", "kubewatch, streaming list"):
        kept = _median(results.client(name), "memory")
        yield Target(f"memory, {name.removeprefix('kubewatch, ')}: bytes per pod of {KEPT}", kept, limit, " B", True)
    pruned = _median(results.client("kubewatch, managedFields pruned"), "memory")
    share = _over(pruned, _median(results.client("kube-rs metadata"), "memory"))
    yield Target("memory with managedFields pruned, beside kube-rs's metadata", share, 0.5, " of its bytes", True)
    tracked = results.figure("reading", "tracked")
    yield Target("objects in a store that the cyclic garbage collector visits", tracked, 0, "", True)


def _streams(results: Results) -> Iterator[Target]:
    ticker, flask = results.figure("sync, ticker", "longest_ms"), results.figure("sync, flask", "p99_ms")
    yield Target("initial list of 100 000 pods: longest wait of another thread", ticker, 10, " ms", True)
    yield Target("initial list of 100 000 pods: a Flask request meanwhile, p99", flask, 20, " ms", True)
    for stage, figure in sorted(results.trials.get("stages", {}).items()):
        if not stage.startswith(("hash of", "cut of")):
            yield Target(f"{stage}, beside the function that it calls, an event", figure.median, 1, " µs", True)


def _process(results: Results) -> Iterator[Target]:
    def at_most(text: str, trial: str, name: str, limit: float, unit: str) -> Target:
        return Target(text, results.figure(trial, name), limit, unit, at_most=True)

    runs = results.figure("controller", "reconciles_per_cpu_second")
    yield Target("controller: no-op reconciles a second of CPU", runs, 20_000, "")
    began = "controller at 1 000 changes/s, from event received to reconcile begun"
    yield at_most(f"{began}, p50", "controller latency", "received_p50_ms", 0.3, " ms")
    yield at_most(f"{began}, p99", "controller latency", "received_p99_ms", 3, " ms")
    yield at_most("controller: memory per object beyond the store", "controller", "bytes_per_known_object", 400, " B")
    yield at_most("stop() of a stream blocked in its watch, p99", "stop", "p99_ms", 10, " ms")
    yield at_most("the same with TLS", "stop, TLS", "p99_ms", 10, " ms")
    yield at_most("import kubewatch", "start", "import_ms", 60, " ms")
    yield at_most("import kubewatch: imports of the official client", "start", "official_client_loaded", 0, "")
    yield at_most("kubewatch get pods", "start", "get_pods_seconds", 0.7, " s")
    yield Target("store.get from 8 threads during a watch, beside a dict", results.figure("reading", "share"), 0.5)
