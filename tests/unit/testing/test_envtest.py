"""What EnvTest does around its servers: finding, building, running and ending programs, and handing out access."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kubernetes import config
from kubernetes.client import Configuration

from kubewatch.errors import InvalidInput
from kubewatch.testing.envtest import EnvTest, EnvTestError, EnvTestUnavailable, build, find_binaries
from kubewatch.testing.envtest.access import Access, new_ec_key
from kubewatch.testing.envtest.binaries import cache_folder
from kubewatch.testing.envtest.process import Lifeline, ReservedPort, ServerProcess

GO_MOD = "module example.test/envtest\n\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n"

MAKE_BOTH = """
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2/server"
printf '#!/bin/sh\\n' > "$2/kube-apiserver"
chmod +x "$2/server" "$2/kube-apiserver"
"""

SERVE_HEALTH = """
import http.server, sys
url = next(argument.partition("=")[2] for argument in sys.argv if argument.startswith("--listen-client-urls="))

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(url.rpartition(":")[2])), Health).serve_forever()
"""


def program(path: Path, text: str, *, interpreter: str = "/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return path


def both_programs(folder: Path) -> Path:
    for name in ("etcd", "kube-apiserver"):
        program(folder / name, "exit 0")
    return folder


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within half a minute; returns as soon as it does."""
    never = threading.Event()
    return any(holds() or never.wait(0.01) for _ in range(3000))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text(GO_MOD)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a cache of its own and no Go."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path / "bin")}


