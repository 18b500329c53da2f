"""A controller that uses the database."""

from __future__ import annotations

import logging

from kubewatch import Action, Api, Controller, Object, Program

from .models import Machine

logger = logging.getLogger(__name__)


def reconcile(settings: Object, context: None) -> Action:
    """Note the ConfigMap in the database."""
    Machine.objects.update_or_create(name=settings.name, defaults={"size": len(settings.data or {})})
    logger.info("noted %s", settings.name)
    return Action.await_change()


controller = Program(Controller(Api("configmaps", namespace="default")), reconcile)
