"""What else goes on in a process while it lists 100 000 pods into a store: `--form ticker` or `--form flask`.

- ticker: another thread asks for the GIL every millisecond; how much longer than that it had to wait.
- flask: another process asks a Flask app in this one, every 5 ms; how long it took to answer.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection

from kubewatch import Api, Client, store, watcher
from kubewatch.events import InitDone

from .program import percentile, run

TICK = 0.001
PAUSE = 0.005


def _sync(kubeconfig: str, objects: int) -> float:
    """List all objects into a store; the seconds that it took."""
    api = Api("v1", "Pod", client=Client.from_kubeconfig(kubeconfig))
    reader, writer = store()
    started = time.perf_counter()
    for event in watcher(api).reflect(writer):
        if type(event) is InitDone:
            break
    took = time.perf_counter() - started
    if len(reader) != objects:
        raise RuntimeError(f"{len(reader)} objects were listed, not {objects}")
    return took


def _ticking(kubeconfig: str, objects: int) -> dict[str, float]:
    over = threading.Event()
    waits: list[float] = []

    def tick() -> None:
        last = time.perf_counter()
        while not over.wait(TICK):
            now = time.perf_counter()
            waits.append((now - last - TICK) * 1000)
            last = now

    ticker = threading.Thread(target=tick, name="ticker")
    ticker.start()
    time.sleep(0.2)
    waits.clear()
    took = _sync(kubeconfig, objects)
    over.set()
    ticker.join()
    return {"seconds": took, "longest_ms": max(waits), "p99_ms": percentile(waits, 99), "ticks": len(waits)}


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
        took = _sync(kubeconfig, objects)
        waits: list[float] = json.loads(visitor.communicate("over\n")[0])["waits"]
    server.shutdown()
    serving.join()
    return {"seconds": took, "p99_ms": percentile(waits, 99), "longest_ms": max(waits), "requests": len(waits)}


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
    else:
        run(measure)
