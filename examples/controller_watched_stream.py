"""A watched stream by hand: a mapper says which websites an object is about; they are reconciled when it changes.

This mapper needs labels only, so a metadata watch is enough.
"""

import logging

from kubewatch import Action, Api, Config, Controller, Object, ObjectRef, PartialObjectMeta, metadata_watcher

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

websites = Api("example.com/v1", "Website")
daemons = metadata_watcher(Api("apps/v1", "DaemonSet"), Config()).default_backoff().touched_objects()


def mapper(daemon: PartialObjectMeta) -> ObjectRef | None:
    name = daemon.labels.get("example.com/website")
    return ObjectRef.to(websites, name, daemon.namespace) if name else None


def reconcile(website: Object, context: None) -> Action:
    logger.info("reconciling %s", website.name)
    return Action.await_change()


Controller(websites, Config()).watches_stream(daemons, mapper).run_forever(reconcile)
