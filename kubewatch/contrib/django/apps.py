"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class KubewatchConfig(AppConfig):
    """The app `kubewatch`. Starts nothing."""

    name = "kubewatch.contrib.django"
    label = "kubewatch"
    verbose_name = "Kubernetes"
    default_auto_field = "django.db.models.BigAutoField"
