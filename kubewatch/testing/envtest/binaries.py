"""The programs of a real API server: where they are found, and how they are made.

`EnvTest` needs two programs, `etcd` and `kube-apiserver`. Whoever uses controller-runtime's envtest has them already,
in the folder that KUBEBUILDER_ASSETS names; everybody else makes them once from source, with Go:

    python -m kubewatch.testing.envtest build

https://book.kubebuilder.io/reference/envtest
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubewatch.errors import KubewatchError

logger = logging.getLogger(__name__)

MODULE_FOLDER = Path(__file__).parents[3] / "tests" / "envtest"
"""The folder with the go.mod that pins both programs; it is part of the source tree, not of an installed package."""

BUILD_TIMEOUT = 3600.0
"""Seconds; a first build takes 4 to 10 minutes on two cores."""

BUILD_COMMAND = "python -m kubewatch.testing.envtest build"


class EnvTestError(KubewatchError):
    """The real API server could not be started, or is used in a way that cannot work."""


class EnvTestUnavailable(EnvTestError):
    """There are no programs to run; the message says where they were looked for, and what to do. Tests skip on it."""


@dataclass(frozen=True)
class Binaries:
    """The two programs that make an API server."""

    etcd: Path
    kube_apiserver: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Binaries:
        return cls(folder / "etcd", folder / "kube-apiserver")

    @property
    def missing(self) -> list[str]:
        return [path.name for path in (self.etcd, self.kube_apiserver) if not os.access(path, os.X_OK)]


def find_binaries(
    assets: str | Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    module_folder: Path = MODULE_FOLDER,
) -> Binaries:
    """Finds `etcd` and `kube-apiserver`; the first place that is named decides.

        find_binaries("/opt/envtest/k8s/1.36.0-linux-amd64")

    The places: the folder `assets`; the folder that KUBEBUILDER_ASSETS names; what `build` made. Raises
    `EnvTestUnavailable` when a named folder lacks one of them, or no place is left. Builds nothing itself.
    """
    named = ((assets, "the folder given"), (environ.get("KUBEBUILDER_ASSETS"), "KUBEBUILDER_ASSETS"))
    for folder, by in named:
        if folder:
            binaries = Binaries.in_folder(Path(folder).absolute())
            if binaries.missing:
                raise EnvTestUnavailable(
                    f"{by} ({folder}) has no executable {' and no '.join(binaries.missing)}; "
                    "name a folder that holds both, e.g. the one `setup-envtest use -p path` prints"
                )
            return binaries
    if not (module_folder / "go.mod").is_file():
        raise EnvTestUnavailable(
            "KUBEBUILDER_ASSETS is not set, and an installed kubewatch brings no Go module to build from; "
            "set KUBEBUILDER_ASSETS to the folder that `setup-envtest use -p path` prints, or use a source tree"
        )
    binaries = Binaries.in_folder(cache_folder(module_folder, environ=environ))
    if binaries.missing:
        go = "" if shutil.which("go", path=environ.get("PATH")) else " (which needs Go; there is no `go` on PATH)"
        raise EnvTestUnavailable(
            f"KUBEBUILDER_ASSETS is not set and nothing was built in {binaries.etcd.parent}; "
            f"build once with `{BUILD_COMMAND}`{go}"
        )
    return binaries


def cache_folder(module_folder: Path = MODULE_FOLDER, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that `build` fills: one for each version of go.mod, below XDG_CACHE_HOME or ~/.cache.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    caches = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((module_folder / "go.mod").read_bytes()).hexdigest()[:16]
    return caches / "kubewatch" / "envtest" / digest


def build(
    module_folder: Path = MODULE_FOLDER, *, environ: Mapping[str, str] = os.environ, timeout: float = BUILD_TIMEOUT
) -> Binaries:
    """Makes both programs from source, unless that was done before, and returns where they are.

        binaries = build()

    Takes minutes the first time and nothing later; two processes that call it at once build once. `timeout` is in
    seconds. Raises `EnvTestUnavailable` without Go or source tree, `EnvTestError` with Go's last lines when it fails.
    """
    if not (module_folder / "go.mod").is_file():
        raise EnvTestUnavailable(f"there is no go.mod in {module_folder}: building needs a source tree of kubewatch")
    folder = cache_folder(module_folder, environ=environ)
    binaries = Binaries.in_folder(folder)
    if not binaries.missing:
        return binaries
    go = shutil.which("go", path=environ.get("PATH"))
    if go is None:
        raise EnvTestUnavailable("there is no `go` on PATH; install Go, or set KUBEBUILDER_ASSETS to built programs")
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with _locked(folder.with_suffix(".lock"), deadline):
        if binaries.missing:  # nobody built it while we waited for the lock
            with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as stage:
                logger.info("building etcd and kube-apiserver in %s; the first time takes 4 to 10 minutes", folder)
                _go_build(go, module_folder, Path(stage), dict(environ), deadline - time.monotonic())
                # Go names a program after the last word of its path, major version left out: go.etcd.io/etcd/server/v3.
                os.replace(Path(stage) / "server", binaries.etcd)
                os.replace(Path(stage) / "kube-apiserver", binaries.kube_apiserver)
    return binaries


def _go_build(go: str, module_folder: Path, stage: Path, environ: dict[str, str], timeout: float) -> None:
    version = re.search(r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", (module_folder / "go.mod").read_text(), re.M)
    flags = "-s -w"  # without symbols the two are a third smaller
    if version:  # a build from modules knows no git tag; without this, /version would name no release
        variables = zip(("gitVersion", "gitMajor", "gitMinor"), version.groups(), strict=True)
        flags += "".join(f" -X k8s.io/component-base/version.{name}={value}" for name, value in variables)
    command = [go, "build", f"-ldflags={flags}", "-o", str(stage), "tool"]
    log = stage / "build.log"
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                command,
                cwd=module_folder,
                env=environ | {"GOWORK": "off"},  # a workspace around the source tree must not change what is built
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
            ).returncode
        except subprocess.TimeoutExpired:
            raise EnvTestError(f"go build took longer than {timeout:.0f} s: {last_lines(log)}") from None
    if status:
        raise EnvTestError(f"`{' '.join(command)}` in {module_folder} failed with status {status}: {last_lines(log)}")


@contextmanager
def _locked(path: Path, deadline: float) -> Iterator[None]:
    """Holds a lock between processes; the kernel lets go of it when its holder dies."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise EnvTestError(f"another process is still building; it holds {path}") from None
                threading.Event().wait(0.2)
        yield


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log, for an error's message."""
    lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else []
    return "\n  ".join(["", *lines]) if lines else "(it wrote nothing)"
