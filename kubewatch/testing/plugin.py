"""The pytest plugin: `kube_api`, an embedded API server, and `kube_api_real`, a real one, for users' own tests.

Installed with kubewatch, found by pytest by itself:

    def test_my_controller(kube_api):
        kube_api.objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        assert [o.name for o in Api("configmaps", client=kube_api.client()).list()] == ["a"]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .envtest import EnvTest
    from .handle import ApiServer


@pytest.fixture
def kube_api() -> Iterator[ApiServer]:
    """An embedded API server of the test's own, empty but for the usual namespaces; stopped after the test."""
    from .handle import ApiServer

    with ApiServer() as server:
        yield server


@pytest.fixture(scope="session")
def kube_api_real() -> Iterator[EnvTest]:
    """A real kube-apiserver with its etcd, one for the whole session; skips, and says why, where there is none."""
    from .envtest import EnvTest, EnvTestUnavailable

    try:
        server = EnvTest().start()
    except EnvTestUnavailable as unavailable:
        pytest.skip(str(unavailable))
    try:
        yield server
    finally:
        server.stop()
