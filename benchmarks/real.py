"""Against a real kube-apiserver: the initial list beside curl, and a watch beside client-go with protobuf.

A watch is measured in two ways. At once: changes are made while the clients are stopped (SIGSTOP), so that each gets
them all when it goes on, as fast as the server can. As they come: while the changes are made, which takes longer, and
costs each client a wake-up an event.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import IO, Any, NamedTuple

from kubewatch import Client
from kubewatch.testing import EnvTest

from .builds import Unavailable, client_go
from .contenders import WITHOUT_STREAMING, Contender, Size
from .pods import TYPED, render
from .rounds import ROOT, Figure, Outcome, outcome_of, result_in, run_once

PAGE = 500
WRITERS = 8
ROUNDS = 3
PODS = "/api/v1/namespaces/default/pods"

# Seconds until a client has to be watching.
TIMEOUT = 120.0

# Seconds without work after which a client is at rest.
IDLE = 0.5

FOLLOWERS = [
    Contender("kubewatch", lambda: (sys.executable, "-m", "benchmarks.clients.ours"), "typed"),
    Contender("kubewatch metadata", lambda: (sys.executable, "-m", "benchmarks.clients.ours"), "metadata"),
    Contender(
        "kubewatch metadata, protobuf", lambda: (sys.executable, "-m", "benchmarks.clients.ours"), "metadata-protobuf"
    ),
    # By pages, so that who watches has its list: with streaming lists, the watch is there before.
    Contender("client-go, protobuf", lambda: (client_go(),), "protobuf", environment=WITHOUT_STREAMING),
]


class Real(NamedTuple):
    """What was measured: seconds of the initial list, ours and curl's; and what those came to who watched."""

    version: str
    size: Size
    listed: Figure
    fetched: Figure
    at_once: list[Outcome]
    as_they_come: list[Outcome]
    failed: dict[str, str]


def measure(size: Size, runs: int, *, tell: Callable[[str], None]) -> Real:
    """Start a server, fill it, and measure; raises EnvTestUnavailable without its programs."""
    with EnvTest() as server, tempfile.TemporaryDirectory() as directory:
        client = server.client()
        kubeconfig = str(server.kubeconfig(f"{directory}/kubeconfig"))
        tell(f"real server: creating {size.objects} pods")
        _fill(client, size.objects)
        urls = _pages(client)
        listed, fetched = [], []
        for number in range(runs):
            tell(f"real server: list, round {number + 1}/{runs}")
            result = run_once(FOLLOWERS[0], kubeconfig, Size(size.objects, 0))
            listed.append(result["list_wall"])
            fetched.append(min(_curl(server, urls, directory, version) for version in ("--http1.1", "--http2")))
        failed: dict[str, str] = {}

        def follow(*, at_once: bool) -> list[Outcome]:
            taken: dict[str, list[dict[str, Any]]] = {}
            for number in range(min(runs, ROUNDS)):
                how = "at once" if at_once else "as they come"
                tell(f"real server: watch, {how}, round {number + 1}")
                results = _follow(client, kubeconfig, size, f"{how} {number}", at_once, failed)
                for name, result in results.items():
                    taken.setdefault(name, []).append(result)
            return [
                outcome_of(name, str(each[0]["version"]), size, each)
                for name, each in taken.items()
                if name not in failed
            ]

        version = json.loads(client.request("GET", "/version").body)["gitVersion"]
        return Real(
            version, size, Figure.of(listed), Figure.of(fetched), follow(at_once=True), follow(at_once=False), failed
        )


def _fill(client: Client, objects: int) -> None:
    pod = json.loads(render(TYPED.in_event, 0, 0))
    meta = {"labels": pod["metadata"]["labels"], "annotations": pod["metadata"]["annotations"]}
    meta["annotations"]["padding"] = "x" * 1500
    spec = pod["spec"] | {"serviceAccountName": "default", "automountServiceAccountToken": False}
    del spec["serviceAccount"]

    def create(number: int) -> None:
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"name": f"web-{number}"}, "spec": spec}
        _send(client, "POST", PODS, body, "application/json")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(create, range(objects)))


def _change(client: Client, size: Size, note: str) -> None:
    def change(number: int) -> None:
        patch = {"metadata": {"annotations": {"note": f"{note}-{number}"}}}
        path = f"{PODS}/web-{number % size.objects}"
        _send(client, "PATCH", path, patch, "application/merge-patch+json")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(change, range(size.events)))


def _send(client: Client, method: str, path: str, body: dict[str, Any], type_: str) -> None:
    client.request(method, path, body=json.dumps(body).encode(), headers={"content-type": type_})


