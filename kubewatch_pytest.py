"""The pytest plugin: API servers, and a driver for controllers, for users' own tests.

Installed with kubewatch, found by pytest by itself:

    def test_my_controller(kube_api):
        kube_api.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        assert [o.name for o in Api("configmaps", client=kube_api.client()).list()] == ["a"]

- `kube_api`: an embedded server of the test's own.
- `kube_api_real`: a real kube-apiserver with its etcd, one for the whole session; skips where there is none.
- `kube_server`: the embedded server, or with `pytest --kube-real` the real one, for tests that are to pass on both.
- `drive`: runs a controller until it is idle, on a clock that stands still.

It stands beside the package, as importing `kubewatch` takes 80 ms, and every run of pytest imports this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kubewatch.program import Program
    from kubewatch.testing import ApiServer, ControllerDriver, EnvTest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kube-real`, or `kube_real = true` in the configuration file."""
    group = parser.getgroup("kubewatch")
    group.addoption(
        "--kube-real", action="store_true", help="kube_server is a real kube-apiserver, not the embedded one"
    )
    parser.addini("kube_real", "kube_server is a real kube-apiserver, not the embedded one", type="bool", default=False)


@pytest.fixture
def kube_api() -> Iterator[ApiServer]:
    """An embedded API server of the test's own, empty but for the usual namespaces; stopped after the test."""
    from kubewatch.testing import ApiServer

    with ApiServer() as server:
        yield server


@pytest.fixture(scope="session")
def kube_api_real() -> Iterator[EnvTest]:
    """A real kube-apiserver with its etcd, one for the whole session; skips, and says why, where there is none."""
    from kubewatch.testing.envtest import EnvTest, EnvTestUnavailable

    try:
        server = EnvTest().start()
    except EnvTestUnavailable as unavailable:
        pytest.skip(str(unavailable))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def kube_server(request: pytest.FixtureRequest) -> ApiServer | EnvTest:
    """The embedded server, or with `--kube-real` the real one, which all tests of the session share."""
    real = request.config.getoption("--kube-real") or request.config.getini("kube_real")
    server: ApiServer | EnvTest = request.getfixturevalue("kube_api_real" if real else "kube_api")
    return server


@pytest.fixture
def drive(request: pytest.FixtureRequest) -> Iterator[Callable[[Program[Any, Any]], ControllerDriver]]:
    """A function that starts a `Program` and gives its `ControllerDriver`; all end with the test.

    The server is the one that the test asks for: `kube_api`, `kube_api_real`, or else `kube_server`.
    """
    from kubewatch.testing import ControllerDriver

    asked = [name for name in ("kube_api", "kube_api_real") if name in request.fixturenames]
    server = request.getfixturevalue(asked[0] if asked else "kube_server")
    with ExitStack() as stack:
        yield lambda program: stack.enter_context(ControllerDriver(server, program))
