"""A Flask app as its users write it, to be served in tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import click
from flask import Flask

from kubewatch.contrib.flask import AppStores, KubeWatch

kube = KubeWatch()
settings = kube.store("settings", "configmaps", namespace="default")


def until_the_end(here: AppStores) -> Iterator[str]:
    yield "begun\n"
    here.wait(seconds=3600)
    yield "ended\n"


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()
    kube.init_app(app)

    @app.get("/names")
    def names() -> str:
        return " ".join(sorted(one.name for one in settings))

    @app.get("/process")
    def process() -> dict[str, object]:
        return {"pid": os.getpid(), "running": kube.stores["settings"].running}

    @app.get("/endless")
    def endless() -> Iterator[str]:
        return until_the_end(kube.here)

    @app.cli.command()
    def greet() -> None:
        click.echo(f"hello from {threading.active_count()} thread")

    @app.cli.command()
    def count() -> None:
        click.echo(f"{len(settings)} found")

    return app
