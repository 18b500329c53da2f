"""Stores: one writer, any readers; what is read is what the server had, and the store says how long ago."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import math
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from kubewatch import freshness, table
from kubewatch.decode import decode_partial
from kubewatch.errors import InvalidInput, StaleAfterFork, WatchFailed, WriterDropped
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.indexes import by_label, by_namespace, by_owner
from kubewatch.models import decode_model
from kubewatch.objects import Object, PartialObjectMeta
from kubewatch.ref import ObjectRef
from kubewatch.selectors import LabelSelector
from kubewatch.stop import Stop
from kubewatch.store import Store, Writer, store
from kubewatch.vitals import Vitals

from .stored import fill, in_child, names, node, pod


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Followed:
    """A store that follows a stream whose clock, health and stop the test holds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.vitals = Vitals(self.clock)
        self.stop = Stop()
        self.reader, self.writer = store()
        self.writer.follow(self.vitals, self.stop)

    def list(self, *objects: Object) -> None:
        """A whole list comes from the server."""
        self.writer.apply(Init())
        self.vitals.heard()
        for obj in objects:
            self.writer.apply(InitApply(obj))
        self.vitals.resource_version = "7"
        self.writer.apply(InitDone())


@pytest.fixture
def followed() -> Followed:
    return Followed()


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start `function` on a thread; returns what joins it and gives its result."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, name="reader")
    thread.start()

    def join() -> Any:
        thread.join(10)
        assert not thread.is_alive()
        return results[0]

    return join


# Getting


def test_should_allow_getting_namespaced_object_by_namespaced_ref() -> None:
    """Row 29: a hit."""
    reader, writer = store()
    web = pod("web")
    writer.apply(Apply(web))
    assert reader.get(ObjectRef("Pod", "web", "shop")) is web
    assert reader.get("web", "shop") is web
    assert reader.get(web) is web


def test_should_not_allow_getting_namespaced_object_by_clusterscoped_ref() -> None:
    """Row 30: a miss."""
    reader, writer = store()
    writer.apply(Apply(pod("web")))
    assert reader.get(ObjectRef("Pod", "web")) is None
    assert reader.get("web") is None


def test_should_allow_getting_clusterscoped_object_by_clusterscoped_ref() -> None:
    """Row 31: a hit."""
    reader, writer = store()
    worker = node("worker")
    writer.apply(Apply(worker))
    assert reader.get(ObjectRef("Node", "worker")) is worker
    assert reader.get("worker") is worker


def test_should_allow_getting_clusterscoped_object_by_namespaced_ref() -> None:
    """Row 32: a hit, through the fallback."""
    reader, writer = store()
    worker = node("worker")
    writer.apply(Apply(worker))
    assert reader.get(ObjectRef("Node", "worker", "shop")) is worker
    assert reader.get("worker", "shop") is worker


def test_a_namespace_beside_a_reference_without_one_says_where() -> None:
    reader, writer = store()
    web = pod("web")
    fill(writer, web)
    assert reader.get(ObjectRef("Pod", "web"), "shop") is web
    assert reader.get(web, "shop") is web


def test_a_namespace_beside_a_reference_to_another_one_is_refused() -> None:
    """Whichever of the two was meant, the other would find an object that was not."""
    reader, writer = store()
    web = pod("web")
    fill(writer, web)
    for ref in (web, ObjectRef("Pod", "web", "shop")):
        with pytest.raises(InvalidInput, match="'web' is in 'shop' by the reference, and in 'bank' by `namespace`"):
            reader.get(ref, "bank")


def test_a_reference_of_another_kind_finds_nothing() -> None:
    reader, writer = store()
    web = pod("web", kind="Deployment", api_version="apps/v1")
    writer.apply(Apply(web))
    assert reader.get(ObjectRef("Service", "web", "shop")) is None
    assert reader.get(ObjectRef("Deployment", "web", "shop", api_version="other.example/v1")) is None
    assert reader.get(ObjectRef("Deployment", "web", "shop", api_version="apps/v1beta2")) is web


def test_what_is_no_reference_is_refused() -> None:
    reader, _ = store()
    with pytest.raises(InvalidInput, match="a name, an ObjectRef or an object, not for int"):
        reader.get(7)
    with pytest.raises(InvalidInput, match=r"write get\('web', 'shop'\) for 'shop/web'"):
        reader.get("shop/web")


def test_models_of_the_official_client_are_stored_by_their_metadata() -> None:
    from kubernetes.client import V1ObjectMeta, V1OwnerReference, V1Pod

    owner = V1OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="u1")
    meta = V1ObjectMeta(name="web-0", namespace="shop", labels={"app": "web"}, owner_references=[owner])
    first, bare = V1Pod(metadata=meta), V1Pod(metadata=V1ObjectMeta(name="bare", namespace="shop"))
    reader, writer = store(of=V1Pod)
    writer.apply(Apply(first))
    writer.apply(Apply(bare))
    assert reader.get("web-0", "shop") is first
    assert reader.get(ObjectRef("Pod", "web-0", "shop")) is first
    assert reader.get(first) is first
    assert V1Pod(metadata=V1ObjectMeta(name="other", namespace="shop")) not in reader
    assert reader.select("app=web") == [first]
    assert reader.index("owner", "u1") == [first]
    assert reader.index("namespace", "shop") == [first, bare]
    refs = reader.keys()
    assert set(refs) == {ObjectRef("V1Pod", "web-0", "shop"), ObjectRef("V1Pod", "bare", "shop")}


class Loose(msgspec.Struct):
    """A model with plain metadata, as one writes it first."""

    metadata: dict[str, Any]
    api_version: str = "example.com/v1"
    kind: str = "Loose"


