"""What may be written after `kubewatch`, and how it is read and checked; imports nothing that costs time.

A subcommand is an entry of `COMMANDS`: its help, its arguments, and the module whose `run(arguments) -> int` does it.
That module is imported when it is called for, and only then.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kubewatch import __version__

from . import helptext

FORMS = ("table", "wide", "name", "json", "yaml")
PREDICATES = ("generation", "resource_version", "labels", "annotations", "finalizers")

METADATA = "fetch the metadata only"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = r"(\d+(?:\.\d+)?)(ms|s|m|h)"


class Command(NamedTuple):
    """One subcommand: what `kubewatch --help` says of it, where it is done, and what may follow it."""

    summary: str
    module: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    description: str
    epilog: str


def duration(text: str) -> float:
    """Seconds, of a duration as Kubernetes writes it.

    >>> duration("500ms"), duration("30s"), duration("1h30m")
    (0.5, 30.0, 5400.0)

    Raises argparse.ArgumentTypeError for anything else, and for no time at all (`0s`).
    """
    if not re.fullmatch(f"(?:{_TERM})+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 500ms, 30s, 5m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_TERM, text))
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins: write 500ms, 30s, 5m or 1h30m")
    return seconds


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of one call, checked against each other; exits with status 2 and a message where they are wrong."""
    root = argparse.ArgumentParser(
        "kubewatch",
        description=helptext.ROOT,
        epilog=helptext.ROOT_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"kubewatch {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    parsers = {}
    for name, command in COMMANDS.items():
        parsers[name] = commands.add_parser(
            name,
            help=command.summary,
            description=command.description,
            epilog=command.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(parsers[name])
    arguments = root.parse_args(argv)
    contradiction = _contradiction(arguments)
    if contradiction:
        parsers[arguments.command].error(contradiction)
    return arguments


def _contradiction(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the arguments taken together; splits KIND/NAME on the way."""
    if arguments.command in ("demo", "run", "wait"):
        return None
    if "," in arguments.kind:
        return f"one kind at a time, not {arguments.kind!r}"
    kind, slash, name = arguments.kind.partition("/")
    if slash:
        if not kind or not name or "/" in name:
            return f"{arguments.kind!r} is no KIND/NAME such as pod/web"
        if arguments.names:
            return f"the name is given twice, in {arguments.kind!r} and in {arguments.names[0]!r}"
        arguments.kind, arguments.names = kind, [name]
    for name in arguments.names:
        if not re.fullmatch(r"[^\s/,=\\%]+", name):
            return f"{name!r} is no name of an object"
    if arguments.command == "get" and arguments.names:
        if arguments.selector or arguments.field_selector or arguments.limit:
            return "a NAME says which object already: leave out -l, --field-selector and --limit"
        if arguments.all_namespaces:
            return "a NAME is looked for in one namespace: leave out -A"
    if arguments.command == "watch" and arguments.events and (arguments.predicate or arguments.only_changes):
        return "--events shows every event as it comes: leave out --predicate and --only-changes"
    return None


def _count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of objects: write 1 or more")
    return int(text)


def _which_objects(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    """The options that select objects, and one more, that is the command's own."""
    group = parser.add_argument_group("which objects")
    place = group.add_mutually_exclusive_group()
    place.add_argument("-n", "--namespace", help="this namespace (default: the context's)")
    place.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    group.add_argument("-l", "--selector", help="these labels: app=web, 'tier in (a, b)', '!canary'")
    group.add_argument("--field-selector", metavar="SELECTOR", help="these fields: status.phase=Running")
    group.add_argument(flag, action="store_true", help=what)


def _how_shown(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how they are shown")
    group.add_argument("-o", "--output", choices=FORMS, help="default: table in a terminal, json in a pipe")
    group.add_argument("--show-managed-fields", action="store_true", help="json and yaml with metadata.managedFields")
    group.add_argument("--no-color", action="store_true", help="no colours (nor with NO_COLOR set, nor in a pipe)")
    group.add_argument("-v", "--verbose", action="count", default=0, help="log to stderr; -vv logs more")


def _which_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which cluster")
    group.add_argument("--context", help="this context of the kubeconfig (default: the current one)")
    group.add_argument("--kubeconfig", metavar="FILE", help="this kubeconfig (default: $KUBECONFIG, ~/.kube/config)")


def _watch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND[/NAME]", help="pods, deploy, deployments.apps, pod/web, …")
    parser.add_argument(
        "names", metavar="NAME", nargs="?", default=[], type=lambda name: [name], help="one object only"
    )
    _which_objects(parser, "--metadata", METADATA)
    group = parser.add_argument_group("which changes")
    group.add_argument(
        "--predicate",
        action="append",
        default=[],
        type=lambda text: text.replace("-", "_"),
        choices=PREDICATES,
        metavar="FIELD",
        help=f"only changes of this field: {', '.join(PREDICATES)}; given several times: of any of them",
    )
    group.add_argument("--only-changes", action="store_true", help="without the objects that are there at the start")
    group.add_argument("--events", action="store_true", help="every event as it comes, Init and InitDone included")
    group.add_argument("--for", dest="seconds", type=duration, metavar="DURATION", help="end after 500ms, 30s, 1h30m")
    _how_shown(parser)
    _which_cluster(parser)


def _get_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND[/NAME]", help="pods, deploy, deployments.apps, pod/web, …")
    parser.add_argument("names", metavar="NAME", nargs="*", help="these objects only")
    _which_objects(parser, "--metadata", METADATA)
    parser.add_argument("--limit", type=_count, metavar="N", help="at most so many objects")
    _how_shown(parser)
    _which_cluster(parser)


def _patience(text: str) -> float:
    """Seconds to wait: 0 for a look, less for a week."""
    if re.fullmatch(rf"-?0+|-?(?:0+(?:\.0+)?(?:{'|'.join(_UNITS)}))+", text, re.ASCII):
        return 0.0
    return -duration(text[1:]) if text.startswith("-") else duration(text)


def _wait_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "resources",
        metavar="KIND/NAME",
        nargs="*",
        help="pod/web deploy/db, or pods web-0 web-1, or pods,deploy with -l",
    )
    parser.add_argument(
        "-f",
        "--filename",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="the objects of these manifests instead; -: the standard input",
    )
    group = parser.add_argument_group("what to wait for, and how long")
    group.add_argument(
        "--for",
        dest="wanted",
        action="append",
        required=True,
        metavar="CONDITION",
        help="create, delete, rollout, condition=TYPE[=STATUS], jsonpath={PATH}[=VALUE]; several: one after the other",
    )
    group.add_argument(
        "--timeout",
        type=_patience,
        default=30.0,
        metavar="DURATION",
        help="for all objects together; default: 30s; 0: look once; less, as in --timeout=-1s: a week",
    )
    _which_objects(parser, "--all", "all of the kind")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log to stderr; -vv logs more")
    _which_cluster(parser)


def _port(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write 0 to 65535")
    return int(text)


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "targets", metavar="TARGET", nargs="+", help="shop.py, shop.py:controller, shop, package.shop:controller"
    )
    group = parser.add_argument_group("probes and metrics")
    group.add_argument("--port", type=_port, default=8080, help="default: 8080; 0: any that is free, which is printed")
    group.add_argument("--bind", default="", metavar="ADDRESS", help="default: all addresses of this machine")
    group.add_argument(
        "--stale-after",
        type=duration,
        default=90.0,
        metavar="DURATION",
        help="not ready when the server was not heard from for so long; default: 90s",
    )
    group = parser.add_argument_group("how it ends, and what it says")
    group.add_argument(
        "--grace",
        type=duration,
        default=25.0,
        metavar="DURATION",
        help="how long reconciles may still run at the end; default: 25s",
    )
    group.add_argument("--log-format", choices=("text", "json"), default="text", help="default: text; both on stderr")
    group.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="seconds", type=duration, default=28.0, metavar="DURATION", help="default: 28s")
    parser.add_argument("--no-color", action="store_true", help="no colours (nor with NO_COLOR set, nor in a pipe)")


COMMANDS: dict[str, Command] = {
    "watch": Command(
        "follow objects for ever", "kubewatch.cli.watch", _watch_arguments, helptext.WATCH, helptext.WATCH_END
    ),
    "get": Command("list objects once", "kubewatch.cli.get", _get_arguments, helptext.GET, helptext.GET_END),
    "wait": Command(
        "wait until something is true", "kubewatch.cli.wait", _wait_arguments, helptext.WAIT, helptext.WAIT_END
    ),
    "run": Command("run controllers as a service", "kubewatch.cli.run", _run_arguments, helptext.RUN, helptext.RUN_END),
    "demo": Command(
        "see it work, with no cluster at hand",
        "kubewatch.cli.demo",
        _demo_arguments,
        helptext.DEMO,
        helptext.DEMO_END,
    ),
}
