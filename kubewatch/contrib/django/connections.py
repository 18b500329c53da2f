"""Database connections on threads that Django knows nothing of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import close_old_connections

from kubewatch.program import Program


def with_connections(program: Program[Any, Any]) -> Program[Any, Any]:
    """The program, with a reconciler that finds usable connections, as a request does: after a restart, new ones.

    https://docs.djangoproject.com/en/stable/ref/databases/#connection-management
    """
    return replace(program, reconcile=partial(_reconcile, program.reconcile))


def _reconcile(reconcile: Callable[[Any, Any], Any], obj: Any, context: Any) -> Any:
    close_old_connections()
    try:
        return reconcile(obj, context)
    finally:
        close_old_connections()
