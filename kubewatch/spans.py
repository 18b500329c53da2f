"""Where in bytes something stands: what is received is cut up without a copy, until somebody keeps a part of it."""

from __future__ import annotations

Span = tuple[bytes, int, int]  # bytes, and where in them it begins and ends


def joined(spans: list[Span]) -> bytes:
    """What stands in `spans`, one behind the other.

    >>> joined([(b"one two", 0, 3), (b"and", 1, 3)])
    b'onend'
    """
    if len(spans) == 1:
        text, start, end = spans[0]
        return text[start:end]  # which copies nothing where it is all of it
    return b"".join([memoryview(text)[start:end] for text, start, end in spans])
