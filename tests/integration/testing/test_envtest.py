"""EnvTest runs a real kube-apiserver with etcd, and leaves nothing behind.

Skips where there are no programs to run, and says why.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as official
from kubernetes import config
from urllib3.exceptions import HTTPError

from kubewatch.testing.envtest import EnvTest, EnvTestUnavailable

# Starts a server, says where it is, and does what the test wants; the test looks on from outside.
START = """
import json, os, pathlib, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from kubewatch.testing.envtest import EnvTest, EnvTestError
server = EnvTest().start()
print(json.dumps(list(server.pids.values())), flush=True)
"""

FORK = """
from kubernetes.client import ApiClient, CoreV1Api
def look():
    print(CoreV1Api(ApiClient(server.configuration())).read_namespace("default").metadata.name, flush=True)
if os.fork() == 0:
    server.stop()
    try:
        server.stop_apiserver()
    except EnvTestError as refused:
        print(refused, flush=True)
    look()
    sys.exit()    # runs what is registered for the end of a process, too
os.wait()
look()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EnvTest]:
    server = EnvTest()
    try:
        server.start()
    except EnvTestUnavailable as unavailable:
        if os.environ.get("KUBEWATCH_REQUIRE_REAL"):
            raise
        pytest.skip(str(unavailable))
    yield server
    server.stop()


@pytest.fixture
def core(server: EnvTest) -> Iterator[Any]:
    """The official client; untyped, as its types want model classes where it takes dicts as well."""
    with official.ApiClient(server.configuration()) as api_client:
        yield official.CoreV1Api(api_client)


def make_namespace(core: Any, name: str) -> str:
    """Makes a namespace; returns its resourceVersion."""
    made = core.create_namespace({"metadata": {"name": name}})
    return str(made.metadata.resource_version)


def is_running(pid: int) -> bool:
    # A process that nobody has waited for yet is a zombie; it runs no more.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return state.strip() != "" and not state.startswith("Z")


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within half a minute; returns as soon as it does."""
    never = threading.Event()
    return any(holds() or never.wait(0.05) for _ in range(600))


def test_the_official_client_lists_namespaces(core: Any) -> None:
    assert "default" in [namespace.metadata.name for namespace in core.list_namespace().items]


def test_our_own_client_reaches_it(server: EnvTest) -> None:
    assert server.client().request("GET", "/api/v1/namespaces/default").status == 200


def test_it_says_which_release_it_is(core: Any) -> None:
    assert official.VersionApi(core.api_client).get_code().git_version.startswith("v1.")


def test_pods_can_be_made_although_nobody_makes_service_accounts(core: Any) -> None:
    pod = {"metadata": {"name": "pod"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    assert core.create_namespaced_pod("default", pod).status.phase == "Pending"


def test_a_kubeconfig_is_all_that_another_client_needs(server: EnvTest, tmp_path: Path) -> None:
    path = server.kubeconfig(tmp_path / "kubeconfig")
    connect: Callable[[str], official.ApiClient] = config.new_client_from_config
    with connect(str(path)) as api_client:
        found = official.CoreV1Api(api_client).list_namespace(field_selector="metadata.name=default")
    assert len(found.items) == 1


def test_nobody_gets_in_without_the_token(server: EnvTest) -> None:
    trust = ssl.create_default_context(cafile=server.ca_file)
    statuses = []
    for token in (server.token, "wrong"):
        with closing(HTTPSConnection(server.url.removeprefix("https://"), context=trust, timeout=30)) as connection:
            connection.request("GET", "/api/v1/namespaces", headers={"Authorization": f"Bearer {token}"})
            statuses.append(connection.getresponse().status)
    assert statuses == [200, 401]


def test_service_accounts_get_tokens_that_the_server_knows(server: EnvTest, core: Any) -> None:
    core.create_namespaced_service_account("default", {"metadata": {"name": "robot"}})
    answer = core.create_namespaced_service_account_token("robot", "default", {"spec": {}})
    configuration = server.configuration()
    configuration.api_key = {"authorization": f"Bearer {answer.status.token}"}
    with official.ApiClient(configuration) as api_client:
        reviews: Any = official.AuthenticationV1Api(api_client)
        review = reviews.create_self_subject_review({})
    assert review.status.user_info.username == "system:serviceaccount:default:robot"


def test_objects_outlive_a_killed_kube_apiserver_which_comes_back_at_its_address(server: EnvTest, core: Any) -> None:
    make_namespace(core, "outlives")
    address, killed = server.url, server.pids["kube-apiserver"]
    server.stop_apiserver()
    assert list(server.pids) == ["etcd"]
    assert not is_running(killed)
    with pytest.raises(HTTPError):
        core.read_namespace("outlives")
    server.start_apiserver()
    assert server.url == address
    assert core.read_namespace("outlives").metadata.name == "outlives"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be kept without listening on it")
def test_the_port_of_a_stopped_kube_apiserver_is_given_to_nobody_else(server: EnvTest) -> None:
    port = int(server.url.rpartition(":")[2])
    server.stop_apiserver()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port))
    finally:
        server.start_apiserver()


def test_a_watch_from_before_a_compaction_is_gone(server: EnvTest, core: Any) -> None:
    old = make_namespace(core, "compacted-1")
    make_namespace(core, "compacted-2")
    server.stop_apiserver()
    assert server.compact() > int(old)
    assert server.compact() > int(old)  # once more does no harm
    server.start_apiserver()
    answer = core.list_namespace(watch=True, resource_version=old, timeout_seconds=30, _preload_content=False)
    event = json.loads(answer.data)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_the_token_is_in_no_repr_and_no_command_line(server: EnvTest) -> None:
    assert server.token not in repr(server)
    for pid in server.pids.values():
        line = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
        assert "--" in line
        assert server.token not in line


@pytest.mark.usefixtures("server")  # for its skip
class TestNothingIsLeft:
    """No process and no file, however the end came."""

    def test_after_a_with_block_and_it_can_be_started_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        server = EnvTest(flags={"watch-cache": False})
        for _ in range(2):
            with server:
                pids = server.pids
                assert sorted(pids) == ["etcd", "kube-apiserver"]
                (folder,) = tmp_path.iterdir()
                assert server.ca_file.startswith(str(folder))
            assert server.pids == {}
            assert [pid for pid in pids.values() if is_running(pid)] == []
            assert list(tmp_path.iterdir()) == []

    def test_after_a_program_that_never_stops_it_and_a_forks_child_stops_nothing(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", START + FORK, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        pids, refused, found_by_child, found_by_parent = done.stdout.splitlines()
        assert "and this one was forked from it" in refused
        assert (found_by_child, found_by_parent) == ("default", "default")
        assert [pid for pid in json.loads(pids) if is_running(pid)] == []
        assert list(tmp_path.iterdir()) == []

    def test_after_a_program_that_was_killed(self, tmp_path: Path) -> None:
        kill = "os.kill(os.getpid(), signal.SIGKILL)"
        command = [sys.executable, "-c", START + kill, str(tmp_path)]
        killed = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
        assert eventually(lambda: not any(is_running(pid) for pid in json.loads(killed.stdout)))
        assert eventually(lambda: list(tmp_path.iterdir()) == [])
