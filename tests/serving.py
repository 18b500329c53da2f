"""Running a web app as it is run for real: a server of its own process, on a loopback port that the system picks."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

# A bound, not a pause: a server that says nothing for so long (seconds) has failed.
PATIENCE = 30.0


class Served:
    """A server under way, whose log is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = threading.Condition()  # guards `lines`
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="log")
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def matches(self, pattern: str, count: int = 1) -> list[str]:
        """What `pattern` matches in the log, its group if it has one, once there are `count` of it."""
        if not self.came(pattern, count, PATIENCE):
            log = "".join(self.lines)
            pytest.fail(f"{pattern!r} came {len(self._found(pattern))} times and not {count}; the log:\n{log}")
        return self._found(pattern)

    def came(self, pattern: str, count: int, seconds: float) -> bool:
        """Whether `pattern` matches the log `count` times within so many seconds, or before the server ends."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._found(pattern)) >= count or self._ended, seconds)
        return len(self._found(pattern)) >= count

    def _found(self, pattern: str) -> list[str]:
        return [one for line in list(self.lines) for one in re.findall(pattern, line)]

    @property
    def url(self) -> str:
        """Where it listens, as it last said."""
        return self.matches(r"(?:Listening at:|Running on|development server at) (http://127\.0\.0\.1:\d+)")[-1]

    def open(self, path: str) -> http.client.HTTPResponse:
        """The answer to a GET on a connection of its own, whose body is yet to be read."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of the answer to a GET."""
        with self.open(path) as answer:
            return answer.status, answer.read().decode()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; returns its exit code."""
        self.process.send_signal(by)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, which must come long before a server kills a worker that hangs."""
        return self.process.wait(PATIENCE / 3)

    def join(self) -> None:
        """Wait for the thread that reads; the process has ended."""
        self._thread.join()


@contextmanager
def served(*command: str, cwd: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """Run `python -m command` in the folder `cwd`, and end it with all its processes."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", *command],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        server = Served(process)
        try:
            yield server
            if process.poll() is None:
                server.stop()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also workers whose master is gone
            server.join()


@contextmanager
def gunicorn(app: str, *options: str, cwd: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """Run `app` under gunicorn."""
    with served("gunicorn", "--bind", "127.0.0.1:0", *options, app, cwd=cwd, env=env) as server:
        yield server
