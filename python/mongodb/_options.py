# SPDX-License-Identifier: Apache-2.0
"""`_meta` of a Document class: its options by key, and what Django reads of a model's `_meta`."""

from __future__ import annotations

import re
from typing import Any

from mongodb._delete_rules import rules_for
from mongodb._indexes import index_specs
from mongodb.errors import FieldDoesNotExist

__all__ = ["Options"]


class Options(dict[str, Any]):
    """A dict of options. The attributes are those that routers, views and forms ask for."""

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

    @property
    def concrete_model(self) -> Any:
        """The class; documents have no proxies."""
        return self.model

    @property
    def model_name(self) -> str:
        """The class's name in lower case."""
        return self.object_name.lower()

    @property
    def app_label(self) -> str:
        """The application: the last package of the module's path that is not `documents` or so."""
        given = self.get("app_label")
        parts = [part for part in self._module.split(".") if part not in ("documents", "models")]
        return str(given or (parts[-1] if parts else self._module))

    @property
    def label(self) -> str:
        """`app.Class`."""
        return f"{self.app_label}.{self.object_name}"

    @property
    def label_lower(self) -> str:
        """`app.class`."""
        return f"{self.app_label}.{self.model_name}"

    @property
    def verbose_name(self) -> str:
        """The class's name in words."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", self.object_name)
        return str(self.get("verbose_name") or words.lower())

    @property
    def verbose_name_plural(self) -> str:
        """The plural of it."""
        return str(self.get("verbose_name_plural") or f"{self.verbose_name}s")

    @property
    def pk(self) -> Any:
        """The field of the primary key."""
        return self.model._fields.get(self.get("id_field"))

    @property
    def fields(self) -> tuple[Any, ...]:
        """The fields in order."""
        return tuple(self.model._fields.values())

    def get_field(self, name: str) -> Any:
        """Return a field by its name."""
        found = self.pk if name == "pk" else self.model._fields.get(name)
        if found is None:
            raise FieldDoesNotExist(f"{self.object_name} has no field named {name!r}")
        return found
