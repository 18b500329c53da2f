"""Credentials against a server that refuses them: rotation, plugins, forks, and what of it all is seen from outside."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewatch import kubeconfig
from kubewatch.api import Api
from kubewatch.client import Client
from kubewatch.errors import AuthError, Unreachable
from kubewatch.params import WatchParams
from kubewatch.stop import Stop
from kubewatch.transport import Session

from .peer import CA, CHUNKED, PKI, Peer, answer, chunk, configuration, server_tls, until_gone

UNAUTHORIZED = answer(
    b'{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}', "401 Unauthorized"
)
PLUGIN_VERSION = "client.authentication.k8s.io/v1"


class Guarded(Peer):
    """A server that answers those who carry its `token`; watches get one event."""

    def __init__(self, token: str = "first", **more: Any) -> None:
        super().__init__(self._answer, **more)
        self.token = token
        self.served = 0

    def _answer(self, sock: socket.socket, number: int) -> None:
        while head := self.head(sock):
            if f"\r\nauthorization: bearer {self.token}\r\n" not in head.lower():
                sock.sendall(UNAUTHORIZED)
                continue
            self.served += 1
            if "watch=true" in head:
                sock.sendall(CHUNKED + chunk(b"{}\n"))
                until_gone(sock)
            else:
                sock.sendall(answer(b"{}"))

    def tokens(self) -> list[str]:
        """What each request carried, in order."""
        lines = [line for head in self.requests for line in head.lower().split("\r\n")]
        return [line.removeprefix("authorization: ") for line in lines if line.startswith("authorization: ")]


@pytest.fixture
def server() -> Iterator[Guarded]:
    with Guarded() as peer:
        yield peer


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a kubeconfig for a server and a user, and makes it the one of the environment."""

    def write(url: str, user: dict[str, Any], **cluster: Any) -> Path:
        path = tmp_path / "config"
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "main",
            "contexts": [
                {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
                {"name": "other", "context": {"cluster": "c", "user": "u"}},
            ],
            "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(yaml.safe_dump(text))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def plugin_printing(tmp_path: Path, status: str) -> dict[str, Any]:
    """An exec plugin that prints the status in the file `status`, and writes a line to `runs` each time."""
    (tmp_path / "status").write_text(status)
    text = f"""
echo run >> {tmp_path}/runs
printf '{{"apiVersion": "{PLUGIN_VERSION}", "kind": "ExecCredential", "status": %s}}' "$(cat {tmp_path}/status)"
"""
    return {"exec": {"apiVersion": PLUGIN_VERSION, "command": script(tmp_path / "plugin", text)}}


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines())


# --- finding a cluster -----------------------------------------------------------------------------------------------


