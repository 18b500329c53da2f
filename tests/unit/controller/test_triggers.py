"""The watches that a controller makes itself: what fails in them is told, and tried again."""

from __future__ import annotations

from typing import Any

from kubewatch import ApiError, Config, UnknownKind
from kubewatch.controller import Controller, QueueError, Reconciled
from kubewatch.controller.triggers import watched
from kubewatch.errors import InitialListFailed
from kubewatch.objects import Object
from kubewatch.stop import Stop
from tests.unit.stored import pod
from tests.unit.stub_source import StubSource, Wait, added, deleted, modified, page
from tests.unit.stub_source import pod as stub_pod

from .harness import Feed, names, quiet


class _Stub(StubSource[Object]):
    """One that can be asked for metadata, as an Api can."""

    def metadata(self) -> Any:
        return self


def forbidden() -> ApiError:
    return ApiError(403, "Forbidden", "no rights on pods")


def test_a_controller_reconciles_what_its_own_watch_brings() -> None:
    source: StubSource[Object] = StubSource(
        [page(stub_pod("a", 1), version=5)], [[added("b", 6), modified("b", 7), deleted("a", 8)]]
    )
    seen = set()
    controller = Controller(source, Config())
    for result in controller.run(quiet):
        if isinstance(result, Reconciled):
            seen.add(result.ref.name)
        if seen >= {"b"}:
            break
    assert controller.store().get("b", "default") is not None
    assert source.closed == 1


def test_a_forbidden_kind_is_told_and_holds_up_no_other() -> None:
    """Improvement 5: each trigger backs off by itself."""
    main: StubSource[Object] = StubSource([page(stub_pod("a", 1), version=5)], [[Wait(1), added("b", 6)]])
    owned = _Stub([forbidden()] * 100)
    results = Controller(main).owns(owned).run(quiet)
    wanted = {"a", "b", 403}
    for result in results:
        if isinstance(result, Reconciled):
            wanted.discard(result.ref.name)
        elif isinstance(result, QueueError) and isinstance(result.error, InitialListFailed):
            assert str(result).startswith("Pod in default: ")
            wanted.discard(result.error.code or 0)
        if not wanted:
            break


def test_a_forbidden_main_kind_is_told_until_somebody_ends_it() -> None:
    """Improvement 6: the store is never ready, and leaving the loop ends it all the same."""
    for result in Controller(StubSource[Object]([forbidden()] * 100)).run(quiet):
        assert isinstance(result, QueueError)
        break


def test_a_kind_that_is_not_there_yet_is_waited_for() -> None:
    source = StubSource[Object]([page(stub_pod("a", 1), version=5)])
    open_session, refusals = source.open, iter([UnknownKind("pods")] * 2)

    def open_late(stop: Stop) -> Any:
        for error in refusals:
            raise error
        return open_session(stop)

    source.open = open_late  # type: ignore[method-assign]
    errors: list[BaseException] = []
    trigger = watched(source, Config(), lambda obj: (), "applied_objects")
    opened = trigger.open(errors.append)
    opened.stop.wait = lambda seconds: False  # type: ignore[method-assign]  # the pauses take no time
    assert next(opened.items).object.name == "a"
    assert [type(error) for error in errors] == [InitialListFailed] * 2
    assert isinstance(errors[0].__cause__, UnknownKind)


def test_a_deleted_main_object_is_reconciled_no_more() -> None:
    feed = Feed().list(pod("a"))
    results = Controller.for_stream(feed.reflected(), feed.reader).run(quiet)
    assert names([next(results)]) == ["a"]
    feed.delete(pod("a", version=2)).end()
    assert list(results) == []
