"""What a reader of the Flask dashboard's feed is sent, whatever happens meanwhile; and what a row says."""

from __future__ import annotations

import json
import runpy
import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch import Apply, Delete, Event, Init, InitApply, InitDone, InvalidInput, Object
from kubewatch.decode import decode_object

from .running import EXAMPLES

pytest.importorskip("flask", reason="the extra kubewatch[flask] is not installed")

sys.path.insert(0, str(EXAMPLES / "flask_dashboard"))

import feed as feeds
from dashboard import create_app
from feed import Feed, Full
from rows import deployment_row, pod_row

from kubewatch.contrib.flask import AppStores, Settings


def an_object(name: str, kind: str = "Pod", **fields: Any) -> Object:
    whole = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", **fields.pop("metadata", {})},
    }
    return decode_object(json.dumps(whole | fields).encode(), "v1", kind)


class Told:
    """A store as far as a feed looks at it."""

    def __init__(self) -> None:
        self.tell: Callable[[Event[Object]], object] = print

    def on_change(self, listener: Callable[[Event[Object]], object]) -> None:
        self.tell = listener


def a_feed(limit: int = 1) -> tuple[Feed, Callable[[Event[Object]], object]]:
    feed, store = Feed(limit=limit, heartbeat=10), Told()
    feed.follow("pods", store, lambda pod: {"labels": dict(pod.labels)})  # type: ignore[arg-type]  # as far as it looks
    return feed, lambda event: store.tell(event)


def labelled(name: str, value: int) -> Object:
    return an_object(name, metadata={"labels": {"value": str(value)}})


class Reader:
    """A page: what it shows after each look."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.seen: int | None = None
        self.shown: dict[str, str] = {}

    def look(self) -> dict[str, str]:
        news = self.feed.since(self.seen)
        self.seen = news.number
        if news.gone is None:
            self.shown = {}
        for key in news.gone or ():
            self.shown.pop(key, None)
        for row in map(json.loads, news.rows):
            self.shown[row["key"]] = row["labels"]["value"]
        return self.shown


NAMES = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just("apply"), NAMES, st.integers(0, 2)),
    st.tuples(st.just("delete"), NAMES, st.just(0)),
    st.tuples(st.just("list"), st.sets(NAMES), st.integers(0, 2)),
    st.tuples(st.just("look"), st.integers(0, 1), st.just(0)),
)


@given(st.lists(STEPS, max_size=30), st.integers(1, 3))
def test_a_reader_sees_what_there_is_however_seldom_it_looks(steps: list[Any], remembered: int) -> None:
    """Also one that has missed more deletions than are remembered."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feeds, "REMEMBERED", remembered)
        feed, tell = a_feed()
        there: dict[str, str] = {}
        readers = [Reader(feed), Reader(feed)]
        for step, what, value in steps:
            if step == "apply":
                tell(Apply(labelled(what, value)))
                there[f"pods/default/{what}"] = str(value)
            elif step == "delete":
                tell(Delete(labelled(what, value)))
                there.pop(f"pods/default/{what}", None)
            elif step == "list":
                tell(Init())
                for name in what:
                    tell(InitApply(labelled(name, value)))
                tell(InitDone())
                there = {f"pods/default/{name}": str(value) for name in what}
            else:
                assert readers[what].look() == there
        for reader in (*readers, Reader(feed)):
            assert reader.look() == there


def test_a_reader_who_has_seen_everything_is_sent_nothing() -> None:
    feed, tell = a_feed()
    tell(Apply(labelled("a", 1)))
    seen = feed.since(None).number
    tell(Apply(labelled("a", 1)))  # nothing that is shown has changed
    assert feed.since(seen) == (seen, [], [])


@pytest.fixture
def here() -> AppStores:
    return AppStores(Settings())


def test_readers_beyond_the_limit_are_refused_until_one_leaves(here: AppStores) -> None:
    feed, _ = a_feed(limit=1)
    stream = feed.open(here)
    with pytest.raises(Full, match="1 pages"):
        feed.open(here)
    stream.close()
    stream.close()
    assert feed.readers == 0
    feed.open(here)


