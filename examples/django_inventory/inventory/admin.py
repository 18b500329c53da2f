"""The inventory in the admin: to be searched and filtered, and changed in the cluster only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from kubewatch.contrib.django.models import ReflectionState

from .models import Deployment, Node


class ReadOnly(admin.ModelAdmin):
    """Rows that nobody changes here, as the cluster would not hear of it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    list_display = ("name", "namespace", "team", "is_complete", "ready", "replicas", "image")
    list_filter = ("namespace", "team")
    search_fields = ("name", "image")

    @admin.display(boolean=True, description="complete")
    def is_complete(self, deployment: Deployment) -> bool:
        """Whether all replicas are ready."""
        return bool(deployment.ready >= deployment.replicas)


@admin.register(Node)
class NodeAdmin(ReadOnly):
    list_display = ("name", "ready", "version", "cpu", "memory", "created")
    list_filter = ("ready", "version")
    search_fields = ("name",)


@admin.register(ReflectionState)
class ReflectionStateAdmin(ReadOnly):
    list_display = ("name", "as_of")
    ordering = ("name",)

    @admin.display
    def as_of(self, state: ReflectionState) -> str:
        """How old the rows are."""
        return f"{(timezone.now() - state.heard_at).total_seconds():.0f} seconds ago"
