# SPDX-License-Identifier: Apache-2.0
"""Indexes of Atlas Search: `SearchIndex` and `VectorSearchIndex`. They are declared and migrated on
every store, and made where there is Atlas Search; elsewhere `check` and `migrate` warn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db.models import Index

from mongodb.backend.indexes import EmbeddedNames, embedded_field, index_name

__all__ = ["SearchIndex", "VectorSearchIndex"]

_SIMILARITIES = ("euclidean", "cosine", "dotProduct")
_TYPES = {
    "BooleanField": "boolean", "DateField": "date", "DateTimeField": "date", "TimeField": "date",
    "ObjectIdField": "objectId", "ObjectIdAutoField": "objectId", "UUIDField": "uuid",
    "JSONField": "document",
}  # fmt: skip
_NUMBERS = ("Integer", "Float", "Decimal", "Duration", "AutoField")


class SearchIndex(EmbeddedNames, Index):
    """An index of Atlas Search over fields; their types say how each is looked up.

    `field_mappings` says it instead, field by field; `analyzer` and `search_analyzer` are names.
    """

    meta_option_name = "indexes"
    suffix = "src"
    kind = "search"

    def __init__(
        self, *, fields: Sequence[str] = (), field_mappings: dict[str, Any] | None = None,
        name: str | None = None, analyzer: str | None = None, search_analyzer: str | None = None,
    ) -> None:  # fmt: skip
        if field_mappings and fields:
            raise ValueError("SearchIndex takes fields or field_mappings, not both.")
        self.field_mappings = field_mappings
        self.analyzer = analyzer
        self.search_analyzer = search_analyzer
        super().__init__(fields=[*(field_mappings or fields)], name=name)

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        if self.field_mappings is not None:
            del kwargs["fields"]
        for name in ("field_mappings", "analyzer", "search_analyzer"):
            if getattr(self, name) is not None:
                kwargs[name] = getattr(self, name)
        return path, args, kwargs

    def set_name_with_model(self, model: Any) -> None:
        self.name = index_name(model, self)

    def check(self, model: Any, connection: Any) -> list[Any]:
        found = super().check(model, connection)
        if connection.vendor == "mongodb" and not connection.features.supports_atlas_search:
            found.append(checks.Warning(
                f"The store has no Atlas Search: the index '{self.name}' is not made there.",
                obj=model, id="mongodb.W002",
            ))  # fmt: skip
        return found

    _check = check  # before Django 6

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        paths = [embedded_field(model, name) for name in self.fields]
        spec = {"name": self.name, "type": self.kind, "definition": self.definition(paths),
                "columns": [fields[0].column for fields, _ in paths]}  # fmt: skip
        return schema_editor.index_sql(model, spec)

    def definition(self, paths: list[Any]) -> dict[str, Any]:
        """Return the index's definition, as createSearchIndexes takes it."""
        mappings = {
            path: self.field_mappings[name] if self.field_mappings else {"type": _type(fields[-1])}
            for name, (fields, path) in zip(self.fields, paths, strict=True)
        }
        names = {"analyzer": self.analyzer, "searchAnalyzer": self.search_analyzer}
        return {"mappings": {"dynamic": False, "fields": _nested(mappings)},
                **{key: value for key, value in names.items() if value is not None}}  # fmt: skip


class VectorSearchIndex(SearchIndex):
    """An index of vectors: an ArrayField of numbers with a `size` for each of `similarities`, which
    are euclidean, cosine or dotProduct; the other fields are there to filter by."""

    suffix = "vsi"
    kind = "vectorSearch"

    def __init__(
        self, *, fields: Sequence[str] = (), similarities: str | Sequence[str] = (),
        name: str | None = None,
    ) -> None:  # fmt: skip
        listed = [similarities] if isinstance(similarities, str) else [*similarities]
        for one in listed:
            if one not in _SIMILARITIES:
                raise ValueError(f"{one!r} is no similarity: it is one of {_SIMILARITIES}.")
        self.similarities = similarities
        self._listed = listed
        super().__init__(fields=fields, name=name)

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "similarities": self.similarities}

    def check(self, model: Any, connection: Any) -> list[Any]:
        found = super().check(model, connection)
        if any(one.id == "models.E012" for one in found):
            return found
        vectors = [embedded_field(model, name)[0][-1] for name in self.fields]
        vectors = [one for one in vectors if _is_vector(one)]
        said: Any = None
        if not vectors:
            said = "needs an ArrayField with a size, of FloatField or IntegerField"
        elif len(self._listed) not in (1, len(vectors)):
            said = f"has {len(vectors)} vectors and {len(self._listed)} similarities"
        if said:
            found.append(checks.Error(f"The index '{self.name}' {said}.", obj=model,
                                      id="mongodb.E003"))  # fmt: skip
        return found

    _check = check  # before Django 6

    def definition(self, paths: list[Any]) -> dict[str, Any]:
        vectors = [path for fields, path in paths if _is_vector(fields[-1])]
        each = self._listed * len(vectors) if len(self._listed) == 1 else self._listed
        similarity = dict(zip(vectors, each, strict=False))
        return {"fields": [
            {"type": "vector", "path": path, "numDimensions": fields[-1].size,
             "similarity": similarity[path]} if path in similarity
            else {"type": "filter", "path": path}
            for fields, path in paths
        ]}  # fmt: skip


def _is_vector(field: Any) -> bool:
    base = getattr(field, "base_field", None)
    of_numbers = base is not None and base.get_internal_type() in ("FloatField", "IntegerField")
    return of_numbers and getattr(field, "size", None) is not None


def _type(field: Any) -> str:
    """Return what Atlas Search calls the values of a field."""
    base = getattr(field, "base_field", field)
    if getattr(base, "models", None) is not None:
        return "embeddedDocuments" if base is not field else "document"
    kind = (getattr(base, "target_field", None) or base).get_internal_type()
    if any(word in kind for word in _NUMBERS) and kind != "ObjectIdAutoField":
        return "number"
    return _TYPES.get(kind, "string")


def _nested(mappings: dict[str, Any]) -> dict[str, Any]:
    """Dotted paths as documents within documents."""
    out: dict[str, Any] = {}
    for path, mapping in mappings.items():
        first, _, rest = path.partition(".")
        if not rest:
            out[first] = mapping
            continue
        outer = out.setdefault(first, {"type": "document", "dynamic": False, "fields": {}})
        outer["fields"].update(_nested({rest: mapping}))
    return out
