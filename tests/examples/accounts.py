"""Running an example with the few rights that its manifests give it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kubewatch import Api, Client
from kubewatch.testing import EnvTest


def create_all(client: Client, manifests: Iterable[dict[str, Any]]) -> None:
    """As `kubectl create -f` does."""
    for manifest in manifests:
        namespace = manifest["metadata"].get("namespace")
        Api(manifest["apiVersion"], manifest["kind"], namespace=namespace, client=client).create(manifest)


def kubeconfig_of(server: EnvTest, client: Client, namespace: str, account: str, path: Path) -> None:
    """Write a kubeconfig of a service account, by a token such as its pod would have.

    https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
    """
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}).encode()
    asked = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    answer = client.request("POST", asked, headers={"content-type": "application/json"}, body=body)
    config = json.loads(server.kubeconfig(path).read_text())
    config["users"][0]["user"] = {"token": json.loads(answer.body)["status"]["token"]}
    config["contexts"][0]["context"]["namespace"] = namespace
    path.write_text(json.dumps(config))
