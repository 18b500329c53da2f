"""An operator: each Website gets its page (a ConfigMap) and what serves it (a Deployment), and says how many are ready.

    kubectl apply -f crd.yaml
    python website_operator.py

What it makes names the website as owner: when that goes, Kubernetes takes the rest along, and no finalizer is needed.
Ctrl-C and SIGTERM end it in good order.
"""

import logging
from typing import Any

from kubewatch import (
    Action,
    Api,
    Config,
    Controller,
    Object,
    Reconciled,
    RunnerError,
    owner_reference,
    predicates,
    reflector,
    store,
    watcher,
)

logger = logging.getLogger(__name__)

NAME = "website-operator"
LABELS = {"app.kubernetes.io/managed-by": NAME}
MADE_HERE = Config(label_selector=f"app.kubernetes.io/managed-by={NAME}")

websites = Api("example.com/v1", "Website")
config_maps = Api("v1", "ConfigMap")
deployments = Api("apps/v1", "Deployment")


def reconcile(website: Object, context: None) -> Action:
    """Bring what belongs to the website to what its spec says; the server changes, and tells, only what differs."""
    if website.metadata.deletion_timestamp:
        return Action.await_change()
    config_maps.apply(page(website), field_manager=NAME, force=True)
    deployment = deployments.apply(servers(website), field_manager=NAME, force=True)
    # Always, as the cached status may be behind: a patch that changes nothing is not written, and reconciles nothing.
    status = {
        "observedGeneration": website.metadata.generation,
        "readyReplicas": deployment.status.readyReplicas or 0,
    }
    websites.within(website.namespace).patch_status(website.name, {"status": status}, field_manager=NAME)
    return Action.await_change()


def page(website: Object) -> dict[str, Any]:
    return {"metadata": owned_by(website), "data": {"index.html": website.spec.html}}


def servers(website: Object) -> dict[str, Any]:
    metadata = owned_by(website)
    labels = {"example.com/website": website.name}
    mount = {"name": "page", "mountPath": "/usr/share/nginx/html"}
    pod = {
        "containers": [{"name": "nginx", "image": "nginx", "ports": [{"containerPort": 80}], "volumeMounts": [mount]}],
        "volumes": [{"name": "page", "configMap": {"name": metadata["name"]}}],
    }
    return {
        "metadata": metadata,
        "spec": {
            "replicas": website.spec.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def owned_by(website: Object) -> dict[str, Any]:
    return {
        "name": f"website-{website.name}",  # so that nobody's own objects are taken over
        "namespace": website.namespace,
        "labels": LABELS,
        "ownerReferences": [owner_reference(website)],
    }


def controller() -> Controller[Object]:
    """Websites when their spec changes, not when their status does; and what was made for them, on any change."""
    reader, writer = store()
    changed = (
        reflector(writer, watcher(websites, Config()))
        .default_backoff()
        .applied_objects()
        .predicate_filter(predicates.generation)
    )
    return Controller.for_stream(changed, reader).owns(config_maps, MADE_HERE).owns(deployments, MADE_HERE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    for result in controller().shutdown_on_signal().run(reconcile):
        if isinstance(result, RunnerError):  # it cannot work: without its CRD, for example
            raise result
        if isinstance(result, Reconciled):  # what failed is logged already, and tried again
            logger.info("reconciled %s", result.ref)
