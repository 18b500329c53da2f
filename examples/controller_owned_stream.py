"""An owned stream by hand: when a deployment changes, whatever website its owner references name is reconciled.

They are metadata, so `metadata_watcher` is enough; it is what `Controller.owns` takes, too.
"""

from kubewatch import Action, Api, Config, Controller, Object, metadata_watcher

deployments = metadata_watcher(Api("apps/v1", "Deployment"), Config()).default_backoff().touched_objects()


def reconcile(website: Object, context: None) -> Action:
    print("reconciling", website.name)
    return Action.await_change()


Controller(Api("example.com/v1", "Website"), Config()).owns_stream(deployments).run_forever(reconcile)
