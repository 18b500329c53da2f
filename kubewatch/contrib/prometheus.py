"""Metrics for Prometheus, of controllers that run and of stores; `pip install 'kubewatch[metrics]'`.

    from prometheus_client import REGISTRY
    REGISTRY.register(Collector(controllers={"shop": running}, stores={"pods": pods}))

`kubewatch run` does this by itself. Everything is read when Prometheus asks, and costs nothing between. What
controller-runtime has, too, goes by its name, so that dashboards for it work; the rest begins with `kubewatch_`.
https://book.kubebuilder.io/reference/metrics-reference
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client import registry as registries
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from kubewatch.controller.running import RunningController
from kubewatch.controller.telemetry import BOUNDS, Durations
from kubewatch.errors import StaleAfterFork
from kubewatch.store import Store
from kubewatch.vitals import Vitals

_NONE: Mapping[str, Any] = MappingProxyType({})
# Told from the beginning, so that the first of each is seen as a rise.
_CAUSES = dict.fromkeys(("closed", "idle", "expired", "failed", "no_version"), 0)
_LE = [*map(str, BOUNDS), "+Inf"]


def exposition(accept: str = "", registry: CollectorRegistry = REGISTRY) -> tuple[str, bytes]:
    """The content type and the body of an answer to `/metrics`; `accept` is the request's Accept header.

    >>> content_type, body = exposition(request.headers.get("Accept", ""))                  # doctest: +SKIP
    """
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


class Collector(registries.Collector):
    """Controllers and stores, by the names that they have in metrics; both mappings are read anew at each scrape.

    The stores and watches of the controllers are among them, with the label `controller`.
    """

    def __init__(
        self,
        controllers: Mapping[str, RunningController] = _NONE,
        stores: Mapping[str, Store[Any]] = _NONE,
    ) -> None:
        self._controllers = controllers
        self._stores = stores

    def collect(self) -> Iterable[Metric]:
        """The metrics at this moment. In a forked child, what runs in the parent is neither healthy nor ready."""
        controllers = dict(self._controllers)
        yield from _controllers(controllers)
        yield from _queues(controllers)
        stores = {("", name): store for name, store in dict(self._stores).items()}
        vitals = {name: store._fresh.vitals for name, store in stores.items()}
        watches = {name: each for name, each in vitals.items() if each is not None}
        for controller, running in controllers.items():
            stores.update(((controller, label), store) for label, store in running.stores.items())
            watches.update(((controller, label), each) for label, each in running.watches.items())
        yield from _told_of_stores(stores)
        yield from _told_of_watches(watches)


_Name = tuple[str, str]  # the controller, "" for none, and the label


def _controllers(controllers: Mapping[str, RunningController]) -> Iterator[Metric]:
    labels = ["controller"]
    healthy = GaugeMetricFamily("kubewatch_controller_healthy", "1 as long as it has not ended.", labels=labels)
    ready = GaugeMetricFamily("kubewatch_controller_ready", "1 when its stores are filled.", labels=labels)
    total = CounterMetricFamily(
        "controller_runtime_reconcile", "Reconciles that ended, by their result.", labels=["controller", "result"]
    )
    errors = CounterMetricFamily("controller_runtime_reconcile_errors", "Reconciles that raised.", labels=labels)
    took = HistogramMetricFamily(
        "controller_runtime_reconcile_time_seconds", "How long reconciles took.", labels=labels
    )
    active = GaugeMetricFamily("controller_runtime_active_workers", "Reconciles under way.", labels=labels)
    most = GaugeMetricFamily(
        "controller_runtime_max_concurrent_reconciles", "Reconciles under way, at most.", labels=labels
    )
    for name, running in controllers.items():
        healthy.add_metric([name], running.healthy)
        ready.add_metric([name], running.ready)
        most.add_metric([name], running.concurrency)
        if (stats := _stats(running)) is None:
            continue
        results = {"success": stats.runs - stats.failures - stats.requeues, "requeue_after": stats.requeues}
        for result, count in {**results, "error": stats.failures}.items():
            total.add_metric([name, result], count)
        errors.add_metric([name], stats.failures)
        _add(took, [name], stats.took)
        active.add_metric([name], stats.running)
    return iter((healthy, ready, total, errors, took, active, most))


def _queues(controllers: Mapping[str, RunningController]) -> Iterator[Metric]:
    labels = ["name", "controller"]
    depth = GaugeMetricFamily("workqueue_depth", "Objects that are due and wait for a worker.", labels=labels)
    adds = CounterMetricFamily("workqueue_adds", "How often an object became due.", labels=labels)
    retries = CounterMetricFamily(
        "workqueue_retries",
        "Runs that were asked for after a while, by the reconciler or after an error.",
        labels=labels,
    )
    waited = HistogramMetricFamily(
        "workqueue_queue_duration_seconds", "How long objects were due before they were reconciled.", labels=labels
    )
    took = HistogramMetricFamily(
        "workqueue_work_duration_seconds", "How long it took to reconcile an object.", labels=labels
    )
    unfinished = GaugeMetricFamily(
        "workqueue_unfinished_work_seconds", "How long all reconciles under way have been, together.", labels=labels
    )
    longest = GaugeMetricFamily(
        "workqueue_longest_running_processor_seconds", "How long the first of them has been under way.", labels=labels
    )
    for name, running in controllers.items():
        if (stats := _stats(running)) is None:
            continue
        depth.add_metric([name, name], stats.depth)
        adds.add_metric([name, name], stats.added)
        retries.add_metric([name, name], stats.delayed)
        _add(waited, [name, name], stats.waited)
        _add(took, [name, name], stats.took)
        unfinished.add_metric([name, name], stats.all_runs)
        longest.add_metric([name, name], stats.longest_run)
    return iter((depth, adds, retries, waited, took, unfinished, longest))


def _told_of_stores(stores: Mapping[_Name, Store[Any]]) -> Iterator[Metric]:
    labels = ["controller", "store"]
    ready = GaugeMetricFamily("kubewatch_store_ready", "1 when a list was complete once.", labels=labels)
    objects = GaugeMetricFamily("kubewatch_store_objects", "Objects in the store.", labels=labels)
    age = GaugeMetricFamily(
        "kubewatch_store_age_seconds",
        "Seconds since the server was last heard from, bookmarks included.",
        labels=labels,
    )
    for name, store in stores.items():
        ready.add_metric(name, store.is_ready)
        age.add_metric(name, store.age)
        try:
            objects.add_metric(name, len(store))
        except StaleAfterFork:
            continue
    return iter((ready, objects, age))


def _told_of_watches(watches: Mapping[_Name, Vitals]) -> Iterator[Metric]:
    labels = ["controller", "watch"]
    failing = GaugeMetricFamily(
        "kubewatch_watch_failing", "1 when nothing good came since the newest error.", labels=labels
    )
    age = GaugeMetricFamily(
        "kubewatch_watch_age_seconds",
        "Seconds since the server was last heard from, bookmarks included.",
        labels=labels,
    )
    restarts = CounterMetricFamily(
        "kubewatch_watch_restarts", "How often a watch was begun anew, by the cause.", labels=[*labels, "cause"]
    )
    dropped = CounterMetricFamily(
        "kubewatch_watch_dropped_objects",
        "Objects that were left out: undecodable ones, and those that a function given to modify failed on.",
        labels=[*labels, "cause"],
    )
    for name, vitals in watches.items():
        failing.add_metric(name, vitals.failing)
        if vitals.heard_at is not None or vitals.failing:  # else it is none of a server, or has just begun
            age.add_metric(name, vitals.age)
        for cause, count in {**_CAUSES, **vitals.restarts}.items():
            restarts.add_metric([*name, cause], count)
        dropped.add_metric([*name, "undecodable"], vitals.undecodable)
        dropped.add_metric([*name, "modify"], vitals.unmodified)
    return iter((failing, age, restarts, dropped))


def _stats(running: RunningController) -> Any:
    try:
        return running.stats
    except StaleAfterFork:
        return None


def _add(family: HistogramMetricFamily, labels: list[str], durations: Durations) -> None:
    counts = accumulate(durations.counts)
    family.add_metric(labels, list(zip(_LE, counts, strict=True)), durations.sum)
