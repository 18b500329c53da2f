"""`manage.py reflectmodels`: keep models in step with the cluster, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kubewatch.contrib.django import conf
from kubewatch.contrib.django.checks import check_reflections
from kubewatch.contrib.django.health import check_rows
from kubewatch.contrib.django.management.running import add_address, until_told
from kubewatch.contrib.django.reflector import Reflector
from kubewatch.contrib.django.stores import configured
from kubewatch.errors import InvalidInput
from kubewatch.health import Check, Report

# Seconds: how often `--once` looks whether all is written.
LOOK = 0.05


class Command(BaseCommand):
    """One process does for all models; a second one does no harm."""

    help = "Keep models in step with the objects of a cluster, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="*", help="what to reflect (default: all of KUBEWATCH['REFLECT'])")
        parser.add_argument("--once", action="store_true", help="write everything once, and end")
        parser.add_argument(
            "--timeout", type=float, default=300.0, metavar="SECONDS", help="for --once, at most (default: 300)"
        )
        add_address(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        settings = configured()
        paths = options["paths"] or settings.reflect
        if not paths:
            raise CommandError("there is nothing to reflect: name it in KUBEWATCH['REFLECT']")
        try:
            reflections = [conf.load_reflection(path) for path in paths]
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        if wrong := [*check_reflections(reflections)]:  # what is named here, the system checks have not seen
            raise CommandError("\n".join(map(str, wrong)))
        crew: list[Reflector] = []

        def alive() -> Report:
            return Report(tuple(Check(each.reflection.name, each.failure is None, str(each)) for each in crew))

        def ready() -> Report:
            return Report(tuple(check_rows(each, settings.stale_after) for each in reflections))

        with until_told(options, self.stdout, alive, ready) as told, ExitStack() as stack:
            for reflection in reflections:
                self.stdout.write(f"reflecting {reflection.label}")
                crew.append(stack.enter_context(Reflector(reflection, on_end=told.stop)))
            self.stdout.flush()
            if options["once"]:
                told.until(options["timeout"])
            while not told.wait(LOOK) and not (options["once"] and all(each.is_ready for each in crew)):
                pass
        failed = [f"{each.reflection.label}: {each.failure}" for each in crew if each.failure is not None]
        if failed:
            raise CommandError("; ".join(failed))
        if options["once"] and not all(each.is_ready for each in crew):
            missing = ", ".join(each.reflection.label for each in crew if not each.is_ready)
            raise CommandError(f"not everything was written: {missing}; the log says why")
