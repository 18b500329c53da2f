"""What the site's processes go by."""

from __future__ import annotations

import json
import os
from typing import Any

INSTALLED_APPS = ["kubewatch.contrib.django", "tests.djangosite"]
DATABASES: dict[str, Any] = {
    "default": json.loads(
        os.environ.get("SITE_DATABASE", '{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}')
    )
}
ROOT_URLCONF = "tests.djangosite.urls"
WSGI_APPLICATION = "tests.djangosite.wsgi.application"
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
SECRET_KEY = "not one"
USE_TZ = True
DEBUG = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}

KUBEWATCH: dict[str, Any] = {
    "STORES": {"settings": {"API": "configmaps", "NAMESPACE": "default"}},
    "REFLECT": ["tests.djangosite.kube.deployments", "tests.djangosite.kube.machines"],
}
