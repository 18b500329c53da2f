"""Where `managedFields` are in the JSON of an object: about half of it, and rarely looked at by anybody."""

from __future__ import annotations

_MANAGED = b',"managedFields":['

# What it must follow: the end of a value that is no text. Behind a text, it could be a label with a wrong value.
_ENDS = frozenset(b"}]0123456789el")

# Bytes in which managedFields must begin to be found. In Go's order it comes behind all other metadata.
REACH = 4096


def find_managed_fields(raw: bytes) -> tuple[int, int] | None:
    """Where a member `managedFields` begins, with the comma before, and ends; None where that is not plain to see.

    >>> raw = b'{"metadata":{"labels":{},"managedFields":[{"manager":"kubelet"}]}}'
    >>> raw[slice(*find_managed_fields(raw))]
    b',"managedFields":[{"manager":"kubelet"}]'

    It begins where `,"managedFields":[` stands, and ends at the next bracket, if no other opens before. That is so
    wherever these bytes are, if both `raw` and what is left without them are JSON. The beginning cannot be in a string,
    as the first quote in it is not escaped and would end that string, and what follows a string is no letter. Nor can
    the end: what follows would begin within a string and end outside of one; without the piece before, it begins
    outside, and so has one quote too many to be JSON.
    """
    start = raw.find(_MANAGED, 0, REACH)
    if start < 1 or raw[start - 1] not in _ENDS:
        return None
    end = raw.find(b"]", start)
    if end < 0 or raw.find(b"[", start + len(_MANAGED), end) >= 0:
        return None
    return start, end + 1
