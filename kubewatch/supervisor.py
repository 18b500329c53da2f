"""`supervise`: run programs until they are told to end, with the port that their probes ask, and end them well.

What `kubewatch run` and Django's `runcontroller` do with the programs that they have loaded.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from .controller.running import RunningController, apart
from .controller.signals import handled
from .errors import InvalidInput
from .health import Check, Report, check_controller, check_store, check_watch
from .probes import Answer, Page, Probes
from .program import Program
from .stop import Stop

logger = logging.getLogger(__name__)

# Exit statuses.
WELL = 0
ENDED_BY_ITSELF = 1
CUT_OFF = 3

# Seconds: how often it looks whether a controller has ended.
LOOK = 0.1

NO_METRICS = "metrics need prometheus-client: pip install 'kubewatch[metrics]'"


def supervise(
    programs: Sequence[Program[Any, Any]],
    *,
    address: tuple[str, int] | None = ("", 8080),
    stale_after: float = 90.0,
    grace: float = 25.0,
    announce: Callable[[str], object] = logger.info,
) -> int:
    """Start `programs`, and end them on SIGTERM, on SIGINT, and when one has ended by itself; returns an exit status.

    The status is 0 when all ended well, 1 when a controller ended by itself, 3 when reconciles were still running:
    `grace` seconds after the first signal, or at the second one. Such runs are left behind on their threads.

    On `address` (host and port, None for none) `/healthz` says whether a controller has ended by itself, `/readyz`
    whether stores are filled, and everything watched is what the server had at most `stale_after` seconds ago;
    `/metrics` is for Prometheus.
    `announce` is told where.

    Runs on the main thread, as signals come there. Raises InvalidInput on another one, for no programs, and for an
    address that cannot be listened on; StreamUsed for a program that ran before.
    """
    if not programs:
        raise InvalidInput("there is nothing to run: name a program")
    told, forced = Stop(), Stop()
    with handled(told.stop, forced.stop), ExitStack() as stack:
        crew = Crew(stale_after)
        where = "no port is listened on"
        if address is not None:
            pages = {"/healthz": crew.alive, "/readyz": crew.ready, "/metrics": _metrics(crew, stack)}
            probes = stack.enter_context(_listening(address, pages))
            where = f"/healthz, /readyz and /metrics are at {_url(address[0], probes.port)}"
        try:
            crew.start(programs)
            announce(where)
        except BaseException:
            crew.end(grace, forced)
            raise
        while not told.wait(LOOK) and crew.complete:
            pass
        return crew.end(grace, forced)


class Crew:
    """Programs that run together, and their health. Used by the main thread, its health by any."""

    def __init__(self, stale_after: float) -> None:
        self._stale_after = stale_after
        self.members: dict[str, RunningController] = {}
        self._ending = False

    def start(self, programs: Sequence[Program[Any, Any]]) -> None:
        """Start all, or up to the first that fails to start; they are members at once, as nobody is ready before."""
        started: dict[str, RunningController] = {}
        try:
            for name, program in apart((program.name, program) for program in programs).items():
                started[name] = program.start()
                logger.info("%s runs", name)
        finally:
            self.members.update(started)

    @property
    def complete(self) -> bool:
        """Whether none has ended."""
        return all(member.healthy for member in self.members.values())

    def alive(self, accept: str = "") -> Answer:
        """For liveness: whether none has ended by itself."""
        if self._ending:
            return Answer.of(Report(tuple(Check(name, True, "ending") for name in self.members)))
        return Answer.of(Report(tuple(check_controller(*each, ready=False) for each in list(self.members.items()))))

    def ready(self, accept: str = "") -> Answer:
        """For readiness: whether all reconcile, and what they know is fresh."""
        members = list(self.members.items())  # at once, as all start while this may be asked
        checks = [] if members else [Check("controllers", False, "not started yet")]
        for name, member in members:
            checks.append(check_controller(name, member))
            stores, within = member.stores, self._stale_after
            checks += [check_store(f"{name}: {label}", store, within) for label, store in stores.items()]
            others = [(label, vitals) for label, vitals in member.watches.items() if label not in stores]
            checks += [check_watch(f"{name}: {label}", vitals, within) for label, vitals in others]
        return Answer.of(Report(tuple(checks)))

    def end(self, grace: float, forced: Stop) -> int:
        """End all within `grace` seconds, or at once when it is `forced`; returns the exit status."""
        died = [(name, member) for name, member in self.members.items() if not member.healthy]
        for name, _ in died:
            logger.error("%s ends by itself, and the others with it", name)
        logger.info("ending; what runs may take %g s", grace)
        self._tell_to_end()
        until = time.monotonic() + grace
        running = list(self.members.items())
        while running and not forced.stopped and (left := until - time.monotonic()) > 0:
            _ended(running[0][1], min(left, LOOK))
            running = [(name, member) for name, member in running if not _ended(member, 0)]
        for name, member in died:  # what it died of may be known only now
            logger.error("%s ended by itself: %s", name, member.error or "all of its streams have ended")
        for name, member in running:
            logger.error("%s: %d reconciles did not end, and are cut off", name, member.stats.running)
        return CUT_OFF if running else ENDED_BY_ITSELF if died else WELL

    def _tell_to_end(self) -> None:
        self._ending = True
        for member in self.members.values():
            with contextlib.suppress(Exception):  # what ended it; it was logged when it did
                member.stop(timeout=0)


def _listening(address: tuple[str, int], pages: dict[str, Page]) -> Probes:
    try:
        return Probes(address, pages)
    except (OSError, OverflowError) as error:
        raise InvalidInput(f"port {address[1]} cannot be listened on: {error}; choose another port") from error


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host or 'localhost'}:{port}"


def _ended(member: RunningController, seconds: float) -> bool:
    try:
        return member.join(seconds)
    except Exception:  # what ended it; it was logged when it did
        return True


def _metrics(crew: Crew, stack: ExitStack) -> Page:
    try:
        from prometheus_client import REGISTRY

        from .contrib.prometheus import Collector, exposition
    except ModuleNotFoundError:
        return lambda accept: Answer.text(501, NO_METRICS)
    collector = Collector(crew.members)
    try:
        REGISTRY.register(collector)
    except ValueError as error:
        raise InvalidInput(
            "a Collector is registered already, and metrics may not be told twice: where controllers are run by "
            "kubewatch, register yours in a CollectorRegistry of its own"
        ) from error
    stack.callback(REGISTRY.unregister, collector)

    def page(accept: str) -> Answer:
        return Answer(200, *exposition(accept))

    return page
