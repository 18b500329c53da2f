"""Readiness and liveness as data: a `Check` for each store and controller, a `Report` of them for whoever asks.

The views of Flask and Django and the port of `kubewatch run` all answer with a `Report`:

    report = Report((check_store("pods", pods, within=90), check_controller("shop", running)))
    report.status, report.body()

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .controller import RunningController
    from .store import Store
    from .vitals import Vitals


class Check(msgspec.Struct, frozen=True):
    """Whether one thing is as it should be; `why` says in words how it is, also when it is well.

    Probes ask for no login, and a stranger may read it. Of errors it says the type alone: their texts, which name hosts
    and users, are in the log.
    """

    name: str
    ok: bool
    why: str


class Report(msgspec.Struct, frozen=True):
    """All checks; `ok` when each of them is. No checks at all are well."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    @property
    def status(self) -> int:
        """The HTTP status to answer a probe with: 200 or 503."""
        return 200 if self.ok else 503

    def body(self) -> bytes:
        """The answer as JSON: `{"ok": …, "checks": [{"name": …, "ok": …, "why": …}, …]}`."""
        return msgspec.json.encode({"ok": self.ok, "checks": self.checks})


def check_store(name: str, store: Store[Any], within: float) -> Check:
    """Ready, and what the server had at most `within` seconds ago."""
    return Check(name, store.is_live(within), store.freshness)


def check_watch(name: str, vitals: Vitals, within: float) -> Check:
    """What a watch that fills no store hears is at most `within` seconds old.

    A stream that neither heard of a server nor failed to is none of a server, and well.
    """
    failing = f", failing: {type(vitals.last_error).__name__}" if vitals.failing else ""
    if vitals.heard_at is None:
        return Check(name, not vitals.failing, f"never heard{failing}")
    return Check(name, vitals.age <= within, f"heard {vitals.age:.1f} s ago{failing}")


def check_controller(name: str, running: RunningController, *, ready: bool = True) -> Check:
    """Its stores are filled and it reconciles; with `ready=False`: it has not ended, which is what liveness asks."""
    return Check(name, running.ready if ready else running.healthy, running.state)
