"""HTTP/1.1 on a listening socket: one thread a connection, keep-alive, and an end within milliseconds.

Written by hand rather than on ``http.server`` because the server has to misbehave on request: cut a body after any
byte, go silent with the connection open, choose the framing of a body. It knows nothing of Kubernetes: a handler turns
a ``Request`` into a ``Response`` or a ``Stream``.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from .connection import Connection, Handler

_log = logging.getLogger(__name__)
_MAIN_THREAD_CHECK = 500  # milliseconds
_FULL_CHECK = 100  # milliseconds
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(eq=False)
class HttpServer:
    """Listens on ``host`` (a port of the system's choice if 0) from ``start`` to ``stop``."""

    handler: Handler
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    name: str = "kubewatch-apiserver"
    on_abandoned: Callable[[], None] = lambda: None  # called when the program's main thread has ended without stop()
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the fields below
    _connections: dict[Connection, threading.Thread] = field(default_factory=dict)
    _ended: list[threading.Thread] = field(default_factory=list)
    _watched: dict[int, Connection] = field(default_factory=dict)
    _stopping: bool = False
    _accepted: int = 0
    _full: bool = False  # no connection can be accepted at this moment
    _complained: bool = False  # of that, since one could

    def start(self) -> None:
        self._listener = socket.create_server((self.host, self.port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._listener.setblocking(False)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        _keep_from_children(self)
        self._thread = threading.Thread(target=self._accept_loop, name=f"{self.name}-accept")
        self._thread.start()

    def stop(self) -> None:
        """Cuts every connection and joins every thread."""
        _servers.discard(self)
        with self._lock:
            self._stopping = True
        self._wake()
        self._thread.join()  # no connection comes after this
        self._end_connections()
        self._close_listener()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _end_connections(self) -> None:
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            connection.abort()
        for thread in open_now.values():
            thread.join()
        self._join_ended()

    def _close_listener(self) -> None:
        with suppress(OSError):  # where a listening socket cannot be shut down, closing it has to do
            self._listener.shutdown(socket.SHUT_RDWR)  # also for a child just forked, which has not yet closed its copy
        self._listener.close()

    def drop_in_child(self) -> None:
        """After a fork: closes the child's copies of every descriptor; the threads did not come along."""
        self._lock = threading.Lock()
        for connection in self._connections:
            connection.drop_in_child()
        self._connections, self._watched = {}, {}
        for descriptor in (self._listener.detach(), self._wake_read, self._wake_write):
            with suppress(OSError):  # closed before the fork
                os.close(descriptor)

    # --- for connections ---

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._ended.append(self._connections.pop(connection))

    def watch_for_hang_up(self, connection: Connection) -> None:
        with self._lock:
            self._watched[connection.fileno()] = connection
        self._wake()

    def stop_watching(self, connection: Connection) -> None:
        with self._lock:
            self._watched.pop(connection.fileno(), None)
        # While it is polled, a closed socket stays open in the kernel, and its peer would not hear of the end.
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full: it will wake
            os.write(self._wake_write, b"x")

    # --- the accepting thread ---

    def _accept_loop(self) -> None:
        while not self._stopping:
            self._join_ended()
            poller = select.poll()
            if not self._full:  # else it would be ready at once, again and again
                poller.register(self._listener, select.POLLIN)
            poller.register(self._wake_read, select.POLLIN)
            with self._lock:
                watched = dict(self._watched)
            for descriptor in watched:
                poller.register(descriptor, select.POLLIN)
            ready = poller.poll(_FULL_CHECK if self._full else _MAIN_THREAD_CHECK)
            self._full = False
            if not ready and not threading.main_thread().is_alive():
                self._abandon()
                return
            for descriptor, _ in ready:
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._check(descriptor, watched[descriptor])

    def _abandon(self) -> None:
        """The program wants to end and waits for our threads: better late than never."""
        _log.warning("the API server on port %d was never stopped: stop() it, or use it in a with statement", self.port)
        self._close_listener()
        self._end_connections()
        self.on_abandoned()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:  # else the client gave up before it was accepted
            self._full = error.errno in _FULL
            if self._full and not self._complained:
                self._complained = True
                _log.warning("the API server on port %d cannot accept connections: %s", self.port, error)
            return
        self._complained = False
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted += 1
        connection = Connection(self, sock)
        thread = threading.Thread(target=connection.run, name=f"{self.name}-connection-{self._accepted}")
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _check(self, descriptor: int, connection: Connection) -> None:
        """The descriptor may be another connection's by now: then there is nothing to do."""
        with self._lock:
            current = self._watched.get(descriptor) is connection
        if current and connection.check_hang_up():
            with self._lock:
                self._watched.pop(descriptor, None)

    def _join_ended(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        for thread in ended:
            thread.join()


_servers: weakref.WeakSet[HttpServer] = weakref.WeakSet()  # those that run
_fork_hook: list[bool] = []  # not empty once the hook is set


def _keep_from_children(server: HttpServer) -> None:
    """Has forked children give up their copies of the server's sockets. The hook is set with the first server."""
    if not _fork_hook:
        _fork_hook.append(True)
        os.register_at_fork(after_in_child=_drop_all_in_child)
    _servers.add(server)


def _drop_all_in_child() -> None:
    for server in list(_servers):
        server.drop_in_child()
