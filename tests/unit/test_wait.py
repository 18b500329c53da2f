"""await_condition: what it returns, what it raises, and when."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest

from kubewatch import backoffs
from kubewatch.conditions import is_created, is_deleted, is_job_completed, is_job_failed, is_pod_running
from kubewatch.errors import (
    ApiError,
    AuthError,
    ConditionFailed,
    ConditionTimeout,
    DecodeFailed,
    InvalidInput,
    Unreachable,
)
from kubewatch.objects import Object
from kubewatch.pages import Page
from kubewatch.stop import Stop
from kubewatch.wait import await_condition

from .stub_source import StubSource, Watch, added, deleted, error, line, page, pod

FORBIDDEN = ApiError(403, "Forbidden", "pods is forbidden")
BUSY = ApiError(503, "ServiceUnavailable", "try again later")

PENDING = {"phase": "Pending"}
RUNNING = {"phase": "Running"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once: how long the pauses are is not what these tests are about."""

    def at_once() -> backoffs.Waits:
        yield None
        while True:
            yield 0.0

    monkeypatch.setattr(backoffs, "default", at_once)


def modified(name: str, version: int, **fields: Any) -> bytes:
    return line("MODIFIED", pod(name, version, **fields))


class Expiring(StubSource[Object]):
    """A source with which the time is over when its script is."""

    def open(self, stop: Stop) -> Any:
        self._stop = stop
        return super().open(stop)

    def next_list(self) -> Page | Exception:
        return super().next_list() if self._lists else self._expire()

    def next_watch(self) -> Watch:
        return super().next_watch() if self._watches else self._expire()

    def _expire(self) -> Exception:
        self._stop.until(0)
        return BUSY


# What it returns


def test_the_object_is_returned_as_it_was_when_the_condition_held() -> None:
    source: StubSource[Object] = StubSource(
        [page(pod("web", 3, status=PENDING), version=5)],
        [[modified("web", 6, status=PENDING), modified("web", 7, status=RUNNING), deleted("web", 8)]],
    )
    running = await_condition(source, "web", is_pod_running)
    assert running is not None
    assert running.resource_version == "7"
    assert source.open_bodies == 0
    assert source.closed == 1


def test_what_holds_already_needs_no_watch() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3, status=RUNNING), version=5)])
    assert await_condition(source, "web", is_pod_running) is not None
    assert source.watched == []


def test_none_is_returned_where_the_condition_holds_of_absence() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)], [[deleted("web", 6)]])
    assert await_condition(source, "web", is_deleted("uid-web")) is None


def test_any_function_is_a_condition_and_sees_absence_as_none() -> None:
    seen: list[Any] = []

    def third(obj: Object | None) -> bool:
        seen.append(obj and obj.resource_version)
        return len(seen) == 3

    source: StubSource[Object] = StubSource([page(version=5)], [[added("web", 6), deleted("web", 7)]])
    assert await_condition(source, "web", third) is None
    assert seen == [None, "6", None]


def test_only_the_object_of_that_name_is_asked_for() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)])
    await_condition(source, "web", is_created)
    assert [request.field_selector for request in source.requests] == ["metadata.name=web"]


# Giving up


def test_what_makes_the_condition_impossible_ends_the_wait() -> None:
    """Pain 29: a wait for success alone waits for ever for a job that has failed, or was deleted."""
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    source: StubSource[Object] = StubSource(
        [page(pod("import", 3), version=5)], [[modified("import", 6, status=failed)]], kind="Job"
    )
    with pytest.raises(ConditionFailed, match=r"Failed=True \(BackoffLimitExceeded\)") as raised:
        await_condition(source, "import", is_job_completed, unless=is_job_failed)
    assert raised.value.last is not None
    assert raised.value.last.resource_version == "6"
    assert str(raised.value).startswith(
        "waiting for Job default/import until is_job_completed: is_job_failed held instead"
    )


def test_where_both_hold_the_condition_counts() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)])
    assert await_condition(source, "web", is_created, unless=is_created) is not None


def test_a_timeout_says_what_was_last_seen_of_which_object() -> None:
    unready = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "TooFull"}]}
    source = Expiring([page(pod("web", 3, status=unready), version=5)], [BUSY])
    with pytest.raises(ConditionTimeout) as raised:
        await_condition(source, "web", is_pod_running, timeout=60)
    assert isinstance(raised.value, TimeoutError)
    assert raised.value.last is not None
    assert str(raised.value).startswith(
        "waiting for Pod default/web until is_pod_running: not within 60 s; "
        "last seen: phase Pending, PodScheduled=False (TooFull); newest error: "
    )


def test_a_timeout_says_so_where_the_object_never_existed() -> None:
    source = Expiring([page(version=5)])
    with pytest.raises(ConditionTimeout, match="last seen: it did not exist"):
        await_condition(source, "web", is_created, timeout=60)


def test_a_timeout_says_so_where_the_server_never_answered() -> None:
    source = Expiring([Unreachable("connection refused")])
    with pytest.raises(ConditionTimeout, match=r"never seen; newest error: .*connection refused"):
        await_condition(source, "web", is_created, timeout=60)


def test_a_timeout_names_what_holds_up_a_deletion() -> None:
    going = pod("web", 3)
    going["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/volumes"]}
    source: StubSource[Object] = StubSource([page(going, version=5)])
    with pytest.raises(ConditionTimeout, match=r"being deleted, held by example\.com/volumes"):
        await_condition(source, "web", is_deleted("uid-web"), timeout=0)


