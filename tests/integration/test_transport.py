"""Connections to a server, as bytes: what a session sends, and how it takes everything that a network does."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from kubewatch.api import Api
from kubewatch.client import Client
from kubewatch.errors import ApiError, IdleTimeout, Unreachable
from kubewatch.params import ListParams, WatchParams
from kubewatch.stop import Stop
from kubewatch.transport import Session, WatchBody
from tests.open_files import counts_open_files, open_files

from .peer import CHUNKED, PKI, Peer, answer, chunk, configuration, reset, server_tls, until_gone

LIST = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}}]}'
FORBIDDEN = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "pods is forbidden"}
EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'
IDLE = 20.0  # seconds; longer than any test takes


def session(peer: Peer, stop: Stop | None = None, **settings: Any) -> Session:
    client = Client(configuration(peer.url, **settings))
    return Session(client, lambda: "/api/v1/pods", stop or Stop())


def watch(peer: Peer, stop: Stop | None = None, idle: float = IDLE, **settings: Any) -> WatchBody:
    return session(peer, stop, **settings).watch(WatchParams(resource_version="5"), idle)


def peer_that_sends(*parts: bytes, then: Callable[[socket.socket], None] | None = None, **more: Any) -> Peer:
    """A peer that answers the first request on each connection with `parts`, and then hangs up or does `then`."""

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        for part in parts:
            sock.sendall(part)
        if then is not None:
            then(sock)

    peer = Peer(serve, **more)
    return peer


def headers_of(request: str) -> dict[str, str]:
    lines = request.split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}


# --- requests and connections ----------------------------------------------------------------------------------------


def test_pages_share_a_connection_which_the_watch_takes_over_and_the_next_watch_does_not() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        while head := peer.head(sock):
            if "watch=true" in head:
                sock.sendall(CHUNKED + chunk(EVENT) + b"0\r\n\r\n")
            else:
                sock.sendall(answer(LIST))

    with Peer(serve) as peer:
        mine = session(peer)
        for _ in range(3):
            assert mine.list(ListParams(limit=1)).resource_version == "5"
        assert peer.accepted == 1
        assert b"".join(mine.watch(WatchParams(resource_version="5"), IDLE).blocks()) == EVENT
        assert peer.accepted == 1
        assert b"".join(mine.watch(WatchParams(resource_version="6"), IDLE).blocks()) == EVENT
        assert peer.accepted == 2
        mine.close()


PAGE = LIST.replace(b'"5"', b'"5","continue":"more"')


class Paging:
    """A server of two pages, which does with the request for the second one what a test says."""

    def __init__(self, second: Callable[[socket.socket, int], None]) -> None:
        self._second = second
        self.peer = Peer(self._serve)
        self.asked = threading.Event()  # for the second page

    def _serve(self, sock: socket.socket, number: int) -> None:
        while head := self.peer.head(sock):
            if "continue=more" not in head:
                sock.sendall(answer(PAGE))
                continue
            self.asked.set()
            self._second(sock, number)

    def paths(self) -> list[str]:
        return [head.split()[1].partition("?")[2] for head in self.peer.requests]


def test_the_next_page_is_on_its_way_while_one_is_looked_at() -> None:
    server = Paging(lambda sock, number: sock.sendall(answer(LIST)))
    with server.peer as peer, contextlib.closing(session(peer)) as mine:
        page = mine.list(ListParams(limit=1))
        assert server.asked.wait(5.0)  # and nobody called for it yet
        assert page.continue_ == "more"
        assert mine.list(ListParams(limit=1, continue_="more")).resource_version == "5"
        assert server.paths() == ["limit=1", "limit=1&continue=more"]
        assert peer.accepted == 1


def test_a_page_on_its_way_that_nobody_wants_is_left_and_never_taken_for_another_answer() -> None:
    server = Paging(lambda sock, number: sock.sendall(answer(LIST.replace(b'"5"', b'"6"'))))
    with server.peer as peer, contextlib.closing(session(peer)) as mine:
        mine.list(ListParams(limit=1))
        assert server.asked.wait(5.0)
        assert mine.list(ListParams(limit=2)).resource_version == "5"
        assert server.asked.wait(5.0)
        assert b"".join(mine.watch(WatchParams(), IDLE).blocks()) == PAGE
        assert peer.accepted == 3


@pytest.mark.parametrize("sent", [b"", answer(LIST)[:-10], CHUNKED], ids=["unanswered", "cut", "empty"])
def test_a_page_that_the_server_gave_up_sending_is_asked_for_again(sent: bytes) -> None:
    """Whoever takes a minute for the objects of a page must not lose the list by it."""

    def second(sock: socket.socket, number: int) -> None:
        sock.sendall(sent if number == 0 else answer(LIST))
        if number == 0:
            sock.shutdown(socket.SHUT_RDWR)

    server = Paging(second)
    with server.peer as peer, contextlib.closing(session(peer)) as mine:
        mine.list(ListParams(limit=1))
        assert server.asked.wait(5.0)
        assert mine.list(ListParams(limit=1, continue_="more")).resource_version == "5"
        assert server.paths() == ["limit=1", *["limit=1&continue=more"] * 2]
        assert peer.accepted == 2


def test_a_page_on_its_way_that_is_refused_is_refused_when_it_is_called_for() -> None:
    """State row 8: 410 on a continue token."""
    server = Paging(lambda sock, number: sock.sendall(answer(b'{"kind":"Status","code":410}', "410 Gone")))
    with server.peer as peer, contextlib.closing(session(peer)) as mine:
        mine.list(ListParams(limit=1))
        with pytest.raises(ApiError, match="410"):
            mine.list(ListParams(limit=1, continue_="more"))
        assert mine.list(ListParams(limit=1)).continue_ == "more"
        assert peer.accepted == 2


def test_a_page_that_is_not_used_up_stays_what_it_is_when_others_are_read() -> None:
    """Pages are read over the bytes of one another, but only of those that nobody needs any more."""
    names = [f"{number}" * 8000 for number in range(10)]

    def page(letter: str, continue_: str) -> bytes:
        items = ",".join(f'{{"metadata":{{"name":"{letter}{name}"}}}}' for name in names)
        meta = f'{{"resourceVersion":"5","continue":"{continue_}"}}'
        return f'{{"kind":"PodList","apiVersion":"v1","metadata":{meta},"items":[{items}]}}'.encode()

    def serve(sock: socket.socket, number: int) -> None:
        for letter in "abcd":
            peer.head(sock)
            sock.sendall(answer(page(letter, f"{letter}-more")))
        until_gone(sock)

    def shown(items: Iterable[bytes]) -> list[str]:
        return [json.loads(item)["metadata"]["name"] for item in items]

    with Peer(serve) as peer, contextlib.closing(session(peer)) as mine:
        pages = []
        for token in (None, "a-more", "b-more"):
            pages.append(iter(mine.list(ListParams(continue_=token)).items))
            assert shown([next(pages[-1])]) == ["abc"[len(pages) - 1] + names[0]]
        for letter, rest in zip("abc", pages, strict=True):
            assert shown(rest) == [letter + name for name in names[1:]]
        assert shown(mine.list(ListParams(continue_="c-more")).items) == ["d" + name for name in names]


def test_a_stop_ends_the_wait_for_a_page_on_its_way() -> None:
    stop = Stop()
    server = Paging(lambda sock, number: stop.stop())
    with server.peer as peer, contextlib.closing(session(peer, stop)) as mine:
        mine.list(ListParams(limit=1))
        with pytest.raises(Unreachable):
            mine.list(ListParams(limit=1, continue_="more"))
        assert peer.accepted == 1


def test_a_page_is_asked_for_ahead_with_the_credentials_of_that_time_and_again_with_newer_ones() -> None:
    def second(sock: socket.socket, number: int) -> None:
        sock.sendall(answer(b"{}", "401 Unauthorized") if number == 0 else answer(LIST))

    server = Paging(second)
    with server.peer as peer:
        made = [configuration(peer.url, api_key={"authorization": f"Bearer {token}"}) for token in ("old", "new")]
        client = Client(made[0], loader=lambda: made[1])
        with contextlib.closing(Session(client, lambda: "/api/v1/pods", Stop())) as mine:
            mine.list(ListParams(limit=1))
            assert mine.list(ListParams(limit=1, continue_="more")).resource_version == "5"
        assert [headers_of(head)["authorization"] for head in peer.requests] == ["Bearer old"] * 2 + ["Bearer new"]


def test_a_request_says_who_asks_and_for_what() -> None:
    with peer_that_sends(answer(LIST)) as peer:
        session(peer, api_key={"authorization": "Bearer t0ken", "BearerToken": "Bearer t0ken"}).list(
            ListParams(limit=7)
        )
        head = peer.requests[0]
    assert head.startswith("GET /api/v1/pods?limit=7 HTTP/1.1\r\n")
    headers = headers_of(head)
    assert headers["host"] == peer.url.removeprefix("http://")
    assert headers["user-agent"].startswith("kubewatch/")
    assert headers["accept"] == "application/json"
    assert headers["authorization"] == "Bearer t0ken"


def test_a_path_of_the_server_address_stays_before_all_paths() -> None:
    with peer_that_sends(answer(LIST)) as peer:
        client = Client(configuration(peer.url + "/k8s/clusters/c-1/"))
        client.request("GET", "/version")
        assert peer.requests[0].startswith("GET /k8s/clusters/c-1/version HTTP/1.1")


@pytest.mark.parametrize(("compress", "encoding"), [(None, "identity"), (True, "gzip"), (False, "identity")])
def test_lists_are_asked_for_compressed_where_it_pays_and_watches_never(compress: bool | None, encoding: str) -> None:
    def serve(sock: socket.socket, number: int) -> None:
        while "watch=true" not in (head := peer.head(sock)) and head:
            packed = gzip.compress(LIST)
            sock.sendall(answer(packed, "200 OK", "Content-Encoding: gzip") if "gzip" in head else answer(LIST))
        sock.sendall(CHUNKED + b"0\r\n\r\n")

    with Peer(serve) as peer:
        mine = Session(Client(configuration(peer.url), compress=compress), lambda: "/api/v1/pods", Stop())
        assert len(list(mine.list(ListParams()).items)) == 1
        assert list(mine.watch(WatchParams(resource_version="5"), IDLE).blocks()) == []
        asked = [headers_of(head)["accept-encoding"] for head in peer.requests]
    assert asked == [encoding, "identity"]


def test_a_kept_connection_that_died_is_replaced_for_a_get() -> None:
    served = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(answer(b'{"n": %d}' % number))
        if number == 0:
            # Dies with the second request: the client cannot know before it has sent it.
            peer.head(sock)
            served.set()
            return
        until_gone(sock)

    with Peer(serve) as peer, Client(configuration(peer.url)) as client:
        assert client.request("GET", "/version").body == b'{"n": 0}'
        assert client.request("GET", "/version").body == b'{"n": 1}'
        assert served.wait(5.0)
        assert peer.accepted == 2


def test_what_changes_something_is_not_sent_twice_but_reported() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(answer(b"{}"))
        peer.head(sock)

    with Peer(serve) as peer, Client(configuration(peer.url)) as client:
        client.request("GET", "/version")
        with pytest.raises(Unreachable, match="whether it carried out the POST is not known"):
            client.request("POST", "/api/v1/pods", body=b"{}")
        assert peer.accepted == 1


def test_a_kept_connection_that_the_server_has_closed_is_not_even_tried() -> None:
    closed = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(answer(b"{}"))
        if number == 0:
            sock.shutdown(socket.SHUT_RDWR)
            closed.set()
        else:
            until_gone(sock)

    with Peer(serve) as peer, Client(configuration(peer.url)) as client:
        client.request("GET", "/version")
        assert closed.wait(5.0)
        client.request("POST", "/api/v1/pods", body=b"{}")
        assert peer.accepted == 2


def test_remarks_that_come_before_the_answer_are_skipped() -> None:
    with peer_that_sends(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"{}")) as peer:
        assert Client(configuration(peer.url)).request("GET", "/version").body == b"{}"


def test_an_answer_given_before_the_request_was_read_is_heard() -> None:
    """A server refuses a body that is too long for it without reading it."""

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(answer(b"too long", "413 Payload Too Large"))
        sock.shutdown(socket.SHUT_WR)
        until_gone(sock)

    with Peer(serve) as peer, pytest.raises(ApiError, match="413"):
        Client(configuration(peer.url)).request("POST", "/api/v1/pods", body=b"x" * 20_000_000)


# --- errors ----------------------------------------------------------------------------------------------------------


def test_a_refused_watch_fails_at_its_start_with_the_status_that_the_server_sent() -> None:
    """Row 128: test_watch_error_response_is_surfaced (the body is pretty-printed over many lines)."""
    body = json.dumps(FORBIDDEN, indent=2).encode()
    with peer_that_sends(answer(body, "403 Forbidden")) as peer, pytest.raises(ApiError) as refused:
        watch(peer)
    assert (refused.value.code, refused.value.reason, refused.value.message) == (403, "Forbidden", "pods is forbidden")
    assert refused.value.request == "GET /api/v1/pods"


def test_an_error_that_is_no_status_is_made_one() -> None:
    """Row 129: test_non_json_error_response_is_reconstructed."""
    with (
        peer_that_sends(answer(b"  404 page not found\n", "404 Not Found")) as peer,
        pytest.raises(ApiError) as refused,
    ):
        session(peer).list(ListParams())
    error = refused.value
    assert (error.code, error.message, error.reason) == (404, "404 page not found", "Failed to parse error data")


def test_an_answer_that_is_no_list_says_so_without_quoting_it() -> None:
    with peer_that_sends(answer(b'{"metadata": "s3cret"}')) as peer, pytest.raises(ApiError, match="no list") as failed:
        session(peer).list(ListParams())
    assert "s3cret" not in str(failed.value)


def test_a_redirect_is_an_error_that_names_the_other_address() -> None:
    moved = answer(b"", "302 Found", "Location: https://elsewhere/")
    with peer_that_sends(moved) as peer, pytest.raises(ApiError, match="https://elsewhere/"):
        session(peer).list(ListParams())


def test_a_page_that_breaks_off_is_an_error() -> None:
    with peer_that_sends(answer(LIST)[:-10]) as peer, pytest.raises(Unreachable, match="cut"):
        session(peer).list(ListParams())


def test_a_server_that_hangs_up_without_an_answer_is_an_error_with_its_address() -> None:
    with Peer(lambda sock, number: None) as peer, pytest.raises(Unreachable, match=f"127.0.0.1:{peer.port}"):
        session(peer).list(ListParams())


def test_a_server_that_speaks_something_else_is_an_error() -> None:
    with peer_that_sends(b"220 mail.example.com ESMTP\r\n") as peer, pytest.raises(Unreachable, match="HTTP"):
        session(peer).list(ListParams())


def test_nobody_listening_is_an_error_with_address_and_advice() -> None:
    with Peer(lambda sock, number: None) as peer:
        pass
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{peer.port}: nothing listens there") as failed:
        session(peer).list(ListParams())
    assert failed.value.__cause__ is not None


def test_a_name_that_does_not_resolve_is_an_error_with_advice() -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.invalid:443: its name cannot be resolved"):
        Client(configuration("https://nowhere.invalid")).request("GET", "/version")


def test_a_unary_request_never_waits_for_ever() -> None:
    """Pain 1: requests without a read timeout hang for good when the peer vanishes."""
    with Peer(lambda sock, number: until_gone(sock)) as peer, pytest.raises(IdleTimeout, match=r"silent for 0\.2 s"):
        Client(configuration(peer.url)).request("GET", "/version", timeout=0.2)


# --- the body of a watch ---------------------------------------------------------------------------------------------

FRAMINGS: dict[str, tuple[bytes, Callable[[bytes], bytes], bytes]] = {
    "chunked": (CHUNKED, chunk, b"0\r\n\r\n"),
    "content-length": (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(EVENT)), bytes, b""),
    "close-delimited": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes, b""),
    "http/1.0": (b"HTTP/1.0 200 OK\r\n\r\n", bytes, b""),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_each_event_arrives_when_it_is_sent_however_the_body_is_framed(framing: str) -> None:
    """Pain 18: no events until the end of the body behind some proxies."""
    head, frame, end = FRAMINGS[framing]
    seen = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(head + frame(EVENT))
        assert seen.wait(10.0)  # the second event is sent only after the first was seen
        sock.sendall(frame(EVENT) + end)

    with Peer(serve) as peer:
        blocks = watch(peer).blocks()
        assert next(blocks) == EVENT
        seen.set()
        assert b"".join(blocks) == EVENT


def test_each_event_arrives_when_it_is_sent_as_a_gzip_member_of_its_own() -> None:
    seen = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(gzip.compress(EVENT)))
        assert seen.wait(10.0)
        sock.sendall(chunk(gzip.compress(EVENT)) + b"0\r\n\r\n")

    with Peer(serve) as peer:
        blocks = watch(peer).blocks()
        assert next(blocks) == EVENT
        seen.set()
        assert b"".join(blocks) == EVENT


def test_bytes_are_handed_on_as_they_are_also_when_a_character_is_cut_in_two() -> None:
    """Pain 17: a character split across chunks broke the decoding."""
    text = "grüße €".encode()
    parts = [text[i : i + 1] for i in range(len(text))]
    with peer_that_sends(CHUNKED, *map(chunk, parts), b"0\r\n\r\n") as peer:
        assert b"".join(watch(peer).blocks()) == text


@pytest.mark.parametrize(
    "sent",
    [
        CHUNKED,
        CHUNKED + chunk(EVENT),
        CHUNKED + chunk(EVENT)[:-2],
        CHUNKED + chunk(EVENT)[:-20],
        CHUNKED + chunk(EVENT) + b"1",
        FRAMINGS["content-length"][0] + EVENT,
        FRAMINGS["close-delimited"][0] + EVENT,
    ],
    ids=["no event", "after a chunk", "before its line end", "in a chunk", "in a size", "short", "until close"],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_body_that_breaks_off_ends_quietly_after_what_came(sent: bytes, tls: bool) -> None:
    """Rows 130, 132, 133, 134, 136: an unexpected end, also within TLS without a goodbye, is an end."""
    event_came = EVENT in sent
    with peer_that_sends(sent, tls=server_tls() if tls else None) as peer:
        came = b"".join(watch(peer).blocks())
    assert EVENT.startswith(came)
    assert came == EVENT or not event_came


def test_a_body_that_ends_well_delivers_everything() -> None:
    """Row 135: watch_clean_termination_delivers_every_event."""
    with peer_that_sends(CHUNKED + chunk(EVENT + EVENT) + b"0\r\n\r\n") as peer:
        assert b"".join(watch(peer).blocks()) == EVENT + EVENT


def test_a_reset_connection_is_an_error_with_its_cause() -> None:
    """Row 138: watch_nested_non_eof_io_error_is_read_events."""
    seen = threading.Event()

    def then(sock: socket.socket) -> None:
        assert seen.wait(10.0)
        reset(sock)

    with peer_that_sends(CHUNKED + chunk(EVENT), then=then) as peer:
        blocks = watch(peer).blocks()
        assert next(blocks) == EVENT
        seen.set()
        with pytest.raises(Unreachable) as broken:
            next(blocks)
    assert isinstance(broken.value.__cause__, ConnectionResetError)


def test_a_body_that_cannot_be_read_is_an_error() -> None:
    with peer_that_sends(CHUNKED + b"no size\r\n") as peer, pytest.raises(Unreachable, match="chunk"):
        list(watch(peer).blocks())


def test_silence_longer_than_the_idle_timeout_is_told_apart_from_an_end() -> None:
    """Pain 1: a watch went silent for ever."""
    with peer_that_sends(CHUNKED + chunk(EVENT), then=until_gone) as peer:
        blocks = watch(peer, idle=0.2).blocks()
        assert next(blocks) == EVENT
        with pytest.raises(IdleTimeout, match=r"silent for 0\.2 s"):
            next(blocks)


def test_the_idle_timeout_counts_from_the_last_byte() -> None:
    """Pain 2: a timeout of one recv and one of the whole request were mistaken for each other."""
    ready = threading.Event()

    def then(sock: socket.socket) -> None:
        for byte in chunk(EVENT):
            sock.sendall(bytes([byte]))
            ready.wait(0.03)  # all of it takes longer than the timeout, no single byte does

    assert len(chunk(EVENT)) * 0.03 > 1.5
    with peer_that_sends(CHUNKED, then=then) as peer:
        assert b"".join(watch(peer, idle=1.5).blocks()) == EVENT


def test_the_idle_timeout_of_a_running_watch_can_be_lowered() -> None:
    with peer_that_sends(CHUNKED + chunk(EVENT), then=until_gone) as peer:
        body = watch(peer, idle=IDLE)
        blocks = body.blocks()
        assert next(blocks) == EVENT
        body.idle_timeout = 0.1
        with pytest.raises(IdleTimeout):
            next(blocks)


def test_a_watch_probes_its_peer_and_gives_up_on_one_that_acknowledges_nothing() -> None:
    """Pain 1: no TCP keepalive, so that a vanished peer was never noticed."""
    with peer_that_sends(CHUNKED + chunk(EVENT), then=until_gone) as peer:
        body = watch(peer)
        sock = body._wire._sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_KEEPIDLE"):
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [30, 10, 3]
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        body.close()


# --- stopping --------------------------------------------------------------------------------------------------------


def accept_only(sock: socket.socket, number: int) -> None:
    until_gone(sock)


def head_only(peer: Peer, sock: socket.socket) -> None:
    peer.head(sock)
    until_gone(sock)


PHASES = ["handshake", "tunnel", "headers", "headers over https", "body", "body over https", "body until close"]


@pytest.mark.parametrize("phase", PHASES)
def test_stop_from_another_thread_ends_every_phase(phase: str) -> None:
    """Pain 3: stop() did not stop."""
    reached = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        if phase in ("handshake", "tunnel"):
            sock.recv(1)
        else:
            peer.head(sock)
            if phase.startswith("body"):
                sock.sendall((FRAMINGS["close-delimited"][0] + EVENT) if "close" in phase else CHUNKED + chunk(EVENT))
        if not phase.startswith("body"):
            reached.set()
        until_gone(sock)

    over_https = "https" in phase
    with Peer(serve, tls=server_tls() if over_https else None) as peer:
        settings: dict[str, Any] = {"proxy": peer.url} if phase == "tunnel" else {}
        url = {"handshake": peer.url.replace("http:", "https:"), "tunnel": "https://apiserver.test"}.get(
            phase, peer.url
        )
        stop = Stop()
        client = Client(configuration(url, **settings))
        mine = Session(client, lambda: "/api/v1/pods", stop)
        outcome: list[object] = []

        def read() -> None:
            try:
                for block in mine.watch(WatchParams(resource_version="5"), IDLE).blocks():
                    outcome.append(block)
                    reached.set()
            except Unreachable as error:
                outcome.append(error)

        reader = threading.Thread(target=read, name="reader")
        reader.start()
        assert reached.wait(5.0)
        stop.stop()
        reader.join(3.0)
        assert not reader.is_alive()
    assert stop.stopped
    assert outcome == [EVENT] if phase.startswith("body") else isinstance(outcome[0], Unreachable)


def test_stop_before_the_start_is_not_lost() -> None:
    """Pain 3: a stop() before the stream began was forgotten."""
    stop = Stop()
    stop.stop()
    with Peer(accept_only) as peer, pytest.raises(Unreachable):
        watch(peer, stop)


def test_stop_between_list_and_watch_is_not_lost() -> None:
    """Pain 3: a stop() between two requests was forgotten."""
    with peer_that_sends(answer(LIST), then=until_gone) as peer:
        stop = Stop()
        mine = session(peer, stop)
        mine.list(ListParams())
        stop.stop()
        with pytest.raises(Unreachable):
            mine.watch(WatchParams(resource_version="5"), IDLE)


def test_a_deadline_ends_a_silent_body_quietly() -> None:
    stop = Stop()
    with peer_that_sends(CHUNKED + chunk(EVENT), then=until_gone) as peer:
        blocks = watch(peer, stop).blocks()
        assert next(blocks) == EVENT
        stop.until(0.1)
        assert list(blocks) == []


@pytest.mark.parametrize("phase", ["headers", "body"])
def test_a_followed_event_ends_the_wait_for_headers_and_for_the_body(phase: str) -> None:
    stop, event = Stop(), threading.Event()
    stop.follow(event)
    reached = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        if phase == "body":
            sock.sendall(CHUNKED + chunk(EVENT))
        reached.set()
        until_gone(sock)

    ended = threading.Event()

    def read() -> None:
        with contextlib.suppress(Unreachable):
            list(watch(peer, stop).blocks())
        ended.set()

    with Peer(serve) as peer:
        reader = threading.Thread(target=read, name="reader")
        reader.start()
        assert reached.wait(5.0)
        event.set()
        assert ended.wait(3.0)
        reader.join(3.0)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that does not answer before the test is over; the event says that it was asked."""
    asked, over, resolve = threading.Event(), threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **also: Any) -> Any:
        if host == "silent.test":
            asked.set()
            over.wait(10.0)
        return resolve("127.0.0.1", *more, **also)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


