# SPDX-License-Identifier: Apache-2.0
"""`_meta` of a Document class: its options by key, and what Django reads of a model's `_meta`."""

from __future__ import annotations

import re
import sys
from functools import cached_property
from typing import Any

from mongodb._delete_rules import rules_for
from mongodb._indexes import declared_indexes, index_specs
from mongodb.errors import FieldDoesNotExist

__all__ = ["Options"]


class Options(dict[str, Any]):
    """A dict of options. The attributes are those that Django's generic code asks of a model."""

    # What only tables have
    proxy = auto_created = is_composite_pk = False
    proxy_for_model = auto_field = order_with_respect_to = swappable = swapped = None
    base_manager_name = default_manager_name = default_related_name = None
    required_db_vendor = None
    db_tablespace = db_table_comment = ""
    managed = False  # no migration makes it a table
    many_to_many: tuple[Any, ...] = ()
    private_fields: tuple[Any, ...] = ()
    local_many_to_many: tuple[Any, ...] = ()
    related_objects: tuple[Any, ...] = ()
    related_fkey_lookups: tuple[Any, ...] = ()
    all_parents: tuple[Any, ...] = ()
    constraints: tuple[Any, ...] = ()
    unique_together: tuple[Any, ...] = ()
    total_unique_constraints: tuple[Any, ...] = ()
    required_db_features: tuple[str, ...] = ()

    def __init__(self, model_name: str, module: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        if self.get("delete_rules") is None:
            self.pop("delete_rules", None)  # computed
        self.object_name = model_name
        self._module = module
        self.model: Any = None  # set once the class exists

    def __missing__(self, key: str) -> Any:
        """Compute what MongoEngine keeps here: the indexes, and who refers to the class."""
        if key == "index_specs" and self.model is not None:
            return index_specs(self.model)
        if key == "delete_rules" and self.model is not None:
            return {(owner, name): rule for owner, name, rule in rules_for(self.model)} or None
        raise KeyError(key)

    def __str__(self) -> str:
        return self.label_lower

    # The class

    @property
    def concrete_model(self) -> Any:
        """The class; documents have no proxies."""
        return self.model

    @property
    def abstract(self) -> bool:
        """Whether the class has no collection of its own."""
        return bool(self.get("abstract"))

    @property
    def model_name(self) -> str:
        """The class's name in lower case."""
        return self.object_name.lower()

    @property
    def app_label(self) -> str:
        """The application: `meta` says it, or the module's place among the installed ones, or the
        last package of its path that is not `documents` or so."""
        given = self.get("app_label")
        if given:
            return str(given)
        config = self._app_around()
        if config is not None:
            return str(config.label)
        parts = [part for part in self._module.split(".") if part not in ("documents", "models")]
        return str(parts[-1] if parts else self._module)

    def _app_around(self) -> Any:
        """Return Django's application that holds the class's module, if there is one."""
        django = sys.modules.get("django.apps")
        if django is None or not django.apps.apps_ready:
            return None
        return django.apps.get_containing_app_config(self._module)

    @property
    def app_config(self) -> Any:
        """Django's configuration of the application; None when it is not installed."""
        django = sys.modules.get("django.apps")
        return None if django is None else django.apps.app_configs.get(self.app_label)

    @property
    def apps(self) -> Any:
        """Django's registry of applications."""
        from django.apps import apps

        return apps

    @property
    def label(self) -> str:
        """`app.Class`."""
        return f"{self.app_label}.{self.object_name}"

    @property
    def label_lower(self) -> str:
        """`app.class`."""
        return f"{self.app_label}.{self.model_name}"

    @property
    def verbose_name(self) -> Any:
        """The class's name in words."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", self.object_name)
        return self.get("verbose_name") or words.lower()

    @property
    def verbose_name_raw(self) -> str:
        """The same in the language of the code."""
        return str(self.verbose_name)

    @property
    def verbose_name_plural(self) -> Any:
        """The plural of it."""
        return self.get("verbose_name_plural") or f"{self.verbose_name}s"

    @property
    def db_table(self) -> str:
        """The collection's name."""
        return str(self.get("collection") or "")

    @property
    def ordering(self) -> list[Any]:
        """The order of querysets that name none."""
        return list(self.get("ordering") or ())

    @property
    def get_latest_by(self) -> Any:
        """The fields of `latest()`."""
        return self.get("get_latest_by")

    @property
    def permissions(self) -> list[Any]:
        """Permissions beside those to add, change, delete and view, as (codename, name)."""
        return list(self.get("permissions") or ())

    @property
    def default_permissions(self) -> tuple[str, ...]:
        """The permissions that every class has."""
        return tuple(self.get("default_permissions", ("add", "change", "delete", "view")))

    @property
    def indexes(self) -> list[dict[str, Any]]:
        """The declared indexes, as createIndexes takes them."""
        return [] if self.model._schema_embedded else declared_indexes(self.model)

    # Inheritance: a document's fields are all its own

    @property
    def parents(self) -> dict[Any, Any]:
        """No other collection holds a part of the document."""
        return {}

    def get_parent_list(self) -> list[Any]:
        """Return the concrete classes above, nearest first."""
        mine = self.model.__mro__[1:] if self.model is not None else ()
        return [one for one in mine if getattr(one, "_schema", None) and not one._abstract]

    def get_base_chain(self, model: Any) -> list[Any]:
        """Return the classes between; a document needs none to reach its fields."""
        return []

    def get_ancestor_link(self, ancestor: Any) -> None:
        """No field links to a parent's row."""

    def get_path_to_parent(self, parent: Any) -> list[Any]:
        """There is no way to go: fields of classes above are in the same document."""
        return []

    def get_path_from_parent(self, parent: Any) -> list[Any]:
        """There is no way to go: fields of classes above are in the same document."""
        return []

    def can_migrate(self, connection: Any) -> bool:
        """Documents have no migrations of tables."""
        return False

    # Managers

    @property
    def default_manager(self) -> Any:
        """The class's querysets."""
        return self.model._default_manager

    base_manager = default_manager

    @property
    def managers(self) -> tuple[Any, ...]:
        """The class's managers."""
        return (self.default_manager,)

    @property
    def managers_map(self) -> dict[str, Any]:
        """The class's managers by name."""
        return {"objects": self.default_manager}

    # Fields, in the form that Django's forms, views and admin know

    @cached_property
    def _wrapped(self) -> dict[str, Any]:
        return {}

    def _wrap(self, name: str) -> Any:
        found = self._wrapped.get(name)
        if found is None:
            from mongodb._model_fields import model_field

            found = self._wrapped[name] = model_field(self.model, name)
        return found

    @property
    def pk(self) -> Any:
        """The field of the primary key; an embedded document's stands for none."""
        name = self.get("id_field")
        if name is not None:
            return self._wrap(name)
        return self._wrap("") if self.model._schema_embedded else None

    @property
    def pk_fields(self) -> list[Any]:
        """The field of the primary key."""
        return [self.pk] if self.get("id_field") else []

    @property
    def fields(self) -> tuple[Any, ...]:
        """The fields in order."""
        return tuple(self._wrap(name) for name in self.model._fields)

    concrete_fields = local_fields = local_concrete_fields = fields

    def get_fields(
        self, include_parents: bool = True, include_hidden: bool = False
    ) -> tuple[Any, ...]:
        """Return the fields; others' references are no fields of this class."""
        return self.fields

    @property
    def fields_map(self) -> dict[str, Any]:
        """Relations from other classes: none."""
        return {}

    def get_field(self, name: str) -> Any:
        """Return a field by its name, or a reference as `author_id`."""
        fields = self.model._fields
        if name in fields:
            return self._wrap(name)
        if name == "pk" and self.get("id_field"):
            return self.pk
        short = name[:-3] if name.endswith("_id") else ""
        if short in fields and self._wrap(short).attname == name:
            return self._wrap(short)
        raise FieldDoesNotExist(f"{self.object_name} has no field named {name!r}")

    @property
    def _property_names(self) -> frozenset[str]:
        found = {name for one in self.model.__mro__ for name, value in vars(one).items()
                 if isinstance(value, property)}  # fmt: skip
        return frozenset(found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"_meta of {self.object_name} has no {name!r}: a document has nothing of the kind"
        )
