"""What a probe is told."""

from __future__ import annotations

import json

from kubewatch import Controller, store
from kubewatch.events import Init
from kubewatch.health import Check, Report, check_controller, check_store
from tests.unit.controller.harness import PATIENCE, Feed, quiet


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


def test_a_controller_that_cannot_work_says_why() -> None:
    feed = Feed().feed(Init()).end()
    running = Controller.for_stream(feed.reflected(), feed.reader).start(quiet)
    assert running.join(PATIENCE)
    assert check_controller("shop", running).why.startswith("ended: the controller ends: WriterDropped")
