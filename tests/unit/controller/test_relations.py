"""From what changed to what is reconciled for it, and why."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch import ObjectRef, PartialObjectMeta, store
from kubewatch.controller import Controller
from kubewatch.controller.relations import Main, Relation, everything, given, itself, mapped, owners
from kubewatch.decode import decode_partial
from kubewatch.errors import FunctionFailed, InvalidInput
from kubewatch.objects import Object
from kubewatch.store import Store
from kubewatch.streams import ObjectStream
from tests.unit.stored import fill, node, pod
from tests.unit.stub_source import StubSource

from .harness import finite, names, quiet


def owner(name: str, kind: str = "Pod", api_version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}", **more}


def child(*refs: dict[str, Any], namespace: str = "shop") -> Object:
    return pod("child", namespace, kind="ConfigMap", owners=refs)


def stored(*objects: Object) -> Store[Object]:
    reader, writer = store()
    fill(writer, *objects)
    reader.writer = writer  # type: ignore[attr-defined]  # a store whose writer is dropped is closed
    return reader


def asked(relation: Relation, obj: Any) -> list[tuple[str, str]]:
    return [(str(ref), str(reason)) for ref, reason in relation(obj)]


def test_a_main_object_asks_for_itself() -> None:
    """Row 122: trigger_self_maps_owned_and_shared_objects: once, because it was updated."""
    relation = itself(Main(stored()))
    assert asked(relation, pod("a")) == [("Pod.v1./a.shop", "object updated")]
    partial = decode_partial(b'{"metadata": {"name": "a", "namespace": "shop"}}', "v1", "Pod")
    assert asked(relation, partial) == [("Pod.v1./a.shop", "object updated")]


def test_a_child_asks_for_its_owners_of_the_main_kind_only() -> None:
    """Row 123: trigger_owners_only_enqueues_matching_owner_kind: in its namespace, with uid and a reason; an orphan
    asks for nothing."""
    relation = owners(Main(stored(), StubSource()))
    obj = child(owner("a"), owner("b", "ReplicaSet", "apps/v1"))
    ((ref, reason),) = relation(obj)
    assert (ref, ref.uid) == (ObjectRef("Pod", "a", "shop"), "uid-a")
    assert reason.related == obj.ref
    assert str(reason) == "owned object updated: ConfigMap.v1./child.shop"
    assert asked(relation, child()) == []


def test_children_of_a_shared_stream_ask_for_the_same() -> None:
    """Row 124: trigger_owners_shared_only_enqueues_matching_owner_kind."""
    controller = Controller.for_stream(ObjectStream[Object]([]), stored(pod("a"), pod("b")))
    shared = ObjectStream([child(owner("a"), owner("b", "ReplicaSet", "apps/v1")), child()])
    seen: list[str] = []
    controller.owns_shared_stream(shared).with_config(on_event=lambda event: seen.append(str(event.reason)))
    assert names(controller.run(quiet)) == ["a"]
    assert set(seen) == {"owned object updated: ConfigMap.v1./child.shop"}


def test_a_mapper_asks_for_all_that_it_returns_in_order() -> None:
    """Row 125: trigger_others_enqueues_every_mapped_object: both requests name the source."""
    main = Main(stored())
    refs = [ObjectRef("Pod", "b", "shop"), ObjectRef("Pod", "a", "shop")]
    relation = mapped(main, lambda obj: refs)
    reason = "related object updated: ConfigMap.v1./child.shop"
    assert asked(relation, child()) == [("Pod.v1./b.shop", reason), ("Pod.v1./a.shop", reason)]
    assert [ref for ref, _ in mapped(main, lambda obj: refs[0])(child())] == refs[:1]
    assert [ref for ref, _ in mapped(main, lambda obj: (ref for ref in refs))(child())] == refs
    assert list(mapped(main, lambda obj: None)(child())) == []


def test_an_error_of_a_trigger_passes_and_what_follows_is_mapped() -> None:
    """Row 126: trigger_with_passes_errors_through."""
    stream, reader = finite(pod("a"))
    others: list[Any] = [FunctionFailed("filter(f) raised"), child()]
    mapped: list[Object] = []
    controller = Controller.for_stream(stream, reader).watches_stream(ObjectStream(others), mapped.append)
    results = list(controller.run(quiet))
    assert sorted(type(result).__name__ for result in results) == ["QueueError", "Reconciled"]
    assert mapped == [child()]


@pytest.mark.parametrize("wrong", [["a"], "a", [pod("a")], [None]])
def test_a_mapper_that_gives_no_references_is_told_so(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=r"ObjectRef\.to"):
        list(mapped(Main(stored()), lambda obj: wrong)(child()))
    with pytest.raises(InvalidInput, match=r"ObjectRef\.to"):
        list(given(Main(stored()))("a"))


def test_owners_are_matched_by_group_and_kind_whatever_the_version() -> None:
    """Improvement 8: a child that names the owner by another version still triggers it, under its one name."""
    web = pod("web", kind="Website", api_version="example.com/v2")
    relation = owners(Main(stored(web)))
    assert asked(relation, child(owner("web", "Website", "example.com/v1beta1")))[0][0] == str(web.ref)
    assert asked(relation, child(owner("web", "Website", "example.org/v2"))) == []


def test_an_owner_that_is_not_there_goes_by_the_main_kinds_version() -> None:
    """Improvement 8."""
    source: StubSource[Object] = StubSource()
    source.api_version, source.kind = "example.com/v2", "Website"
    relation = owners(Main(stored(), source))
    assert asked(relation, child(owner("web", "Website", "example.com/v1")))[0][0] == "Website.v2.example.com/web.shop"


def test_only_the_controlling_owner_on_request() -> None:
    """Improvement 8."""
    refs = [owner("a"), owner("b", controller=True), owner("c", controller=False)]
    main = Main(stored(), StubSource())
    assert len(asked(owners(main), child(*refs))) == 3
    assert [ref.name for ref, _ in owners(main, controller_only=True)(child(*refs))] == ["b"]


def test_an_owner_of_another_life_is_left_out_on_request() -> None:
    """Improvement 8."""
    main = Main(stored(pod("a")))
    old = owner("a") | {"uid": "of the one before"}
    assert len(asked(owners(main), child(old))) == 1
    assert asked(owners(main, check_uid=True), child(old)) == []
    assert len(asked(owners(main, check_uid=True), child(owner("a")))) == 1


def test_a_cluster_scoped_owner_goes_by_one_name_in_all_namespaces() -> None:
    """Improvement 7: the children's namespaces are not the owner's."""
    main = Main(stored(node("n1")))
    relation = owners(main)
    refs = {ref for name in "abc" for ref, _ in relation(child(owner("n1", "Node"), namespace=name))}
    assert refs == {ObjectRef("Node", "n1")}
    assert asked(given(main), ObjectRef("Node", "n1", "a"))[0][0] == "Node.v1./n1"


def test_before_the_main_kind_is_known_all_owners_are_asked_for() -> None:
    relation = owners(Main(stored()))
    assert len(asked(relation, child(owner("a"), owner("b", "ReplicaSet", "apps/v1")))) == 2


def test_metadata_alone_is_enough_to_find_owners() -> None:
    raw = (
        b'{"metadata":{"name":"c","namespace":"shop","ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"a"}]}}'
    )
    partial: PartialObjectMeta = decode_partial(raw, "v1", "ConfigMap")
    assert len(asked(owners(Main(stored(), StubSource())), partial)) == 1


def test_a_tick_asks_for_everything() -> None:
    assert asked(everything(Main(stored(pod("a"), pod("b")))), "tick") == [
        ("Pod.v1./a.shop", "bulk reconcile"),
        ("Pod.v1./b.shop", "bulk reconcile"),
    ]
