"""`Client` without a server: what it is made of, what it refuses, and what errors it makes of answers."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from kubewatch.client import Client, Response, api_error, default_client, retry_after, user_agent
from kubewatch.errors import AuthError, InvalidInput
from kubewatch.http1 import Head


def head(status: int, **headers: str) -> Head:
    return Head(status, "Some Reason", {name.replace("_", "-"): value for name, value in headers.items()}, True)


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


def test_an_answer_does_not_show_its_body() -> None:
    assert repr(Response(200, {}, b'{"kind": "Secret", "data": {"password": "cGFzcw=="}}')) == "Response(200, 52 bytes)"


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


# --- errors of answers -----------------------------------------------------------------------------------------------


def test_a_status_becomes_an_error_with_all_that_it_says() -> None:
    body = b'{"kind":"Status","code":409,"reason":"Conflict","message":"changed","details":{"name":"web"}}'
    error = api_error(head(409), body, "PUT /api/v1/pods/web")
    assert (error.code, error.reason, error.message, error.details) == (409, "Conflict", "changed", {"name": "web"})
    assert str(error) == "PUT /api/v1/pods/web: 409 Conflict: changed"


def test_a_status_without_code_and_reason_gets_those_of_http() -> None:
    error = api_error(head(503), b'{"kind":"Status"}', "GET /")
    assert (error.code, error.reason) == (503, "Some Reason")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"kind":"Pod"}', b"{broken", b"\xff\xfe"])
def test_any_other_body_becomes_an_error_all_the_same(body: bytes) -> None:
    error = api_error(head(502), body, "GET /")
    assert (error.code, error.reason) == (502, "Failed to parse error data")
    assert error.message


def test_a_long_text_is_cut() -> None:
    assert len(api_error(head(500), b"x" * 60_000, "GET /").message) == 1000


def test_a_sensible_pause_is_honoured_and_an_absurd_one_left_to_our_backoff() -> None:
    """Row 140: retry_after_overflow_falls_back_to_backoff."""
    assert retry_after("30") == 30.0
    assert retry_after("18446744073709551615") is None
    assert retry_after("9" * 5000) is None


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "²", "Wed, 21 Oct 2015 07:28:00"])
def test_what_is_no_pause_is_none(value: str | None) -> None:
    assert retry_after(value) is None


def test_a_pause_may_be_given_as_a_date() -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    earlier = format_datetime(datetime.now(timezone.utc) - timedelta(seconds=90), usegmt=True)
    assert 80 < (retry_after(later) or 0) <= 90
    assert retry_after(earlier) == 0.0


def test_a_pause_may_be_given_in_the_status() -> None:
    body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'
    assert api_error(head(429), body, "GET /").retry_after == 7.0
    assert api_error(head(429, retry_after="3"), body, "GET /").retry_after == 3.0
    assert api_error(head(429), b'{"kind":"Status","details":{"retryAfterSeconds":"x"}}', "GET /").retry_after is None


def test_the_package_names_no_typed_api_of_the_official_client() -> None:
    """Touching one costs 300 ms; and what we send does not go through them."""
    package = Path(__file__).parents[2] / "kubewatch"
    sources = [path for path in package.rglob("*.py") if "testing" not in path.parts]
    assert [path.name for path in sources if "CoreV1Api(" in path.read_text()] == []
