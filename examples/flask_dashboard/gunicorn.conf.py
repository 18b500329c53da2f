"""How the dashboard is served; gunicorn reads this file when it is started in this folder."""

import socket
from typing import Any

from kubewatch.contrib.gunicorn import post_worker_init  # noqa: F401  # a setting, by its name

wsgi_app = "dashboard:create_app()"
bind = "0.0.0.0:8000"
workers = 2
preload_app = True
worker_class = "gthread"
threads = 32  # more than DASHBOARD_STREAMS, as an open page takes one, and probes must get through
graceful_timeout = 10  # seconds
worker_tmp_dir = "/dev/shm"  # nothing is written to disk, which a container may have read-only
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Cut off a page that has read nothing for 30 s, asleep perhaps: writing to it would hold a thread for ever."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; https://man7.org/linux/man-pages/man7/tcp.7.html
        for listener in server.LISTENERS:  # from which connections have it
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)  # milliseconds
