"""Scripted failures as a client meets them on the wire."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from kubewatch.testing import ApiServer
from kubewatch.testing.apiserver.faults import Fault

PATIENCE = 10.0  # seconds: far more than anything here takes
SILENCE = 0.2  # seconds without a byte that count as silence
MAPS = "/api/v1/namespaces/default/configmaps"


class Client:
    """One connection; a new one for every request."""

    def __init__(self, server: ApiServer) -> None:
        host, port = server.url.partition("://")[2].split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        self.connection.close()
        self.connection.request("GET", path, headers=headers)
        return self.connection.getresponse()

    def ask_to_watch(self, query: str = "") -> None:
        self.connection.close()
        self.connection.request("GET", f"{MAPS}?watch=true&{query}")

    def watch(self, query: str = "") -> http.client.HTTPResponse:
        self.ask_to_watch(query)
        return self.connection.getresponse()

    def expect_silence(self, seconds: float = SILENCE) -> None:
        """From now on, so many seconds without a byte are a TimeoutError."""
        assert self.connection.sock is not None
        self.connection.sock.settimeout(seconds)


@pytest.fixture
def client(kube_api: ApiServer) -> Iterator[Client]:
    for name in ("a", "b", "c"):
        kube_api.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    client = Client(kube_api)
    yield client
    client.connection.close()


def names(response: http.client.HTTPResponse) -> list[str]:
    return [one["metadata"]["name"] for one in json.loads(response.read())["items"]]


def lines(response: http.client.HTTPResponse) -> Iterator[Any]:
    """The events up to the end, or to where it breaks; what is no JSON as bytes."""
    rest = b""
    while True:
        try:
            block = response.read1(65536)
        except (http.client.IncompleteRead, ConnectionError):
            yield "cut"
            return
        except TimeoutError:
            yield "silence"
            return
        *whole, rest = (rest + block).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n") or not block:
            whole, rest = [*whole, *([rest] if rest else [])], b""
        yield from map(parsed, whole)
        if not block:
            return


def parsed(line: bytes) -> Any:
    try:
        event = json.loads(line)
    except ValueError:
        return line
    return event["type"], event["object"].get("metadata", {}).get("name", "")


ALL = [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
SHORT = "timeoutSeconds=1"


class TestAnswers:
    def test_a_failure_comes_as_often_as_was_said_then_the_truth(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.status(429, retry_after=1), verb="list", times=2)
        for _ in range(2):
            response = client.get(MAPS)
            assert (response.status, response.getheader("Retry-After")) == (429, "1")
            assert json.loads(response.read())["reason"] == "TooManyRequests"
        assert names(client.get(MAPS)) == ["a", "b", "c"]

    def test_a_proxys_failure_is_plain_text(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.status(503, text="upstream connect error"))
        response = client.get(MAPS)
        assert (response.status, response.getheader("Content-Type")) == (503, "text/plain; charset=utf-8")
        assert response.read() == b"upstream connect error"

    def test_gone_as_a_status_of_http(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.gone(), verb="watch")
        response = client.watch()
        assert (response.status, json.loads(response.read())["reason"]) == (410, "Expired")

    def test_gone_as_an_event(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.error_event(410, after_events=1), verb="watch")
        assert list(lines(client.watch())) == [("ADDED", "a"), ("ERROR", "")]

    def test_compaction_makes_everything_handed_out_too_old(self, kube_api: ApiServer, client: Client) -> None:
        first = json.loads(client.get(f"{MAPS}?limit=1").read())["metadata"]
        kube_api.faults.compact()
        assert client.get(f"{MAPS}?limit=1&continue={first['continue']}").status == 410
        version = first["resourceVersion"]
        assert client.get(f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact").status == 410
        assert list(lines(client.watch(f"resourceVersion={version}"))) == [("ERROR", "")]
        assert names(client.get(MAPS)) == ["a", "b", "c"]

    def test_older_servers_refuse_initial_events_or_do_not_know_them(self, kube_api: ApiServer, client: Client) -> None:
        query = f"{SHORT}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        kube_api.faults.add(Fault.refuse_initial_events())
        refused = client.watch(query)
        assert refused.status == 422
        assert "WatchList feature gate" in json.loads(refused.read())["message"]
        kube_api.faults.add(Fault.refuse_initial_events(ignore=True))
        response = client.watch(query)
        bookmarks = [line for line in response.read().splitlines() if b'"BOOKMARK"' in line]
        assert not [line for line in bookmarks if b"initial-events-end" in line]


class TestConnections:
    def test_cut_before_an_answer(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.cut())
        with pytest.raises(http.client.RemoteDisconnected):
            client.get(MAPS)
        assert names(client.get(MAPS)) == ["a", "b", "c"]

    def test_cut_in_the_middle_of_a_list(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.cut(100), verb="list")
        with pytest.raises(http.client.IncompleteRead) as cut:
            client.get(MAPS).read()
        assert len(cut.value.partial) == 100

    def test_cut_in_the_middle_of_an_event(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.cut(30), verb="watch")
        response = client.watch()
        assert response.read1(1000) == b'{"type":"ADDED","object":{"kin'
        with pytest.raises(http.client.IncompleteRead):
            response.read()

    def test_cut_between_two_events(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.cut(after_events=2), verb="watch")
        assert list(lines(client.watch())) == [*ALL[:2], "cut"]

    def test_reset_instead_of_an_orderly_end(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.cut(after_events=1, reset=True), verb="watch")
        response = client.watch()
        with pytest.raises(ConnectionResetError):
            response.read()

    def test_silence_before_an_answer(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.silent(), verb="watch")
        client.ask_to_watch()
        client.expect_silence()
        with pytest.raises(TimeoutError):
            client.connection.getresponse()

    def test_silence_after_an_event_without_bookmarks_and_without_an_end(
        self, kube_api: ApiServer, client: Client
    ) -> None:
        kube_api.faults.add(Fault.silent(after_events=1), verb="watch")
        response = client.watch("allowWatchBookmarks=true&timeoutSeconds=1")
        kube_api.send_bookmarks()
        found = lines(response)
        assert next(found) == ("ADDED", "a")
        client.expect_silence(1.5)
        assert list(found) == ["silence"]

    def test_silence_in_the_middle_of_an_event(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.silent(30), verb="watch")
        response = client.watch()
        assert response.read1(1000) == b'{"type":"ADDED","object":{"kin'
        client.expect_silence()
        with pytest.raises(TimeoutError):
            response.read1(1000)

    def test_bytes_come_in_drips(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.drip(7, pause=0.0001), verb="list")
        assert names(client.get(MAPS)) == ["a", "b", "c"]


class TestLines:
    def test_a_malformed_line_among_others(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.malformed_line(1), verb="watch")
        assert list(lines(client.watch(SHORT))) == [ALL[0], b'{"type":"ADDED","object":{{]\n', *ALL[1:]]

    def test_a_truncated_line_ends_the_watch_in_good_order(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.truncated_line(1), verb="watch")
        first, truncated = lines(client.watch())
        assert first == ALL[0]
        assert isinstance(truncated, bytes)

    def test_an_undecodable_object_in_a_watch_and_in_a_list(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.undecodable(1), times=2)
        events = [json.loads(line) for line in client.watch(SHORT).read().splitlines()]
        assert [one["object"]["metadata"].get("labels") for one in events] == [None, "not a mapping", None]
        items = json.loads(client.get(MAPS).read())["items"]
        assert [one["metadata"].get("labels") for one in items] == [None, "not a mapping", None]

    def test_bookmarks_twice_and_late(self, kube_api: ApiServer, client: Client) -> None:
        query = "allowWatchBookmarks=true&timeoutSeconds=1"
        kube_api.faults.add(Fault.duplicate_bookmarks(), verb="watch")
        assert list(lines(client.watch(query)))[3:] == [("BOOKMARK", "")] * 2


class TestFraming:
    def test_a_list_in_chunks(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.chunked())
        response = client.get(MAPS)
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert names(response) == ["a", "b", "c"]

    def test_a_list_up_to_the_end_of_the_connection(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.close_delimited())
        response = client.get(MAPS)
        assert response.length is None
        assert names(response) == ["a", "b", "c"]

    @pytest.mark.parametrize("fault", [Fault.content_length(events=2), Fault.close_delimited(events=2)])
    def test_a_watch_that_is_not_chunked(self, kube_api: ApiServer, client: Client, fault: Any) -> None:
        kube_api.faults.add(fault, verb="watch")
        response = client.watch()
        assert not response.getheader("Transfer-Encoding")
        assert list(lines(response)) == ALL[:2]

    def test_a_watch_of_gzip_members(self, kube_api: ApiServer, client: Client) -> None:
        kube_api.faults.add(Fault.gzip_members(), verb="watch")
        response = client.watch(SHORT)
        assert response.getheader("Content-Encoding") == "gzip"
        body = response.read()
        first = zlib.decompressobj(wbits=31)
        assert json.loads(first.decompress(body))["object"]["metadata"]["name"] == "a"
        assert first.eof
        assert len(gzip.decompress(body).splitlines()) == 3


class TestNow:
    """What is done to watches that are open."""

    @pytest.fixture
    def response(self, kube_api: ApiServer, client: Client) -> http.client.HTTPResponse:
        response = client.watch()
        assert [parsed(response.readline()) for _ in ALL] == ALL
        return response

    def test_dropped(self, kube_api: ApiServer, response: http.client.HTTPResponse) -> None:
        assert kube_api.faults.drop_watches(kind="Secret") == 0
        assert kube_api.faults.drop_watches() == 1
        assert list(lines(response)) == ["cut"]
        assert kube_api.wait_for_watches(0)

    def test_expired(self, kube_api: ApiServer, response: http.client.HTTPResponse) -> None:
        assert kube_api.faults.expire_watches(kind="configmaps") == 1
        assert list(lines(response)) == [("ERROR", "")]

    def test_silenced(self, kube_api: ApiServer, client: Client, response: http.client.HTTPResponse) -> None:
        assert kube_api.faults.now(Fault.silent()) == 1
        client.expect_silence()
        kube_api.objects.delete("cm", "a")
        assert list(lines(response)) == ["silence"]

    def test_given_a_line_of_the_tests_own(self, kube_api: ApiServer, response: http.client.HTTPResponse) -> None:
        kube_api.faults.now(Fault.line(b"hello\n"))
        kube_api.objects.delete("cm", "a")
        assert [parsed(response.readline()) for _ in range(2)] == [b"hello\n", ("DELETED", "a")]

    def test_what_can_only_be_done_to_the_next_one_is_refused(
        self, kube_api: ApiServer, response: http.client.HTTPResponse
    ) -> None:
        with pytest.raises(TypeError, match="add"):
            kube_api.faults.now(Fault.chunked())
