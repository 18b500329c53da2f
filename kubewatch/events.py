"""What a watcher hands out: five kinds of event.

`Init` opens a (re)list, `InitApply` carries each of its objects, `InitDone` closes it: whatever was known before and
was not seen since `Init` is gone. `Apply` and `Delete` are live changes. An error is not an event: it travels beside
them as a `WatchError`. https://docs.rs/kube-runtime/latest/kube_runtime/watcher/enum.Event.html
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

# Covariant, as events are read-only: an Apply of a Pod is an Apply of any object.
T = TypeVar("T", covariant=True)


def _name_of(obj: Any) -> str:
    meta = getattr(obj, "metadata", None)
    if isinstance(meta, dict):  # of a model of the user's own
        return meta.get("name") or meta.get("generateName") or ""
    return getattr(meta, "name", None) or getattr(meta, "generate_name", None) or ""


class Init(msgspec.Struct, frozen=True, gc=False):
    """A list begins, or begins again."""

    def __str__(self) -> str:
        return "Init"


class InitDone(msgspec.Struct, frozen=True, gc=False):
    """The list is complete: what was not seen since `Init` no longer exists."""

    def __str__(self) -> str:
        return "InitDone"


class InitApply(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An object of the list under way."""

    object: T

    def __str__(self) -> str:
        return f"InitApply({_name_of(self.object)})"


class Apply(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An object was added or modified."""

    object: T

    def __str__(self) -> str:
        return f"Apply({_name_of(self.object)})"


class Delete(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An object was deleted; `object` is its last state."""

    object: T

    def __str__(self) -> str:
        return f"Delete({_name_of(self.object)})"


Event = Init | InitApply[T] | InitDone | Apply[T] | Delete[T]
