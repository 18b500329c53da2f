"""The app's configuration."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed

from .checks import check_settings
from .stores import stores


class KubewatchConfig(AppConfig):
    """The app `kubewatch`. Starts nothing."""

    name = "kubewatch.contrib.django"
    label = "kubewatch"
    verbose_name = "Kubernetes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and have `override_settings` work."""
        checks.register(check_settings)
        setting_changed.connect(_settings_changed)


def _settings_changed(setting: str, **_: Any) -> None:
    if setting == "KUBEWATCH":
        stores.forget()