def test_models_with_plain_metadata_are_stored_by_it() -> None:
    decode = decode_model(Loose)
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u1"}]
    meta = {"name": "a", "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": owners}
    first = decode(json.dumps({"metadata": meta}).encode(), "", "")
    bare = decode(b'{"metadata": {"name": "n1"}}', "", "")
    reader, writer = store({"app": by_label("app")}, of=Loose)
    for obj in (first, bare):
        writer.apply(Apply(obj))
    assert reader.get("a", "shop") is reader.get(first) is first
    assert reader.get("n1") is bare
    assert reader.select("app=web") == reader.index("app", "web") == reader.index("owner", "u1") == [first]
    assert reader.select("!app") == [bare]
    for _ in range(2):
        assert reader.index("namespace", "shop") == [first]
        assert reader.index("namespace", None) == [bare]
        writer.apply(Apply(first))
    assert reader.index_failures == {}
    writer.apply(Delete(first))
    assert reader.keys() == [ObjectRef("Loose", "n1", api_version="example.com/v1")]


def test_a_model_that_spells_its_api_version_as_the_json_does_is_found_by_itself_and_by_reference() -> None:
    class Metadata(msgspec.Struct):
        name: str
        namespace: str = "shop"
        resource_version: str = "1"
        uid: str = ""

    class Website(msgspec.Struct):
        metadata: Metadata
        apiVersion: str = "example.io/v1"
        kind: str = "Website"

    reader, writer = store(of=Website)
    website = Website(Metadata("web"))
    writer.apply(Apply(website))
    assert reader.get(website) is website
    assert reader.keys() == [ObjectRef("Website", "web", "shop", "example.io/v1")]
    assert reader.get(ObjectRef("Website", "web", "shop", "example.io/v2")) is website
    assert reader.get(ObjectRef("Website", "web", "shop", "example.com/v1")) is None


def test_a_model_that_does_not_say_where_it_is_is_refused() -> None:
    class Meta(msgspec.Struct):
        name: str

    class Placeless(msgspec.Struct):
        metadata: Meta

    _, writer = store(of=Placeless)
    with pytest.raises(InvalidInput, match=r"metadata\.namespace and metadata\.name.*Placeless"):
        writer.apply(Apply(Placeless(Meta("a"))))


def test_official_models_from_lists_and_from_watches_are_referred_to_alike() -> None:
    """The items of a list carry no kind, the objects of a watch do."""
    from kubernetes.client import V1Pod

    decode = decode_model(V1Pod)
    reader, writer = store(of=V1Pod)
    for raw in (b'{"metadata": {"name": "a"}}', b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}'):
        writer.apply(Apply(decode(raw, "v1", "Pod")))
    assert set(reader.keys()) == {ObjectRef("Pod", "a"), ObjectRef("Pod", "b")}


