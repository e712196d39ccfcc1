# SPDX-License-Identifier: Apache-2.0
"""A project without any database of models: users, sessions and tokens are documents."""

import os

SECRET_KEY = "tests"
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "people.urls"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
MONGODB_SETTINGS = {"host": os.environ.get("STORE") or "docstore://:memory:", "db": "people"}
AUTH_USER_MODEL = "people.Member"
AUTHENTICATION_BACKENDS = ["mongodb.auth.backends.DocumentBackend"]
LOGIN_URL = "login"
SESSION_ENGINE = "mongodb.sessions"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "people",
    "mongodb",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
