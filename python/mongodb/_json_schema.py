# SPDX-License-Identifier: Apache-2.0
"""The validator that a store checks writes by, made from a class: meta = {"json_schema": True}."""

from __future__ import annotations

import logging
from typing import Any

from mongodb import _registry
from mongodb.errors import InvalidDocumentError, MongoError

__all__ = [
    "apply_validator",
    "declared_validator",
    "json_schema",
    "make_validator",
    "same_validator",
]

_log = logging.getLogger("mongodb")

_TYPES: dict[str, list[str]] = {
    "string": ["string"],
    "int": ["int", "long"],
    "long": ["int", "long"],
    "float": ["double", "int", "long"],
    "decimal": ["decimal", "double", "string"],  # the last two as MongoEngine stores it
    "bool": ["bool"],
    "datetime": ["date"],
    "date": ["date"],
    "objectid": ["objectId"],
    "uuid": ["binData", "string"],
    "binary": ["binData"],
    "embedded": ["object"],
    "dict": ["object"],
    "list": ["array"],
    "pointer": ["object"],
}
_LIMITS = {"string": ("minLength", "maxLength"), "int": ("minimum", "maximum"),
           "long": ("minimum", "maximum"), "float": ("minimum", "maximum")}  # fmt: skip


def json_schema(cls: Any) -> dict[str, Any]:
    """Return MongoDB's $jsonSchema for the documents of a class and of its subclasses."""
    every = [one for one in _registry.class_tree(cls) if not one._abstract]
    if not cls._meta.get("allow_inheritance"):
        return {"bsonType": "object", **_members(cls, ())}
    kinds = []
    for one in every:
        members = _members(one, ())
        members["properties"]["_cls"] = {"enum": [one._class_name]}
        kinds.append(members)
    return {"bsonType": "object", "anyOf": kinds}


def _members(cls: Any, seen: tuple[Any, ...]) -> dict[str, Any]:
    required = [field.db_field for field in cls._fields.values() if field.required]
    found = {f.db_field: _of_field(f, (*seen, cls)) for f in cls._fields.values()}
    members: dict[str, Any] = {"properties": found}
    return {**members, "required": required} if required else members


def _of_field(field: Any, seen: tuple[Any, ...]) -> dict[str, Any]:
    """Return what is known of a field's stored values: nothing where its class converts them."""
    if field._overrides("to_mongo") or field.kind in ("python", "dynamic"):
        return {}
    kind = field.kind
    if kind == "reference":
        if field._dbref:
            return _or_null(field, {"bsonType": ["object"]})
        target = field.document_type
        key = _of_field(target._fields[target._meta["id_field"]], seen)
        types = [name for name in key.get("bsonType", ()) if name != "null"]  # no key is null
        return _or_null(field, {"bsonType": types} if types else {})
    told: dict[str, Any] = {"bsonType": list(_TYPES[kind])}
    for name, limit in zip(_LIMITS.get(kind, ()), field._limits(), strict=False):
        if limit not in (float("inf"), float("-inf")):
            told[name] = int(limit) if float(limit).is_integer() else limit
    if field.choices and kind in ("string", "int", "long") and field.null is False:
        told["enum"] = [field.to_mongo(one) for one in field.choice_values()]
    if kind == "embedded" and field.document_type not in seen and not _subclasses(field):
        told |= _members(field.document_type, seen)
    if kind == "list" and field._item is not None:
        told["items"] = _of_field(field._item, seen)
    if kind == "dict" and field._item is not None:
        told["additionalProperties"] = _of_field(field._item, seen)
    return _or_null(field, told)


def _subclasses(field: Any) -> bool:
    return bool(field.document_type._meta.get("allow_inheritance"))


def _or_null(field: Any, told: dict[str, Any]) -> dict[str, Any]:
    if field.required or "bsonType" not in told:
        return told
    told["bsonType"] = [*told["bsonType"], "null"]
    if "enum" in told:
        told["enum"] = [*told["enum"], None]
    return told


def declared_validator(cls: Any) -> dict[str, Any] | None:
    """Return what `create` and `collMod` are given for a class; None when it declares nothing."""
    wanted = cls._meta.get("json_schema")
    if not wanted:
        return None
    if wanted not in (True, "error", "warn"):
        raise InvalidDocumentError(
            f'{cls.__name__}: meta["json_schema"] is True, "error" or "warn", not {wanted!r}'
        )
    top = cls
    for base in cls.__mro__:
        meta = getattr(base, "_meta", None)
        if meta and not base._abstract and meta.get("collection") == cls._meta["collection"]:
            top = base
    action = "warn" if wanted == "warn" else "error"
    return {"validator": {"$jsonSchema": json_schema(top)}, "validationAction": action,
            "validationLevel": "strict"}  # fmt: skip


def same_validator(wanted: dict[str, Any], options: dict[str, Any] | None) -> bool:
    """Whether a collection's options have the validator."""
    usual = {"validationAction": "error", "validationLevel": "strict"}
    there = {**usual, **(options or {})}
    return all(there.get(name) == value for name, value in wanted.items())


def make_validator(cls: Any, handle: Any) -> None:
    """Create the collection with its validator; one that exists keeps what it has."""
    wanted = declared_validator(cls)
    if wanted is None:
        return
    name = cls._get_collection_name()
    options = handle.collection_options(name)
    if options is None:
        try:
            handle.create(name, wanted)
            return
        except MongoError as error:
            if error.code != 48:  # NamespaceExists: somebody was faster
                raise
            options = handle.collection_options(name)
    if not same_validator(wanted, options):
        _log.warning(
            "the collection %s has another validator than %s declares: "
            "manage.py documents schema --apply", name, cls.__name__,
        )  # fmt: skip


def apply_validator(cls: Any, handle: Any) -> None:
    """Give the collection, made if it is missing, the validator that the class declares."""
    wanted = declared_validator(cls)
    name = cls._get_collection_name()
    if wanted is None:
        raise InvalidDocumentError(f'{cls.__name__} has no meta["json_schema"]')
    if handle.collection_options(name) is None:
        handle.create(name, wanted)
    else:
        handle.run({"collMod": name, **wanted})
