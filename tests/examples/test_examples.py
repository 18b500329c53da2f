"""Every file in examples/ runs, as its reader would run it, on both servers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubewatch import Api
from kubewatch.client import Client
from kubewatch.testing import ApiServer, EnvTest

from .running import EXAMPLES, config_map, deployment, pod, running


def test_follow_shows_any_kind(api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path) -> None:
    api = Api("v1", "ConfigMap", namespace=namespace, client=client)
    api.create(config_map("before", namespace))
    with running("follow.py", "configmaps", server=api_server, tmp_path=tmp_path) as example:
        example.read_until("ConfigMap", namespace, "before")
        api.create(config_map("after", namespace))
        example.read_until("ConfigMap", namespace, "after")
        api.delete("after")
        example.read_until("ConfigMap", namespace, "after")


def test_watch_pods_sees_pods_of_the_default_namespace(
    api_server: ApiServer | EnvTest, client: Client, tmp_path: Path
) -> None:
    pods = Api("v1", "Pod", namespace="default", client=client)
    pods.create(pod("watched", "default"))
    try:
        with running("watch_pods.py", server=api_server, tmp_path=tmp_path) as example:
            assert example.read_until("watched") == "saw watched\n"
    finally:
        pods.delete("watched", grace_period_seconds=0)


def test_watch_metadata_sees_labels(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path
) -> None:
    Api("v1", "Pod", namespace=namespace, client=client).create(pod("web", namespace))
    with running("watch_metadata.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until("saw web", "{'app': 'web'}")


@pytest.mark.parametrize(
    ("example_file", "says"), [("watch_changes.py", "generation"), ("reflect_then_filter.py", "wants")]
)
def test_changes_of_status_are_held_back_and_changes_of_spec_are_shown(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path, example_file: str, says: str
) -> None:
    api = Api("apps/v1", "Deployment", namespace=namespace, client=client)
    name = f"web-{namespace}"
    api.create(deployment(name, namespace))
    with running(example_file, server=api_server, tmp_path=tmp_path) as example:
        example.read_until(name, f"{says} 1")
        api.patch_status(name, {"status": {"observedGeneration": 1}})
        api.patch(name, {"spec": {"replicas": 2}})
        line = example.read_until(name)
        assert f"{says} 2" in line, f"the change of status came through: {line!r}"


def test_what_is_pruned_before_the_store_is_in_neither(
    api_server: ApiServer | EnvTest, client: Client, namespace: str, tmp_path: Path
) -> None:
    api = Api("v1", "Pod", namespace=namespace, client=client)
    with running("prune_before_store.py", server=api_server, tmp_path=tmp_path) as example:
        api.create(pod("web", namespace))
        assert "without status: True" in example.read_until("web")


def test_every_example_has_a_test() -> None:
    tested = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    # A folder is one example, whose tests run it as it is used.
    examples = {path.relative_to(EXAMPLES).parts[0] for path in EXAMPLES.rglob("*.py")}
    assert sorted(examples - set(re.findall(r"[\w.]+", tested))) == []
