"""A model kept in step with the objects of a server: on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest

from kubewatch import Api, Object, UnknownKind
from kubewatch.testing import ApiServer

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.db import OperationalError, connections

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import Reflection, reflect_model, reflector
from kubewatch.contrib.django.changes import Batch, Mark
from kubewatch.contrib.django.models import ReflectionState
from kubewatch.contrib.django.reflector import Reflector
from kubewatch.contrib.django.rows import Rows
from tests.djangosite.databases import added, emptied, wait_for
from tests.djangosite.models import Deployment, Machine, Node, Note
from tests.postgres import Postgres

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def each_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings: dict[str, Any] = {
        "NAME": tmp_path_factory.mktemp("sqlite") / "db.sqlite3",
        "OPTIONS": {"timeout": 0.1},  # seconds to wait for a lock
    }
    if request.param == "postgres":
        settings = request.getfixturevalue("postgres").settings
    with added(request.param, settings):
        yield request.param


@pytest.fixture
def database(each_database: str) -> str:
    """The alias of a database with empty tables."""
    emptied(each_database)
    return each_database


def deployments(server: ApiServer, database: str) -> Reflection[Object]:
    return reflect_model(
        Deployment,
        Api("apps/v1", "Deployment", client=server.client()),
        key={"namespace": "metadata.namespace", "name": "metadata.name"},
        fields={
            "replicas": ".spec.replicas",
            "image": lambda d: d.spec.template.spec.containers[0].image,
            "labels": ".metadata.labels",
            "created": ".metadata.creationTimestamp",
        },
        using=database,
    )


def nodes(server: ApiServer, database: str, cluster: str) -> Reflection[Object]:
    api = Api("v1", "Node", client=server.client())
    return reflect_model(
        Node, api, key={"name": "metadata.name"}, fields={}, scope={"cluster": cluster}, using=database
    )


def deployment(name: str, replicas: int = 1, image: str = "nginx") -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def node(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def stored(database: str) -> dict[str, int]:
    return dict(Deployment.objects.using(database).values_list("name", "replicas"))


def test_rows_come_change_and_go_with_their_objects(kube_api: ApiServer, database: str) -> None:
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    created = api.create(deployment("web", 2))
    with Reflector(deployments(kube_api, database)) as running:
        assert running.wait_until_ready(30)
        web = Deployment.objects.using(database).get()
        assert (web.namespace, web.name, web.replicas, web.image) == ("default", "web", 2, "nginx")
        assert (web.labels, web.created) == ({"app": "web"}, created.metadata.creation_timestamp)
        api.create(deployment("db"))
        api.patch("web", {"spec": {"replicas": 5}})
        wait_for(lambda: stored(database) == {"web": 5, "db": 1})
        api.delete("web")
        wait_for(lambda: stored(database) == {"db": 1})
    assert running.left_out == 0


def test_what_was_missed_is_made_good_by_a_relist(kube_api: ApiServer, database: str) -> None:
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    for name in ("stays", "goes", "changes"):
        api.create(deployment(name))
    Deployment.objects.using(database).create(namespace="default", name="from an earlier life", image="")
    with Reflector(deployments(kube_api, database)) as running:
        assert running.wait_until_ready(30)
        assert stored(database) == {"stays": 1, "goes": 1, "changes": 1}
        api.delete("goes")
        api.patch("changes", {"spec": {"replicas": 7}})
        api.create(deployment("comes"))
        kube_api.faults.compact()
        kube_api.faults.expire_watches()
        wait_for(lambda: stored(database) == {"stays": 1, "changes": 7, "comes": 1})


def test_readers_see_a_relist_wholly_or_not_at_all(kube_api: ApiServer, database: str) -> None:
    rows = Rows(deployments(kube_api, database))
    rows.write(Batch(True, {("default", f"old-{n}"): (1, "nginx", {}, None) for n in range(20)}), NOW)
    before = stored(database)
    seen: list[dict[str, int]] = []

    def look() -> None:
        seen.append(stored(database))
        connections.close_all()

    def spy(execute: Any, *arguments: Any) -> Any:
        answer = execute(*arguments)
        reader = threading.Thread(target=look)
        reader.start()
        reader.join()
        return answer

    with connections[database].execute_wrapper(spy):
        rows.write(Batch(True, {("default", f"new-{n}"): (2, "nginx", {}, None) for n in range(20)}), NOW)
    assert len(seen) > 4
    assert all(each == before for each in seen), "within the transaction nobody else sees any of it"
    assert stored(database) == {f"new-{n}": 2 for n in range(20)}


def test_several_kinds_and_clusters_go_into_one_database(kube_api: ApiServer, database: str) -> None:
    client = kube_api.client()
    Api("apps/v1", "Deployment", namespace="default", client=client).create(deployment("web"))
    Api("v1", "Node", client=client).create(node("n1"))
    with ApiServer() as other:
        Api("v1", "Node", client=other.client()).create(node("m1"))
        with (
            Reflector(deployments(kube_api, database)) as one,
            Reflector(nodes(kube_api, database, "here")) as two,
            Reflector(nodes(other, database, "there")) as three,
        ):
            assert all(running.wait_until_ready(30) for running in (one, two, three))
            Api("v1", "Node", client=other.client()).delete("m1")
            wait_for(lambda: list(Node.objects.using(database).values_list("cluster", "name")) == [("here", "n1")])
    assert stored(database) == {"web": 1}
    assert ReflectionState._default_manager.using(database).count() == 3


def test_two_processes_that_write_the_same_rows_come_to_the_same(kube_api: ApiServer, database: str) -> None:
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    with Reflector(deployments(kube_api, database)) as one, Reflector(deployments(kube_api, database)) as two:
        assert one.wait_until_ready(30)
        assert two.wait_until_ready(30)
        for number in range(30):
            api.create(deployment(f"d{number}"))
        for number in range(0, 30, 2):
            api.delete(f"d{number}")
        wait_for(lambda: stored(database) == {f"d{number}": 1 for number in range(1, 30, 2)})


# When the database fails


@pytest.mark.parametrize("each_database", ["postgres"], indirect=True)
def test_a_row_that_the_database_refuses_holds_up_no_other(
    kube_api: ApiServer, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    for name, image in (("a", "nginx"), ("long", "i" * 21), ("nul", "\0"), ("z", "nginx")):
        api.create(deployment(name, image=image))
    with Reflector(deployments(kube_api, database)) as running:
        assert running.wait_until_ready(30)
        assert stored(database) == {"a": 1, "z": 1}
        api.patch("long", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "short"}]}}}})
        wait_for(lambda: stored(database) == {"a": 1, "long": 1, "z": 1})
    assert running.left_out == 2
    assert "refuses the row of default/long, which stays as it was: DataError: value too long" in caplog.text


def test_what_a_database_refuses_only_when_a_transaction_ends_holds_up_no_other_row(
    kube_api: ApiServer, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Rows(deployments(kube_api, database))
    rows.write(Batch(True, {("default", name): (1, "nginx", {}, None) for name in "ab"}), NOW)
    about_a = Deployment.objects.using(database).get(name="a")
    note = Note.objects.using(database).create(deployment=about_a)
    gone: dict[Any, Any] = {("default", name): Mark.GONE for name in "ab"}
    rows.write(Batch(False, {**gone, ("default", "c"): (1, "nginx", {}, None)}), NOW)
    assert stored(database) == {"a": 1, "c": 1}
    assert rows.refused == 1
    assert "the database refuses the row of a, which stays as it was: IntegrityError" in caplog.text
    note.delete()


def test_whichever_statement_fails_nothing_is_written_and_the_next_try_writes_it_all(
    kube_api: ApiServer, database: str
) -> None:
    rows = Rows(deployments(kube_api, database))
    rows.write(Batch(True, {("default", name): (1, "nginx", {}, None) for name in ("stays", "goes", "changes")}), NOW)
    batch = Batch(True, {("default", name): (2, "nginx", {}, None) for name in ("changes", "comes")})
    before, failing, left = stored(database), 0, 0

    def fail(execute: Any, *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise OperationalError("the connection is gone")
        return execute(*arguments)

    while left <= 0:
        failing += 1
        left = failing
        with connections[database].execute_wrapper(fail), suppress(OperationalError):
            rows.write(batch, NOW)
        if left <= 0:
            assert stored(database) == before
    assert failing > 5
    assert stored(database) == {"changes": 2, "comes": 2}


@pytest.mark.parametrize("each_database", ["sqlite"], indirect=True)
def test_nothing_is_lost_while_the_database_is_locked(
    kube_api: ApiServer, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    with Reflector(deployments(kube_api, database)) as running:
        assert running.wait_until_ready(30)
        with connections[database].cursor() as cursor:
            cursor.execute("BEGIN EXCLUSIVE")
            api.create(deployment("web"))
            wait_for(lambda: "not written, trying again" in caplog.text)
            api.patch("web", {"spec": {"replicas": 3}})
            cursor.execute("ROLLBACK")
        wait_for(lambda: stored(database) == {"web": 3})
    assert "OperationalError: database is locked" in caplog.text


@pytest.mark.parametrize("each_database", ["postgres"], indirect=True)
def test_nothing_is_lost_while_the_database_is_away(
    kube_api: ApiServer, database: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    server: Postgres = request.getfixturevalue("postgres")
    if not server.can_restart:
        pytest.skip("this server is not ours to stop")
    api = Api("apps/v1", "Deployment", namespace="default", client=kube_api.client())
    api.create(deployment("goes"))
    with Reflector(deployments(kube_api, database)) as running:
        assert running.wait_until_ready(30)
        server.stop()
        try:
            api.create(deployment("comes"))
            wait_for(lambda: "not written, trying again" in caplog.text)
            api.delete("goes")
            kube_api.faults.compact()
            kube_api.faults.expire_watches()
        finally:
            server.start()
        wait_for(lambda: stored(database) == {"comes": 1})


# Beginning and ending


def test_stopping_ends_both_threads(kube_api: ApiServer, database: str) -> None:
    before = set(threading.enumerate())
    running = Reflector(deployments(kube_api, database))
    running.start()
    assert running.wait_until_ready(30)
    names = {thread.name for thread in threading.enumerate()}
    assert {f"kubewatch reflect djangosite.deployment {word}" for word in ("watch", "write")} <= names
    running.stop()
    running.stop()
    left = {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("kubewatch reflect")}
    assert not left


def test_where_there_are_too_many_threads_none_is_left_behind(
    kube_api: ApiServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Reflector(deployments(kube_api, database))
    watch, write = running._threads

    def start() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(write, "start", start)
    with pytest.raises(RuntimeError, match="new thread"):
        running.start()
    assert not watch.is_alive()


def test_what_cannot_be_outlived_ends_it_and_is_told(kube_api: ApiServer, database: str) -> None:
    websites = reflect_model(
        Machine,
        Api("example.com/v1", "Website", client=kube_api.client()),
        key={"name": "metadata.name"},
        fields={},
        using=database,
    )
    ended = threading.Event()
    with Reflector(websites, on_end=ended.set) as running:
        assert ended.wait(30)
    assert isinstance(running.failure, UnknownKind)
    assert not running.is_ready


def test_the_rows_stay_fresh_while_nothing_changes(
    kube_api: ApiServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "HEARTBEAT", 0.01)
    states = ReflectionState._default_manager.using(database)
    with Reflector(nodes(kube_api, database, "here")) as running:
        assert running.wait_until_ready(30)
        kube_api.wait_for_watches(1)
        listed: datetime = states.get().heard_at

        def fresher() -> object:
            kube_api.send_bookmarks()
            return states.get().heard_at > listed

        wait_for(fresher)