def by_call(stop: Stop) -> Callable[[], None]:
    return stop.stop


def by_event(stop: Stop) -> Callable[[], None]:
    event = threading.Event()
    stop.follow(event)
    return event.set


def by_deadline(stop: Stop) -> Callable[[], None]:
    return lambda: stop.until(0.0)


@pytest.mark.parametrize("way", [by_call, by_event, by_deadline])
@pytest.mark.parametrize("phase", ["name", "handshake", "tunnel", "credentials", "discovery"])
def test_whatever_comes_before_the_first_request_can_be_stopped(
    phase: str, way: Callable[[Stop], Callable[[], None]], name_server: threading.Event
) -> None:
    """Pain 3: stop() did not stop. Nor did until() and take_until() while a connection was made."""
    reached = name_server if phase == "name" else threading.Event()
    over = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        reached.set()
        until_gone(sock)

    def log_in() -> Any:
        reached.set()
        over.wait(10.0)
        return configuration(peer.url)

    with Peer(serve) as peer:
        client = {
            "name": lambda: Client(configuration("https://silent.test")),
            "handshake": lambda: Client(configuration(peer.url.replace("http:", "https:"))),
            "tunnel": lambda: Client(configuration("https://apiserver.test", proxy=peer.url)),
            "credentials": lambda: Client(loader=log_in),
            "discovery": lambda: Client(configuration(peer.url)),
        }[phase]()
        stop = Stop()
        end = way(stop)
        pods = Api("pods", client=client) if phase == "discovery" else Api("v1", "Pod", client=client)
        reader, outcome = begun(lambda: pods.open(stop).list(ListParams()))
        assert reached.wait(5.0)
        end()
        reader.join(3.0)
        assert not reader.is_alive()
        assert stop.stopped
        assert isinstance(outcome[0], Unreachable)
        over.set()


def begun(work: Callable[[], object]) -> tuple[threading.Thread, list[Unreachable]]:
    """A thread that is at work, and the error by which it ends, once it has."""
    outcome: list[Unreachable] = []

    def read() -> None:
        try:
            work()
        except Unreachable as error:
            outcome.append(error)

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    return reader, outcome


def test_ctrl_c_ends_a_request_that_waits_for_a_name(name_server: threading.Event) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        name_server.wait(5.0)
        signal.pthread_kill(main, signal.SIGINT)

    other = threading.Thread(target=interrupt, name="interrupt")
    other.start()
    with pytest.raises(KeyboardInterrupt):
        Client(configuration("https://silent.test")).request("GET", "/version")
    other.join(5.0)


def test_connecting_takes_a_limited_time_in_all(name_server: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubewatch.dialer.CONNECT_LIMIT", 0.1)
    with pytest.raises(Unreachable, match=r"cannot connect to silent.test:443: no answer in time; check"):
        Client(configuration("https://silent.test")).request("GET", "/version")


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n"] + [b"X"] * 1000,
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"] + [b" "] * 1000,
        [b"HTTP/1.1 503 Overloaded\r\nContent-Length: 1000\r\n\r\n"] + [b" "] * 1000,
        [CHUNKED] + [b"0"] * 1000,
    ],
    ids=["head", "remarks", "body", "error", "chunk size"],
)
def test_an_answer_that_drips_is_not_waited_for_for_ever(parts: list[bytes]) -> None:
    """Pain 2: a timeout for each read is no timeout for an answer."""
    gone = threading.Event()
    refuses = b"503" in parts[0]
    timeout = 0.5 if refuses else 0.1  # of a refusal, the head must have come by then

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        for part in parts:
            sock.sendall(part)
            if gone.wait(0.02):
                return

    with Peer(serve) as peer:
        outcome: list[object] = []

        def ask() -> None:
            try:
                Client(configuration(peer.url)).request("GET", "/version", timeout=timeout)
            except (Unreachable, ApiError) as error:
                outcome.append(error)

        asker = threading.Thread(target=ask, name="asker")
        asker.start()
        asker.join(10.0)  # half of what all of it takes
        gone.set()
        assert not asker.is_alive()
        assert isinstance(outcome[0], ApiError if refuses else IdleTimeout)


