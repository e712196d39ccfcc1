# SPDX-License-Identifier: Apache-2.0
"""Containers that tell a document when they change.

Documents here find changes by comparing, and hold plain lists and dicts; these are for packages
that make such containers themselves.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from mongodb.base_document import BaseDocument
from mongodb.compat.mongoengine._beside import beside
from mongodb.fields.lazy import LazyReference
from mongodb.fields.lists import EmbeddedDocumentList

__all__ = ["BaseDict", "BaseList", "EmbeddedDocumentList", "LazyReference", "StrictDict"]


class _Tracked:
    """What lists and dicts share: the document, and the path of the field in it."""

    _dereferenced = False
    _instance: Any = None
    _name: Any = None

    def _bind(self, instance: Any, name: Any) -> None:
        if isinstance(instance, weakref.ProxyTypes):
            self._instance = instance
        elif isinstance(instance, BaseDocument):
            self._instance = weakref.proxy(instance)
        self._name = name

    def _mark_as_changed(self, key: Any = None) -> None:
        mark = getattr(self._instance, "_mark_as_changed", None)
        if mark is not None:
            mark(self._name if key is None else f"{self._name}.{key}")

    def _inside(self, key: Any, value: Any) -> Any:
        """Return a value read at a key as one that tells of its changes, too."""
        if isinstance(value, BaseDocument) and value._schema_embedded:
            if value._instance is None:
                value._instance = self._instance
            return value
        path = f"{self._name}.{key}"
        if isinstance(value, dict) and not isinstance(value, BaseDict):
            made: Any = BaseDict(value, None, path)
        elif isinstance(value, list) and not isinstance(value, BaseList):
            made = BaseList(value, None, path)
        else:
            return value
        made._instance = self._instance
        return made


def _telling(base: type, name: str) -> Callable[..., Any]:
    """Return the method, which tells of a change to the whole."""
    plain = getattr(base, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = plain(self, *args, **kwargs)
        self._mark_as_changed()
        return result

    method.__name__ = name
    return method


class BaseDict(_Tracked, dict[Any, Any]):
    """A dict that tells its document of changes."""

    def __init__(self, dict_items: Any, instance: Any, name: Any) -> None:
        self._bind(instance, name)
        super().__init__(dict_items)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a value, or the default."""
        return self[key] if key in self else default

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        inside = self._inside(key, value)
        if inside is not value:
            super().__setitem__(key, inside)
        return inside

    def __setitem__(self, key: Any, value: Any) -> None:
        if key not in self or self[key] != value:
            self._mark_as_changed(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self._mark_as_changed(key)
        super().__delitem__(key)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._mark_as_changed(name)

    pop = _telling(dict, "pop")
    clear = _telling(dict, "clear")
    update = _telling(dict, "update")
    popitem = _telling(dict, "popitem")
    setdefault = _telling(dict, "setdefault")

    def __reduce__(self) -> Any:
        return BaseDict, (dict(self), None, self._name)


class BaseList(_Tracked, list[Any]):
    """A list that tells its document of changes."""

    def __init__(self, list_items: Any, instance: Any, name: Any) -> None:
        self._bind(instance, name)
        super().__init__(list_items)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return super().__getitem__(key)
        key = key + len(self) if key < 0 else key
        value = super().__getitem__(key)
        inside = self._inside(key, value)
        if inside is not value:
            super().__setitem__(key, inside)
        return inside

    def __iter__(self) -> Iterator[Any]:
        at = 0
        while at < len(self):  # the length may change meanwhile
            yield self[at]
            at += 1

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, slice):
            self._mark_as_changed()
        elif self[key] != value:
            self._mark_as_changed(key + len(self) if key < 0 else key)
        super().__setitem__(key, value)

    append = _telling(list, "append")
    extend = _telling(list, "extend")
    insert = _telling(list, "insert")
    pop = _telling(list, "pop")
    remove = _telling(list, "remove")
    reverse = _telling(list, "reverse")
    sort = _telling(list, "sort")
    clear = _telling(list, "clear")
    __delitem__ = _telling(list, "__delitem__")
    __iadd__ = _telling(list, "__iadd__")
    __imul__ = _telling(list, "__imul__")

    def __reduce__(self) -> Any:
        return BaseList, (list(self), None, self._name)


class StrictDict:
    """An object with a fixed set of keys, which are attributes too; made by `create()`."""

    __slots__ = ()
    _special_fields: ClassVar[set[str]] = {"get", "pop", "iteritems", "items", "keys", "create"}
    _classes: ClassVar[dict[frozenset[str], Any]] = {}

    def __init__(self, **kwargs: Any) -> None:
        for key, value in kwargs.items():
            setattr(self, key, value)

    @classmethod
    def _slot(cls, key: str) -> str:
        return f"_reserved_{key}" if key in cls._special_fields else key

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, self._slot(key))
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, self._slot(key), value)

    def __contains__(self, key: str) -> bool:
        return hasattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: str, default: Any = None) -> Any:
        """Return a value and forget it."""
        value = self.get(key, default)
        if hasattr(self, key):
            delattr(self, key)
        return value

    def __iter__(self) -> Iterator[str]:
        return (key for key in self.__slots__ if hasattr(self, key))

    def keys(self) -> list[str]:
        """Return the keys that have a value."""
        return [*iter(self)]  # list() would ask for the length

    iterkeys = __iter__

    def items(self) -> list[tuple[str, Any]]:
        """Return keys and values."""
        return [(key, self[key]) for key in self]

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """Yield keys and values."""
        return iter(self.items())

    def __len__(self) -> int:
        return len(self.keys())

    def __eq__(self, other: Any) -> bool:
        return bool(self.items() == list(other.items()))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "{" + ", ".join(f'"{key}": {value!r}' for key, value in self.items()) + "}"

    @classmethod
    def create(cls, allowed_keys: Any) -> Any:
        """Return the class of objects with these keys, always the same for the same keys."""
        slots = tuple(map(cls._slot, allowed_keys))
        known = frozenset(slots)
        if known not in cls._classes:
            cls._classes[known] = type("SpecificStrictDict", (cls,), {"__slots__": slots})
        return cls._classes[known]


__getattr__ = beside(__name__)
