"""The cluster of the demo: a shop, whose pods come up, crash and go as a Deployment and a kubelet would have it."""

from __future__ import annotations

from typing import Any

from kubewatch.api import Api
from kubewatch.client import Client

NAMESPACE = "shop"
Json = dict[str, Any]


class Shop:
    """What happens in the shop; each call is over when the server has it."""

    def __init__(self, client: Client) -> None:
        self._namespaces = Api("v1", "Namespace", client=client)
        self._deployments = Api("apps/v1", "Deployment", namespace=NAMESPACE, client=client)
        self._pods = Api("v1", "Pod", namespace=NAMESPACE, client=client)

    def open(self) -> None:
        """A Deployment of two pods, and a database."""
        self._namespaces.create({"metadata": {"name": NAMESPACE}})
        template = {"metadata": {"labels": {"app": "web"}}, "spec": _spec("web")}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        self._deployments.create({"metadata": {"name": "web"}, "spec": spec})
        for name, app, node in (
            ("db-0", "db", "node-1"),
            ("web-4xk2p", "web", "node-1"),
            ("web-9fj7q", "web", "node-2"),
        ):
            self.create_pod(name, app, node)
            self.set_status(name, running())

    def scale(self, replicas: int) -> None:
        """Ask for another number of pods."""
        self._deployments.patch("web", {"spec": {"replicas": replicas}})

    def create_pod(self, name: str, app: str, node: str) -> None:
        """A pod is made."""
        self._pods.create({"metadata": {"name": name, "labels": {"app": app}}, "spec": _spec(app) | {"nodeName": node}})

    def set_status(self, name: str, status: Json) -> None:
        """What the kubelet says of a pod."""
        self._pods.patch_status(name, {"status": status})

    def label(self, name: str, **labels: str) -> None:
        """Labels are put on a pod."""
        self._pods.patch(name, {"metadata": {"labels": labels}})

    def delete_pod(self, name: str) -> None:
        """Somebody deletes a pod: it is told to end."""
        self._pods.delete(name)

    def end_pod(self, name: str) -> None:
        """The kubelet has ended a pod: it is gone."""
        self._pods.delete(name, grace_period_seconds=0)


def creating() -> Json:
    """A pod whose image is being pulled."""
    return _status("Pending", {"waiting": {"reason": "ContainerCreating"}})


def running(restarts: int = 0) -> Json:
    """A pod that does its work."""
    return _status("Running", {"running": {}}, ready=True, restarts=restarts)


def out_of_memory() -> Json:
    """A pod whose process was killed."""
    return _status("Running", {"terminated": {"reason": "OOMKilled", "exitCode": 137}})


def backing_off(restarts: int) -> Json:
    """A pod that is about to be started again."""
    return _status("Running", {"waiting": {"reason": "CrashLoopBackOff"}}, restarts=restarts)


def _spec(app: str) -> Json:
    return {"containers": [{"name": "main", "image": f"{app}:1"}]}


def _status(phase: str, state: Json, *, ready: bool = False, restarts: int = 0) -> Json:
    return {
        "phase": phase,
        "containerStatuses": [{"name": "main", "ready": ready, "restartCount": restarts, "state": state}],
    }
