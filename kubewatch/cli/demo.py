"""`kubewatch demo`: what a watch and its store do, shown on the embedded API server.

One thread does it all: something changes in the shop, then the watch is pulled until it has brought the change. So
nothing is waited for but the reader's eyes, and what is shown is what the watch handed out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import backoff

from kubewatch.api import Api
from kubewatch.errors import KubewatchError, WatchError, WatchStatusError
from kubewatch.events import Delete, Event, InitDone
from kubewatch.objects import Object
from kubewatch.printing.rows import LABELS, Shape, cells, columns_for
from kubewatch.printing.table import Table
from kubewatch.printing.text import BOLD, CYAN, GREEN, RED, YELLOW, coloured, wants_colour
from kubewatch.store import Store, store
from kubewatch.streams import EventStream
from kubewatch.testing import ApiServer
from kubewatch.testing.apiserver.faults import Fault
from kubewatch.watcher import watcher

from .messages import cause_of
from .output import write_line
from .shop import NAMESPACE, Shop, backing_off, creating, out_of_memory, running

# The story takes so many pauses, each long enough to read a line or two.
BEATS = 46.0

# Seconds until a watch that brings nothing is given up: a demo that hangs would be a poor one.
PATIENCE = 60.0

_STYLES = {"Init": CYAN, "InitDone": CYAN, "Apply": GREEN, "Delete": RED}

INTRODUCTION = """\
An API server in this process, a watch of its pods, and the store that the watch
fills. No cluster is needed, nothing is left behind. The program behind it:

    reader, writer = store()
    stream = watcher(Api("pods", namespace="shop")).reflect(writer)
    for event in stream.default_backoff():
        print(event)"""

CONCLUSION = """
Your turn. kubewatch finds your cluster as kubectl does:

    kubewatch watch pods -A                     a live table
    kubewatch watch deploy -n shop | jq .       JSON lines in a pipe
    kubewatch watch --help                      selectors, predicates, forms
