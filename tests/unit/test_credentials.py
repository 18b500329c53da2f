"""`Credentials`: loaded once for all threads, again when they age or are refused, and never shown."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kubewatch.credentials import LOOK_INTERVAL, RELOAD_INTERVAL, Credentials, Loaded, auth_headers, redact
from kubewatch.errors import AuthError
from kubewatch.kubeconfig import run_plugin


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def configuration(token: str = "t0", **settings: Any) -> Any:
    from kubernetes.client import Configuration

    made = Configuration()
    made.host = "http://server:8080"
    made.api_key["authorization"] = f"Bearer {token}"
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def token_of(credentials: Credentials) -> str:
    return dict(credentials.current().headers)["authorization"]


class Loads:
    """A load that hands out t1, t2, …; `error` makes it fail."""

    def __init__(self, lifetime: float | None = None) -> None:
        self.count = 0
        self.lifetime = lifetime
        self.error: AuthError | None = None

    def __call__(self) -> Loaded:
        self.count += 1
        if self.error is not None:
            raise self.error
        return Loaded(configuration(f"t{self.count}"), self.lifetime)


def in_threads(number: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []
    together = threading.Barrier(number)

    def run() -> None:
        together.wait(5.0)
        results.append(work())

    threads = [threading.Thread(target=run, name=f"worker-{i}") for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    return results


def test_nothing_is_loaded_before_it_is_needed() -> None:
    loads = Loads()
    Credentials(loads)
    assert loads.count == 0


def test_eight_threads_at_once_load_once() -> None:
    """Pain 20: an exec plugin ran once for each thread."""
    loads = Loads()
    credentials = Credentials(loads)
    assert in_threads(8, lambda: token_of(credentials)) == ["Bearer t1"] * 8
    assert loads.count == 1


def test_ten_threads_that_are_refused_load_once_and_all_go_on() -> None:
    """Pain 19: 401 for ever after a rotation."""
    loads = Loads()
    credentials = Credentials(loads)
    refused = credentials.current()
    assert in_threads(10, lambda: credentials.renew(refused)) == [True] * 10
    assert loads.count == 2
    assert token_of(credentials) == "Bearer t2"


def test_a_refusal_soon_after_a_load_does_not_load_again() -> None:
    """Pain 19: no crash loop where new credentials are refused as well."""
    clock, loads = Clock(), Loads()
    credentials = Credentials(loads, clock=clock)
    assert credentials.renew(credentials.current())
    assert not credentials.renew(credentials.current())
    clock.now += RELOAD_INTERVAL
    assert credentials.renew(credentials.current())
    assert loads.count == 3


def test_a_refusal_that_cannot_be_mended_raises_what_went_wrong() -> None:
    loads = Loads()
    credentials = Credentials(loads)
    refused = credentials.current()
    loads.error = AuthError("plugin failed")
    with pytest.raises(AuthError, match="plugin failed"):
        credentials.renew(refused)


def test_a_load_that_takes_minutes_to_fail_is_not_begun_again_by_whoever_waited_for_it() -> None:
    clock, loads = Clock(), Loads(lifetime=60.0)

    def load() -> Loaded:
        if loads.error is not None:
            clock.now += 120.0
        return loads()

    credentials = Credentials(load, clock=clock)
    refused = credentials.current()
    loads.error = AuthError("plugin did not end")
    with pytest.raises(AuthError):
        credentials.renew(refused)
    assert not credentials.renew(refused)
    assert token_of(credentials) == "Bearer t1"  # aged by now, so a load is tried
    assert token_of(credentials) == "Bearer t1"
    assert loads.count == 3


def test_credentials_are_loaded_again_when_their_lifetime_is_over() -> None:
    clock, loads = Clock(), Loads(lifetime=60.0)
    credentials = Credentials(loads, clock=clock)
    assert token_of(credentials) == "Bearer t1"
    clock.now += 59.0
    assert token_of(credentials) == "Bearer t1"
    clock.now += 1.0
    assert token_of(credentials) == "Bearer t2"
    assert loads.count == 2


def test_short_lived_credentials_are_not_loaded_for_every_request() -> None:
    """Pain 20: a plugin whose tokens live for less than 5 minutes ran for every request."""
    loads = Loads(lifetime=240.0)
    credentials = Credentials(loads, clock=Clock())
    for _ in range(100):
        credentials.current()
    assert loads.count == 1


def test_an_aged_credential_is_kept_while_no_newer_one_can_be_had(caplog: pytest.LogCaptureFixture) -> None:
    clock, loads = Clock(), Loads(lifetime=60.0)
    credentials = Credentials(loads, clock=clock)
    credentials.current()
    loads.error = AuthError("vault is down")
    clock.now += 60.0
    assert token_of(credentials) == "Bearer t1"
    assert token_of(credentials) == "Bearer t1"
    assert loads.count == 2
    assert "vault is down" in caplog.text
    loads.error = None
    clock.now += LOOK_INTERVAL
    assert token_of(credentials) == "Bearer t3"


def test_who_waited_for_a_load_that_failed_gets_its_error_and_whoever_comes_later_tries_again() -> None:
    """Pain 20: a plugin that hangs for two minutes must not hang for two minutes for each thread in turn."""
    loads = Loads()
    credentials = Credentials(loads)
    loads.error = AuthError("plugin failed")
    inner = credentials._lock

    class Gate:
        """The lock; the threads look at it all together, before the first one has it."""

        together = threading.Barrier(8)

        def acquire(self, blocking: bool = True) -> bool:
            self.together.wait(5.0)
            return inner.acquire(blocking)

        def release(self) -> None:
            inner.release()

    credentials._lock = Gate()  # type: ignore[assignment]

    def attempt() -> str:
        with pytest.raises(AuthError) as failed:
            credentials.current()
        return str(failed.value)

    assert in_threads(8, attempt) == ["plugin failed"] * 8
    assert loads.count == 1
    credentials._lock = inner
    loads.error = None
    assert token_of(credentials) == "Bearer t2"


def test_nobody_waits_for_newer_credentials_who_has_older_ones() -> None:
    clock, under_way, go_on = Clock(), threading.Event(), threading.Event()
    tokens = iter(["old", "new"])

    def load() -> Loaded:
        token = next(tokens)
        if token == "new":
            under_way.set()
            go_on.wait(10.0)
        return Loaded(configuration(token), lifetime=60.0)

    credentials = Credentials(load, clock=clock)
    assert token_of(credentials) == "Bearer old"
    clock.now += 60.0
    loading = threading.Thread(target=credentials.current, name="loading")
    loading.start()
    assert under_way.wait(5.0)
    assert in_threads(3, lambda: token_of(credentials)) == ["Bearer old"] * 3
    go_on.set()
    loading.join(5.0)
    assert token_of(credentials) == "Bearer new"


def test_a_connection_is_kept_when_only_the_token_changed() -> None:
    clock, loads = Clock(), Loads(lifetime=60.0)
    credentials = Credentials(loads, clock=clock)
    first = credentials.current()
    clock.now += 60.0
    assert credentials.current().generation == first.generation + 1
    assert credentials.current().dialer is first.dialer


def test_a_new_client_certificate_reaches_new_connections() -> None:
    """Pain 20: certificates that a plugin renewed never reached the connections."""
    clock = Clock()
    files = iter(["one.pem", "two.pem"])
    credentials = Credentials(lambda: Loaded(configuration(cert_file=next(files)), lifetime=60.0), clock=clock)
    first = credentials.current()
    clock.now += 60.0
    assert credentials.current().dialer is not first.dialer


# --- a Configuration of the user's own -------------------------------------------------------------------------------


def test_the_hook_of_a_given_configuration_is_run_now_and_then_and_not_for_every_request() -> None:
    runs = []

    def hook(made: Any) -> None:
        runs.append(made)
        made.api_key["authorization"] = f"Bearer t{len(runs)}"

    clock = Clock()
    credentials = Credentials(None, configuration(refresh_api_key_hook=hook), clock)
    assert [token_of(credentials) for _ in range(5)] == ["Bearer t1"] * 5
    clock.now += LOOK_INTERVAL
    assert [token_of(credentials) for _ in range(5)] == ["Bearer t2"] * 5


def test_a_refusal_runs_the_hook_of_a_given_configuration_once() -> None:
    tokens = itertools.chain(["old"], itertools.repeat("new"))

    def hook(made: Any) -> None:
        made.api_key["authorization"] = f"Bearer {next(tokens)}"

    clock = Clock()
    credentials = Credentials(None, configuration(refresh_api_key_hook=hook), clock)
    assert credentials.renew(credentials.current())
    assert token_of(credentials) == "Bearer new"
    clock.now += RELOAD_INTERVAL
    assert not credentials.renew(credentials.current())
    assert not credentials.reloadable


def test_a_token_that_the_user_sets_is_seen() -> None:
    clock, made = Clock(), configuration("old")
    credentials = Credentials(None, made, clock)
    assert token_of(credentials) == "Bearer old"
    made.api_key["authorization"] = "Bearer new"
    clock.now += LOOK_INTERVAL
    assert token_of(credentials) == "Bearer new"


def test_a_hook_that_fails_is_an_error_and_not_an_anonymous_request() -> None:
    """Pain 20: a failing plugin was only logged, and requests went out without credentials."""

    def hook(made: Any) -> None:
        raise RuntimeError("no network; Bearer s3cret.t0ken")

    with pytest.raises(AuthError, match="no network") as failed:
        auth_headers(configuration(refresh_api_key_hook=hook))
    assert "s3cret" not in str(failed.value)


def test_the_newline_at_the_end_of_a_token_file_is_not_sent() -> None:
    assert auth_headers(configuration("t0\n")) == (("authorization", "Bearer t0"),)


def test_a_fork_child_has_a_lock_and_connections_of_its_own() -> None:
    """Pain 21: a lock that another thread holds during a fork stays locked in the child."""
    loads = Loads()
    credentials = Credentials(loads)
    before = credentials.current()
    credentials._lock.acquire()  # as by a thread that is not there after a fork
    credentials.after_fork()
    assert credentials.current().headers == before.headers
    assert credentials.current().dialer is not before.dialer
    assert loads.count == 1


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_an_access_does_not_show_its_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = Credentials(lambda: Loaded(configuration("s3cret")))
    shown = repr(credentials.current()) + repr(credentials) + caplog.text
    assert "s3cret" not in shown
    assert "s3cret" not in repr(credentials.current().__rich_repr__())


def test_what_was_loaded_does_not_show_its_headers() -> None:
    loaded = Loaded(configuration("s3cret"), 60.0, (("authorization", "Bearer s3cret"),))
    assert "s3cret" not in repr(loaded)
    assert loaded.__rich_repr__() == [("lifetime", 60.0)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln expired", "token *** expired"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("could not reach the identity provider", "could not reach the identity provider"),
    ],
)
def test_what_looks_like_a_token_is_cut_out_of_others_messages(text: str, shown: str) -> None:
    assert redact(text) == shown


# --- exec plugins ----------------------------------------------------------------------------------------------------

VERSION = "client.authentication.k8s.io/v1"


def plugin(script: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": VERSION, "command": "sh", "args": ["-c", script], "interactiveMode": "Never", **more}


def prints(status: str) -> str:
    return f"""echo '{{"apiVersion": "{VERSION}", "kind": "ExecCredential", "status": {status}}}'"""


def test_a_plugin_hands_over_its_status() -> None:
    status = run_plugin(plugin(prints('{"token": "abc"}')), {}, "")
    assert status == {"token": "abc"}


def test_a_plugin_that_fails_is_an_error_with_its_own_words() -> None:
    """Pain 20: the failure of a plugin was swallowed."""
    with pytest.raises(AuthError, match=r"'sh'.*exit status 3: please log in") as failed:
        run_plugin(plugin("echo s3cret; echo please log in >&2; exit 3"), {}, "")
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo s3cret", "did not print an ExecCredential"),
        ("echo '[\"s3cret\"]'", "did not print an ExecCredential"),
        (prints("null"), "did not print an ExecCredential"),
        (prints("{}"), "neither a token nor a client certificate"),
        (prints('{"clientCertificateData": "s3cret"}'), "neither a token nor a client certificate"),
        (prints('{"token": "s3cret"}').replace("/v1", "/v1beta1"), "speaks 'client.authentication.k8s.io/v1beta1'"),
        ("true", "did not print an ExecCredential"),
    ],
)
def test_what_is_no_credential_is_an_error_that_does_not_quote_it(script: str, says: str) -> None:
    with pytest.raises(AuthError, match=says) as failed:
        run_plugin(plugin(script), {}, "")
    seen: BaseException | None = failed.value
    while seen is not None:
        assert "s3cret" not in str(seen)
        seen = seen.__cause__


def test_a_plugin_that_is_not_installed_is_an_error_with_its_hint() -> None:
    with pytest.raises(AuthError, match=r"cannot be run: No such file.*Install it by brew"):
        run_plugin({"apiVersion": VERSION, "command": "no-such-plugin", "installHint": "Install it by brew"}, {}, "")


def test_a_plugin_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubewatch.kubeconfig.PLUGIN_TIMEOUT", 0.1)
    with pytest.raises(AuthError, match=r"did not end within 0\.1 s"):
        run_plugin(plugin("exec sleep 60"), {}, "")


def test_a_plugin_that_needs_a_person_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(AuthError, match="needs a terminal"):
        run_plugin(plugin("true", interactiveMode="Always"), {}, "")


def test_a_plugin_is_told_of_the_cluster_if_it_asks() -> None:
    cluster = {
        "server": "https://server",
        "certificate-authority": "/file",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}],
    }
    echo = """printf '{"apiVersion": "%s", "status": {"token": "t", "info": %s, "own": "%s"}}' """
    script = echo + f'{VERSION} "$KUBERNETES_EXEC_INFO" "$OWN"'
    asked = plugin(script, provideClusterInfo=True, env=[{"name": "OWN", "value": "set"}])
    status = run_plugin(asked, cluster, "")
    assert status["own"] == "set"
    assert status["info"] == {
        "apiVersion": VERSION,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://server", "config": {"audience": "me"}}},
    }
