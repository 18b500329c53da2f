"""Lists: which objects, at which version, on which page, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.kinds import Kinds
from kubewatch.testing.apiserver.listing import Page, list_page, read_options
from kubewatch.testing.apiserver.status import ApiError
from kubewatch.testing.apiserver.storage import Storage

PODS = Kinds().need("", "v1", "pods")


def filled(*keys: str) -> Storage:
    storage = Storage()
    for key in keys:
        put(storage, key)
    return storage


def put(storage: Storage, key: str, **labels: str) -> int:
    namespace, name = key.split("/")
    document = {"metadata": {"name": name, "namespace": namespace, "labels": labels}}
    return storage.put(storage.collection(PODS.stored_in, PODS.fields), namespace, name, key, document).version


def page(storage: Storage, namespace: str = "", /, **query: str) -> Page:
    parameters = {key.rstrip("_"): value for key, value in query.items()}
    return list_page(storage, PODS, namespace, read_options(parameters, PODS, watch=False))


def keys(found: Page) -> list[str]:
    return [entry.key for entry in found.entries]


def test_all_namespaces_or_one_of_them() -> None:
    storage = filled("b/x", "a/y", "a/x", "a-b/x")
    assert keys(page(storage)) == ["a-b/x", "a/x", "a/y", "b/x"]
    assert keys(page(storage, "a")) == ["a/x", "a/y"]
    assert keys(page(storage, "nowhere")) == []


def test_pages_go_on_where_the_one_before_ended_on_the_same_snapshot() -> None:
    storage = filled("a/1", "a/2", "a/3", "a/4", "a/5")
    first = page(storage, limit="2")
    assert (keys(first), first.metadata["remainingItemCount"]) == (["a/1", "a/2"], 3)
    put(storage, "a/0"), put(storage, "a/3b")
    second = page(storage, limit="2", continue_=first.metadata["continue"])
    assert (keys(second), second.metadata["remainingItemCount"]) == (["a/3", "a/4"], 1)
    last = page(storage, limit="2", continue_=second.metadata["continue"])
    assert keys(last) == ["a/5"]
    assert last.metadata == {"resourceVersion": first.metadata["resourceVersion"]}


def test_with_a_selector_nobody_knows_how_many_remain() -> None:
    storage = Storage()
    for number in range(4):
        put(storage, f"a/{number}", app="x")
    found = page(storage, limit="2", labelSelector="app=x")
    assert "continue" in found.metadata
    assert "remainingItemCount" not in found.metadata


def test_a_token_older_than_the_history_is_410_and_brings_one_for_the_rest() -> None:
    storage = filled("a/1", "a/2", "a/3")
    token = page(storage, limit="1").metadata["continue"]
    storage.compact()
    put(storage, "a/2b")
    with pytest.raises(ApiError) as gone:
        page(storage, limit="5", continue_=token)
    assert (gone.value.code, gone.value.reason) == (410, "Expired")
    rest = page(storage, limit="5", continue_=gone.value.status["metadata"]["continue"])
    assert keys(rest) == ["a/2", "a/2b", "a/3"]
    assert rest.metadata["resourceVersion"] == str(storage.version)


def test_version_zero_takes_what_there_is_and_ignores_the_limit() -> None:
    storage = filled("a/1", "a/2", "a/3")
    assert len(keys(page(storage, limit="1", resourceVersion="0"))) == 3


def test_an_exact_version_is_the_state_of_then() -> None:
    storage = filled("a/1")
    then = storage.version
    put(storage, "a/2")
    for query in ({"resourceVersionMatch": "Exact"}, {"limit": "10"}):
        found = page(storage, resourceVersion=str(then), **query)
        assert (keys(found), found.metadata["resourceVersion"]) == (["a/1"], str(then))


def test_not_older_than_a_version_is_the_state_of_now() -> None:
    storage = filled("a/1")
    then = storage.version
    put(storage, "a/2")
    for query in ({"resourceVersionMatch": "NotOlderThan"}, {}):
        found = page(storage, resourceVersion=str(then), **query)
        assert (keys(found), found.metadata["resourceVersion"]) == (["a/1", "a/2"], str(storage.version))


@pytest.mark.parametrize("match", ["", "Exact", "NotOlderThan"])
def test_a_version_of_the_future_is_a_timeout_that_says_so(match: str) -> None:
    storage = filled("a/1")
    with pytest.raises(ApiError) as early:
        page(storage, resourceVersion="999", **({"resourceVersionMatch": match} if match else {}))
    assert (early.value.code, early.value.reason) == (504, "Timeout")
    details = early.value.status["details"]
    assert details["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert details["retryAfterSeconds"] == 1


def test_an_exact_version_that_is_forgotten_is_410() -> None:
    storage = filled("a/1")
    then = storage.version
    storage.compact()
    with pytest.raises(ApiError) as gone:
        page(storage, resourceVersion=str(then), resourceVersionMatch="Exact")
    assert gone.value.code == 410


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422),
        ({"resourceVersionMatch": "Sometimes", "resourceVersion": "1"}, 422),
        ({"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1", "continue": "x"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"resourceVersion": "abc"}, 400),
        ({"continue": "nonsense"}, 400),
        ({"limit": "many"}, 400),
        ({"fieldSelector": "spec.volumes=x"}, 400),
        ({"labelSelector": "a in"}, 400),
    ],
)
def test_contradictory_or_malformed_parameters_are_refused(query: dict[str, str], code: int) -> None:
    storage = filled("a/1")
    with pytest.raises(ApiError) as refused:
        list_page(storage, PODS, "", read_options(query, PODS, watch=False))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "NotOlderThan"},
        {"continue": "x"},
    ],
)
def test_contradictory_parameters_of_a_watch_are_refused_with_422(query: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        read_options(query, PODS, watch=True)
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


@given(st.lists(st.integers(0, 30), unique=True), st.integers(1, 7), st.booleans())
def test_the_pages_together_are_the_list(numbers: list[int], limit: int, selective: bool) -> None:
    storage = Storage()
    for number in numbers:
        put(storage, f"ns/{number:02}", odd=str(number % 2))
    selector = {"labelSelector": "odd=1"} if selective else {}
    whole = keys(page(storage, **selector))
    found, token = [], ""
    while True:
        one = page(storage, limit=str(limit), **selector, **({"continue_": token} if token else {}))
        assert len(one.entries) <= limit
        found += keys(one)
        token = one.metadata.get("continue", "")
        if not token:
            break
    assert found == whole
