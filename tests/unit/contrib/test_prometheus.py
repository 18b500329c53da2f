"""Metrics, read as Prometheus reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the extra kubewatch[metrics] is not installed")

from prometheus_client import CollectorRegistry  # after what skips these tests without it
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from kubewatch import Action, Controller, Object, WatchStartFailed, store
from kubewatch.contrib.prometheus import Collector, exposition
from kubewatch.controller import RunningController
from kubewatch.testing import FakeClock
from tests.unit.controller.harness import PATIENCE, Feed, Held, quiet
from tests.unit.stored import pod


def scraped(*collectors: Collector) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels in the order of their names."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    _, body = exposition(registry=registry)
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


class Counted:
    """A reconciler that fails for `bad`, asks for another run of `again`, and counts."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __call__(self, obj: Object, context: Any) -> Action:
        self._clock.advance(0.2)
        if obj.name == "bad":
            raise ValueError
        return Action.requeue(60) if obj.name == "again" else Action.await_change()


@contextmanager
def running(feed: Feed, reconcile: Any = quiet, **config: Any) -> Iterator[RunningController]:
    controller = Controller.for_stream(feed.reflected(), feed.reader).with_config(**config)
    with controller.start(reconcile, lambda obj, error, context: Action.requeue(60)) as started:
        yield started


def test_reconciles_are_told_by_their_result_and_with_how_long_they_took() -> None:
    clock = FakeClock()
    feed = Feed().list(pod("good"), pod("bad"), pod("again"))
    with running(feed, Counted(clock), clock=clock, concurrency=1) as shop:
        clock.wait_for_sleeper(60.4)  # when `bad` is tried again
        told = scraped(Collector({"shop": shop}))
    assert told["controller_runtime_reconcile_total", "shop", "success"] == 1
    assert told["controller_runtime_reconcile_total", "shop", "requeue_after"] == 1
    assert told["controller_runtime_reconcile_total", "shop", "error"] == 1
    assert told["controller_runtime_reconcile_errors_total", "shop"] == 1
    assert told["controller_runtime_max_concurrent_reconciles", "shop"] == 1
    assert told["controller_runtime_active_workers", "shop"] == 0
    assert told["controller_runtime_reconcile_time_seconds_bucket", "shop", "0.1"] == 0
    assert told["controller_runtime_reconcile_time_seconds_bucket", "shop", "0.25"] == 3
    assert told["controller_runtime_reconcile_time_seconds_bucket", "shop", "+Inf"] == 3
    assert told["controller_runtime_reconcile_time_seconds_count", "shop"] == 3
    assert told["controller_runtime_reconcile_time_seconds_sum", "shop"] == pytest.approx(0.6)
    assert told["workqueue_work_duration_seconds_sum", "shop", "shop"] == pytest.approx(0.6)
    assert told["workqueue_queue_duration_seconds_sum", "shop", "shop"] == pytest.approx(0.6)  # 0, 0.2 and 0.4
    assert told["workqueue_adds_total", "shop", "shop"] == 3
    assert told["workqueue_retries_total", "shop", "shop"] == 2


def test_what_is_under_way_and_what_waits_for_it_are_told() -> None:
    clock, held = FakeClock(), Held()
    with running(Feed().list(pod("a"), pod("b")), held, clock=clock, concurrency=1) as shop:
        held.next_started()
        clock.advance(7)
        told = scraped(Collector({"shop": shop}))
        held.go(2)
    assert told["controller_runtime_active_workers", "shop"] == 1
    assert told["workqueue_depth", "shop", "shop"] == 1
    assert told["workqueue_unfinished_work_seconds", "shop", "shop"] == 7
    assert told["workqueue_longest_running_processor_seconds", "shop", "shop"] == 7


