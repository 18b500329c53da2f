"""The replay server answers as a real one does, and every client of ours gets to its end with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from benchmarks.clients.ours import FORMS
from benchmarks.contenders import Size
from benchmarks.pods import METADATA, TYPED, render
from benchmarks.replay import PORTS, Replay
from benchmarks.rounds import ROOT
from kubewatch import Api, Client, Config, metadata_watcher, watcher
from kubewatch.events import Apply, InitApply, InitDone
from kubewatch.streams import EventStream

SIZE = Size(25, 40)


@pytest.fixture(scope="module")
def server() -> Iterator[Replay]:
    with Replay(*SIZE, live=3, rate=1e9) as replay:  # so that live changes come along with those before them
        yield replay


def listed(stream: EventStream[Any]) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    for event in stream:
        if type(event) is InitDone:
            return objects
        if type(event) is InitApply:
            objects.append(event.object.to_dict())
    raise AssertionError("the list came to no end")


def expected(*, metadata: bool = False) -> list[dict[str, Any]]:
    form = METADATA if metadata else TYPED
    pods = [json.loads(render(form.in_event, number, number + 1)) for number in range(SIZE.objects)]
    return [pod | {"apiVersion": "v1", "kind": "Pod"} for pod in pods]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("way", ["list_watch", "streaming"])
def test_a_list_holds_all_pods_by_pages_and_by_streaming_on_each_port(server: Replay, port: str, way: Any) -> None:
    api = Api("v1", "Pod", client=Client.from_kubeconfig(server.kubeconfig(port)))
    with watcher(api, Config(initial_list=way, page_size=10)) as stream:
        assert listed(stream) == expected()


@pytest.mark.parametrize("way", ["list_watch", "streaming"])
def test_metadata_alone_comes_where_it_is_asked_for(server: Replay, way: Any) -> None:
    api = Api("v1", "Pod", client=Client.from_kubeconfig(server.kubeconfig()))
    with metadata_watcher(api, Config(initial_list=way, page_size=10)) as stream:
        assert listed(stream) == expected(metadata=True)


def test_changes_follow_the_list_without_a_gap_and_then_live_ones(server: Replay) -> None:
    api = Api("v1", "Pod", client=Client.from_kubeconfig(server.kubeconfig()))
    with watcher(api) as stream:
        listed(stream)
        changes = [event.object for event in islice(stream, SIZE.events + 3) if type(event) is Apply]
    first = SIZE.objects + 1
    assert [int(pod.resource_version) for pod in changes] == list(range(first, first + SIZE.events + 3))
    assert [pod.metadata.generation for pod in changes] == [1] * (SIZE.events - 1) + [2, 1, 1, 1]
    notes = [pod.annotations["note"] for pod in changes]
    assert notes[: SIZE.events] == ["-"] * SIZE.events
    assert all(note.isdigit() for note in notes[SIZE.events :])


@pytest.mark.parametrize(
    ("module", "form"),
    [
        *(("ours", form) for form in FORMS),
        *(("bounds", form) for form in ("socket", "receive", "prototype")),
        ("floor", "typed"),
    ],
)
def test_a_client_gets_to_its_end_and_tells_what_it_cost(server: Replay, module: str, form: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.clients.{module}", "--kubeconfig", server.kubeconfig()]
    command += ["--form", form, "--objects", str(SIZE.objects), "--events", str(SIZE.events)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    told = json.loads(done.stdout)
    assert (told["objects"], told["events"], told["form"]) == (*SIZE, form)
    assert all(told[f"{phase}_{time}"] >= 0 for phase in ("list", "watch") for time in ("cpu", "wall"))
