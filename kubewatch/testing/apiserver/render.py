"""How stored objects are written out: whole, metadata only, or as a Table; one by one and as lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from .kinds import Resource
from .storage import Entry

Json = dict[str, Any]


class Renderer(Protocol):
    """One form of the answer, for one kind."""

    def one(self, entry: Entry) -> bytes:
        """The object on its own."""

    def many(self, entries: Sequence[Entry], metadata: Json) -> bytes:
        """A list; ``metadata`` is the list's own."""

    def bookmark(self, metadata: Json) -> bytes:
        """The object of a bookmark: a version and perhaps annotations."""


class WholeRenderer:
    """Objects as they are. In typed lists items have no apiVersion and kind, in lists of custom resources they do."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        type_meta = {"kind": resource.kind, "apiVersion": resource.api_version}
        self._head = msgspec.json.encode(type_meta)[:-1] + b","
        self._list_head = {"kind": resource.list_kind, "apiVersion": resource.api_version}

    def one(self, entry: Entry) -> bytes:
        return self._head + self.raw(entry)[1:]

    def raw(self, entry: Entry) -> bytes:
        if self._resource.conversion is None:
            return entry.raw
        return msgspec.json.encode(self._resource.outward(entry.decode()))

    def many(self, entries: Sequence[Entry], metadata: Json) -> bytes:
        items = map(self.one, entries) if self._resource.custom else map(self.raw, entries)
        if self._resource.custom:
            metadata = {"continue": ""} | metadata
        return _list(self._list_head, metadata, b",".join(items))

    def bookmark(self, metadata: Json) -> bytes:
        return self._head + msgspec.json.encode({"metadata": metadata})[1:]


class PartialRenderer:
    """PartialObjectMetadata and its list, of a version of ``meta.k8s.io``."""

    def __init__(self, version: str = "v1") -> None:
        self._api_version = f"meta.k8s.io/{version}"
        self._head = msgspec.json.encode({"kind": "PartialObjectMetadata", "apiVersion": self._api_version})[:-1] + b","

    def one(self, entry: Entry) -> bytes:
        return self._head + entry.render_partial()[1:]

    def many(self, entries: Sequence[Entry], metadata: Json) -> bytes:
        head = {"kind": "PartialObjectMetadataList", "apiVersion": self._api_version}
        return _list(head, metadata, b",".join(map(self.one, entries)))

    def bookmark(self, metadata: Json) -> bytes:
        return self._head + msgspec.json.encode({"metadata": metadata})[1:]


class TableRenderer:
    """Tables as kubectl prints them; in a watch (``columns_once``) only the first one names its columns.

    ``tabulate`` is given whole objects, the table's metadata, and whether the columns are to be named.
    """

    def __init__(
        self, resource: Resource, tabulate: Callable[[list[Json], Json, bool], Json], *, columns_once: bool = False
    ) -> None:
        self._tabulate = tabulate
        self._resource = resource
        self._type = {"kind": resource.kind, "apiVersion": resource.api_version}
        self._columns_once = columns_once
        self._columns_named = False

    def one(self, entry: Entry) -> bytes:
        return self._render([self._whole(entry)], {"resourceVersion": str(entry.version)})

    def many(self, entries: Sequence[Entry], metadata: Json) -> bytes:
        return self._render([self._whole(entry) for entry in entries], metadata)

    def bookmark(self, metadata: Json) -> bytes:
        return self._render([self._type | {"metadata": metadata}], {"resourceVersion": metadata["resourceVersion"]})

    def _whole(self, entry: Entry) -> Json:
        return self._resource.outward(self._type | entry.decode())

    def _render(self, objects: list[Json], metadata: Json) -> bytes:
        headers = not (self._columns_once and self._columns_named)
        self._columns_named = True
        return msgspec.json.encode(self._tabulate(objects, metadata, headers))


def _list(head: Json, metadata: Json, items: bytes) -> bytes:
    opening = msgspec.json.encode(head | {"metadata": metadata})[:-1]
    return b"".join((opening, b',"items":[', items, b"]}"))
