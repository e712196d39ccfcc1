# SPDX-License-Identifier: Apache-2.0
"""A project whose data are documents; users and the admin's log are models of any database."""

import os

SECRET_KEY = "tests"
DEBUG = True
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    if os.environ.get("MODELS") == "sqlite"
    else {"ENGINE": "mongodb.backend", "HOST": "docstore://:memory:", "NAME": "models"}
}
if os.environ.get("MODELS") != "sqlite":
    SESSION_ENGINE = "mongodb.sessions"
    CACHES = {"default": {"BACKEND": "mongodb.cache.DocumentCache", "LOCATION": "cache"}}
MONGODB_SETTINGS = {"host": os.environ.get("STORE") or "docstore://:memory:", "db": "library"}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "library",
    "mongodb",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
