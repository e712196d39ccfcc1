# SPDX-License-Identifier: Apache-2.0
"""The test project's pages."""

from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

from mongodb.storage import serve


def publisher(request, pk):
    return HttpResponse(repr(pk))


urlpatterns = [
    path("admin/", admin.site.urls),
    path("publisher/<object_id:pk>/", publisher, name="publisher"),
    path("media/<path:name>", serve),
]
