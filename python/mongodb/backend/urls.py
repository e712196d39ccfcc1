# SPDX-License-Identifier: Apache-2.0
"""ObjectIds in URL patterns, where MongoDB's own Django backend has them."""

from mongodb.urls import ObjectIdConverter

__all__ = ["ObjectIdConverter"]