def _pages(client: Client) -> list[str]:
    """The path of each page; their continue tokens serve for 5 minutes."""
    paths, token = [], ""
    while True:
        query = [("limit", str(PAGE)), *([("continue", token)] if token else [])]
        paths.append("/api/v1/pods?" + "&".join(f"{name}={value}" for name, value in query))
        body = client.request("GET", "/api/v1/pods", query=query).body
        found = re.search(rb'"continue":"([^"]*)"', body[:1000])
        if not found:
            return paths
        token = found[1].decode()


def _curl(server: EnvTest, paths: Sequence[str], directory: str, version: str) -> float:
    """Seconds that curl takes for these pages, over one connection, by one version of HTTP."""
    config = "".join(f'url = "{server.url}{path}"\noutput = /dev/null\n' for path in paths)
    with open(f"{directory}/curl", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(f'header = "Authorization: Bearer {server.token}"\ncacert = {server.ca_file}\n{config}')
    command = ["curl", version, "--silent", "--fail", "--config", file.name, "--write-out", "%{time_total}\n"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT)
    return sum(float(line) for line in done.stdout.split())


class Follower(NamedTuple):
    """A running client, and the file with what it says on stderr: a pipe that nobody reads could fill up."""

    process: subprocess.Popen[str]
    stderr: IO[str]

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise RuntimeError(f"it ended early, exit code {code}: {self.said().strip()[-2000:]}")

    def said(self) -> str:
        """What it said so far."""
        self.stderr.seek(0)
        return self.stderr.read()

    def result(self) -> dict[str, Any]:
        """What it prints at its end, which is waited for; raises RuntimeError when it fails."""
        self.process.send_signal(signal.SIGCONT)
        try:
            printed, _ = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"it had not seen all changes after {TIMEOUT:g} s: {self.said()[-2000:]}") from error
        return result_in(printed, self.process.returncode, self.said())


def _follow(
    client: Client, kubeconfig: str, size: Size, note: str, at_once: bool, failed: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Have all that can be had watch the same changes: one after the other, or while they are made.

    Who fails is told of in `failed`, and is left out from then on.
    """
    results: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        running: dict[str, Follower] = {}
        for contender in FOLLOWERS:
            if contender.name in failed:
                continue
            try:
                follower = stack.enter_context(_following(client, contender, kubeconfig, size))
            except (OSError, RuntimeError, Unavailable) as error:
                failed[contender.name] = str(error)
                continue
            if at_once:
                follower.process.send_signal(signal.SIGSTOP)
            running[contender.name] = follower
        _change(client, size, note)
        for name, follower in running.items():
            try:
                results[name] = follower.result()
            except RuntimeError as error:
                failed[name] = str(error)
    return results


@contextmanager
def _following(client: Client, contender: Contender, kubeconfig: str, size: Size) -> Iterator[Follower]:
    """A client that watches, and is at rest."""
    environment = os.environ | dict(contender.environment)
    command = contender.arguments(kubeconfig, size)
    watches = _watches(client)
    with tempfile.TemporaryFile("a+") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            follower = Follower(process, stderr)
            _wait_for_a_watch(client, watches, follower)
            _wait_until_idle(follower)
            yield follower
        finally:
            process.kill()
            process.communicate()


def _watches(client: Client) -> int:
    """How many watches of pods the server has open."""
    metrics = client.request("GET", "/metrics").body.decode()
    lines = re.findall(r"^apiserver_longrunning_requests\{([^}]*)\} (\d+)$", metrics, re.MULTILINE)
    return sum(int(count) for labels, count in lines if 'resource="pods"' in labels and 'verb="WATCH"' in labels)


def _wait_for_a_watch(client: Client, watches: int, follower: Follower) -> None:
    """Wait until there is one more than `watches`, or than are left of them: those of a round before may end late."""
    deadline = time.monotonic() + TIMEOUT
    while (now := _watches(client)) <= watches:
        watches = now
        follower.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not watch after {TIMEOUT:g} s")
        time.sleep(0.1)


def _wait_until_idle(follower: Follower) -> None:
    """Wait until it has used next to no CPU for a while: it is ready then, and has taken note of it."""
    deadline = time.monotonic() + TIMEOUT
    used, now = -1, _ticks(follower.process.pid)
    while now - used > 1:
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not come to rest within {TIMEOUT:g} s")
        time.sleep(IDLE)
        used, now = now, _ticks(follower.process.pid)
    follower.check()  # what has ended is at rest, too


def _ticks(pid: int) -> int:
    """Hundredths of a second of CPU that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
