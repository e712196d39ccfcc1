# SPDX-License-Identifier: Apache-2.0
"""`objects`: makes a new queryset each time it is read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, overload

from mongodb._types import Doc

if TYPE_CHECKING:
    from mongodb.queryset.queryset import QuerySet

__all__ = ["QuerySetManager", "queryset_manager"]


class QuerySetManager:
    """The descriptor behind `Document.objects`."""

    get_queryset: Callable[..., Any] | None = None
    default: Any = None
    queryset_class: Any = None

    def __init__(self, queryset_func: Callable[..., Any] | None = None) -> None:
        if queryset_func is not None:
            self.get_queryset = queryset_func

    @overload
    def __get__(self, instance: None, owner: type[Doc]) -> QuerySet[Doc]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> Self: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is not None:
            return self
        queryset = owner._queryset(self.default)
        if self.get_queryset is None:
            return queryset
        taken = _positional(self.get_queryset)
        if taken is not None and taken > 2:  # called with the rest: Post.by(author)
            return functools.partial(self.get_queryset, owner, queryset)
        found = self.get_queryset(queryset) if taken == 1 else self.get_queryset(owner, queryset)
        return queryset if found is None else found


def _positional(function: Any) -> int | None:
    """Return how many arguments a function takes from its caller by position."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return int(code.co_argcount) - int(hasattr(function, "__self__"))


def queryset_manager(func: Callable[..., Any]) -> QuerySetManager:
    """Make a manager of a function that takes the class and a queryset and returns a queryset."""
    return QuerySetManager(func)
