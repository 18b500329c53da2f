"""A PostgreSQL server of the tests' own: Debian's, in a temporary folder, on a unix socket that nobody else has."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

# Set where a missing server is a failure and not a reason to skip.
REQUIRE = "KUBEWATCH_REQUIRE_POSTGRES"

# A connection string of a server to use instead; its user must be allowed to create databases.
DSN = "KUBEWATCH_POSTGRES"

PROGRAMS = Path("/usr/lib/postgresql")


class Postgres:
    """A server, and a database on it; a context manager. `parameters` are what psycopg connects with."""

    def __init__(self) -> None:
        self.database = f"kubewatch_{os.getpid()}"
        self.parameters: dict[str, Any] = {}
        self._folder: Path | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What Django's DATABASES says of it."""
        known = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
        named = {known[key]: value for key, value in self.parameters.items() if key in known}
        return {"ENGINE": "django.db.backends.postgresql", "NAME": self.database, **named}

    @property
    def can_restart(self) -> bool:
        """Whether it is ours to stop."""
        return self._folder is not None

    def __enter__(self) -> Postgres:
        if dsn := os.environ.get(DSN):
            from psycopg.conninfo import conninfo_to_dict

            self.parameters = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
        else:
            self._make()
        try:
            self._execute(f"CREATE DATABASE {self.database}")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is None:
            self._execute(f"DROP DATABASE {self.database} WITH (FORCE)")
        self._remove()

    def start(self) -> None:
        """Start our own server, and wait until it answers."""
        # Only a socket, and nothing that makes it safe against power cuts.
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", f"{self._folder}/log", "-o", options)

    def stop(self) -> None:
        """Stop it as a crash would, connections and all."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    def _make(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kubewatch-pg-"))
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
        self.parameters = {"host": str(self._folder), "user": "postgres"}
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", self._data)
        self.start()

    def _remove(self) -> None:
        if self._folder is not None:
            self.stop()
            shutil.rmtree(self._folder)

    @property
    def _data(self) -> str:
        return f"{self._folder}/data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(found(program)), *arguments]
        # It refuses to run as root.
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*as_postgres, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(**{"dbname": "postgres", **self.parameters}, autocommit=True) as connection:
            connection.execute(statement.encode())


def found(program: str) -> Path | None:
    """A program of the newest PostgreSQL that Debian's packages have installed."""
    versions = sorted(PROGRAMS.glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((folder / program for folder in reversed(versions) if (folder / program).exists()), None)


def missing() -> str | None:
    """Why there is no server to be had; None where there is one."""
    if os.environ.get(DSN):
        return None
    if found("initdb") is None:
        return f"no PostgreSQL in {PROGRAMS}: apt-get install --no-install-recommends postgresql, or set {DSN}"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "no user called postgres, as whom the server could run"
    return None


def skip_or_fail(why: str) -> None:
    """Skip the test, or fail it where a server is required."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"{REQUIRE} is set, and there is no PostgreSQL: {why}")
    pytest.skip(why)
