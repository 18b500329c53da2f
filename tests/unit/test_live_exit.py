"""How a live store ends with its interpreter: promptly, and without a word."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

# Seconds after which an interpreter that does not end is taken to hang.
PATIENCE = 30.0

# How a program begins that follows pods of the server at argv[1].
BEGINNING = """
import sys, threading
from kubernetes.client import Configuration
from kubewatch import Client, live

configuration = Configuration()
configuration.host = sys.argv[1]
pods = live("pods", "shop", client=Client(configuration))
"""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def run(program: str, server: socket.socket) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    text = BEGINNING + textwrap.dedent(program)
    command = [sys.executable, "-X", "dev", "-c", text, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("pods.start()", id="while it connects"),
        pytest.param("pods.start(); pods.stop()", id="stopped before"),
        pytest.param("pods.start(); other = pods; del pods; sys.exit(0)", id="by SystemExit"),
    ],
)
def test_the_interpreter_ends_without_a_word(program: str, silent: socket.socket) -> None:
    ended = run(program, silent)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_forked_child_that_exits_leaves_the_connection_of_its_parent_alone(silent: socket.socket) -> None:
    ended = run(
        """
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: forking is what is tested
        listing = threading.Event()
        pods.on_change(lambda event: listing.set())
        pods.start()
        listing.wait()
        child = os.fork()
        if child == 0:
            del pods
            sys.exit(0)
        os.waitpid(child, 0)
        print(pods.running, pods.last_error)
        """,
        silent,
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "True None\n")


def test_a_listener_that_never_returns_holds_the_end_up_for_a_second_at_most(silent: socket.socket) -> None:
    began = time.monotonic()
    ended = run(
        """
        entered = threading.Event()
        def listener(event):
            entered.set()
            threading.Event().wait()
        pods.on_change(listener)
        pods.start()
        entered.wait()
        """,
        silent,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - began < PATIENCE / 2
