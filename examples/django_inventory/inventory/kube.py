"""Which rows stand for which objects. Settings name these in KUBEWATCH["REFLECT"]."""

from kubewatch import Api, Object
from kubewatch.contrib.django import reflect_model

from .models import Deployment, Node


def is_ready(node: Object) -> bool:
    """Whether the kubelet says so."""
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions or ())


deployments = reflect_model(
    Deployment,
    Api("apps/v1", "Deployment"),
    key={"namespace": "metadata.namespace", "name": "metadata.name"},
    fields={
        "team": lambda deployment: deployment.labels.get("team"),
        "image": ".spec.template.spec.containers[0].image",
        "replicas": ".spec.replicas",
        "ready": ".status.readyReplicas",
        "created": ".metadata.creationTimestamp",
    },
)

nodes = reflect_model(
    Node,
    Api("v1", "Node"),
    key={"name": "metadata.name"},
    fields={
        "ready": is_ready,
        "version": ".status.nodeInfo.kubeletVersion",
        "cpu": ".status.capacity.cpu",
        "memory": ".status.capacity.memory",
        "created": ".metadata.creationTimestamp",
    },
)
