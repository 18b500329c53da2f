"""What breaks a watch, done to it by a server that is told to: the embedded one, over real connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from kubewatch import (
    Api,
    ApiError,
    Apply,
    Config,
    DecodeFailed,
    EventStream,
    InitApply,
    InitialListFailed,
    Object,
    WatchError,
    WatchFailed,
    WatchStartFailed,
    WatchStatusError,
    watcher,
)
from kubewatch.testing import ApiServer
from kubewatch.testing.apiserver.faults import AnyFault, Fault

# Seconds after which a test that waits for an event gives up.
PATIENCE = 30.0

STREAMING = Config(initial_list="streaming")


def api_of(server: ApiServer) -> Api[Object]:
    return Api("v1", "ConfigMap", namespace="default", client=server.client())


@pytest.fixture
def api(kube_api: ApiServer) -> Api[Object]:
    """The ConfigMaps of the server."""
    return api_of(kube_api)


def create(server: ApiServer, name: str) -> None:
    server.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": name}})


def soon(server: ApiServer, *names: str) -> None:
    """Creates them while the test waits for what comes of it."""

    def create_all() -> None:
        for name in names:
            create(server, name)

    threading.Thread(target=create_all, name="creator").start()


def when_watching(spoil: Callable[[], int]) -> None:
    """Spoils the open watches, meanwhile; waits for there to be one. `spoil` returns how many it met."""

    def try_on() -> None:
        end = time.monotonic() + PATIENCE
        while not spoil() and time.monotonic() < end:
            threading.Event().wait(0.01)

    threading.Thread(target=try_on, name="spoiler").start()


def shown(item: object) -> str:
    return type(item).__name__ if isinstance(item, WatchError) else str(item)


class Watched:
    """A stream under test: items as values, with a bound on how long a missing one is waited for."""

    def __init__(self, api: Api[Object], config: Config | None = None) -> None:
        stream: EventStream[Object] = watcher(api, config or Config()).until(seconds=PATIENCE)
        self.vitals = stream.vitals
        self.stop = stream.stop
        self.items: Iterator[Any] = stream.in_band()

    def take(self, count: int) -> list[str]:
        return [shown(item) for item in islice(self.items, count)]

    def pull(self) -> Any:
        return next(self.items)


@pytest.fixture
def watched(api: Api[Object]) -> Iterator[Watched]:
    """A watch of the ConfigMaps, with nothing pulled yet."""
    stream = Watched(api)
    yield stream
    stream.stop()


def begin(server: ApiServer, stream: Watched) -> None:
    """Creates the ConfigMap `a`, and lists."""
    create(server, "a")
    assert stream.take(3) == ["Init", "InitApply(a)", "InitDone"]


def watches(server: ApiServer) -> list[dict[str, str]]:
    """The parameters of the watches asked for."""
    return [dict(request.query) for request in server.requests if request.verb == "watch"]


# How a body may end


@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut(after_events=1),
        Fault.cut(after_bytes=700),
        Fault.truncated_line(after_events=1),
        Fault.content_length(events=1),
        Fault.close_delimited(events=1),
    ],
    ids=["cut between chunks", "cut in a chunk", "half a line", "content-length", "close-delimited"],
)
def test_an_unexpected_end_is_an_end_and_nothing_is_lost(
    kube_api: ApiServer, watched: Watched, fault: AnyFault
) -> None:
    """Rows 130, 131, 132, 133, 134, 136: wherever the body breaks off, what was whole counts, the rest comes again.

    Pain 18: also where the answer is not chunked.
    """
    kube_api.faults.add(fault, verb="watch")
    begin(kube_api, watched)
    soon(kube_api, *"bcd")
    assert watched.take(3) == ["Apply(b)", "Apply(c)", "Apply(d)"]
    assert watched.vitals.restarts["closed"] == 1
    assert watched.vitals.last_error is None


def test_a_reset_connection_is_an_error_and_the_watch_is_resumed(kube_api: ApiServer, watched: Watched) -> None:
    """Row 138: reset by peer is WatchFailed, and the next pull goes on from the same version."""
    begin(kube_api, watched)
    when_watching(lambda: kube_api.faults.drop_watches(reset=True))
    item = watched.pull()
    assert isinstance(item, WatchFailed)
    assert item.__cause__ is not None
    create(kube_api, "b")
    assert watched.take(1) == ["Apply(b)"]


def test_a_connection_that_goes_silent_is_left_at_the_idle_deadline(kube_api: ApiServer, api: Api[Object]) -> None:
    """Row 7: a half-open connection is noticed by its silence, without an error, and resumed.

    Pain 1: a watch never stays silent for ever.
    """
    stream = Watched(api, Config(idle_timeout=0.3))
    kube_api.faults.add(Fault.silent(after_events=1), verb="watch")
    begin(kube_api, stream)
    create(kube_api, "b")
    assert stream.take(1) == ["Apply(b)"]
    create(kube_api, "c")
    assert stream.take(1) == ["Apply(c)"]
    assert stream.vitals.restarts["idle"] >= 1
    stream.stop()


# Odd lines and odd objects


def test_a_malformed_line_is_an_error_item_and_the_stream_goes_on(kube_api: ApiServer, watched: Watched) -> None:
    """Row 137: WatchFailed, and what follows on the same stream."""
    kube_api.faults.add(Fault.malformed_line(after_events=1), verb="watch")
    begin(kube_api, watched)
    soon(kube_api, *"bc")
    assert watched.take(3) == ["Apply(b)", "WatchFailed", "Apply(c)"]
    assert len(watches(kube_api)) == 1


def test_an_undecodable_object_of_a_list_is_reported_beside_the_others(kube_api: ApiServer, watched: Watched) -> None:
    """Rows 109, 110, 111: the odd one is an item that says which it is; the valid ones come."""
    for name in "abc":
        create(kube_api, name)
    kube_api.faults.add(Fault.undecodable(after_events=1), verb="list")
    assert watched.take(2) == ["Init", "InitApply(a)"]
    item = watched.pull()
    assert isinstance(item, DecodeFailed)
    assert (item.kind, item.namespace, item.object_name) == ("ConfigMap", "default", "b")
    assert watched.take(2) == ["InitApply(c)", "InitDone"]
    assert (watched.vitals.dropped, watched.vitals.failing) == (1, False)


def test_an_undecodable_event_is_reported_once(kube_api: ApiServer, watched: Watched) -> None:
    """Pain 16: it is not sent again after a resume, as its version counts."""
    kube_api.faults.add(Fault.undecodable(), Fault.cut(after_events=1), verb="watch")
    begin(kube_api, watched)
    soon(kube_api, *"bc")
    assert watched.take(2) == ["DecodeFailed", "Apply(c)"]


def test_bookmarks_twice_or_out_of_order_lose_nothing() -> None:
    for fault in (Fault.duplicate_bookmarks(), Fault.late_bookmarks()):
        with ApiServer(bookmark_interval=0.02) as server:
            stream = Watched(api_of(server))
            server.faults.add(fault, verb="watch")
            begin(server, stream)
            for name in "bcd":
                create(server, name)
                assert stream.take(1) == [f"Apply({name})"]
            server.faults.drop_watches()
            create(server, "e")
            while stream.take(1) != ["Apply(e)"]:
                pass  # an older bookmark makes the server say again what came after it
            stream.stop()


def test_events_that_come_a_byte_at_a_time_are_whole(kube_api: ApiServer, watched: Watched) -> None:
    """Pain 17: whatever the cuts, in the middle of a character too."""
    kube_api.faults.add(Fault.drip(size=7, pause=0.0), verb="watch")
    create(kube_api, "a")
    watched.take(3)
    kube_api.objects.patch("configmaps", "a", {"data": {"note": "ä€𝄞" * 30}})
    item = watched.pull()
    assert isinstance(item, Apply)
    assert item.object.data.note == "ä€𝄞" * 30


def test_events_that_a_proxy_compresses_are_read(kube_api: ApiServer, watched: Watched) -> None:
    kube_api.faults.add(Fault.gzip_members(), verb="watch")
    begin(kube_api, watched)
    for name in "bcd":
        create(kube_api, name)
        assert watched.take(1) == [f"Apply({name})"]


# Versions that expire


def test_a_watch_that_is_too_old_to_start_relists(kube_api: ApiServer, watched: Watched) -> None:
    """Improvement 2: 410 at the start of a watch leads back to the list; kube-rs asks the same for ever."""
    kube_api.faults.add(Fault.cut(after_events=1), verb="watch")
    begin(kube_api, watched)
    create(kube_api, "b")
    assert watched.take(1) == ["Apply(b)"]
    kube_api.objects.delete("configmaps", "a")
    create(kube_api, "c")
    kube_api.faults.compact()
    item = watched.pull()
    assert isinstance(item, WatchStartFailed | WatchStatusError)
    assert item.code == 410
    assert watched.take(4) == ["Init", "InitApply(b)", "InitApply(c)", "InitDone"]
    assert watched.vitals.restarts["expired"] == 1


def test_http_410_and_a_version_too_large_relist_as_well(kube_api: ApiServer, watched: Watched) -> None:
    """Improvement 2: HTTP 410, and the 504 of a server that was restored to before our version."""
    too_large = Fault.status(504, reason="Timeout", message="Too large resource version: 99, current: 7")
    begin(kube_api, watched)
    for fault in (Fault.gone(), too_large):
        kube_api.faults.add(fault, verb="watch")
        assert watched.take(4) == ["WatchStartFailed", "Init", "InitApply(a)", "InitDone"]


def test_an_error_event_of_410_relists_and_others_do_not(kube_api: ApiServer, watched: Watched) -> None:
    """Pain 4: ERROR 410 is told, then listed anew; any other ERROR is told, and the stream goes on."""
    begin(kube_api, watched)
    when_watching(lambda: kube_api.faults.now(Fault.error_event(500, ends=False)))
    assert watched.take(1) == ["WatchStatusError"]
    create(kube_api, "b")
    assert watched.take(1) == ["Apply(b)"]
    assert len(watches(kube_api)) == 1
    when_watching(kube_api.faults.expire_watches)
    assert watched.take(5) == ["WatchStatusError", "Init", "InitApply(a)", "InitApply(b)", "InitDone"]


def test_a_page_that_expires_begins_the_list_anew(kube_api: ApiServer, api: Api[Object]) -> None:
    """State row 8: 410 on a continue token."""
    for name in "abc":
        create(kube_api, name)
    stream = Watched(api, Config(page_size=1))
    kube_api.faults.add(Fault.chunked(), verb="list")  # the first page is as good as any
    kube_api.faults.add(Fault.gone(), verb="list")
    assert stream.take(3) == ["Init", "InitApply(a)", "InitialListFailed"]
    assert stream.take(5) == ["Init", "InitApply(a)", "InitApply(b)", "InitApply(c)", "InitDone"]
    assert stream.vitals.restarts["expired"] == 1
    stream.stop()


# Refusals


def test_a_refused_watch_is_one_error_however_its_body_is_printed(kube_api: ApiServer, watched: Watched) -> None:
    """Row 128: a pretty-printed 403 is one WatchStartFailed with its code."""
    status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "configmaps is forbidden"}
    kube_api.faults.add(Fault.answer(403, json.dumps(status, indent=2).encode()), verb="watch")
    begin(kube_api, watched)
    item = watched.pull()
    assert isinstance(item, WatchStartFailed)
    assert (item.code, "configmaps is forbidden" in str(item)) == (403, True)
    create(kube_api, "b")
    assert watched.take(1) == ["Apply(b)"]


def test_an_answer_that_is_no_status_is_an_error_with_its_text(kube_api: ApiServer, watched: Watched) -> None:
    """Row 129: plain text becomes the message, trimmed; the code is the HTTP status."""
    kube_api.faults.add(Fault.status(404, text="  404 page not found\n"), verb="watch")
    begin(kube_api, watched)
    item = watched.pull()
    assert isinstance(item, WatchStartFailed)
    assert isinstance(item.__cause__, ApiError)
    assert (item.code, item.__cause__.message) == (404, "404 page not found")


def test_a_list_that_is_refused_says_how_long_to_wait(kube_api: ApiServer, watched: Watched) -> None:
    """Pain 10: Retry-After is on the item, for the backoff to respect."""
    kube_api.faults.add(Fault.status(429, retry_after=7), verb="list")
    assert watched.take(1) == ["Init"]
    item = watched.pull()
    assert isinstance(item, InitialListFailed)
    assert (item.code, item.retry_after) == (429, 7.0)
    assert watched.take(2) == ["Init", "InitDone"]


def test_a_server_that_ends_watches_at_once_is_an_error_after_a_few(kube_api: ApiServer, watched: Watched) -> None:
    """Improvement 4: each further watch costs a pull, between which a backoff acts; kube-rs spins in one pull."""
    kube_api.faults.add(Fault.line(b"", ends=True), verb="watch", times=None)
    begin(kube_api, watched)
    assert watched.take(5) == ["WatchFailed"] * 5
    assert len(watches(kube_api)) == 7
    kube_api.faults.clear()
    create(kube_api, "b")
    assert watched.take(1) == ["Apply(b)"]


# Streaming lists


@pytest.mark.parametrize("initial_list", ["streaming", "auto"])
def test_where_streaming_is_refused_the_objects_are_listed(
    kube_api: ApiServer, api: Api[Object], initial_list: Any
) -> None:
    """Improvement 14: a server that refuses sendInitialEvents gets a list and a watch, for good."""
    kube_api.faults.add(Fault.refuse_initial_events(), verb="watch", times=None)
    create(kube_api, "a")
    stream = Watched(api, Config(initial_list=initial_list))
    assert stream.take(3) == ["Init", "InitApply(a)", "InitDone"]
    when_watching(kube_api.faults.expire_watches)
    assert stream.take(4) == ["WatchStatusError", "Init", "InitApply(a)", "InitDone"]
    assert sum("sendInitialEvents" in query for query in watches(kube_api)) == 1
    stream.stop()


def test_a_server_that_overlooks_initial_events_is_found_out(kube_api: ApiServer, api: Api[Object]) -> None:
    """Improvement 14: initial events whose end bookmark never comes."""
    kube_api.faults.add(Fault.refuse_initial_events(ignore=True), verb="watch", times=None)
    create(kube_api, "a")
    stream = Watched(api, Config(initial_list="streaming", idle_timeout=0.3))
    items = stream.take(1)
    while items[-1] != "InitDone":
        items += stream.take(1)
    assert items[-3:] == ["Init", "InitApply(a)", "InitDone"]
    create(kube_api, "b")
    assert stream.take(1) == ["Apply(b)"]
    stream.stop()


@pytest.mark.parametrize("fault", [Fault.cut(after_events=2), Fault.error_event(410, after_events=2)])
def test_a_broken_streaming_list_begins_again_with_init(kube_api: ApiServer, api: Api[Object], fault: AnyFault) -> None:
    """Rows 117, 118: what came before the break is discarded with the new Init; no object of it is a ghost.

    Improvement 1: Init in a streaming list too.
    """
    for name in "abc":
        create(kube_api, name)
    kube_api.faults.add(fault, verb="watch")
    stream = Watched(api, STREAMING)
    assert stream.take(3) == ["Init", "InitApply(a)", "InitApply(b)"]
    kube_api.objects.delete("configmaps", "a")
    items = stream.take(4)
    items += stream.take(1) if items[0] == "WatchStatusError" else []
    assert items[-4:] == ["Init", "InitApply(b)", "InitApply(c)", "InitDone"]
    stream.stop()


def test_stop_ends_every_phase_over_a_server_that_says_nothing(kube_api: ApiServer, api: Api[Object]) -> None:
    """Pain 3: silent before the head of a list, before the head of a watch, in the body of a page, in a watch."""
    create(kube_api, "a")
    for fault, verb in (
        (Fault.silent(), "list"),
        (Fault.silent(after_bytes=20), "list"),
        (Fault.silent(), "watch"),
        (Fault.silent(after_bytes=0), "watch"),
    ):
        kube_api.faults.add(fault, verb=verb)
        stream = Watched(api)
        items: list[str] = []
        begun = threading.Event()

        def read(stream: Watched = stream, items: list[str] = items, begun: threading.Event = begun) -> None:
            for item in stream.items:
                items.append(shown(item))
                begun.set()

        reader = threading.Thread(target=read, name=f"reader-{verb}")
        reader.start()
        assert begun.wait(PATIENCE)
        threading.Event().wait(0.2)  # long enough to be blocked in that phase; a shorter one only tests another
        stream.stop()
        reader.join(PATIENCE / 3)
        assert not reader.is_alive()
        assert all(not item.endswith("Failed") for item in items)


def test_an_object_is_what_the_server_sent(kube_api: ApiServer, watched: Watched) -> None:
    create(kube_api, "a")
    watched.take(1)
    item = watched.pull()
    assert isinstance(item, InitApply)
    assert item.object == kube_api.objects.get("configmaps", "a")
