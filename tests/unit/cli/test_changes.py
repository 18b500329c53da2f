"""What a person is told of the events of a watch: every difference once, and nothing that is none."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kubewatch import predicates
from kubewatch.cli.changes import Change, What, as_they_come, changes
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import PartialObjectMeta, key_of

from .objects import pod


def told(events: Iterable[Any], mark: Any = predicates.resource_version) -> list[tuple[str, str]]:
    return [(c.what.name, c.object.name if c.object is not None else "") for c in changes(events, mark)]


def test_objects_there_at_the_start_are_listed_and_later_ones_are_added() -> None:
    events: list[Any] = [Init(), InitApply(pod("a")), InitDone(), Apply(pod("b"))]
    assert told(events) == [("LISTED", "a"), ("READY", ""), ("ADDED", "b")]


def test_an_object_is_changed_when_its_version_is_another() -> None:
    events: list[Any] = [Init(), InitApply(pod("a", "1")), InitDone(), Apply(pod("a", "2")), Apply(pod("a", "2"))]
    assert told(events)[2:] == [("CHANGED", "a")]


def test_a_deletion_is_told_with_the_last_state() -> None:
    last = pod("a", "3")
    events: list[Any] = [Init(), InitApply(pod("a", "1")), InitDone(), Delete(last)]
    assert list(changes(events, predicates.resource_version))[-1] == Change(What.DELETED, last)


def test_a_relist_tells_only_what_is_different_and_who_vanished() -> None:
    before: list[Any] = [Init(), *(InitApply(pod(name, "1")) for name in "abc"), InitDone()]
    again: list[Any] = [
        Init(),
        InitApply(pod("a", "1")),
        InitApply(pod("b", "5")),
        InitApply(pod("d", "6")),
        InitDone(),
    ]
    assert told([*before, *again])[4:] == [("CHANGED", "b"), ("ADDED", "d"), ("DELETED", "c")]


def test_who_vanished_unseen_is_named_and_no_state_is_made_up_for_it() -> None:
    events: list[Any] = [Init(), InitApply(pod("a", "7", uid="u1")), InitDone(), Init(), InitDone()]
    gone = list(changes(events, predicates.resource_version))[-1].object
    assert isinstance(gone, PartialObjectMeta)
    assert (gone.kind, gone.namespace, gone.name, gone.uid, gone.resource_version) == ("Pod", "shop", "a", "u1", "7")


def test_an_object_replaced_unseen_by_one_of_the_same_name_is_deleted_and_added() -> None:
    before: list[Any] = [Init(), InitApply(pod("a", "1", uid="old")), InitDone()]
    again: list[Any] = [Init(), InitApply(pod("a", "9", uid="new")), InitDone()]
    found = list(changes([*before, *again], predicates.resource_version))[2:]
    assert [(c.what, c.object.uid) for c in found] == [(What.DELETED, "old"), (What.ADDED, "new")]


def test_a_list_that_breaks_and_begins_again_lists_each_object_once() -> None:
    events: list[Any] = [Init(), InitApply(pod("a")), Init(), InitApply(pod("a")), InitApply(pod("b")), InitDone()]
    assert told(events) == [("LISTED", "a"), ("LISTED", "b"), ("READY", "")]


def test_a_predicate_holds_back_other_changes_and_never_a_deletion() -> None:
    old, new = {"app": "web"}, {"app": "shop"}
    events: list[Any] = [
        Init(), InitApply(pod("a", "1", labels=old)), InitDone(),
        Apply(pod("a", "2", labels=old)), Apply(pod("a", "3", labels=new)), Delete(pod("a", "4", labels=new)),
    ]  # fmt: skip
    assert told(events, predicates.labels)[2:] == [("CHANGED", "a"), ("DELETED", "a")]


def test_where_a_predicate_has_no_value_every_new_version_counts_and_a_relist_repeats_nothing() -> None:
    changed = pod("a", "2")
    events: list[Any] = [Init(), InitApply(pod("a", "1")), InitDone(), Apply(changed)]
    relist: list[Any] = [Init(), InitApply(changed), InitDone()]
    assert told([*events, *relist], predicates.generation)[2:] == [("CHANGED", "a")]


def test_ready_is_told_once() -> None:
    assert told([Init(), InitDone(), Init(), InitDone()]) == [("READY", "")]


def test_events_as_they_come_are_all_there_under_their_own_names() -> None:
    a = pod("a")
    events: list[Any] = [Init(), InitApply(a), InitDone(), Apply(a), Delete(a)]
    assert [c.what.event for c in as_they_come(events)] == ["Init", "InitApply", "InitDone", "Apply", "Delete"]
    assert [c.object for c in as_they_come(events)] == [None, a, None, a, a]


_NAMES = st.sampled_from("abc")


@given(st.data())
def test_whoever_keeps_what_is_told_has_what_is_there(data: st.DataObject) -> None:
    """The claim of `changes`: following it, relists and gaps included, one ends up with the cluster's own state."""
    cluster: dict[str, tuple[str, str]] = {}  # name: (uid, version)
    events: list[Event[Any]] = []

    def relist() -> None:
        events.append(Init())
        events.extend(InitApply(pod(name, v, uid=u)) for name, (u, v) in cluster.items())
        events.append(InitDone())

    relist()
    acts = st.tuples(_NAMES, st.sampled_from(["apply", "delete", "recreate"]), st.booleans())
    for version, (name, act, watched) in enumerate(data.draw(st.lists(acts, max_size=12))):
        if name in cluster and act in ("delete", "recreate"):
            uid, _ = cluster.pop(name)
            if watched:
                events.append(Delete(pod(name, str(version), uid=uid)))
        if act != "delete":
            uid = cluster[name][0] if name in cluster else f"{name}{version}"
            cluster[name] = (uid, str(version))
            if watched:
                events.append(Apply(pod(name, str(version), uid=uid)))
        if not watched:
            relist()

    kept: dict[tuple[str, str], tuple[str, str]] = {}
    last: dict[tuple[str, str], Hashable] = {}
    for change in changes(events, predicates.resource_version):
        if change.what is What.READY:
            continue
        key, state = key_of(change.object), (change.object.uid, change.object.resource_version)
        if change.what is What.DELETED:
            del kept[key]
        else:
            assert (key in kept) == (change.what is What.CHANGED)
            assert last.get(key) != state
            kept[key] = last[key] = state
    assert {name: state for (_, name), state in kept.items()} == cluster
