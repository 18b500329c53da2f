"""Controllers on real streams: the same tests on the embedded API server and on a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubewatch import (
    Api,
    ApiError,
    Client,
    Config,
    Object,
    ObjectRef,
    PartialObjectMeta,
    metadata_watcher,
    predicates,
    reflector,
    store,
    watcher,
)
from kubewatch.controller import Action, Controller, QueueError, Reconciled
from kubewatch.controller.results import Result
from kubewatch.shared import store_shared
from kubewatch.testing import ApiServer, EnvTest, Fault
from tests.unit.stored import in_child

# Seconds after which a test that waits for the server gives up.
PATIENCE = 60.0

# A real server puts objects of its own into each namespace.
OURS = Config(label_selector="test=controller")


@pytest.fixture
def deployments(client: Client, namespace: str) -> Api[Object]:
    """The main kind."""
    return Api("apps/v1", "Deployment", namespace=namespace, client=client)


@pytest.fixture
def config_maps(client: Client, namespace: str) -> Api[Object]:
    """The kind that is owned or watched."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"test": "controller", "app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}


def config_map(name: str, owner: Object | None = None, **data: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {"test": "controller"}}
    if owner is not None:
        reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Pulled:
    """A controller's results, pulled on a thread of their own; leaving `with` ends it, and no thread is left."""

    def __init__(self, controller: Controller[Any], reconcile: Callable[..., Action], **more: Any) -> None:
        self._over = threading.Event()
        self._results = controller.graceful_shutdown_on(self._over).run(reconcile, **more)
        self._changed = threading.Condition()
        self.seen: list[Result] = []
        self._thread = threading.Thread(target=self._pull, name="consumer")

    def _pull(self) -> None:
        for result in self._results:
            with self._changed:
                self.seen.append(result)
                self._changed.notify_all()

    def wait_for(self, reached: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE), self.seen

    def __enter__(self) -> Pulled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("kubewatch ")]


class Recorder:
    """A reconciler that remembers what it saw."""

    def __init__(self) -> None:
        self.versions: dict[str, list[str]] = {}
        self.kinds: set[type[Any]] = set()

    def __call__(self, obj: Any, context: Any) -> Action:
        self.versions.setdefault(obj.name, []).append(obj.resource_version)
        self.kinds.add(type(obj))
        return Action.await_change()

    def runs(self, name: str) -> int:
        return len(self.versions.get(name, ()))


# The chapter's examples


