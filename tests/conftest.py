"""Every test that asks for `api_server` runs twice: on the embedded API server, and on a real kube-apiserver."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from kubewatch.client import Client
    from kubewatch.testing import ApiServer, EnvTest

    from .postgres import Postgres

# Some tests press Ctrl-C, which a shell has what it runs in the background ignore, and that is handed down.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of tests start an interpreter, and each would compile all that it imports of ours: a sixth of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("kubewatch", deadline=None)
settings.load_profile("kubewatch")

_numbers = itertools.count(1)

# Set where a missing real server is a failure and not a reason to skip.
REQUIRE_REAL = "KUBEWATCH_REQUIRE_REAL"


@pytest.fixture(params=["embedded", "real"])
def api_server(request: pytest.FixtureRequest) -> ApiServer | EnvTest:
    """An API server with `.url`, `.client()`, `.kubeconfig(path)`; the real one is shared by the whole session."""
    fixture = "kube_api" if request.param == "embedded" else "kube_api_real"
    try:
        server: ApiServer | EnvTest = request.getfixturevalue(fixture)
    except pytest.skip.Exception as skipped:
        if os.environ.get(REQUIRE_REAL):
            pytest.fail(f"{REQUIRE_REAL} is set, and there is no real server: {skipped}")
        raise
    return server


@pytest.fixture
def client(api_server: ApiServer | EnvTest) -> Client:
    """A client of `api_server`."""
    return api_server.client()


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    """A namespace of the test's own, so that tests sharing a real server do not meet."""
    name = f"test-{next(_numbers)}"
    body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).encode()
    client.request("POST", "/api/v1/namespaces", headers={"Content-Type": "application/json"}, body=body)
    yield name
    client.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server with an empty database, one for the whole session."""
    from .postgres import Postgres, missing, skip_or_fail

    if (why := missing()) is not None:
        skip_or_fail(why)
    with Postgres() as server:
        yield server
