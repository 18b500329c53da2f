"""From events to what changed: each object once, again only when it is different, and deletions, also missed ones.

A watch that had to list anew says `Init`, every object there is, `InitDone`; what is not among them is gone. Here that
becomes what a person wants to know: what is new, what is different, what is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from kubewatch.decode import decode_partial
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import PartialObjectMeta, key_of


class What(enum.Enum):
    """What happened to an object: the word that JSON has for it, and the word that tables have."""

    LISTED = ("Apply", "")  # it is there at the start
    ADDED = ("Apply", "added")
    CHANGED = ("Apply", "changed")
    DELETED = ("Delete", "deleted")
    READY = ("", "")  # no object: all that are there at the start have been handed out

    # Events as they come, where somebody asked for those
    INIT = ("Init", "Init")
    INIT_APPLY = ("InitApply", "InitApply")
    INIT_DONE = ("InitDone", "InitDone")
    APPLY = ("Apply", "Apply")
    DELETE = ("Delete", "Delete")

    @property
    def event(self) -> str:
        """The word in JSON and YAML."""
        return self.value[0]

    @property
    def word(self) -> str:
        """The word in tables."""
        return self.value[1]


class Change(NamedTuple):
    """One thing that happened, and the object that it happened to, if it is about one."""

    what: What
    object: Any = None


_OF_EVENTS = {
    Init: What.INIT,
    InitApply: What.INIT_APPLY,
    InitDone: What.INIT_DONE,
    Apply: What.APPLY,
    Delete: What.DELETE,
}


def as_they_come(events: Iterable[Event[Any]]) -> Iterator[Change]:
    """Every event as a change of its own."""
    for event in events:
        yield Change(_OF_EVENTS[type(event)], getattr(event, "object", None))


class _Seen(NamedTuple):
    uid: str
    version: str
    mark: Hashable | None


def changes(events: Iterable[Event[Any]], mark: Callable[[Any], Hashable | None]) -> Iterator[Change]:
    """What the events say has changed; an object counts as changed when its `mark` is not the one it had.

    `mark` is a predicate such as `predicates.labels`, or `resource_version` for every change; where it gives None,
    every new version counts. A deletion that no event told of comes as a PartialObjectMeta with what identifies the
    object: its last state was never seen.

    >>> from kubewatch.decode import decode_object
    >>> web = decode_object(b'{"metadata": {"name": "web", "uid": "1"}}', "v1", "Pod")
    >>> events = [Init(), InitApply(web), InitDone(), Init(), InitApply(web), InitDone(), Init(), InitDone()]
    >>> [change.what.name for change in changes(events, mark=lambda pod: pod.uid)]
    ['LISTED', 'READY', 'DELETED']
    """
    seen: dict[tuple[str, str], _Seen] = {}
    listed: set[tuple[str, str]] = set()
    type_of = ("", "")
    ready = False
    for event in events:
        if isinstance(event, Init):
            listed = set()
        elif isinstance(event, InitDone):
            for key in sorted(seen.keys() - listed):
                yield Change(What.DELETED, _identity(key, seen.pop(key), *type_of))
            if not ready:
                ready = True
                yield Change(What.READY)
        else:
            obj = event.object
            key = key_of(obj)
            type_of = obj.api_version, obj.kind
            before = seen.pop(key, None)
            if isinstance(event, Delete):
                yield Change(What.DELETED, obj)
                continue
            listed.add(key)
            if before is not None and before.uid != obj.uid:
                yield Change(What.DELETED, _identity(key, before, *type_of))
                before = None
            seen[key] = now = _Seen(obj.uid, obj.resource_version, mark(obj))
            if before is None:
                yield Change(What.ADDED if ready or isinstance(event, Apply) else What.LISTED, obj)
            elif now.mark != before.mark or (now.mark is None and now.version != before.version):
                yield Change(What.CHANGED, obj)


def _identity(key: tuple[str, str], seen: _Seen, api_version: str, kind: str) -> PartialObjectMeta:
    namespace, name = key
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= {"uid": seen.uid, "resourceVersion": seen.version}
    return decode_partial(msgspec.json.encode({"metadata": metadata}), api_version, kind)
