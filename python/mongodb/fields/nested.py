# SPDX-License-Identifier: Apache-2.0
"""Fields that hold lists, dicts and embedded documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from mongodb import _registry
from mongodb.errors import InvalidDocumentError, ValidationError
from mongodb.fields.base_field import _INF, STORING_OPERATORS, UPDATE_OPERATORS, BaseField, _stored
from mongodb.fields.lists import EmbeddedDocumentList
from mongodb.fields.scalar import STRING_OPERATORS, StringField

__all__ = [
    "ComplexBaseField",
    "DictField",
    "DynamicField",
    "EmbeddedDocumentField",
    "EmbeddedDocumentListField",
    "GenericEmbeddedDocumentField",
    "ListField",
    "MapField",
    "SortedListField",
]


def plain(value: Any) -> Any:
    """Return the value with embedded documents as dicts and others as references."""
    if _registry.is_document(value):
        if not value._schema_embedded:
            return value._reference()
        son = value.to_mongo()
        son.setdefault("_cls", value._class_name)
        return son
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value


def _embedded(cls: Any, value: Mapping[Any, Any]) -> Any:
    """Return a dict as an embedded document: as it is stored, or a new one of given values."""
    if _stored.get():
        return cls._from_son(value)
    if not all(isinstance(key, str) for key in value):
        return value  # validation has the words for it
    cls = cls._class_named(value["_cls"]) if isinstance(value.get("_cls"), str) else cls
    names = cls._reverse_db_field_map
    return cls(**{k if k in cls._fields else names.get(k, k): v for k, v in value.items()})


class DynamicField(BaseField):
    """Any value."""

    kind = "dynamic"

    def to_mongo(self, value: Any) -> Any:
        return plain(value)

    def lookup_member(self, member_name: str) -> BaseField | None:
        return None if member_name in STRING_OPERATORS else self._member(member_name)

    def _member(self, name: str) -> BaseField:
        field = type(self)()
        field.name = field.db_field = name
        return field

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if isinstance(value, str) and op in STRING_OPERATORS:
            return StringField().prepare_query_value(op, value)
        return plain(value)


class EmbeddedDocumentField(BaseField):
    """A document inside the document. The class may be given by name, 'self' means its own."""

    kind = "embedded"

    def __init__(self, document_type: Any, **kwargs: Any) -> None:
        if not isinstance(document_type, str) and not _registry.is_embedded_class(document_type):
            raise InvalidDocumentError(
                "EmbeddedDocumentField takes an EmbeddedDocument class or its name, not "
                f"{document_type!r}"
            )
        self.document_type_obj = document_type
        super().__init__(**kwargs)

    @property
    def document_type(self) -> Any:
        if isinstance(self.document_type_obj, str):
            found = _registry.resolve(self.document_type_obj, self.owner_document)
            if not _registry.is_embedded_class(found):
                raise InvalidDocumentError(f"{found.__name__} is no EmbeddedDocument")
            self.document_type_obj = found
        return self.document_type_obj

    def to_python(self, value: Any) -> Any:
        return _embedded(self.document_type, value) if isinstance(value, Mapping) else value

    def to_mongo(self, value: Any) -> Any:
        return value.to_mongo() if isinstance(value, self.document_type) else value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, self.document_type):
            self.error(
                f"must be a {self.document_type.__name__} document, not {type(value).__name__}"
            )
        value._validate_inside(clean)

    def lookup_member(self, member_name: str) -> BaseField | None:
        for cls in _registry.class_tree(self.document_type):
            field = cls._fields.get(member_name)
            if field is not None:
                return field  # type: ignore[no-any-return]
        return DynamicField()._member(member_name) if self.document_type._dynamic else None

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is None or isinstance(value, self.document_type):
            return value if value is None else value.to_mongo()
        if isinstance(value, Mapping) and op in STORING_OPERATORS:
            value = self.to_python(value)
            return value if isinstance(value, Mapping) else value.to_mongo()
        if isinstance(value, Mapping):
            return self.document_type._from_son(value).to_mongo()
        if isinstance(value, (str, int, float)) and op in (None, "exact", "eq"):
            raise ValueError(f"a {self.document_type.__name__} or a dict is needed, not {value!r}")
        return value


class GenericEmbeddedDocumentField(BaseField):
    """An embedded document of any class; the class is stored in `_cls`."""

    kind = "python"
    _generic = True

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping) and "_cls" in value:
            return _embedded(_registry.get_document(value["_cls"]), value)
        return value

    def to_mongo(self, value: Any) -> Any:
        if not _registry.is_document(value):
            return value
        son = value.to_mongo()
        son.setdefault("_cls", value._class_name)
        return son

    def validate(self, value: Any, clean: bool = True) -> None:
        if not _registry.is_embedded_class(type(value)):
            self.error(f"must be an EmbeddedDocument, not {type(value).__name__}")
        value._validate_inside(clean)

    def _validate_choices(self, value: Any) -> None:
        names = [c if isinstance(c, str) else c.__name__ for c in self.choices]
        if not any(cls.__name__ in names for cls in type(value).__mro__):
            self.error(f"must be one of {', '.join(names)}, not {type(value).__name__}")

    def lookup_member(self, member_name: str) -> BaseField | None:
        for choice in self.choices or ():
            for cls in _registry.class_tree(_registry.resolve(choice, self.owner_document)):
                field = cls._fields.get(member_name)
                if field is not None:
                    return field  # type: ignore[no-any-return]
        return None

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if isinstance(value, Mapping) and op in STORING_OPERATORS:
            value = self.to_python(value)
        return self.to_mongo(value)


class ComplexBaseField(BaseField):
    """What lists and dicts share: the field of their items, if it is given."""

    def __init__(self, field: BaseField | None = None, **kwargs: Any) -> None:
        if isinstance(field, type) and issubclass(field, BaseField):
            field = field()
        if field is not None and not isinstance(field, BaseField):
            raise InvalidDocumentError(
                f"{type(self).__name__} takes a field such as StringField(), not {field!r}"
            )
        self.field = self._item = field
        super().__init__(**kwargs)

    def __setattr__(self, key: str, value: Any) -> None:
        super().__setattr__(key, value)
        if key == "owner_document" and getattr(self, "field", None) is not None:
            if self.field.owner_document is None:  # type: ignore[union-attr]
                self.field.owner_document = value  # type: ignore[union-attr]
        if key == "name" and getattr(self, "field", None) is not None:
            self.field.name = value  # type: ignore[union-attr]

    def _validate_items(self, pairs: Iterable[tuple[Any, Any]], clean: bool) -> None:
        errors: dict[Any, Any] = {}
        for key, value in pairs:
            try:
                if self.field is not None:
                    self.field._judge(value, clean)
            except ValidationError as error:
                errors[key] = error.errors or error
            except (AssertionError, AttributeError) as error:
                errors[key] = error
        if errors:
            first = next(iter(errors.values()))
            self.error(f"item {next(iter(errors))!r} {first}", errors=errors)

    def lookup_member(self, member_name: str) -> BaseField | None:
        return self.field.lookup_member(member_name) if self.field else None


_OF_WHOLE_LISTS = frozenset("set set_on_insert exact ne in nin all gt gte lt lte".split())


class ListField(ComplexBaseField):
    """A list; `field` is what it holds."""

    kind = "list"

    def __init__(
        self, field: BaseField | None = None, *, max_length: int | None = None, **kwargs: Any
    ) -> None:
        self.max_length = max_length
        kwargs.setdefault("default", list)
        super().__init__(field, **kwargs)

    def _limits(self) -> tuple[float, float]:
        return -_INF, _INF if self.max_length is None else self.max_length

    def to_python(self, value: Any) -> Any:
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            return value
        if isinstance(value, Mapping) or _registry.is_document(value):
            return value
        if self.field is None:
            return list(value)
        return [None if one is None else self.field.to_python(one) for one in value]

    def to_mongo(self, value: Any) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            return plain(value)
        if _registry.is_document(value):
            return plain(value)
        if self.field is None:
            return [plain(one) for one in value]
        return [None if one is None else self.field.to_mongo(one) for one in value]

    def validate(self, value: Any, clean: bool = True) -> None:
        many = isinstance(value, (list, tuple)) or (
            hasattr(value, "__iter__") and not isinstance(value, (str, bytes, Mapping))
        )
        if not many or _registry.is_document(value):
            self.error(f"must be a list, not {type(value).__name__}")
        if self.max_length is not None and len(value) > self.max_length:
            self.error(f"must have at most {self.max_length} items, has {len(value)}")
        self._validate_items(enumerate(value), clean)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if self.field is None:
            if isinstance(value, str) and op in STRING_OPERATORS:
                return StringField().prepare_query_value(op, value)
            return plain(value)
        whole = isinstance(value, (list, tuple, set, frozenset))
        if whole and (op is None or op in _OF_WHOLE_LISTS):
            return [self.field.prepare_query_value(op, one) for one in value]
        if whole and op in UPDATE_OPERATORS:
            return [self.field.prepare_query_value(op, one) for one in value]
        return self.field.prepare_query_value(op, value)


class SortedListField(ListField):
    """A list that is sorted when it is stored."""

    kind = "python"

    def __init__(
        self,
        field: BaseField | None = None,
        *,
        ordering: str | None = None,
        reverse: bool = False,
        **kwargs: Any,
    ) -> None:
        self._ordering = ordering
        self._order_reverse = reverse
        super().__init__(field, **kwargs)

    def to_mongo(self, value: Any) -> Any:
        value = super().to_mongo(value)
        key: Callable[[Any], Any] | None = itemgetter(self._ordering) if self._ordering else None
        return sorted(value, key=key, reverse=self._order_reverse)


class EmbeddedDocumentListField(ListField):
    """A list of embedded documents that can be filtered in Python."""

    kind = "list"

    def __init__(self, document_type: Any, **kwargs: Any) -> None:
        super().__init__(field=EmbeddedDocumentField(document_type), **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if instance is None or value is None or isinstance(value, EmbeddedDocumentList):
            return value
        value = EmbeddedDocumentList(value, instance, self.name)
        instance._put(instance._schema.index(self.name), value)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        if type(value) is list:
            value = EmbeddedDocumentList(value, instance, self.name)
        super().__set__(instance, value)


class DictField(ComplexBaseField):
    """A dict with names as keys; `field` is what its values are."""

    kind = "dict"

    def __init__(self, field: BaseField | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        super().__init__(field, **kwargs)

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if self.field is None:
            return dict(value)
        return {k: None if v is None else self.field.to_python(v) for k, v in value.items()}

    def to_mongo(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if self.field is None:
            return {k: plain(v) for k, v in value.items()}
        return {k: None if v is None else self.field.to_mongo(v) for k, v in value.items()}

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, dict):
            self.error(f"must be a dict, not {type(value).__name__}")
        bad = _bad_key(value)
        if bad is not None:
            self.error(
                f"must have names without NUL that do not start with '$' as keys, not {bad!r}"
            )
        self._validate_items(value.items(), clean)

    def lookup_member(self, member_name: str) -> BaseField | None:
        if self.field is not None:
            return self.field
        return DynamicField().lookup_member(member_name)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if isinstance(value, str) and op in STRING_OPERATORS:
            return StringField().prepare_query_value(op, value)
        if self.field is not None:
            if isinstance(value, Mapping) and op in (None, "set", "exact", "ne"):
                return {k: self.field.prepare_query_value(op, v) for k, v in value.items()}
            return self.field.prepare_query_value(op, value)
        return plain(value)


def _bad_key(value: Any) -> Any:
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str) or key[:1] == "$" or "\0" in key:
                return key
            bad = _bad_key(one)
            if bad is not None:
                return bad
    elif isinstance(value, (list, tuple)):
        for one in value:
            bad = _bad_key(one)
            if bad is not None:
                return bad
    return None


class MapField(DictField):
    """A dict whose values are all of one field."""

    kind = "dict"

    def __init__(self, field: BaseField | None = None, **kwargs: Any) -> None:
        if not isinstance(field, BaseField):
            raise InvalidDocumentError("MapField takes the field of its values")
        super().__init__(field=field, **kwargs)
