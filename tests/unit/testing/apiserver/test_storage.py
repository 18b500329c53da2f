"""Versions, history and snapshots: what the storage remembers, and what it says it has forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.status import ApiError
from kubewatch.testing.apiserver.storage import Storage

WHERE = ("", "configmaps")


def put(storage: Storage, name: str, **data: str) -> int:
    document = {"metadata": {"name": name}, "data": data}
    return storage.put(storage.collection(WHERE), "ns", name, f"ns/{name}", document).version


def remove(storage: Storage, name: str) -> int:
    collection = storage.collection(WHERE)
    return storage.remove(collection, f"ns/{name}", collection.entries[f"ns/{name}"].decode()).version


def content(collection: tuple[list[str], object]) -> list[str]:
    return collection[0]


def test_every_change_of_any_kind_takes_the_next_version() -> None:
    storage = Storage()
    first = put(storage, "a")
    other = storage.put(storage.collection(("", "secrets")), "ns", "s", "ns/s", {"metadata": {}})
    assert (other.version, put(storage, "a"), remove(storage, "a")) == (first + 1, first + 2, first + 3)
    assert storage.version == first + 3


def test_the_version_is_in_the_object() -> None:
    storage = Storage()
    put(storage, "a")
    entry = storage.collection(WHERE).entries["ns/a"]
    assert entry.decode()["metadata"]["resourceVersion"] == str(entry.version)


def test_an_entry_hands_out_a_fresh_document_every_time() -> None:
    storage = Storage()
    put(storage, "a", key="value")
    entry = storage.collection(WHERE).entries["ns/a"]
    entry.decode()["data"]["key"] = "spoilt"
    assert entry.decode()["data"]["key"] == "value"


def test_objects_are_ordered_by_namespace_and_name() -> None:
    storage = Storage()
    for name in ("b", "a", "c"):
        put(storage, name)
    assert content(storage.collection(WHERE).ordered()) == ["ns/a", "ns/b", "ns/c"]


def test_a_past_state_is_as_it_was() -> None:
    storage = Storage()
    put(storage, "a", v="1")
    version = put(storage, "b", v="1")
    put(storage, "a", v="2"), remove(storage, "b"), put(storage, "c")
    keys, entries = storage.at(WHERE, storage.collection(WHERE), version)
    assert keys == ["ns/a", "ns/b"]
    assert [entry.decode()["data"] for entry in entries] == [{"v": "1"}, {"v": "1"}]


def test_what_was_compacted_is_gone_with_410() -> None:
    storage = Storage()
    version = put(storage, "a")
    oldest = storage.compact()
    collection = storage.collection(WHERE)
    with pytest.raises(ApiError, match="too old resource version") as gone:
        storage.at(WHERE, collection, version)
    assert (gone.value.code, gone.value.reason) == (410, "Expired")
    with pytest.raises(ApiError):
        collection.history.after(version)
    assert content(storage.at(WHERE, collection, oldest)) == ["ns/a"]
    assert collection.history.after(oldest) == collection.history.end


def test_a_collection_made_after_a_compaction_knows_of_it() -> None:
    storage = Storage()
    put(storage, "a")
    oldest = storage.compact()
    with pytest.raises(ApiError):
        storage.collection(("", "pods")).history.after(oldest - 1)


def test_history_is_bounded_and_says_what_it_has_lost() -> None:
    storage = Storage(history=10)
    versions = [put(storage, "a", n=str(n)) for n in range(100)]
    history = storage.collection(WHERE).history
    with pytest.raises(ApiError):
        history.after(versions[0])
    kept = history.read(history.after(versions[-5]), 100)
    assert kept is not None
    assert [change.version for change in kept] == versions[-4:]
    assert history.read(0, 100) is None


names = st.sampled_from("abcd")
steps = st.lists(st.tuples(st.sampled_from(["put", "remove"]), names), min_size=1, max_size=40)


@given(steps)
def test_every_remembered_version_can_be_read_again(steps: list[tuple[str, str]]) -> None:
    storage = Storage(history=1000)
    seen: dict[int, list[str]] = {storage.version: []}
    present: set[str] = set()
    for step, name in steps:
        if step == "put":
            put(storage, name)
            present.add(name)
        elif name in present:
            remove(storage, name)
            present.discard(name)
        seen[storage.version] = sorted(f"ns/{one}" for one in present)
    for version, keys in seen.items():
        assert content(storage.at(WHERE, storage.collection(WHERE), version)) == keys
