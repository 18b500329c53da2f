"""A small Django site for the tests of `kubewatch.contrib.django`; importing it sets Django up in this process."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=["kubewatch.contrib.django", "tests.djangosite"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        ROOT_URLCONF="tests.djangosite.urls",
        USE_TZ=True,
        ALLOWED_HOSTS=["testserver"],
        LOGGING_CONFIG=None,  # pytest's is in use
    )
    django.setup()
