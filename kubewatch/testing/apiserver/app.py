"""The server put together: requests in, answers out; who may ask, what is recorded, which faults apply."""

from __future__ import annotations

import gzip
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import msgspec

from . import discovery, openapi
from .accept import PROTOBUF, negotiate
from .cluster import Cluster
from .collector import Collector
from .crd import Definitions
from .faults import Answer, AnyFault, Asked, CutConnection, Faults, GoSilent, Line
from .kinds import Kinds, Resource
from .objects import Objects
from .protobuf_answers import in_protobuf
from .reads import Reads
from .requestlog import RequestLog, recorded
from .routes import Route, route
from .spoil import find, spoil_lines, spoil_list, wire_of
from .status import ApiError, failure, method_not_allowed, unauthorized
from .storage import Storage
from .watch import Watch
from .wire import Cut, Request, Response, Silence, Stream
from .writes import Writes

Json = dict[str, Any]

_log = logging.getLogger(__name__)
_ANSWERING_HEAD = re.compile(r"/apis(/[^/]+)?|/openapi/.+")  # the real server has handlers of another make there
_GZIP_FROM = 128 * 1024  # bytes
_READ = ("get", "list", "watch")


@dataclass(frozen=True)
class Settings:
    """What can be chosen about a server; times in seconds."""

    bookmark_interval: float = 60.0
    history: int = 10_000  # changes kept a kind
    watch_timeout: float = 1800.0  # of a watch that asks for none
    requests_kept: int = 100_000
    controllers: bool = True  # garbage collection and the emptying of deleted namespaces

    def __post_init__(self) -> None:
        for name in ("bookmark_interval", "history", "watch_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} has to be more than 0")


@dataclass(eq=False)
class OpenWatch:
    """A watch that is being served now."""

    watch: Watch
    asked: Asked
    started: float = field(default_factory=time.monotonic)


