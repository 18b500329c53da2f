from __future__ import annotations

import pickle

import pytest

from kubewatch.controller import (
    Action,
    ControllerError,
    ObjectNotFound,
    QueueError,
    Reconciled,
    ReconcilerFailed,
    RunnerError,
    Summary,
)
from kubewatch.ref import ObjectRef

REF = ObjectRef("Pod", "web", "shop")
ERRORS = [
    (ReconcilerFailed(REF, OSError("no room")), "Pod.v1./web.shop: OSError: no room"),
    (ReconcilerFailed(REF, OSError("a"), ValueError("b")), "its error policy: ValueError: b"),
    (ObjectNotFound(REF), "Pod.v1./web.shop is not in the store"),
    (QueueError(KeyError("x"), "pods"), "pods: KeyError: 'x'"),
    (RunnerError(OSError("gone")), "the controller ends: OSError: gone"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_says_what_happened_to_which_object(error: ControllerError, text: str) -> None:
    assert text in str(error)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Action.await_change(), "Pod.v1./web.shop: reconciled, again when something changes"),
        (Action.requeue(0.5), "Pod.v1./web.shop: reconciled, again in 0.5 s"),
        (Action.requeue(15_552_000), "Pod.v1./web.shop: reconciled, again in 15552000 s"),
    ],
)
def test_a_result_says_in_one_line_what_comes_next(action: Action, text: str) -> None:
    assert str(Reconciled(REF, action)) == text


@pytest.mark.parametrize("error", [error for error, _ in ERRORS])
def test_an_error_can_be_sent_to_another_process(error: ControllerError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert str(copy.__cause__) == str(error.__cause__)


def test_the_cause_of_a_failure_is_what_was_raised() -> None:
    error = OSError("no room")
    assert ReconcilerFailed(REF, error).__cause__ is error


def test_a_summary_is_fit_for_an_exit_code() -> None:
    assert Summary(reconciled=2).exit_code == 0
    assert Summary(errors=(QueueError(OSError()),)).exit_code == 0
    assert Summary(failed=(ReconcilerFailed(REF, OSError()),)).exit_code == 1
    assert Summary(errors=(RunnerError(OSError()),)).exit_code == 1
    assert Summary(timed_out=True).exit_code == 1
    assert Summary(unfinished=1).exit_code == 1
    told = Summary(1, (ReconcilerFailed(REF, OSError()),), unfinished=2, timed_out=True)
    assert str(told) == "1 reconciled, 1 failed, 2 not finished, timed out"
