"""The admin, and what probes and monitoring ask."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("kube/", include("kubewatch.contrib.django.urls")),
]
