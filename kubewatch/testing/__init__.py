"""API servers to test against, an embedded one and a real one; time, and controllers, in the hands of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apiserver.faults import Fault
    from .clock import FakeClock
    from .driver import ControllerDriver
    from .envtest import EnvTest
    from .handle import ApiServer

__all__ = ["ApiServer", "ControllerDriver", "EnvTest", "FakeClock", "Fault"]


def __getattr__(name: str) -> Any:
    """Imports each server when it is first asked for: whoever uses one needs nothing of the other."""
    if name == "ApiServer":
        from .handle import ApiServer

        return ApiServer
    if name == "Fault":
        from .apiserver.faults import Fault

        return Fault
    if name == "EnvTest":
        from .envtest import EnvTest

        return EnvTest
    if name == "ControllerDriver":
        from .driver import ControllerDriver

        return ControllerDriver
    if name == "FakeClock":
        from .clock import FakeClock

        return FakeClock
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
