"""A controller in the hands of a test: run until it is idle, on a clock that stands still, on both servers."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch import (
    Action,
    Api,
    Client,
    Config,
    Controller,
    InvalidInput,
    Object,
    Program,
    Reconciled,
    ReconcilerFailed,
    RunnerError,
    merge,
    store,
    watcher,
)
from kubewatch.controller.results import Result
from kubewatch.testing import ApiServer, ControllerDriver, EnvTest, Fault

Drive = Callable[[Program[Any, Any]], ControllerDriver]


@pytest.fixture
def drive(api_server: ApiServer | EnvTest) -> Iterator[Drive]:
    """As the plugin's, but for both servers."""
    drivers: list[ControllerDriver] = []

    def start(program: Program[Any, Any]) -> ControllerDriver:
        drivers.append(ControllerDriver(api_server, program))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.stop()
    assert not threads()


@pytest.fixture
def maps(client: Client, namespace: str) -> Api[Object]:
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


@pytest.fixture
def secrets(client: Client, namespace: str) -> Api[Object]:
    return Api("v1", "Secret", namespace=namespace, client=client)


MINE = Config(label_selector="of=test")


def make(api: Api[Object], name: str, **more: Any) -> Object:
    labels = {"of": "test"}
    return api.create({"metadata": {"name": name, "labels": labels, **more}})


def names(results: list[Result]) -> list[str]:
    return [result.ref.name if isinstance(result, Reconciled) else type(result).__name__ for result in results]


def threads() -> list[str]:
    """Of controllers that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kubewatch ConfigMap")]


def quiet(obj: Object, context: None) -> Action:
    return Action.await_change()


def test_all_that_the_server_holds_is_handled_before_a_run_returns(drive: Drive, maps: Api[Object]) -> None:
    make(maps, "a")
    make(maps, "b")
    driver = drive(Program(Controller(maps, MINE), quiet))
    assert sorted(names(driver.run_until_idle())) == ["a", "b"]
    assert names(driver.run_until_idle()) == []
    for number in range(20):
        maps.patch("a", {"data": {"number": str(number)}})
        assert names(driver.run_until_idle()) == ["a"]
    assert len(driver.results) == 22


def test_what_the_reconciler_writes_is_handled_too(drive: Drive, maps: Api[Object]) -> None:
    def count(obj: Object, context: None) -> Action:
        number = int((obj.data or {}).get("number", "0"))
        if number < 5:
            maps.patch(obj.name, {"data": {"number": str(number + 1)}})
        return Action.await_change()

    make(maps, "a")
    driver = drive(Program(Controller(maps, MINE), count))
    assert names(driver.run_until_idle()) == ["a"] * 6
    (kept,) = driver.store.state()
    assert kept.data.number == "5"


def test_related_objects_are_followed_and_their_deletions_are_not_missed(
    drive: Drive, maps: Api[Object], secrets: Api[Object]
) -> None:
    owner = make(maps, "a")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": owner.uid}
    driver = drive(Program(Controller(maps, MINE).owns(secrets, MINE), quiet))
    assert names(driver.run_until_idle()) == ["a"]
    for number in range(20):
        make(secrets, f"s{number}", ownerReferences=[reference])
        assert names(driver.run_until_idle()) == ["a"]
        secrets.delete(f"s{number}")
        assert names(driver.run_until_idle()) == ["a"]


def test_time_passes_when_the_test_says_so_and_each_run_has_its_own(drive: Drive, maps: Api[Object]) -> None:
    make(maps, "a")
    times: list[float] = []

    def hourly(obj: Object, context: None) -> Action:
        times.append(driver.clock.now())
        return Action.requeue(3600)

    driver = drive(Program(Controller(maps, MINE), hourly))
    driver.run_until_idle()
    assert len(driver.advance(3 * 3600)) == 3
    assert driver.advance(3599) == []
    assert times == [0, 3600, 7200, 10800]
    assert driver.clock.now() == 3 * 3600 + 3599


def test_what_failed_is_tried_again_as_its_error_policy_says(drive: Drive, maps: Api[Object]) -> None:
    make(maps, "a")
    answers = itertools.chain([ValueError("first"), ValueError("second")], itertools.repeat(None))

    def fail_twice(obj: Object, context: None) -> Action:
        if (error := next(answers)) is not None:
            raise error
        return Action.await_change()

    driver = drive(Program(Controller(maps, MINE), fail_twice, lambda obj, error, context: Action.requeue(10)))
    (failed,) = driver.run_until_idle()
    assert isinstance(failed, ReconcilerFailed)
    assert names(driver.advance(15)) == ["ReconcilerFailed"]
    assert names(driver.advance(5)) == ["a"]


def test_what_is_debounced_waits_for_time_to_pass(drive: Drive, maps: Api[Object]) -> None:
    make(maps, "a")
    driver = drive(Program(Controller(maps, MINE).with_config(debounce=2), quiet))
    assert driver.run_until_idle() == []
    assert names(driver.advance(2)) == ["a"]


def test_more_results_than_a_controller_keeps_for_its_reader_are_no_trouble(drive: Drive, maps: Api[Object]) -> None:
    for number in range(150):
        make(maps, f"m{number}")
    assert len(drive(Program(Controller(maps, MINE), quiet)).run_until_idle()) == 150


# On the embedded server


@pytest.fixture
def config_maps(kube_api: ApiServer) -> Api[Object]:
    return Api("v1", "ConfigMap", namespace="default", client=kube_api.client())


def test_what_is_made_and_gone_again_before_anybody_looked_is_not_missed(
    kube_api: ApiServer, config_maps: Api[Object]
) -> None:
    make(config_maps, "a")
    secrets: Api[Object] = Api("v1", "Secret", namespace="default", client=config_maps.client)
    owner = next(config_maps.list()).ref
    controller = Controller(config_maps).watches(secrets, lambda secret: owner)
    with ControllerDriver(kube_api, Program(controller, quiet)) as driver:
        driver.run_until_idle()
        for _ in range(50):
            make(secrets, "s")
            secrets.delete("s")
            assert names(driver.run_until_idle())[:1] == ["a"]


def test_a_stream_of_ones_own_is_driven_too(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    reader, writer = store()
    stream = watcher(config_maps).reflect(writer).default_backoff().applied_objects()
    with ControllerDriver(kube_api, Program(Controller.for_stream(stream, reader), quiet)) as driver:
        make(config_maps, "a")
        assert names(driver.run_until_idle()) == ["a"]


def test_a_watch_that_breaks_is_waited_for(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    make(config_maps, "a")
    with ControllerDriver(kube_api, Program(Controller(config_maps), quiet)) as driver:
        driver.run_until_idle()
        kube_api.faults.drop_watches()
        make(config_maps, "b")
        kube_api.faults.compact()
        assert "b" in names(driver.run_until_idle())


def test_a_controller_that_is_never_idle_is_told_as_such(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    make(config_maps, "a")

    def at_once(obj: Object, context: None) -> Action:
        return Action.requeue(0)

    program = Program(Controller(config_maps), at_once)
    with ControllerDriver(kube_api, program, patience=0.5) as driver:
        assert kube_api.wait_for_watches(1)
        with pytest.raises(TimeoutError, match=r"not idle after 0.5 s: .* done; behind the server: no watch"):
            driver.run_until_idle()


def test_a_reconciler_that_hangs_is_told_as_such_and_holds_up_no_test(
    kube_api: ApiServer, config_maps: Api[Object], caplog: pytest.LogCaptureFixture
) -> None:
    make(config_maps, "a")
    begun, hangs = threading.Event(), threading.Event()

    def hang(obj: Object, context: None) -> Action:
        begun.set()
        hangs.wait()
        return Action.await_change()

    with ControllerDriver(kube_api, Program(Controller(config_maps), hang), patience=0.5) as driver:
        assert begun.wait(30)
        with pytest.raises(TimeoutError, match="1 running"):
            driver.run_until_idle()
    assert "worker 1 is still busy" in caplog.text
    hangs.set()
    for thread in threading.enumerate():
        if thread.name in threads():
            thread.join(30)
    assert not threads()


def test_a_watch_that_brings_nothing_is_told_with_its_error(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    kube_api.faults.add(Fault.status(403), verb="list", times=None)
    with ControllerDriver(kube_api, Program(Controller(config_maps), quiet), patience=0.5) as driver:
        assert kube_api.requests.wait_for(1, verb="list", kind="ConfigMap", timeout=30)
        with pytest.raises(TimeoutError, match=r"behind the server: ConfigMap in default \(.*403"):
            driver.run_until_idle()


def test_a_controller_that_cannot_work_is_told_as_such(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    reader, writer = store()
    stream = watcher(config_maps).reflect(writer).applied_objects().until(seconds=0)
    with (
        ControllerDriver(kube_api, Program(Controller.for_stream(stream, reader), quiet)) as driver,
        pytest.raises(RunnerError, match="WriterDropped"),
    ):
        driver.run_until_idle()


def test_a_driver_that_was_stopped_says_so(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    with ControllerDriver(kube_api, Program(Controller(config_maps), quiet)) as driver:
        driver.run_until_idle()
    with pytest.raises(InvalidInput, match="has ended"):
        driver.run_until_idle()


def test_what_is_no_program_is_refused(kube_api: ApiServer) -> None:
    def controller() -> None: ...

    with pytest.raises(TypeError, match=r"drives a Program, not a function"):
        ControllerDriver(kube_api, controller)  # type: ignore[arg-type]  # as whoever forgot to call it


def test_a_controller_of_another_cluster_is_refused(
    kube_api: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ApiServer() as other:
        monkeypatch.setenv("KUBECONFIG", other.kubeconfig(tmp_path / "kubeconfig"))
        program = Program(Controller(Api("v1", "ConfigMap")), quiet)
        with pytest.raises(InvalidInput, match=f"{other.url}, not on {kube_api.url}"):
            ControllerDriver(kube_api, program)
        assert not other.requests
    assert not threads()


def test_streams_that_wait_in_between_are_refused(kube_api: ApiServer, config_maps: Api[Object]) -> None:
    reader, writer = store()
    stream = watcher(config_maps).reflect(writer).default_backoff().applied_objects()
    program = Program(Controller.for_stream(merge(stream), reader), quiet)
    with pytest.raises(InvalidInput, match="is merged or shared"):
        ControllerDriver(kube_api, program)
    assert not threads()
