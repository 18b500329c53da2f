"""The watcher on API servers: the same tests on the embedded one and on a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from backoff import constant

from kubewatch import (
    Api,
    Apply,
    Client,
    Config,
    EventStream,
    InvalidInput,
    Object,
    PartialObjectMeta,
    StaleAfterFork,
    UnknownKind,
    metadata_watcher,
    watch_object,
    watcher,
)
from kubewatch.testing import ApiServer, EnvTest

# Seconds after which a test that waits for an event gives up.
PATIENCE = 30.0

ALL_CONFIGS = {
    "list": Config(),
    "pages": Config(page_size=2),
    "any": Config(list_semantic="any", page_size=None),
    "streaming": Config(initial_list="streaming"),
    "auto": Config(initial_list="auto"),
}


@pytest.fixture
def api(client: Client, namespace: str) -> Api[Object]:
    """ConfigMaps in a namespace that holds none but the test's own."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


@pytest.fixture
def mine() -> Config:
    """A selector that leaves out what a real server puts into each namespace by itself."""
    return Config(label_selector="test=watcher")


def config_map(name: str, **labels: str) -> dict[str, Any]:
    meta = {"name": name, "labels": {"test": "watcher", **labels}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"name": name}}


def take(stream: Iterator[Any], count: int) -> list[str]:
    return [str(item) for item in islice(stream, count)]


def labelled(config: Config) -> Config:
    import dataclasses

    return dataclasses.replace(config, label_selector="test=watcher")


@pytest.mark.parametrize("config", ALL_CONFIGS.values(), ids=ALL_CONFIGS)
def test_what_exists_comes_first_and_then_each_change(api: Api[Object], config: Config) -> None:
    """Rows 9, 115: the objects between Init and InitDone, once each; then Apply and Delete as things change."""
    for name in "abcde":
        api.create(config_map(name))
    with watcher(api, labelled(config)).until(seconds=PATIENCE) as stream:
        initial = take(stream, 7)
        assert (initial[0], initial[-1]) == ("Init", "InitDone")
        assert sorted(initial[1:-1]) == [f"InitApply({name})" for name in "abcde"]
        created = api.create(config_map("f"))
        assert take(stream, 1) == ["Apply(f)"]
        patched = api.patch("f", {"data": {"more": "yes"}})
        event = next(stream)
        assert isinstance(event, Apply)
        assert (event.object.resource_version, event.object.data.more) == (patched.resource_version, "yes")
        assert event.object.uid == created.uid
        api.delete("f")
        assert take(stream, 1) == ["Delete(f)"]
        assert stream.vitals.resource_version is not None
        assert not stream.vitals.failing


def test_a_watch_that_the_server_ends_is_resumed_without_a_repeat(api: Api[Object]) -> None:
    """Pain 7: the server ends a watch each second; the stream goes on, and nothing comes twice."""
    with watcher(api, Config(timeout=1, label_selector="test=watcher")).until(seconds=PATIENCE) as stream:
        assert take(stream, 2) == ["Init", "InitDone"]
        seen = []
        for number in range(4):
            api.create(config_map(f"cm-{number}"))
            seen += take(stream, 1)
            waited = threading.Event()
            waited.wait(0.7)  # spreads the creations over several watches of one second each
        assert seen == [f"Apply(cm-{number})" for number in range(4)]
        api.create(config_map("last"))
        assert take(stream, 1) == ["Apply(last)"]
        assert stream.vitals.restarts["closed"] >= 1


def test_an_object_that_no_longer_matches_the_selector_is_deleted(api: Api[Object]) -> None:
    api.create(config_map("a", app="web"))
    api.create(config_map("b", app="db"))
    with watcher(api, Config(label_selector="app=web")).until(seconds=PATIENCE) as stream:
        assert take(stream, 3) == ["Init", "InitApply(a)", "InitDone"]
        api.patch("b", {"metadata": {"labels": {"app": "web"}}})
        api.patch("a", {"metadata": {"labels": {"app": "db"}}})
        assert take(stream, 2) == ["Apply(b)", "Delete(a)"]


