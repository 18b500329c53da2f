"""Importing this sets Django up in this process."""

from __future__ import annotations

import django
from django.conf import settings

from . import settings as given

if not settings.configured:
    values = {name: getattr(given, name) for name in dir(given) if name.isupper()}
    settings.configure(**{**values, "LOGGING_CONFIG": None})  # logging is pytest's
    django.setup()
