from __future__ import annotations

import pickle
from typing import Any

import pytest

from kubewatch.controller import Action
from kubewatch.errors import InvalidInput


def test_an_action_says_when_to_come_again() -> None:
    assert Action.requeue(5).requeue_after == 5.0
    assert Action.requeue(0).requeue_after == 0.0
    assert Action.await_change().requeue_after is None
    assert Action.requeue(5) == Action.requeue(5.0)


@pytest.mark.parametrize("seconds", [-1, float("nan"), "5", True])
def test_what_is_no_time_to_wait_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidInput, match="seconds"):
        Action.requeue(seconds)


def test_an_action_crosses_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Action.requeue(5))) == Action.requeue(5)
