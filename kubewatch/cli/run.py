"""`kubewatch run`: run the controllers of somebody's module as a service."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from kubewatch.errors import InvalidInput
from kubewatch.jsonlog import JsonFormatter
from kubewatch.program import load
from kubewatch.supervisor import CUT_OFF, supervise

from .messages import Harmless

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Run the targets until they are told to end; returns the exit status.

    Where reconciles were cut off the process ends here, as they run on threads that Python might wait for.
    """
    log_everything(arguments.log_format, arguments.log_level)
    try:
        programs = [load(target) for target in arguments.targets]
    except InvalidInput:
        raise
    except Exception:  # of whatever is written in those modules; where logs are JSON this is JSON, too
        logger.exception("%s cannot be loaded", ", ".join(arguments.targets))
        return 1
    # Who asks for any port wants to know which, also where nothing is logged.
    announce = _print if arguments.port == 0 else logger.info
    status = supervise(
        programs,
        address=(arguments.bind, arguments.port),
        stale_after=arguments.stale_after,
        grace=arguments.grace,
        announce=announce,
    )
    if status == CUT_OFF:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    return status


def log_everything(form: str, level: str) -> None:
    """Log to stderr, whoever logs, as text or as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter() if form == "json" else Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(handlers=[handler], level=level.upper())
    logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)  # below it logs whole answers, also Secrets


def _print(message: str) -> None:
    print(message, flush=True)
