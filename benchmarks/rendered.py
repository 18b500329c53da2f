"""`Rendered`: everything that a replay server answers, as bytes that are made once, when first asked for."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator

from .pods import METADATA, TYPED, Form, render

# Bytes after which Go's http package begins a new chunk when a body is written in small pieces.
GO_BUFFER = 2048

# Events sent by one call, where they are sent as fast as the socket takes them.
BLOCK = 64


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Rendered:
    """The lists and watches of `objects` pods and `events` changes after them, in one form.

    The list is at version `objects`; change number i, counted from 0, makes the version `objects + 1 + i`. All but the
    last leave the pod's generation as it is.
    """

    def __init__(self, form: Form, objects: int, events: int) -> None:
        self.form = form
        self.version = objects
        self.objects, self.events = objects, events

    @functools.cached_property
    def _items(self) -> list[bytes]:
        return [render(self.form.in_list, number, number + 1) for number in range(self.objects)]

    def page(self, start: int, limit: int, *, itemwise: bool) -> Iterator[bytes]:
        """One page of the list, as the chunks of its body; with `itemwise`, two chunks an object.

        Kubernetes writes a page of metadata in one chunk; pages of objects too before 1.33, and in two an object since.
        """
        end = min(start + limit, self.objects) if limit else self.objects
        meta: dict[str, object] = {"resourceVersion": str(self.version)}
        if end < self.objects:
            token = json.dumps({"v": "meta.k8s.io/v1", "rv": self.version, "start": end}, separators=(",", ":"))
            meta |= {"continue": base64.b64encode(token.encode()).decode(), "remainingItemCount": self.objects - end}
        head = self.form.list_head + json.dumps(meta, separators=(",", ":")).encode() + b',"items":['
        items = self._items[start:end]
        if itemwise:
            for number, item in enumerate(items):
                piece = (b"," if number else head) + item
                yield chunk(piece[:GO_BUFFER]) + chunk(piece[GO_BUFFER:])
            yield chunk(b"]}\n" if items else head + b"]}\n")
        else:
            yield chunk(head + b",".join(items) + b"]}\n")
        yield b"0\r\n\r\n"

    @functools.cached_property
    def initial_events(self) -> list[bytes]:
        """The beginning of a watch that was asked for initial events, a chunk each; the bookmark is the last."""
        added = [self._event(b"ADDED", number, number + 1) for number in range(self.objects)]
        return [*added, chunk(self.form.bookmark % self.version)]

    @functools.cached_property
    def changes(self) -> list[bytes]:
        """What a watch from the list's version on brings, a chunk each."""
        last = self.events - 1
        return [self.change(at, 2 if at == last else 1) for at in range(self.events)]

    def change(self, at: int, generation: int = 1, note: str = "") -> bytes:
        """Change number `at`, a chunk."""
        number = at % self.objects
        return self._event(b"MODIFIED", number, self.version + 1 + at, generation, note)

    def _event(self, type_: bytes, number: int, version: int, generation: int = 1, note: str = "") -> bytes:
        pod = render(self.form.in_event, number, version, generation, note)
        return chunk(b'{"type":"%b","object":%b}\n' % (type_, pod))


def start_of(token: str) -> int:
    """Where the page begins that a continue token leads to."""
    return int(json.loads(base64.b64decode(token))["start"]) if token else 0


def both_forms(objects: int, events: int) -> dict[bool, Rendered]:
    """What is rendered, by whether only metadata is asked for."""
    return {False: Rendered(TYPED, objects, events), True: Rendered(METADATA, objects, events)}
