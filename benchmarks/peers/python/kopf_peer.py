"""kopf: an operator with an in-memory index of pods. It handles of several changes of an object in a row the last."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from typing import Any

import kopf

from benchmarks.measure import Measurement, Task, parse_task


async def main(task: Task) -> None:
    """Follow the pods and print what it cost."""
    os.environ["KUBECONFIG"] = task.kubeconfig
    registry = kopf.OperatorRegistry()
    stored: dict[tuple[str, str], Any] = {}
    over = asyncio.Event()
    last_version = str(task.objects + task.events)
    measurement: Measurement

    def index(namespace: str, name: str, body: Any, **_: Any) -> dict[tuple[str, str], Any]:
        if (namespace, name) not in stored:
            stored[namespace, name] = body
            if len(stored) == task.objects:
                measurement.ready()
        stored[namespace, name] = body
        if body["metadata"]["resourceVersion"] == last_version:
            over.set()
        return {(namespace, name): body}

    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # no custom resources are looked for
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    kopf.index("pods", registry=registry)(index)
    measurement = Measurement(task, "kopf", importlib.metadata.version("kopf"))
    operator = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings, clusterwide=True, standalone=True)
    )
    await asyncio.wait([operator, asyncio.create_task(over.wait())], return_when=asyncio.FIRST_COMPLETED)
    measurement.done(stored=len(stored))
    os._exit(0)  # the operator takes its time to end


if __name__ == "__main__":
    asyncio.run(main(parse_task(["typed"])))
