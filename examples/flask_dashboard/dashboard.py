"""A live table of deployments and pods, by server-sent events. Try it: `flask --app dashboard run`."""

from __future__ import annotations

from feed import Feed, Full
from flask import Flask, Response, render_template, request
from rows import deployment_row, pod_row

from kubewatch import InvalidInput, prune
from kubewatch.contrib.flask import KubeWatch

# Scripts, styles and connections from here and nowhere else: a label that is a script has nothing to run in.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

kube = KubeWatch()
unseen = prune("metadata.managedFields", "metadata.annotations")  # what no row shows is not kept
kube.store("deployments", "deployments.apps", modify=unseen)
kube.store("pods", "pods", modify=unseen)


def create_app() -> Flask:
    """Configured by FLASK_KUBEWATCH_..., FLASK_DASHBOARD_STREAMS and FLASK_DASHBOARD_HEARTBEAT in the environment."""
    app = Flask(__name__)
    app.config.from_mapping(DASHBOARD_STREAMS=24, DASHBOARD_HEARTBEAT=10)  # streams at a time in a process; seconds
    app.config.from_prefixed_env()
    for key in ("DASHBOARD_STREAMS", "DASHBOARD_HEARTBEAT"):
        if not (isinstance(app.config[key], (int, float)) and app.config[key] > 0):
            raise InvalidInput(f"{key} is a number above 0, not {app.config[key]!r}")
    kube.init_app(app)
    feed = Feed(limit=app.config["DASHBOARD_STREAMS"], heartbeat=app.config["DASHBOARD_HEARTBEAT"])
    with app.app_context():
        feed.follow("deployments", kube.stores["deployments"], deployment_row)
        feed.follow("pods", kube.stores["pods"], pod_row)

    @app.get("/")
    def index() -> str:
        return render_template("index.html")

    @app.get("/events")
    def events() -> Response:
        if request.method == "HEAD":  # is answered without a body, so that nobody would close the stream
            return Response(mimetype="text/event-stream")
        try:
            stream = feed.open(kube.here)
        except Full as full:
            return Response(str(full), 503, {"Retry-After": "10"}, mimetype="text/plain")
        response = Response(stream, mimetype="text/event-stream")
        response.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter is for nginx
        return response

    @app.after_request
    def secure(response: Response) -> Response:
        response.headers.extend(HEADERS)
        return response

    return app
