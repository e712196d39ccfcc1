# SPDX-License-Identifier: Apache-2.0
"""Turns a class body with fields into a Document class with a compiled schema."""

from __future__ import annotations

import functools
import keyword
import warnings
from typing import TYPE_CHECKING, Any

from mongodb import _core, _registry
from mongodb._delete_rules import add_rules
from mongodb._options import Options
from mongodb._spelling import close_to
from mongodb.connection import open_connections
from mongodb.errors import DoesNotExist, InvalidDocumentError, MultipleObjectsReturned
from mongodb.fields.base_field import BaseField
from mongodb.fields.cached import CachedReferenceField
from mongodb.fields.references import DO_NOTHING, ReferenceField
from mongodb.fields.scalar import ObjectIdField
from mongodb.fields.version import VersionField
from mongodb.queryset.manager import QuerySetManager

if TYPE_CHECKING:
    import inspect

__all__ = ["DocumentMetaclass", "TopLevelDocumentMetaclass"]

_DEFAULTS: dict[str, Any] = {
    "abstract": False,
    "max_documents": None,
    "max_size": None,
    "ordering": [],
    "indexes": [],
    "id_field": None,
    "index_background": False,
    "index_opts": None,
    "delete_rules": None,
    "allow_inheritance": None,
    "auto_create_index": True,
    "auto_create_index_on_save": False,
    "strict": True,
}
_META = frozenset(
    "app_label cascade collection db_alias default_permissions expire_after_seconds get_latest_by "
    "index_cls ordering permissions queryset_class shard_key timeseries verbose_name "
    "verbose_name_plural json_schema".split()
) | frozenset(_DEFAULTS)
_OWN = frozenset({"abstract", "collection", "id_field"})
_RESERVED = frozenset({"objects", "save", "pk", "delete", "validate", "_meta", "_fields"})


