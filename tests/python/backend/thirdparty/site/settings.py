# SPDX-License-Identifier: Apache-2.0
"""Stock settings, but for DATABASES, with one other project's apps: APP names it."""

import os

APP = os.environ["APP"]
LIBRARIES = {
    "allauth": ["allauth", "allauth.account", "allauth.socialaccount", "allauth.mfa",
                "allauth.usersessions", "django.contrib.humanize"],
    "beat": ["django_celery_beat"],
    "filters": ["django_filters"],
    "guardian": ["guardian"],
    "history": ["simple_history"],
    "importing": ["import_export"],
    "mptt": ["mptt"],
    "rest": ["rest_framework", "rest_framework.authtoken"],
    "taggit": ["taggit"],
    "treebeard": ["treebeard"],
}  # fmt: skip
DATABASES = {
    "default": {
        "ENGINE": "mongodb.backend",
        "NAME": "others",
        "HOST": os.environ.get("STORE", ""),
    }
}
SECRET_KEY = "tests of what other projects' apps do with documents"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *LIBRARIES[APP],
    f"with_{APP}",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if APP == "allauth":
    MIDDLEWARE.append("allauth.account.middleware.AccountMiddleware")
    AUTHENTICATION_BACKENDS.append("allauth.account.auth_backends.AuthenticationBackend")
    ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
if APP == "guardian":
    AUTHENTICATION_BACKENDS.append("guardian.backends.ObjectPermissionBackend")
if APP == "history":
    MIDDLEWARE.append("simple_history.middleware.HistoryRequestMiddleware")
ROOT_URLCONF = "urls"
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
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
