# SPDX-License-Identifier: Apache-2.0
"""The test project's only page: the admin."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
