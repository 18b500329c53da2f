"""A browser for the tests of a file: starting it takes longer than using it.

Not for all of them: while it is there, its driver runs an event loop on this thread, and Django refuses to work there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .browsing import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    yield from chromium()
