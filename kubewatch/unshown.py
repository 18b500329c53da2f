"""`Unshown`: a Struct that shows what it is, and not what is in it, which may be a Secret."""

from __future__ import annotations

from typing import Any

import msgspec


class Unshown(msgspec.Struct, frozen=True):
    """The base of what holds the JSON of objects.

    >>> class Box(Unshown, frozen=True):
    ...     raw: bytes
    >>> Box(b"hunter2")
    <Box>
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # What `rich` shows; a Struct has one of its own, which shows all.
        return []
