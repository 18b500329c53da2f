"""What the site serves."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from kubewatch.contrib.django import stores


def names(request: HttpRequest) -> HttpResponse:
    """The names in a store."""
    return HttpResponse(" ".join(sorted(settings.name for settings in stores["settings"])))


def process(request: HttpRequest) -> HttpResponse:
    """Who answers, and whether it watches."""
    return JsonResponse({"pid": os.getpid(), "running": stores["settings"].running})


urlpatterns = [path("names", names), path("process", process), path("kube/", include("kubewatch.contrib.django.urls"))]
