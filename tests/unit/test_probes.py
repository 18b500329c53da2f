"""The port that probes ask."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import backoff
import pytest

from kubewatch import probes as probes_module
from kubewatch.health import Check, Report
from kubewatch.probes import Answer, Probes

ILL = Report((Check("pods", False, "not ready"),))


def broken(accept: str) -> Answer:
    raise RuntimeError("broken")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    pages = {
        "/healthz": lambda accept: Answer.of(Report()),
        "/readyz": lambda accept: Answer.of(ILL),
        "/accept": lambda accept: Answer.text(200, accept),
        "/broken": broken,
    }
    with Probes(("127.0.0.1", 0), pages) as probes:
        yield probes.port


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_a_report_is_answered_with_its_status_and_its_json(port: int) -> None:
    assert ask(port, "/healthz")[0].status == 200
    response, body = ask(port, "/readyz?verbose")
    assert (response.status, response.headers["Content-Type"], body) == (503, "application/json", ILL.body())


def test_head_is_answered_without_a_body(port: int) -> None:
    response, body = ask(port, "/readyz", "HEAD")
    assert (response.status, body) == (503, b"")


def test_a_page_knows_what_the_client_accepts(port: int) -> None:
    assert ask(port, "/accept", Accept="text/plain")[1] == b"text/plain\n"


def test_another_path_is_told_which_there_are(port: int) -> None:
    response, body = ask(port, "/")
    assert (response.status, body) == (404, b"here are /healthz, /readyz, /accept, /broken\n")


def test_a_page_that_fails_is_logged_and_tells_the_client_no_more_than_that(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    response, body = ask(port, "/broken")
    assert (response.status, body) == (500, b"RuntimeError, see the log\n")
    assert "broken" in caplog.text


def test_the_answer_tells_nothing_of_the_python_behind_it(port: int) -> None:
    assert ask(port, "/healthz")[0].headers["Server"].strip() == "kubewatch"


def test_a_client_that_says_nothing_holds_up_neither_others_nor_the_end() -> None:
    before = set(threading.enumerate())
    with Probes(("127.0.0.1", 0), {"/healthz": lambda accept: Answer.of(Report())}) as probes:
        silent = socket.create_connection(("127.0.0.1", probes.port))
        assert ask(probes.port, "/healthz")[0].status == 200
    assert not set(threading.enumerate()) - before
    silent.close()


@backoff.on_predicate(backoff.constant, interval=0.02, jitter=None, max_time=30)
def wait_until_cut(client: socket.socket, says: bytes) -> bool:
    """Say something again and again, until the other side has enough of it."""
    try:
        client.sendall(says)
    except OSError:
        return True
    return False


def test_a_client_that_takes_its_time_is_cut_off_however_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_module, "PATIENCE", 0.1)
    with (
        Probes(("127.0.0.1", 0), {}) as probes,
        socket.create_connection(("127.0.0.1", probes.port)) as slow,
    ):
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert wait_until_cut(slow, b"x")


def test_however_many_say_nothing_who_asks_is_answered_and_threads_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_module, "MOST", 3)
    with ExitStack() as stack:
        probes = stack.enter_context(Probes(("127.0.0.1", 0), {"/healthz": lambda accept: Answer.of(Report())}))
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", probes.port)))
        assert ask(probes.port, "/healthz")[0].status == 200
        requests = [thread for thread in threading.enumerate() if thread.name == "kubewatch probes request"]
        for cut in requests[: -probes_module.MOST]:
            cut.join(30)
            assert not cut.is_alive()


def test_all_addresses_are_listened_on_by_default() -> None:
    with Probes(("", 0), {"/healthz": lambda accept: Answer.of(Report())}) as probes:
        assert ask(probes.port, "/healthz")[0].status == 200


def test_a_port_in_use_is_refused_before_anything_runs() -> None:
    with Probes(("127.0.0.1", 0), {}) as probes, pytest.raises(OSError, match="in use"):
        Probes(("127.0.0.1", probes.port), {})
