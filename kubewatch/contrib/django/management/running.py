"""What the commands have in common that run until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.db import connections

from kubewatch.controller.signals import handled
from kubewatch.health import Report
from kubewatch.probes import Answer, Probes
from kubewatch.stop import Stop
from kubewatch.supervisor import CUT_OFF


def add_address(parser: ArgumentParser) -> None:
    """The arguments that say where probes are answered."""
    parser.add_argument("--port", type=int, help="answer /healthz and /readyz on this port (0: any); none by default")
    parser.add_argument("--bind", default="", metavar="ADDRESS", help="the address to listen on (default: all)")


@contextmanager
def until_told(
    options: dict[str, Any], out: OutputWrapper, alive: Callable[[], Report], ready: Callable[[], Report]
) -> Iterator[Stop]:
    """Within, probes are answered, and a signal stops the `Stop` that is given; a second one ends the process.

    For a database that says nothing any more may be waited for without end; what it was in, it rolls back.
    """
    told = Stop()
    pages = {"/healthz": partial(_answer, alive), "/readyz": partial(_answer, ready)}
    with handled(told.stop, lambda: os._exit(CUT_OFF)), ExitStack() as stack:
        if options["port"] is not None:
            try:
                probes = stack.enter_context(Probes((options["bind"], options["port"]), pages))
            except (OSError, OverflowError) as error:
                port = options["port"]
                raise CommandError(f"port {port} cannot be listened on: {error}; choose another --port") from error
            out.write(f"/healthz and /readyz are at http://{options['bind'] or 'localhost'}:{probes.port}")
            out.flush()
        yield told


def _answer(report: Callable[[], Report], accept: str) -> Answer:
    try:
        return Answer.of(report())
    finally:
        connections.close_all()  # those of this thread, which is the request's alone
