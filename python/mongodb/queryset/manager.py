# SPDX-License-Identifier: Apache-2.0
"""`objects`: makes a new queryset each time it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["QuerySetManager", "queryset_manager"]


class QuerySetManager:
    """The descriptor behind `Document.objects`."""

    get_queryset: Callable[..., Any] | None = None
    default: Any = None

    def __init__(self, queryset_func: Callable[..., Any] | None = None) -> None:
        if queryset_func is not None:
            self.get_queryset = queryset_func

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is not None:
            return self
        queryset = owner._queryset()
        if self.get_queryset is None:
            return queryset
        code = getattr(self.get_queryset, "__code__", None)
        if code is not None and code.co_argcount == 1:
            found = self.get_queryset(queryset)
        else:
            found = self.get_queryset(owner, queryset)
        return queryset if found is None else found


def queryset_manager(func: Callable[..., Any]) -> QuerySetManager:
    """Make a manager of a function that takes the class and a queryset and returns a queryset."""
    return QuerySetManager(func)