def test_a_watch_of_which_no_byte_of_the_body_comes_is_silent() -> None:
    gone = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(CHUNKED)
        while not gone.wait(0.02):
            sock.sendall(b"0")  # of the size of a chunk that never comes

    with Peer(serve) as peer:
        blocks = watch(peer, idle=0.2).blocks()
        with pytest.raises(IdleTimeout):
            next(blocks)
        gone.set()


@pytest.mark.parametrize("way", [by_call, by_event, by_deadline])
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", answer(b" " * 1000)[:-1000]], ids=["head", "body"])
def test_a_list_that_drips_can_be_stopped(head: bytes, way: Callable[[Stop], Callable[[], None]]) -> None:
    """Pain 3: stop() did not stop."""
    gone, reached, stop = threading.Event(), threading.Event(), Stop()
    end = way(stop)

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(head)
        reached.set()
        while not gone.wait(0.02):
            sock.sendall(b" ")

    with Peer(serve) as peer:
        reader, outcome = begun(lambda: session(peer, stop).list(ListParams()))
        assert reached.wait(5.0)
        end()
        reader.join(5.0)
        ended = not reader.is_alive()
        gone.set()
        reader.join(5.0)
    assert ended
    assert isinstance(outcome[0], Unreachable)


def drip_a_record(sock: socket.socket, gone: threading.Event) -> None:
    """Answer the request over TLS with an event, and begin another, in a record of which a byte comes at a time."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server_tls().wrap_bio(incoming, outgoing, server_side=True)
    for step in (tls.do_handshake, lambda: tls.read(65536)):
        while True:
            try:
                step()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
    tls.write(CHUNKED + chunk(EVENT))
    sock.sendall(outgoing.read())
    tls.write(chunk(b"x" * 16_000))
    for byte in outgoing.read():
        sock.sendall(bytes([byte]))
        if gone.wait(0.02):
            return


@pytest.mark.parametrize("way", [None, by_event, by_deadline])
def test_a_record_of_tls_that_drips_is_silence_and_can_be_stopped(
    way: Callable[[Stop], Callable[[], None]] | None,
) -> None:
    """Pain 2: a timeout for each read is no timeout for what is waited for."""
    gone, stop = threading.Event(), Stop()
    with Peer(lambda sock, number: drip_a_record(sock, gone)) as peer:
        blocks = watch(server_at(peer.url.replace("http:", "https:")), stop, IDLE if way else 0.3).blocks()
        assert next(blocks) == EVENT
        outcome: list[object] = []

        def read() -> None:
            try:
                outcome.extend(blocks)
            except IdleTimeout as error:
                outcome.append(type(error))

        end = way(stop) if way else None
        reader = threading.Thread(target=read, name="reader")
        reader.start()
        if end:
            end()
        reader.join(5.0)  # a hundredth of what the record takes
        ended = not reader.is_alive()
        gone.set()
        reader.join(5.0)
    assert ended
    assert outcome == ([] if way else [IdleTimeout])


def test_an_answer_whose_compressed_data_is_not_complete_is_an_error() -> None:
    cut = answer(gzip.compress(b"{}" * 100)[:-9], "200 OK", "Content-Encoding: gzip")
    with peer_that_sends(cut) as peer, pytest.raises(Unreachable, match="middle of compressed data"):
        Client(configuration(peer.url)).request("GET", "/version")


def test_an_error_does_not_cost_the_connection() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        while peer.head(sock):
            sock.sendall(answer(json.dumps(FORBIDDEN).encode(), "403 Forbidden"))

    with Peer(serve) as peer, Client(configuration(peer.url)) as client:
        for _ in range(3):
            with pytest.raises(ApiError, match="pods is forbidden"):
                client.request("GET", "/api/v1/pods")
        assert peer.accepted == 1


def test_a_file_that_holds_no_certificate_is_an_error_that_says_so() -> None:
    said = r"holds no certificate.*check certificate-authority"
    with Peer(accept_only, tls=server_tls()) as peer, pytest.raises(Unreachable, match=said):
        Client(configuration(peer.url, ssl_ca_cert=__file__)).request("GET", "/version")


def test_ctrl_c_ends_a_silent_watch_at_once_and_closes_its_connection() -> None:
    gone = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def then(sock: socket.socket) -> None:
        signal.pthread_kill(main, signal.SIGINT)
        until_gone(sock)
        gone.set()

    with peer_that_sends(CHUNKED + chunk(EVENT), then=then) as peer:
        with pytest.raises(KeyboardInterrupt):
            list(watch(peer).blocks())
        assert gone.wait(5.0)


@counts_open_files
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_two_hundred_watches_leave_no_socket_and_no_thread(tls: bool) -> None:
    """Pain 14: memory, threads and sockets grew with every watch."""

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(CHUNKED + chunk(EVENT))
        until_gone(sock)

    with Peer(serve, tls=server_tls() if tls else None) as peer:
        client = Client(configuration(peer.url))

        def cycle(number: int) -> None:
            stop = Stop()
            body = Session(client, lambda: "/api/v1/pods", stop).watch(WatchParams(resource_version="5"), IDLE)
            blocks = body.blocks()
            assert next(blocks) == EVENT
            if number % 4 == 0:
                stop.stop()
                assert list(blocks) == []
            elif number % 4 == 1:
                body.close()
            elif number % 4 == 2:
                blocks.close()  # type: ignore[attr-defined]  # a generator is an iterator that can be closed
            # else dropped without a word, and collected

        cycle(0)
        settle(peer, 1)
        gc.collect()  # what earlier tests left
        files, threads = open_files(), set(threading.enumerate())
        for number in range(200):
            cycle(number)
        gc.collect()
        settle(peer, 201)
        assert open_files() - files == set()  # and less is fine: something that earlier tests left
        assert set(threading.enumerate()) <= threads


def settle(peer: Peer, connections: int) -> None:
    """Wait until the peer's own threads and sockets are gone as well."""
    end = time.monotonic() + 10.0
    while len(peer._threads) < connections + 1 and time.monotonic() < end:
        threading.Event().wait(0.01)
    for thread in peer._threads[1:]:
        thread.join(10.0)
    for sock in peer._sockets:
        sock.close()


