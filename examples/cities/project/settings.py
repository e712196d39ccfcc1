# SPDX-License-Identifier: Apache-2.0
"""Settings of the demo: no server to install, no SQL database, one store file beside manage.py,
of documents and of Django's own models: users, sessions, the admin.

MONGODB_URI=mongodb://host/ runs the same code on a MongoDB server.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-the-demo")
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "mongodb",
    "api",
    "visits",
]

# With only a name, the data is in cities.docstore in this folder.
MONGODB_SETTINGS = {"db": "cities"}
if os.environ.get("MONGODB_URI"):
    MONGODB_SETTINGS["host"] = os.environ["MONGODB_URI"]

# The models are in the same store.
DATABASES = {
    "default": {
        "ENGINE": "mongodb.backend",
        "NAME": "cities",
        "HOST": os.environ.get("MONGODB_URI", ""),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": [
        "mongodb.rest_framework.renderers.JSONRenderer",  # lists go from BSON to JSON in C
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PAGINATION_CLASS": "mongodb.rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_FILTER_BACKENDS": [
        "mongodb.rest_framework.filters.DocumentFilter",
        "mongodb.rest_framework.filters.SearchFilter",
        "mongodb.rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
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
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"
