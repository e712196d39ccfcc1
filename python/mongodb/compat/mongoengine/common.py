# SPDX-License-Identifier: Apache-2.0
"""Classes by their names."""

from __future__ import annotations

import importlib
from typing import Any

from mongodb.compat.mongoengine._beside import beside

__all__: list[str] = []

_MODULES = ("document", "fields", "base", "dereference", "queryset")


def _import_class(cls_name: str) -> Any:
    """Return a class of MongoEngine's by its name."""
    for module in _MODULES:
        found = getattr(importlib.import_module(f"{__package__}.{module}"), cls_name, None)
        if found is not None:
            return found
    raise ValueError(f"No import set for: {cls_name}")


__getattr__ = beside(__name__)
