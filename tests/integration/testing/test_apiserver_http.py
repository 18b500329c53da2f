"""The embedded server on the wire: framing, keep-alive, authorization, TLS, how connections and the server end."""

from __future__ import annotations

import errno
import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from kubewatch.testing import ApiServer
from kubewatch.testing.apiserver.faults import Fault
from kubewatch.testing.apiserver.http import HttpServer
from kubewatch.testing.apiserver.wire import Request, Stream

PATIENCE = 10.0  # seconds: far more than anything here takes
PKI = Path(__file__).parent.parent / "pki"


@contextmanager
def connected(server: ApiServer) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(*address(server), timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.close()


def address(server: ApiServer) -> tuple[str, int]:
    host, port = server.url.partition("://")[2].split(":")
    return host, int(port)


class Watching:
    """A watch of config maps over a connection of its own."""

    def __init__(self, server: ApiServer) -> None:
        self._connection = HTTPConnection(*address(server), timeout=PATIENCE)
        self._connection.request("GET", "/api/v1/configmaps?watch=true")
        self._response = self._connection.getresponse()

    def event(self) -> Any:
        line = self._response.readline()
        return json.loads(line) if line else None

    def cut(self) -> bool:
        """Whether the connection ends in the middle of the stream."""
        try:
            self._response.read()
        except (IncompleteRead, ConnectionError):
            return True
        return False

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def raw(server: ApiServer, text: str) -> bytes:
    """What comes back for these bytes, to the end of the connection, for which they have to ask."""
    with socket.create_connection(address(server), timeout=PATIENCE) as sock:
        sock.sendall(text.replace("\n", "\r\n").encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def config_map(name: str, size: int = 1) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v" * size}}


class TestConnections:
    def test_one_connection_serves_many_requests(self, kube_api: ApiServer) -> None:
        with connected(kube_api) as connection:
            for _ in range(3):
                connection.request("GET", "/version")
                response = connection.getresponse()
                assert json.loads(response.read())["major"] == "1"
                first = connection.sock
                assert first is not None
            assert connection.sock is first

    def test_a_watch_that_has_ended_leaves_its_connection_usable(self, kube_api: ApiServer) -> None:
        with connected(kube_api) as connection:
            connection.request("GET", "/api/v1/configmaps?watch=true&timeoutSeconds=1")
            assert connection.getresponse().read() == b""
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok"

    def test_a_client_may_close_after_one_answer(self, kube_api: ApiServer) -> None:
        answer = raw(kube_api, "GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n")
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer
        assert answer.endswith(b"\r\n\r\nok")

    def test_http_1_0_is_answered_without_chunks(self, kube_api: ApiServer) -> None:
        kube_api.objects.create(config_map("a"))
        answer = raw(kube_api, "GET /api/v1/configmaps?watch=true&timeoutSeconds=1 HTTP/1.0\n\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert json.loads(body)["type"] == "ADDED"

    def test_a_body_may_come_in_chunks(self, kube_api: ApiServer) -> None:
        body = json.dumps(config_map("a")).encode()
        with connected(kube_api) as connection:
            parts = iter([body[:10], body[10:]])
            path = "/api/v1/namespaces/default/configmaps"
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, parts, headers, encode_chunked=True)
            assert connection.getresponse().status == 201

    def test_a_client_that_waits_to_be_asked_is_asked(self, kube_api: ApiServer) -> None:
        body = json.dumps(config_map("a"))
        head = f"Connection: close\nExpect: 100-continue\nContent-Type: application/json\nContent-Length: {len(body)}"
        answer = raw(kube_api, f"POST /api/v1/namespaces/default/configmaps HTTP/1.1\n{head}\n\n{body}")
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created")

    @pytest.mark.parametrize("text", ["nonsense\n\n", "GET / HTTP/2.0\n\n", "GET / HTTP/1.1\nno colon\n\n"])
    def test_what_is_no_http_is_refused(self, kube_api: ApiServer, text: str) -> None:
        assert raw(kube_api, text).startswith(b"HTTP/1.1 400 Bad Request")

    def test_a_client_that_hangs_up_is_noticed_while_nothing_happens(self, kube_api: ApiServer) -> None:
        watching = Watching(kube_api)
        assert kube_api.wait_for_watches(1, kind="configmaps")
        watching.close()
        assert kube_api.wait_for_watches(0)


class TestAnswers:
    def test_a_client_that_hangs_up_before_a_watch_begins_leaves_none_open(self) -> None:
        closed = threading.Event()

        def hung_up_on(request: Request) -> Stream:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()  # with RST: the server cannot send even the head
            return Stream(iter(()), closed.set)

        server = HttpServer(hung_up_on)
        server.start()
        try:
            client = socket.create_connection((server.host, server.port), timeout=PATIENCE)
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert closed.wait(PATIENCE)
        finally:
            server.stop()

    def test_without_descriptors_left_it_waits_for_some_and_says_so_once(
        self, kube_api: ApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        accept, attempts, full = socket.socket.accept, 0, True

        def refused_while_full(listener: socket.socket) -> tuple[socket.socket, Any]:
            nonlocal attempts
            attempts += 1
            if full:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return accept(listener)

        monkeypatch.setattr(socket.socket, "accept", refused_while_full)
        with socket.create_connection(address(kube_api), timeout=1.0) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                client.recv(1)
            tried, full = attempts, False
            client.settimeout(PATIENCE)
            assert client.recv(1024).startswith(b"HTTP/1.1 200")
        assert 1 < tried < 100
        assert caplog.text.count(os.strerror(errno.EMFILE)) == 1

    def test_every_event_is_a_chunk_of_its_own(self, kube_api: ApiServer) -> None:
        for name in "ab":
            kube_api.objects.create(config_map(name))
        answer = raw(
            kube_api, "GET /api/v1/configmaps?watch=true&timeoutSeconds=1 HTTP/1.1\nHost: x\nConnection: close\n\n"
        )
        body = answer.partition(b"\r\n\r\n")[2]
        names = []
        while True:
            size, _, body = body.partition(b"\r\n")
            chunk, body = body[: int(size, 16)], body[int(size, 16) + 2 :]
            if not chunk:
                break
            assert chunk.endswith(b"\n")
            names.append(json.loads(chunk)["object"]["metadata"]["name"])
        assert names == ["a", "b"]

    def test_a_long_list_is_compressed_for_those_who_ask(self, kube_api: ApiServer) -> None:
        kube_api.objects.create(config_map("big", 200_000))
        with connected(kube_api) as connection:
            connection.request("GET", "/api/v1/configmaps", headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            assert response.getheader("Content-Encoding") == "gzip"
            assert json.loads(gzip.decompress(response.read()))["items"]
            connection.request("GET", "/api/v1/configmaps", headers={"Accept-Encoding": "identity"})
            response = connection.getresponse()
            assert response.getheader("Content-Encoding") is None
            assert json.loads(response.read())["items"]

    def test_a_short_one_is_not(self, kube_api: ApiServer) -> None:
        with connected(kube_api) as connection:
            connection.request("GET", "/api/v1/configmaps", headers={"Accept-Encoding": "gzip"})
            assert connection.getresponse().getheader("Content-Encoding") is None

    def test_protobuf_first_and_json_second_gets_json(self, kube_api: ApiServer) -> None:
        with connected(kube_api) as connection:
            accept = "application/vnd.kubernetes.protobuf,application/json"
            connection.request("GET", "/api/v1/namespaces", headers={"Accept": accept})
            response = connection.getresponse()
            assert response.getheader("Content-Type") == "application/json"
            assert json.loads(response.read())["kind"] == "NamespaceList"


class TestRequestLog:
    def test_what_was_asked_is_remembered_without_the_credentials(self) -> None:
        with ApiServer(token="secret") as server, connected(server) as connection:
            headers = {"Authorization": "Bearer secret", "X-Thing": "y"}
            connection.request("GET", "/api/v1/namespaces/default/pods?limit=5", headers=headers)
            connection.getresponse().read()
            (asked,) = server.requests
            assert (asked.method, asked.verb, asked.kind, asked.namespace) == ("GET", "list", "Pod", "default")
            assert asked.query == {"limit": "5"}
            assert asked.headers["x-thing"] == "y"
            assert "secret" not in repr(asked)
            assert server.requests.of(verb="watch") == []


class TestAccess:
    def test_without_the_token_one_is_unauthorized(self) -> None:
        with ApiServer(token="right") as server, connected(server) as connection:
            for token, code in ((None, 401), ("wrong", 401), ("right", 200)):
                headers = {} if token is None else {"Authorization": f"Bearer {token}"}
                connection.request("GET", "/api/v1/pods", headers=headers)
                response = connection.getresponse()
                assert response.status == code
                assert json.loads(response.read())["kind"] == ("PodList" if code == 200 else "Status")
            server.token = "rotated"
            connection.request("GET", "/api/v1/pods", headers={"Authorization": "Bearer right"})
            assert connection.getresponse().status == 401


class TestStop:
    def test_watches_end_each_without_waking_the_others(self) -> None:
        resource = pytest.importorskip("resource")
        server = ApiServer().start()
        watches = [Watching(server) for _ in range(300)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        server.stop()
        woken = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
        for one in watches:
            one.close()
        assert woken < 300 * 30  # and not the square of their number

    def test_it_cuts_a_hundred_watches_and_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        server = ApiServer().start()
        watches = [Watching(server) for _ in range(100)]
        server.stop()
        assert [one for one in threading.enumerate() if one not in before] == []
        for one in watches:
            assert one.cut()
            one.close()

    def test_it_ends_what_has_gone_silent_and_what_drips(self) -> None:
        server = ApiServer().start()
        server.objects.create(config_map("a"))
        server.faults.add(Fault.silent(), verb="list")
        server.faults.add(Fault.drip(1, pause=3600), verb="watch")
        silent = HTTPConnection(*address(server), timeout=PATIENCE)
        silent.request("GET", "/api/v1/configmaps")
        dripping = Watching(server)
        assert server.requests.wait_for(1, verb="list")
        server.stop()
        silent.close()
        dripping.close()

    def test_what_was_stored_can_still_be_read(self) -> None:
        with ApiServer() as server:
            server.objects.create(config_map("a"))
        assert server.objects.get("cm", "a")["data"] == {"k": "v"}

    def test_it_can_be_stopped_twice_and_says_that_it_does_not_run(self) -> None:
        server = ApiServer().start()
        server.stop()
        server.stop()
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.url

    def test_a_program_that_forgot_to_stop_it_still_ends(self) -> None:
        program = "from kubewatch.testing import ApiServer; ApiServer().start()"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0
        assert b"was never stopped" in done.stderr


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # newer Pythons warn of what is tested here
class TestFork:
    def test_a_child_neither_holds_nor_stops_the_server(self) -> None:
        with ApiServer() as server:
            watching = Watching(server)
            readable, writable = os.pipe()
            child = os.fork()
            if child == 0:  # the child: no test framework here
                try:
                    server.stop()
                    os.write(writable, b"stopped")
                finally:
                    os._exit(0)
            assert os.read(readable, 100) == b"stopped"
            os.waitpid(child, 0)
            os.close(readable)
            os.close(writable)
            server.objects.create(config_map("a"))
            assert watching.event()["object"]["metadata"]["name"] == "a"
            watching.close()

    def test_a_child_that_lives_on_does_not_keep_a_stopped_servers_connections_open(self) -> None:
        server = ApiServer().start()
        watching = Watching(server)
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writable)
            os.read(readable, 1)  # until the parent closes its end
            os._exit(0)
        place = address(server)
        server.stop()
        try:
            assert watching.cut()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(place, timeout=PATIENCE)
        finally:
            watching.close()
            os.close(writable)
            os.close(readable)
            os.waitpid(child, 0)


class TestTls:
    def test_it_speaks_tls_and_says_whom_to_trust(self, tmp_path: Path) -> None:
        certificate = str(PKI / "server.pem")
        with ApiServer(tls=(certificate, certificate), ca=str(PKI / "ca.pem"), token="secret") as server:
            configuration = server.configuration()
            context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
            connection = HTTPSConnection(*address(server), context=context, timeout=PATIENCE)
            headers = {"Authorization": "Bearer secret"}
            connection.request("GET", "/api/v1/configmaps?watch=true", headers=headers)
            response = connection.getresponse()
            server.objects.create(config_map("a"))
            assert json.loads(response.readline())["object"]["metadata"]["name"] == "a"
            response.close()
            connection.close()
            assert server.wait_for_watches(0)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_goodbye_is_told_from_the_next_request(self, version: ssl.TLSVersion) -> None:
        certificate = str(PKI / "server.pem")
        context = ssl.create_default_context(cafile=str(PKI / "ca.pem"))
        context.minimum_version = context.maximum_version = version
        with ApiServer(tls=(certificate, certificate)) as server:
            server.faults.add(Fault.drip(10, pause=0.01), verb="list")
            plain = socket.create_connection(address(server), timeout=PATIENCE)
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
                sock.sendall(b"GET /api/v1/configmaps HTTP/1.1\r\n\r\n")
                answers = sock.recv(1)
                sock.sendall(b"GET /api/v1/configmaps?watch=true HTTP/1.1\r\n\r\n")
                while b"chunked" not in answers:
                    more = sock.recv(65536)
                    assert more, answers
                    answers += more
                assert b"ConfigMapList" in answers
                assert server.wait_for_watches(1)
                sock.setblocking(False)
                with suppress(OSError):  # no answer yet
                    sock.unwrap()  # says goodbye, and does not hang up
                assert server.wait_for_watches(0)

    def test_a_client_that_does_not_finish_its_handshake_does_not_hold_up_the_end(self) -> None:
        certificate = str(PKI / "server.pem")
        with ApiServer(tls=(certificate, certificate)) as server:
            idle = socket.create_connection(address(server), timeout=PATIENCE)
        idle.close()


class TestKubeconfig:
    def test_it_leads_here_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        from kubernetes import client, config

        with ApiServer(token="secret") as server:
            path = server.kubeconfig(tmp_path / "config")
            assert os.stat(path).st_mode & 0o777 == 0o600
            configuration = client.Configuration()
            config.load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]  # an untyped package
            with client.ApiClient(configuration) as api:
                names = [one.metadata.name for one in client.CoreV1Api(api).list_namespace().items if one.metadata]
            assert "default" in names
