"""Programs that run until they are told to end; signals are raised in this very process."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from kubewatch import Action, Controller, InvalidInput, Object, Program, StreamUsed, WatchStartFailed
from kubewatch.events import Init
from kubewatch.probes import Probes
from kubewatch.supervisor import supervise
from tests.unit.controller.harness import PATIENCE, Feed, Held, quiet
from tests.unit.stored import pod


def program(feed: Feed, reconcile: Any = quiet, name: str = "shop") -> Program[Object, Any]:
    return Program(Controller.for_stream(feed.reflected(), feed.reader), reconcile, name=name)


def ask(port: int, path: str) -> tuple[int, Any]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as response:
            return response.status, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def end(*_: Any) -> Action:
    """A reconciler that has its program told to end."""
    signal.raise_signal(signal.SIGTERM)
    return Action.await_change()


class Beside:
    """What happens on a thread beside the supervisor, as soon as that tells where it listens."""

    def __init__(self, act: Any) -> None:
        self._act = act
        self._port: SimpleQueue[int] = SimpleQueue()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def announce(self, message: str) -> None:
        assert message.startswith("/healthz, /readyz and /metrics are at http://127.0.0.1:")
        self._port.put(int(message.rpartition(":")[2]))

    def _run(self) -> None:
        try:
            self._act(self._port.get(timeout=PATIENCE))
        except BaseException as error:
            self._failed.append(error)
            if callable(signal.getsignal(signal.SIGTERM)):  # else the supervisor has ended
                signal.raise_signal(signal.SIGTERM)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        if self._failed:
            raise self._failed[0]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("kubewatch"):
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread


def test_a_signal_ends_all_programs_well() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    one, two = Feed().list(pod("a")), Feed().list(pod("b"))
    assert supervise([program(one, end), program(two)], address=None) == 0
    assert one.closed.is_set()
    assert two.closed.is_set()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_run_finishes_after_the_signal_and_probes_are_answered_meanwhile() -> None:
    held = Held()

    def act(port: int) -> None:
        held.next_started()
        assert ask(port, "/healthz")[0] == 200
        assert ask(port, "/readyz")[0] == 200
        signal.raise_signal(signal.SIGTERM)
        while ask(port, "/readyz")[0] == 200:  # until the signal was seen
            pass
        assert ask(port, "/healthz")[0] == 200
        held.go()

    beside = Beside(act)
    status = supervise([program(Feed().list(pod("a")), held)], address=("127.0.0.1", 0), announce=beside.announce)
    beside.join()
    assert status == 0


def test_a_run_that_takes_longer_than_the_grace_is_cut_off() -> None:
    held = Held()

    def act(port: int) -> None:
        held.next_started()
        signal.raise_signal(signal.SIGINT)

    beside = Beside(act)
    one = program(Feed().list(pod("a")), held)
    assert supervise([one], address=("127.0.0.1", 0), grace=0.05, announce=beside.announce) == 3
    beside.join()
    held.go()


def test_a_second_signal_ends_at_once() -> None:
    held = Held()

    def act(port: int) -> None:
        held.next_started()
        signal.raise_signal(signal.SIGINT)
        while ask(port, "/readyz")[0] == 200:
            pass
        signal.raise_signal(signal.SIGINT)

    beside = Beside(act)
    one = program(Feed().list(pod("a")), held)
    assert supervise([one], address=("127.0.0.1", 0), grace=3600, announce=beside.announce) == 3
    beside.join()
    held.go()


def test_a_controller_that_ends_by_itself_ends_the_others_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    dead, other = Feed().feed(Init()).end(), Feed().list(pod("b"))
    assert supervise([program(dead, name="dead"), program(other)], address=None) == 1
    assert other.closed.is_set()
    assert "dead ended by itself: the controller ends: WriterDropped" in caplog.text


def test_readiness_tells_what_is_not_ready_and_liveness_does_not_mind() -> None:
    feed = Feed()

    def act(port: int) -> None:
        assert ask(port, "/healthz")[0] == 200
        status, body = ask(port, "/readyz")
        assert status == 503
        assert [each["name"] for each in json.loads(body)["checks"]] == [
            "shop",
            "shop: pods",
            "shop #2",
            "shop #2: pods",
        ]
        signal.raise_signal(signal.SIGTERM)

    beside = Beside(act)
    programs = [program(feed), program(Feed().list())]
    assert supervise(programs, address=("127.0.0.1", 0), announce=beside.announce) == 0
    beside.join()


def test_a_related_kind_that_nobody_may_watch_makes_a_service_not_ready() -> None:
    feed, owned, held = Feed().list(pod("a")), Feed("owned"), Held()
    owned.vitals.failed(WatchStartFailed("forbidden"))
    controller = Controller.for_stream(feed.reflected(), feed.reader).owns_stream(owned.touched())

    def act(port: int) -> None:
        held.next_started()  # the main kind is there
        status, body = ask(port, "/readyz")
        told = {each["name"]: each["why"] for each in json.loads(body)["checks"] if not each["ok"]}
        assert (status, told) == (503, {"shop: owned": "never heard, failing: WatchStartFailed"})
        held.go()
        owned.list()
        owned.settle()
        owned.vitals.failing = False
        assert ask(port, "/readyz")[0] == 200
        signal.raise_signal(signal.SIGTERM)

    beside = Beside(act)
    shop = Program(controller, held, name="shop")
    assert supervise([shop], address=("127.0.0.1", 0), announce=beside.announce) == 0
    beside.join()


def test_metrics_are_served_and_no_longer_registered_afterwards() -> None:
    pytest.importorskip("prometheus_client", reason="the extra kubewatch[metrics] is not installed")

    def act(port: int) -> None:
        assert b'kubewatch_controller_healthy{controller="shop"} 1.0' in ask(port, "/metrics")[1]
        signal.raise_signal(signal.SIGTERM)

    for _ in range(2):
        beside = Beside(act)
        supervise([program(Feed().list())], address=("127.0.0.1", 0), announce=beside.announce)
        beside.join()


def test_without_prometheus_client_metrics_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)

    def act(port: int) -> None:
        status, body = ask(port, "/metrics")
        assert (status, b"pip install 'kubewatch[metrics]'" in body) == (501, True)
        signal.raise_signal(signal.SIGTERM)

    beside = Beside(act)
    supervise([program(Feed().list())], address=("127.0.0.1", 0), announce=beside.announce)
    beside.join()


def test_what_cannot_run_is_refused_before_anything_starts() -> None:
    with pytest.raises(InvalidInput, match="nothing to run"):
        supervise([])
    feed = Feed()
    once = program(feed)
    with pytest.raises(InvalidInput, match="port 70000 cannot be listened on"):
        supervise([once], address=("127.0.0.1", 70_000))
    feed.list(pod("a"))
    assert supervise([program(Feed().list(pod("b")), end), once], address=None) == 0


class StartsTooLate(Program[Object, Any]):
    """Cannot start any more once its context, the reconciler of another, is at work."""

    def start(self) -> Any:
        assert isinstance(self.context, Held)
        self.context.next_started()
        raise StreamUsed("too late")


def test_a_program_that_cannot_start_waits_no_longer_than_the_grace_for_what_runs() -> None:
    held, feed = Held(), Feed()
    late = StartsTooLate(Controller.for_stream(feed.reflected(), feed.reader), quiet, context=held)
    with pytest.raises(StreamUsed, match="too late"):
        supervise([program(Feed().list(pod("a")), held), late], address=None, grace=0.05)
    held.go()


def test_where_nobody_hears_the_announcement_programs_end_in_good_order() -> None:
    def closed(message: str) -> None:
        raise BrokenPipeError

    feed = Feed().list(pod("a"))
    with pytest.raises(BrokenPipeError):
        supervise([program(feed)], address=None, announce=closed)
    assert feed.closed.is_set()


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    with Probes(("127.0.0.1", 0), {}) as probes, pytest.raises(InvalidInput, match="in use; choose another port"):
        supervise([program(Feed())], address=("127.0.0.1", probes.port))


def test_metrics_that_the_programs_module_has_registered_are_no_accident() -> None:
    prometheus = pytest.importorskip("kubewatch.contrib.prometheus", reason="the extra is not installed")
    registry, collector = prometheus.REGISTRY, prometheus.Collector()
    registry.register(collector)
    try:
        with pytest.raises(InvalidInput, match="a Collector is registered already"):
            supervise([program(Feed())], address=("127.0.0.1", 0))
    finally:
        registry.unregister(collector)


def test_a_program_that_cannot_start_ends_those_that_have() -> None:
    feed, used = Feed().list(pod("a")), program(Feed().list())
    with used.start(), pytest.raises(StreamUsed):
        supervise([program(feed), used], address=("127.0.0.1", 0))
    assert feed.closed.is_set()
