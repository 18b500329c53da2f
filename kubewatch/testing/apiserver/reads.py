"""HTTP's side of get, list and watch."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from .cluster import Cluster
from .faults import AnyFault, RefuseInitialEvents
from .forms import renderer_for
from .listing import ListOptions, list_page, parse_version, read_options
from .render import Renderer
from .routes import Route
from .spoil import find
from .status import ApiError, too_large_version
from .watch import Watch, error_line
from .wire import Request, Response

Json = dict[str, Any]


class Reads:
    """Answers reads; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, bookmark_interval: float, watch_timeout: float) -> None:
        self._cluster = cluster
        self._storage = cluster.storage
        self._bookmark_interval = bookmark_interval
        self._watch_timeout = watch_timeout

    def get(self, request: Request, route: Route) -> Response:
        renderer = renderer_for(request, route.resource, listing=False)
        asked = parse_version(request.query.get("resourceVersion", ""))
        if asked > self._storage.version:
            raise too_large_version(asked, self._storage.version)
        entry = self._cluster.get(route.resource, route.namespace, route.name)
        return Response(200, renderer.one(entry) + b"\n")

    def list(self, request: Request, route: Route) -> Response:
        renderer = renderer_for(request, route.resource, listing=True)
        options = read_options(request.query, route.resource, watch=False)
        page = list_page(self._storage, route.resource, route.namespace, options)
        return Response(200, renderer.many(page.entries, page.metadata) + b"\n")

    def watch(self, request: Request, route: Route, faults: Sequence[AnyFault]) -> Watch:
        """The watch that a request asks for, not yet started."""
        renderer = renderer_for(request, route.resource, listing=False, watching=True)
        refusal = find(faults, RefuseInitialEvents)
        query = request.query
        if refusal is not None and refusal.ignore:
            query = {
                key: value for key, value in query.items() if key not in ("sendInitialEvents", "resourceVersionMatch")
            }
        options = read_options(query, route.resource, watch=True, initial_events_known=refusal is None)
        return self._open(route, options, renderer, time.monotonic())

    def _open(self, route: Route, options: ListOptions, renderer: Renderer, now: float) -> Watch:
        collection = self._cluster.collection(route.resource)
        selects = options.selects(route.namespace)
        asked = parse_version(options.version)
        timeout = options.timeout or self._watch_timeout * random.uniform(1, 2)
        with self._storage.lock:
            current = self._storage.version
            from_now = not asked or (options.initial_events is not None and options.initial_events)
            failed = too_large_version(asked, current) if options.initial_events and asked > current else None
            initial = from_now and options.initial_events is not False
            cursor = collection.history.end
            if not from_now:
                try:
                    cursor = collection.history.after(asked)
                except ApiError as error:
                    failed = error
            watch = Watch(
                self._storage,
                collection,
                renderer,
                selects=selects,
                cursor=cursor,
                version=current if from_now else asked,
                initial=[entry for entry in collection.ordered()[1] if selects(entry)] if initial else (),
                announce_end=bool(options.initial_events and options.bookmarks),
                bookmarks=options.bookmarks,
                bookmark_interval=self._bookmark_interval,
                now=now,
                ends_at=now + timeout,
            )
        if failed is not None:  # a watch is refused within its stream, as the real server does it
            watch.interject(error_line(failed))
            watch.interject(None)
        return watch
