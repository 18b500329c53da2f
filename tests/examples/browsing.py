"""A real browser, and what a test asks of a page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

# Set where a missing browser is a failure and not a reason to skip.
REQUIRE_BROWSER = "KUBEWATCH_REQUIRE_BROWSER"

# As root, in a container, and without a word to the world outside.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A bound, not a pause, in milliseconds: a page that takes so long has failed.
PATIENCE = 20_000


def chromium() -> Iterator[Browser]:
    """A headless Chromium with an empty profile, closed in the end; skips, and says why, where there is none."""
    found = shutil.which("chromium")
    if found is None:
        absent("there is no chromium; Debian has a package of that name")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("there is no playwright; it comes with kubewatch[web]")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def absent(why: str) -> NoReturn:
    """Skip; but fail where a browser is required."""
    if os.environ.get(REQUIRE_BROWSER):
        pytest.fail(f"{REQUIRE_BROWSER} is set, and {why}")
    pytest.skip(why)


def wait_for(page: Page, selector: str, text: str) -> None:
    """Wait until what `selector` finds has a text that the pattern `text` matches."""
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_have_text(re.compile(text), timeout=PATIENCE)


def contrast(element: Locator) -> float:
    """Of an element's text to what is behind it. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    text, *behind = element.evaluate(
        """element => {
            const found = [getComputedStyle(element).color];
            for (let at = element; at; at = at.parentElement) found.push(getComputedStyle(at).backgroundColor);
            return found;
        }"""
    )
    opaque = next(colour for colour in behind if not colour.startswith("rgba"))
    lighter, darker = sorted((_luminance(text), _luminance(opaque)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
