"""Several streams, each as narrow as can be: websites when their `spec` changes, their deployments by metadata.

The reflector stands before the predicate: a change of status reconciles nothing, and is in the store all the same.
"""

import logging

from kubewatch import Action, Api, Config, Controller, Object, metadata_watcher, predicates, reflector, store, watcher

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

websites = Api("example.com/v1", "Website")
deployments = Api("apps/v1", "Deployment")

reader, writer = store()
main_stream = (
    reflector(writer, watcher(websites, Config()))
    .default_backoff()
    .applied_objects()
    .predicate_filter(predicates.generation)
)
owned_stream = metadata_watcher(deployments, Config()).default_backoff().touched_objects()


def reconcile(website: Object, context: None) -> Action:
    logger.info("reconciling %s of generation %s", website.name, website.metadata.generation)
    return Action.await_change()


for _ in Controller.for_stream(main_stream, reader).owns_stream(owned_stream).run(reconcile):
    pass
