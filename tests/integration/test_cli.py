"""The command line as a person runs it: a process of its own, against both servers."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from kubewatch import Api
from kubewatch.client import Client
from kubewatch.testing import ApiServer, EnvTest
from kubewatch.testing.apiserver.faults import Fault

T = TypeVar("T")

SOON = 60.0  # seconds; far more than anything here takes


class Output:
    """One of a process's streams, read line by line, never waiting for longer than SOON."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._unread = b""

    def line(self) -> str:
        while b"\n" not in self._unread:
            chunk = self._chunk()
            if not chunk:
                break
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode().rstrip("\r")

    def rest(self) -> str:
        while chunk := self._chunk():
            self._unread += chunk
        text, self._unread = self._unread.decode(), b""
        return text

    def until(self, part: str) -> str:
        """The next line that has `part` in it."""
        while part not in (line := self.line()):
            assert line, f"the output ended before {part!r}"
        return line

    def _chunk(self) -> bytes:
        ready, _, _ = select.select([self.descriptor], [], [], SOON)
        assert ready, "nothing came"
        try:
            return os.read(self.descriptor, 65536)
        except OSError:  # how a terminal says that it was left
            return b""


class Command:
    """`kubewatch …` under way."""

    def __init__(self, kubeconfig: Path | None, *argv: str, stdout: int = subprocess.PIPE) -> None:
        env = {**os.environ, "KUBECONFIG": str(kubeconfig), "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kubewatch", *argv],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=env,
        )
        self.out = Output(self.process.stdout.fileno() if self.process.stdout else -1)
        assert self.process.stderr
        self.err = Output(self.process.stderr.fileno())

    def event(self) -> tuple[str, dict[str, Any]]:
        found = json.loads(self.out.line())
        return found["event"], found.get("object", {})

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def send(self, signum: int) -> None:
        self.process.send_signal(signum)

    def status(self) -> int:
        return self.process.wait(SOON)

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def run(kubeconfig: Path | None, *argv: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command that ends by itself."""
    with Command(kubeconfig, *argv) as command:
        out, err = command.process.communicate(timeout=SOON)
        return command.process.returncode, out.decode(), err.decode()


def in_time(run: Callable[[str], T], late: Callable[[T], bool]) -> T:
    """What comes of `run` with the first `--for` that is long enough for an answer: a busy machine takes its time."""
    for given in ("1s", "4s", "16s"):
        outcome = run(given)
        if not late(outcome):
            break
    return outcome


@pytest.fixture
def kubeconfig(api_server: ApiServer | EnvTest, tmp_path: Path) -> Path:
    """A kubeconfig of the server at hand."""
    return Path(api_server.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def maps(client: Client, namespace: str) -> Api[Any]:
    """ConfigMaps of the test's own."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


def make(maps: Api[Any], *names: str, **labels: str) -> None:
    for name in names:
        maps.create({"metadata": {"name": name, "labels": {"of": "test", **labels}}, "data": {"colour": "red"}})


MINE = ("-l", "of=test")  # a real server puts a ConfigMap of its own into each namespace


# get


def test_get_is_a_table_where_it_is_asked_for(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a", "b")
    status, out, err = run(kubeconfig, "get", "configmaps", "-n", namespace, *MINE, "-o", "table")
    assert [line.split()[:2] for line in out.splitlines()] == [["NAME", "DATA"], ["a", "1"], ["b", "1"]]
    assert (status, err) == (0, "")


def test_get_is_json_lines_in_a_pipe_without_managed_fields(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a", "b")
    status, out, _ = run(kubeconfig, "get", "cm", "-n", namespace, *MINE)
    found = [json.loads(line) for line in out.splitlines()]
    assert [(f["kind"], f["metadata"]["name"], f["data"]) for f in found] == [
        ("ConfigMap", "a", {"colour": "red"}),
        ("ConfigMap", "b", {"colour": "red"}),
    ]
    assert "managedFields" not in out
    assert status == 0


def test_get_by_name_fails_for_a_name_that_is_not_there(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    assert run(kubeconfig, "get", "configmap/a", "-n", namespace, "-o", "name") == (0, "configmap/a\n", "")
    status, out, err = run(kubeconfig, "get", "configmap", "a", "nope", "-n", namespace, "-o", "name")
    assert (status, out) == (1, "configmap/a\n")
    assert err == 'kubewatch: error: configmaps "nope" not found\n'


def test_get_pages_up_to_its_limit(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, *"abcd")
    status, out, _ = run(kubeconfig, "get", "configmaps", "-n", namespace, *MINE, "-o", "name", "--limit", "3")
    assert (status, out.split()) == (0, ["configmap/a", "configmap/b", "configmap/c"])


def test_get_of_nothing_is_said_and_is_no_error(kubeconfig: Path, namespace: str) -> None:
    assert run(kubeconfig, "get", "pods", "-n", namespace, "-o", "table") == (
        0, "", f"kubewatch: no resources found (pods in {namespace})\n",
    )  # fmt: skip


def test_a_kind_without_namespaces_is_shown_whatever_namespace_is_given(kubeconfig: Path, namespace: str) -> None:
    status, out, _ = run(kubeconfig, "get", "namespaces", "-n", "elsewhere", "-o", "name")
    assert status == 0
    assert f"namespace/{namespace}" in out.split()


def test_yaml_is_what_the_server_has(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    _, out, _ = run(kubeconfig, "get", "cm/a", "-n", namespace, "-o", "yaml", "--show-managed-fields")
    assert yaml.safe_load(out) == maps.get("a").to_dict()


def test_metadata_alone_has_no_data(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    _, out, _ = run(kubeconfig, "get", "configmaps", "-n", namespace, *MINE, "--metadata")
    (found,) = map(json.loads, out.splitlines())
    assert found["metadata"]["name"] == "a"
    assert (found["kind"], "data" in found) == ("ConfigMap", False)


def test_the_values_of_secrets_are_not_in_tables(kubeconfig: Path, client: Client, namespace: str) -> None:
    secrets = Api("v1", "Secret", namespace=namespace, client=client)
    secrets.create({"metadata": {"name": "s"}, "type": "Opaque", "data": {"password": "aHVudGVyMg=="}})
    for form in ("table", "wide"):
        _, out, _ = run(kubeconfig, "get", "secrets", "-n", namespace, "-o", form)
        assert out.split()[4:7] == ["s", "Opaque", "1"]
        assert "aHVudGVyMg" not in out


# watch


def test_watch_in_a_pipe_tells_each_change_at_once(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    with Command(kubeconfig, "watch", "configmaps", "-n", namespace, *MINE) as command:
        event, found = command.event()
        assert (event, found["metadata"]["name"], found["data"]) == ("Apply", "a", {"colour": "red"})
        make(maps, "b")
        assert command.event()[1]["metadata"]["name"] == "b"
        maps.patch("a", {"data": {"colour": "blue"}})
        assert command.event()[1]["data"] == {"colour": "blue"}
        maps.delete("a")
        event, found = command.event()
        assert (event, found["metadata"]["name"]) == ("Delete", "a")
        command.send(signal.SIGINT)
        assert command.status() == 130
        assert command.err.rest() == ""


def test_watch_shows_one_object_of_a_name(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a", "b")
    with Command(kubeconfig, "watch", "configmap/b", "-n", namespace, "-o", "name") as command:
        assert command.out.line() == "configmap/b"
        maps.patch("a", {"data": {"colour": "blue"}})
        maps.delete("b")
        assert command.out.line() == "configmap/b deleted"


def test_a_predicate_holds_back_other_changes(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    argv = ("watch", "configmaps", "-n", namespace, *MINE, "--predicate", "labels", "--only-changes")
    with Command(kubeconfig, *argv, "-o", "table") as command:
        command.out.until("NAME")
        maps.patch("a", {"data": {"colour": "blue"}})
        maps.patch("a", {"metadata": {"labels": {"seen": "yes"}}})
        maps.delete("a")
        assert [command.out.line().split()[:2] for _ in range(2)] == [["changed", "a"], ["deleted", "a"]]


def test_events_are_shown_as_they_come(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    with Command(kubeconfig, "watch", "configmaps", "-n", namespace, *MINE, "--events") as command:
        assert [command.event()[0] for _ in range(3)] == ["Init", "InitApply", "InitDone"]
        maps.delete("a")
        assert command.event()[0] == "Delete"


def test_a_watch_ends_by_itself_when_told_for_how_long(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    argv = ("watch", "cm", "-n", namespace, *MINE, "-o", "name", "--for")
    outcome = in_time(lambda given: run(kubeconfig, *argv, given), late=lambda outcome: "in time" in outcome[2])
    assert outcome == (0, "configmap/a\n", "")


@pytest.mark.parametrize(
    ("path", "fault", "why"),
    [
        ("/api/v1", Fault.silent(), "the server has not answered"),
        ("/api/v1/*", Fault.silent(), "the server has not answered"),
        ("/api/v1/*", Fault.status(503), "503"),
    ],
)
def test_a_watch_that_ends_before_it_has_a_list_says_so(
    embedded: tuple[ApiServer, Path], path: str, fault: Any, why: str
) -> None:
    server, kubeconfig = embedded
    server.faults.add(fault, path=path, times=None)
    status, out, err = in_time(
        lambda given: run(kubeconfig, "watch", "configmaps", "--for", given), late=lambda outcome: why not in outcome[2]
    )
    server.faults.clear()
    assert (status, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("kubewatch: error: ")
    assert "in time" in last
    assert why in last


def test_sigterm_ends_a_watch_with_143(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    with Command(kubeconfig, "watch", "configmaps", "-n", namespace, *MINE) as command:
        command.event()
        command.send(signal.SIGTERM)
        assert command.status() == 143


def test_a_watch_ends_quietly_with_its_reader_though_nothing_happens(
    kubeconfig: Path, maps: Api[Any], namespace: str
) -> None:
    """As in `kubewatch watch configmaps | head -1`."""
    make(maps, "a")
    with Command(kubeconfig, "watch", "configmaps", "-n", namespace, *MINE) as command:
        command.event()
        assert command.process.stdout
        command.process.stdout.close()
        assert command.status() == 0
        assert command.err.rest() == ""


@pytest.mark.parametrize("command", ["get namespaces", "watch namespaces -o table --for"])
@pytest.mark.parametrize(
    ("redirection", "status", "says"),
    [(">&-", 0, ""), ("2>&-", 0, ""), ("<&- >&- 2>&-", 0, ""), (">/dev/full", 1, "No space left on device\n")],
)
def test_output_that_cannot_be_written_ends_it_without_a_traceback(
    embedded: tuple[ApiServer, Path], command: str, redirection: str, status: int, says: str
) -> None:
    watches = command.startswith("watch")

    def run(given: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", f"exec {sys.executable} -m kubewatch {command} {given if watches else ''} {redirection}"],
            env={**os.environ, "KUBECONFIG": str(embedded[1])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SOON,
            check=False,
        )
        return done.returncode, done.stderr.decode()

    def late(outcome: tuple[int, str]) -> bool:
        return watches and outcome[0] == 1 and ("in time" in outcome[1] or "2>&-" in redirection)

    ended, said = in_time(run, late)
    assert (ended, said.count("\n"), said.endswith(says)) == (status, bool(says), True)


@pytest.mark.parametrize("argv", [("get", "namespaces"), ("--help",)], ids=" ".join)
def test_output_that_nobody_reads_is_no_error(kubeconfig: Path, argv: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with Command(kubeconfig, *argv, stdout=write) as command:
        os.close(write)
        assert command.status() == 0
        assert command.err.rest() == ""


def test_in_a_terminal_it_is_a_table(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    ours, theirs = pty.openpty()
    with Command(kubeconfig, "watch", "configmaps", "-n", namespace, *MINE, stdout=theirs) as command:
        os.close(theirs)
        terminal = Output(ours)
        assert terminal.line().split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert terminal.line().split()[:2] == ["a", "1"]
        maps.delete("a")
        assert terminal.line().split()[:3] == ["deleted", "a", "1"]
        command.send(signal.SIGINT)
        assert command.status() == 130
    os.close(ours)


# what ends a command


@pytest.mark.parametrize("command", ["get", "watch"])
def test_an_unknown_kind_ends_it_with_names_that_come_close(kubeconfig: Path, command: str, namespace: str) -> None:
    status, out, err = run(kubeconfig, command, "configmap5", "-n", namespace)
    assert (status, out) == (1, "")
    assert "no kind called 'configmap5'" in err
    assert "configmaps" in err


@pytest.mark.parametrize("command", ["get", "watch"])
def test_a_selector_that_the_server_refuses_ends_it(kubeconfig: Path, command: str, namespace: str) -> None:
    status, _, err = run(kubeconfig, command, "pods", "-n", namespace, "--field-selector", "spec.colour=red")
    assert status == 1
    assert "400 BadRequest" in err
    assert "mend the selector" in err


@pytest.mark.parametrize("command", ["get", "watch"])
def test_missing_rights_end_it_and_say_what_to_ask_for(
    api_server: ApiServer | EnvTest, client: Client, kubeconfig: Path, command: str, namespace: str
) -> None:
    if isinstance(api_server, ApiServer):
        api_server.faults.add(Fault.status(403, message="secrets is forbidden"), verb="list", times=None)
    else:
        become_nobody(client, kubeconfig, namespace)
    status, out, err = run(kubeconfig, command, "secrets", "-n", namespace)
    assert (status, out) == (1, "")
    assert "secrets is forbidden" in err
    assert "Ask for the right to get, list and watch them" in err


def become_nobody(client: Client, kubeconfig: Path, namespace: str) -> None:
    """Make the kubeconfig that of a service account without any rights."""
    Api("v1", "ServiceAccount", namespace=namespace, client=client).create({"metadata": {"name": "nobody"}})
    answer = client.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/nobody/token",
        headers={"content-type": "application/json"},
        body=b'{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}',
    )
    with_token(kubeconfig, json.loads(answer.body)["status"]["token"])


def with_token(kubeconfig: Path, token: str) -> None:
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    kubeconfig.write_text(json.dumps(config))


@pytest.mark.parametrize("command", ["get", "watch"])
def test_refused_credentials_end_it_and_are_not_shown(
    api_server: ApiServer | EnvTest, kubeconfig: Path, command: str
) -> None:
    if isinstance(api_server, ApiServer):
        api_server.token = "right"
    with_token(kubeconfig, "hunter2")
    status, out, err = run(kubeconfig, command, "pods")
    assert (status, out) == (1, "")
    assert "log in" in err
    assert "hunter2" not in err


@pytest.mark.parametrize("command", ["get", "watch"])
def test_a_server_that_cannot_be_reached_ends_it(command: str, tmp_path: Path) -> None:
    with ApiServer() as server:
        kubeconfig = Path(server.kubeconfig(tmp_path / "kubeconfig"))
    status, out, err = run(kubeconfig, command, "pods")
    assert (status, out) == (1, "")
    assert "Another cluster is chosen by --context" in err


def test_a_context_that_is_not_there_ends_it(kubeconfig: Path) -> None:
    status, _, err = run(kubeconfig, "get", "pods", "--context", "nowhere")
    assert status == 1
    assert "nowhere" in err


def test_another_kubeconfig_can_be_named(kubeconfig: Path, maps: Api[Any], namespace: str) -> None:
    make(maps, "a")
    status, out, _ = run(
        None, "get", "configmaps", "-n", namespace, *MINE, "-o", "name", "--kubeconfig", str(kubeconfig)
    )
    assert (status, out) == (0, "configmap/a\n")


# what does not


@pytest.fixture
def embedded(kube_api: ApiServer, tmp_path: Path) -> tuple[ApiServer, Path]:
    """An embedded server, whose failures are scripted, and its kubeconfig."""
    return kube_api, Path(kube_api.kubeconfig(tmp_path / "kubeconfig"))


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_a_busy_server_is_asked_again_and_that_is_said(embedded: tuple[ApiServer, Path]) -> None:
    server, kubeconfig = embedded
    server.objects.create(config_map("a"))
    server.faults.add(Fault.status(503, message="starting"), verb="list", kind="configmaps")
    with Command(kubeconfig, "watch", "configmaps", "-o", "name") as command:
        assert "503 ServiceUnavailable: starting; trying again in" in command.err.line()
        assert command.out.line() == "configmap/a"


def test_what_was_deleted_while_the_connection_was_away_is_told(embedded: tuple[ApiServer, Path]) -> None:
    """Pain 5: deletions are missed across a gap."""
    server, kubeconfig = embedded
    for name in "ab":
        server.objects.create(config_map(name))
    uid = server.objects.get("configmaps", "a")["metadata"]["uid"]
    with Command(kubeconfig, "watch", "configmaps") as command:
        assert [command.event()[0] for _ in range(2)] == ["Apply", "Apply"]
        server.objects.create(config_map("c"))
        assert command.event()[0] == "Apply"  # so the watch is open
        server.faults.add(Fault.status(503, message="away"), verb="watch", times=None)
        server.faults.drop_watches()
        command.err.until("away; trying again")
        server.objects.delete("configmaps", "a")
        server.faults.compact()
        server.faults.clear()
        event, found = command.event()
        assert (event, found["kind"]) == ("Delete", "ConfigMap")
        assert (found["metadata"]["name"], found["metadata"]["uid"]) == ("a", uid)


def test_a_server_that_is_killed_and_started_again_is_followed_on(kube_api_real: EnvTest, tmp_path: Path) -> None:
    kubeconfig = Path(kube_api_real.kubeconfig(tmp_path / "kubeconfig"))
    maps = Api("v1", "ConfigMap", namespace="default", client=kube_api_real.client())
    mine = ("-l", "of=restart")
    maps.create({"metadata": {"name": "before", "labels": {"of": "restart"}}})
    with Command(kubeconfig, "watch", "configmaps", "-n", "default", *mine, "-o", "name") as command:
        assert command.out.line() == "configmap/before"
        kube_api_real.stop_apiserver()
        command.err.until("trying again in")
        kube_api_real.start_apiserver()
        maps.create({"metadata": {"name": "after", "labels": {"of": "restart"}}})
        assert command.out.line() == "configmap/after"
        for name in ("before", "after"):
            maps.delete(name)
        assert [command.out.line() for _ in range(2)] == ["configmap/before deleted", "configmap/after deleted"]


# demo


def test_the_demo_tells_its_story_to_the_end() -> None:
    status, out, err = run(None, "demo", "--for", "50ms")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for word in ("Init", "InitApply", "InitDone", "Apply", "Delete", "! WatchStatusError: 410 Expired"):
        assert any(line.startswith(word) for line in lines), word
    before, after = (n for n, line in enumerate(lines) if line == ">>> sorted(pod.name for pod in reader)")
    assert lines[before + 1] == "['db-0', 'web-4xk2p', 'web-b8t6m', 'web-h3v5c']"
    assert "InitDone" in lines[before + 1 : after]
    assert lines[after + 1] == "['db-0', 'web-4xk2p', 'web-h3v5c', 'web-k7w4d']"
    assert "kubewatch watch pods -A" in out
    assert max(map(len, lines)) <= 80


def test_the_demo_ends_clean_at_ctrl_c() -> None:
    with Command(None, "demo", "--for", "1h") as command:
        command.out.line()
        command.send(signal.SIGINT)
        assert command.status() == 130
        assert command.err.rest() == ""
