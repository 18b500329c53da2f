"""A controller that uses the database."""

from __future__ import annotations

import logging

from kubewatch import Action, Api, Controller, Object, Program

from .models import Machine

logger = logging.getLogger(__name__)


def reconcile(settings: Object, context: None) -> Action:
    """Note the ConfigMap in the database."""
    if not Machine.objects.filter(name=settings.name).exists():  # outside of a transaction, which mends a connection
        Machine.objects.create(name=settings.name, size=len(settings.data or {}))
    logger.info("noted %s", settings.name)
    return Action.await_change()


controller = Program(Controller(Api("configmaps", namespace="default")).with_config(concurrency=1), reconcile)
