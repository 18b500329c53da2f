"""Executors: where `reconcile` runs. On the controller's own threads, or wherever an `Executor` takes it.

With an executor, each worker thread hands a run over and waits for it. Object, context and result may then cross to
another process, pickled; so may what was raised, and that is where pickling goes wrong most often.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from kubewatch.errors import InvalidInput, KubewatchError


class RemoteError(KubewatchError):
    """What a reconciler raised in another process, and what cannot be brought here: its type and text, as text."""


Call = Callable[[Any, Any], Any]


def caller(reconcile: Call, executor: Executor | None) -> Call:
    """`reconcile`, or what has `executor` call it and waits. Raises InvalidInput for what is no executor."""
    if executor is None:
        return reconcile
    if not callable(getattr(executor, "submit", None)):
        raise InvalidInput(f"executor is a concurrent.futures.Executor, or has its submit, not {executor!r}")
    return partial(_submit, executor, os.getpid(), reconcile)


def _submit(executor: Executor, home: int, reconcile: Call, obj: Any, context: Any) -> Any:
    return executor.submit(call, home, reconcile, obj, context).result()


def call(home: int, reconcile: Call, obj: Any, context: Any) -> Any:
    """`reconcile(obj, context)`, in whichever process; raises what can be raised in the process `home`."""
    try:
        return reconcile(obj, context)
    except BaseException as error:
        if os.getpid() == home and isinstance(error, Exception):
            raise
        if isinstance(error, Exception) and _travels(error):
            raise
        import traceback

        told = "".join(traceback.format_exception_only(type(error), error)).strip()
        raise RemoteError(f"{told} (in process {os.getpid()})") from None


def _travels(error: Exception) -> bool:
    import pickle  # where something is sent to another process, it was imported before

    # One that is pickled and cannot be unpickled breaks the pool, for all of its work.
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
