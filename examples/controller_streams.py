"""All of a controller's streams by hand: the main one, one of owned and one of watched objects.

Each is a watch with the stages it needs; the controller pulls them all while its output is pulled.
"""

import logging

from kubewatch import Action, Api, Config, Controller, Object, ObjectRef, metadata_watcher, reflector, store, watcher

logging.basicConfig(level=logging.INFO, format="%(message)s")  # one line at a time, of all threads
logger = logging.getLogger(__name__)

websites = Api("example.com/v1", "Website")
owned = metadata_watcher(Api("apps/v1", "Deployment"), Config()).default_backoff().touched_objects()
watched = watcher(Api("v1", "ConfigMap"), Config(label_selector="theme")).default_backoff().touched_objects()

reader, writer = store()
main = reflector(writer, watcher(websites, Config())).default_backoff().applied_objects()


def neighbours(theme: Object) -> list[ObjectRef]:
    return [website.ref for website in reader.state() if website.namespace == theme.namespace]


def reconcile(website: Object, context: None) -> Action:
    logger.info("reconciling %s", website.name)
    return Action.await_change()


Controller.for_stream(main, reader).owns_stream(owned).watches_stream(watched, neighbours).run_forever(reconcile)
