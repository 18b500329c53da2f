"""What a controller's `run` yields: what was reconciled, or one of four errors; and the summary of `run_once`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from kubewatch.errors import KubewatchError
from kubewatch.ref import ObjectRef

from .action import Action


class Reconciled(msgspec.Struct, frozen=True, gc=False):
    """An object was reconciled, and what its reconciler answered.

    >>> print(Reconciled(ObjectRef("Pod", "web-0", "shop"), Action.requeue(300)))
    Pod.v1./web-0.shop: reconciled, again in 300 s
    """

    ref: ObjectRef
    action: Action

    def __str__(self) -> str:
        return f"{self.ref}: reconciled, {self.action}"


class ControllerError(KubewatchError):
    """What went wrong in a controller. It is yielded, not raised: the controller goes on, except after a RunnerError.

    https://docs.rs/kube-runtime/latest/kube_runtime/controller/enum.Error.html
    """

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.args, self.__dict__)


class ReconcilerFailed(ControllerError):
    """`reconcile` raised `error` for the object `ref`; the error policy has said what comes next.

    `policy_error` is what the error policy raised in turn, if it did; the default policy took its place.
    """

    def __init__(self, ref: ObjectRef, error: BaseException, policy_error: BaseException | None = None) -> None:
        policy = f"; its error policy: {_told(policy_error)}" if policy_error is not None else ""
        super().__init__(f"{ref}: {_told(error)}{policy}")
        self.ref = ref
        self.error = error
        self.policy_error = policy_error
        self.__cause__ = policy_error or error


class ObjectNotFound(ControllerError):
    """`ref` was to be reconciled, and is not in the store.

    Only for references that a mapper or `reconcile_on` gave: that an owner is gone already is nothing to report.
    """

    def __init__(self, ref: ObjectRef) -> None:
        super().__init__(f"{ref} is not in the store: it was deleted, or is not among what the controller watches")
        self.ref = ref


class QueueError(ControllerError):
    """A trigger, a mapper or a hook failed with `error`; the controller goes on, and the other triggers with it."""

    def __init__(self, error: BaseException, where: str = "") -> None:
        super().__init__(f"{where}: {_told(error)}" if where else _told(error))
        self.error = error
        self.__cause__ = error


class RunnerError(ControllerError):
    """The controller cannot work, and ends: `error` says why. A store that it waits for will never be ready."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the controller ends: {_told(error)}")
        self.error = error
        self.__cause__ = error


Result = Reconciled | ControllerError


@dataclass(frozen=True)
class Summary:
    """What `run_once` did.

    `unfinished` objects were not reconciled, or not to the end, as it was told to end or `timed_out`; when it is
    `unlisted`, not even which there are was known. `signal` is the number of the signal that told it to end.

    >>> summary = Summary(reconciled=3)
    >>> str(summary), summary.exit_code
    ('3 reconciled', 0)
    """

    reconciled: int = 0
    failed: tuple[ReconcilerFailed, ...] = ()
    not_found: tuple[ObjectNotFound, ...] = ()
    errors: tuple[QueueError | RunnerError, ...] = ()
    unfinished: int = 0
    unlisted: bool = False
    timed_out: bool = False
    signal: int | None = None

    @classmethod
    def of(cls, results: Iterable[Result], **more: Any) -> Summary:
        """The summary of what a run yielded; `more` are the other fields."""
        told = list(results)
        return cls(
            sum(isinstance(result, Reconciled) for result in told),
            tuple(result for result in told if isinstance(result, ReconcilerFailed)),
            tuple(result for result in told if isinstance(result, ObjectNotFound)),
            tuple(result for result in told if isinstance(result, (QueueError, RunnerError))),
            **more,
        )

    @property
    def ok(self) -> bool:
        """Whether every object was reconciled. A watch that failed and recovered is no failure."""
        fatal = any(isinstance(error, RunnerError) for error in self.errors)
        return not (self.failed or self.unfinished or self.unlisted or self.timed_out or fatal)

    @property
    def exit_code(self) -> int:
        """For `sys.exit`: 0 when all went well, 1 when not; 128 and the signal's number when one cut it short."""
        if self.ok:
            return 0
        cut_short = self.unfinished or self.unlisted
        return 128 + self.signal if self.signal and cut_short else 1

    def __str__(self) -> str:
        counts = {
            "reconciled": self.reconciled,
            "failed": len(self.failed),
            "not found": len(self.not_found),
            "errors on the way": len(self.errors),
            "not finished": self.unfinished,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count or what == "reconciled"]
        if self.timed_out:
            told.append("timed out")
        elif self.unlisted:
            told.append("ended before all objects were known")
        return ", ".join(told)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _rebuilt(kind: type[ControllerError], args: tuple[Any, ...], state: dict[str, Any]) -> ControllerError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = state.get("policy_error") or state.get("error")
    return error
