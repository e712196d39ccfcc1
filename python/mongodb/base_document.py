# SPDX-License-Identifier: Apache-2.0
"""What documents and embedded documents have in common."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import bson
from bson import SON, json_util
from bson.binary import UuidRepresentation

from mongodb import _core, _registry
from mongodb._inside import holders
from mongodb._metaclass import DocumentMetaclass
from mongodb._model_methods import ModelMethods
from mongodb._paths import NOTHING, stored_at
from mongodb._registry import _document_registry, get_document
from mongodb.errors import (
    NON_FIELD_ERRORS,
    FieldDoesNotExist,
    InvalidDocumentError,
    ValidationError,
)
from mongodb.fields.base_field import BaseField
from mongodb.fields.nested import DynamicField
from mongodb.signals import post_init, pre_init

__all__ = ["BaseDocument", "_document_registry", "get_document"]

_IGNORED = frozenset(
    {"_cls", "_created", "_auto_dereference", "__auto_convert", "_BaseDocument__auto_convert"}
)


# Attributes that copies do not take along.
_OF_THE_MOMENT = frozenset(
    {"_assigned", "_fetched", "_instance", "_saved_fields", "_uploads", "save"}
)


class BaseDocument(_core.Document, ModelMethods, metaclass=DocumentMetaclass):
    """Fields, validation and conversion; no collection."""

    _is_base = True
    _schema_embedded = True
    _is_document = True
    _dynamic = False
    _abstract: bool
    _schema: Any
    _extra: Any
    _fields: dict[str, BaseField]
    _meta: dict[str, Any]
    _class_name: str
    _db_field_map: dict[str, str]
    _reverse_db_field_map: dict[str, str]
    _subclasses: tuple[str, ...]
    STRICT = False
    __objects = ()

    # In C: the signals cost nothing while nobody listens.
    _plain_init = _core.Document.__init__

    # Hooks that the C side calls

    @classmethod
    def _class_named(cls, name: str) -> Any:
        if name == cls._class_name:
            return cls
        found = _registry.below(cls, name) or _registry.get_document(name)
        return found if issubclass(found, _core.Document) else cls

    def _after_load(self) -> None:
        self.__init__()  # type: ignore[misc]

    def _announce(self, values: dict[str, Any]) -> None:
        pre_init.send(type(self), document=self, values=values)

    def _announce_made(self) -> None:
        post_init.send(type(self), document=self)

    def _init_unknown(self, values: dict[str, Any]) -> None:
        if "_created" in values:
            self._created = bool(values["_created"])
        if "pk" in values and not self._schema_embedded:
            self.pk = values["pk"]
        rest = {k: v for k, v in values.items() if k not in _IGNORED and k != "pk"}
        if "_id" in rest and "_id" in self._reverse_db_field_map:
            setattr(self, self._reverse_db_field_map["_id"], rest.pop("_id"))
        if not rest:
            return
        if self._dynamic:
            for name, value in rest.items():
                setattr(self, name, value)
        elif self._meta.get("strict", True):
            names = ", ".join(sorted(rest))
            raise FieldDoesNotExist(
                f"{type(self).__name__} has no field {names}; it has {', '.join(self._fields)}"
            )

    def _translate_mask(self, mask: bytes) -> None:
        origin = self._context.origin if self._context is not None else None
        self._mask = origin.mask_for(type(self)) if origin is not None else None

    # Fields by name

    @property
    def _data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields} | self._beside_fields()

    def _beside_fields(self) -> dict[str, Any]:
        """Return the values that no field declares."""
        values = dict(self._extra or {})
        unknown = [one for one in self._unknown_names() if one not in values and one != "_cls"]
        return values | {name: self._unknown(name) for name in unknown}

    @property
    def _changed_fields(self) -> list[str]:
        return self._get_changed_fields()

    @_changed_fields.setter
    def _changed_fields(self, names: Iterable[str]) -> None:
        if list(names):
            raise ValueError("what changed is found by comparing: only [] can be assigned")
        self._clear_changed_fields()

    def _clear_changed_fields(self) -> None:
        """Take the values as they are for the stored ones."""
        created = self._created
        self._load(self._encode(), keep=True, trusted=True)
        self._created = created

    def _mark_as_changed(self, key: str) -> None:
        """Nothing to do: changes are found by comparing with what was stored."""

    @property
    def _cls(self) -> str:
        if not self._meta.get("allow_inheritance"):
            raise AttributeError("_cls is stored for classes with allow_inheritance")
        return self._class_name

    def _get_changed_fields(self) -> list[str]:
        """Return the stored names of what changed; to those who hear post_save, what was saved."""
        saved = self.__dict__.get("_saved_fields")
        return self._unsaved_fields() if saved is None else list(saved)

    def _unsaved_fields(self) -> list[str]:
        if self._stored() is None:
            return [
                field.db_field
                for at, field in enumerate(self._fields.values())
                if self._get(at) is not None
            ]
        changes = self._changes()
        if changes is None:
            return []
        decoded = bson.decode(changes)
        return [*decoded.get("$set", {}), *decoded.get("$unset", {})]

    def _delta(self) -> tuple[dict[str, Any], dict[str, Any]]:
        saved = self.__dict__.get("_saved_fields")
        if saved is not None:  # who hears post_save learns what was sent
            found = {path: stored_at(self.to_mongo(), path) for path in saved}
            sent = {path: value for path, value in found.items() if value is not NOTHING}
            return sent, {path: 1 for path, value in found.items() if value is NOTHING}
        changes = self._changes() if self._stored() is not None else None
        if self._stored() is None:
            return dict(self.to_mongo()), {}
        decoded = bson.decode(changes) if changes else {}
        return decoded.get("$set", {}), decoded.get("$unset", {})

    def __iter__(self) -> Iterator[str]:
        return iter([*self._fields, *self._dynamic_names()])

    def __len__(self) -> int:
        return len(self._fields) + len(self._dynamic_names())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and getattr(self, name) is not None
        except AttributeError:
            return False

    def __getitem__(self, name: str) -> Any:
        if name in self._fields or name in self._dynamic_names():
            return getattr(self, name)
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        if not self._dynamic and name not in self._fields:
            raise KeyError(name)
        setattr(self, name, value)

    def _check_names(self, names: Iterable[str]) -> None:
        """Raise FieldDoesNotExist for what is neither a field nor an attribute of the class."""
        for name in names:
            if not (self._dynamic or name in self._fields or hasattr(type(self), name)):
                raise FieldDoesNotExist(
                    f"{type(self).__name__} has no field {name}; it has {', '.join(self._fields)}"
                )

    def _assign(self, values: Mapping[str, Any]) -> None:
        """Set fields, or attributes that the class has; any other name is a mistake."""
        self._check_names(values)
        for name, value in values.items():
            setattr(self, name, value)

    def _dynamic_names(self) -> list[str]:
        if not self._dynamic:
            return []
        names = [n for n in self._unknown_names() if n not in ("_cls", "_id")]
        for name, value in (self._extra or {}).items():
            if value is None and name in names:
                names.remove(name)
            elif value is not None and name not in names:
                names.append(name)
        return names

    @property
    def _dynamic_fields(self) -> dict[str, Any]:
        return {name: DynamicField()._member(name) for name in self._dynamic_names()}

    # Validation

    def clean(self) -> None:
        """Check or fix the document as a whole; override it. Runs before validation."""

    _plain_clean = clean

    def validate(self, clean: bool = True) -> None:
        """Raise a ValidationError that names every field that does not fit."""
        self._validate(clean, everything=True)

    _plain_validate = validate

    def _validate(self, clean: bool, everything: bool) -> None:
        errors: dict[str, Any] = {}
        if clean and type(self).clean is not BaseDocument.clean:
            try:
                self.clean()
            except ValidationError as error:
                own = error.errors or {error.field_name or NON_FIELD_ERRORS: error}
                errors.update(own)
        fields = list(self._fields.values())
        suspects = self._suspects(everything)
        cleaning = self._cleans_inside() if clean else ()
        if cleaning:
            suspects = sorted({*suspects, *map(self._schema.index, cleaning)})
        for at in suspects:
            field = fields[at]
            wrong = self._field_error(field, self._get(at), clean)
            if wrong is not None:
                errors[field.name] = wrong
        if self._dynamic:
            errors |= self._undeclared_errors(clean)
        if errors:
            raise ValidationError(f"{type(self).__name__} is not valid", errors=errors)

    def _undeclared_errors(self, clean: bool) -> dict[str, Any]:
        """Return what is wrong in embedded documents that no field declares."""
        errors: dict[str, Any] = {}
        for name, value in (self._extra or {}).items():
            if _registry.is_embedded_class(type(value)):
                try:
                    value._validate_inside(clean)
                except ValidationError as error:
                    errors[name] = error.errors or error
        return errors

    @classmethod
    def _cleans_inside(cls) -> frozenset[str]:
        """Return the fields that can hold embedded documents with a clean() of their own."""
        return holders(cls, _checks_itself, False)

    def _validate_inside(self, clean: bool) -> None:
        """Validate as part of a document: what came from the store and was not touched is fine."""
        if type(self).validate is not BaseDocument.validate:
            self.validate(clean=clean)
        else:
            self._validate(clean, everything=False)

    def _field_error(self, field: BaseField, value: Any, clean: bool) -> Any:
        empty = value is None or (field.kind in ("list", "dict") and not value)
        if empty:
            if (
                field.required
                and not field._auto_gen
                and not (field.primary_key and field.auto_created)
            ):
                what = "is required" if value is None else "is required and cannot be empty"
                return ValidationError(what, field_name=field.name)
            if value is None:
                return None
        try:
            field._judge(value, clean)
        except ValidationError as error:
            return error.errors or error
        except (ValueError, AssertionError, AttributeError, TypeError) as error:
            return ValidationError(str(error) or type(error).__name__, field_name=field.name)
        return None

    # Conversion

    def to_mongo(self, use_db_field: bool = True, fields: Any = None) -> SON[str, Any]:
        """Return the document as it is stored, as a SON."""
        son: SON[str, Any] = bson.decode(self._encode(), _SON_OPTIONS)
        if fields:
            wanted = {self._db_field_map.get(f.split(".")[0].split("__")[0], f) for f in fields}
            son = SON((k, v) for k, v in son.items() if k in wanted or k in ("_id", "_cls"))
            _trim(self, son, [f.replace("__", ".").partition(".") for f in fields])
        if not use_db_field:
            return _by_name(type(self), son)
        return son

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name; embedded documents as dicts, references as their keys."""
        out = {name: _as_plain(getattr(self, name)) for name in self._fields}
        out.update({name: _as_plain(getattr(self, name)) for name in self._dynamic_names()})
        return out

    def to_json(self, *args: Any, **kwargs: Any) -> str:
        """Return extended JSON of the stored form; `from_json` reads it back."""
        use_db_field = kwargs.pop("use_db_field", True)
        if use_db_field and not args and not kwargs:
            text = _core.Raw(self._encode()).json()
            if text is not None:
                return text
        kwargs.setdefault("json_options", json_util.LEGACY_JSON_OPTIONS)
        son: SON[str, Any] = bson.decode(self._encode(), _JSON_OPTIONS)
        return json_util.dumps(son if use_db_field else _by_name(type(self), son), *args, **kwargs)

    @classmethod
    def from_json(cls, json_data: str, created: bool = False, **kwargs: Any) -> Any:
        """Return the document that extended JSON describes.

        It is new with `created`, or without a primary key; else taken as one of the store.
        """
        kwargs.setdefault("json_options", json_util.LEGACY_JSON_OPTIONS)
        son = json_util.loads(json_data, **kwargs)
        if isinstance(son, dict) and isinstance(son.get("_id"), str) and not cls._schema_embedded:
            key = cls._meta.get("id_field")
            son["_id"] = cls._fields[key].to_python(son["_id"]) if key else son["_id"]
        document = cls._from_son(son)
        if created or not isinstance(son, Mapping) or "_id" not in son:
            document = document._as_new()
        return document

    @classmethod
    def _from_son(
        cls, son: Mapping[str, Any], _auto_dereference: bool = True, created: bool = False
    ) -> Any:
        if not isinstance(son, Mapping):
            raise ValueError(f"a document is made from a mapping, not from {type(son).__name__}")
        if cls._schema is None:
            raise InvalidDocumentError(f"{cls.__name__} is abstract: it has no documents")
        document = _core.document(cls, bson.encode(son))
        if created or not cls._schema_embedded:
            document._created = False
        return document

    def _as_new(self) -> Any:
        """Return a copy that is not in the store, its defaults filled in."""
        return self._restore({**self._snapshot(), "stored": None, "created": True})

    # Copies

    def __copy__(self) -> Any:
        return self._restore(self._snapshot())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        clone = self._restore(self._snapshot())
        memo[id(self)] = clone
        for name, value in self.__dict__.items():
            if name in _OF_THE_MOMENT:
                continue
            clone.__dict__[name] = copy.deepcopy(value, memo)
        return clone

    def _snapshot(self) -> dict[str, Any]:
        stored = self._stored()
        hollow = self._hollow
        return {
            "stored": stored,
            "now": None if hollow else self._encode(),
            "hollow": getattr(self, self._meta["id_field"]) if hollow else None,
            "mask": self._mask,
            "created": self._created,
            "attributes": {k: v for k, v in self.__dict__.items() if k not in _OF_THE_MOMENT},
        }

    @classmethod
    def _restore(cls, state: dict[str, Any]) -> Any:
        if state["now"] is None:
            return _core.hollow(cls, state["hollow"])
        document = _core.document(cls, state["now"])
        if state["stored"] != state["now"]:
            changed = _core.document(cls, state["now"])
            if state["stored"] is None:
                document = cls.__new__(cls)
            else:
                document._load(state["stored"])
            for at in range(len(cls._fields)):
                if changed._has_stored(at) or (
                    state["stored"] is not None and document._has_stored(at)
                ):
                    value = changed._get(at) if changed._has_stored(at) else None
                    partly = state["mask"] is not None and state["mask"][at] == 2
                    (document._put if partly else document._set)(at, value)
        if cls._dynamic and state["stored"] != state["now"]:
            names = changed._dynamic_names()
            document._extra = {name: None for name in document._dynamic_names()} | {
                name: getattr(changed, name) for name in names
            }
        document._mask = state["mask"]
        document._created = state["created"]
        document.__dict__.update(state["attributes"])
        return document

    def __reduce__(self) -> Any:
        return _unpickle, (type(self), self._snapshot())

    def __repr__(self) -> str:
        try:
            text = self.__str__()  # what is no text is shown as well
        except (UnicodeEncodeError, UnicodeDecodeError):
            text = "[bad text]"
        return f"<{type(self).__name__}: {text}>"

    def __str__(self) -> str:
        return f"{type(self).__name__} object"


