"""Views for probes: `path("kube/", include("kubewatch.contrib.django.urls"))`.

They ask for no login. Like any view they are behind the site's middleware: a probe needs a Host header that
ALLOWED_HOSTS admits. https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from kubewatch.health import Report

from . import conf
from .health import check_rows, stores_report
from .stores import configured, stores

View = Callable[[HttpRequest], HttpResponse]


def _probe(report: Callable[[], Report]) -> View:
    @never_cache
    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        told = report()
        return HttpResponse(told.body(), content_type="application/json", status=told.status)

    view.login_required = False  # type: ignore[attr-defined]  # what LoginRequiredMiddleware asks, since Django 5.1
    return view


def _alive() -> Report:
    return Report()


def _ready() -> Report:
    stores.start()
    return stores_report()


def _fresh() -> Report:
    stores.start()
    settings = configured()
    reflections = map(conf.load_reflection, settings.reflect)
    return Report((*stores_report().checks, *(check_rows(each, settings.stale_after) for each in reflections)))


# For liveness: this process answers. What the cluster does, no restart of this process mends.
alive = _probe(_alive)

# For readiness: each store is filled, with what the server had at most STALE_AFTER seconds ago. Starts the stores.
ready = _probe(_ready)

# For monitoring: that, and the rows that `manage.py reflectmodels` writes.
fresh = _probe(_fresh)
