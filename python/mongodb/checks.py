# SPDX-License-Identifier: Apache-2.0
"""Django's system checks of Document classes: `manage.py check`. They ask no store."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error, Warning

from mongodb import _registry
from mongodb.connection import known_aliases
from mongodb.management.indexes import conflicts, places

__all__ = ["check_documents"]


def check_documents(app_configs: Any = None, **kwargs: Any) -> list[Any]:
    """Return what is wrong with the connections and indexes that classes declare.

    mongodb.E001: a class names a connection that nobody registered.
    mongodb.E002: two indexes of one collection have one name and are not the same.
    mongodb.W001: there are documents, and no connection is configured.
    """
    modules = None if app_configs is None else {one.name for one in app_configs}
    classes = [
        cls
        for cls in _registry.collection_classes()
        if not cls._abstract
        and (modules is None or any(_inside(cls.__module__, name) for name in modules))
    ]
    known = set(known_aliases())
    found: list[Any] = []
    for cls in classes if known else ():
        if cls._alias() not in known:
            found.append(
                Error(
                    f"{cls.__name__} is in the connection {cls._alias()!r}, which is not "
                    f"registered; registered are {', '.join(sorted(known))}",
                    hint="Add the alias to MONGODB_SETTINGS, or change db_alias in the class's "
                    "meta.",
                    obj=cls,
                    id="mongodb.E001",
                )
            )
    if classes and not known:
        found.append(
            Warning(
                f"there are Document classes ({classes[0].__name__}) and no connection",
                hint="Set MONGODB_SETTINGS = {'db': 'shop'}, or call mongodb.connect().",
                id="mongodb.W001",
            )
        )
    for place in places(classes):
        for first, second, one, other in conflicts(place):
            found.append(
                Error(
                    f"{first.__name__} and {second.__name__} declare the index {one['name']!r} of "
                    f"the collection {place.collection!r} in two ways: {_told(one)} and "
                    f"{_told(other)}",
                    hint="Give one of them a name of its own: {'fields': […], 'name': '…'}.",
                    obj=second,
                    id="mongodb.E002",
                )
            )
    return found


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _told(spec: dict[str, Any]) -> str:
    return str({k: v for k, v in spec.items() if k != "name"})
