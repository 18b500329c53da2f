"""`KubeWatch`: a Flask extension whose stores are kept fresh in every process that serves requests.

    kube = KubeWatch()
    pods = kube.store("pods", "pods", namespace="shop")         # a LiveStore, of whichever app serves; also kube.pods

    def create_app():
        app = Flask(__name__)
        app.config.from_prefixed_env()                          # KUBEWATCH_..., see `Settings`
        kube.init_app(app)
        return app

The first request that a process gets starts all stores, each on a thread of its own; with the hook of
`kubewatch.contrib.gunicorn`, a worker's start does. So nothing is watched at import, in gunicorn's master, in the
parent of Werkzeug's reloader, or by `flask` commands that read no store. The threads end with their process.
https://flask.palletsprojects.com/en/stable/extensiondev/
"""

from .extension import KubeWatch
from .settings import Settings
from .stores import AppStores, NotReady

__all__ = ["AppStores", "KubeWatch", "NotReady", "Settings"]
