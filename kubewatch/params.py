"""`ListParams` and `WatchParams`: what a list or a watch asks for, as values; and the text they become in a URL.

The order of the parameters, and which of them exclude each other, are kube-rs's:
https://docs.rs/kube-core/latest/kube_core/params/index.html
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .errors import InvalidInput

Query = list[tuple[str, str]]

NOT_OLDER_THAN = "NotOlderThan"
EXACT = "Exact"

# Seconds after which a server ends a watch when nobody said otherwise.
WATCH_TIMEOUT = 290


def encode_query(query: Iterable[tuple[str, str]]) -> str:
    """The text after the `?` of a URL, each name and value escaped.

    >>> encode_query([("labelSelector", "app in (a, b)"), ("limit", "500")])
    'labelSelector=app+in+%28a%2C+b%29&limit=500'
    """
    from urllib.parse import urlencode  # with all that it loads, for whoever makes a request

    return urlencode(list(query))


def to_target(path: str, query: Iterable[tuple[str, str]]) -> str:
    """What a request asks for: `path`, and `query` where there is one. Raises InvalidInput for a relative path."""
    if not path.startswith("/"):
        raise InvalidInput(f"the path of a request begins with '/', which {path!r} does not")
    text = encode_query(query)
    return f"{path}?{text}" if text else path


class ListParams(msgspec.Struct, frozen=True):
    """What to list: a page of `limit` objects from `continue_` on, at a version.

    Raises InvalidInput for a version match that cannot work.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list

    >>> ListParams(label_selector="app=web", limit=500).query()
    [('labelSelector', 'app=web'), ('limit', '500')]
    """

    label_selector: str | None = None
    field_selector: str | None = None
    limit: int | None = None
    continue_: str | None = None
    resource_version: str | None = None
    resource_version_match: str | None = None

    def __post_init__(self) -> None:
        match = self.resource_version_match
        if self.limit is not None and self.limit < 0:
            raise InvalidInput(f"limit is a number of objects, 0 or more, not {self.limit}")
        if match not in (None, NOT_OLDER_THAN, EXACT):
            raise InvalidInput(f"resource_version_match is {NOT_OLDER_THAN!r} or {EXACT!r}, not {match!r}")
        if match is not None and not self.resource_version:
            raise InvalidInput(f"resource_version_match={match!r} says how to match a resource_version: give one")
        if match == EXACT and self.resource_version == "0":
            raise InvalidInput("resource_version='0' means any version, which cannot be matched exactly")

    def query(self) -> Query:
        """The parameters as they are sent, in order."""
        query: Query = []
        if self.field_selector:
            query.append(("fieldSelector", self.field_selector))
        if self.label_selector:
            query.append(("labelSelector", self.label_selector))
        if self.limit:
            query.append(("limit", str(self.limit)))
        if self.continue_:
            # A continue token holds the version of its list; the server refuses another one beside it.
            query.append(("continue", self.continue_))
        elif self.resource_version and not (self.limit and self.resource_version == "0"):
            # Version 0 is answered from the server's cache, which ignores the limit.
            query.append(("resourceVersion", self.resource_version))
            if self.resource_version_match:
                query.append(("resourceVersionMatch", self.resource_version_match))
        return query


class WatchParams(msgspec.Struct, frozen=True):
    """What to watch: changes after `resource_version`, for `timeout` seconds (0: as long as the server likes).

    With `send_initial_events` the objects that exist come first, then a bookmark marks their end; that needs
    `bookmarks`. Raises InvalidInput. https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists

    >>> WatchParams(resource_version="42").query()[-1]
    ('resourceVersion', '42')
    """

    label_selector: str | None = None
    field_selector: str | None = None
    timeout: int = WATCH_TIMEOUT
    bookmarks: bool = True
    send_initial_events: bool = False
    resource_version: str = "0"

    def __post_init__(self) -> None:
        if self.timeout < 0:
            raise InvalidInput(f"timeout is a number of seconds, 0 or more, not {self.timeout}")
        if self.send_initial_events and not self.bookmarks:
            raise InvalidInput("send_initial_events needs bookmarks: one of them marks the end of the initial events")

    def query(self) -> Query:
        """The parameters as they are sent, in order; the version is always there, and last."""
        query: Query = [("watch", "true"), ("timeoutSeconds", str(self.timeout))]
        if self.field_selector:
            query.append(("fieldSelector", self.field_selector))
        if self.label_selector:
            query.append(("labelSelector", self.label_selector))
        if self.bookmarks:
            query.append(("allowWatchBookmarks", "true"))
        if self.send_initial_events:
            query += [("sendInitialEvents", "true"), ("resourceVersionMatch", NOT_OLDER_THAN)]
        query.append(("resourceVersion", self.resource_version))
        return query