def test_many_watches_at_once_do_not_share_a_pool_that_is_too_small(caplog: pytest.LogCaptureFixture) -> None:
    """Pain 23: "Connection pool is full, discarding connection"."""
    with peer_that_sends(CHUNKED + chunk(EVENT), then=until_gone) as peer:
        client = Client(configuration(peer.url, connection_pool_maxsize=1))
        bodies = [
            Session(client, lambda: "/api/v1/pods", Stop()).watch(WatchParams(resource_version="5"), IDLE)
            for _ in range(14)
        ]
        assert [next(body.blocks()) for body in bodies] == [EVENT] * 14
        assert peer.accepted == 14
        for body in bodies:
            body.close()
    assert "pool" not in caplog.text


# --- TLS and proxies -------------------------------------------------------------------------------------------------


def test_a_trusted_certificate_is_accepted_and_an_unknown_one_is_an_error_with_advice() -> None:
    with peer_that_sends(answer(b"{}"), tls=server_tls()) as peer:
        assert Client(configuration(peer.url)).request("GET", "/version").status == 200
        with pytest.raises(Unreachable, match=r"not trusted.*certificate-authority"):
            Client(configuration(peer.url, ssl_ca_cert=None)).request("GET", "/version")


def test_a_certificate_for_another_name_is_an_error_unless_that_name_is_the_one_to_expect() -> None:
    with peer_that_sends(answer(b"{}"), tls=server_tls()) as peer:
        with pytest.raises(Unreachable, match="not trusted"):
            Client(configuration(peer.url, tls_server_name="other.test")).request("GET", "/version")
        client = Client(configuration(peer.url, tls_server_name="apiserver.test"))
        assert client.request("GET", "/version").status == 200


