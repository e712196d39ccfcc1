# SPDX-License-Identifier: Apache-2.0
"""DRF's routers for documents."""

from mongodb.rest_framework.routers import DefaultRouter, SimpleRouter
from mongodb.rest_framework.routers import DocumentRouterMixin as MongoRouterMixin

__all__ = ["DefaultRouter", "MongoRouterMixin", "SimpleRouter"]