class DocumentMetaclass(type):
    """Builds EmbeddedDocument classes; documents with a collection build on it."""

    _plain_init: Any
    _fields: dict[str, BaseField]
    _dynamic: bool

    @property
    def __signature__(cls) -> inspect.Signature:
        """What inspect.signature(User) shows: the fields, unless the class has its own __init__."""
        if cls.__init__ is not cls._plain_init:  # type: ignore[misc]
            raise AttributeError("__signature__")
        names = [name for name in cls._fields if not keyword.iskeyword(name)]
        import inspect  # whoever asks has it

        named = inspect.Parameter.KEYWORD_ONLY
        taken = [inspect.Parameter(name, named, default=None) for name in names]
        if cls._dynamic or len(names) < len(cls._fields):
            taken.append(inspect.Parameter("values", inspect.Parameter.VAR_KEYWORD))
        return inspect.Signature(taken)

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        roots = [base for base in bases if isinstance(base, DocumentMetaclass)]
        if attrs.pop("_is_base", False) or not roots:
            attrs.setdefault("_schema", None)
            attrs.setdefault("_fields", {})
            attrs.setdefault("_subclasses", (name,))
            attrs.setdefault("_superclasses", ())
            attrs["_class_name"] = name
            attrs["_abstract"] = True
            attrs.setdefault("_meta", {"abstract": True})
            return super().__new__(mcs, name, bases, attrs)
        declared = {key: value for key, value in attrs.items() if isinstance(value, BaseField)}
        _refuse_classes(name, attrs)
        for key in declared:
            _check_name(name, key)
            del attrs[key]
        fields = _inherited(bases)
        fields.update(declared)
        for key in list(attrs):
            if key in fields and key not in declared:
                del fields[key]  # something else took the name
        _take_meta(bases, attrs)
        meta = mcs._make_meta(name, roots, attrs)
        attrs["_meta"] = meta = Options(name, attrs.get("__module__", ""), meta)
        attrs["_abstract"] = bool(meta.get("abstract"))
        attrs["_dynamic"] = any(getattr(base, "_dynamic", False) for base in roots)
        parents = _parents(roots)
        inherits = bool(meta.get("allow_inheritance"))
        attrs["_class_name"] = _class_name(name, parents) if inherits else name
        above = tuple(parent._class_name for parent in reversed(parents))
        attrs["_superclasses"] = above if inherits else ()
        attrs["_subclasses"] = (attrs["_class_name"],)
        cls = super().__new__(mcs, name, bases, attrs)
        meta.model = cls
        mcs._complete(cls, fields, parents)
        return cls

    @staticmethod
    def _make_meta(name: str, roots: list[Any], attrs: dict[str, Any]) -> dict[str, Any]:
        own = dict(attrs.pop("meta", None) or {})
        for key in own.keys() - _META:
            close = close_to(key, _META, 0.8)
            hint = f"did you mean {close[0]!r}?" if close else "it is kept and does nothing"
            warnings.warn(f"{name}.meta has the unknown key {key!r}; {hint}", stacklevel=5)
        meta: dict[str, Any] = dict(_DEFAULTS)
        for root in reversed(roots):
            meta.update({k: v for k, v in root._meta.items() if k not in _OWN})
        meta.update(own)
        meta["abstract"] = bool(own.get("abstract"))
        return meta

    @staticmethod
    def _complete(cls: Any, fields: dict[str, BaseField], parents: list[Any]) -> None:
        ordered = sorted(fields.values(), key=lambda field: field.creation_counter)
        names = {id(field): key for key, field in fields.items()}
        for field in ordered:
            field.name = names[id(field)]
            if not field.db_field:
                field.db_field = field.name
            if field._declared_in is None:
                field._declared_in = cls
            if field.owner_document is None or field.owner_document._abstract:
                field.owner_document = cls
        cls._fields = {field.name: field for field in ordered}
        cls._fields_ordered = tuple(cls._fields)
        cls._db_field_map = {field.name: field.db_field for field in ordered}
        cls._reverse_db_field_map = {field.db_field: field.name for field in ordered}
        cls._auto_now = [f.name for f in ordered if getattr(f, "auto_now", False)]
        cls._auto_now_add = [f.name for f in ordered if getattr(f, "auto_now_add", False)]
        cls._generated = [f.name for f in ordered if f._auto_gen]
        versions = [f.name for f in ordered if isinstance(f, VersionField)]
        if len(versions) > 1 or (versions and cls._schema_embedded):
            raise InvalidDocumentError(
                f"{cls.__name__}: a document has one VersionField, an embedded document none"
            )
        cls._version = versions[0] if versions else None
        cls._lookups = {}  # what keywords of filters mean
        cls._paths = {}  # where names lead in the store
        try:
            cls._schema = _core.Schema(
                cls,
                cls._class_name if cls._meta.get("allow_inheritance") else None,
                ordered,
                dynamic=cls._dynamic,
                embedded=cls._schema_embedded,
                strict=bool(cls._meta.get("strict", True)),
                own_init=cls.__init__ is not cls._plain_init,
                own_check=cls.clean is not cls._plain_clean
                or cls.validate is not cls._plain_validate,
            )
        except ValueError as error:
            raise InvalidDocumentError(f"{cls.__name__}: {error}") from error
        for at, field in enumerate(ordered):
            own_access = type(field).__get__ is not BaseField.__get__
            own_access = own_access or type(field).__set__ is not BaseField.__set__
            slot = field if own_access else _core.Slot(field, cls._schema, at)
            type.__setattr__(cls, field.name, slot)
            display = f"get_{field.name}_display"
            if field.choices and not hasattr(cls, display):
                type.__setattr__(cls, display, functools.partialmethod(_display, field))
        if cls._abstract:
            return  # objects can be made of it, and no reference names it
        _registry.register(cls)
        for parent in parents:
            if cls._class_name not in parent._subclasses and cls._meta.get("allow_inheritance"):
                parent._subclasses = (*parent._subclasses, cls._class_name)
        if cls._schema_embedded:
            _refuse_delete_rules(cls)
        _watch_copies(cls)


