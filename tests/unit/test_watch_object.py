"""watch_object: the states of one object, absence included."""

from __future__ import annotations

from typing import Any

import pytest

from kubewatch.config import Config
from kubewatch.errors import ApiError, InvalidInput, WatchFailed, WatchStartFailed
from kubewatch.events import Apply, Delete, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.watch_object import states, watch_object

from .stub_source import StubSource, added, deleted, error, modified, page, pod


def shown(items: Any) -> list[str]:
    """States as text: the version of an object, "absent", or the type of an error."""
    return ["absent" if i is None else i.resource_version if isinstance(i, Object) else type(i).__name__ for i in items]


def test_an_object_is_followed_through_coming_changing_and_going() -> None:
    source: StubSource[Object] = StubSource(
        [page(version=5)], [[added("web", 6), modified("web", 7), deleted("web", 8)]]
    )
    stream = watch_object(source, "web")
    assert shown(next(stream) for _ in range(4)) == ["absent", "6", "7", "absent"]


def test_the_server_is_asked_for_this_object_alone() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)], [[]])
    stream = watch_object(source, "web", Config(label_selector="app=web"))
    assert source.requests == []
    assert shown([next(stream)]) == ["3"]
    with pytest.raises(WatchStartFailed):
        next(stream)
    assert {r.field_selector for r in source.requests} == {"metadata.name=web"}
    assert {r.label_selector for r in source.requests} == {"app=web"}


def test_a_name_with_signs_of_the_selector_language_is_escaped() -> None:
    source: StubSource[Object] = StubSource([page(version=5)])
    next(watch_object(source, "a=b,c"))
    assert source.requests[0].field_selector == r"metadata.name=a\=b\,c"


def test_absence_is_reported_once_per_round_relists_included() -> None:
    """An object that vanished in a gap is reported absent by the relist."""
    source: StubSource[Object] = StubSource(
        [page(pod("web", 3), version=5), page(version=90), page(pod("web", 95), version=99)],
        [[error(410)], [error(410)]],
    )
    stream = watch_object(source, "web")
    items = stream.in_band()
    assert shown(next(items) for _ in range(5)) == ["3", "WatchStatusError", "absent", "WatchStatusError", "95"]


def test_errors_are_raised_by_the_stream_and_it_goes_on() -> None:
    source: StubSource[Object] = StubSource([ApiError(500, "InternalError", "no"), page(pod("web", 3), version=5)])
    stream = watch_object(source, "web")
    with pytest.raises(Exception, match="InternalError"):
        next(stream)
    assert shown([next(stream)]) == ["3"]


def test_the_states_of_a_sequence_of_events() -> None:
    broken = WatchFailed("reset")
    events = [Init(), InitApply("a"), InitDone(), Apply("b"), broken, Delete("b"), Init(), InitDone()]
    assert list(states(events)) == [InitApply("a"), InitDone(), Apply("b"), broken, None, None]


@pytest.mark.parametrize("name", ["", "default/web", ".", "..", None, 5])
def test_what_is_no_name_is_refused_when_built(name: Any) -> None:
    with pytest.raises(InvalidInput, match="no name of an object"):
        watch_object(StubSource[Object](), name)


def test_a_second_field_selector_is_refused_when_built() -> None:
    with pytest.raises(InvalidInput, match="leave field_selector out"):
        watch_object(StubSource[Object](), "web", Config(field_selector="spec.nodeName=n1"))


def test_objects_of_the_same_name_in_several_namespaces_are_not_mixed() -> None:
    source: StubSource[Object] = StubSource([page(pod("web", 3), version=5)], namespace=None)
    with pytest.raises(InvalidInput, match="namespace="):
        next(watch_object(source, "web"))


def test_a_kind_known_to_have_namespaces_is_refused_without_one_when_built() -> None:
    source: StubSource[Object] = StubSource(namespace=None)
    source.namespaced = True  # type: ignore[attr-defined]  # as an Api knows after discovery
    with pytest.raises(InvalidInput, match="namespace="):
        watch_object(source, "web")


def test_a_cluster_scoped_object_needs_no_namespace() -> None:
    node = {"metadata": {"name": "web", "resourceVersion": "3"}}
    source: StubSource[Object] = StubSource([page(node, version=5)], kind="Node", namespace=None)
    assert shown([next(watch_object(source, "web"))]) == ["3"]
