"""A storm of changes over a network that breaks: at its end the store is what the server has."""

from __future__ import annotations

import itertools
import random
import threading
from collections import defaultdict
from typing import Any

import backoff
from kubernetes.client import Configuration

from kubewatch import Api, Apply, Client, Config, Delete, InitApply, Object, predicates, reflector, store, watcher
from kubewatch.testing import ApiServer, EnvTest
from tests.integration.chaos import ChaosProxy, Fate

OBJECTS = 500
CHANGES = 10_000
WRITERS = 2
BROKEN = 50  # requests, at least, that are refused, cut or silenced
SENTINEL = "the-end"

# A bound, not a pause: seconds within which the store must have caught up with a calm server.
PATIENCE = 60.0


def config_map(name: str, round_: int) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"round": str(round_)}}}
    return body | {"data": {"filler": "x" * 500}}


def write(api: Api[Object], names: list[str], changes: int, seed: int) -> None:
    """Random creates, updates and deletes of `names`, which no other writer touches."""
    dice, alive = random.Random(seed), set[str]()
    for round_ in range(changes):
        name = dice.choice(names)
        if name not in alive:
            api.create(config_map(name, round_))
            alive.add(name)
        elif dice.random() < 0.25:
            api.delete(name)
            alive.discard(name)
        else:
            api.patch(name, {"metadata": {"labels": {"round": str(round_)}}})


def blow_on(api: Api[Object], proxy: ChaosProxy) -> None:
    """More changes, until it is a storm: how soon that is depends on how fast the others were."""
    api.create(config_map("restless", 0))
    for round_ in range(CHANGES):
        if is_storm(proxy):
            return
        api.patch("restless", {"metadata": {"labels": {"round": str(round_)}}})


def is_storm(proxy: ChaosProxy) -> bool:
    """Whether enough was broken, and in each way."""
    fates = list(proxy.fates)
    refused = {fate.status for fate in fates} == {410, 429, 500, None}
    return refused and any(fate.silent_after for fate in fates) and sum(fate != Fate() for fate in fates) > BROKEN


def proxied(proxy: ChaosProxy) -> Client:
    configuration = Configuration()
    configuration.host = proxy.url
    return Client(configuration)


def test_after_a_storm_the_store_equals_the_servers_list(
    api_server: ApiServer | EnvTest, client: Client, namespace: str
) -> None:
    """10 000 changes to 500 objects; requests refused (429, 500, 410), cut and silenced at random all the while."""
    direct = Api("v1", "ConfigMap", namespace=namespace, client=client)
    reader, writer = store()
    seen: dict[str, list[str]] = defaultdict(list)
    live: dict[str, str] = {}
    repeated: list[Object] = []
    caught_up = threading.Event()

    def note_event(event: object) -> None:
        if isinstance(event, InitApply):
            live[event.object.uid] = event.object.resource_version
        elif isinstance(event, Apply | Delete):
            if live.get(event.object.uid) == event.object.resource_version:
                repeated.append(event.object)
            live[event.object.uid] = event.object.resource_version

    token = getattr(api_server, "token", None)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    ca_file = getattr(api_server, "ca_file", None)
    with ChaosProxy(api_server.url, headers=headers, ca_file=ca_file and str(ca_file), seed=20) as proxy:
        events = watcher(
            Api("v1", "ConfigMap", namespace=namespace, client=proxied(proxy)),
            Config(page_size=100, idle_timeout=1.0),
        )
        vitals = events.vitals
        stream = (
            reflector(writer, events.inspect(note_event))
            .backoff(backoff.expo, base=2, factor=0.01, max_value=0.1)
            .touched_objects()
            .predicate_filter(predicates.resource_version)
        )

        def read() -> None:
            for obj in stream:
                seen[obj.uid].append(obj.resource_version)
                if obj.name == SENTINEL:
                    caught_up.set()

        follower = threading.Thread(target=read, name="follower")
        follower.start()
        names = [f"cm-{i}" for i in range(OBJECTS)]
        writers = [
            threading.Thread(
                target=write, args=(direct, names[i::WRITERS], CHANGES // WRITERS, i), name=f"storm-writer-{i}"
            )
            for i in range(WRITERS)
        ]
        try:
            for thread in writers:
                thread.start()
            for thread in writers:
                thread.join()
            blow_on(direct, proxy)
            proxy.calm.set()
            proxy.cut_all()
            direct.create(config_map(SENTINEL, 0))
            wanted = {obj.name: obj.resource_version for obj in direct.list()}
            assert caught_up.wait(PATIENCE), "the last object was never seen"
        finally:
            stream.stop()
            follower.join()
        assert {obj.name: obj.resource_version for obj in reader.state()} == wanted
        assert not repeated, "a live event told nothing new"
        for versions in seen.values():
            assert all(int(a) < int(b) for a, b in itertools.pairwise(versions)), "out of order, or twice"
        assert is_storm(proxy)
        assert vitals.restarts["expired"] > 0
