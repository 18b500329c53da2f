"""The Flask extension, before anything is served: configuration, declarations, apps side by side."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import msgspec
import pytest
from typing_extensions import assert_type

from kubewatch import Api, Client, Config, InvalidInput, Object, ObjectMeta, PartialObjectMeta, prune
from kubewatch.live import LiveStore

flask = pytest.importorskip("flask", reason="the extra kubewatch[flask] is not installed")

from kubewatch.contrib.flask import AppStores, KubeWatch, Settings  # noqa: E402
from kubewatch.contrib.gunicorn import post_worker_init  # noqa: E402


class Web(msgspec.Struct):
    """A model of a user's own."""

    metadata: ObjectMeta
    api_version: str = "example.com/v1"
    kind: str = "Web"


def app_with(kube: KubeWatch, **config: Any) -> Any:
    app = flask.Flask("shop")
    app.config.from_mapping(config)
    kube.init_app(app)
    return app


# Configuration


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("KUBEWATCH_KUBECONFIG", 7),
        ("KUBEWATCH_CONTEXT", ""),
        ("KUBEWATCH_CLIENT", "https://cluster"),
        ("KUBEWATCH_NAMESPACE", ""),
        ("KUBEWATCH_AUTOSTART", "no"),
        ("KUBEWATCH_READY_TIMEOUT", -1),
        ("KUBEWATCH_READY_TIMEOUT", float("nan")),
        ("KUBEWATCH_READY_TIMEOUT", True),
        ("KUBEWATCH_READINESS_PATH", "readyz"),
        ("KUBEWATCH_READINESS_PATH", "/<name>"),
        ("KUBEWATCH_STALE_AFTER", 0),
        ("KUBEWATCH_STALE_AFTER", "90"),
    ],
)
def test_a_wrong_value_is_refused_by_a_message_that_names_its_key(key: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=key):
        app_with(KubeWatch(), **{key: value})


@pytest.mark.parametrize(
    ("name", "value", "hint"), [("NAMESPACE", "12", "'\"12\"'"), ("AUTOSTART", "False", "true or false")]
)
def test_a_value_of_the_environment_is_refused_saying_how_it_is_spelt_there(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(f"FLASK_KUBEWATCH_{name}", value)
    app = flask.Flask("shop")
    app.config.from_prefixed_env()
    with pytest.raises(InvalidInput, match=f"KUBEWATCH_{name} .*{hint}"):
        KubeWatch(app)


def test_a_misspelt_key_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(InvalidInput, match=r"KUBEWATCH_NAMSPACE .* is it KUBEWATCH_NAMESPACE\?"):
        app_with(KubeWatch(), KUBEWATCH_NAMSPACE="shop")


def test_a_key_that_is_like_no_other_is_refused_and_all_are_named() -> None:
    with pytest.raises(InvalidInput, match="KUBEWATCH_STALE_AFTER"):
        app_with(KubeWatch(), KUBEWATCH_X=1)


def test_a_client_beside_a_kubeconfig_is_refused() -> None:
    with pytest.raises(InvalidInput, match="leave KUBEWATCH_KUBECONFIG"):
        Settings(client=Client(), kubeconfig="/somewhere")


def test_the_keys_of_others_are_not_looked_at() -> None:
    assert Settings.of({"SECRET_KEY": "…", "KUBE": 1}) == Settings()


# Declaring stores


def test_building_an_app_with_stores_starts_no_thread_and_reads_no_kubeconfig() -> None:
    before = set(threading.enumerate())
    kube = KubeWatch()
    kube.store("pods", "pods")
    app = app_with(kube, KUBEWATCH_KUBECONFIG="/there/is/no/such/file")
    with app.app_context():
        assert not kube.stores["pods"].running
    assert set(threading.enumerate()) <= before


def test_a_store_is_in_every_app_whether_declared_before_or_after_it() -> None:
    kube = KubeWatch()
    kube.store("pods", "pods")
    app = app_with(kube)
    kube.store("nodes", "nodes")
    with app.app_context():
        assert list(kube.stores) == ["pods", "nodes"]


def test_two_apps_have_stores_of_their_own() -> None:
    kube = KubeWatch()
    kube.store("pods", "pods")
    found = []
    for namespace in ("shop", "bank"):
        with app_with(kube, KUBEWATCH_NAMESPACE=namespace).app_context():
            found.append(kube.stores["pods"])
    assert [store.label for store in found] == ["pods in shop", "pods in bank"]


@pytest.mark.parametrize(("declared", "label"), [(None, "pods in shop"), ("bank", "pods in bank"), ("", "pods")])
def test_a_store_is_of_the_configured_namespace_unless_it_names_one_or_all(declared: str | None, label: str) -> None:
    kube = KubeWatch()
    kube.store("pods", "pods", declared)
    with app_with(kube, KUBEWATCH_NAMESPACE="shop").app_context():
        assert kube.stores["pods"].label == label


def test_an_api_goes_by_its_own_namespace() -> None:
    kube = KubeWatch()
    kube.store("pods", Api("v1", "Pod", namespace="bank"))
    with app_with(kube, KUBEWATCH_NAMESPACE="shop").app_context():
        assert kube.stores["pods"].label == "Pod in bank"


def test_what_store_returns_is_for_type_checkers_the_live_store_that_it_stands_for() -> None:
    kube = KubeWatch(flask.Flask("shop"))
    pods = assert_type(kube.store("pods", "pods", modify=prune("status")), LiveStore[Object])
    assert_type(kube.store("metadata", Api("pods").metadata()), LiveStore[PartialObjectMeta])
    assert_type(kube.store("webs", Web, indexes={"name": lambda web: [web.metadata.name]}), LiveStore[Web])
    assert repr(pods) == "<LocalProxy unbound>", "but it is found anew at each use"
    with flask.Flask("other").app_context(), pytest.raises(RuntimeError, match=r"other has no KubeWatch"):
        len(pods)


@pytest.mark.parametrize("name", ["", "my-pods", "_pods", "store", "stores", "here", "init_app", 7])
def test_a_name_that_cannot_be_an_attribute_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput, match="another name"):
        KubeWatch().store(name, "pods")