class TopLevelDocumentMetaclass(DocumentMetaclass):
    """Builds Document classes: collection name, primary key, manager, exceptions."""

    @property
    def _collection(cls) -> Any:
        """PyMongo's collection, None before the class is used; None assigned: not used yet."""
        alias, name = cls._alias(), cls._get_collection_name()  # type: ignore[attr-defined]
        handle = dict(open_connections()).get(alias)
        used = handle is not None and (cls, name) in handle.ready
        return cls._get_collection() if used else None  # type: ignore[attr-defined]

    @_collection.setter
    def _collection(cls, value: Any) -> None:
        if value is not None:
            raise AttributeError("meta names a class's collection: use switch_collection")
        for _, handle in open_connections():
            handle.ready = {key for key in handle.ready if key[0] is not cls}

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        if attrs.get("_is_base"):
            return super().__new__(mcs, name, bases, attrs)
        if not any("objects" in getattr(base, "__dict__", {}) for base in bases):
            attrs.setdefault("objects", QuerySetManager())
        for base in bases:  # a mixin's own wins over what MongoEngine has not
            if not isinstance(base, DocumentMetaclass) and hasattr(base, "to_dict"):
                attrs.setdefault("to_dict", base.to_dict)
        cls = super().__new__(mcs, name, bases, attrs)
        for title, root in (
            ("DoesNotExist", DoesNotExist),
            ("MultipleObjectsReturned", MultipleObjectsReturned),
        ):
            over = tuple(
                base.__dict__[title] for base in cls.__mro__[1:] if title in base.__dict__
            )[:1] or (root,)
            error = type(
                title, over, {"__module__": cls.__module__, "__qualname__": f"{name}.{title}"}
            )
            type.__setattr__(cls, title, error)
        cls._class_made()
        return cls

    @staticmethod
    def _make_meta(name: str, roots: list[Any], attrs: dict[str, Any]) -> dict[str, Any]:
        own = dict(attrs.get("meta", None) or {})
        meta = DocumentMetaclass._make_meta(name, roots, attrs)
        chosen = getattr(attrs.get("objects"), "queryset_class", None)
        if chosen is not None:
            meta["queryset_class"] = chosen
        concrete = next((root for root in roots if not root._abstract), None)
        meta["indexes"] = [
            spec for root in reversed(roots) for spec in root._meta.get("indexes", ())
        ] + list(own.get("indexes", ()))
        if concrete is not None:
            if concrete._meta.get("allow_inheritance") is not True:
                raise ValueError(
                    f"Document {concrete.__name__} may not be subclassed. "
                    "Set 'allow_inheritance': True in its meta to allow it."
                )
            if own.get("allow_inheritance") is False:
                raise ValueError(
                    'Only direct subclasses of Document may set "allow_inheritance" to False'
                )
            if meta["abstract"]:
                raise ValueError(f"{name} cannot be abstract: {concrete.__name__} is not")
            if own.get("collection") is not None:
                warnings.warn(
                    f"{name}.meta names a collection: documents of a subclass are in that of "
                    f"{concrete.__name__}",
                    SyntaxWarning,
                    stacklevel=5,
                )
            meta["collection"] = concrete._meta["collection"]
            meta["id_field"] = concrete._meta["id_field"]
            return meta
        collection = own.get("collection")
        if collection is None:
            found = (root._meta.get("collection") for root in roots)
            collection = next((one for one in found if callable(one)), None)
        if collection is None and not meta["abstract"]:
            collection = "".join(f"_{c}" if c.isupper() else c for c in name).strip("_").lower()
        if collection is not None:
            meta["collection"] = collection
        return meta

    @staticmethod
    def _complete(cls: Any, fields: dict[str, BaseField], parents: list[Any]) -> None:
        meta = cls._meta
        keys = [key for key, field in fields.items() if field.primary_key]
        if len(keys) > 1:
            raise ValueError(
                f"Cannot override primary key field: {cls.__name__} has {' and '.join(keys)}"
            )
        if keys:
            meta["id_field"] = keys[0]
        elif not cls._abstract:
            taken = {field.db_field or name for name, field in fields.items()}
            auto = "id"
            number = 0
            while auto in fields or (auto != "id" and auto in taken):
                auto, number = f"auto_id_{number}", number + 1
            field = ObjectIdField(db_field="_id", primary_key=True, auto_created=True)
            field.required = False
            fields[auto] = field
            meta["id_field"] = auto
        if callable(meta.get("collection")) and not cls._abstract:
            meta["collection"] = meta["collection"](cls)
        DocumentMetaclass._complete(cls, fields, parents)
        if meta["id_field"] in cls.__dict__ and not hasattr(cls, "id"):
            type.__setattr__(cls, "id", cls.__dict__[meta["id_field"]])
        if not cls._abstract:
            add_rules(cls)


