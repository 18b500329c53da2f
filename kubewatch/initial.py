"""`InitialList`: how one stream asks for the objects that exist: streamed, in pages or in one piece."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from .config import Config
from .errors import ApiError
from .params import ListParams
from .patience import FEW
from .source import Source, named
from .versions import expired
from .vitals import Vitals

log = logging.getLogger(__name__)

# How a server answers that does not know sendInitialEvents: bad request, no such method, invalid, not implemented.
_STREAMING_REFUSED = (400, 405, 422, 501)


class InitialList:
    """Knows what was asked for, and goes over to another way where a server does not get to the end of one.

    - From streaming to pages, for good: where the server refuses, and where it does not mark the end of the initial
      events. It is silent then, or ends its watches, or sends ordinary bookmarks, which no server does before the end.
    - From pages to one piece, for the next list: where a page expired. Whoever takes longer for a page than the server
      keeps its version (5 minutes) would otherwise begin again and again, and never see the objects behind it.
    """

    def __init__(self, source: Source[Any], config: Config, vitals: Vitals) -> None:
        self.streaming = config.initial_list != "list_watch" and config.bookmarks
        self._source = source
        self._config = config
        self._vitals = vitals
        self._in_one_piece = False
        self._unfinished = 0  # initial watches in a row that ended before their end bookmark
        self._bookmarks = 0  # of the initial watch under way
        if config.list_semantic == "any" and config.page_size is not None and not self.streaming:
            log.warning(
                "listing %s at any version: the server answers from its cache, in one piece, and page_size=%d is not "
                "used; page_size=None says so, and silences this",
                named(source),
                config.page_size,
                extra=self._extra,
            )

    def list_params(self, continue_: str) -> ListParams:
        """The request for a page: the first one, or the one that `continue_` leads to."""
        params = self._config.to_list_params(continue_)
        return msgspec.structs.replace(params, limit=None) if self._in_one_piece else params

    def done(self) -> None:
        """The objects that exist have come, all of them."""
        self._unfinished = 0
        self._in_one_piece = False

    def list_failed(self, error: Exception, continue_: str) -> None:
        """A page did not come: the first one, or the one that `continue_` leads to."""
        self._in_one_piece = bool(continue_) and isinstance(error, ApiError) and expired(error)

    def refused(self, error: Exception) -> bool:
        """The initial watch did not start; whether that means that the server does not stream."""
        if not isinstance(error, ApiError) or error.code not in _STREAMING_REFUSED:
            return False
        self._fall_back(str(error))
        return True

    def started(self) -> None:
        """The initial watch was accepted."""
        self._bookmarks = 0

    def bookmarked(self) -> bool:
        """A bookmark came that does not end the initial events; whether to read on."""
        self._bookmarks += 1
        if self._bookmarks >= FEW:
            self._fall_back(f"{self._bookmarks} bookmarks came, and none that ends the initial events")
        return self.streaming

    def ended(self, *, silent: bool) -> None:
        """The initial watch ended before the initial events did."""
        self._unfinished += 1
        if silent or self._unfinished >= FEW:
            self._fall_back(f"the initial events came to no end, watches in a row: {self._unfinished}")

    def _fall_back(self, why: str) -> None:
        self.streaming = False
        self._vitals.restarts["refused"] += 1
        log.log(
            logging.WARNING if self._config.initial_list == "streaming" else logging.INFO,
            "the server does not stream the initial %s, which are listed instead: %s",
            named(self._source),
            why,
            extra=self._extra,
        )

    @property
    def _extra(self) -> dict[str, str | None]:
        return {"kind": self._source.kind, "namespace": self._source.namespace}
