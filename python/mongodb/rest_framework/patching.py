# SPDX-License-Identifier: Apache-2.0
"""PATCH as a list of MongoDB's changes: `[{"path": "/tags", "op": "push", "value": "new"}]`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from mongodb import errors

__all__ = ["Patch", "PatchItem", "PatchModelMixin", "get_field_for_path"]

_OF_THE_FIELD = frozenset({"set", "set_on_insert", "inc", "dec", "mul", "min", "max"})
_OF_AN_ITEM = frozenset({"push", "pull", "add_to_set"})
_OF_ITEMS = frozenset({"push_all", "pull_all"})


def get_field_for_path(serializer: Any, path: tuple[str, ...]) -> Any:
    """Return the serializer field at a path; KeyError names the part that is not there."""
    return _fields_on_path(serializer, path)[-1]


def _fields_on_path(serializer: Any, path: tuple[str, ...]) -> list[Any]:
    found = [serializer]
    for part in path:
        field = found[-1]
        if hasattr(field, "fields"):
            found.append(field.fields[part])
        elif hasattr(field, "child") and _is_key(field, part):
            found.append(field.child)
        else:
            raise KeyError(part)
    return found


def _stored_path(fields: list[Any], parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path by the names of the model, which a field's `source` says."""
    path: list[str] = []
    for outer, field, part in zip(fields, fields[1:], parts, strict=False):
        source = field.source if hasattr(outer, "fields") else part
        if source == "*":
            raise ValidationError({"path": _("This field cannot be changed.")})
        path += source.split(".") if hasattr(outer, "fields") else [part]
    return tuple(path)


def _is_key(field: Any, part: str) -> bool:
    """Whether it names one item: `__` would lead past the child, to what it does not show."""
    if isinstance(field, serializers.DictField):
        return bool(part) and "__" not in part and part[0] != "$"
    return part.isdecimal() and part.isascii()


class PatchItem(serializers.DictField):
    """One change: `path`, `op` and `value`."""

    def to_internal_value(self, data: Any) -> Any:
        item = super().to_internal_value(data)
        if item.keys() != {"path", "op", "value"}:
            raise ValidationError(_("A change has the parts 'path', 'op' and 'value'."))
        path, op = item["path"], item["op"]
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValidationError({"path": _("Invalid path")})
        item["path"] = parts = tuple(path.split("/")[1:])
        serializer = getattr(self.parent, "serializer", None)
        if serializer is not None:
            try:
                fields = _fields_on_path(serializer, parts)
            except KeyError as error:
                raise ValidationError({"path": f"Missing elem: '{error.args[0]}'"}) from None
            if any(getattr(field, "read_only", False) for field in fields):
                raise ValidationError({"path": _("This field cannot be changed.")})
            item["value"] = self._converted(fields[-1], op, item["value"])
            item["path"] = _stored_path(fields, parts)
        return item

    def _converted(self, field: Any, op: Any, value: Any) -> Any:
        if op in _OF_THE_FIELD:
            return field.to_internal_value(value)
        if op in _OF_AN_ITEM | _OF_ITEMS:
            if not hasattr(field, "child"):
                raise ValidationError({"path": _("This is no list.")})
            if op in _OF_AN_ITEM:
                return field.child.to_internal_value(value)
            return field.to_internal_value(value)
        if op == "unset":
            if value is not None:
                raise ValidationError({"value": _("'unset' takes null.")})
            return 1
        if op == "pop":
            if value not in (1, -1, "1", "-1"):
                raise ValidationError({"value": _("'pop' takes 1 or -1.")})
            return int(value)
        raise ValidationError({"op": f"Unknown operation: {op!r}"})


class Patch(serializers.ListSerializer[Any]):
    """A list of changes; with a serializer the paths and values are checked by its fields."""

    child: Any = PatchItem()

    def __init__(self, serializer: Any = None, *args: Any, **kwargs: Any) -> None:
        self.serializer = serializer
        super().__init__(*args, **kwargs)

    def update_queryset(self, queryset: Any) -> None:
        """Apply the changes, one after the other, to a document or to a queryset's matches.

        Raises DRF's ValidationError for a value that the model refuses.
        """
        for item in self.validated_data:
            try:
                queryset.update(**{"__".join((item["op"], *item["path"])): item["value"]})
            except errors.ValidationError as error:
                raise ValidationError({"/" + "/".join(item["path"]): str(error)}) from error


class PatchModelMixin:
    """Answers PATCH with a list of changes: `modify_obj` for a document, `modify_set` for a list.

    Routes name them: `{"patch": "modify_obj"}`. The answer has no content.
    """

    def modify_obj(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Change one document."""
        return self.modify_queryset(request, self.get_object())  # type: ignore[attr-defined]

    def modify_set(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Change the documents of the filtered queryset."""
        queryset = self.filter_queryset(self.get_queryset())  # type: ignore[attr-defined]
        return self.modify_queryset(request, queryset)

    def modify_queryset(self, request: Any, queryset: Any) -> Any:
        """Check the changes and apply them."""
        patch = Patch(self.get_serializer(), data=request.data)  # type: ignore[attr-defined]
        patch.is_valid(raise_exception=True)
        self.perform_modify(queryset, patch)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def perform_modify(self, queryset: Any, patch: Patch) -> None:
        """Apply the changes; override it to do more."""
        patch.update_queryset(queryset)
