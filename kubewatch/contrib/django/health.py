"""What a process knows of its health: its stores, and how fresh the rows are that other processes write."""

from __future__ import annotations

import logging
from typing import Any

from django.db import Error
from django.utils import timezone

from kubewatch.health import Check, Report, check_store

from .reflection import Reflection
from .stores import configured, stores

_log = logging.getLogger(__name__)


def stores_report() -> Report:
    """Whether each store of this process is ready and fresh."""
    within = configured().stale_after
    return Report(tuple(check_store(name, store, within) for name, store in stores.items()))


def check_rows(reflection: Reflection[Any], within: float) -> Check:
    """Whether the rows are what the server had at most `within` seconds ago, as the database says."""
    from .models import ReflectionState  # apps are loaded by now

    try:
        state = ReflectionState._default_manager.using(reflection.database).filter(name=reflection.name).first()
    except Error as error:
        _log.warning("%s: the database cannot be asked: %s", reflection.label, reflection.told(error))
        return Check(reflection.name, False, f"the database cannot be asked: {type(error).__name__}")
    if state is None:
        return Check(reflection.name, False, "never written; does manage.py reflectmodels run?")
    age = (timezone.now() - state.heard_at).total_seconds()
    return Check(reflection.name, age <= within, f"rows as of {age:.1f} s ago")
