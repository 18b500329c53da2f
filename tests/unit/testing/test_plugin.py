"""The pytest plugin, in test suites of its users."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

CONTROLLER = """
    from kubewatch import Action, Api, Controller, Program, Reconciled

    def reconcile(config_map, context):
        return Action.requeue(60)

    def controller(server):
        return Program(Controller(Api("v1", "ConfigMap", namespace="default", client=server.client())), reconcile)

    SHOP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}}
"""


def suite(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(f"{CONTROLLER}\n{text}")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_the_fixtures_are_there_without_any_import_and_say_what_they_are(pytester: pytest.Pytester) -> None:
    told = suite(pytester, "", "--fixtures")
    told.stdout.fnmatch_lines(["kube_api *", "*embedded API server*"])
    for name in ("kube_api_real", "kube_server", "drive"):
        told.stdout.fnmatch_lines([f"{name} *"])


def test_who_tests_something_else_pays_nothing_for_it() -> None:
    """Every run of pytest where kubewatch is installed imports the plugin."""
    (entry,) = entry_points(group="pytest11", name="kubewatch")
    code = f"import sys, pytest; before = set(sys.modules); import {entry.value}; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == ["kubewatch_pytest"]


def test_a_controller_is_driven_through_hours_in_no_time(pytester: pytest.Pytester) -> None:
    """Pain 30: no cluster is needed for it, no mock of a client, and no waiting."""
    text = """
    def test_hours(kube_api, drive):
        kube_api.objects.create(SHOP)
        driver = drive(controller(kube_api))
        assert [type(result) for result in driver.run_until_idle()] == [Reconciled]
        assert len(driver.advance(2 * 3600)) == 120
        assert driver.store.get("shop", "default")
    """
    suite(pytester, text).assert_outcomes(passed=1)


def test_a_server_is_of_one_test_alone_and_what_was_driven_ends_with_the_test(pytester: pytest.Pytester) -> None:
    text = """
    import threading

    def test_one(kube_server, drive):
        controller(kube_server).controller
        Api("v1", "ConfigMap", namespace="default", client=kube_server.client()).create(SHOP)
        assert len(drive(controller(kube_server)).run_until_idle()) == 1

    def test_two(kube_server, drive):
        assert not [thread.name for thread in threading.enumerate() if "ConfigMap" in thread.name]
        assert drive(controller(kube_server)).run_until_idle() == []
    """
    suite(pytester, text).assert_outcomes(passed=2)


@pytest.mark.parametrize("how", ["--kube-real", "kube_real"])
def test_with_a_flag_the_same_test_runs_on_a_real_server(pytester: pytest.Pytester, how: str) -> None:
    """Here the real server is one that is not there, so that the test is skipped."""
    pytester.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def kube_api_real():
            pytest.skip("the real server is asked for")
    """)
    if how == "kube_real":
        pytester.makeini("[pytest]\nkube_real = true")
    text = """
    def test_either(kube_server, drive):
        pass

    def test_embedded(kube_api, drive):
        assert drive(controller(kube_api)).run_until_idle() == []
    """
    told = suite(pytester, text, *([how] if how.startswith("--") else []), "-rs")
    told.assert_outcomes(passed=1, skipped=1)
    told.stdout.fnmatch_lines(["*the real server is asked for*"])
