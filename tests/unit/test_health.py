"""What a probe is told."""

from __future__ import annotations

import json

from kubewatch import store
from kubewatch.health import Check, Report, check_store


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
