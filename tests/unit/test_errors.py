"""Errors cross the border of a process, and are copied, whole: executors and queues pickle them."""

from __future__ import annotations

import copy
import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from kubewatch import errors
from kubewatch.errors import (
    ApiError,
    DecodeFailed,
    FunctionFailed,
    KubewatchError,
    NoSuchObject,
    UnknownKind,
    Unreachable,
    WatchFailed,
    WatchStatusError,
)

API_ERROR = ApiError(
    409, "Conflict", "changed meanwhile", details={"name": "web"}, retry_after=2.0, request="PUT /api/v1/pods/web"
)
NOTED = WatchFailed("the watch broke", API_ERROR)
NOTED.note = "set by whoever caught it"  # type: ignore[attr-defined]
SPECIAL: list[KubewatchError] = [
    API_ERROR,
    UnknownKind("pos", ("pods", "po")),
    WatchStatusError("reported 500", 500, "InternalError"),
    DecodeFailed("no", kind="Pod", namespace="a", object_name="b", raw=b"{", cause=ValueError("x")),
    NoSuchObject("web-00", "pods in shop (ready)", ("web-0",)),
    FunctionFailed("filter(f) raised ValueError on Pod a/b", ValueError("x")),
    Unreachable("no route"),
    NOTED,
]
PLAIN = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, KubewatchError) and error not in {type(one) for one in SPECIAL}
]


@pytest.mark.parametrize("error", [*SPECIAL, *(one("words") for one in PLAIN)], ids=lambda e: type(e).__name__)
def test_an_error_comes_back_from_pickle_and_copy_with_all_it_says(error: KubewatchError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def refused() -> None:
    raise API_ERROR


def test_an_error_of_a_request_reaches_whoever_waits_for_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for _ in range(2):  # an error that could not be read would break the pool
            error = pool.submit(refused).exception(timeout=60)
            assert isinstance(error, ApiError)
            assert (error.code, error.retry_after, error.request) == (409, 2.0, "PUT /api/v1/pods/web")