def _display(document: Any, field: BaseField, separator: str = ", ") -> Any:
    """Return the label of a field's value; of a list's items, joined."""
    value = getattr(document, field.name)
    if isinstance(value, (list, tuple)):
        return separator.join(str(field.choice_label(one)) for one in value)
    return field.choice_label(value)


def _refuse_classes(owner: str, attrs: dict[str, Any]) -> None:
    """A field's class without parentheses is no field; one that the body defines is a class."""
    inside = f"{attrs.get('__qualname__', owner)}."
    for key, value in attrs.items():
        if not isinstance(value, type) or not issubclass(value, BaseField) or key[:1] == "_":
            continue
        if not value.__qualname__.startswith(inside):
            raise InvalidDocumentError(
                f"{owner}.{key} is the class {value.__name__}, not a field: write "
                f"{key} = {value.__name__}()"
            )


def _check_name(owner: str, key: str) -> None:
    if "__" in key or key in _RESERVED:
        raise InvalidDocumentError(
            f"{owner}.{key}: a field cannot have this name"
            + (" (two underscores separate the parts of lookups)" if "__" in key else "")
        )


def _take_meta(bases: tuple[type, ...], attrs: dict[str, Any]) -> None:
    """Add to the class's `meta` what mixins say in theirs; indexes are those of all."""
    taken: dict[str, Any] = {}
    for base in reversed(bases):
        given = None if isinstance(base, DocumentMetaclass) else getattr(base, "meta", None)
        taken = _joined(taken, given) if isinstance(given, dict) else taken
    if taken:
        attrs["meta"] = _joined(taken, attrs.get("meta") or {})


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    indexes = [*first.get("indexes", ()), *second.get("indexes", ())]
    return {**first, **second, **({"indexes": indexes} if indexes else {})}


def _inherited(bases: tuple[type, ...]) -> dict[str, BaseField]:
    fields: dict[str, BaseField] = {}
    for base in reversed(bases):
        if isinstance(base, DocumentMetaclass):
            fields.update(base._fields)
            continue
        for cls in reversed(base.__mro__):  # a mixin
            fields.update({k: v for k, v in vars(cls).items() if isinstance(v, BaseField)})
    return fields


def _parents(roots: list[Any]) -> list[Any]:
    """Return the concrete classes above, nearest first."""
    found: list[Any] = []
    for root in roots:
        for cls in root.__mro__:
            concrete = isinstance(cls, DocumentMetaclass) and not cls._abstract  # type: ignore[attr-defined]
            if concrete and cls not in found:
                found.append(cls)
    return found


def _class_name(name: str, parents: list[Any]) -> str:
    return f"{parents[0]._class_name}.{name}" if parents else name


def _watch_copies(cls: Any) -> None:
    for field in cls._fields.values():
        inner: Any = field
        while inner._item is not None:
            inner = inner._item
        if isinstance(inner, CachedReferenceField):
            inner.watch(cls)


def _refuse_delete_rules(cls: Any) -> None:
    for field in cls._fields.values():
        inner: Any = field
        while inner is not None:
            if isinstance(inner, ReferenceField) and inner.reverse_delete_rule != DO_NOTHING:
                raise InvalidDocumentError(
                    f"{cls.__name__}.{field.name}: reverse_delete_rule works for fields of "
                    "documents, not of embedded documents"
                )
            inner = inner._item
