"""What the command line says on stderr: one line at a time, harmless to terminals, with what to do."""

from __future__ import annotations

import logging
import sys

from kubewatch.errors import ApiError, KubewatchError, Unreachable, WatchError
from kubewatch.printing.text import harmless

_BY_CODE = {
    400: "The server does not understand it; mend the selector",
    403: "Ask for the right to get, list and watch them, or choose another --context",
    410: "The list took so long that the server forgot its version; try again",
    429: "The server is overloaded; try again later",
}


def tell(message: str) -> None:
    """Write one line to stderr."""
    print(f"kubewatch: {harmless(message)}", file=sys.stderr, flush=True)


def explain(error: KubewatchError) -> str:
    """What happened and what to do, in one line; of an error in a watch, its cause."""
    cause = cause_of(error)
    hint = ""
    if isinstance(cause, ApiError):
        hint = _BY_CODE.get(cause.code, "")
    elif isinstance(cause, Unreachable):
        hint = "Another cluster is chosen by --context or --kubeconfig"
    text = str(cause)
    return f"{text}{'' if text.endswith(('.', '?', '!')) else '.'} {hint}" if hint else text


def cause_of(error: KubewatchError) -> KubewatchError:
    """The failed request behind an error of a watch; the error itself where there is none."""
    cause = error.__cause__
    return cause if isinstance(error, WatchError) and isinstance(cause, KubewatchError) else error


class Harmless(logging.Formatter):
    """Text without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(harmless, super().format(record).split("\n")))


def log_to_stderr(verbosity: int) -> None:
    """Let kubewatch's log be seen: nothing at 0, what it does at 1, every detail above."""
    logger = logging.getLogger("kubewatch")
    handler: logging.Handler = logging.StreamHandler() if verbosity else logging.NullHandler()
    handler.setFormatter(Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    if verbosity:
        logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