@pytest.fixture
def go(tmp_path: Path) -> Callable[[str], Path]:
    """Puts a `go` on that environment's PATH, which notes its arguments and then does what it is told."""

    def put(script: str) -> Path:
        calls = tmp_path / "calls"
        program(tmp_path / "bin" / "go", f'PATH=/usr/bin:/bin\necho "$@" >> {calls}\n{script}')
        return calls

    return put


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class TestFindingThePrograms:
    def test_a_given_folder_wins_over_the_environment(
        self, tmp_path: Path, module: Path, environ: dict[str, str]
    ) -> None:
        given, named = both_programs(tmp_path / "given"), both_programs(tmp_path / "named")
        binaries = find_binaries(given, environ=environ | {"KUBEBUILDER_ASSETS": str(named)}, module_folder=module)
        assert (binaries.etcd, binaries.kube_apiserver) == (given / "etcd", given / "kube-apiserver")

    def test_the_environment_wins_over_what_was_built(
        self, tmp_path: Path, module: Path, environ: dict[str, str]
    ) -> None:
        named = both_programs(tmp_path / "named")
        both_programs(cache_folder(module, environ=environ))
        binaries = find_binaries(environ=environ | {"KUBEBUILDER_ASSETS": str(named)}, module_folder=module)
        assert binaries.etcd == named / "etcd"

    def test_what_was_built_is_found_last(self, module: Path, environ: dict[str, str]) -> None:
        cached = both_programs(cache_folder(module, environ=environ))
        assert find_binaries(environ=environ, module_folder=module).etcd == cached / "etcd"

    def test_a_relative_folder_is_made_absolute_since_servers_run_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_programs(tmp_path / "given")
        monkeypatch.chdir(tmp_path)
        assert find_binaries("given").etcd == tmp_path / "given" / "etcd"

    def test_a_named_folder_that_lacks_a_program_is_refused_even_if_another_place_has_both(
        self, tmp_path: Path, module: Path, environ: dict[str, str]
    ) -> None:
        both_programs(cache_folder(module, environ=environ))
        program(tmp_path / "half" / "etcd", "exit 0")
        with pytest.raises(
            EnvTestUnavailable, match=r"KUBEBUILDER_ASSETS \(.*half\) has no executable kube-apiserver;"
        ):
            find_binaries(environ=environ | {"KUBEBUILDER_ASSETS": str(tmp_path / "half")}, module_folder=module)
        with pytest.raises(EnvTestUnavailable, match=r"the folder given \(.*\) has no executable etcd and no kube-"):
            find_binaries(tmp_path / "empty", environ=environ, module_folder=module)

    def test_a_file_that_cannot_be_executed_is_no_program(self, tmp_path: Path) -> None:
        (both_programs(tmp_path / "given") / "etcd").chmod(0o644)
        with pytest.raises(EnvTestUnavailable, match="has no executable etcd;"):
            find_binaries(tmp_path / "given")

    def test_nothing_found_says_how_to_build(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        command = r"build once with `python -m kubewatch\.testing\.envtest build`"
        with pytest.raises(EnvTestUnavailable, match=rf"{command} \(which needs Go; there is no `go` on PATH\)$"):
            find_binaries(environ=environ, module_folder=module)
        go("")
        with pytest.raises(EnvTestUnavailable, match=rf"{command}$"):
            find_binaries(environ=environ, module_folder=module)

    def test_an_installed_package_without_sources_says_what_to_set(
        self, tmp_path: Path, environ: dict[str, str]
    ) -> None:
        with pytest.raises(EnvTestUnavailable, match="set KUBEBUILDER_ASSETS to the folder"):
            find_binaries(environ=environ, module_folder=tmp_path / "nowhere")

    def test_a_changed_go_mod_has_another_cache(self, module: Path, environ: dict[str, str]) -> None:
        before = cache_folder(module, environ=environ)
        (module / "go.mod").write_text(GO_MOD.replace("v1.36.3", "v1.36.4"))
        assert cache_folder(module, environ=environ) != before

    def test_the_cache_is_in_the_home_folder_unless_xdg_says_otherwise(self, module: Path) -> None:
        folder = cache_folder(module, environ={})
        assert folder.parent == Path.home() / ".cache" / "kubewatch" / "envtest"


class TestBuilding:
    def test_makes_both_programs_under_their_own_names_and_leaves_nothing_else(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        calls = go(MAKE_BOTH)
        binaries = build(module, environ=environ)
        assert sorted(path.name for path in binaries.etcd.parent.iterdir()) == ["etcd", "kube-apiserver"]
        assert find_binaries(environ=environ, module_folder=module) == binaries
        assert calls.read_text().startswith("build ")
        assert calls.read_text().endswith(" tool\n")

    def test_the_server_is_told_its_release(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        calls = go(MAKE_BOTH)
        build(module, environ=environ)
        for variable in ("gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"):
            assert f"-X k8s.io/component-base/version.{variable}" in calls.read_text()

    def test_is_done_once(self, module: Path, environ: dict[str, str], go: Callable[[str], Path]) -> None:
        calls = go(MAKE_BOTH)
        assert build(module, environ=environ) == build(module, environ=environ)
        assert len(calls.read_text().splitlines()) == 1

    def test_two_at_once_build_once(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path], tmp_path: Path
    ) -> None:
        calls = go(MAKE_BOTH)
        folder = cache_folder(module, environ=environ)
        folder.mkdir(parents=True)
        with ThreadPoolExecutor(2, "builder") as pool:
            with folder.with_suffix(".lock").open("w") as lock:  # keeps both at the start until they are both there
                fcntl.flock(lock, fcntl.LOCK_EX)
                builds = [pool.submit(build, module, environ=environ) for _ in range(2)]
            assert builds[0].result(30) == builds[1].result(30)
        assert len(calls.read_text().splitlines()) == 1

    def test_another_process_that_builds_for_ever_is_not_waited_for_longer_than_asked(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        go(MAKE_BOTH)
        folder = cache_folder(module, environ=environ)
        folder.mkdir(parents=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(EnvTestError, match=r"another process is still building; it holds .*\.lock"):
                build(module, environ=environ, timeout=0.0)

    def test_a_failure_shows_the_end_of_what_go_said_and_leaves_nothing(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        go("echo early; seq 100; echo 'go.mod requires go >= 1.26.0' >&2; exit 7")
        with pytest.raises(EnvTestError, match=r"failed with status 7: [^$]*requires go >= 1\.26\.0") as failure:
            build(module, environ=environ)
        assert "early" not in str(failure.value)
        assert list(cache_folder(module, environ=environ).iterdir()) == []

    def test_a_build_that_takes_too_long_is_ended(
        self, module: Path, environ: dict[str, str], go: Callable[[str], Path]
    ) -> None:
        go("exec sleep 600")
        with pytest.raises(EnvTestError, match="took longer than"):
            build(module, environ=environ, timeout=0.2)
        assert list(cache_folder(module, environ=environ).iterdir()) == []

    def test_without_go_or_sources_says_what_is_missing(
        self, module: Path, environ: dict[str, str], tmp_path: Path
    ) -> None:
        with pytest.raises(EnvTestUnavailable, match="no `go` on PATH"):
            build(module, environ=environ)
        with pytest.raises(EnvTestUnavailable, match=r"no go\.mod in"):
            build(tmp_path / "nowhere", environ=environ)


class TestAccess:
    @pytest.fixture
    def access(self, tmp_path: Path) -> Access:
        authority = tmp_path / "apiserver.crt"
        authority.write_text("-----BEGIN CERTIFICATE-----\n")
        return Access("https://127.0.0.1:6443", "the-token", authority)

    def test_a_kubeconfig_holds_all_that_a_client_needs(self, access: Access, tmp_path: Path) -> None:
        path = tmp_path / "kubeconfig"
        access.write_kubeconfig(path)
        access.ca_file.rename(tmp_path / "elsewhere")  # the file must not be needed any more
        loaded = Configuration()
        load: Callable[..., None] = config.load_kube_config
        load(str(path), client_configuration=loaded)
        assert loaded.host == "https://127.0.0.1:6443"
        assert loaded.auth_settings()["BearerToken"]["value"] == "Bearer the-token"
        assert loaded.ssl_ca_cert is not None
        assert Path(loaded.ssl_ca_cert).read_text() == "-----BEGIN CERTIFICATE-----\n"
        (context,) = json.loads(path.read_text())["contexts"]
        assert context["context"]["namespace"] == "default"

    def test_a_kubeconfig_is_for_its_owner_only_also_where_a_file_was_before(
        self, access: Access, tmp_path: Path
    ) -> None:
        path = tmp_path / "kubeconfig"
        path.write_text("what was there before, and longer than what comes now" * 100)
        path.chmod(0o644)
        access.write_kubeconfig(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["kind"] == "Config"

    def test_a_configuration_ignores_the_environments_proxy(
        self, access: Access, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        configuration = access.configuration()
        assert configuration.proxy is None
        assert configuration.host == access.url
        assert configuration.auth_settings()["BearerToken"]["value"] == "Bearer the-token"

    def test_the_token_is_in_no_repr(self, access: Access) -> None:
        assert "the-token" not in repr(access)

    def test_every_signing_key_is_a_new_one(self) -> None:
        assert new_ec_key() != new_ec_key()


class TestRefusals:
    def test_flags_are_named_without_dashes(self) -> None:
        with pytest.raises(InvalidInput, match="name flags without dashes, as 'watch-cache'"):
            EnvTest(flags={"--watch-cache": False})

    def test_flags_that_the_handle_answers_for_cannot_be_given(self) -> None:
        with pytest.raises(InvalidInput, match="flag 'secure-port' cannot be given"):
            EnvTest(flags={"secure-port": 6443})

    @pytest.mark.parametrize("name", ["url", "token", "ca_file"])
    def test_a_server_that_is_not_started_has_no_address(self, name: str) -> None:
        with pytest.raises(EnvTestError, match="not started; use it in a `with` block, or call start"):
            getattr(EnvTest(), name)

    def test_a_server_that_is_not_started_cannot_be_told_to_do_things(self, tmp_path: Path) -> None:
        server = EnvTest()
        for act in (server.stop_apiserver, server.start_apiserver, server.compact, server.configuration, server.client):
            with pytest.raises(EnvTestError, match="not started"):
                act()
        with pytest.raises(EnvTestError, match="not started"):
            server.kubeconfig(tmp_path / "kubeconfig")
        assert not (tmp_path / "kubeconfig").exists()

    def test_stopping_what_is_not_started_does_nothing(self) -> None:
        EnvTest().stop()

    def test_starting_without_programs_leaves_nothing(self, tmp_path: Path, temporary: Path) -> None:
        server = EnvTest(tmp_path / "empty")
        with pytest.raises(EnvTestUnavailable):
            server.start()
        assert list(temporary.iterdir()) == []
        assert repr(server) == "<EnvTest, stopped>"


class TestFailingHalfWay:
    def test_a_program_that_dies_ends_the_wait_and_shows_the_end_of_its_log(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        program(both_programs(tmp_path) / "etcd", "echo 'no space left on device' >&2; exit 3")
        server = EnvTest(tmp_path, start_timeout=600.0)
        with pytest.raises(
            EnvTestError, match=r"etcd could not be started: etcd ended with status 3[^$]*no space left"
        ):
            server.start()
        assert server.pids == {}
        assert list(temporary.iterdir()) == []

    def test_a_program_that_is_never_ready_is_given_up_and_ended(self, tmp_path: Path, temporary: Path) -> None:
        program(both_programs(tmp_path) / "etcd", f"echo $$ > {tmp_path}/pid; exec sleep 600")
        for seconds in (0.2, 2.2, 20.2):  # until it had the time to begin, which on a busy machine may take its own
            said = rf"etcd was not ready in {seconds} s \(Connection.*: etcd is running"
            with pytest.raises(EnvTestError, match=said):
                EnvTest(tmp_path, start_timeout=seconds).start()
            if (tmp_path / "pid").exists():
                break
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
        assert list(temporary.iterdir()) == []

    def test_when_kube_apiserver_fails_etcd_is_stopped_too(self, tmp_path: Path, temporary: Path) -> None:
        program(tmp_path / "etcd", f"import os\nopen('{tmp_path}/pid', 'w').write(str(os.getpid()))\n{SERVE_HEALTH}",
                interpreter=sys.executable)  # fmt: skip
        program(tmp_path / "kube-apiserver", "echo 'unknown flag: --typo'; exit 1")
        server = EnvTest(tmp_path, flags={"typo": True})
        with pytest.raises(EnvTestError, match=r"kube-apiserver ended with status 1[^$]*unknown flag: --typo"):
            server.start()
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
        assert server.pids == {}
        assert list(temporary.iterdir()) == []

    def test_the_callers_settings_for_another_etcd_are_not_handed_on(
        self, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ETCD_DATA_DIR", "/var/lib/etcd")
        program(both_programs(tmp_path) / "etcd", "echo data: $ETCD_DATA_DIR.; exit 1")
        with pytest.raises(EnvTestError, match=r"data: \."):
            EnvTest(tmp_path).start()


class TestProcesses:
    def test_a_process_that_does_not_heed_the_request_to_end_is_killed(self, tmp_path: Path) -> None:
        stubborn = (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
        )
        process = ServerProcess("stubborn", [sys.executable, "-c", stubborn], folder=tmp_path)
        assert eventually(lambda: (tmp_path / "stubborn.log").read_text() == "up\n")
        process.stop(0.1)
        assert "ended with status -9" in process.last_words()

    def test_a_process_that_heeds_it_is_not_killed(self, tmp_path: Path) -> None:
        process = ServerProcess("polite", ["sleep", "600"], folder=tmp_path)
        process.stop(30.0)
        assert f"ended with status -{signal.SIGTERM}" in process.last_words()

    def test_when_we_are_killed_our_servers_and_their_folder_go_too(self, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        script = (
            "import os, signal, subprocess, sys, pathlib\n"
            "from kubewatch.testing.envtest.process import Lifeline\n"
            "server = subprocess.Popen(['sleep', '600'])\n"
            "Lifeline(pathlib.Path(sys.argv[1])).hold([server.pid])\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        # The server inherits the output, which therefore ends only when the server has ended.
        killed = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, timeout=60)
        assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, b"")
        assert eventually(lambda: not folder.exists())

    def test_a_lifeline_that_is_released_ends_and_kills_nothing(self, tmp_path: Path) -> None:
        with subprocess.Popen(["sleep", "600"]) as server:
            lifeline = Lifeline(tmp_path)
            lifeline.hold([server.pid])
            lifeline.release()
            with pytest.raises(ProcessLookupError):
                os.kill(lifeline.pid, 0)
            assert server.poll() is None
            assert tmp_path.exists()
            server.terminate()

    def test_a_lifeline_that_somebody_killed_is_reported_and_breaks_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        lifeline = Lifeline(tmp_path)
        os.kill(lifeline.pid, signal.SIGKILL)
        os.waitid(os.P_PID, lifeline.pid, os.WEXITED | os.WNOWAIT)
        lifeline.hold([])
        lifeline.release()
        assert "the lifeline of the test servers is gone" in caplog.text

    def test_two_reserved_ports_are_never_the_same(self) -> None:
        first, second = ReservedPort(), ReservedPort()
        assert first.number != second.number
        first.release()
        second.release()
