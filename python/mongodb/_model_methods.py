# SPDX-License-Identifier: Apache-2.0
"""Methods of a document that Django's generic code calls on a model's instance."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from mongodb._indexes import declared_indexes
from mongodb._paths import NOTHING, stored_at
from mongodb.errors import ValidationError

__all__ = ["ModelMethods"]


class _State:
    """Where a document is from."""

    def __init__(self, document: Any) -> None:
        embedded = document._schema_embedded
        self.adding = embedded or document._created
        self.db = None if embedded else document._db_alias or document._alias()
        self.fields_cache: dict[str, Any] = {}


class ModelMethods:
    """Checks by field whose errors are Django's, for forms and the admin."""

    @property
    def _state(self) -> Any:
        return self.__dict__.get("_given_state") or _State(self)

    @_state.setter
    def _state(self, value: Any) -> None:  # packages for MongoEngine bring one of their own
        self.__dict__["_given_state"] = value

    def _is_pk_set(self: Any, meta: Any = None) -> bool:
        return self.pk is not None

    def serializable_value(self: Any, field_name: str) -> Any:
        """Return the primary key, or the value of a field that is unique.

        Of no other: REST Framework's related fields ask here first, and then read the attribute.
        """
        field = self._fields.get(field_name)
        if field_name == "pk" or (field is not None and (field.primary_key or field.unique)):
            if field is None or not field._points:
                return getattr(self, field_name)
        raise AttributeError(f"{type(self).__name__}.{field_name} names no document")

    # what the C side of REST Framework's lists relies on
    serializable_value.gives_the_attribute = True  # type: ignore[attr-defined]

    def full_clean(
        self, exclude: Collection[str] | None = None, validate_unique: bool = True,
        validate_constraints: bool = True,
    ) -> None:  # fmt: skip
        """Check fields, the document and uniqueness; raise Django's ValidationError by field."""
        from django.core.exceptions import ValidationError as DjangoError

        errors: dict[str, Any] = {}
        left_out = set(exclude or ())

        def run(check: Any, *args: Any) -> None:
            try:
                check(*args)
            except DjangoError as error:
                error.update_error_dict(errors)

        run(self.clean_fields, left_out)
        run(self._django_clean)
        if validate_unique:
            run(self.validate_unique, left_out | errors.keys())
        if errors:
            raise DjangoError(errors)

    def clean_fields(self: Any, exclude: Collection[str] | None = None) -> None:
        """Check each field; raise Django's ValidationError by field."""
        from django.core.exceptions import ValidationError as DjangoError

        from mongodb.forms.errors import django_error
        from mongodb.forms.fields import uploads

        errors = {}
        left_out = {*(exclude or ()), *uploads(self)}
        for name, field in self._fields.items():
            if name in left_out:
                continue
            wrong = self._field_error(field, getattr(self, name), True)
            if wrong is not None:
                errors[name] = django_error(wrong)
        if errors:
            raise DjangoError(errors)

    def _django_clean(self: Any) -> None:
        from mongodb.forms.errors import django_errors

        try:
            self.clean()
        except ValidationError as error:
            raise django_errors(error) from error

    def validate_unique(self: Any, exclude: Collection[str] | None = None) -> None:
        """Ask the store whether another document has a value of a unique index."""
        from django.core.exceptions import ValidationError as DjangoError

        if self._schema_embedded:
            return
        errors: dict[str, list[Any]] = {}
        for fields, query in _unique_queries(self, set(exclude or ())):
            if self._qs().clear_order().clear_cls_query().filter(__raw__=query).exists():
                name = fields[0] if len(fields) == 1 else "__all__"
                errors.setdefault(name, []).append(self.unique_error_message(type(self), fields))
        if errors:
            raise DjangoError(errors)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Nothing to do: what documents have of constraints, validate_unique() checks."""

    def unique_error_message(self: Any, model_class: Any, unique_check: Any) -> Any:
        """Return Django's error for values that another document has."""
        from django.core.exceptions import ValidationError as DjangoError
        from django.utils.text import capfirst, get_text_list
        from django.utils.translation import gettext_lazy as _

        options = model_class._meta
        params: dict[str, Any] = {
            "model": self, "model_class": model_class,
            "model_name": capfirst(options.verbose_name), "unique_check": unique_check,
        }  # fmt: skip
        fields = [options.get_field(name) for name in unique_check]
        if len(fields) == 1:
            params["field_label"] = capfirst(fields[0].verbose_name)
            return DjangoError(fields[0].error_messages["unique"], code="unique", params=params)
        labels = [capfirst(field.verbose_name) for field in fields]
        params["field_labels"] = get_text_list(labels, _("and"))
        return DjangoError(
            _("%(model_name)s with this %(field_labels)s already exists."),
            code="unique_together", params=params,
        )  # fmt: skip

    def _get_unique_checks(
        self: Any, exclude: Collection[str] | None = None,
        include_meta_constraints: bool = False,
    ) -> tuple[list[Any], list[Any]]:  # fmt: skip
        found = [(type(self), fields) for fields, _ in _unique_queries(self, set(exclude or ()))]
        return found, []


def _unique_queries(document: Any, exclude: set[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the fields of each unique index, and what finds another document with their values."""
    cls = type(document)
    son = document.to_mongo()
    key = son.get("_id")
    key_name = cls._meta["id_field"]
    if document._created and key is not None and key_name not in exclude:
        yield (key_name,), {"_id": key}
    for index in declared_indexes(cls):
        paths = [path for path in index["key"] if path != "_cls"]
        names = tuple(cls._reverse_db_field_map.get(path.split(".")[0], path) for path in paths)
        if not index.get("unique") or not paths or "partialFilterExpression" in index:
            continue  # the store knows whether a part of the documents holds this one
        if exclude.intersection(names) or any(name not in cls._fields for name in names):
            continue
        values = {path: stored_at(son, path) for path in paths}
        if index.get("sparse") and all(value is NOTHING for value in values.values()):
            continue
        query: dict[str, Any] = {
            path: None if value is NOTHING
            else {"$in": value} if isinstance(value, list) else {"$eq": value}
            for path, value in values.items()
        }  # fmt: skip
        if "_cls" in index["key"]:
            query["_cls"] = son.get("_cls")
        yield names, {**query, "_id": {"$ne": key}}
