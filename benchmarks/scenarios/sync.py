"""What else goes on in a process while it lists 100 000 pods into a store: `--form ticker` or `--form flask`.

- ticker: another thread asks for the GIL every millisecond; how much longer than that it had to wait: during the list,
  during the first request before it (which imports the official client), and while the full store is dropped after it
  (in one go, as that is on the main thread).
  Beside it what a process of its own, which shares nothing but the machine, had to wait at its ticks during the list,
  and the longest pass of Python's garbage collector.
- flask: another process asks a Flask app in this one, each time 5 ms after it answered; how long that took. A long wait
  so counts as one, however many would have come meanwhile. Here the first request to the API server is part of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import NamedTuple

from kubewatch import Api, Client, Object, Store, store, watcher
from kubewatch.events import InitDone

from .program import percentile, run

TICK = 0.001
PAUSE = 0.005

# Seconds between two phases, in which the last wait of the one comes to its end.
BREAK = 0.2


class Span(NamedTuple):
    """A time that something took; seconds on `time.perf_counter`, which all processes share."""

    began: float
    ended: float


def _sync(client: Client, objects: int) -> tuple[Store[Object], Span]:
    """A store into which all objects were listed, and when."""
    reader, writer = store()
    began = time.perf_counter()
    for event in watcher(Api("v1", "Pod", client=client)).reflect(writer):
        if type(event) is InitDone:
            break
    took = Span(began, time.perf_counter())
    if len(reader) != objects:
        raise RuntimeError(f"{len(reader)} objects were listed, not {objects}")
    return reader, took


def _tick(over: threading.Event, ticks: list[Span]) -> None:
    last = time.perf_counter()
    while not over.wait(TICK):
        now = time.perf_counter()
        ticks.append(Span(last, now))
        last = now


def _waits(ticks: Iterable[Span], during: Span) -> list[float]:
    """How much longer than it should have the ticks took that fall into a time; milliseconds."""
    return [(ended - began - TICK) * 1000 for began, ended in ticks if began < during.ended and ended > during.began]


def _ticking(kubeconfig: str, objects: int) -> dict[str, float]:
    over, ticks = threading.Event(), list[Span]()
    ticker = threading.Thread(target=_tick, args=(over, ticks), name="ticker")
    command = [sys.executable, "-m", __spec__.name, "--form", "bystander"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bystander:
        assert bystander.stdout is not None
        bystander.stdout.readline()
        ticker.start()
        time.sleep(BREAK)
        client = Client.from_kubeconfig(kubeconfig)
        began = time.perf_counter()
        client.request("GET", "/version")
        first_request = Span(began, time.perf_counter())
        time.sleep(BREAK)
        collections = _Collections()
        reader, listing = _sync(client, objects)
        collected = collections.longest()
        time.sleep(BREAK)
        began = time.perf_counter()
        del reader
        dropping = Span(began, time.perf_counter())
        time.sleep(BREAK)
        over.set()
        ticker.join()
        others = [Span(*each) for each in json.loads(bystander.communicate("over\n")[0])["ticks"]]
    waits = _waits(ticks, listing)
    return {
        "seconds": listing.ended - listing.began,
        "longest_ms": max(waits),
        "p99_ms": percentile(waits, 99),
        "ticks": len(waits),
        "longest_of_another_process_ms": max(_waits(others, listing)),
        "longest_collection_ms": collected,
        "longest_in_the_first_request_ms": max(_waits(ticks, first_request)),
        "longest_while_the_store_is_dropped_ms": max(_waits(ticks, dropping)),
    }


class _Collections:
    """Times the passes of the garbage collector, from here to `longest`."""

    def __init__(self) -> None:
        self._began = 0.0
        self._longest = 0.0
        gc.callbacks.append(self._look)

    def _look(self, phase: str, _: object) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self._longest = max(self._longest, now - self._began)

    def longest(self) -> float:
        """The longest one, in milliseconds."""
        gc.callbacks.remove(self._look)
        return self._longest * 1000


def _stand_by() -> None:
    """Tick until told that it is over; prints a line when it begins, and its ticks at the end."""
    over, ticks = threading.Event(), list[Span]()
    ticker = threading.Thread(target=_tick, args=(over, ticks), name="ticker")
    ticker.start()
    print("begun", flush=True)
    sys.stdin.readline()
    over.set()
    ticker.join()
    print(json.dumps({"ticks": ticks}))


def _serving(kubeconfig: str, objects: int) -> dict[str, float]:
    from flask import Flask
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask(__name__)
    app.add_url_rule("/", "index", lambda: {"status": "ok"})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, name="flask")
    serving.start()
    command = [sys.executable, "-m", __spec__.name, "--form", "visitor", "--objects", str(server.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as visitor:
        assert visitor.stdout is not None
        visitor.stdout.readline()
        reader, took = _sync(Client.from_kubeconfig(kubeconfig), objects)
        waits: list[float] = json.loads(visitor.communicate("over\n")[0])["waits"]
    del reader  # not before, as that is not the list
    server.shutdown()
    serving.join()
    seconds = took.ended - took.began
    return {"seconds": seconds, "p99_ms": percentile(waits, 99), "longest_ms": max(waits), "requests": len(waits)}


def _visit(port: int) -> None:
    """Ask the app until told that it is over; prints a line when it begins, and what it measured at the end."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        over.set()

    threading.Thread(target=listen, name="listener", daemon=True).start()
    waits: list[float] = []
    warm = 20
    while not over.wait(PAUSE):
        started = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        waits.append((time.perf_counter() - started) * 1000)
        warm -= 1
        if warm == 0:
            waits.clear()
            print("begun", flush=True)
    print(json.dumps({"waits": waits}))


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """One of the two."""
    works = {"ticker": _ticking, "flask": _serving}
    return works[arguments.form](arguments.kubeconfig, arguments.objects)


if __name__ == "__main__":
    if sys.argv[1:3] == ["--form", "visitor"]:
        _visit(int(sys.argv[4]))
    elif sys.argv[1:3] == ["--form", "bystander"]:
        _stand_by()
    else:
        run(measure)
