"""`Client` without a server: what it is made of, and what it refuses."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubewatch.client import Client, default_client, user_agent
from kubewatch.errors import AuthError, InvalidInput


def test_importing_kubewatch_does_not_import_the_official_client() -> None:
    """It takes half a second and 45 MB, which a script that fails early should not pay."""
    code = "import sys, kubewatch, kubewatch.api, kubewatch.client; print('kubernetes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_client_is_made_without_a_look_at_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/config")
    assert repr(Client()) == "Client(not connected yet)"


def test_nothing_to_connect_to_is_an_error_that_says_where_we_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/config")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(AuthError, match=r"/nonexistent/config.*does not exist.*not a pod"):
        Client().request("GET", "/version")


@pytest.mark.parametrize("source", ["https://server", 5, {"host": "x"}])
def test_what_is_no_configuration_is_refused(source: Any) -> None:
    with pytest.raises(InvalidInput, match="Configuration or an ApiClient"):
        Client(source)


def test_an_address_that_is_no_url_is_refused_without_quoting_its_password() -> None:
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.host = "https://user:s3cret@server:port"
    with pytest.raises(InvalidInput, match="no URL") as refused:
        Client(configuration).request("GET", "/version")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("host", ["server:6443", "ftp://server", "//server", "https://", ""])
def test_an_address_that_names_no_way_to_reach_it_is_refused(host: str) -> None:
    """And never guessed: a guess of http would send the token in the clear."""
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.host = host
    with pytest.raises(InvalidInput, match="https:// or http://"):
        Client(configuration).request("GET", "/version")


@pytest.mark.parametrize("path", ["", "version", "@elsewhere.test/version", "https://elsewhere.test/version"])
def test_a_path_that_would_change_the_address_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="begins with '/'"):
        Client().request("GET", path)


def test_a_client_is_not_pickled_but_says_what_to_do() -> None:
    """Pain 21: multiprocessing tries to pickle what it passes on."""
    with pytest.raises(TypeError, match="Make one in each process"):
        pickle.dumps(Client())


def test_a_loader_that_fails_is_an_auth_error_with_its_cause() -> None:
    def loader() -> Any:
        raise RuntimeError("vault is sealed")

    with pytest.raises(AuthError, match="vault is sealed") as failed:
        Client(loader=loader).request("GET", "/version")
    assert isinstance(failed.value.__cause__, RuntimeError)


def test_all_who_bring_no_client_share_one_for_each_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/one")
    one = default_client()
    assert default_client() is one
    monkeypatch.setenv("KUBECONFIG", "/two")
    assert default_client() is not one


def test_a_loader_that_fails_does_not_show_a_token() -> None:
    def load() -> Any:
        raise RuntimeError("401 for Bearer s3cret.t0ken")

    with pytest.raises(AuthError, match=r"401 for Bearer \*\*\*$"):
        Client(loader=load).request("GET", "/version")


def test_a_memo_is_made_once_for_each_client() -> None:
    made = []

    def make(client: Client) -> list[str]:
        made.append(client)
        return ["value"]

    client, other = Client(), Client()
    assert client.memo(make) is client.memo(make)
    assert client.memo(make) is not other.memo(make)
    assert made == [client, other]


def test_the_user_agent_is_ours() -> None:
    assert user_agent().startswith("kubewatch/")


def test_the_package_names_no_typed_api_of_the_official_client() -> None:
    """Touching one costs 300 ms; and what we send does not go through them."""
    package = Path(__file__).parents[2] / "kubewatch"
    sources = [path for path in package.rglob("*.py") if "testing" not in path.parts]
    assert [path.name for path in sources if "CoreV1Api(" in path.read_text()] == []
