"""`Client`: how to reach a cluster. Finds it, keeps its credentials fresh, and sends requests over kept connections."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import kubewatch

from . import kubeconfig
from .answers import Response, api_error
from .aside import aside
from .credentials import Access, Credentials, Loaded, redact
from .dialer import NoCertificate
from .errors import AuthError, InvalidInput, Unreachable
from .http1 import Head, encode_request
from .kubeconfig import Place
from .params import to_target
from .stop import Stop
from .wire import Stale, Wire

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

V = TypeVar("V")
logger = logging.getLogger(__name__)

# Seconds without a byte of an answer.
TIMEOUT = 30.0

# Bytes of an error's body that are read.
ERROR_LIMIT = 65536

# Connections that are kept for the next request, and for how many seconds. Load balancers forget sooner or later.
KEPT = 8
KEPT_FOR = 60.0


class Client:
    """How to reach one cluster; made once, shared by all threads.

    >>> Client()                                   # $KUBECONFIG, ~/.kube/config, or the service account of this pod
    Client(not connected yet)

    - `source`: a Configuration or an ApiClient of the official client, of which we read the settings and send nothing
      through it; None finds a cluster, at the first request.
    - `loader`: makes a fresh Configuration; called when credentials are refused. What we found ourselves needs none.
    - `compress`: whether to ask for compressed lists. None: only where the server is out on the internet, as
      within a data centre compressing takes longer than sending.

    No request is made, no file read before the first request. Credentials that expire or are refused are loaded again,
    by one thread for all. A fork's child gets connections of its own. Raises InvalidInput; requests raise ApiError,
    AuthError, Unreachable.
    """

    def __init__(
        self,
        source: Configuration | ApiClient | None = None,
        *,
        loader: Callable[[], Configuration] | None = None,
        compress: bool | None = None,
    ) -> None:
        if source is not None and not hasattr(getattr(source, "configuration", source), "auth_settings"):
            raise InvalidInput(
                "Client takes a Configuration or an ApiClient of the official client, or nothing, "
                f"not {type(source).__name__}"
            )
        self._compress = compress
        if source is None and loader is None:
            self._find(kubeconfig.find)
        else:
            self._start(Credentials(functools.partial(_loaded, loader) if loader is not None else None, source))

    @classmethod
    def from_kubeconfig(cls, paths: str | None = None, context: str | None = None) -> Client:
        """A client for one context of a kubeconfig file, or of several joined by `:`; None: the current ones."""
        client = cls.__new__(cls)
        client._compress = None
        client._find(functools.partial(kubeconfig.in_kubeconfig, paths, context))
        return client

    def _find(self, find: Callable[[], Place]) -> None:
        place = functools.cache(find)  # which stays the same, whatever becomes the current context
        self._start(Credentials(lambda: place().load()), lambda: place().namespace)

    def _start(self, credentials: Credentials, namespace: Callable[[], str] = lambda: "default") -> None:
        self._credentials = credentials
        self._namespace = namespace
        self._after_fork()
        _clients.add(self)

    def _after_fork(self) -> None:
        # Guards `_idle` and `_memos`; never held while a request is under way.
        self._lock = threading.Lock()
        self._idle: list[Wire] = []
        self._memos: dict[Callable[[Client], object], object] = {}

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context or of the pod; `default` where none is given. Raises AuthError.

        Makes no request and runs no plugin.
        """
        return self._namespace()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = TIMEOUT,
    ) -> Response:
        """Send one request and return its answer; blocks the calling thread.

        >>> Client().request("GET", "/version").body                            # doctest: +SKIP
        b'{"major": "1", ...

        `timeout` is in seconds: for the head of an answer, and then without a byte of its body; the whole body may take
        5 times as long, and connecting at most 20 s. A GET is sent again when a kept connection turns out to be closed;
        anything is sent again, once, when credentials were refused and there are newer ones. Raises ApiError for a
        status of 300 and more, AuthError for 401, Unreachable.
        """
        wire, head = self.exchange(None, method, path, query=query, headers=headers, body=body, timeout=timeout)
        try:
            data = wire.read_all(timeout)
        except BaseException:
            wire.close()
            raise
        self._keep(wire)
        return Response(head.status, head.headers, data)

    def exchange(
        self,
        wire: Wire | None,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = TIMEOUT,
        stop: Stop | None = None,
    ) -> tuple[Wire, Head]:
        """Like `request`, up to the head of a successful answer; the body is left to be read from the wire returned.

        `wire` is an open connection of the caller's own, to be used if it still serves; it is closed if not. With a
        `stop`, connections are made for it alone and not kept.
        """
        target, what = to_target(path, query), f"{method} {path}"
        refused: Access | None = None
        while True:
            try:
                access = self._credentials.at_hand() or aside(self._credentials.current, stop)
            except BaseException:
                if wire is not None:
                    wire.close()
                raise
            if wire is not None and wire.dialer is not access.dialer:
                wire.close()
                wire = None
            if wire is None and stop is None:
                wire = self._kept(access)
            renew = functools.partial(self._credentials.renew, access)
            try:
                wire, head = self._ask(access, wire, method, target, headers or {}, body, timeout, stop)
            except NoCertificate:
                wire = None
                if refused is not None or not aside(renew, stop):
                    raise
                refused = access
                continue
            if 200 <= head.status < 300:
                return wire, head
            data = b""
            with contextlib.suppress(Unreachable):  # the status says enough
                data = wire.read_all(timeout, ERROR_LIMIT)
            if stop is None:
                self._keep(wire)
            else:
                wire.close()
            wire = None
            error = api_error(head, data, what)
            if head.status != 401:
                raise error
            if refused is not None or not aside(renew, stop):
                raise AuthError(f"{error}. {self._advice()}") from error
            refused = access

    def ask_ahead(self, wire: Wire, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> None:
        """Send the GET that `exchange` will be called for next, on the wire that it will be given, if that serves."""
        access = self._credentials.at_hand()
        if access is not None and wire.dialer is access.dialer and wire.reusable:
            wire.ask_ahead(self._encoded(access, wire, "GET", to_target(path, query), headers, None))

    def _ask(
        self,
        access: Access,
        wire: Wire | None,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        stop: Stop | None,
    ) -> tuple[Wire, Head]:
        while True:
            wire = wire or Wire(access.dialer, stop)
            try:
                return wire, wire.ask(method, self._encoded(access, wire, method, target, headers, body), timeout)
            except Stale as error:
                wire.close()
                if method != "GET":
                    raise Unreachable(f"{error}; whether it carried out the {method} is not known") from error
                wire = None
            except BaseException:
                wire.close()
                raise

    def _encoded(
        self, access: Access, wire: Wire, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        compress = wire.global_peer if self._compress is None else self._compress
        own = {"accept": "application/json", "accept-encoding": "gzip" if compress else "identity"}
        own |= {"user-agent": user_agent()} | {name.lower(): value for name, value in headers.items()}
        lines = [*access.dialer.headers, *own.items(), *access.headers]
        return encode_request(method, access.dialer.target + target, lines, body)

    def _kept(self, access: Access) -> Wire | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                wire = self._idle.pop()
            young = time.monotonic() - wire.idle_since < KEPT_FOR
            if young and wire.dialer is access.dialer and wire.reusable:
                return wire
            wire.close()

    def _keep(self, wire: Wire) -> None:
        if wire.reusable:
            wire.idle_since = time.monotonic()
            with self._lock:
                if len(self._idle) < KEPT:
                    self._idle.append(wire)
                    return
        wire.close()

    def _advice(self) -> str:
        if self._credentials.reloadable:
            return "Loading the credentials again did not help: log in anew, or give the client other ones"
        return "Give Client(..., loader=...) a function that makes a fresh Configuration, and it will be called"

    def memo(self, make: Callable[[Client], V]) -> V:
        """What `make(self)` returned when it was asked for first: for rooms that remember things about a cluster."""
        with self._lock:
            if make not in self._memos:
                self._memos[make] = make(self)
            return cast(V, self._memos[make])

    def close(self) -> None:
        """Close the connections that are kept; the client can go on to be used."""
        with self._lock:
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        url = self._credentials.url
        return f"Client({url or 'not connected yet'})"

    def __reduce__(self) -> str:
        raise TypeError(
            "a Client cannot be pickled: it holds connections and credentials. Make one in each process, as "
            "Client() or Client.from_kubeconfig(...)"
        )


def default_client() -> Client:
    """The client of all who bring none of their own, for the cluster that the environment names."""
    names = ("KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return _shared(*(os.environ.get(name) for name in names))


@functools.lru_cache(maxsize=8)
def _shared(*environment: str | None) -> Client:
    return Client()


def user_agent() -> str:
    """Who asks, as servers log it."""
    return f"kubewatch/{kubewatch.__version__} (python {sys.version.split()[0]})"


def _loaded(loader: Callable[[], Configuration]) -> Loaded:
    try:
        return Loaded(loader())
    except Exception as error:  # the user's function: it may raise anything
        why = f"{type(error).__name__}: {redact(str(error))}"
        raise AuthError(f"the loader of the Client failed: {why}") from error


# Every client of this process, so that a fork's child can give each new locks and connections.
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _renew_clients() -> None:
    for client in list(_clients):
        client._after_fork()
        client._credentials.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_clients)
