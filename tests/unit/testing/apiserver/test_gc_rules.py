"""Garbage collection: who goes with whom, who waits for whom, who stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.gc_rules import (
    FOREGROUND,
    ORPHAN,
    Delete,
    DropFinalizer,
    DropOwners,
    Node,
    Step,
    Unblock,
    node_of,
    plan,
)

World = dict[str, Node]


def node(uid: str, *owners: str, blocking: bool = False, finalizers: str = "", deleting: bool = False) -> Node:
    return Node(uid, "ns", dict.fromkeys(owners, blocking), frozenset(finalizers.split()), deleting)


def world(*nodes: Node) -> World:
    return {one.uid: one for one in nodes}


def delete(objects: World, uid: str, propagation: str = "Background") -> World:
    """As the server deletes: at once, or by marking what has finalizers."""
    one = objects.get(uid)
    if one is None:
        return objects
    finalizers = one.finalizers - {ORPHAN, FOREGROUND}
    finalizers |= {"Orphan": {ORPHAN}, "Foreground": {FOREGROUND}}.get(propagation, set())
    return stored(objects, replace(one, finalizers=finalizers, deleting=True))


def stored(objects: World, one: Node) -> World:
    rest = {uid: other for uid, other in objects.items() if uid != one.uid}
    return rest if one.deleting and not one.finalizers else {**rest, one.uid: one}


def take(objects: World, step: Step) -> World:
    one = objects.get(step.uid)
    if one is None:
        return objects
    match step:
        case Delete(uid, propagation):
            return delete(objects, uid, propagation)
        case DropOwners(_, owners):
            return stored(objects, replace(one, owners={k: v for k, v in one.owners.items() if k not in owners}))
        case Unblock():
            return stored(objects, replace(one, owners=dict.fromkeys(one.owners, False)))
        case DropFinalizer(_, finalizer):
            return stored(objects, replace(one, finalizers=one.finalizers - {finalizer}))


def settled(objects: World) -> World:
    """The world when the garbage collector has nothing left to do."""
    for _ in range(1000):
        steps = plan(objects.values())
        if not steps:
            return objects
        for step in steps:
            objects = take(objects, step)
    raise AssertionError(f"it never ends: {objects}")


FAMILY = world(node("a"), node("b", "a"), node("c", "b"), node("other"))


class TestBackground:
    def test_dependents_go_after_their_owner_and_so_on_downwards(self) -> None:
        assert settled(delete(FAMILY, "a")).keys() == {"other"}

    def test_the_owner_goes_at_once(self) -> None:
        assert delete(FAMILY, "a").keys() == {"b", "c", "other"}

    def test_who_has_another_owner_stays_and_forgets_the_one_that_is_gone(self) -> None:
        objects = settled(delete(world(node("a"), node("b"), node("c", "a", "b")), "a"))
        assert objects["c"].owners == {"b": False}

    def test_who_has_lost_all_owners_goes(self) -> None:
        objects = world(node("a"), node("b"), node("c", "a", "b"))
        assert settled(delete(settled(delete(objects, "a")), "b")) == {}

    def test_an_object_with_finalizers_is_marked_and_waits(self) -> None:
        objects = settled(delete(world(node("a"), node("b", "a", finalizers="e.com/f"), node("c", "b")), "a"))
        assert objects.keys() == {"b", "c"}
        assert objects["b"].deleting
        assert not objects["c"].deleting

    def test_an_owner_that_never_was_is_gone(self) -> None:
        assert settled(world(node("b", "unheard"))) == {}

    def test_an_owner_in_another_namespace_is_none(self) -> None:
        assert settled(world(Node("a", "elsewhere"), node("b", "a"))).keys() == {"a"}

    def test_a_cluster_wide_owner_is_one(self) -> None:
        assert plan([Node("a"), node("b", "a")]) == []

    def test_a_cluster_wide_object_with_a_namespaced_owner_is_left_alone(self) -> None:
        assert plan([Node("a", "ns"), Node("b", "", {"a": False, "gone": False})]) == []

    @pytest.mark.parametrize(
        ("finalizer", "step"), [(ORPHAN, Delete("b", "Orphan")), (FOREGROUND, Delete("b", "Foreground"))]
    )
    def test_a_dependents_own_wish_is_honoured(self, finalizer: str, step: Delete) -> None:
        assert plan([node("b", "gone", finalizers=finalizer)]) == [step]


class TestForeground:
    def test_the_owner_waits_for_dependents_that_block_it(self) -> None:
        objects = world(node("a"), node("b", "a", blocking=True, finalizers="e.com/f"))
        objects = settled(delete(objects, "a", "Foreground"))
        assert objects["a"].deleting
        assert objects["b"].deleting
        assert settled(take(objects, DropFinalizer("b", "e.com/f"))) == {}

    def test_the_owner_does_not_wait_for_dependents_that_do_not_block_it(self) -> None:
        objects = world(node("a"), node("b", "a", finalizers="e.com/f"))
        assert settled(delete(objects, "a", "Foreground")).keys() == {"b"}

    def test_dependents_with_dependents_go_in_the_foreground_too(self) -> None:
        objects = world(node("a"), node("b", "a", blocking=True), node("c", "b", blocking=True, finalizers="e.com/f"))
        objects = settled(delete(objects, "a", "Foreground"))
        assert {uid for uid, one in objects.items() if one.deleting} == {"a", "b", "c"}
        assert settled(take(objects, DropFinalizer("c", "e.com/f"))) == {}

    def test_who_has_another_owner_stays_and_forgets_the_one_that_waits(self) -> None:
        objects = world(node("a"), node("b"), node("c", "a", "b", blocking=True))
        objects = settled(delete(objects, "a", "Foreground"))
        assert objects.keys() == {"b", "c"}
        assert objects["c"].owners == {"b": True}

    def test_a_circle_of_owners_ends(self) -> None:
        objects = world(node("a", "c", blocking=True), node("b", "a", blocking=True), node("c", "b", blocking=True))
        assert settled(delete(objects, "a", "Foreground")) == {}

    def test_without_dependents_the_owner_goes(self) -> None:
        assert settled(delete(world(node("a")), "a", "Foreground")) == {}


class TestOrphan:
    def test_dependents_stay_and_forget_their_owner(self) -> None:
        objects = settled(delete(FAMILY, "a", "Orphan"))
        assert objects.keys() == {"b", "c", "other"}
        assert objects["b"].owners == {}

    def test_the_owner_stays_until_it_is_forgotten(self) -> None:
        assert "a" in delete(FAMILY, "a", "Orphan")
        assert plan(delete(FAMILY, "a", "Orphan").values()) == [
            DropOwners("b", frozenset({"a"})),
            DropFinalizer("a", ORPHAN),
        ]


def test_nothing_is_done_where_nothing_is_deleted() -> None:
    assert plan(FAMILY.values()) == []


def test_an_object_is_seen_by_its_metadata() -> None:
    obj = {
        "metadata": {
            "uid": "u",
            "namespace": "n",
            "deletionTimestamp": "2024-01-01T00:00:00Z",
            "finalizers": [FOREGROUND],
            "ownerReferences": [{"uid": "a", "blockOwnerDeletion": True}, {"uid": "b"}],
        }
    }
    assert node_of(obj) == Node("u", "n", {"a": True, "b": False}, frozenset({FOREGROUND}), True)
    assert node_of(obj).awaits_dependents
    assert node_of({"metadata": {"uid": "u"}}) == Node("u")


UIDS = "abcdef"
FORESTS = st.fixed_dictionaries(
    {uid: st.lists(st.sampled_from(UIDS[:place]), unique=True, max_size=2) if place else st.just([])
     for place, uid in enumerate(UIDS)}
)  # fmt: skip


def reachable(forest: dict[str, list[str]], without: set[str]) -> set[str]:
    """Who has an owner left, or never had one."""
    alive: set[str] = set()
    for uid in UIDS:
        if uid not in without and (not forest[uid] or alive & set(forest[uid])):
            alive.add(uid)
    return alive


@given(FORESTS, st.sampled_from(UIDS), st.sampled_from(["Background", "Foreground"]), st.booleans())
def test_all_and_only_those_without_an_owner_left_go(
    forest: dict[str, list[str]], uid: str, propagation: str, blocking: bool
) -> None:
    objects = world(*(node(one, *owners, blocking=blocking) for one, owners in forest.items()))
    assert settled(delete(objects, uid, propagation)).keys() == reachable(forest, {uid})


@given(FORESTS, st.sampled_from(UIDS))
def test_orphaning_takes_nobody_else(forest: dict[str, list[str]], uid: str) -> None:
    objects = world(*(node(one, *owners) for one, owners in forest.items()))
    left = settled(delete(objects, uid, "Orphan"))
    assert left.keys() == set(UIDS) - {uid}
    assert not any(uid in one.owners for one in left.values())