def _by_name(cls: Any, son: Mapping[str, Any]) -> SON[str, Any]:
    """Return what is stored with fields' names instead of stored ones, at all levels."""
    out: SON[str, Any] = SON()
    for key, value in son.items():
        name = cls._reverse_db_field_map.get(key, key)
        out[name] = _named(cls._fields.get(name), value)
    return out


def _named(field: BaseField | None, value: Any) -> Any:
    if field is None:
        return value
    if field._item is not None and isinstance(value, list):
        return [_named(field._item, one) for one in value]
    if field._item is not None and isinstance(value, Mapping):
        return SON((key, _named(field._item, one)) for key, one in value.items())
    if not isinstance(value, Mapping) or not (field.kind == "embedded" or field._generic):
        return value
    cls = getattr(field, "document_type", None)
    if isinstance(value.get("_cls"), str):
        cls = _registry.get_document(value["_cls"])
    return value if cls is None else _by_name(cls, value)


def _trim(document: Any, son: Any, paths: list[tuple[str, str, str]]) -> None:
    """Leave in embedded documents what the paths name; a name alone means all of it."""
    whole = {name for name, _, rest in paths if not rest}
    for name in {name for name, _, rest in paths if rest} - whole:
        field = document._fields.get(name)
        inside = None if field is None else son.get(field.db_field)
        if field is not None and field.kind == "embedded" and isinstance(inside, dict):
            stored = field.document_type._db_field_map
            heads = {rest.partition(".")[0] for one, _, rest in paths if one == name}
            kept = {"_cls", *heads, *(stored.get(head, head) for head in heads)}
            son[field.db_field] = SON((k, v) for k, v in inside.items() if k in kept)


def _checks_itself(cls: Any) -> bool:
    return bool(cls.clean is not BaseDocument.clean or cls.validate is not BaseDocument.validate)


def _unpickle(cls: Any, state: dict[str, Any]) -> Any:
    return cls._restore(state)


def _as_plain(value: Any) -> Any:
    if _registry.is_document(value):
        return value.to_dict() if value._schema_embedded else value.pk
    if isinstance(value, Mapping):
        return {key: _as_plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_plain(one) for one in value]
    plain = getattr(type(value), "_to_plain", None)
    return value if plain is None else plain(value)


_SON_OPTIONS: Any = bson.CodecOptions(document_class=SON)
_JSON_OPTIONS: Any = bson.CodecOptions(
    document_class=SON, uuid_representation=UuidRepresentation.STANDARD
)