"""


def run(arguments: argparse.Namespace) -> int:
    """Tell the story, in about as many seconds as the arguments say; returns the exit status."""
    colour = wants_colour(sys.stdout, os.environ, arguments.no_color)
    with ApiServer() as server:
        play(server, write_line, beat=arguments.seconds / BEATS, colour=colour)
    return 0


def play(server: ApiServer, write: Callable[[str], object], *, beat: float, colour: bool = False) -> None:
    """Tell the story on a running server, with pauses of `beat` seconds."""
    with server.client() as client:
        shop = Shop(client)
        shop.open()
        reader, writer = store()
        pods = watcher(Api("pods", namespace=NAMESPACE, client=client)).reflect(writer)
        with Stage(pods, reader, write, beat=beat, colour=colour) as stage:
            write(INTRODUCTION)
            stage.pause(4)
            _list(stage)
            _scale(stage, shop)
            _crash(stage, shop)
            _label(stage, shop)
            _delete(stage, shop)
            _ask(stage)
            _break(stage, shop, server)
        write(CONCLUSION)


# The story


def _list(stage: Stage) -> None:
    stage.say("A watch begins with a list of what is there: Init, InitApply ..., InitDone.")
    stage.show_until(InitDone)


def _scale(stage: Stage, shop: Shop) -> None:
    stage.say("Deployment web is scaled from 2 to 3, and a pod comes up.")
    shop.scale(3)
    shop.create_pod("web-b8t6m", "web", "node-1")
    stage.show_until("web-b8t6m")
    for status in (creating(), running()):
        shop.set_status("web-b8t6m", status)
        stage.show_until("web-b8t6m")


def _crash(stage: Stage, shop: Shop) -> None:
    stage.say("It takes too much memory, is killed, and gets another chance.")
    for status in (out_of_memory(), backing_off(1), running(1)):
        shop.set_status("web-b8t6m", status)
        stage.show_until("web-b8t6m")


def _label(stage: Stage, shop: Shop) -> None:
    stage.say(
        "A pod is marked as canary. Of all changes so far, this is the only one that",
        "a stream with .predicate_filter(predicates.labels) would hand on.",
    )
    shop.label("web-4xk2p", track="canary")
    stage.show_until("web-4xk2p")


def _delete(stage: Stage, shop: Shop) -> None:
    stage.say("A pod is deleted, and its Deployment makes another.")
    shop.delete_pod("web-9fj7q")
    stage.show_until("web-9fj7q")
    shop.create_pod("web-h3v5c", "web", "node-2")
    stage.show_until("web-h3v5c")
    shop.end_pod("web-9fj7q")
    stage.show_until(Delete)
    shop.set_status("web-h3v5c", running())
    stage.show_until("web-h3v5c")


def _ask(stage: Stage) -> None:
    stage.say("The store has kept up. Any thread may ask it; no request is made.")
    stage.ask("reader")
    stage.ask('sorted(pod.name for pod in reader.select("app=web"))')
    stage.ask('reader.get("db-0", "shop").spec.nodeName')
    stage.ask("reader.is_live(within=90)  # seconds, for a liveness probe")


def _break(stage: Stage, shop: Shop, server: ApiServer) -> None:
    def behind_its_back() -> None:
        stage.say(
            "Meanwhile, unseen, web-b8t6m goes and web-k7w4d comes; and the server forgets",
            "old versions. The store answers from what it has, and says that it is failing.",
        )
        shop.end_pod("web-b8t6m")
        shop.create_pod("web-k7w4d", "web", "node-1")
        shop.set_status("web-k7w4d", running())
        stage.ask("reader")
        server.faults.compact()
        server.faults.clear()

    stage.say("Now the connection breaks, and the server cannot be reached for a while.")
    stage.meanwhile(behind_its_back)
    server.faults.add(Fault.cut(), verb="watch", times=None)
    server.faults.drop_watches()
    stage.show_until("web-k7w4d")
    stage.say("All is listed anew. Until the list is complete, readers see the old state:")
    stage.ask("sorted(pod.name for pod in reader)")
    stage.show_until(InitDone)
    stage.say(
        "At InitDone the store was exchanged as a whole: web-b8t6m is gone, of which no",
        "Delete ever came, and web-k7w4d is there.",
    )
    stage.ask("sorted(pod.name for pod in reader)")
    stage.ask("reader")


class Stage:
    """Where the story is shown: what is said, rows for events as they come, questions to the store with its answers.

    A context manager that ends the watch. Everything happens on the caller's thread.
    """

    def __init__(
        self,
        stream: EventStream[Object],
        reader: Store[Object],
        write: Callable[[str], object],
        *,
        beat: float,
        colour: bool,
    ) -> None:
        self._reader = reader
        self._write = write
        self._beat = beat
        self._colour = colour
        self._columns = [*(c for c in columns_for(Shape("v1", "Pod")) if c.name != "Age"), LABELS]
        titles = ["EVENT", *(column.name.upper() for column in self._columns)]
        self._table = Table(write, titles, [9, 9, 5, 17, 8, 0], colour=colour)
        self._meanwhile: Callable[[], object] | None = None
        wait = 1.5 * beat
        stream = stream.backoff(backoff.constant, jitter=None, on_backoff=self._on_backoff, interval=wait)
        self._stream = stream.until(BEATS * beat + PATIENCE)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def pause(self, beats: float = 1.0) -> None:
        """Leave time to read."""
        self._stream.stopper.wait(beats * self._beat)

    def say(self, *lines: str) -> None:
        """Say what happens next."""
        self._write("")
        for line in lines:
            self._write(self._in(f"# {line}", BOLD))
        self.pause(1.3 * len(lines))

    def ask(self, question: str) -> None:
        """Put a question to the store, as in a Python shell."""
        self._write(self._in(f">>> {question}", CYAN))
        self._write(repr(eval(question, {"reader": self._reader})))
        self.pause()

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Do something while the watch waits, after its next error."""
        self._meanwhile = act

    def show_until(self, wanted: str | type[InitDone] | type[Delete[Object]]) -> None:
        """Show events as they come, up to one of a kind, or about the pod of a name."""
        for event in self._stream:
            self._show(event)
            self.pause(0.4)
            if isinstance(event, wanted) if isinstance(wanted, type) else _name(event) == wanted:
                return
        raise KubewatchError(f"the watch ended before {wanted} came, after {PATIENCE:g} s or more")

    def _show(self, event: Event[Object]) -> None:
        what = type(event).__name__
        obj = getattr(event, "object", None)
        row = cells(self._columns, obj) if obj is not None else [""] * len(self._columns)
        self._table.add([([what, *row], _STYLES.get(what))])

    def _on_backoff(self, details: Mapping[str, Any]) -> None:
        error: WatchError = details["exception"]
        answer = f"{error.code} {error.reason}" if isinstance(error, WatchStatusError) else cause_of(error)
        self._write(self._in(f"! {type(error).__name__}: {answer}", YELLOW))
        self.pause()
        act, self._meanwhile = self._meanwhile, None
        if act is not None:
            act()

    def _in(self, text: str, style: str) -> str:
        return coloured(text, style if self._colour else None)


def _name(event: Event[Object]) -> str:
    obj = getattr(event, "object", None)
    return obj.name if obj is not None else ""
