"""What a watcher needs of the world: somebody who lists and watches one collection of objects.

`Api` is one; a test brings a scripted one. Everything under the watcher hides behind these three protocols.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from .decode import Decode
from .objects import PartialObjectMeta
from .pages import Page
from .params import ListParams, WatchParams
from .stop import Stop

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class WatchBody(Protocol):
    """The body of a watch that the server has accepted."""

    @property
    def idle_timeout(self) -> float:
        """Seconds of silence to bear; setting it counts from the next read on."""

    @idle_timeout.setter
    def idle_timeout(self, seconds: float) -> None: ...

    def blocks(self) -> Iterator[bytes]:
        """The bytes as they come, split anywhere, not empty, free of chunking and compression.

        Ends quietly at the end of the body, also at an unexpected one, and when stopped. Raises `IdleTimeout` after
        `idle_timeout` of silence, and `Unreachable` when the connection was reset.
        """

    def close(self) -> None:
        """Close the connection; idempotent."""


class Session(Protocol):
    """One stream's dealings with the server; used by one thread."""

    def list(self, params: ListParams) -> Page:
        """One page; raises ApiError, AuthError or Unreachable."""

    def watch(self, params: WatchParams, idle_timeout: float) -> WatchBody:
        """A watch that the server has accepted with status 200; raises ApiError, AuthError or Unreachable."""

    def close(self) -> None:
        """Close what is open; idempotent."""


class Source(Protocol[T_co]):
    """A collection of objects that can be listed and watched."""

    @property
    def api_version(self) -> str:
        """The API version that objects have where their JSON says none."""

    @property
    def kind(self) -> str:
        """The kind that objects have where their JSON says none."""

    @property
    def namespace(self) -> str | None:
        """The one namespace looked at; None for all of them, and for cluster-scoped kinds."""

    @property
    def decode(self) -> Decode[T_co]:
        """The JSON of one object, its API version and kind -> the object."""

    def open(self, stop: Stop) -> Session:
        """A session whose every blocking read `stop` ends; makes no request yet."""


class MetadataSource(Protocol):
    """A collection of which the metadata alone can be asked for."""

    def metadata(self) -> Source[PartialObjectMeta]:
        """The same collection, metadata only; itself, if it is that already."""


def named(source: Source[T]) -> str:
    """What a source brings, for logs and messages: "Pod in default"."""
    kind = source.kind or "objects"
    return f"{kind} in {source.namespace}" if source.namespace else kind
