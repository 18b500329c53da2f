"""Waiting for what nothing can interrupt: the caller can always leave, and what comes late is not lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kubewatch.aside import Together, aside
from kubewatch.errors import Unreachable
from kubewatch.stop import Stop


def by_call(stop: Stop) -> None:
    stop.stop()


def by_event(stop: Stop) -> None:
    event = threading.Event()
    stop.follow(event)
    event.set()


def by_deadline(stop: Stop) -> None:
    stop.until(0.0)


def test_the_caller_gets_what_the_work_brings_or_raises_and_no_thread_is_left() -> None:
    names: list[str] = []

    def work() -> int:
        names.append(threading.current_thread().name)
        return 42

    def fail() -> int:
        raise LookupError("no such name")

    threads = set(threading.enumerate())
    assert aside(work, Stop()) == 42
    with pytest.raises(LookupError, match="no such name"):
        aside(fail, Stop())
    assert names == ["kubewatch-aside"]
    assert set(threading.enumerate()) <= threads


def test_work_that_nobody_would_leave_stays_on_the_callers_thread() -> None:
    assert aside(threading.current_thread) is threading.current_thread()


@pytest.mark.parametrize("end", [by_call, by_event, by_deadline])
def test_a_stop_ends_the_wait_and_what_comes_late_is_discarded(end: Callable[[Stop], None]) -> None:
    stop, begun, go_on, discarded = Stop(), threading.Event(), threading.Event(), threading.Event()
    late: list[str] = []

    def work() -> str:
        begun.set()
        go_on.wait(10.0)
        return "socket"

    def discard(result: str) -> None:
        late.append(result)
        discarded.set()

    def stopper() -> None:
        begun.wait(10.0)
        end(stop)

    other = threading.Thread(target=stopper, name="stopper")
    other.start()
    with pytest.raises(Unreachable, match="stopped"):
        aside(work, stop, discard=discard)
    other.join(5.0)
    assert late == []  # it left while the work was under way
    go_on.set()
    assert discarded.wait(5.0)
    assert late == ["socket"]


def test_after_the_stop_nothing_is_begun() -> None:
    stop, runs = Stop(), list[int]()
    stop.stop()
    with pytest.raises(Unreachable, match="stopped"):
        aside(lambda: runs.append(1), stop)
    assert runs == []


def test_work_that_takes_too_long_is_left_behind() -> None:
    go_on = threading.Event()
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        aside(lambda: go_on.wait(10.0), seconds=0.05)
    go_on.set()


def test_where_no_thread_can_be_started_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter on its way out refuses threads to handlers of its exit, which may have a request to make."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert aside(lambda: 42, Stop()) == 42


def waiting_for(together: Together[str], work: Callable[[], str], number: int) -> tuple[list[object], list[str]]:
    """What `number` threads get that wait while the first does `work`."""
    outcomes: list[object] = []
    others = threading.Barrier(number + 1)

    def want() -> None:
        others.wait(5.0)
        try:
            outcomes.append(together.get("it", lambda: "mine"))
        except LookupError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=want, name=f"t{i}") for i in range(number)]
    for thread in threads:
        thread.start()

    def first() -> str:
        others.wait(5.0)
        while len(together._under_way["it"]._condition._waiters) < number:  # type: ignore[attr-defined]  # all wait
            threading.Event().wait(0.001)
        return work()

    raised: list[str] = []
    try:
        outcomes.append(together.get("it", first))
    except (LookupError, KeyboardInterrupt) as error:
        raised.append(type(error).__name__)
    for thread in threads:
        thread.join(5.0)
    return outcomes, raised


def fail() -> str:
    raise LookupError("not there")


def interrupt() -> str:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("work", "outcomes", "raised"),
    [(lambda: "theirs", ["theirs"] * 4, []), (fail, ["not there"] * 3, ["LookupError"])],
    ids=["result", "error"],
)
def test_who_waits_gets_what_the_first_one_got(
    work: Callable[[], str], outcomes: list[object], raised: list[str]
) -> None:
    assert waiting_for(Together(), work, 3) == (outcomes, raised)


def test_who_waits_for_somebody_who_is_interrupted_goes_on_alone() -> None:
    assert waiting_for(Together(), interrupt, 3) == (["mine"] * 3, ["KeyboardInterrupt"])


def test_nothing_is_remembered() -> None:
    together: Together[int] = Together()
    assert together.get("it", lambda: 1) == 1
    assert together.get("it", lambda: 2) == 2
