# SPDX-License-Identifier: Apache-2.0
"""PATCH as a list of changes."""

from mongodb.rest_framework.patching import Patch, PatchItem, PatchModelMixin, get_field_for_path

__all__ = ["Patch", "PatchItem", "PatchModelMixin", "get_field_for_path"]
