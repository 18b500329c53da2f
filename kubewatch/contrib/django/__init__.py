"""Django: stores kept in the settings, models kept in step with a cluster, controllers as management commands.

Put `kubewatch.contrib.django` into INSTALLED_APPS. Nothing starts at import, nor with any management command that does
not say so.
"""

from __future__ import annotations

from .reflection import Reflection, reflect_model
from .signals import object_applied, object_deleted
from .stores import stores

__all__ = ["Reflection", "object_applied", "object_deleted", "reflect_model", "stores"]
