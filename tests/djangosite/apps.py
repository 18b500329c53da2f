"""The site's own app."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Has receivers of signals."""

    name = "tests.djangosite"
    label = "djangosite"

    def ready(self) -> None:
        """Connect the receivers."""
        from . import receivers  # noqa: F401  # which connect themselves
