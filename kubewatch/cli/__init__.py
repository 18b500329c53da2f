"""The command line: `kubewatch COMMAND`; `arguments.COMMANDS` says which there are."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from kubewatch.errors import InvalidInput, KubewatchError

from .arguments import COMMANDS, parse
from .messages import explain, log_to_stderr, tell

FAILED = 1
USAGE = 2


class Terminated(BaseException):
    """SIGTERM came; like KeyboardInterrupt, nobody but `main` is to catch it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.

    Runs on the main thread, as it listens to SIGTERM meanwhile.

    >>> main(["--version"])                                                  # doctest: +ELLIPSIS
    kubewatch ...
    0
    """
    # Closed by whoever called us: what is written there goes nowhere, and none of our connections takes their place.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # open until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  # likewise
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for locales that cannot write what objects hold
    # Or Python would search all that is left for garbage on its way out: 100 to 250 ms of each command, and of Ctrl-C.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except InvalidInput as error:
        tell(f"error: {explain(error)}")
        return USAGE
    except KubewatchError as error:
        tell(f"error: {explain(error)}")
        return FAILED
    except OSError as error:
        # What is still buffered goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
            return 0
        tell(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Terminated:
        return 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = parse(argv)
    except SystemExit as end:  # how argparse ends: 0 after --help, 2 after wrong usage
        return int(end.code or 0)
    log_to_stderr(getattr(arguments, "verbose", 0))
    status: int = importlib.import_module(COMMANDS[arguments.command].module).run(arguments)
    return status


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated
