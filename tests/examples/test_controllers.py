"""The controllers in examples/ run, as their reader would run them, on both servers.

The operator's cleanup is Kubernetes' own: the embedded server collects what has lost its owner. A kube-apiserver leaves
that to kube-controller-manager, which EnvTest has not; there the tests see the owner references it would go by.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewatch import Api, Object
from kubewatch.client import Client
from kubewatch.testing import ApiServer, EnvTest

from .running import config_map, daemon_set, deployment, ended, running
from .websites import CRON, OPERATOR, done, install, made, owned_by, wait_for, wait_until_gone, website


@pytest.fixture
def websites(client: Client, namespace: str) -> Iterator[Api[Object]]:
    """The kind Website in the test's namespace; its objects are deleted afterwards, as every operator sees them."""
    install(client)
    api = Api("example.com/v1", "Website", namespace=namespace, client=client)
    yield api
    for site in list(api.list()):
        api.delete(site.name)


@pytest.fixture
def deployments(client: Client, namespace: str) -> Api[Object]:
    """Deployments in the test's namespace."""
    return Api("apps/v1", "Deployment", namespace=namespace, client=client)


@pytest.fixture
def config_maps(client: Client, namespace: str) -> Api[Object]:
    """ConfigMaps in the test's namespace."""
    return Api("v1", "ConfigMap", namespace=namespace, client=client)


# The chapter's controllers


def test_the_output_of_a_controller_shows_successes_and_failures(
    api_server: ApiServer | EnvTest, websites: Api[Object], namespace: str, tmp_path: Path
) -> None:
    websites.create(website("home"))
    with running("controller_output.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until("reconciled", f"home.{namespace}")
        websites.create(website("empty", html=""))
        example.read_until("failed", f"empty.{namespace}", "a website without a page")
        websites.patch("empty", {"spec": {"html": "A page"}})
        example.read_until("reconciled", f"empty.{namespace}")


def test_a_main_stream_with_its_reader(
    api_server: ApiServer | EnvTest, websites: Api[Object], namespace: str, tmp_path: Path
) -> None:
    websites.create(website(f"first-{namespace}"))
    with running("controller_main_stream.py", server=api_server, tmp_path=tmp_path) as example:
        known = int(example.read_until(f"first-{namespace}", " of ").rpartition(" of ")[2])
        websites.create(website(f"second-{namespace}"))
        assert int(example.read_until(f"second-{namespace}", " of ").rpartition(" of ")[2]) > known - 1


def test_a_main_stream_of_metadata_fetches_the_whole_where_it_must(
    api_server: ApiServer | EnvTest, deployments: Api[Object], namespace: str, tmp_path: Path
) -> None:
    with running("controller_metadata.py", server=api_server, tmp_path=tmp_path) as example:
        deployments.create(deployment(f"{namespace}-a", namespace))
        example.read_until(f"{namespace}-a with 1 replicas is nobody's")
        deployments.patch(f"{namespace}-a", {"metadata": {"labels": {"team": "web"}}, "spec": {"replicas": 2}})
        deployments.create(deployment(f"{namespace}-b", namespace))
        example.read_until(f"{namespace}-b")
    assert f"{namespace}-a with 2" not in example.output


def test_an_owned_stream_reconciles_the_owner(
    api_server: ApiServer | EnvTest, websites: Api[Object], deployments: Api[Object], namespace: str, tmp_path: Path
) -> None:
    owner = websites.create(website(f"owner-{namespace}"))
    with running("controller_owned_stream.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until(owner.name)
        deployments.create(owned_by(owner, deployment("child", namespace)))
        example.read_until(owner.name)
        deployments.delete("child")
        example.read_until(owner.name)


def test_a_watched_stream_reconciles_what_the_mapper_says(
    api_server: ApiServer | EnvTest, client: Client, websites: Api[Object], namespace: str, tmp_path: Path
) -> None:
    websites.create(website(f"named-{namespace}"))
    websites.create(website(f"other-{namespace}"))
    with running("controller_watched_stream.py", server=api_server, tmp_path=tmp_path) as example:
        for name in ("named", "other"):
            if not any(f"{name}-{namespace}" in line for line in example.lines):
                example.read_until(f"{name}-{namespace}")
        before = len(example.lines)
        daemons = Api("apps/v1", "DaemonSet", namespace=namespace, client=client)
        daemons.create(daemon_set("daemon", {"example.com/website": f"named-{namespace}"}))
        example.read_until(f"named-{namespace}")
    assert not any(f"other-{namespace}" in line for line in example.lines[before:])


def test_three_streams_trigger_one_controller(
    api_server: ApiServer | EnvTest,
    websites: Api[Object],
    deployments: Api[Object],
    config_maps: Api[Object],
    namespace: str,
    tmp_path: Path,
) -> None:
    owner = websites.create(website(f"owner-{namespace}"))
    with running("controller_streams.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until(owner.name)
        deployments.create(owned_by(owner, deployment("child", namespace)))
        example.read_until(owner.name)
        theme = config_map("theme", namespace)
        config_maps.create(theme | {"metadata": {"name": "theme", "labels": {"theme": "dark"}}})
        example.read_until(owner.name)


def test_several_streams_hold_back_changes_of_status_and_show_those_of_children(
    api_server: ApiServer | EnvTest, websites: Api[Object], deployments: Api[Object], namespace: str, tmp_path: Path
) -> None:
    owner = websites.create(website(f"owner-{namespace}"))
    with running("controller_multi_stream.py", server=api_server, tmp_path=tmp_path) as example:
        example.read_until(owner.name, "generation 1")
        websites.patch_status(owner.name, {"status": {"readyReplicas": 1}})
        websites.patch(owner.name, {"spec": {"replicas": 2}})
        line = example.read_until(owner.name)
        assert "generation 2" in line, f"the change of status came through: {line!r}"
        deployments.create(owned_by(owner, deployment("child", namespace)))
        example.read_until(owner.name, "generation 2")


# The operator


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
def test_the_operator_makes_what_a_website_needs_and_mends_it(
    api_server: ApiServer | EnvTest,
    websites: Api[Object],
    deployments: Api[Object],
    config_maps: Api[Object],
    tmp_path: Path,
    by: signal.Signals,
) -> None:
    site = websites.create(website("home", "<h1>One</h1>", replicas=2))
    with running(OPERATOR, server=api_server, tmp_path=tmp_path, by=by, exit_code=0):
        wait_for(websites, "home", done)
        for child in (config_maps.get(made("home")), deployments.get(made("home"))):
            (owner,) = child.metadata.owner_references
            assert (owner.kind, owner.uid, owner.controller) == ("Website", site.uid, True)
        assert config_maps.get(made("home")).data["index.html"] == "<h1>One</h1>"
        assert deployments.get(made("home")).spec.replicas == 2

        websites.patch("home", {"spec": {"html": "<h1>Two</h1>", "replicas": 3}})
        wait_for(config_maps, made("home"), lambda page: page.data["index.html"] == "<h1>Two</h1>")
        wait_for(deployments, made("home"), lambda servers: servers.spec.replicas == 3)

        config_maps.patch(made("home"), {"data": {"index.html": "defaced"}})
        wait_for(config_maps, made("home"), lambda page: page.data["index.html"] == "<h1>Two</h1>")
        lost = deployments.get(made("home")).uid
        deployments.delete(made("home"))
        wait_for(deployments, made("home"), lambda servers: servers.uid != lost)


def test_the_operator_tells_how_many_are_ready_and_comes_to_rest(
    api_server: ApiServer | EnvTest,
    websites: Api[Object],
    deployments: Api[Object],
    config_maps: Api[Object],
    namespace: str,
    tmp_path: Path,
) -> None:
    """A run that finds all as it should be writes nothing, so no run of its own making follows."""
    all_of_it = ((websites, "home"), (deployments, made("home")), (config_maps, made("home")))
    websites.create(website("home"))
    with running(OPERATOR, server=api_server, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0) as example:
        wait_for(websites, "home", done)
        deployments.patch_status(made("home"), {"status": {"replicas": 1, "readyReplicas": 1}})
        wait_for(websites, "home", lambda site: site.status.readyReplicas == 1)
        config_maps.patch(made("home"), {"metadata": {"annotations": {"noted": "yes"}}})
        at_rest = [api.get(name).resource_version for api, name in all_of_it]
        websites.create(website("another"))
        example.read_until(f"another.{namespace}")
    assert [api.get(name).resource_version for api, name in all_of_it] == at_rest


def test_a_website_that_is_being_deleted_is_left_alone(
    api_server: ApiServer | EnvTest, websites: Api[Object], config_maps: Api[Object], tmp_path: Path
) -> None:
    """While what it owns is deleted before it (foreground deletion), nothing of that is made anew."""
    site = website("home")
    websites.create(site | {"metadata": {"name": "home", "finalizers": ["example.com/held"]}})
    with running(OPERATOR, server=api_server, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0) as example:
        wait_for(websites, "home", done)
        example.read_until("home")
        websites.delete("home")
        wait_for(websites, "home", lambda site: site.metadata.deletion_timestamp)
        websites.create(website("another"))
        wait_for(websites, "another", done)  # so it has heard of the deletion, which the same watch told before
        config_maps.delete(made("home"))
        lost = config_maps.get(made("another")).uid
        config_maps.delete(made("another"))
        wait_for(config_maps, made("another"), lambda page: page.uid != lost)
        assert made("home") not in {each.name for each in config_maps.list()}
    websites.patch("home", {"metadata": {"finalizers": None}})


def test_what_the_operator_made_goes_with_its_website(kube_api: ApiServer, tmp_path: Path) -> None:
    """On the embedded server alone: see above."""
    client = kube_api.client()
    install(client)
    websites, config_maps, deployments = (
        Api(name, namespace="default", client=client) for name in ("websites.example.com", "configmaps", "deployments")
    )
    websites.create(website("home"))
    with running(OPERATOR, server=kube_api, tmp_path=tmp_path, by=signal.SIGTERM, exit_code=0):
        wait_for(websites, "home", done)
        websites.delete("home", propagation_policy="Foreground")
        for api in (config_maps, deployments):
            wait_until_gone(api, made("home"))
        wait_until_gone(websites, "home")


@pytest.mark.parametrize("program", [OPERATOR, CRON])
def test_without_its_crd_it_ends_and_says_so(kube_api: ApiServer, tmp_path: Path, program: str) -> None:
    """On the embedded server alone: the real one is shared, and knows the kind from other tests."""
    code, output = ended(program, server=kube_api, tmp_path=tmp_path)
    assert code == 1
    assert "the cluster serves no kind called 'example.com/v1 Website'" in output


# The cron job


def test_the_cron_job_reconciles_all_and_ends(
    api_server: ApiServer | EnvTest,
    websites: Api[Object],
    deployments: Api[Object],
    config_maps: Api[Object],
    tmp_path: Path,
) -> None:
    for name in ("blog", "home", "shop"):
        websites.create(website(name))
    code, output = ended(CRON, server=api_server, tmp_path=tmp_path)
    assert (code, output) == (0, "3 reconciled\n")
    for name in ("blog", "home", "shop"):
        assert done(websites.get(name))
        assert config_maps.get(made(name)).data["index.html"] == "<h1>Welcome</h1>"
        assert deployments.get(made(name)).spec.replicas == 1


def test_the_cron_jobs_exit_code_tells_of_a_failure(
    api_server: ApiServer | EnvTest, websites: Api[Object], config_maps: Api[Object], tmp_path: Path
) -> None:
    websites.create(website("home"))
    websites.create(website("broken"))
    config_maps.create({"metadata": {"name": made("broken")}, "immutable": True})
    code, output = ended(CRON, server=api_server, tmp_path=tmp_path)
    assert code == 1
    assert output.endswith("1 reconciled, 1 failed\n")
    assert done(websites.get("home"))