def test_a_field_selector_holds_for_list_and_watch(api: Api[Object]) -> None:
    api.create(config_map("a"))
    api.create(config_map("b"))
    with watcher(api, Config(field_selector="metadata.name=a")).until(seconds=PATIENCE) as stream:
        assert take(stream, 3) == ["Init", "InitApply(a)", "InitDone"]
        api.patch("b", {"data": {"x": "y"}})
        api.patch("a", {"data": {"x": "y"}})
        assert take(stream, 1) == ["Apply(a)"]


@pytest.mark.parametrize("config", ALL_CONFIGS.values(), ids=ALL_CONFIGS)
def test_metadata_alone_is_asked_for_and_comes(api: Api[Object], config: Config) -> None:
    """Rows 100, 103, 113: list and watch in the metadata form; a drop-in replacement in every mode."""
    api.create(config_map("a"))
    with metadata_watcher(api, labelled(config)).until(seconds=PATIENCE) as stream:
        objects = stream.applied_objects()
        first = next(objects)
        api.patch("a", {"metadata": {"labels": {"more": "yes"}}})
        second = next(objects)
        assert [(type(o), o.name, o.kind) for o in (first, second)] == [(PartialObjectMeta, "a", "ConfigMap")] * 2
        assert second.labels["more"] == "yes"
        assert len(first._raw) < 1000
        assert "data" not in first
        with pytest.raises(AttributeError, match=r"watcher\(api\)"):
            _ = first.data
    with watcher(api.metadata(), labelled(config)).until(seconds=PATIENCE) as same:
        assert isinstance(next(same.applied_objects()), PartialObjectMeta)


def test_one_object_is_followed(api: Api[Object]) -> None:
    with watch_object(api, "one").until(seconds=PATIENCE) as states:
        assert next(states) is None
        created = api.create(config_map("one"))
        state = next(states)
        assert state is not None
        assert state.resource_version == created.resource_version
        api.delete("one")
        assert next(states) is None


def test_one_object_of_many_namespaces_is_refused(client: Client, api: Api[Object]) -> None:
    api.create(config_map("one"))
    everywhere = Api("v1", "ConfigMap", client=client)
    assert everywhere.namespaced is None
    with pytest.raises(InvalidInput, match="namespace="), watch_object(everywhere, "one").until(PATIENCE) as states:
        next(states)
    assert everywhere.namespaced is True
    with pytest.raises(InvalidInput, match="namespace="):
        watch_object(everywhere, "one")


def test_an_unknown_kind_is_an_error_that_says_so(client: Client) -> None:
    with watcher(Api("v1", "Pood", client=client)).default_backoff().until(seconds=PATIENCE) as stream:
        assert str(next(stream)) == "Init"
        with pytest.raises(UnknownKind, match="Did you mean v1 Pod"):
            next(stream)


# Stopping


def until_stopped(stream: EventStream[Object], ready: threading.Event, count: int) -> Callable[[], None]:
    def pull() -> None:
        for number, _ in enumerate(stream, 1):
            if number == count:
                ready.set()

    return pull


def test_stop_from_another_thread_ends_a_silent_watch(api: Api[Object], mine: Config) -> None:
    """Pain 3: a reader blocked in a quiet watch ends, normally, as soon as another thread says stop."""
    api.create(config_map("a"))
    for round_ in range(5):
        stream, ready = watcher(api, mine), threading.Event()
        reader = threading.Thread(target=until_stopped(stream, ready, 3), name=f"reader-{round_}")
        reader.start()
        assert ready.wait(PATIENCE)
        if round_ % 2:  # the watch may be starting, or have started
            ready.wait(0.05)
            threading.Event().wait(0.05)
        before = time.monotonic()
        stream.stop()
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert time.monotonic() - before < PATIENCE / 3


