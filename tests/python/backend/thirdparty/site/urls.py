# SPDX-License-Identifier: Apache-2.0
"""The admin, and what the app has of its own."""

import importlib

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls)]
if settings.APP == "allauth":
    urlpatterns.append(path("accounts/", include("allauth.urls")))
if settings.APP in ("filters", "rest"):
    urlpatterns += importlib.import_module(f"with_{settings.APP}.views").urlpatterns
