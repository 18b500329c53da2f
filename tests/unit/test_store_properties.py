"""Whatever events come, a store holds what the simplest possible store would hold, and so do its indexes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.indexes import Indexer, by_label
from kubewatch.objects import Object
from kubewatch.selectors import LabelSelector
from kubewatch.store import store

from .stored import pod

NODES = ["n1", "n2"]
APPS = ["web", "db"]
OWNERS = ["u1", "u2"]
SELECTORS = ["app=web", "app!=web", "app in (web,db)", "app=db,canary", "!app", ""]

PODS = st.builds(
    lambda name, namespace, node, app, canary, owners: pod(
        name,
        namespace,
        node=node,
        labels=({"app": app} if app else {}) | ({"canary": "yes"} if canary else {}),
        owners=[{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": uid, "uid": uid} for uid in owners],
    ),
    st.sampled_from(["a", "d"]),
    st.sampled_from(["shop", None]),
    st.sampled_from([*NODES, None]),
    st.sampled_from([*APPS, None]),
    st.booleans(),
    st.sets(st.sampled_from(OWNERS)),
)


def nodes_unless_odd(obj: Object) -> list[str]:
    """An index function that fails on some objects and has no value for others."""
    if obj.name == "d":
        raise LookupError("odd")
    return [obj.spec.nodeName] if obj.spec.nodeName else []


class StoreMachine(RuleBasedStateMachine):
    """Runs random events through a store and through two plain dicts, and compares after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.writer = store(indexes={"node": nodes_unless_odd})
        self.held: dict[tuple[str | None, str], Object] = {}
        self.listed: dict[tuple[str | None, str], Object] | None = None
        self.changed: dict[tuple[str | None, str], Object | None] = {}  # live, since the list began; None: deleted
        self.ready = False

    @rule()
    def init(self) -> None:
        self.writer.apply(Init())
        self.listed, self.changed = {}, {}

    @rule(obj=PODS)
    def init_apply(self, obj: Object) -> None:
        self.writer.apply(InitApply(obj))
        if self.listed is None:
            self.listed, self.changed = {}, {}
        self.listed[obj.namespace, obj.name] = obj

    @rule()
    def init_done(self) -> None:
        gone = self.writer.apply(InitDone())
        before = self.held
        if self.listed is not None:
            found: dict[tuple[str | None, str], Object | None] = {**self.listed, **self.changed}
            self.held = {key: obj for key, obj in found.items() if obj is not None}
        assert {(obj.namespace, obj.name) for obj in gone} == before.keys() - self.held.keys()
        assert all(obj is before[obj.namespace, obj.name] for obj in gone)
        self.listed, self.ready = None, True

    @rule(obj=PODS)
    def apply(self, obj: Object) -> None:
        assert self.writer.apply(Apply(obj)) == ()
        self.held[obj.namespace, obj.name] = obj
        self.changed[obj.namespace, obj.name] = obj

    @rule(obj=PODS)
    def delete(self, obj: Object) -> None:
        assert self.writer.apply(Delete(obj)) == ()
        self.held.pop((obj.namespace, obj.name), None)
        self.changed[obj.namespace, obj.name] = None

    @rule()
    def labels_are_to_be_indexed(self) -> None:
        """From the next event on it is built; what it gives is compared after every step, before and after."""
        self.reader._labels["app"] = Indexer(("label", "app"), by_label("app"))  # as a bigger store has for `select`

    @rule()
    def a_list_breaks_and_begins_again(self) -> None:
        self.init()
        self.init_apply(pod("ghost"))
        self.init()

    @invariant()
    def the_store_holds_what_the_dict_holds(self) -> None:
        same(self.reader.state(), self.held.values())
        same(self.reader, self.held.values())
        assert len(self.reader) == len(self.held)
        refs = self.reader.keys()
        assert {(ref.namespace, ref.name) for ref in refs} == self.held.keys()
        assert self.reader.is_ready is self.ready

    @invariant()
    def names_find_their_objects_or_cluster_scoped_ones(self) -> None:
        for name in ("a", "d"):
            assert self.reader.get(name) is self.held.get((None, name))
            for namespace in ("shop", "bank"):
                expected = self.held.get((namespace, name)) or self.held.get((None, name))
                assert self.reader.get(name, namespace) is expected

    @invariant()
    def every_index_gives_what_looking_at_every_object_gives(self) -> None:
        objects = self.held.values()
        for node in NODES:
            same(
                self.reader.index("node", node),
                [obj for obj in objects if obj.name != "d" and obj.spec.nodeName == node],
            )
        for uid in OWNERS:
            owned = [obj for obj in objects if uid in [owner.uid for owner in obj.metadata.owner_references]]
            same(self.reader.index("owner", uid), owned)
        for namespace in ("shop", None):
            same(self.reader.index("namespace", namespace), [obj for obj in objects if obj.namespace == namespace])
        for text in SELECTORS:
            selector = LabelSelector.of(text)
            same(self.reader.select(text), [obj for obj in objects if selector.matches(obj.labels)])

    @invariant()
    def nothing_is_kept_that_is_not_held(self) -> None:
        for index in self.reader._table.indexes.values():
            assert {key for bucket in index._buckets.values() for key in bucket} == index._values.keys()
            assert index._values.keys() <= set(self.reader._table)
            assert all(self.reader._table.spaces.values())
            assert all(index._buckets.values())
            assert index._change is None
        if self.writer._draft is not None:
            assert self.writer._draft.indexes.keys() == self.reader._table.indexes.keys()


def same(found: Iterable[Object], expected: Iterable[Object]) -> None:
    """The very same objects, each once, in any order."""
    assert Counter(map(id, found)) == Counter(map(id, expected))


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_reflector_store_should_not_contain_duplicates() -> None:
    """Row 40: 100 000 random applies and deletes over 100 names leave each name at most once, in its last state."""
    choice = random.Random(40)
    reader, writer = store(indexes={"name": lambda p: [p.name]})
    objects = [[pod(f"p{i}", version=v) for v in range(2)] for i in range(100)]
    last: dict[str, Object | None] = {}
    for _ in range(100_000):
        obj = choice.choice(choice.choice(objects))
        event: Event[Object] = choice.choice((Apply, Delete))(obj)
        writer.apply(event)
        last[obj.name] = obj if isinstance(event, Apply) else None
    expected = [obj for obj in last.values() if obj is not None]
    same(reader.state(), expected)
    assert len(set(reader.keys())) == len(reader) == len(expected)
    for obj in expected:
        same(reader.index("name", obj.name), [obj])