class App:
    """Answers requests. Holds the storage, the kinds and the rules; knows no socket."""

    def __init__(self, settings: Settings, *, token: str | None = None) -> None:
        self.settings = settings
        self.token = token
        self.address = ""
        self.storage = Storage(history=settings.history)
        self.kinds = Kinds()
        self.cluster = Cluster(self.storage, self.kinds, utc_now)
        self.faults = Faults(self.storage.compact, self._apply_now)
        self.requests = RequestLog(settings.requests_kept)
        self._definitions = Definitions(self.cluster, self._close_watches_of)
        self._collector = Collector(self.cluster) if settings.controllers else None
        self.objects = Objects(self.cluster)
        self._reads = Reads(self.cluster, settings.bookmark_interval, settings.watch_timeout)
        self._writes = Writes(self.cluster)
        self._open_changed = threading.Condition()  # guards _open
        self._open: set[OpenWatch] = set()

    # --- for the handle ---

    def start(self) -> None:
        """Starts what works in the background."""
        if self._collector is not None:
            self._collector.start()

    def stop(self) -> None:
        """Ends what ``start`` started."""
        if self._collector is not None:
            self._collector.stop()

    def settle(self, seconds: float) -> bool:
        """Waits until what works in the background has nothing left to do."""
        return self._collector is None or self._collector.settle(seconds)

    def _close_watches_of(self, resource: Resource) -> None:
        for one in self.watches():
            if (one.asked.plural, one.asked.kind) == (resource.plural, resource.kind):
                one.watch.finish()

    def watches(self) -> list[OpenWatch]:
        with self._open_changed:
            return list(self._open)

    def wait_for_watches(self, count: int, kind: str, seconds: float) -> bool:
        """Waits until exactly ``count`` watches (of a kind, if one is named) are open."""

        def open_now() -> int:
            return sum(not kind or kind in (one.asked.kind, one.asked.plural) for one in self._open)

        with self._open_changed:
            return self._open_changed.wait_for(lambda: open_now() == count, seconds)

    def send_bookmarks(self) -> int:
        """Has every open watch that wants bookmarks send one now; returns how many watches are open."""
        watches = self.watches()
        for one in watches:
            one.watch.send_bookmark()
        return len(watches)

    def _apply_now(self, faults: Sequence[AnyFault], fits: Callable[[Asked], bool]) -> int:
        hit = [one for one in self.watches() if fits(one.asked)]
        for one in hit:
            for fault in faults:
                if isinstance(fault, CutConnection):
                    one.watch.interject(Cut(reset=fault.reset))
                elif isinstance(fault, GoSilent):
                    one.watch.interject(Silence())
                elif isinstance(fault, Line):
                    one.watch.interject(fault.line)
                    if fault.ends:
                        one.watch.interject(None)
                else:
                    raise TypeError(
                        f"{type(fault).__name__} cannot be done to an open watch; add() it for the next one"
                    )
        return len(hit)

    # --- requests ---

    def handle(self, request: Request) -> Response | Stream:
        try:
            found = route(request, self.kinds)
            refused = None
        except ApiError as error:
            found, refused = None, error
        asked = _asked(request, found)
        self.requests.append(recorded(request, found))
        faults = self.faults.take(asked)
        wire = wire_of(faults)
        answer = find(faults, Answer)
        if answer is not None:
            return Response(answer.status, answer.body, answer.headers, answer.content_type, wire=wire)
        try:
            self._authenticate(request)
            if refused is not None:
                raise refused
            answered = self._answer(request, found, asked, faults)
            if found is not None and found.verb in _READ and not found.subresource and _asks_for_protobuf(request):
                answered = in_protobuf(answered)
        except ApiError as error:
            answered = Response(error.code, error.body, error.headers)
        except Exception as error:  # the server must answer, as the real one does
            _log.exception("the server failed on %s %s", request.method, request.path)
            status = failure(500, "InternalError", f"Internal error occurred: {error!r}")
            answered = Response(500, msgspec.json.encode(status))
        if isinstance(answered, Response):
            return (
                replace(_gzipped(request, answered, found), wire=wire) if faults else _gzipped(request, answered, found)
            )
        return replace(answered, wire=wire) if faults else answered

    def _authenticate(self, request: Request) -> None:
        if self.token is not None and request.header("authorization") != f"Bearer {self.token}":
            raise unauthorized()

    def _answer(
        self, request: Request, found: Route | None, asked: Asked, faults: Sequence[AnyFault]
    ) -> Response | Stream:
        if found is None:
            return self._outside_resources(request)
        if found.verb == "watch":
            return self._watch(request, found, asked, faults)
        if found.verb == "list":
            response = self._reads.list(request, found)
            return replace(response, body=spoil_list(response.body, faults)) if faults else response
        if found.verb == "get" and found.subresource != "scale":
            return self._reads.get(request, found)
        return self._writes.answer(request, found)

    def _watch(self, request: Request, found: Route, asked: Asked, faults: Sequence[AnyFault]) -> Response | Stream:
        started = self._reads.watch(request, found, faults)
        opened = OpenWatch(started, asked)
        with self._open_changed:
            self._open.add(opened)
            self._open_changed.notify_all()

        def close() -> None:
            started.close()
            with self._open_changed:
                self._open.discard(opened)
                self._open_changed.notify_all()

        lines = spoil_lines(_lines(started), faults)
        return Stream(lines, close)

    def _outside_resources(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        if path in ("/healthz", "/readyz", "/livez") or path.startswith(("/healthz/", "/readyz/", "/livez/")):
            return Response(200, b"ok", content_type="text/plain; charset=utf-8")
        document = self._discovery(request, path)
        if document is None:
            return Response(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")
        if request.method != "GET" and not (request.method == "HEAD" and _ANSWERING_HEAD.fullmatch(path)):
            raise method_not_allowed()
        content_type = "application/json"
        if document.get("kind") == "APIGroupDiscoveryList":
            version = str(document["apiVersion"]).partition("/")[2]
            content_type += f";g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return Response(200, msgspec.json.encode(document), content_type=content_type)

    def _discovery(self, request: Request, path: str) -> Json | None:
        if path.startswith("/openapi/v3"):
            return openapi.describe(self.kinds, path)
        parts = path.strip("/").split("/")
        if path == "/version":
            return discovery.VERSION
        if path in ("/api", "/apis"):
            aggregated = _aggregated_version(request.header("accept"))
            if aggregated:
                return discovery.aggregated(self.kinds, core=path == "/api", version=aggregated)
            return discovery.api_versions(self.address) if path == "/api" else discovery.api_groups(self.kinds)
        if parts[0] == "api" and len(parts) == 2:
            return discovery.api_resources(self.kinds, "", parts[1])
        if parts[0] == "apis" and len(parts) == 2:
            return discovery.api_group(self.kinds, parts[1])
        if parts[0] == "apis" and len(parts) == 3:
            return discovery.api_resources(self.kinds, parts[1], parts[2])
        return None


def _asks_for_protobuf(request: Request) -> bool:
    accept = request.header("accept")
    return PROTOBUF in accept and negotiate(accept).protobuf


def utc_now() -> str:
    """The time as the API writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(watch: Watch) -> Iterator[Sequence[bytes]]:
    """Drives a watch by the wall clock."""
    while not watch.done:
        now = time.monotonic()
        lines = watch.poll(now)
        if lines:
            yield lines
        elif not watch.done:
            due = watch.due()
            watch.wait(None if due == float("inf") else max(0.0, due - now))


def _asked(request: Request, found: Route | None) -> Asked:
    if found is None:
        return Asked(request.method, request.path)
    return Asked(request.method, request.path, found.verb, found.resource.kind, found.resource.plural)


def _aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that a client prefers to everything else, if it does."""
    for media in accept.split(","):
        parameters = dict(part.strip().partition("=")[::2] for part in media.split(";")[1:])
        if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("v") in ("v2", "v2beta1"):
            return parameters["v"]
    return ""


def _gzipped(request: Request, response: Response, found: Route | None) -> Response:
    """Compresses long answers for those who want it, as kube-apiserver does."""
    if len(response.body) < _GZIP_FROM or "gzip" not in request.header("accept-encoding"):
        return response
    headers = (*response.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return replace(response, body=gzip.compress(response.body, 1), headers=headers)
