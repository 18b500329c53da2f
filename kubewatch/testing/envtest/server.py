"""`EnvTest`: a real API server, made of one etcd and one kube-apiserver process."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewatch.errors import InvalidInput

from .access import Access, new_ec_key, new_token, write_private
from .binaries import Binaries, EnvTestError, find_binaries
from .process import Lifeline, ReservedPort, ServerProcess

if TYPE_CHECKING:
    from kubernetes.client import Configuration

    from kubewatch.client import Client

logger = logging.getLogger(__name__)

START_TIMEOUT = 60.0
"""Seconds until start gives up; two idle cores need about 3."""

STOP_GRACE = 1.0
"""Seconds between asking a process to end and killing it."""

POLL = 0.05
"""Seconds between two questions whether a server is ready."""

OWN_FLAGS = frozenset({"etcd-servers", "cert-dir", "bind-address", "secure-port", "token-auth-file"})
"""Flags of kube-apiserver that the handle's own answers (url, token, ca_file) depend on."""


class EnvTest:
    """A real API server on a loopback port, with etcd behind it: certificates, token and data are its own.

        with EnvTest() as server:
            pods = Api("v1", "Pod", namespace="default", client=server.client())

    There is no scheduler, no kubelet and no controller-manager: pods stay pending, owners' children are not collected.
    The programs are found by `find_binaries(assets)`. `flags` are further flags of kube-apiserver, named as in its
    reference, without dashes, `{"min-request-timeout": 5, "watch-cache": False}`; they win over EnvTest's own.
    `start_timeout` is in seconds, for each of the two programs.

    `start` returns when the server is ready; it raises `EnvTestUnavailable` when there are no programs, and
    `EnvTestError` with the end of the server's log when they fail. `stop` leaves no process and no file; should this
    process be killed, the servers end with it. A fork's child can use the server, yet not stop it: there, `stop` does
    nothing. All methods may be called from any thread and run on it; no thread is started.

    https://book.kubebuilder.io/reference/envtest
    https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/
    """

    def __init__(
        self,
        assets: str | Path | None = None,
        *,
        flags: Mapping[str, str | int | bool] | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        for flag in flags or {}:
            if flag.startswith("-"):
                raise InvalidInput(f"flag {flag!r}: name flags without dashes, as {flag.lstrip('-')!r}")
            if flag in OWN_FLAGS:
                raise InvalidInput(f"flag {flag!r} cannot be given: EnvTest chooses it, and hands out what it chose")
        self._assets = assets
        self._flags = dict(flags or {})
        self._start_timeout = start_timeout
        self._lock = threading.RLock()  # guards starting and stopping: one thread at a time does either
        self._cleanup: ExitStack | None = None  # what stop has to undo; None while stopped
        self._owner: int | None = None  # the process that started the servers; a fork's child is another
        self._processes: dict[str, ServerProcess] = {}

    # Start and stop

    def start(self) -> EnvTest:
        """Starts etcd and kube-apiserver; returns itself, ready."""
        with self._lock:
            if self._cleanup is not None:
                raise EnvTestError(f"{self!r} is started already; one EnvTest is one server")
            binaries = find_binaries(self._assets)
            self._owner = os.getpid()
            self._cleanup = ExitStack()
            try:
                self._prepare(self._cleanup, binaries)
                self._run("etcd", self._etcd_command, self._etcd_health)
                self.start_apiserver()
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """Stops both processes, kube-apiserver first, and removes all files; does nothing when that is done already."""
        if self._owner != os.getpid():
            return
        with self._lock:
            cleanup, self._cleanup = self._cleanup, None
            if cleanup is not None:
                cleanup.close()

    def __enter__(self) -> EnvTest:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop_apiserver(self, *, grace: float = 0.0) -> None:
        """Kills kube-apiserver; etcd goes on, and all objects are kept.

        Its connections break at once, as in a crash. With `grace` it is asked to end first and has so many seconds to
        close them in good order. It takes 60 for open watches, unless `flags` has another
        "shutdown-watch-termination-grace-period", such as "1s".
        """
        with self._lock:
            self._check_owned()
            self._end("kube-apiserver", grace)

    def start_apiserver(self) -> None:
        """Starts kube-apiserver, killed first if it runs; address, certificates, token and objects stay the same."""
        with self._lock:
            self._check_owned()
            self._end("kube-apiserver", 0.0)
            self._run("kube-apiserver", self._apiserver_command, self._apiserver_health)

    def compact(self) -> int:
        """Makes etcd forget all history up to now; returns the resourceVersion that is now the oldest.

            server.stop_apiserver()
            server.compact()
            server.start_apiserver()     # whoever watches on from an older resourceVersion gets 410 Gone

        kube-apiserver goes on to serve watches from its own cache, which is empty after a new start; the flag
        `{"watch-cache": False}` makes it ask etcd each time. Raises `EnvTestError` when etcd refuses.
        https://etcd.io/docs/latest/op-guide/maintenance/#history-compaction-v3-api-key-value-database
        """
        self._check_started()
        status = self._etcd("/v3/maintenance/status", {})
        revision = int(status["header"]["revision"])
        try:
            self._etcd("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        except EnvTestError as error:
            if "has been compacted" not in str(error):  # nothing was written since it was last compacted: just as well
                raise
        return revision

    # What a client needs

    @property
    def url(self) -> str:
        """The server's address, https with an IP address and port; the same for as long as the handle is started."""
        return self._access.url

    @property
    def token(self) -> str:
        """A bearer token of a cluster administrator (group system:masters)."""
        return self._access.token

    @property
    def ca_file(self) -> str:
        """The path of the certificates that a client verifies the server by (PEM); removed by `stop`."""
        return str(self._access.ca_file)

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each server that was started and not stopped, by the program's name."""
        return {name: process.pid for name, process in list(self._processes.items())}

    def configuration(self) -> Configuration:
        """A new configuration of the official client, for an ApiClient of one's own."""
        return self._access.configuration()

    def client(self) -> Client:
        """A new kubewatch client of this server."""
        configuration = self.configuration()
        from kubewatch.client import Client

        return Client(configuration)

    def kubeconfig(self, path: str | Path) -> Path:
        """Writes a kubeconfig file that holds all that kubectl needs, and returns its path.

        The token is in it, so only its owner may read it.
        """
        self._access.write_kubeconfig(Path(path))
        return Path(path)

    def __repr__(self) -> str:
        return f"<EnvTest at {self.url}>" if self._cleanup is not None else "<EnvTest, stopped>"

    # How it is done

    @property
    def _access(self) -> Access:
        self._check_started()
        return Access(f"https://127.0.0.1:{self._port.number}", self._token, self._folder / "certs" / "apiserver.crt")

    def _prepare(self, cleanup: ExitStack, binaries: Binaries) -> None:
        """Makes what the servers need, and notes for each thing how it is undone; that happens in reverse order."""
        atexit.register(self.stop)
        cleanup.callback(atexit.unregister, self.stop)
        self._folder = Path(tempfile.mkdtemp(prefix="kubewatch-envtest-"))
        cleanup.callback(shutil.rmtree, self._folder)
        self._binaries = binaries
        self._etcd_port, self._port = ReservedPort(), ReservedPort()
        cleanup.callback(self._etcd_port.release)
        cleanup.callback(self._port.release)
        self._lifeline = Lifeline(self._folder)
        cleanup.callback(self._lifeline.release)
        cleanup.callback(self._end, "etcd", STOP_GRACE)
        cleanup.callback(self._end, "kube-apiserver", STOP_GRACE)
        self._token = new_token()
        write_private(self._folder / "tokens.csv", f'{self._token},envtest-admin,envtest-admin,"system:masters"\n')
        write_private(self._folder / "service-account.key", new_ec_key())

    @property
    def _etcd_command(self) -> list[str]:
        url = f"http://127.0.0.1:{self._etcd_port.number}"
        return [
            str(self._binaries.etcd),
            "--data-dir=etcd",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            "--listen-peer-urls=http://127.0.0.1:0",  # it has no peers
            "--unsafe-no-fsync",  # the data need not survive the machine
        ]

    @property
    def _apiserver_command(self) -> list[str]:
        flags: dict[str, str | int | bool] = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port.number}",
            "bind-address": "127.0.0.1",
            "secure-port": self._port.number,
            # Loopback is not allowed as an endpoint of the Service "kubernetes", so none is written.
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "cert-dir": "certs",  # here it signs a certificate for itself at its first start
            "token-auth-file": "tokens.csv",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-signing-key-file": "service-account.key",
            "service-account-key-file": "service-account.key",
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.0.0.0/24",
            "allow-privileged": True,
            # It refuses pods until a controller-manager has made their namespace's service account.
            "disable-admission-plugins": "ServiceAccount",
        }
        flags |= self._flags
        return [str(self._binaries.kube_apiserver), *(f"--{name}={_flag_value(flags[name])}" for name in flags)]

    def _run(self, name: str, command: list[str], health: Callable[[], str]) -> None:
        """Starts a program and waits until it is healthy, it dies, or the time is up."""
        started = time.monotonic()
        self._processes[name] = server = ServerProcess(name, command, folder=self._folder)
        self._lifeline.hold(self.pids.values())
        while True:
            for process in self._processes.values():
                if process.died_within(0.0):
                    raise EnvTestError(f"{name} could not be started: {process.last_words()}")
            answer = health()
            if not answer:
                break
            if time.monotonic() - started > self._start_timeout:
                raise EnvTestError(f"{name} was not ready in {self._start_timeout} s ({answer}): {server.last_words()}")
            server.died_within(POLL)
        logger.info("%s is ready after %.1f s", name, time.monotonic() - started)

    def _end(self, name: str, grace: float) -> None:
        if name in self._processes:
            self._processes[name].stop(grace)
            del self._processes[name]
            self._lifeline.hold(self.pids.values())

    def _etcd_health(self) -> str:
        return _what_is_wrong(HTTPConnection("127.0.0.1", self._etcd_port.number, timeout=2.0), ["/health"])

    def _apiserver_health(self) -> str:
        try:
            trust = ssl.create_default_context(cafile=self.ca_file)
        except OSError:  # it has not signed its certificate yet
            return "it has no certificate yet"
        connection = HTTPSConnection("127.0.0.1", self._port.number, timeout=2.0, context=trust)
        # The namespace "default" is made in the background: /readyz does not wait for it, yet most tests use it.
        paths = ["/readyz", "/api/v1/namespaces/default"]
        return _what_is_wrong(connection, paths, {"Authorization": f"Bearer {self._token}"})

    def _etcd(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One call of etcd's API in JSON: https://etcd.io/docs/latest/dev-guide/api_grpc_gateway/"""
        connection = HTTPConnection("127.0.0.1", self._etcd_port.number, timeout=10.0)
        try:
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, HTTPException, ValueError) as error:
            raise EnvTestError(f"etcd did not answer {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise EnvTestError(f"etcd refused {path}: {answer.get('message')}")
        return answer

    def _check_started(self) -> None:
        if self._cleanup is None:
            raise EnvTestError("this EnvTest is not started; use it in a `with` block, or call start()")

    def _check_owned(self) -> None:
        self._check_started()
        if self._owner != os.getpid():
            raise EnvTestError(f"this EnvTest belongs to process {self._owner}, and this one was forked from it")


def _flag_value(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _what_is_wrong(connection: HTTPConnection, paths: list[str], headers: Mapping[str, str] | None = None) -> str:
    """Asks for each path; returns "" when all are answered with 200, else what the first other answer was."""
    try:
        for path in paths:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                return f"{path} was answered with {response.status}"
    except (OSError, HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
    return ""
