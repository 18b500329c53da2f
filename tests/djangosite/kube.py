"""What is reflected."""

from __future__ import annotations

from kubewatch import Api
from kubewatch.contrib.django import reflect_model

from .models import Deployment, Machine

deployments = reflect_model(
    Deployment,
    Api("apps/v1", "Deployment"),
    key={"namespace": "metadata.namespace", "name": "metadata.name"},
    fields={"replicas": ".spec.replicas"},
)

machines = reflect_model(Machine, Api("v1", "Node"), key={"name": "metadata.name"}, fields={})

websites = reflect_model(
    Machine, Api("example.com/v1", "Website"), key={"name": "metadata.name"}, fields={"size": ".spec.replicas"}
)