def test_certificates_are_not_looked_at_where_the_configuration_says_so() -> None:
    with peer_that_sends(answer(b"{}"), tls=server_tls()) as peer:
        assert Client(configuration(peer.url, ssl_ca_cert=None, verify_ssl=False)).request("GET", "/x").status == 200


def test_a_client_certificate_is_shown() -> None:
    with peer_that_sends(answer(b"{}"), tls=server_tls(client_certificates=True)) as peer:
        client = Client(configuration(peer.url, cert_file=str(PKI / "client.pem"), key_file=str(PKI / "client.pem")))
        assert client.request("GET", "/version").status == 200
        with pytest.raises(Unreachable):
            Client(configuration(peer.url)).request("GET", "/version")


def test_a_certificate_file_that_is_gone_is_an_error_that_says_so() -> None:
    with Peer(accept_only, tls=server_tls()) as peer, pytest.raises(Unreachable, match="certificate file"):
        Client(configuration(peer.url, cert_file="/nonexistent.pem", key_file="/nonexistent.pem")).request("GET", "/x")


def test_tls_to_a_server_without_it_is_an_error_with_advice() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Peer(serve) as peer, pytest.raises(Unreachable, match="TLS"):
        Client(configuration(peer.url.replace("http:", "https:"))).request("GET", "/version")


