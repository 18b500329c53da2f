"""An owned stream by hand: when a deployment changes, whatever website its owner references name is reconciled.

They are metadata, so `metadata_watcher` is enough; it is what `Controller.owns` takes, too.
"""

import logging

from kubewatch import Action, Api, Config, Controller, Object, metadata_watcher

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

deployments = metadata_watcher(Api("apps/v1", "Deployment"), Config()).default_backoff().touched_objects()


def reconcile(website: Object, context: None) -> Action:
    logger.info("reconciling %s", website.name)
    return Action.await_change()


Controller(Api("example.com/v1", "Website"), Config()).owns_stream(deployments).run_forever(reconcile)
