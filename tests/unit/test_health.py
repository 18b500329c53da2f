"""What a probe is told."""

from __future__ import annotations

import json

import pytest

from kubewatch import Controller, Object, UnknownKind, live, store
from kubewatch.errors import InitialListFailed
from kubewatch.events import Init
from kubewatch.health import Check, Report, check_controller, check_store, check_watch
from kubewatch.vitals import Vitals
from tests.unit.controller.harness import PATIENCE, Feed, quiet
from tests.unit.stub_source import StubSource


def test_a_report_is_ok_only_when_every_check_is() -> None:
    well, ill = Check("pods", True, "ready"), Check("nodes", False, "not ready")
    assert Report().status == 200
    assert Report((well,)).status == 200
    assert Report((well, ill)).status == 503


def test_a_report_tells_each_check_and_why() -> None:
    assert json.loads(Report((Check("nodes", False, "not ready"),)).body()) == {
        "ok": False,
        "checks": [{"name": "nodes", "ok": False, "why": "not ready"}],
    }


def test_a_store_that_nobody_fills_is_not_ready_and_says_so() -> None:
    reader, _writer = store()
    assert check_store("pods", reader, within=90) == Check("pods", False, "not ready, never heard")


def test_a_controller_is_checked_for_what_the_probe_asks() -> None:
    feed = Feed()
    with Controller.for_stream(feed.reflected(), feed.reader).start(quiet) as running:
        assert check_controller("shop", running) == Check("shop", False, "waiting for its stores")
        assert check_controller("shop", running, ready=False) == Check("shop", True, "waiting for its stores")
    assert check_controller("shop", running, ready=False) == Check("shop", False, "ended")


def test_a_controller_that_cannot_work_says_by_what() -> None:
    feed = Feed().feed(Init()).end()
    running = Controller.for_stream(feed.reflected(), feed.reader).start(quiet)
    assert running.join(PATIENCE)
    assert check_controller("shop", running) == Check("shop", False, "ended by WriterDropped")


def test_a_probe_is_told_the_type_of_an_error_alone_as_its_text_may_name_hosts() -> None:
    vitals = Vitals()
    vitals.failed(InitialListFailed("https://10.0.0.1:6443 refuses kubernetes-admin"))
    never_heard = check_watch("pods", vitals, within=90)
    assert never_heard == Check("pods", False, "never heard, failing: InitialListFailed")
    vitals.heard()
    assert check_watch("pods", vitals, within=90).why.endswith(" s ago, failing: InitialListFailed")

    pods = live(StubSource[Object]([UnknownKind("pods of kubernetes-admin")]))
    with pytest.raises(UnknownKind):
        pods.wait_until_ready(PATIENCE)
    assert check_store("pods", pods, within=90).why == "never to be ready, never heard, ended by UnknownKind"
