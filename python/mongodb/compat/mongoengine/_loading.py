# SPDX-License-Identifier: Apache-2.0
"""Stored fields that a class does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bson.raw_bson import RawBSONDocument

from mongodb import _registry
from mongodb.errors import FieldDoesNotExist, InvalidDocumentError, NotRegistered

__all__ = ["check_known"]

_ALWAYS = frozenset({"_id", "id", "pk", "_cls", "_text_score"})


def check_known(cls: Any, documents: Iterable[Any]) -> None:
    """Raise FieldDoesNotExist when a document was stored with a field its class lacks."""
    plain = not any(map(_embedded, cls._fields.values()))
    for one in documents:
        if plain and not one._unknown_names():
            continue
        stored = one._stored()
        if stored is not None:
            _check(type(one), RawBSONDocument(stored))


def _check(cls: Any, stored: Mapping[str, Any]) -> None:
    known = cls._reverse_db_field_map
    unknown = stored.keys() - known.keys() - _ALWAYS
    if unknown and not cls._dynamic and cls._meta.get("strict", True):
        names = '", "'.join(sorted(unknown))
        raise FieldDoesNotExist(
            f'The fields "{{\'{names}\'}}" do not exist on the document "{cls._class_name}"'
        )
    for name in stored.keys() & known.keys():
        inner = _embedded(cls._fields[known[name]])
        if inner is None:
            continue
        field, value = cls._fields[known[name]], stored[name]
        try:
            if field.kind == "list" and not isinstance(value, (list, type(None))):
                raise InvalidDocumentError(f"a list is needed, not {value!r}")
            for part in _parts(field, value):
                _check_part(cls, inner, part)
        except InvalidDocumentError as error:
            raise InvalidDocumentError(
                f"Invalid data to create a `{cls.__name__}` instance.\n"
                f"Field '{field.name}' - {error}"
            ) from error


def _check_part(cls: Any, field: Any, part: Any) -> None:
    if part is None:
        return
    if not isinstance(part, Mapping):
        raise InvalidDocumentError(
            f"The source SON object needs to be of type 'dict' but a '{type(part)}' was found"
        )
    inside = field.document_type if field.kind == "embedded" else None
    try:
        if isinstance(part.get("_cls"), str):
            inside = _registry.get_document(part["_cls"])
    except NotRegistered:
        return
    if inside is not None:
        _check(inside, part)


def _embedded(field: Any) -> Any:
    """Return the field of embedded documents that this one is or holds."""
    while field._item is not None:
        field = field._item
    return field if field.kind == "embedded" or field._generic else None


def _parts(field: Any, value: Any) -> Any:
    if field._item is None:
        return [value]
    inside = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, (list, Mapping)):
        return []
    return [part for one in inside for part in _parts(field._item, one)]
