"""Receivers that log, and one that fails."""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import receiver

from kubewatch import Object
from kubewatch.contrib.django import object_applied, object_deleted

logger = logging.getLogger(__name__)


@receiver(object_applied, sender="settings")
def applied(sender: str, object: Object, **_: Any) -> None:
    """Log it, but for one."""
    if object.name == "bad":
        raise LookupError("no such colour")
    logger.info("applied %s %s %s", sender, object.name, dict(object.data or {}))


@receiver(object_deleted)
def deleted(sender: str, object: Object, **_: Any) -> None:
    """Log it."""
    logger.info("deleted %s %s", sender, object.name)
