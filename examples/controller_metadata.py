"""Metadata on the main stream: less traffic, less memory.

`reconcile` gets metadata, and fetches the whole object where it needs that.
"""

import logging

from kubewatch import Action, Api, Config, Controller, PartialObjectMeta, metadata_watcher, reflector, store

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

deployments = Api("apps/v1", "Deployment")
reader, writer = store(of=PartialObjectMeta)
stream = reflector(writer, metadata_watcher(deployments, Config())).default_backoff().applied_objects()


def reconcile(deployment: PartialObjectMeta, context: None) -> Action:
    if "team" not in deployment.labels:
        whole = deployments.within(deployment.namespace).get(deployment.name)
        logger.info("%s with %s replicas is nobody's", whole.name, whole.spec.replicas)
    return Action.await_change()


Controller.for_stream(stream, reader).run_forever(reconcile)
