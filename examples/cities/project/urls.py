# SPDX-License-Identifier: Apache-2.0
"""Addresses of the demo."""

from api.views import CityViewSet, PostViewSet, UserViewSet, start
from django.urls import include, path
from rest_framework.routers import DefaultRouter

router = DefaultRouter()
router.register("cities", CityViewSet, basename="city")
router.register("users", UserViewSet, basename="user")
router.register("posts", PostViewSet, basename="post")

urlpatterns = [
    path("", start, name="start"),
    path("api/", include(router.urls)),
]
