"""API servers to test against: an embedded one, and a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .handle import ApiServer

if TYPE_CHECKING:
    from .envtest import EnvTest

__all__ = ["ApiServer", "EnvTest"]


def __getattr__(name: str) -> Any:
    """Imports ``EnvTest`` when it is first asked for: the embedded server needs none of what it needs."""
    if name == "EnvTest":
        from .envtest import EnvTest

        return EnvTest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