def test_a_timeout_shows_nothing_of_a_secret_but_its_version() -> None:
    secret = pod("token", 3, data={"password": "aHVudGVyMg=="}, type="Opaque")
    source: StubSource[Object] = StubSource([page(secret, version=5)], kind="Secret")
    with pytest.raises(ConditionTimeout) as raised:
        await_condition(source, "token", is_job_completed, timeout=0)
    assert str(raised.value).endswith("last seen: resourceVersion 3")
    assert "aHVudGVyMg" not in repr(raised.value)


@pytest.mark.parametrize("status", ["Ready", {"conditions": {"Ready": "True"}}, {"conditions": ["Ready"]}])
def test_a_status_of_another_form_keeps_nobody_from_waiting(status: Any) -> None:
    """A custom resource may have anything there."""
    source: StubSource[Object] = StubSource([page(pod("web", 3, status=status), version=5)], kind="Website")
    assert await_condition(source, "web", is_created, timeout=0) is not None


def test_with_a_timeout_of_zero_the_object_is_looked_at_once() -> None:
    there: StubSource[Object] = StubSource([page(pod("web", 3), version=5)])
    assert await_condition(there, "web", is_created, timeout=0) is not None
    absent: StubSource[Object] = StubSource([page(version=5)], [[added("web", 6)]])
    with pytest.raises(ConditionTimeout, match="not so"):
        await_condition(absent, "web", is_created, timeout=0)
    assert absent.watched == []


def test_the_errors_of_waiting_pickle() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)])
    with pytest.raises(ConditionTimeout) as raised:
        await_condition(source, "web", is_pod_running, timeout=0)
    copied = pickle.loads(pickle.dumps(raised.value))
    assert (str(copied), copied.last) == (str(raised.value), raised.value.last)


# Errors


def test_what_passes_is_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    """Improvement 12, and probe P15: kube-rs's own gives up at the first error."""
    source: StubSource[Object] = StubSource(
        [BUSY, Unreachable("reset"), page(version=5), page(pod("web", 95), version=99)],
        [BUSY, [error(410, "Expired")]],
    )
    with caplog.at_level(logging.WARNING):
        found = await_condition(source, "web", is_created)
    assert found is not None
    assert found.resource_version == "95"
    assert "503 ServiceUnavailable" in caplog.text


@pytest.mark.parametrize("refusal", [FORBIDDEN, AuthError("401"), ApiError(400, "BadRequest", "no such field")])
def test_a_refused_list_is_raised_at_once(refusal: Exception) -> None:
    source: StubSource[Object] = StubSource([refusal])
    with pytest.raises(type(refusal)) as raised:
        await_condition(source, "web", is_created)
    assert raised.value is refusal
    assert len(source.requests) == 1


def test_a_refused_watch_is_raised_at_once() -> None:
    """Who may list and not watch would wait for ever otherwise."""
    source: StubSource[Object] = StubSource([page(version=5)], [FORBIDDEN])
    with pytest.raises(ApiError, match="pods is forbidden"):
        await_condition(source, "web", is_created)


def test_what_was_granted_before_is_asked_for_again() -> None:
    """A kube-apiserver that has just started may refuse what it will grant in a moment."""
    source: StubSource[Object] = StubSource(
        [page(version=5), FORBIDDEN, page(version=90)],
        [[Unreachable("reset")], FORBIDDEN, [error(410, "Expired")], [added("web", 95)]],
    )
    assert await_condition(source, "web", is_created) is not None
    assert source.used_up


def test_an_object_that_cannot_be_decoded_is_neither_absent_nor_waited_for() -> None:
    def refuse(raw: bytes, api_version: str, kind: str) -> Object:
        raise ValueError("odd")

    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)], decode=refuse)
    with pytest.raises(DecodeFailed, match="web"):
        await_condition(source, "web", lambda obj: obj is None)


def test_what_a_condition_raises_ends_the_wait() -> None:
    source: StubSource[Object] = StubSource([page(version=5)])
    with pytest.raises(AttributeError):
        await_condition(source, "web", lambda pod: pod.status.phase == "Running")  # type: ignore[union-attr]  # it may be None
    assert source.closed == 1


# Wrong calls


@pytest.mark.parametrize("wrong", [-1, float("nan"), "30s", True])
def test_what_is_no_timeout_is_refused_before_any_request(wrong: Any) -> None:
    source: StubSource[Object] = StubSource()
    with pytest.raises(InvalidInput, match="seconds"):
        await_condition(source, "web", is_created, timeout=wrong)
    assert source.requests == []


@pytest.mark.parametrize("wrong", [{"condition": "Ready"}, {"condition": is_created, "unless": "Failed"}])
def test_what_is_no_condition_is_refused_before_any_request(wrong: Any) -> None:
    source: StubSource[Object] = StubSource()
    with pytest.raises(InvalidInput, match="function"):
        await_condition(source, "web", **wrong)
    assert source.requests == []


class LearntByAsking(StubSource[Object]):
    """A source that is like an Api of a name alone: that its kind has namespaces is known by the first answer."""

    @property
    def namespaced(self) -> bool | None:
        return True if self.requests else None


def test_absence_from_all_namespaces_is_not_taken_for_absence_from_one() -> None:
    source = LearntByAsking([page(version=5)], namespace=None)
    with pytest.raises(InvalidInput, match="namespace="):
        await_condition(source, "web", is_deleted("uid-web"))
