"""One server process, the lifeline that ends it when we die, and a port that stays its own."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .binaries import last_lines

logger = logging.getLogger(__name__)

LIFELINE = 'pids=; while read -r line; do pids=$line; done; [ "$pids" = done ] || { kill -9 $pids; rm -rf -- "$1"; }'


class ServerProcess:
    """A running program that writes into a log file and is stopped by its own process id."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        # etcd reads ETCD_* as flags; what the caller has there belongs to another etcd.
        environ = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal goes to the tests, not to their servers
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def died_within(self, seconds: float) -> bool:
        """Waits for the process's end, for at most so long; 0 only looks."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, grace: float) -> None:
        """Asks the process to end, and kills it after `grace` seconds; with 0 it is killed at once."""
        try:
            if grace:
                self._popen.terminate()
                self.died_within(grace)
        finally:  # both do nothing to a process that is gone
            self._popen.kill()
            self._popen.wait()

    def last_words(self) -> str:
        """How the process ended, or that it runs, with the end of its log."""
        status = self._popen.poll()
        state = "is running" if status is None else f"ended with status {status}"
        return f"{self.name} {state}; the end of its log: {last_lines(self._log)}"


class Lifeline:
    """A tiny shell that kills the servers and removes their folder should our process die without doing so.

    It reads process ids from a pipe, whose other end closes with our process, even when that is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._popen = subprocess.Popen(
            ["/bin/sh", "-c", LIFELINE, "kubewatch-envtest", str(folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def hold(self, pids: Iterable[int]) -> None:
        """Says which processes must not outlive ours, from now on."""
        self._tell(" ".join(map(str, pids)))

    def release(self) -> None:
        """Ends the lifeline; it kills nothing any more."""
        self._tell("done")
        with self._popen:  # closes the pipe and waits
            pass

    def _tell(self, line: str) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(f"{line}\n".encode())
        except BrokenPipeError:
            logger.warning("the lifeline of the test servers is gone; should this process be killed, they live on")


class ReservedPort:
    """A free loopback port, picked by the system, that is kept for one server between its stop and next start.

    On Linux, a socket that is bound but does not listen keeps the port: a server may still listen on it (both sides
    set SO_REUSEADDR), yet the system gives it to nobody else, a client's end of a connection included. Without it, a
    client that keeps dialling the stopped server may be given that very port and connect to itself. Elsewhere the
    port is only picked.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self._socket.close()

    def release(self) -> None:
        """Gives the port back to the system."""
        self._socket.close()