def test_a_stream_ends_when_the_process_is_told_to(here: AppStores) -> None:
    feed, _ = a_feed()
    messages: Iterator[str] = iter(feed.open(here))
    assert [next(messages)[:6], next(messages), next(messages)] == [
        "retry:",
        "event: begin\ndata: 0\n\n",
        "event: end\ndata: 0\n\n",
    ]
    here.stop()
    assert [message.partition("\n")[0] for message in messages] == ["event: health"]


def test_a_feed_of_no_readers_is_refused() -> None:
    with pytest.raises(ValueError, match="is none"):
        Feed(limit=0, heartbeat=1)


def test_who_asks_for_the_headers_of_the_stream_takes_no_readers_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DASHBOARD_STREAMS", "1")
    monkeypatch.setenv("FLASK_KUBEWATCH_AUTOSTART", "false")
    browser = create_app().test_client()
    assert [browser.head("/events").status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("key", ["DASHBOARD_STREAMS", "DASHBOARD_HEARTBEAT"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "null", "NaN"])
def test_a_wrong_setting_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(f"FLASK_{key}", value)
    with pytest.raises(InvalidInput, match=key):
        create_app()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone lets an application limit it")
def test_a_page_that_reads_nothing_is_cut_off_and_its_thread_is_free() -> None:
    when_ready = runpy.run_path(str(EXAMPLES / "flask_dashboard" / "gunicorn.conf.py"))["when_ready"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        when_ready(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)]))
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


# Rows


@pytest.mark.parametrize(
    ("state", "ready", "status", "tone"),
    [
        ({"running": {}}, True, "Running", "ok"),
        ({"running": {}}, False, "Running", "busy"),
        ({"waiting": {"reason": "ContainerCreating"}}, False, "ContainerCreating", "busy"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, False, "CrashLoopBackOff", "bad"),
        ({"terminated": {"reason": "Completed", "exitCode": 0}}, False, "Completed", "ok"),
    ],
)
def test_a_pod_is_told_of_in_kubectls_words(state: dict[str, Any], ready: bool, status: str, tone: str) -> None:
    container = {"name": "c", "ready": ready, "restartCount": 2, "state": state}
    found = pod_row(
        an_object(
            "web",
            metadata={"labels": {"b": "2", "a": "1"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
            spec={"nodeName": "node-1", "containers": [{"name": "c"}]},
            status={"phase": "Running", "containerStatuses": [container]},
        )
    )
    assert (found["status"], found["tone"], found["restarts"]) == (status, tone, 2)
    assert (found["labels"], found["node"], found["created"]) == ("a=1, b=2", "node-1", 1767225600.0)


@pytest.mark.parametrize(
    ("done", "waiting", "status", "tone"),
    [
        (0, "PodInitializing", "Init:0/3", "busy"),
        (2, "PodInitializing", "Init:2/3", "busy"),
        (2, "CrashLoopBackOff", "Init:CrashLoopBackOff", "bad"),
    ],
)
def test_a_pod_that_initialises_is_busy_however_far_it_is(done: int, waiting: str, status: str, tone: str) -> None:
    finished = {"terminated": {"exitCode": 0}}
    under_way = {"waiting": {"reason": waiting}}
    inits = [{"name": str(n), "state": finished if n < done else under_way, "restartCount": 0} for n in range(3)]
    spec = {"initContainers": [{"name": str(n)} for n in range(3)], "containers": [{"name": "c"}]}
    found = pod_row(an_object("web", spec=spec, status={"phase": "Pending", "initContainerStatuses": inits}))
    assert (found["status"], found["tone"]) == (status, tone)


@pytest.mark.parametrize(
    ("replicas", "status", "said", "ready"),
    [
        (3, {}, "Progressing", "0/3"),
        (3, {"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 3}, "Available", "3/3"),
        (3, {"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 3}, "Progressing", "3/3"),
        (3, {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 3}, "Progressing", "3/3"),
        (0, {"observedGeneration": 2}, "Scaled to 0", "0/0"),
        (None, {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1}, "Available", "1/1"),
        (1, {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}, "Stalled", "0/1"),
    ],
)
def test_a_deployment_is_told_of_by_its_rollout(
    replicas: int | None, status: dict[str, Any], said: str, ready: str
) -> None:
    found = deployment_row(
        an_object("web", "Deployment", metadata={"generation": 2}, spec={"replicas": replicas}, status=status)
    )
    assert (found["status"], found["ready"], found["restarts"]) == (said, ready, None)
