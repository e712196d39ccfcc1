# SPDX-License-Identifier: Apache-2.0
"""Fetching references: documents do it by themselves, a batch at a time."""

from __future__ import annotations

from typing import Any

from mongodb.compat.mongoengine._beside import beside

__all__ = ["DeReference"]


class DeReference:
    """Called with documents, returns them: what they refer to is fetched when it is read."""

    def __call__(self, items: Any, *args: Any, **kwargs: Any) -> Any:
        return list(items) if hasattr(items, "_document") else items


__getattr__ = beside(__name__)
