"""The main stream by hand: a watch that is reflected into a store, and both given to `Controller.for_stream`.

The controller begins when the store is filled. The reader stays in your hands: it knows all websites, at any time.
"""

from kubewatch import Action, Api, Config, Controller, Object, reflector, store, watcher

reader, writer = store()
stream = reflector(writer, watcher(Api("example.com/v1", "Website"), Config())).default_backoff().applied_objects()


def reconcile(website: Object, context: None) -> Action:
    print("reconciling", website.name, "of", len(reader))
    return Action.await_change()


Controller.for_stream(stream, reader).run_forever(reconcile)
