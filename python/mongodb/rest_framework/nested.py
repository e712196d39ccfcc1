# SPDX-License-Identifier: Apache-2.0
"""What a serializer's `Meta` says of the fields inside its fields.

`fields`, `exclude`, `read_only_fields` and `extra_kwargs` may name `address.city`, and what is in
the items of a list or a map as `comments.text` or `comments.child.text`. A method
`validate_address__city` checks one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework import serializers

__all__ = ["Inside", "check_nested", "part_meta"]

_MOST_KEPT = 64  # classes of nested serializers of one serializer


class Inside:
    """What is said of the fields inside one field."""

    def __init__(self) -> None:
        self.fields: list[str] = []
        self.exclude: list[str] = []
        self.read_only: list[str] = []
        self.extra_kwargs: dict[str, dict[str, Any]] = {}
        self.checks: dict[str, Any] = {}

    def _key(self) -> tuple[Any, ...]:
        told = [(n, k, id(v)) for n, one in self.extra_kwargs.items() for k, v in one.items()]
        lists = (tuple(self.fields), tuple(self.exclude), tuple(self.read_only))
        return (*lists, *told, *self.checks.items())

    def options(self) -> dict[str, Any]:
        """The attributes of a Meta that says it."""
        found: dict[str, Any] = {
            "read_only_fields": tuple(self.read_only),
            "extra_kwargs": self.extra_kwargs,
        }
        if self.fields:
            found["fields"] = tuple(self.fields)
        if self.exclude:
            found["exclude"] = tuple(self.exclude)
        return found

    def customized(self, cls: Any, kept: dict[Any, Any]) -> Any:
        """A nested serializer's class with these options; the same one for the same options."""
        key = (cls, self._key())
        if key not in kept:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            bases: tuple[type, ...] = (cls.Meta,)
            if self.exclude and not self.fields:  # all fields but these
                own = {k: v for k, v in vars(cls.Meta).items() if k[:2] != "__" and k != "fields"}
                bases, own = (), {**own, **self.options()}
            else:
                own = self.options()
            meta = type("Meta", bases, own)
            # `self` stays alive with the class: its key has the ids of what it holds
            kept[key] = (type(cls.__name__, (cls,), {"Meta": meta, **self.checks}), self)
        return kept[key][0]


def part_meta(serializer: Any, model: Any) -> tuple[Any, dict[str, Inside]]:
    """Return Meta as it is for the serializer itself, and what it says of the insides by field."""
    meta = serializer.Meta
    inside: dict[str, Inside] = {}

    def at(path: str) -> tuple[Inside, str]:
        head, _, rest = path.partition(".")
        return inside.setdefault(head, Inside()), _below(model, head, rest)

    own: dict[str, Any] = {}
    for option, name in (("fields",) * 2, ("exclude",) * 2, ("read_only_fields", "read_only")):
        given = getattr(meta, option, None)
        if not isinstance(given, list | tuple) or not _dotted(given):
            continue
        plain = [one for one in given if "." not in one]
        for one in _dotted(given):
            part, rest = at(one)
            getattr(part, name).append(rest)
            head = one.partition(".")[0]
            if option == "fields" and head not in plain:
                plain.append(head)
        own[option] = tuple(plain)
    extra = getattr(meta, "extra_kwargs", None)
    if isinstance(extra, Mapping) and _dotted(extra):
        for one in _dotted(extra):
            part, rest = at(one)
            part.extra_kwargs[rest] = extra[one]
        own["extra_kwargs"] = {name: one for name, one in extra.items() if "." not in name}
    for name in _checks(type(serializer)):
        head, _, rest = name.removeprefix("validate_").partition("__")
        if rest and head in model._fields:
            part, below = at(f"{head}.{rest.replace('__', '.')}")
            part.checks[f"validate_{below.replace('.', '__')}"] = getattr(type(serializer), name)
    return (type("Meta", (meta,), own) if own else meta), inside


def _checks(cls: Any) -> Iterable[str]:
    """Yield the methods that check a field, of the classes that are not ours."""
    for base in cls.__mro__:
        if base.__module__.startswith("mongodb."):
            return
        yield from (name for name in vars(base) if name.startswith("validate_"))


def _dotted(names: Iterable[Any]) -> list[str]:
    return [one for one in names if isinstance(one, str) and "." in one]


def _below(model: Any, head: str, rest: str) -> str:
    """Return the path below a field, its items' own `child` left out."""
    field = model._fields.get(head)
    while field is not None and field._item is not None and rest.startswith("child."):
        field, rest = field._item, rest.removeprefix("child.")
    return rest


def check_nested(serializer: Any, inside: Mapping[str, Inside], fields: Mapping[str, Any]) -> None:
    """Refuse options for the inside of what has none."""
    for name, part in inside.items():
        if not (part.fields or part.exclude or part.read_only or part.extra_kwargs):
            continue
        field = fields.get(name)
        while field is not None and not isinstance(field, serializers.Serializer):
            field = getattr(field, "child", None)
        if field is None:
            raise ImproperlyConfigured(
                f"{type(serializer).__name__} says something of a field inside {name!r}, which is "
                "no nested serializer that was made for a document's field"
            )
