# SPDX-License-Identifier: Apache-2.0
"""Addresses of the demo."""

from api.views import CityViewSet, PostViewSet, UserViewSet, start
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from visits.views import VisitViewSet

router = DefaultRouter()
router.register("cities", CityViewSet, basename="city")
router.register("users", UserViewSet, basename="user")
router.register("posts", PostViewSet, basename="post")
router.register("visits", VisitViewSet)

urlpatterns = [
    path("favicon.ico", lambda request: HttpResponse(status=204)),
    path("", start, name="start"),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
]
