"""What an idle controller costs: of 10 000 objects, with a watch connection to a server in a process of its own.

    python -m benchmarks.idle_controller [--objects 10000] [--seconds 30]

Prints the share of one core; exits with 1 where it is 0.5 % or more.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from kubernetes.client import Configuration

from kubewatch import Action, Api, Client, Controller, Reconciled
from kubewatch.testing import ApiServer

# Percent of one core.
LIMIT = 0.5

# Seconds before the measurement begins, as interpreters tidy up for a while.
SETTLE = 3.0

# Seconds between the server's bookmarks; a real one sends them once a minute.
BOOKMARKS = 10.0


def serve(objects: int, pipe: Connection) -> None:
    """The server's process: tells its address, then the number of open watches whenever it is asked."""
    with ApiServer(bookmark_interval=BOOKMARKS, controllers=False) as server:
        for number in range(objects):
            metadata = {"name": f"object-{number}", "namespace": "default", "labels": {"app": "web"}}
            server.objects.create(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}
            )
        pipe.send(server.url)
        while pipe.recv():
            pipe.send(len(server.watches))


def measure(url: str, objects: int, seconds: float, pipe: Any) -> float:
    """Percent of one core that this process uses while its controller has nothing to do.

    In the costliest of the ways to run one: the main thread pulls, signals and an event may end it.
    """
    configuration = Configuration()
    configuration.host = url
    api = Api("v1", "ConfigMap", namespace="default", client=Client(configuration))
    over = threading.Event()
    used: list[float] = []

    def look() -> None:
        try:
            time.sleep(SETTLE)
            runs = controller.stats.runs
            cpu, clock = time.process_time(), time.monotonic()
            time.sleep(seconds)
            share = (time.process_time() - cpu) / (time.monotonic() - clock)
            pipe.send(True)
            if controller.stats.runs == runs and controller.store().is_live(2 * BOOKMARKS) and pipe.recv() == 1:
                used.append(share * 100)
        finally:
            over.set()

    controller = Controller(api).graceful_shutdown_on(over).shutdown_on_signal()
    looker, names = threading.Thread(target=look, name="looker"), set()
    for result in controller.run(lambda obj, context: Action.requeue(3600)):
        if not isinstance(result, Reconciled):
            raise result
        names.add(result.ref.name)
        if len(names) == objects:
            looker.start()
    looker.join()
    if not used:
        raise RuntimeError("the controller was not idle, or had no watch connection: there is no figure")
    return used[0]


def main() -> int:
    """Measure and print; 0 when it is below the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(arguments.objects, theirs))
    server.start()
    try:
        percent = measure(ours.recv(), arguments.objects, arguments.seconds, ours)
        ours.send(False)
        server.join(10)
    finally:
        server.kill()
        server.join()
    verdict = "below" if percent < LIMIT else "NOT below"
    print(
        f"idle controller, {arguments.objects} objects, {arguments.seconds:g} s: {percent:.3f} % of a core, "
        f"{verdict} {LIMIT} %"
    )
    return 0 if percent < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
