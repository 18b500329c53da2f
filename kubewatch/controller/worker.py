"""One run: look the object up, reconcile it, ask the error policy if that failed, say what comes next.

Everything of the user's is called here or by a trigger's pump, and whatever it raises becomes a result.
"""

from __future__ import annotations

import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from kubewatch.ref import ObjectRef

from .action import Action
from .executors import Call
from .queue import Queue
from .relations import BULK, OBJECT_UPDATED, OWNED, REQUEUED, RETRIED, Main
from .results import ObjectNotFound, QueueError, Reconciled, ReconcilerFailed
from .retry import retry
from .scheduler import Request
from .telemetry import RunEnded, RunEvent, RunStarted

logger = logging.getLogger(__name__)

Hook = Callable[[RunEvent], object]
Policy = Callable[[Any, Any, Any], Any]

# Seconds until an object is tried again of which the run broke in code of ours.
AFTER_MISTAKE = 60.0

# Of how many objects it is known how often they failed in a row. Some are deleted, and nobody tells.
REMEMBERED = 100_000

# Reasons for which an object may well be gone when its turn comes. Who names an object in a mapper or by reconcile_on
# is told that there is none.
_QUIET = frozenset(reason.what for reason in (OBJECT_UPDATED, BULK, REQUEUED, RETRIED)) | {OWNED}


class Worker:
    """What the worker threads of one controller do; all of them share it."""

    def __init__(
        self,
        queue: Queue,
        main: Main[Any],
        reconcile: Call,
        error_policy: Policy | None,
        context: Any,
        on_event: Hook | None,
    ) -> None:
        self._queue = queue
        self._main = main
        self._reconcile = reconcile
        self._fallback = retry()
        self._policy: Policy = error_policy or self._fallback
        self._succeeded: Callable[[Any], object] | None = getattr(self._policy, "succeeded", None)
        self._context = context
        self._on_event = on_event
        # Failures in a row, of the objects that failed last. Each is changed only by the thread that runs the object.
        self._failed: OrderedDict[ObjectRef, int] = OrderedDict()

    def work(self) -> None:
        """Run what the queue gives until it gives no more. Raises nothing."""
        take = self._queue.take
        while (request := take()) is not None:
            try:
                self._run(request)
            except BaseException as error:  # a mistake of ours; the others' runs go on
                logger.exception("the run of %s broke", request.ref)
                self._queue.done(request, ReconcilerFailed(request.ref, error), (RETRIED, AFTER_MISTAKE), failed=True)

    def _run(self, request: Request) -> None:
        ref = request.ref
        obj = self._main.reader.get(ref)
        if obj is None:
            self._failed.pop(ref, None)
            logger.debug("%s is gone; it was to be reconciled for: %s", ref, request.reason, extra=_where(ref))
            self._queue.left_out(request, None if request.reason.what in _QUIET else ObjectNotFound(ref))
            return
        name = self._main.ref(obj)
        if name != ref:
            self._queue.redirect(request, name)
            return
        self._reconcile_one(request, name, obj)

    def _reconcile_one(self, request: Request, ref: ObjectRef, obj: Any) -> None:
        now, reason = self._queue.clock.now, request.reason
        attempt = self._failed.get(ref, 0) + 1 if self._failed else 1
        began = now()
        if self._on_event is not None:
            self._tell(RunStarted(ref, reason, attempt, max(0.0, began - request.due)))
        try:
            action = self._reconcile(obj, self._context)
            if not isinstance(action, Action):
                raise _no_action("reconcile", action)
        except BaseException as error:
            action, policy_error = self._ask_policy(obj, error)
            ended = RunEnded(ref, reason, attempt, now() - began, action, error)
            self._failed[ref] = attempt
            if len(self._failed) > REMEMBERED:
                self._failed.popitem(last=False)
            result: Any = ReconcilerFailed(ref, error, policy_error)
            again = None if action.requeue_after is None else (RETRIED, action.requeue_after)
            self._complain(ended, policy_error)
            if self._on_event is not None:
                self._tell(ended)
            self._queue.done(request, result, again, failed=True)
            return
        if attempt > 1:
            self._failed.pop(ref, None)
        if self._succeeded is not None:
            self._note_success(obj)
        if self._on_event is not None:
            self._tell(RunEnded(ref, reason, attempt, now() - began, action))
        if logger.isEnabledFor(logging.DEBUG):
            took = now() - began
            logger.debug("%s: reconciled in %.3f s (%s), attempt %d", ref, took, reason, attempt, extra=_where(ref))
        seconds = action.requeue_after
        self._queue.done(request, Reconciled(ref, action), None if seconds is None else (REQUEUED, seconds))

    def _ask_policy(self, obj: Any, error: BaseException) -> tuple[Action, BaseException | None]:
        try:
            action = self._policy(obj, error, self._context)
            if not isinstance(action, Action):
                raise _no_action("error_policy", action)
        except BaseException as policy_error:
            return self._fallback(obj, error), policy_error
        return action, None

    def _complain(self, ended: RunEnded, policy_error: BaseException | None) -> None:
        ref, error, seconds = ended.ref, ended.error, ended.action.requeue_after
        again = "when it changes" if seconds is None else f"in {seconds:.1f} s"
        logger.warning(
            "%s: reconcile failed after %.3f s (%s), attempt %d, again %s: %s: %s",
            *(ref, ended.duration, ended.reason, ended.attempt, again, type(error).__name__, error),
            extra=_where(ref),
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )
        if policy_error is not None:
            logger.error("%s: its error policy failed, the default took its place", ref, exc_info=policy_error)

    def _note_success(self, obj: Any) -> None:
        assert self._succeeded is not None
        try:
            self._succeeded(obj)
        except BaseException as error:
            logger.exception("the error policy's succeeded() failed")
            self._queue.remark(QueueError(error, "the error policy's succeeded()"))

    def _tell(self, event: RunEvent) -> None:
        assert self._on_event is not None
        try:
            self._on_event(event)
        except BaseException as error:
            logger.warning("on_event failed on %s of %s", type(event).__name__, event.ref, exc_info=True)
            self._queue.remark(QueueError(error, "on_event"))


def _no_action(who: str, answer: Any) -> TypeError:
    if inspect.iscoroutine(answer):
        answer.close()
    kind = "None" if answer is None else type(answer).__name__
    return TypeError(f"{who} returned {kind}, and no Action: return Action.await_change(), or Action.requeue(seconds)")


def _where(ref: ObjectRef) -> dict[str, Any]:
    # What is called `name` in a log record is the logger's.
    return {"kind": ref.kind, "namespace": ref.namespace, "object_name": ref.name}