def test_a_name_is_taken_once() -> None:
    kube = KubeWatch()
    kube.store("pods", "pods")
    with pytest.raises(InvalidInput, match="already"):
        kube.store("pods", "pods", "shop")


def test_what_cannot_be_followed_is_refused_where_it_is_declared() -> None:
    kube = KubeWatch()
    with pytest.raises(InvalidInput, match="namespace"):
        kube.store("pods", "pods", "Not a namespace")
    with pytest.raises(InvalidInput, match="leave namespace"):
        kube.store("pods", Api("pods"), "shop")
    with pytest.raises(InvalidInput, match="modify"):
        kube.store("pods", "pods", modify="status")  # type: ignore[call-overload]  # what a user might do
    with pytest.raises(AttributeError, match=r"declared by kube\.store"):
        _ = kube.pods


def test_an_app_has_one_kubewatch() -> None:
    app = app_with(KubeWatch())
    with pytest.raises(InvalidInput, match="has a KubeWatch"):
        KubeWatch(app)


def test_outside_of_an_app_flask_says_so() -> None:
    kube = KubeWatch()
    kube.store("pods", "pods", config=Config(label_selector="app=web"))
    with pytest.raises(RuntimeError, match="application context"):
        len(kube.pods)


def test_an_app_that_is_dropped_is_not_kept_by_its_extension() -> None:
    kube = KubeWatch()
    app_with(kube)
    gc.collect()
    assert len(kube._apps) == 0


# The readiness view


def test_the_readiness_view_is_where_the_configuration_says_or_nowhere() -> None:
    def paths(**config: Any) -> set[str]:
        return {rule.rule for rule in app_with(KubeWatch(), **config).url_map.iter_rules()} - {
            "/static/<path:filename>"
        }

    assert paths() == {"/readyz"}
    assert paths(KUBEWATCH_READINESS_PATH="/health/ready") == {"/health/ready"}
    assert paths(KUBEWATCH_READINESS_PATH=None) == set()


def test_a_store_that_was_not_started_is_not_ready() -> None:
    kube = KubeWatch()
    kube.store("pods", "pods")
    app = app_with(kube, KUBEWATCH_AUTOSTART=False)
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"ok": False, "checks": [{"name": "pods", "ok": False, "why": "not ready, never heard"}]}
    assert answer.headers["Cache-Control"] == "no-store"


# Workers


class FakeWorker:
    def __init__(self, wsgi: object) -> None:
        self.wsgi = wsgi
        self.alive = True
        self.ppid = os.getppid()


def test_an_app_is_stopping_once_its_worker_is_told_to_end() -> None:
    app = app_with(KubeWatch())
    worker = FakeWorker(app)
    post_worker_init(worker)
    of_app: AppStores = app.extensions["kubewatch"]
    assert not of_app.stopping
    assert not of_app.wait(0.01)
    worker.alive = False
    assert of_app.stopping
    assert of_app.wait(3600)


def test_an_app_is_stopping_once_its_workers_master_has_died() -> None:
    app = app_with(KubeWatch())
    worker = FakeWorker(app)
    post_worker_init(worker)
    worker.ppid += 1  # as if another process had become the parent
    assert app.extensions["kubewatch"].stopping


def test_an_app_is_stopping_once_its_stores_are_stopped_until_they_are_started() -> None:
    of_app: AppStores = app_with(KubeWatch()).extensions["kubewatch"]
    of_app.stop()
    assert of_app.stopping
    of_app.start()
    assert not of_app.stopping


def test_the_hook_of_gunicorn_refuses_what_is_no_flask_app_with_stores() -> None:
    with pytest.raises(InvalidInput, match=r"wrap app\.wsgi_app"):
        post_worker_init(FakeWorker(lambda environ, start_response: []))
