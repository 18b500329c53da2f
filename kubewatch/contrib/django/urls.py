"""The paths of the probes."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "kubewatch"

urlpatterns = [
    path("healthz", views.alive, name="alive"),
    path("readyz", views.ready, name="ready"),
    path("freshness", views.fresh, name="fresh"),
]
