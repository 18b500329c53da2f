"""``ApiServer``: the embedded Kubernetes API server, held by its handle."""

from __future__ import annotations

import json
import os
import ssl
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .apiserver.app import App, OpenWatch, Settings
from .apiserver.faults import Faults
from .apiserver.http import HttpServer
from .apiserver.objects import Objects
from .apiserver.requestlog import RequestLog

if TYPE_CHECKING:
    from kubernetes.client import Configuration

    from kubewatch.client import Client

__all__ = ["ApiServer"]


class ApiServer:
    """A Kubernetes API server in this process, on a loopback port that the system picks.

    >>> with ApiServer() as server:
    ...     created = server.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    >>> created["metadata"]["namespace"]
    'default'

    ``server.faults`` scripts failures, ``server.requests`` remembers what was asked:

    >>> from kubewatch.testing import Fault
    >>> server.faults.add(Fault.status(429, retry_after=1), verb="list", times=2)
    >>> server.requests.of(verb="list")
    []

    Nothing starts before ``start`` (or ``with``); ``stop`` cuts every connection and joins every thread within 100 ms.
    A forked child neither holds nor serves nor stops it. Times are in seconds, ``history`` counts the changes kept a
    kind.

    ``tls`` is a pair of file names: certificate and key, both PEM; ``ca`` is the file that clients are to trust (the
    certificate itself if there is none). ``token`` is the bearer token that requests have to carry; set
    ``server.token`` to change it while the server runs. Raises ``ValueError`` for numbers that make no sense.
    """

    def __init__(
        self,
        *,
        tls: tuple[str, str] | None = None,
        ca: str | None = None,
        token: str | None = None,
        bookmark_interval: float = 60.0,
        history: int = 10_000,
        watch_timeout: float = 1800.0,
        controllers: bool = True,
    ) -> None:
        settings = Settings(
            bookmark_interval=bookmark_interval, history=history, watch_timeout=watch_timeout, controllers=controllers
        )
        self._tls = tls
        self._ca = ca if tls is None or ca is not None else tls[0]
        self._app = App(settings, token=token)
        self._http: HttpServer | None = None
        self._pid = 0

    # --- life ---

    def start(self) -> ApiServer:
        """Listens from now on; a server that runs already is left alone."""
        if self._http is None:
            context = None
            if self._tls is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self._tls)
            http = HttpServer(self._app.handle, tls=context, on_abandoned=self._app.stop)
            http.start()
            self._pid = os.getpid()
            self._http = http
            self._app.address = f"{http.host}:{http.port}"
            self._app.start()
        return self

    def stop(self) -> None:
        """Cuts every connection, ends every thread. What was stored stays readable through ``objects``."""
        http, self._http = self._http, None
        if http is not None and self._pid == os.getpid():
            http.stop()
            self._app.stop()

    def __enter__(self) -> ApiServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ApiServer {self.url if self._http is not None else 'not running'}>"

    # --- how to reach it ---

    @property
    def url(self) -> str:
        """The address, as ``http://127.0.0.1:port``; RuntimeError when the server is not running."""
        if self._http is None:
            raise RuntimeError("the server is not running: start() it, or use it in a with statement")
        return f"{'https' if self._tls else 'http'}://{self._http.host}:{self._http.port}"

    @property
    def token(self) -> str | None:
        """The bearer token that requests have to carry; None admits everybody."""
        return self._app.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._app.token = token

    def configuration(self) -> Configuration:
        """A configuration of the official client that leads here."""
        from kubernetes.client import Configuration

        configuration = Configuration()
        configuration.host = self.url
        if self._tls is not None:
            configuration.ssl_ca_cert = self._ca
        if self.token is not None:
            configuration.api_key["authorization"] = self.token
            configuration.api_key_prefix["authorization"] = "Bearer"
        return configuration

    def client(self) -> Client:
        """A kubewatch client that leads here."""
        from kubewatch.client import Client

        return Client(self.configuration())

    def kubeconfig(self, path: str | os.PathLike[str], *, namespace: str = "default") -> str:
        """Writes a kubeconfig that leads here, readable by its owner alone; returns its path."""
        cluster: dict[str, Any] = {"server": self.url}
        if self._ca is not None:
            cluster["certificate-authority-data"] = b64encode(Path(self._ca).read_bytes()).decode()
        context = {"cluster": "kubewatch", "user": "kubewatch", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubewatch", "cluster": cluster}],
            "users": [{"name": "kubewatch", "user": {"token": self.token} if self.token is not None else {}}],
            "contexts": [{"name": "kubewatch", "context": context}],
            "current-context": "kubewatch",
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(config, file, indent=2)  # JSON is YAML
        return os.fspath(path)

    # --- for tests ---

    @property
    def faults(self) -> Faults:
        """Scripted failures."""
        return self._app.faults

    @property
    def objects(self) -> Objects:
        """The objects themselves, without HTTP."""
        return self._app.objects

    @property
    def requests(self) -> RequestLog:
        """What clients have asked so far."""
        return self._app.requests

    @property
    def watches(self) -> list[OpenWatch]:
        """The watches that are open now."""
        return self._app.watches()

    @property
    def resource_version(self) -> int:
        """The version of the latest change."""
        return self._app.storage.version

    def wait_for_watches(self, count: int, *, kind: str = "", timeout: float = 10.0) -> bool:
        """Waits until exactly ``count`` watches (of that kind) are open; False after ``timeout`` seconds."""
        return self._app.wait_for_watches(count, kind, timeout)

    def settle(self, timeout: float = 10.0) -> bool:
        """Waits until garbage is collected and deleted namespaces are empty; False after ``timeout`` seconds."""
        return self._app.settle(timeout)

    def send_bookmarks(self) -> int:
        """Has every watch that asked for bookmarks send one now; returns how many watches are open."""
        return self._app.send_bookmarks()
