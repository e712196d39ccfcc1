# SPDX-License-Identifier: Apache-2.0
"""Settings of the demo: no server to install, no SQL database, one store file beside manage.py.

MONGODB_URI=mongodb://host/ runs the same code on a MongoDB server.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-the-demo")
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "rest_framework",
    "mongodb",
    "api",
]

# With only a name, the data is in cities.docstore in this folder.
MONGODB_SETTINGS = {"db": "cities"}
if os.environ.get("MONGODB_URI"):
    MONGODB_SETTINGS["host"] = os.environ["MONGODB_URI"]

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

MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"
