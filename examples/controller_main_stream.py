"""The main stream by hand: a watch that is reflected into a store, and both given to `Controller.for_stream`.

The controller begins when the store is filled. The reader stays in your hands: it knows all websites, at any time.
"""

import logging

from kubewatch import Action, Api, Config, Controller, Object, reflector, store, watcher

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

reader, writer = store()
stream = reflector(writer, watcher(Api("example.com/v1", "Website"), Config())).default_backoff().applied_objects()


def reconcile(website: Object, context: None) -> Action:
    logger.info("reconciling %s of %s", website.name, len(reader))
    return Action.await_change()


Controller.for_stream(stream, reader).run_forever(reconcile)
