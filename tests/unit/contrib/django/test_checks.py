"""System checks of the setting KUBEWATCH, and what happens without them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kubewatch import Api, Client, Config, InvalidInput, prune

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import override_settings

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import conf, object_deleted, reflect_model, stores
from tests.djangosite.models import Machine

machines = reflect_model(Machine, Api("nodes"), key={"name": "metadata.name"}, fields={})
again = reflect_model(Machine, Api("nodes"), key={"name": "metadata.name"}, fields={})
elsewhere = reflect_model(Machine, Api("nodes"), key={"name": "metadata.name"}, fields={}, using="elsewhere")
pods_of: dict[str, Any] = {"API": "pods", "NAMESPACE": "shop"}


def found(kubewatch: Any) -> list[tuple[str, str]]:
    with override_settings(KUBEWATCH=kubewatch):
        # The site's receivers wait for a store that is not in these settings.
        return [(str(each.id), each.msg) for each in run_checks() if "'settings'" not in each.msg]


def store(**entry: Any) -> dict[str, Any]:
    return {"STORES": {"pods": {**pods_of, **entry}}}


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"STORES": {}, "REFLECT": ()},
        {"REFLECT": [f"{__name__}.machines"]},
        {"CLIENT": Client(), "STALE_AFTER": 30, "READY_TIMEOUT": 0.5},
        store(CONFIG={"label_selector": "app=web", "page_size": 100}),
        store(MODIFY=prune("status"), INDEXES={"node": lambda pod: [pod.spec.nodeName]}),
        store(API=("apps/v1", "Deployment")),
        store(API=Api("pods")),
    ],
)
def test_what_is_right_passes(right: dict[str, Any]) -> None:
    assert found(right) == []


@pytest.mark.parametrize(
    ("wrong", "id_", "why"),
    [
        (["pods"], "E001", "KUBEWATCH is a dict with the keys STORES, REFLECT"),
        ({"STORE": {}}, "E001", "KUBEWATCH has no key 'STORE'; is it STORES?"),
        ({"STORES": ["pods"]}, "E001", "KUBEWATCH['STORES'] is a dict"),
        ({"REFLECT": "inventory.kube.nodes"}, "E001", "KUBEWATCH['REFLECT'] is a list of dotted paths"),
        ({"CLIENT": "https://cluster"}, "E001", "KUBEWATCH['CLIENT'] is a kubewatch.Client"),
        ({"STALE_AFTER": 0}, "E001", "KUBEWATCH['STALE_AFTER'] is a number of seconds, more than 0, not 0"),
        ({"READY_TIMEOUT": True}, "E001", "KUBEWATCH['READY_TIMEOUT'] is a number of seconds"),
        ({"STORES": {"pods": "pods"}}, "E002", "KUBEWATCH['STORES']['pods'] is a dict with the keys API"),
        ({"STORES": {"pods": {}}}, "E002", "KUBEWATCH['STORES']['pods'] needs 'API'"),
        (store(NAMSPACE="shop"), "E002", "has no key 'NAMSPACE'; is it NAMESPACE?"),
        (store(NAMESPACE="Shop!"), "E002", "'Shop!' is no name of a namespace"),
        (store(API=("apps/v1", "Deployment", "web")), "E002", "KUBEWATCH['STORES']['pods']: "),
        (store(CONFIG={"label_selektor": "app=web"}), "E002", "label_selektor"),
        (store(CONFIG=Config()), "E002", "KUBEWATCH['STORES']['pods']['CONFIG'] is a dict of the arguments"),
        (store(CONFIG={"label_selector": "app in"}), "E002", "app in"),
        (store(MODIFY="status"), "E002", "modify needs a function"),
        (store(INDEXES={"node": "spec.nodeName"}), "E002", "index 'node' must be a function"),
        ({"REFLECT": ["no.such.module"]}, "E003", "no.such.module cannot be imported: ModuleNotFoundError"),
        ({"REFLECT": [f"{__name__}.found"]}, "E003", "and not what reflect_model(…) gives"),
        ({"REFLECT": [f"{__name__}.machines", f"{__name__}.again"]}, "E004", "djangosite.machine and djangosite.mach"),
        ({"REFLECT": [f"{__name__}.elsewhere"]}, "E005", "there is no database 'elsewhere' in DATABASES"),
    ],
)
def test_what_is_wrong_is_found_before_any_request(wrong: Any, id_: str, why: str) -> None:
    ((found_id, message),) = found(wrong)
    assert found_id == f"kubewatch.{id_}"
    assert why in message


def test_a_database_without_upserts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"].features, "supports_update_conflicts_with_target", False)
    ((found_id, message),) = found({"REFLECT": [f"{__name__}.machines"]})
    assert (found_id, message) == (
        "kubewatch.E005",
        "KUBEWATCH['REFLECT']: djangosite.machine: rows cannot be reflected into sqlite",
    )


def test_a_receiver_that_waits_for_no_store_is_warned_of() -> None:
    def heard(**_: Any) -> None:
        """Never called."""

    object_deleted.connect(heard, sender="pds")
    try:
        ((found_id, message),) = found(store())
    finally:
        object_deleted.disconnect(heard, sender="pds")
        del object_deleted.names["pds"]
    assert found_id == "kubewatch.W001"
    assert message == "a receiver of object_deleted waits for 'pds', and KUBEWATCH['STORES'] has no such store"


def test_commands_refuse_wrong_settings() -> None:
    with override_settings(KUBEWATCH={"STORE": {}}), pytest.raises(CommandError, match=r"kubewatch\.E001"):
        call_command("reflectmodels", skip_checks=False)


def test_where_nobody_checks_the_first_use_refuses() -> None:
    with override_settings(KUBEWATCH={"STORE": {}}), pytest.raises(ImproperlyConfigured, match="is it STORES"):
        stores["pods"]
    with override_settings(KUBEWATCH=store(NAMESPACE="Shop!")), pytest.raises(ImproperlyConfigured, match="Shop!"):
        stores["pods"]


def test_a_store_that_nobody_named_is_a_key_error_that_names_the_others() -> None:
    with override_settings(KUBEWATCH=store()), pytest.raises(KeyError, match="has no 'nodes', only 'pods'"):
        stores["nodes"]


def test_stores_are_made_once_of_what_the_settings_say_and_none_is_started() -> None:
    before = set(threading.enumerate())
    with override_settings(KUBEWATCH=store(CONFIG={"label_selector": "app=web"})):
        assert list(stores) == ["pods"]
        assert stores["pods"] is stores["pods"]
        assert stores["pods"].label == "pods in shop"
        assert stores["pods"]._config == Config(label_selector="app=web")
        assert not stores["pods"].running
    assert set(threading.enumerate()) <= before


def test_a_reflection_is_loaded_or_refused_by_its_path() -> None:
    assert conf.load_reflection(f"{__name__}.machines") is machines
    with pytest.raises(InvalidInput, match="cannot be imported: ImportError"):
        conf.load_reflection("nodots")