def test_a_controller_says_whether_it_is_ready_and_whether_it_is_healthy() -> None:
    feed = Feed()
    with running(feed) as shop:
        collector = Collector({"shop": shop})
        told = scraped(collector)
        assert (told["kubewatch_controller_healthy", "shop"], told["kubewatch_controller_ready", "shop"]) == (1, 0)
    told = scraped(collector)
    assert (told["kubewatch_controller_healthy", "shop"], told["kubewatch_controller_ready", "shop"]) == (0, 0)


def test_watches_are_told_with_their_restarts_by_cause_and_with_what_they_left_out() -> None:
    feed, owned = Feed().list(), Feed("owned")
    feed.vitals.restarts["closed"] += 2
    feed.vitals.undecodable, feed.vitals.unmodified, feed.vitals.failing = 3, 2, True
    controller = Controller.for_stream(feed.reflected(), feed.reader).owns_stream(owned.touched())
    with controller.start(quiet) as shop:
        told = scraped(Collector({"shop": shop}))
    assert told["kubewatch_watch_restarts_total", "closed", "shop", "pods"] == 2
    assert told["kubewatch_watch_restarts_total", "expired", "shop", "pods"] == 0
    assert told["kubewatch_watch_restarts_total", "closed", "shop", "owned"] == 0
    assert told["kubewatch_watch_dropped_objects_total", "undecodable", "shop", "pods"] == 3
    assert told["kubewatch_watch_dropped_objects_total", "modify", "shop", "pods"] == 2


def test_a_stream_of_no_server_has_no_age_that_an_alert_could_mind() -> None:
    feed, own, refused = Feed().list(), Feed("own"), Feed("refused")
    refused.vitals.failed(WatchStartFailed("forbidden"))
    controller = Controller.for_stream(feed.reflected(), feed.reader)
    with controller.owns_stream(own.touched()).owns_stream(refused.touched()).start(quiet) as shop:
        told = scraped(Collector({"shop": shop}))
    assert ("kubewatch_watch_age_seconds", "shop", "own") not in told
    assert told["kubewatch_watch_age_seconds", "shop", "refused"] == float("inf")


def test_stores_are_told_with_their_size_and_age() -> None:
    feed = Feed().list(pod("a"), pod("b"))
    alone, _writer = store()
    with running(feed) as shop:
        assert feed.reader.wait_until_ready(PATIENCE)
        told = scraped(Collector({"shop": shop}, {"pods": alone}))
    assert told["kubewatch_store_objects", "shop", "pods"] == 2
    assert told["kubewatch_store_ready", "shop", "pods"] == 1
    assert 0 <= told["kubewatch_store_age_seconds", "shop", "pods"] < PATIENCE
    assert (told["kubewatch_store_objects", "", "pods"], told["kubewatch_store_ready", "", "pods"]) == (0, 0)
    assert told["kubewatch_store_age_seconds", "", "pods"] == float("inf")


def test_what_is_added_later_is_told_from_then_on() -> None:
    stores: dict[str, Any] = {}
    collector = Collector(stores=stores)
    assert ("kubewatch_store_ready", "", "pods") not in scraped(collector)
    stores["pods"], _writer = store()
    assert ("kubewatch_store_ready", "", "pods") in scraped(collector)


def test_the_answer_is_in_open_metrics_for_who_asks_for_that() -> None:
    registry = CollectorRegistry()
    with running(Feed().list(pod("a"))) as shop:
        registry.register(Collector({"shop": shop}))
        content_type, body = exposition("application/openmetrics-text; version=1.0.0", registry)
    assert content_type.startswith("application/openmetrics-text")
    parse: Any = open_metrics  # it has no types
    assert any(family.name == "workqueue_adds" for family in parse(body.decode()))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child_nothing_is_healthy_and_nothing_breaks() -> None:
    with running(Feed().list(pod("a"))) as shop:
        collector = Collector({"shop": shop}, {"pods": shop.stores["pods"]})
        if (child := os.fork()) == 0:  # pragma: no cover  # measured in the parent only
            try:
                found = scraped(collector)
                ill = not (found["kubewatch_controller_healthy", "shop"] or found["kubewatch_store_ready", "", "pods"])
                os._exit(0 if ill else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
