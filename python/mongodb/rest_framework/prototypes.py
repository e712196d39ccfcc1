# SPDX-License-Identifier: Apache-2.0
"""Serializer fields made once and copied.

A serializer makes its fields for each request. Those that only depend on the document's field are
copied from one that was made before, which is much faster and gives the same: a field of its own
that the request may change.
"""

from typing import Any

from rest_framework import serializers

from .fields import BinaryField, DateTimeField, DynamicField, ObjectIdField

__all__ = ["copy_field", "is_copyable", "kept"]

COPYABLE = frozenset(
    (
        serializers.CharField,
        serializers.EmailField,
        serializers.URLField,
        serializers.IntegerField,
        serializers.FloatField,
        serializers.BooleanField,
        serializers.DecimalField,
        serializers.DateField,
        serializers.UUIDField,
        DateTimeField,
        ObjectIdField,
        BinaryField,
        DynamicField,
    )
)
WITH_CHILD = frozenset((serializers.ListField, serializers.DictField))
CONTAINERS = ("error_messages", "style", "_kwargs", "_validators")


def kept(cls: type, name: str) -> dict[Any, Any]:
    """A cache of the class itself, not of its bases."""
    found: dict[Any, Any] | None = cls.__dict__.get(name)
    if found is None:
        found = {}
        setattr(cls, name, found)
    return found


def is_copyable(field: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a field that was made of these arguments may be kept: it asks no store, no callable
    and no other class."""
    if type(field) in WITH_CHILD:
        return is_copyable(field.child, field.child._kwargs)
    return type(field) in COPYABLE and "validators" not in kwargs


def copy_field(field: Any) -> Any:
    """An unbound field that shares nothing which a request could change."""
    made = object.__new__(type(field))
    own = made.__dict__
    own.update(field.__dict__)
    for name in CONTAINERS:
        if name in own:
            own[name] = own[name].copy()
    if "child" in own:
        made.child = copy_field(field.child)
        made.child.source = None  # as before it was bound
        made.child.bind(field_name="", parent=made)
    return made