def test_stop_ends_a_backoff_pause(client: Client, namespace: str) -> None:
    nobody = Api("v1", "ConfigMap", namespace=namespace, client=Client.from_kubeconfig("/nonexistent/kubeconfig"))
    failed = threading.Event()
    stream = watcher(nobody).backoff(constant, interval=600.0, on_backoff=lambda _: failed.set())
    reader = threading.Thread(target=lambda: list(stream), name="reader")
    reader.start()
    assert failed.wait(PATIENCE)
    stream.stop()
    reader.join(PATIENCE)
    assert not reader.is_alive()


def test_a_stream_ends_by_itself_when_its_time_is_over(api: Api[Object], mine: Config) -> None:
    for seconds in (0.3, 3.0, 30.0):  # until the list comes before the end, which on a busy machine takes its time
        came = take(watcher(api, mine).until(seconds=seconds), 10)
        if "InitDone" in came:
            break
    assert came == ["Init", "InitDone"]


def test_a_stream_ends_when_an_event_is_set(api: Api[Object], mine: Config) -> None:
    over = threading.Event()
    stream = watcher(api, mine).take_until(over)
    assert take(stream, 2) == ["Init", "InitDone"]
    threading.Timer(0.2, over.set).start()
    assert take(stream, 10) == []


def test_streams_leave_no_descriptor_and_no_thread_behind(api: Api[Object], mine: Config) -> None:
    """Pain 14: however many watches were opened and left, nothing stays open."""

    def once() -> None:
        with watcher(api, mine) as stream:
            take(stream, 2)
        stream = watcher(api, mine).until(seconds=0.01)
        list(stream)

    once()
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(20):
        once()
    settled(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + 2 and threading.active_count() <= threads + 2)


def settled(claim: Callable[[], bool]) -> None:
    """Waits for what other threads of this process (an embedded server's) are about to finish."""
    end = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


INTERRUPTED = """
import sys
from kubewatch import Api, Client, watcher
stream = watcher(Api("v1", "ConfigMap", namespace=sys.argv[2], client=Client.from_kubeconfig(sys.argv[1])))
for event in stream:
    print(event, flush=True)
"""


def test_an_interrupt_ends_a_script_at_once(api_server: ApiServer | EnvTest, namespace: str, tmp_path: Path) -> None:
    """Pain 3: Ctrl-C while a watch is quiet ends the script, with its connection closed."""
    kubeconfig = api_server.kubeconfig(tmp_path / "kubeconfig")
    command = [sys.executable, "-c", INTERRUPTED, str(kubeconfig), namespace]
    script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert script.stdout is not None
        while script.stdout.readline().strip() != "InitDone":
            assert script.poll() is None
        before = time.monotonic()
        script.send_signal(signal.SIGINT)
        _, errors = script.communicate(timeout=PATIENCE)
    finally:
        script.kill()
        script.communicate()
    assert "KeyboardInterrupt" in errors
    assert script.returncode == -signal.SIGINT
    assert time.monotonic() - before < PATIENCE / 3


# Forks


def in_a_child(check: Callable[[], object]) -> int:
    """The exit code of a forked child that ran `check`: 0 if it held."""
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        code = 1
        try:
            check()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forking a process with threads is the point
def test_a_child_starts_its_own_stream_and_the_parents_goes_on(api: Api[Object], mine: Config) -> None:
    """Pain 21: a fork's child gets connections of its own; the parent's stream neither loses nor mixes anything."""
    api.create(config_map("a"))
    with watcher(api, mine).until(seconds=PATIENCE) as stream:
        assert take(stream, 3) == ["Init", "InitApply(a)", "InitDone"]

        def in_child() -> None:
            with pytest.raises(StaleAfterFork):
                list(islice(stream, 5))
            with watcher(api, mine).until(seconds=PATIENCE) as own:
                assert take(own, 3) == ["Init", "InitApply(a)", "InitDone"]

        assert in_a_child(in_child) == 0
        api.create(config_map("b"))
        assert take(stream, 1) == ["Apply(b)"]
