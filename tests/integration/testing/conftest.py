"""The two servers of the comparisons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kubewatch.testing import ApiServer, EnvTest
from tests.integration.testing.parity import Server

_numbers = itertools.count(1)


@pytest.fixture
def servers(kube_api: ApiServer, kube_api_real: EnvTest) -> Iterator[tuple[Server, Server]]:
    """The embedded server and the real one, with a namespace each."""
    namespace = f"parity-{next(_numbers)}"
    both = (
        Server(kube_api.url, kube_api.token, None, namespace),
        Server(kube_api_real.url, kube_api_real.token, str(kube_api_real.ca_file), namespace),
    )
    for server in both:
        made, _ = server.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        assert made == 201
    yield both
    for server in both:
        server.request("DELETE", f"/api/v1/namespaces/{namespace}")
