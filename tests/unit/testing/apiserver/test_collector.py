"""What the server does by itself: dependents go with their owners, namespaces with their content."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kubewatch.testing.apiserver.app import App, Settings

Json = dict[str, Any]
PATIENCE = 10.0  # seconds


@pytest.fixture
def app() -> Iterator[App]:
    app = App(Settings())
    app.start()
    yield app
    app.stop()


def create(app: App, name: str, *owners: Json, blocking: bool = False, **metadata: Any) -> Json:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocking,
        }
        for owner in owners
    ]
    whole = {"name": name, **metadata, **({"ownerReferences": references} if references else {})}
    return app.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": whole})


def left(app: App, namespace: str = "") -> list[str]:
    assert app.settle(PATIENCE)
    return [one["metadata"]["name"] for one in app.objects.list("configmaps", namespace=namespace)]


def test_dependents_go_with_their_last_owner_and_so_on_down(app: App) -> None:
    parent, other = create(app, "parent"), create(app, "other")
    child = create(app, "child", parent)
    create(app, "grandchild", child)
    create(app, "shared", parent, other)
    app.objects.delete("cm", "parent")
    assert left(app) == ["other", "shared"]
    owners = app.objects.get("cm", "shared")["metadata"]["ownerReferences"]
    assert [one["name"] for one in owners] == ["other"]


def test_who_is_born_without_a_living_owner_does_not_stay(app: App) -> None:
    create(app, "child", {"metadata": {"name": "nobody", "uid": "nobody"}})
    assert left(app) == []


def test_in_the_foreground_the_owner_waits_for_those_that_block_it(app: App) -> None:
    parent = create(app, "parent")
    create(app, "child", parent, blocking=True, finalizers=["ex.io/wait"])
    app.objects.delete("cm", "parent", propagation="Foreground")
    assert left(app) == ["child", "parent"]
    app.objects.patch("cm", "child", {"metadata": {"finalizers": None}})
    assert left(app) == []


def test_orphans_stay_and_name_no_owner(app: App) -> None:
    create(app, "child", create(app, "parent"))
    app.objects.delete("cm", "parent", propagation="Orphan")
    assert left(app) == ["child"]
    assert "ownerReferences" not in app.objects.get("cm", "child")["metadata"]


def test_a_namespace_goes_when_the_last_of_its_content_has_gone(app: App) -> None:
    app.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
    create(app, "a", namespace="going")
    create(app, "b", namespace="going", finalizers=["ex.io/wait"])
    create(app, "elsewhere")
    app.objects.delete("ns", "going")
    assert left(app, "going") == ["b"]
    assert app.objects.get("ns", "going")["status"]["phase"] == "Terminating"
    app.objects.patch("cm", "b", {"metadata": {"finalizers": None}}, namespace="going")
    assert app.settle(PATIENCE)
    assert not app.objects.exists("ns", "going")
    assert left(app) == ["elsewhere"]


def test_pods_that_would_die_slowly_do_not_hold_up_their_namespace(app: App) -> None:
    app.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "going"}, "spec": spec}
    app.objects.create({**pod, "status": {"phase": "Running"}})
    app.objects.delete("ns", "going")
    assert app.settle(PATIENCE)
    assert not app.objects.exists("ns", "going")


def test_claims_are_not_protected_from_their_deletion(app: App) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {}}
    assert app.objects.create(claim)["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    app.objects.delete("pvc", "c")
    assert app.settle(PATIENCE)
    assert not app.objects.exists("pvc", "c")


def test_without_controllers_nothing_happens_by_itself() -> None:
    app = App(Settings(controllers=False))
    app.start()
    create(app, "child", create(app, "parent"))
    app.objects.delete("cm", "parent")
    assert left(app) == ["child"]
    app.stop()


def test_its_thread_ends_with_it(app: App) -> None:
    names = {thread.name for thread in threading.enumerate()}
    assert "kubewatch-apiserver-collector" in names
    app.stop()
    names = {thread.name for thread in threading.enumerate()}
    assert "kubewatch-apiserver-collector" not in names