def test_the_kubeconfig_of_the_environment_is_found_with_its_namespace(
    server: Guarded, config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config(server.url, {"token": "first"})
    with Client() as client:
        assert client.namespace == "shop"
        assert client.request("GET", "/version").status == 200
        assert repr(client) == f"Client({server.url})"
    assert capsys.readouterr() == ("", "")


def test_another_context_can_be_chosen(server: Guarded, config: Callable[..., Path]) -> None:
    path = config(server.url, {"token": "first"})
    assert Client.from_kubeconfig(str(path), "other").namespace == "default"
    with pytest.raises(AuthError, match=r"has no context 'nowhere'; it has .*other"):
        Client.from_kubeconfig(str(path), "nowhere").request("GET", "/version")


def test_a_client_stays_with_its_context_when_another_becomes_the_current_one(
    server: Guarded, config: Callable[..., Path]
) -> None:
    """Else a watch would go on in another cluster when its token is renewed."""
    path = config(server.url, {"token": "first"})
    text = yaml.safe_load(path.read_text())
    text["contexts"][1]["context"] |= {"cluster": "another", "namespace": "elsewhere"}
    text["clusters"].append({"name": "another", "cluster": {"server": "http://another.test"}})
    with Client() as client:
        assert client.request("GET", "/version").status == 200
        server.token = "second"
        text["users"][0]["user"]["token"] = "second"
        path.write_text(yaml.safe_dump(text | {"current-context": "other"}))
        assert client.request("GET", "/version").status == 200
        assert client.namespace == "shop"
    assert Client().namespace == "elsewhere"


def test_the_namespace_is_known_without_running_a_plugin(config: Callable[..., Path], tmp_path: Path) -> None:
    """So that building a chain on the namespace of the context makes no request."""
    config("http://server", plugin_printing(tmp_path, "{}"))
    assert Api.default_namespaced("v1", "Pod", client=Client()).namespace == "shop"
    assert not (tmp_path / "runs").exists()


def test_several_files_are_one_kubeconfig(
    server: Guarded, config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(server.url, {"token": "wrong"})
    first = tmp_path / "first"
    users = [{"name": "u", "user": {"token": "first"}}]
    first.write_text(yaml.safe_dump({"current-context": "main", "users": users}))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path}/missing:{path}")
    with Client() as client:
        assert client.request("GET", "/version").status == 200


@pytest.mark.parametrize("text", ["", "a: [", "current-context: x", "- 5"])
def test_a_broken_kubeconfig_is_an_error_that_names_the_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(AuthError, match=f"{path} cannot be loaded"):
        Client().request("GET", "/version")


def test_a_context_of_a_user_who_is_not_there_is_an_error_and_no_anonymous_request_is_made(
    server: Guarded, config: Callable[..., Path]
) -> None:
    path = config(server.url, {"token": "first"})
    path.write_text(path.read_text().replace("name: u\n", "name: somebody\n"))
    with pytest.raises(AuthError, match=f"{path} is for the user 'u', who is not in it"):
        Client().request("GET", "/version")
    assert server.accepted == 0


def test_a_cluster_without_a_server_is_an_error_and_not_this_machine(config: Callable[..., Path]) -> None:
    path = config("", {"token": "first"})
    with pytest.raises(AuthError, match=f"{path} has no server"):
        Client().request("GET", "/version")


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """The server of the pod that this process is made to believe it runs in; its service account is in `tmp_path`."""
    with Guarded(tls=server_tls()) as server:
        monkeypatch.setenv("KUBECONFIG", "")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
        (tmp_path / "token").write_text("first\n")
        (tmp_path / "ca.crt").write_text(Path(CA).read_text())
        (tmp_path / "namespace").write_text("of-the-pod\n")
        yield server


def test_a_pod_uses_its_service_account_also_after_the_token_was_rotated(pod: Guarded, tmp_path: Path) -> None:
    """Pain 19: for up to a minute after a rotation every request was refused."""
    with Client() as client:
        assert client.namespace == "of-the-pod"
        assert client.request("GET", "/version").status == 200
        (tmp_path / "token").write_text("second\n")
        pod.token = "second"
        assert client.request("GET", "/version").status == 200
        assert pod.tokens() == ["bearer first", "bearer first", "bearer second"]


def test_a_pod_without_a_service_account_is_an_error(pod: Guarded, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    with pytest.raises(AuthError, match="service account cannot be loaded"):
        Client().request("GET", "/version")


# --- rotation --------------------------------------------------------------------------------------------------------


def test_a_token_file_that_was_replaced_is_read_again(
    server: Guarded, config: Callable[..., Path], tmp_path: Path
) -> None:
    """Pain 19: a tokenFile was never read again."""
    file = tmp_path / "token"
    file.write_text("first\n")
    config(server.url, {"tokenFile": str(file)})
    with Client() as client:
        client.request("GET", "/version")
        file.write_text("second\n")
        server.token = "second"
        assert client.request("GET", "/version").status == 200


def test_a_watch_that_is_refused_for_an_old_token_starts_with_the_new_one(
    server: Guarded, config: Callable[..., Path]
) -> None:
    """Pain 19: a watch that outlived its token got 401 for ever."""
    config(server.url, {"token": "first"})
    session = Session(Client(), lambda: "/api/v1/pods", Stop())
    assert next(session.watch(WatchParams(resource_version="5"), 5.0).blocks()) == b"{}\n"
    config(server.url, {"token": "second"})
    server.token = "second"
    assert next(session.watch(WatchParams(resource_version="5"), 5.0).blocks()) == b"{}\n"
    session.close()


def test_ten_threads_after_a_rotation_all_succeed(server: Guarded, config: Callable[..., Path]) -> None:
    """Pain 19: and one of them loads, for all."""
    config(server.url, {"token": "first"})
    with Client() as client:
        client.request("GET", "/version")
        config(server.url, {"token": "second"})
        server.token = "second"
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(client.request("GET", "/version").status), name=f"get-{i}")
            for i in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
        assert statuses == [200] * 10


def test_credentials_that_stay_refused_are_an_error_after_one_more_try(
    server: Guarded, config: Callable[..., Path]
) -> None:
    """Pain 19: no crash loop, no hot loop."""
    config(server.url, {"token": "wrong"})
    with Client() as client:
        with pytest.raises(AuthError, match=r"GET /version: 401.*Loading the credentials again did not help"):
            client.request("GET", "/version")
        assert len(server.requests) == 2
        with pytest.raises(AuthError):
            client.request("GET", "/version")
        assert len(server.requests) == 3


def test_a_given_configuration_cannot_be_loaded_again_and_says_what_would_help(server: Guarded) -> None:
    client = Client(configuration(server.url, api_key={"authorization": "Bearer old"}))
    with pytest.raises(AuthError, match="loader"):
        client.request("GET", "/version")
    assert len(server.requests) == 1


def test_a_loader_is_called_when_a_given_configuration_is_refused(server: Guarded) -> None:
    old = configuration(server.url, api_key={"authorization": "Bearer old"})
    calls: list[int] = []

    def loader() -> Any:
        calls.append(1)
        return configuration(server.url, api_key={"authorization": "Bearer first"})

    with Client(old, loader=loader) as client:
        assert client.request("GET", "/version").status == 200
        assert client.request("GET", "/version").status == 200
    assert calls == [1]
    assert server.tokens() == ["bearer old", "bearer first", "bearer first"]


def test_an_api_client_gives_its_settings_and_headers_and_is_not_sent_through(server: Guarded) -> None:
    """Pain 22: exec and attach swap a method of the ApiClient while they run, which broke the watches of others."""
    from kubernetes.client import ApiClient

    def swapped(*_: Any, **__: Any) -> Any:
        raise AssertionError("sent through the user's ApiClient")

    api_client: Any = ApiClient(configuration(server.url, api_key={"authorization": "Bearer first"}))
    api_client.set_default_header("Impersonate-User", "jane")
    api_client.set_default_header("Accept", "text/html")
    api_client.call_api = api_client.request = api_client.rest_client.request = swapped
    with Client(api_client) as client:
        client.request("GET", "/version")
    assert "\r\nImpersonate-User: jane\r\n" in server.requests[0]
    assert "\r\naccept: application/json\r\n" in server.requests[0]
    assert "text/html" not in server.requests[0]


# --- plugins ---------------------------------------------------------------------------------------------------------


def test_a_plugin_runs_once_for_all_threads_and_requests(
    server: Guarded, config: Callable[..., Path], tmp_path: Path
) -> None:
    """Pain 20: once for each thread, and for each request where its tokens live for less than 5 minutes."""
    status = '{"token": "first", "expirationTimestamp": "%s"}'
    expires = (datetime.now(timezone.utc) + timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    config(server.url, plugin_printing(tmp_path, status % expires))
    with Client() as client:
        threads = [
            threading.Thread(target=lambda: client.request("GET", "/version"), name=f"get-{i}") for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
        for _ in range(3):
            client.request("GET", "/version")
    assert server.served == 11
    assert runs(tmp_path) == 1


def test_a_refused_token_of_a_plugin_runs_it_again(
    server: Guarded, config: Callable[..., Path], tmp_path: Path
) -> None:
    """Pain 20: a plugin that names no expiry was never run again."""
    config(server.url, plugin_printing(tmp_path, '{"token": "first"}'))
    with Client() as client:
        client.request("GET", "/version")
        (tmp_path / "status").write_text('{"token": "second"}')
        server.token = "second"
        assert client.request("GET", "/version").status == 200
    assert runs(tmp_path) == 2


def test_a_plugin_that_fails_is_an_error_and_no_anonymous_request_is_made(
    server: Guarded,
    config: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Pain 20: the failure was only logged, and the request went out without credentials."""
    failing = script(tmp_path / "plugin", "echo s3cret; echo 'the session has expired, run: sso login' >&2; exit 1")
    config(server.url, {"exec": {"apiVersion": PLUGIN_VERSION, "command": failing}})
    with pytest.raises(AuthError, match="the session has expired, run: sso login") as failed:
        Client().request("GET", "/version")
    assert server.requests == []
    assert "s3cret" not in str(failed.value) + caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_client_certificate_from_a_plugin_is_shown_and_a_renewed_one_too(
    config: Callable[..., Path], tmp_path: Path
) -> None:
    """Pain 20: a certificate renewed by a plugin never reached the connections."""
    pem = (PKI / "client.pem").read_text()
    status = json.dumps({"clientCertificateData": pem, "clientKeyData": pem, "token": "first"})
    with Guarded(tls=server_tls(client_certificates=True)) as server:
        config(server.url, plugin_printing(tmp_path, status), **{"certificate-authority": CA})
        with Client() as client:
            assert client.request("GET", "/version").status == 200


def test_certificates_whose_temporary_files_were_cleaned_away_are_written_again(
    config: Callable[..., Path], tmp_path: Path
) -> None:
    pem = base64.b64encode((PKI / "client.pem").read_bytes()).decode()
    authority = base64.b64encode(Path(CA).read_bytes()).decode()
    with Guarded(tls=server_tls(client_certificates=True)) as server:
        user = {"client-certificate-data": pem, "client-key-data": pem, "token": "first"}
        config(server.url, user, **{"certificate-authority-data": authority})
        with Client() as client:
            assert client.request("GET", "/version").status == 200
            for path in kubeconfig._temporary_files().values():
                os.remove(path)
            client.close()  # so that it connects anew
            assert client.request("GET", "/version").status == 200
            for path in kubeconfig._temporary_files().values():
                os.remove(path)
        with Client() as client:
            assert client.request("GET", "/version").status == 200


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_token_is_seen_by_the_server_alone(
    server: Guarded, config: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.token = "s3cret"
    config(server.url, {"token": "s3cret"})
    client = Client()
    client.request("GET", "/version")
    server.token = "another"
    with pytest.raises(AuthError) as refused:
        client.request("GET", "/version")
    shown = [repr(client), repr(client._credentials.current()), caplog.text]
    error: BaseException | None = refused.value
    while error is not None:
        shown.append(repr(error))
        error = error.__cause__ or error.__context__
    assert "s3cret" not in " ".join(shown)


def test_a_token_that_would_break_out_of_its_header_is_refused_without_showing_it(server: Guarded) -> None:
    client = Client(configuration(server.url, api_key={"authorization": "Bearer s3cret\r\nX-Evil: 1"}))
    with pytest.raises(ValueError, match="authorization") as refused:
        client.request("GET", "/version")
    assert "s3cret" not in str(refused.value)
    assert server.requests == []


# --- forks -----------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], object]) -> str:
    """What `work` returns, or raises, in a fork's child; within 20 seconds."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                said = repr(work())
            except BaseException as error:
                said = f"raised {error!r}"
            os.write(writable, said.encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_parent_and_child_of_a_fork_each_get_their_own_answers(tls: bool) -> None:
    """Pain 21: parent and child shared a connection and read each other's answers."""

    def serve(sock: socket.socket, number: int) -> None:
        while head := peer.head(sock):
            path = head.split(" ")[1]
            sock.sendall(answer(path.encode()))

    with Peer(serve, tls=server_tls() if tls else None) as peer, Client(configuration(peer.url)) as client:

        def ask(who: str) -> int:
            return sum(client.request("GET", f"/{who}/{n}").body == f"/{who}/{n}".encode() for n in range(100))

        client.request("GET", "/before")
        done: list[str] = []
        child = threading.Thread(target=lambda: done.append(in_child(lambda: ask("child"))), name="forker")
        child.start()
        assert ask("parent") == 100
        child.join(30.0)
        assert done == ["100"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_watch_of_the_parent_is_let_go_by_the_child_and_goes_on_in_the_parent(tls: bool) -> None:
    """Pain 21: a child kept the parent's watches open, or broke them."""
    forked = threading.Event()

    def serve(sock: socket.socket, number: int) -> None:
        peer.head(sock)
        sock.sendall(CHUNKED + chunk(b"one\n"))
        if number == 0:
            assert forked.wait(10.0)
        sock.sendall(chunk(b"two\n") + b"0\r\n\r\n")

    with Peer(serve, tls=server_tls() if tls else None) as peer:
        client = Client(configuration(peer.url))

        def watch() -> Iterator[bytes]:
            session = Session(client, lambda: "/api/v1/pods", Stop())
            return session.watch(WatchParams(resource_version="5"), 10.0).blocks()

        mine = watch()
        assert next(mine) == b"one\n"
        assert in_child(lambda: (b"".join(mine), b"".join(watch()))) == repr((b"", b"one\ntwo\n"))
        forked.set()
        assert b"".join(mine) == b"two\n"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_whose_lock_was_held_during_a_fork_works_in_the_child() -> None:
    """Pain 21: a child hangs on a lock whose owner was not copied."""
    with Guarded() as server, Client(configuration(server.url, api_key={"authorization": "Bearer first"})) as client:
        client.request("GET", "/version")
        with client._lock, client._credentials._lock:
            assert in_child(lambda: client.request("GET", "/version").status) == "200"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_ends_does_not_remove_the_certificates_of_its_parent(config: Callable[..., Path]) -> None:
    """Pain 21: temporary files of the official client are removed by whoever ends first."""
    config("https://server", {"token": "first"}, **{"certificate-authority-data": base64.b64encode(b"x").decode()})
    path = kubeconfig.find().load().configuration.ssl_ca_cert
    assert path is not None

    def end() -> None:
        importlib.import_module("kubernetes.config.kube_config")._cleanup_temp_files()

    in_child(end)
    assert os.path.exists(path)


def test_a_server_that_is_gone_is_unreachable_and_not_an_auth_error(config: Callable[..., Path]) -> None:
    with Guarded() as server:
        pass
    config(server.url, {"token": "first"})
    with pytest.raises(Unreachable):
        Client().request("GET", "/version")
