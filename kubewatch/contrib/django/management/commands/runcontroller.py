"""`manage.py runcontroller module:controller`: run controllers that use the site's models, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kubewatch.contrib.django.connections import with_connections
from kubewatch.contrib.django.management.running import add_address
from kubewatch.contrib.django.stores import configured
from kubewatch.errors import InvalidInput
from kubewatch.program import load
from kubewatch.supervisor import CUT_OFF, supervise


class Command(BaseCommand):
    """What `kubewatch run` is, with Django set up, and usable database connections for each reconcile."""

    help = "Run controllers, until SIGTERM or Ctrl-C; what is being reconciled then is finished."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("targets", nargs="+", metavar="module:controller", help="a kubewatch.Program to run")
        parser.add_argument(
            "--grace", type=float, default=25.0, metavar="SECONDS", help="for what runs at the end (default: 25)"
        )
        add_address(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            programs = [with_connections(load(target)) for target in options["targets"]]
            status = supervise(
                programs,
                address=None if options["port"] is None else (options["bind"], options["port"]),
                stale_after=configured().stale_after,
                grace=options["grace"],
                announce=self._announce,
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        if status == CUT_OFF:
            # Reconciles still run, on threads that Python might wait for.
            logging.shutdown()
            sys.stdout.flush()
            os._exit(status)
        if status:
            raise CommandError("a controller ended by itself; the log says why", returncode=status)

    def _announce(self, message: str) -> None:
        self.stdout.write(message)
        self.stdout.flush()
