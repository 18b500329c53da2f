"""Settings, made for a laptop; https://docs.djangoproject.com/en/stable/howto/deployment/checklist/ for more."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "for a laptop only")
DEBUG = "SECRET_KEY" not in os.environ
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost 127.0.0.1").split()

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "kubewatch.contrib.django",
    "inventory",
]

# What is mirrored into the database, by `manage.py reflectmodels`.
KUBEWATCH = {
    "REFLECT": ["inventory.kube.deployments", "inventory.kube.nodes"],
}

# PostgreSQL where $PGDATABASE names a database ($PGHOST, $PGUSER and the like say where it is), else a file.
postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ.get("PGDATABASE")}
sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SQLITE_FILE", str(BASE_DIR / "db.sqlite3"))}
DATABASES = {"default": postgres if postgres["NAME"] else sqlite}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "inventory_site.urls"
WSGI_APPLICATION = "inventory_site.wsgi.application"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"
