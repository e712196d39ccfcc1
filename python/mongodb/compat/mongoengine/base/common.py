# SPDX-License-Identifier: Apache-2.0
"""The registry of classes."""

from __future__ import annotations

from typing import Any

from mongodb._registry import _document_registry, get_document
from mongodb.compat.mongoengine._beside import beside
from mongodb.fields.base_field import UPDATE_OPERATORS as _ALL

__all__ = ["UPDATE_OPERATORS", "_document_registry", "get_document"]

UPDATE_OPERATORS = set(_ALL)


class _DocumentRegistry:
    """The registry behind methods."""

    @staticmethod
    def get(name: str) -> Any:
        """Return a class by its name."""
        return get_document(name)

    @staticmethod
    def register(cls: Any) -> None:
        """Make a class known by its name."""
        _document_registry[cls._class_name] = cls

    @staticmethod
    def unregister(name: str) -> None:
        """Forget a class."""
        del _document_registry[name]


def _get_documents_by_db(connection_alias: str, default_connection_alias: str) -> list[Any]:
    """Return the classes whose documents are in a connection."""
    return [
        cls
        for cls in _document_registry.values()
        if cls._meta.get("db_alias", default_connection_alias) == connection_alias
    ]


__getattr__ = beside(__name__)