def test_a_plain_server_is_reached_through_a_proxy_by_its_whole_address() -> None:
    with peer_that_sends(answer(b"{}")) as proxy:
        headers = {"Proxy-Authorization": "Basic x"}
        client = Client(configuration("http://apiserver.test:8080", proxy=proxy.url, proxy_headers=headers))
        client.request("GET", "/version")
        head = proxy.requests[0]
    assert head.startswith("GET http://apiserver.test:8080/version HTTP/1.1\r\n")
    assert headers_of(head)["proxy-authorization"] == "Basic x"
    assert headers_of(head)["host"] == "apiserver.test:8080"


def tunnel_to(server: Peer, proxy_status: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", **more: Any) -> Peer:
    """A proxy that answers CONNECT, and then passes bytes between its client and `server`."""

    def serve(sock: socket.socket, number: int) -> None:
        proxy.head(sock)
        sock.sendall(proxy_status)
        if b" 200 " not in proxy_status:
            return
        with socket.create_connection(("127.0.0.1", server.port)) as out:
            back = threading.Thread(target=pump, args=(out, sock), name="pump", daemon=True)
            back.start()
            pump(sock, out)
            back.join(5.0)

    proxy = Peer(serve, **more)
    return proxy


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_tls_server_is_reached_through_a_tunnel_which_alone_sees_the_proxy_headers() -> None:
    with peer_that_sends(CHUNKED + chunk(EVENT) + b"0\r\n\r\n", tls=server_tls()) as server, tunnel_to(server) as proxy:
        headers = {"Proxy-Authorization": "Basic x"}
        body = watch(server_at("https://apiserver.test"), proxy=proxy.url, proxy_headers=headers)
        assert b"".join(body.blocks()) == EVENT
        assert proxy.requests[0].startswith("CONNECT apiserver.test:443 HTTP/1.")
        assert headers_of(proxy.requests[0])["proxy-authorization"] == "Basic x"
        assert server.requests[0].startswith("GET /api/v1/pods?watch=true")
        assert "proxy-authorization" not in headers_of(server.requests[0])


def test_a_tls_server_is_reached_through_a_tunnel_within_tls() -> None:
    seen = threading.Event()

    def then(sock: socket.socket) -> None:
        seen.set()
        until_gone(sock)

    with (
        peer_that_sends(CHUNKED + chunk(EVENT), then=then, tls=server_tls()) as server,
        tunnel_to(server, tls=server_tls()) as proxy,
    ):
        stop = Stop()
        blocks = watch(server_at("https://apiserver.test"), stop, proxy=proxy.url).blocks()
        assert next(blocks) == EVENT
        assert seen.wait(5.0)
        stopper = threading.Timer(0.05, stop.stop)
        stopper.start()
        assert list(blocks) == []
        stopper.join()


def server_at(url: str) -> Any:
    class Somewhere:
        def __init__(self) -> None:
            self.url = url

    return Somewhere()


def test_a_proxy_that_refuses_is_an_error_that_names_it() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    with Peer(accept_only) as server, tunnel_to(server, refusal) as proxy:
        client = Client(configuration("https://apiserver.test", proxy=f"http://user:s3cret@127.0.0.1:{proxy.port}"))
        with pytest.raises(Unreachable, match=rf"proxy 127\.0\.0\.1:{proxy.port} refused.*407") as failed:
            client.request("GET", "/version")
    assert "s3cret" not in str(failed.value)


def test_no_proxy_is_used_for_hosts_that_the_configuration_excepts() -> None:
    with peer_that_sends(answer(b"{}")) as server, Peer(accept_only) as proxy:
        client = Client(configuration(server.url, proxy=proxy.url, no_proxy="127.0.0.1"))
        assert client.request("GET", "/version").status == 200
        assert proxy.accepted == 0
