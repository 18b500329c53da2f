"""A gunicorn hook: each worker starts its Flask app's stores as soon as it is up, and ends streams when it is told to.

    gunicorn --config python:kubewatch.contrib.gunicorn --worker-class gthread --threads 8 "shop:create_app()"

or, in a gunicorn.conf.py of your own: `from kubewatch.contrib.gunicorn import post_worker_init`.
https://docs.gunicorn.org/en/stable/settings.html#server-hooks
"""

from __future__ import annotations

import os
from typing import Any

from kubewatch.errors import InvalidInput


def post_worker_init(worker: Any) -> None:
    """Called by gunicorn in each worker, after the fork and after the app is loaded; raises `InvalidInput`."""
    found = getattr(worker.wsgi, "extensions", {}).get("kubewatch")
    if found is None:
        raise InvalidInput(
            f"gunicorn serves a {type(worker.wsgi).__name__} and not a Flask app that KubeWatch was initialised with. "
            "If it wraps one, wrap app.wsgi_app instead"
        )
    # It ends also when its master has died, without being told.
    found.serve(lambda: worker.alive and worker.ppid == os.getppid())