def test_a_controller_of_an_api_reconciles_what_exists_and_what_changes(deployments: Api[Object]) -> None:
    deployments.create(deployment("a"))
    recorder = Recorder()
    with Pulled(Controller(deployments, OURS), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
        newer = deployments.patch("a", {"metadata": {"annotations": {"seen": "yes"}}})
        pulled.wait_for(lambda: recorder.versions["a"][-1] == newer.resource_version)
        created = deployments.create(deployment("b"))
        pulled.wait_for(lambda: created.resource_version in recorder.versions.get("b", ()))
        assert all(isinstance(result, Reconciled) for result in pulled.seen)


def test_the_results_come_in_a_for_loop(deployments: Api[Object]) -> None:
    for name in "abc":
        deployments.create(deployment(name))
    seen = set()
    for result in Controller(deployments, OURS).run(Recorder()):
        assert isinstance(result, Reconciled)
        seen.add(result.ref)
        if len(seen) == 3:
            break
    assert {str(ref) for ref in seen} == {f"Deployment.v1.apps/{name}.{deployments.namespace}" for name in "abc"}


def test_a_controller_of_a_stream(deployments: Api[Object]) -> None:
    deployments.create(deployment("a"))
    reader, writer = store()
    stream = reflector(writer, watcher(deployments, OURS)).default_backoff().applied_objects()
    recorder = Recorder()
    with Pulled(Controller.for_stream(stream, reader), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
        assert reader.get("a", deployments.namespace) is not None
        assert reader.is_live(PATIENCE)


def test_metadata_on_the_main_stream(deployments: Api[Object]) -> None:
    deployments.create(deployment("a"))
    reader, writer = store(of=PartialObjectMeta)
    stream = reflector(writer, metadata_watcher(deployments, OURS)).default_backoff().applied_objects()
    recorder = Recorder()
    with Pulled(Controller.for_stream(stream, reader), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
    assert recorder.kinds == {PartialObjectMeta}


def test_a_controller_owns(deployments: Api[Object], config_maps: Api[Object]) -> None:
    """Children that are made, changed and deleted have their owner reconciled; an orphan has none."""
    owner = deployments.create(deployment("a"))
    recorder = Recorder()
    with Pulled(Controller(deployments, OURS).owns(config_maps, OURS), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
        changes: list[Callable[[], object]] = [
            lambda: config_maps.create(config_map("child", owner)),
            lambda: config_maps.patch("child", {"data": {"is": "changed"}}),
            lambda: config_maps.delete("child"),
        ]
        for change in changes:
            before = recorder.runs("a")
            change()
            pulled.wait_for(lambda before=before: recorder.runs("a") > before)  # type: ignore[misc]  # bound now, by default


def test_a_controller_owns_a_stream(deployments: Api[Object], config_maps: Api[Object]) -> None:
    owner = deployments.create(deployment("a"))
    owned = metadata_watcher(config_maps, OURS).default_backoff().applied_objects()
    reasons: list[str] = []
    controller = Controller(deployments, OURS).owns_stream(owned)
    controller.with_config(on_event=lambda event: reasons.append(str(event.reason)))
    with Pulled(controller, Recorder()) as pulled:
        pulled.wait_for(lambda: pulled.seen)
        config_maps.create(config_map("child", owner))
        child = f"owned object updated: ConfigMap.v1./child.{config_maps.namespace}"
        pulled.wait_for(lambda: child in reasons)


def test_a_controller_watches(deployments: Api[Object], config_maps: Api[Object]) -> None:
    deployments.create(deployment("a"))
    namespace = deployments.namespace

    def mapper(obj: Object) -> ObjectRef | None:
        return ObjectRef.to(deployments, obj.data.of, namespace) if obj.data and obj.data.of else None

    recorder = Recorder()
    watched = watcher(config_maps, OURS).default_backoff().touched_objects()
    controller = Controller(deployments, OURS).watches(config_maps, OURS, mapper).watches_stream(watched, mapper)
    with Pulled(controller, recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
        before = recorder.runs("a")
        config_maps.create(config_map("other"))
        config_maps.create(config_map("settings", of="a"))
        pulled.wait_for(lambda: recorder.runs("a") > before)


def test_the_multi_stream_example(deployments: Api[Object], config_maps: Api[Object]) -> None:
    """A main stream through a watcher, a reflector and a predicate, an owned one of metadata."""
    owner = deployments.create(deployment("a"))
    reader, writer = store()
    main = (
        reflector(writer, watcher(deployments, OURS))
        .default_backoff()
        .applied_objects()
        .predicate_filter(predicates.generation)
    )
    owned = metadata_watcher(config_maps, OURS).default_backoff().touched_objects()
    recorder = Recorder()
    with Pulled(Controller.for_stream(main, reader).owns_stream(owned), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a") == 1)
        deployments.patch("a", {"metadata": {"annotations": {"of": "no matter"}}})
        newer = deployments.patch("a", {"spec": {"replicas": 3}})
        pulled.wait_for(lambda: recorder.versions["a"][-1] == newer.resource_version)
        before = recorder.runs("a")
        config_maps.create(config_map("child", owner))
        pulled.wait_for(lambda: recorder.runs("a") > before)


def test_a_hundred_controllers_cost_one_watch_connection(
    api_server: ApiServer | EnvTest, deployments: Api[Object]
) -> None:
    deployments.create(deployment("a"))
    reader, writer = store_shared(buffer=100)
    root = watcher(deployments, OURS).reflect_shared(writer).default_backoff()
    seen: set[tuple[int, str]] = set()
    changed = threading.Condition()

    def reconciler(number: int) -> Callable[[Object, Any], Action]:
        def reconcile(obj: Object, context: Any) -> Action:
            with changed:
                seen.add((number, obj.resource_version))
                changed.notify_all()
            return Action.await_change()

        return reconcile

    def all_saw(version: str) -> bool:
        wanted = {(number, version) for number in range(100)}
        with changed:
            return changed.wait_for(lambda: wanted <= seen, PATIENCE)

    running = [
        Controller.for_shared_stream(writer.subscribe(replay=True), reader)
        .with_config(concurrency=1)
        .start(reconciler(number))
        for number in range(100)
    ]
    thread = threading.Thread(target=lambda: [None for _ in root], name="root")
    thread.start()
    try:
        assert all_saw(deployments.get("a").resource_version)
        assert all_saw(deployments.patch("a", {"spec": {"replicas": 2}}).resource_version)
        if isinstance(api_server, ApiServer):
            assert len(api_server.watches) == 1
    finally:
        for controller in running:
            controller.stop(PATIENCE)
        root.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


# Failures


def test_a_kind_that_the_cluster_does_not_know_holds_up_no_other(deployments: Api[Object], client: Client) -> None:
    """Improvement 5: its error is a result; the main kind is reconciled."""
    deployments.create(deployment("a"))
    missing = Api("example.com/v1", "Missing", namespace=deployments.namespace, client=client)
    recorder = Recorder()
    with Pulled(Controller(deployments, OURS).owns(missing), recorder) as pulled:
        pulled.wait_for(lambda: recorder.runs("a"))
        pulled.wait_for(lambda: any(isinstance(result, QueueError) for result in pulled.seen))


def test_a_reconciler_that_meets_a_conflict_tries_again(deployments: Api[Object]) -> None:
    stale = deployments.create(deployment("a"))
    deployments.patch("a", {"spec": {"replicas": 2}})
    errors: list[Exception] = []
    done = threading.Event()

    def reconcile(obj: Object, context: Any) -> Action:
        deployments.replace(obj if errors else stale)
        done.set()
        return Action.await_change()

    def policy(obj: Object, error: Exception, context: Any) -> Action:
        errors.append(error)
        return Action.requeue(0)

    with Pulled(Controller(deployments, OURS), reconcile, error_policy=policy) as pulled:
        pulled.wait_for(done.is_set)
    assert isinstance(errors[0], ApiError)
    assert errors[0].code == 409


def test_run_once_reconciles_what_exists(deployments: Api[Object], config_maps: Api[Object]) -> None:
    for name in "abc":
        deployments.create(deployment(name))
    recorder = Recorder()
    summary = Controller(deployments, OURS).owns(config_maps).run_once(recorder, timeout=PATIENCE)
    assert (summary.reconciled, summary.exit_code) == (3, 0)
    assert sorted(recorder.versions) == ["a", "b", "c"]


def test_run_once_ends_where_a_right_is_missing(kube_api: ApiServer) -> None:
    """With no timeout: a cron job is not to try for ever."""
    kube_api.faults.add(Fault.status(403), verb="list")
    summary = Controller(Api("deployments", client=kube_api.client())).run_once(Recorder())
    assert summary.exit_code == 1
    assert "403 Forbidden" in str(summary.errors[-1])


def test_start_works_in_the_background(deployments: Api[Object]) -> None:
    recorder, ran = Recorder(), threading.Event()

    def reconcile(obj: Object, context: Any) -> Action:
        ran.set()
        return recorder(obj, context)

    with Controller(deployments, OURS).start(reconcile) as running:
        deployments.create(deployment("a"))
        assert ran.wait(PATIENCE)
        assert running.healthy
        assert running.ready
    assert recorder.runs("a")


# Processes

SCRIPT = """
import sys
from kubewatch import Api, Config
from kubewatch.controller import Action, Controller

def reconcile(obj, context):
    print("reconciled", obj.name, flush=True)
    return Action.await_change()

deployments = Api("apps/v1", "Deployment", namespace=sys.argv[1])
controller = Controller(deployments, Config(label_selector="test=controller")).owns(Api("v1", "ConfigMap"))
controller.shutdown_on_signal().run_forever(reconcile)
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_process(
    number: int, api_server: ApiServer | EnvTest, deployments: Api[Object], tmp_path: Path
) -> None:
    deployments.create(deployment("a"))
    config = tmp_path / "config"
    api_server.kubeconfig(config)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(deployments.namespace)],
        env={**os.environ, "KUBECONFIG": str(config)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reconciled a\n"
        process.send_signal(number)
        assert process.stdout.readline() == "ended\n"
        assert process.wait(PATIENCE) == 0


def test_a_controller_that_was_built_before_a_fork_runs_after_it(deployments: Api[Object]) -> None:
    """As under gunicorn with an application that is loaded before its workers are forked."""
    deployments.create(deployment("a"))
    controller = Controller(deployments, OURS).owns(Api("v1", "ConfigMap", client=deployments.client))

    def child() -> list[str]:
        for result in controller.run(Recorder()):
            return [str(result.ref)] if isinstance(result, Reconciled) else [str(result)]
        return []

    for _ in range(2):
        assert in_child(child) == [f"Deployment.v1.apps/a.{deployments.namespace}"]
