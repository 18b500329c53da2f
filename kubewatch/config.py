"""`Config`: what to watch of a collection, and how. A contradiction is refused when it is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .errors import InvalidInput
from .params import NOT_OLDER_THAN, ListParams, WatchParams
from .selectors import FieldSelector, LabelSelector, parse_fields, parse_labels

ListSemantic = Literal["most_recent", "any"]
InitialList = Literal["list_watch", "streaming", "auto"]


@dataclass(frozen=True)
class Config:
    """What to watch and how; the defaults are right for nearly everybody.

    >>> Config(label_selector="app=web", page_size=100).timeout
    290

    - `label_selector`, `field_selector`: as kubectl writes them (`app in (a, b)`, `status.phase=Running`), or as values
      of `kubewatch.selectors`; labels also as a mapping. Kept as text.
    - `timeout`: seconds after which the server ends a watch, which is then resumed; 0 lets the server choose.
    - `list_semantic`: `"most_recent"`, or `"any"` version that the server has at hand. `"any"` is answered from the
      server's cache, which knows no pages: `page_size` is then not used.
    - `initial_list`: how the first objects come: by `"list_watch"`, in pages; by `"streaming"`, as the beginning of the
      watch (Kubernetes 1.32 and later; easier on the server), falling back to pages, with a warning, where the server
      refuses; `"auto"` is the same without the warning, and without bookmarks it is `"list_watch"`.
    - `page_size`: objects in a page of the list; None asks for all in one.
    - `bookmarks`: have the server report its version while nothing changes. They prove that the connection lives.
    - `idle_timeout`: seconds of silence after which a watch is taken for dead and resumed. None: `timeout` + 15, and
      once the server has shown that it sends bookmarks, 100. Set it below the limit of a load balancer on the way.
    - `strict`: an object that cannot be decoded fails the list that it is in, and restarts the watch that it comes by.
      Otherwise it is reported as `DecodeFailed`, and the others are not held up: a store keeps its last state that was
      decoded until the next list, and is without the object from then on. It also has each object checked to the last
      byte when it comes. Otherwise all of it is known to be JSON, but what is in its labels, annotations and owner
      references, and whether its text is UTF-8, is checked when that is first touched, which then raises `Unreadable`.

    Raises InvalidInput. https://docs.rs/kube-runtime/latest/kube_runtime/watcher/struct.Config.html
    """

    label_selector: str | Mapping[str, Any] | LabelSelector | None = None
    field_selector: str | FieldSelector | None = None
    timeout: int = 290
    list_semantic: ListSemantic = "most_recent"
    initial_list: InitialList = "list_watch"
    page_size: int | None = 500
    bookmarks: bool = True
    idle_timeout: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        labels, fields = self.label_selector, self.field_selector
        if labels is not None and not isinstance(labels, str):
            object.__setattr__(self, "label_selector", str(LabelSelector.of(labels)))
        elif labels is not None:
            parse_labels(labels)
        if isinstance(fields, FieldSelector):
            object.__setattr__(self, "field_selector", str(fields))
        elif fields is not None:
            parse_fields(fields)
        _one_of("list_semantic", self.list_semantic, get_args(ListSemantic))
        _one_of("initial_list", self.initial_list, get_args(InitialList))
        if not _is_int(self.timeout) or self.timeout < 0:
            raise InvalidInput(
                f"timeout is a whole number of seconds, 0 or more, not {self.timeout!r}; 0 lets the server choose"
            )
        if self.page_size is not None and (not _is_int(self.page_size) or self.page_size < 1):
            raise InvalidInput(
                f"page_size is a number of objects, 1 or more, not {self.page_size!r}; None asks for all in one page"
            )
        idle = self.idle_timeout
        if idle is not None and not (
            isinstance(idle, (int, float)) and not isinstance(idle, bool) and math.isfinite(idle) and idle > 0
        ):
            raise InvalidInput(
                f"idle_timeout is a finite number of seconds, more than 0, not {idle!r}: a watch without such a limit "
                "can go silent for ever. None is the default"
            )
        for switch in ("bookmarks", "strict"):
            if not isinstance(getattr(self, switch), bool):
                raise InvalidInput(f"{switch} is True or False, not {getattr(self, switch)!r}")
        if self.initial_list == "streaming" and not self.bookmarks:
            raise InvalidInput(
                "initial_list='streaming' needs bookmarks=True: the end of the initial objects is marked by a bookmark"
            )

    def to_list_params(self, continue_: str = "") -> ListParams:
        """The request for a page: the first one, or the one that `continue_` leads to.

        >>> Config(page_size=2, label_selector="app=web").to_list_params("next").query()
        [('labelSelector', 'app=web'), ('limit', '2'), ('continue', 'next')]
        """
        cached = self.list_semantic == "any"
        return ListParams(
            **self._selectors(),
            limit=None if cached else self.page_size,
            continue_=continue_ or None,
            resource_version="0" if cached and not continue_ else None,
            resource_version_match=NOT_OLDER_THAN if cached and not continue_ else None,
        )

    def to_watch_params(self, resource_version: str | None) -> WatchParams:
        """The request for a watch from a version on; with None, for one that begins with what exists.

        What exists is the newest there is, unless `list_semantic` is `"any"`: the version is then 0, and empty else.

        >>> Config().to_watch_params("42").query()[-1]
        ('resourceVersion', '42')
        """
        initial = "0" if self.list_semantic == "any" else ""
        return WatchParams(
            **self._selectors(),
            timeout=self.timeout,
            bookmarks=self.bookmarks,
            send_initial_events=resource_version is None,
            resource_version=initial if resource_version is None else resource_version,
        )

    def _selectors(self) -> dict[str, Any]:
        return {"label_selector": self.label_selector or None, "field_selector": self.field_selector or None}


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(field: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(f"{field} is one of {', '.join(map(repr, allowed))}, not {value!r}")