def test_an_owner_without_a_uid_is_refused_rather_than_found_to_own_nothing() -> None:
    reader, writer = store()
    fill(writer, pod("a", owners=[{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u1"}]))
    for owner in (ObjectRef("Node", "n"), None, ""):
        with pytest.raises(InvalidInput, match="uid"):
            reader.index("owner", owner)


def test_state_filter_filters_by_predicate() -> None:
    """Row 33: only what matches."""
    reader, writer = store()
    fill(writer, pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n1"))
    assert names(reader.filter(lambda p: p.spec.nodeName == "n1")) == ["a", "c"]
    assert reader.filter(lambda p: False) == []


def test_state_filter_selector_filters_by_label_selector() -> None:
    """Row 34: text, a mapping of labels, a selector, a selector as it stands in a manifest."""
    reader, writer = store()
    fill(writer, pod("a", labels={"app": "web"}), pod("b", labels={"app": "db"}), pod("c"))
    assert names(reader.select("app=web")) == ["a"]
    assert names(reader.select("app!=web")) == ["b", "c"]
    assert names(reader.select({"app": "db"})) == ["b"]
    assert names(reader.select(LabelSelector())) == ["a", "b", "c"]
    expressions = [{"key": "app", "operator": "In", "values": ["db", "web"]}]
    assert names(reader.select({"matchExpressions": expressions})) == ["a", "b"]
    with pytest.raises(InvalidInput, match="position 4"):
        reader.select("app=(web)")


def test_find_element_in_store() -> None:
    """Row 35: empty, length, a miss and a hit."""
    reader, writer = store()
    assert len(reader) == 0
    assert reader.find(lambda p: p.name == "web") is None
    web = pod("web")
    writer.apply(Apply(web))
    assert len(reader) == 1
    assert reader.find(lambda p: p.name == "web") is web
    assert reader.find(lambda p: p.name == "api") is None


def test_a_store_is_a_collection() -> None:
    reader, writer = store()
    web = pod("web", version=3)
    fill(writer, web)
    assert list(reader) == [web]
    assert reader.state() == [web]
    assert reader.state() is not reader.state()
    assert reader.keys() == [ObjectRef("Pod", "web", "shop")]
    assert reader.keys()[0].resource_version == "3"
    assert web in reader
    assert ObjectRef("Pod", "web", "shop") in reader
    assert ObjectRef("Pod", "api", "shop") not in reader


def test_objects_with_metadata_only_are_stored_as_well() -> None:
    reader, writer = store(of=PartialObjectMeta)
    partial = decode_partial(b'{"metadata": {"name": "web", "namespace": "shop", "labels": {"a": "b"}}}', "v1", "Pod")
    writer.apply(Apply(partial))
    assert reader.get(ObjectRef("Pod", "web", "shop")) is partial
    assert reader.select("a=b") == [partial]


# Events


def test_reflector_applied_should_add_object() -> None:
    """Row 36: added."""
    reader, writer = store()
    web = pod("web")
    writer.apply(Apply(web))
    assert reader.state() == [web]


def test_reflector_applied_should_update_object() -> None:
    """Row 37: replaced, by key."""
    reader, writer = store()
    writer.apply(Apply(pod("web", version=1)))
    newer = pod("web", version=2)
    writer.apply(Apply(newer))
    assert reader.state() == [newer]
    assert reader.get("web", "shop") is newer


def test_reflector_deleted_should_remove_object() -> None:
    """Row 38: removed, and deleting what is absent is fine."""
    reader, writer = store()
    writer.apply(Apply(pod("web")))
    writer.apply(Delete(pod("web", version=2)))
    assert reader.state() == []
    writer.apply(Delete(pod("web", version=2)))
    assert reader.state() == []


def test_reflector_restarted_should_clear_objects() -> None:
    """Row 39, Pain 5: what a relist does not bring was deleted meanwhile, and the writer learns what that was."""
    reader, writer = store()
    fill(writer, pod("a"), pod("b"))
    writer.apply(Init())
    assert writer.apply(InitApply(pod("b", version=2))) == ()
    gone = writer.apply(InitDone())
    assert names(gone) == ["a"]
    assert names(reader) == ["b"]
    assert reader.get("a", "shop") is None


def test_a_relist_is_seen_wholly_or_not_at_all() -> None:
    reader, writer = store(indexes={"node": lambda p: [p.spec.nodeName]})
    fill(writer, pod("old", node="n1"))
    writer.apply(Init())
    writer.apply(InitApply(pod("new", node="n1")))
    assert names(reader) == ["old"]
    assert names(reader.index("node", "n1")) == ["old"]
    writer.apply(InitDone())
    assert names(reader) == ["new"]
    assert names(reader.index("node", "n1")) == ["new"]


def test_the_work_of_a_relist_is_spread_over_its_objects() -> None:
    """Pain 13: the end of a big list decodes nothing and builds no index; it puts in place what is ready."""
    asked: list[str] = []

    def index(obj: Object) -> list[str]:
        asked.append(obj.name)
        return [obj.name]

    reader, writer = store(indexes={"name": index})
    fill(writer, *(pod(f"p{i}") for i in range(10)))
    writer.apply(Init())
    for i in range(10):
        writer.apply(InitApply(pod(f"p{i}", version=2)))
        assert {obj.resource_version for obj in reader} == {"1"}
    asked.clear()
    writer.apply(InitDone())
    assert asked == []
    assert {obj.resource_version for obj in reader} == {"2"}
    assert names(reader.index("name", "p7")) == ["p7"]


def test_init_empties_the_buffer_of_a_list_that_broke() -> None:
    """Improvement 1: objects of a list that never completed do not come out as ghosts of the next one."""
    reader, writer = store()
    writer.apply(Init())
    writer.apply(InitApply(pod("ghost")))
    fill(writer, pod("real"))
    assert names(reader) == ["real"]


def test_live_changes_during_a_list_are_seen_at_once_and_survive_it() -> None:
    reader, writer = store()
    fill(writer, pod("kept"), pod("deleted"))
    writer.apply(Init())
    writer.apply(InitApply(pod("kept", version=1)))
    writer.apply(Apply(pod("kept", version=2)))
    writer.apply(Apply(pod("added", version=3)))
    writer.apply(Delete(pod("deleted", version=4)))
    assert names(reader) == ["added", "kept"]
    writer.apply(InitApply(pod("deleted", version=1)))
    writer.apply(InitApply(pod("added", version=1)))
    writer.apply(InitDone())
    assert names(reader) == ["added", "kept"]
    assert reader.get("kept", "shop").resource_version == "2"  # type: ignore[union-attr]  # it is there
    assert reader.get("added", "shop").resource_version == "3"  # type: ignore[union-attr]  # it is there


def test_a_live_change_during_a_list_that_broke_does_not_hide_the_object_from_the_next_list() -> None:
    reader, writer = store()
    writer.apply(Init())
    writer.apply(Apply(pod("web", version=1)))
    fill(writer, pod("web", version=2))
    assert [obj.resource_version for obj in reader] == ["2"]


def test_the_end_of_a_list_that_never_began_loses_nothing() -> None:
    reader, writer = store()
    writer.apply(Apply(pod("web")))
    assert writer.apply(InitDone()) == ()
    assert names(reader) == ["web"]
    assert reader.is_ready


def test_what_is_no_event_is_refused() -> None:
    _, writer = store()
    with pytest.raises(TypeError, match="put reflect before applied_objects"):
        writer.apply(pod("web"))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="not WatchFailed"):
        writer.apply(WatchFailed("reset"))  # type: ignore[arg-type]  # wrong on purpose


# Readiness


def test_must_allow_single_reader() -> None:
    """Row 20: pending until the first list is complete, then through."""
    reader, writer = store()
    join = in_thread(lambda: reader.wait_until_ready(10))
    assert not reader.is_ready
    writer.apply(Init())
    writer.apply(InitApply(pod("web")))
    assert not reader.is_ready
    writer.apply(InitDone())
    assert join() is True


def test_must_allow_concurrent_readers_while_waiting() -> None:
    """Row 21: every waiter is released."""
    reader, writer = store()
    joins = [in_thread(lambda: reader.wait_until_ready(10)) for _ in range(3)]
    fill(writer)
    assert [join() for join in joins] == [True, True, True]


def test_must_allow_reading_after_init() -> None:
    """Row 22: late and repeated readers get it."""
    reader, writer = store()
    fill(writer)
    assert [reader.wait_until_ready(0) for _ in range(3)] == [True, True, True]
    assert in_thread(lambda: reader.wait_until_ready())() is True


def test_must_allow_concurrent_readers_in_any_order() -> None:
    """Row 23: who came first need not be the first to go."""
    reader, writer = store()
    joins = [in_thread(lambda: reader.wait_until_ready(10)) for _ in range(3)]
    fill(writer)
    assert [join() for join in reversed(joins)] == [True, True, True]


def test_live_events_alone_do_not_make_a_store_ready() -> None:
    reader, writer = store()
    writer.apply(Apply(pod("web")))
    writer.apply(Delete(pod("web")))
    assert not reader.is_ready
    with pytest.raises(TimeoutError):
        reader.wait_until_ready(0)


def test_a_writer_that_goes_first_is_reported_to_every_waiter_for_ever() -> None:
    reader, writer = store()
    joins = [in_thread(lambda: reader.wait_until_ready()) for _ in range(3)]
    del writer
    assert [type(join()) for join in joins] == [WriterDropped] * 3
    for _ in range(2):
        with pytest.raises(WriterDropped, match="never be ready"):
            reader.wait_until_ready()
    assert not reader.is_ready
    assert reader.closed


def test_once_ready_a_store_stays_ready_through_relists_and_without_its_writer() -> None:
    reader, writer = store()
    fill(writer, pod("web"))
    writer.apply(Init())
    assert reader.is_ready
    writer.close()
    writer.close()
    assert reader.is_ready
    assert reader.wait_until_ready(0) is True
    assert names(reader) == ["web"]


def test_who_waits_for_a_stream_that_is_stopped_and_never_pulled_again_is_told(followed: Followed) -> None:
    join = in_thread(lambda: followed.reader.wait_until_ready())
    followed.stop.stop()
    assert type(join()) is WriterDropped


def test_a_timeout_says_why_the_store_is_not_ready(followed: Followed) -> None:
    bare, writer = store()
    with pytest.raises(TimeoutError, match="no stream was put on its writer"):
        bare.wait_until_ready(0)
    assert not bare.closed
    del writer
    with pytest.raises(TimeoutError, match="is it iterated, on another thread"):
        followed.reader.wait_until_ready(0)
    followed.vitals.failed(WatchFailed("403 Forbidden: pods"))
    with pytest.raises(TimeoutError, match="its stream fails: 403 Forbidden: pods"):
        followed.reader.wait_until_ready(0)
    followed.vitals.heard()
    followed.vitals.failing = False
    with pytest.raises(TimeoutError, match="first list is not complete"):
        followed.reader.wait_until_ready(0)


def test_waiting_long_for_what_nobody_iterates_is_logged_once(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(freshness, "COMPLAIN_AFTER", 0.0)
    monkeypatch.setattr(freshness, "LOOK", 0.001)
    with pytest.raises(TimeoutError):
        followed.reader.wait_until_ready(0.05)
    [record] = caplog.records
    assert "is it iterated, on another thread?" in record.getMessage()


# Freshness


def test_age_is_seconds_since_the_server_was_last_heard_from(followed: Followed) -> None:
    assert followed.reader.age == math.inf
    followed.list(pod("web"))
    followed.clock.now += 4
    assert followed.reader.age == 4
    followed.vitals.heard()  # a bookmark reaches the watch, not the store
    assert followed.reader.age == 0
    assert followed.reader.resource_version == "7"


def test_a_version_is_claimed_when_the_store_has_it_and_not_before(followed: Followed) -> None:
    followed.writer.apply(Init())
    followed.vitals.resource_version = "5"  # the last page was handed on, and is on its way
    assert followed.reader.resource_version is None
    followed.writer.apply(InitDone())
    assert followed.reader.resource_version == "5"
    followed.vitals.resource_version = "6"  # of a live event
    for _ in range(2):  # the first list breaks off
        followed.writer.apply(Init())
        assert followed.reader.resource_version == "6"
    followed.vitals.resource_version = "9"
    assert followed.reader.resource_version == "6"
    followed.writer.apply(InitDone())
    assert followed.reader.resource_version == "9"


def test_a_store_that_no_server_fills_has_heard_of_none() -> None:
    reader, writer = store()
    fill(writer, pod("web"))
    assert reader.age == math.inf
    assert not reader.is_live(within=3600)
    assert reader.last_error is None
    assert reader.resource_version is None
    assert reader.dropped == 0


def test_a_store_is_live_only_while_the_server_is_heard(followed: Followed) -> None:
    """Pain 11: readiness does not mean that it is fed; liveness does."""
    assert not followed.reader.is_live(within=60)
    followed.list(pod("web"))
    assert followed.reader.is_live(within=60)
    followed.clock.now += 61
    assert followed.reader.is_ready
    assert not followed.reader.is_live(within=60)
    assert followed.reader.is_live(within=90)


def test_a_failing_stream_makes_a_store_old_and_shows_its_error(followed: Followed) -> None:
    """Pain 11: an error answer is no sign of life, and is there to be read."""
    followed.list(pod("web"))
    error = WatchFailed("reset")
    followed.clock.now += 30
    followed.vitals.failed(error)
    assert followed.reader.last_error is error
    assert followed.reader.is_live(within=60)
    followed.clock.now += 40
    assert not followed.reader.is_live(within=60)


def test_a_relist_that_never_completes_does_not_count_as_fresh(followed: Followed) -> None:
    """The server answers page after page, and what the store holds grows old all the same."""
    followed.list(pod("web"))
    for _ in range(4):
        followed.clock.now += 20
        followed.writer.apply(Init())
        followed.vitals.heard()
        followed.writer.apply(InitApply(pod("web")))
    assert followed.reader.age == 0
    assert not followed.reader.is_live(within=60)
    followed.writer.apply(InitDone())
    assert followed.reader.is_live(within=60)


def test_a_relist_in_good_time_leaves_a_store_live(followed: Followed) -> None:
    followed.list(pod("web"))
    followed.clock.now += 5
    followed.writer.apply(Init())
    assert followed.reader.is_live(within=60)


@pytest.mark.parametrize("end", ["close", "stop"])
def test_a_store_is_never_wrong_without_saying_so(followed: Followed, end: str) -> None:
    """Pain 11: when its stream is over, a store can be read, and says in every way that it is no longer fed."""
    followed.list(pod("web"))
    if end == "close":
        followed.writer.close()
    else:
        followed.stop.stop()
    assert followed.reader.closed
    assert not followed.reader.is_live(within=60)
    assert followed.reader.is_ready
    assert names(followed.reader) == ["web"]
    assert "closed" in repr(followed.reader)


def test_objects_that_did_not_decode_show_in_the_store(followed: Followed) -> None:
    """Pain 16: of such an object the store holds an older state or none, and says that there are such."""
    followed.list(pod("web"))
    followed.vitals.undecodable += 1
    followed.vitals.unmodified += 1
    assert followed.reader.dropped == 2
    assert "2 left out" in repr(followed.reader)


def test_the_text_form_says_how_the_store_stands(followed: Followed) -> None:
    assert repr(followed.reader) == "<Store of 0 objects, not ready, never heard>"
    followed.list(pod("a"), pod("b"))
    followed.clock.now += 0.84
    assert repr(followed.reader) == "<Store of 2 objects, ready, heard 0.8 s ago>"
    followed.vitals.failed(WatchFailed("reset"))
    assert repr(followed.reader) == "<Store of 2 objects, ready, heard 0.8 s ago, failing: WatchFailed>"
    followed.writer.apply(Init())
    assert repr(followed.reader) == "<Store of 2 objects, relisting, heard 0.8 s ago, failing: WatchFailed>"
    reader, writer = store()
    writer.close()
    assert repr(reader) == "<Store of 0 objects, never to be ready, never heard>"


# One writer


def test_a_second_stream_on_a_store_is_refused(followed: Followed) -> None:
    with pytest.raises(InvalidInput, match="a pair with store\\(\\) for each stream"):
        followed.writer.follow(Vitals(), Stop())


def test_a_stream_on_a_store_whose_stream_has_ended_is_refused(followed: Followed) -> None:
    followed.writer.close()
    with pytest.raises(InvalidInput, match="new pair"):
        followed.writer.follow(Vitals(), Stop())
    with pytest.raises(InvalidInput, match="new pair"):
        followed.writer.apply(Apply(pod("web")))


def test_events_that_are_on_their_way_when_a_stream_is_stopped_are_stored(followed: Followed) -> None:
    followed.stop.stop()
    followed.writer.apply(Apply(pod("web")))
    assert names(followed.reader) == ["web"]


def test_writing_while_writing_is_refused() -> None:
    """Two threads, or an index function that writes, would leave a store that nobody can trust."""
    refused: list[Exception] = []

    def index(obj: Object) -> list[str]:
        try:
            writer.apply(Apply(pod("other")))
        except InvalidInput as error:
            refused.append(error)
        return [obj.name]

    reader, writer = store(indexes={"name": index})
    writer.apply(Apply(pod("web")))
    assert "one writer" in str(refused[0])
    assert names(reader) == ["web"]
    writer.apply(Apply(pod("api")))
    assert names(reader) == ["api", "web"]


def test_a_store_does_not_keep_its_writer_nor_a_writer_old_objects() -> None:
    """Pain 14: what is gone from the store is gone from memory."""

    class Own(SimpleNamespace):
        """A class of the user's own, which can be watched for its end."""

    reader, writer = store(indexes={"name": lambda own: [own.metadata.name]}, of=Own)
    old = Own(metadata=pod("web").metadata)
    last = weakref.ref(old)
    writer.apply(Apply(old))
    writer.apply(Delete(old))
    del old
    assert last() is None
    gone = weakref.ref(writer)
    del writer
    assert gone() is None
    assert reader.closed


# Indexes


def test_an_index_finds_objects_by_the_values_of_its_function() -> None:
    reader, writer = store(indexes={"node": lambda p: [p.spec.nodeName]})
    fill(writer, pod("a", node="n1"), pod("b", node="n2"), pod("c"))
    writer.apply(Apply(pod("d", node="n1")))
    assert names(reader.index("node", "n1")) == ["a", "d"]
    writer.apply(Apply(pod("a", node="n2")))
    assert names(reader.index("node", "n1")) == ["d"]
    assert names(reader.index("node", "n2")) == ["a", "b"]
    writer.apply(Delete(pod("d", node="n1")))
    assert reader.index("node", "n1") == []
    assert names(reader.index("node", None)) == ["c"]
    assert reader.index("node", "n9") == []


def test_an_object_may_have_many_values_or_none_and_a_bare_text_is_one_value() -> None:
    reader, writer = store(
        indexes={"letters": lambda p: list(p.name), "text": lambda p: p.name, "none": lambda p: None}  # type: ignore[dict-item,return-value]  # lenient on purpose
    )
    fill(writer, pod("abba"), pod("ab"))
    assert names(reader.index("letters", "b")) == ["ab", "abba"]
    assert names(reader.index("text", "abba")) == ["abba"]
    assert reader.index("none", None) == []


def test_owner_namespace_and_label_are_indexes_that_every_store_has() -> None:
    reader, writer = store()
    web = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u1", "controller": True}
    fill(writer, pod("a", labels={"app": "web"}, owners=[web]), pod("b", "other"), node("n"))
    for _ in range(2):  # by looking at every object, and then by the index that was built meanwhile
        assert names(reader.index("owner", "u1")) == ["a"]
        assert names(reader.index("owner", ObjectRef("ReplicaSet", "web", "shop", uid="u1"))) == ["a"]
        assert names(reader.index("namespace", "other")) == ["b"]
        assert names(reader.index("namespace", None)) == ["n"]
        assert names(reader.index("label", "app=web")) == ["a"]
        writer.apply(Apply(node("n")))


def test_ready_made_index_functions_can_be_declared_under_any_name() -> None:
    reader, writer = store(indexes={"app": by_label("app"), "label": by_namespace, "parent": by_owner})
    fill(writer, pod("a", labels={"app": "web"}), pod("b"))
    assert names(reader.index("app", "web")) == ["a"]
    assert names(reader.index("label", "shop")) == ["a", "b"]
    assert reader.index("parent", "u1") == []


def test_an_unknown_index_is_refused_and_named() -> None:
    reader, _ = store(indexes={"node": lambda p: [p.spec.nodeName]})
    with pytest.raises(InvalidInput, match="no index 'nodes' here, only namespace, owner, node, label"):
        reader.index("nodes", "n1")
    with pytest.raises(InvalidInput, match="indexes are a mapping"):
        store(["node"])  # type: ignore[call-overload]  # wrong on purpose
    with pytest.raises(InvalidInput, match="'node' must be a function"):
        store(indexes={"node": "spec.nodeName"})  # type: ignore[dict-item]  # wrong on purpose


def test_an_index_first_asked_for_on_a_full_store_is_built_by_the_next_event() -> None:
    reader, writer = store()
    fill(writer, pod("a"), pod("b", "other"))
    writer.apply(Init())
    writer.apply(InitApply(pod("c")))
    assert names(reader.index("namespace", "shop")) == ["a"]
    writer.apply(InitApply(pod("d")))
    assert "namespace" in reader._table.indexes
    assert names(reader.index("namespace", "shop")) == ["a"]
    writer.apply(InitDone())
    assert "namespace" in reader._table.indexes
    assert names(reader.index("namespace", "shop")) == ["c", "d"]
    assert reader.index("namespace", "other") == []


def test_a_selection_gives_the_same_with_and_without_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("kubewatch.store")  # kubewatch.store itself is the function
    monkeypatch.setattr(module, "SELECT_INDEX_FROM", 2)
    monkeypatch.setattr(module, "SELECT_INDEXES", 2)
    reader, writer = store()
    objects = [pod(f"p{i}", labels={"app": f"a{i % 3}", "tier": f"t{i % 2}", "odd": f"o{i}"}) for i in range(12)]
    fill(writer, *objects)
    for _ in range(2):
        for text in ("app=a1", "tier=t0,app=a1", "odd=o3", "app=a9", "app!=a1", "app in (a1,a2),tier=t1", "!app"):
            expected = [obj for obj in objects if LabelSelector.of(text).matches(obj.labels)]
            assert names(reader.select(text)) == names(expected), text
        writer.apply(Apply(objects[0]))
    assert set(reader._table.indexes) == {("label", "app"), ("label", "tier")}


def test_an_index_function_that_fails_harms_nobody_and_is_logged_once_an_object(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails_on_bad(obj: Object) -> list[str]:
        if obj.name.startswith("bad"):
            raise ValueError("password=hunter2")
        return ["fine"]

    reader, writer = store(indexes={"quality": fails_on_bad})
    fill(writer, pod("good"), pod("bad"))
    writer.apply(Apply(pod("bad", version=2)))
    assert names(reader) == ["bad", "good"]
    assert names(reader.index("quality", "fine")) == ["good"]
    assert reader.index_failures == {"quality": 2}
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "index 'quality': ValueError at " in record.getMessage()
    assert "hunter2" not in caplog.text
    assert (record.__dict__["kind"], record.__dict__["namespace"], record.__dict__["object_name"]) == (
        "Pod",
        "shop",
        "bad",
    )


def test_values_that_cannot_be_kept_are_a_failure_like_any_other() -> None:
    reader, writer = store(indexes={"lists": lambda p: [[p.name]], "number": lambda p: 7})  # type: ignore[list-item,dict-item,return-value]  # wrong on purpose
    fill(writer, pod("web"))
    assert names(reader) == ["web"]
    assert reader.index_failures == {"lists": 1, "number": 1}


def test_a_failure_is_logged_again_when_the_object_failed_recovered_and_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, writer = store(indexes={"node": lambda p: [{}[p.spec.nodeName]] if p.spec.nodeName else []})
    for place in ("n1", None, "n1", "n2"):
        writer.apply(Apply(pod("web", node=place)))
    assert len(caplog.records) == 2


def test_failures_of_objects_that_are_gone_are_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    def fail(obj: Object) -> list[str]:
        raise LookupError

    _, writer = store(indexes={"broken": fail})
    fill(writer, pod("a"))
    fill(writer, pod("a"))
    assert len(caplog.records) == 1
    fill(writer)
    fill(writer, pod("a"))
    assert len(caplog.records) == 2


def test_an_index_survives_ctrl_c_in_the_midst_of_a_change() -> None:
    """A change that was cut short either happened or did not, for the objects and for every index alike."""
    interrupt_at = [0]

    def by_name(obj: Object) -> list[str]:
        interrupt_at[0] -= 1
        if interrupt_at[0] == 0:
            raise KeyboardInterrupt
        return [obj.metadata.labels.get("v", "")]

    reader, writer = store(indexes={"first": by_name, "second": by_name})
    writer.apply(Apply(pod("web", labels={"v": "1"})))
    interrupt_at[0] = 2  # after the first index took note of the change, and before the object changed
    with pytest.raises(KeyboardInterrupt):
        writer.apply(Apply(pod("web", labels={"v": "2"})))
    for index in ("first", "second"):
        assert names(reader.index(index, "1")) == ["web"]
        assert reader.index(index, "2") == []
    writer.apply(Apply(pod("web", labels={"v": "3"})))
    for index in ("first", "second"):
        assert reader.index(index, "1") == reader.index(index, "2") == []
        assert names(reader.index(index, "3")) == ["web"]


def test_an_index_survives_ctrl_c_right_after_the_object_changed() -> None:
    """The change happened: who reads sees it, by the store and by the index, and so it stays."""

    class Interrupted(dict[str, Object]):
        def __setitem__(self, name: str, obj: Object) -> None:
            super().__setitem__(name, obj)
            if obj.resource_version == "2":
                raise KeyboardInterrupt

    reader, writer = store(indexes={"node": lambda p: [p.spec.nodeName]})
    reader._table.spaces["shop"] = Interrupted()
    writer.apply(Apply(pod("web", node="n1", version=1)))
    with pytest.raises(KeyboardInterrupt):
        writer.apply(Apply(pod("web", node="n2", version=2)))
    for _ in range(2):
        assert reader.index("node", "n1") == []
        assert names(reader.index("node", "n2")) == ["web"] == names(reader)
        writer.apply(Apply(pod("api", node="n3", version=1)))
        writer.apply(Delete(pod("api", node="n3", version=1)))


# Memory


def test_a_signal_that_ends_the_program_while_a_relist_frees_objects_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the main thread its handler runs, and raises, wherever Python code is: in a finalizer that would be lost."""
    reader, writer = store()
    fill(writer, *(pod(f"p{i}") for i in range(25)))
    monkeypatch.setattr(table, "FREED", 10)
    monkeypatch.setattr(table, "give_way", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        fill(writer, pod("new"))
    assert (names(reader), reader.is_ready) == (["new"], True)


def test_a_relist_frees_the_objects_before_it_and_no_others() -> None:
    """Pain 14: what readers still hold stays whole."""

    class Own(SimpleNamespace):
        """A class of the user's own, which can be watched for its end."""

    reader, writer = store(of=Own)
    first, second = (Own(metadata=pod(name).metadata) for name in ("a", "b"))
    writer.apply(Apply(first))
    writer.apply(Apply(second))
    held, ends = [second], [weakref.ref(first), weakref.ref(second)]
    del first, second
    writer.apply(Init())
    assert len(writer.apply(InitDone())) == 2
    assert len(reader) == 0
    assert [end() for end in ends] == [None, *held]


def test_objects_are_found_by_the_text_of_their_own_names() -> None:
    reader, writer = store()
    writer.apply(Apply(pod("z")))
    fill(writer, *(pod(f"p{i}") for i in range(3)))
    writer.apply(Apply(pod("live")))
    assert list(reader._table.spaces) == ["shop"]
    assert all(name is obj.name for name, obj in reader._table.spaces["shop"].items())


def test_filling_a_store_adds_nothing_that_the_garbage_collector_counts() -> None:
    """What is counted makes it go through all objects of the process, in which time no thread runs."""
    _, writer = store()
    events = [InitApply(pod(f"p{i}")) for i in range(300)]
    writer.apply(Init())
    for event in events[:200]:
        writer.apply(event)
    gc.disable()
    try:
        counted = gc.get_count()[0]
        for event in events[200:]:
            writer.apply(event)
        assert gc.get_count()[0] - counted < 10
    finally:
        gc.enable()


def test_a_store_that_ends_lets_its_objects_go_one_by_one() -> None:
    """To free a hundred thousand at once would hold up every other thread."""

    class Own(SimpleNamespace):
        """A class of the user's own, which can be watched for its end."""

    reader, writer = store(indexes={"all": lambda obj: ["all"]}, of=Own)
    left: list[int] = []
    for number in range(3):
        obj = Own(metadata=pod(f"p{number}").metadata)
        weakref.finalize(obj, lambda: left.append(len(space))).atexit = False
        writer.apply(Apply(obj))
    space = reader._table.spaces["shop"]
    pair = [reader, writer]
    del obj, reader, writer
    dropper = threading.Thread(target=pair.clear, name="dropper")  # not on the main thread, where signals may come
    dropper.start()
    dropper.join()
    assert left == [2, 1, 0]


def test_deep_content_of_the_store_is_shared_not_copied() -> None:
    reader, writer = store(indexes={"node": lambda p: [p.spec.nodeName]})
    web = pod("web", node="n1")
    writer.apply(Apply(web))
    assert reader.get("web", "shop") is reader.state()[0] is reader.index("node", "n1")[0] is web


# Processes


forking = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@forking
def test_a_store_that_came_by_fork_is_marked_dead_and_says_so(followed: Followed) -> None:
    """Pain 21: the stream's thread is not in the child, so no answer of the store can be trusted there."""
    reader = followed.reader
    followed.list(pod("web"))
    reads: list[Callable[[], Any]] = [
        lambda: reader.get("web", "shop"),
        lambda: reader.get(ObjectRef("Pod", "web", "shop")),
        lambda: reader.state(),
        lambda: list(reader),
        lambda: len(reader),
        lambda: "web" in reader,
        lambda: reader.find(lambda p: True),
        lambda: reader.filter(lambda p: True),
        lambda: reader.select("app=web"),
        lambda: reader.index("owner", "u1"),
        lambda: reader.keys(),
        lambda: reader.wait_until_ready(0),
        lambda: followed.writer.apply(Apply(pod("web"))),
    ]
    for read in reads:
        assert type(in_child(read)) is StaleAfterFork
    assert in_child(lambda: (reader.is_ready, reader.is_live(within=60), reader.closed)) == (False, False, True)
    assert "stale after a fork" in in_child(lambda: repr(reader))
    assert reader.is_live(within=60)  # here nothing changed
    assert names(reader) == ["web"]


@forking
def test_a_child_may_read_what_was_there_at_the_fork(followed: Followed) -> None:
    """Pain 21: when it says that it wants to."""
    followed.list(pod("web"))

    def child() -> Any:
        followed.reader.allow_stale()
        return names(followed.reader), followed.reader.is_ready, followed.reader.is_live(60), followed.reader.closed

    assert in_child(child) == (["web"], True, False, True)


@forking
def test_a_child_may_start_a_stream_of_its_own_on_the_store(followed: Followed) -> None:
    """Pain 21: it begins empty and not ready, whatever the parent's threads were doing at the fork."""
    followed.list(pod("web"))
    followed.writer._busy.acquire()  # as if a thread of the parent's were writing at this moment

    def child() -> Any:
        vitals = Vitals()
        vitals.heard()
        followed.writer.follow(vitals, Stop())
        before = (len(followed.reader), followed.reader.is_ready)
        fill(followed.writer, pod("mine"))
        return before, names(followed.reader), followed.reader.is_live(within=60)

    assert in_child(child) == ((0, False), ["mine"], True)
    followed.writer._busy.release()


@forking
def test_what_a_fork_copied_of_the_stream_cannot_bless_the_store(followed: Followed) -> None:
    """Pain 21: the copy of the parent's stream ends in the child; that makes the store no fresher."""
    followed.list(pod("web"))

    def child() -> Any:
        followed.writer.close()
        return followed.reader.state()

    assert type(in_child(child)) is StaleAfterFork


@forking
def test_a_store_that_nothing_filled_at_the_fork_works_in_the_child() -> None:
    """Pain 21: made at import, before the web server forks its workers, and filled in each of them."""
    reader, writer = store()

    def child() -> Any:
        before = len(reader)
        writer.follow(Vitals(), Stop())
        fill(writer, pod("mine"))
        return before, names(reader), reader.wait_until_ready(0)

    assert in_child(child) == (0, ["mine"], True)


@forking
def test_a_store_that_was_closed_at_the_fork_is_as_good_in_the_child() -> None:
    reader, writer = store()
    fill(writer, pod("web"))
    writer.close()
    assert in_child(lambda: (names(reader), reader.closed)) == (["web"], True)


def test_a_store_cannot_be_sent_to_another_process() -> None:
    """Pain 21: a clear error instead of one about locks."""
    reader, writer = store()
    with pytest.raises(TypeError, match=r"send `store.state\(\)`"):
        pickle.dumps(reader)
    with pytest.raises(TypeError, match="belongs to one process"):
        pickle.dumps(writer)
    fill(writer, pod("web"))
    assert pickle.loads(pickle.dumps(reader.state())) == reader.state()


# Threads


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual, so that races show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def hammer(reads: list[Callable[[], None]], write: Callable[[int], None], rounds: int) -> None:
    """Run `write` `rounds` times while each of `reads` runs over and over on a thread of its own."""
    done = threading.Event()
    began = threading.Barrier(len(reads) + 1)
    failures: list[BaseException] = []

    def run(read: Callable[[], None]) -> None:
        try:
            began.wait(10)
            while not done.is_set():
                read()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(read,), name="reader") for read in reads]
    for thread in threads:
        thread.start()
    began.wait(10)
    try:
        for i in range(rounds):
            write(i)
    finally:
        done.set()
        for thread in threads:
            thread.join(10)
    assert failures == []


@pytest.mark.usefixtures("eager_switching")
def test_readers_during_relists_never_see_a_partial_state() -> None:
    """Every list is of one generation of objects; no read ever shows two generations, or a part of one."""
    size = 40
    reader, writer = store(indexes={"generation": lambda p: [p.labels["generation"]]})
    generations = [[pod(f"p{i}", labels={"generation": str(g)}) for i in range(size)] for g in range(2)]
    fill(writer, *generations[0])

    def whole() -> None:
        seen = [obj.labels["generation"] for obj in reader.state()]
        assert len(seen) == size
        assert len(set(seen)) == 1

    def indexed() -> None:
        assert len(reader.index("generation", "0")) in (0, size)
        assert len(reader.index("generation", "1")) in (0, size)

    def counted() -> None:
        assert len(reader) == size
        assert reader.get("p7", "shop") is not None

    hammer([whole, indexed, counted], lambda i: fill(writer, *generations[i % 2]), 300)


@pytest.mark.usefixtures("eager_switching")
def test_an_object_is_in_an_index_exactly_when_it_is_in_the_store() -> None:
    """Objects only ever move from one value of the index to a later one: who has seen it there finds it there."""
    reader, writer = store(indexes={"step": lambda p: [int(p.labels["step"])]})
    steps = [pod("mover", labels={"step": str(i)}) for i in range(2000)]
    others = [pod(f"p{i}", labels={"step": "-1"}) for i in range(10)]
    fill(writer, steps[0], *others)

    def from_store_to_index() -> None:
        obj = reader.get("mover", "shop")
        assert obj is not None
        step = int(obj.labels["step"])
        if not reader.index("step", step):  # moved on meanwhile, or else the index lags behind
            now = reader.get("mover", "shop")
            assert now is not None
            assert int(now.labels["step"]) > step

    def from_index_to_store() -> None:
        last = reader.get("mover", "shop")
        assert last is not None
        for step in (int(last.labels["step"]) + 1, int(last.labels["step"])):
            if reader.index("step", step):
                now = reader.get("mover", "shop")
                assert now is not None
                assert int(now.labels["step"]) >= step

    def nobody_else_moves() -> None:
        assert len(reader.index("step", -1)) == 10

    def write(i: int) -> None:
        writer.apply(Apply(steps[i]))

    hammer([from_store_to_index, from_index_to_store, nobody_else_moves], write, len(steps))


@pytest.mark.usefixtures("eager_switching")
def test_iterating_a_store_that_changes_never_raises() -> None:
    """Pain 24: readers may take their time; neither they nor the writer are in each other's way."""
    reader, writer = store()
    objects = [pod(f"p{i}", labels={"app": f"a{i % 3}"}) for i in range(200)]
    fill(writer, *objects)

    def iterate() -> None:
        assert all(obj.namespace == "shop" for obj in reader)
        assert len(reader.keys()) <= 200

    def look() -> None:
        assert all(obj.labels["app"] == "a1" for obj in reader.select("app=a1"))
        reader.index("namespace", "shop")
        reader.find(lambda p: p.name == "p199")

    def write(i: int) -> None:
        event = Delete if i % 3 == 0 else Apply
        writer.apply(event(objects[i % 200]))

    hammer([iterate, iterate, look], write, 3000)


def test_a_slow_predicate_does_not_hold_up_the_writer() -> None:
    """Pain 24: predicates run on the reader's thread without a lock."""
    reader, writer = store()
    fill(writer, pod("a"), pod("b"))
    entered, leave = threading.Event(), threading.Event()

    def slow(obj: Object) -> bool:
        entered.set()
        leave.wait(10)
        return True

    join = in_thread(lambda: names(reader.filter(slow)))
    assert entered.wait(10)
    fill(writer, pod("c"))
    assert names(reader) == ["c"]
    leave.set()
    assert join() == ["a", "b"]


def test_a_late_reader_sees_everything_there_is(followed: Followed) -> None:
    """Pain 25: whoever comes late finds the content, and that it is complete."""
    followed.list(pod("a"), pod("b"))
    late: Store[Object] = followed.reader
    assert late.is_ready
    assert names(late) == ["a", "b"]


def test_writers_are_what_streams_expect(followed: Followed) -> None:
    writer: Writer[Object] = followed.writer
    assert writer.apply(Init()) == ()
    assert writer.apply(Apply(pod("web"))) == ()
