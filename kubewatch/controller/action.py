"""`Action`: what a reconciler answers: look again after a while, or when something changes."""

from __future__ import annotations

import msgspec

from kubewatch.errors import InvalidInput


class Action(msgspec.Struct, frozen=True):
    """When to reconcile the object again. A change of it, or of what is related to it, comes first in any case.

    >>> Action.requeue(300)                 # seconds
    Action(requeue_after=300.0)
    >>> Action.await_change()
    Action(requeue_after=None)

    https://docs.rs/kube-runtime/latest/kube_runtime/controller/struct.Action.html
    """

    requeue_after: float | None = None

    @classmethod
    def requeue(cls, seconds: float) -> Action:
        """Reconcile again `seconds` after the end of this run; more than 180 days are taken for 180 days.

        Raises InvalidInput for anything but a number >= 0.
        """
        return cls(seconds)

    @classmethod
    def await_change(cls) -> Action:
        """Reconcile again when something changes, and not before."""
        return cls()

    def __str__(self) -> str:
        return "again when something changes" if self.requeue_after is None else f"again in {self.requeue_after:.12g} s"

    def __post_init__(self) -> None:
        seconds = self.requeue_after
        if seconds is None:
            return
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
            raise InvalidInput(f"an object is requeued after a number of seconds, 0 or more, not {seconds!r}")
        msgspec.structs.force_setattr(self, "requeue_after", float(seconds))
