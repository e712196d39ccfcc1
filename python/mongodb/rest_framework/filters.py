# SPDX-License-Identifier: Apache-2.0
"""Filter backends for document querysets: by field and lookup, by search words, by order.

A view says what may be asked: `filterset_fields` (a list, or a dict of lookups by field),
`search_fields` (with DRF's prefixes ^ = $) and `ordering_fields`.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.template import Context, Engine
from django.utils.translation import gettext_lazy as _
from rest_framework import filters as drf
from rest_framework.exceptions import ValidationError as RefusedError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from mongodb import errors
from mongodb.queryset import Q

__all__ = ["DocumentFilter", "OrderingFilter", "SearchFilter"]

# Lookups whose value is a list, given as a,b,c.
LIST_LOOKUPS = {"in", "nin", "all"}
TRUE_WORDS = {"true", "1", "yes", "on"}
FALSE_WORDS = {"false", "0", "no", "off"}
LABELS = {"exact": "", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "in": "in (a,b,c)"}
FORM_LIBRARIES = {"i18n": "django.templatetags.i18n"}
FORM = """{% load i18n %}<h2>{% translate "Field filters" %}</h2>
<form class="form">
{% for name, value in kept %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}{% for input in inputs %}<div class="form-group"><label>{{ input.label }}
<input type="text" class="form-control" name="{{ input.name }}"
value="{{ input.value }}"></label></div>
{% endfor %}<button type="submit" class="btn btn-primary">{% translate "Submit" %}</button>
</form>"""


class DocumentFilter(BaseFilterBackend):
    """`?country=FR&population__gte=200000`: the fields and lookups the view's
    `filterset_fields` names; other parameters are not looked at."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        conditions: dict[str, Any] = {}
        for parameter, field_name, lookup in self.allowed(view):
            if parameter not in request.query_params:
                continue
            text = request.query_params[parameter]
            if text == "":
                continue
            key = field_name if lookup == "exact" else f"{field_name}__{lookup}"
            conditions[key] = self.value(queryset.model, parameter, field_name, lookup, text)
        if not conditions:
            return queryset
        try:
            return queryset.filter(**conditions)
        except errors.ValidationError as error:
            detail = error.to_dict() or {next(iter(conditions)): [str(error)]}
            raise RefusedError(detail) from error
        except (errors.InvalidQueryError, ValueError, TypeError) as error:
            raise RefusedError({next(iter(conditions)): [str(error)]}) from error

    def allowed(self, view: Any) -> Iterator[tuple[str, str, str]]:
        """(parameter, field, lookup) of all that may be asked."""
        wanted = getattr(view, "filterset_fields", None) or []
        if isinstance(wanted, dict):
            for name, lookups in wanted.items():
                for lookup in [lookups] if isinstance(lookups, str) else lookups:
                    yield (name if lookup == "exact" else f"{name}__{lookup}"), name, lookup
        else:
            for name in wanted:
                yield name, name, "exact"

    def value(self, model: Any, parameter: str, field_name: str, lookup: str, text: str) -> Any:
        """The text of a parameter as the field has it."""
        if lookup in LIST_LOOKUPS:
            return [
                self.single(model, parameter, field_name, part) for part in text.split(",") if part
            ]
        if lookup in ("exists", "isnull"):
            return self.boolean(parameter, text)
        if lookup == "size":
            return self.convert(int, parameter, text, _("A valid integer is required."))
        if lookup in ("exact", "ne", "gt", "gte", "lt", "lte"):
            return self.single(model, parameter, field_name, text)
        return text

    def single(self, model: Any, parameter: str, field_name: str, text: str) -> Any:
        field: Any = None
        fields = model._fields
        for part in field_name.split("__"):
            field = fields.get(part) if fields else None
            target = getattr(field, "document_type", None)
            fields = getattr(target, "_fields", None)
        kind = type(field).__name__ if field is not None else ""
        if kind == "BooleanField":
            return self.boolean(parameter, text)
        if kind in ("IntField", "LongField"):
            return self.convert(int, parameter, text, _("A valid integer is required."))
        if kind == "FloatField":
            return self.convert(float, parameter, text, _("A valid number is required."))
        return text

    def convert(self, to: Any, parameter: str, text: str, message: Any) -> Any:
        try:
            return to(text)
        except ValueError:
            raise RefusedError({parameter: [message]}) from None

    def boolean(self, parameter: str, text: str) -> bool:
        word = text.lower()
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        raise RefusedError({parameter: [_("Must be a valid boolean.")]})

    def to_html(self, request: Request, queryset: Any, view: Any) -> str:
        """The form that the browsable API's Filters button shows."""
        inputs = [
            {
                "name": parameter,
                "label": f"{field_name.replace('__', ' ')} {LABELS.get(lookup, lookup)}".strip(),
                "value": request.query_params.get(parameter, ""),
            }
            for parameter, field_name, lookup in self.allowed(view)
        ]
        if not inputs:
            return ""
        names = {one["name"] for one in inputs}
        kept = [(k, v) for k, v in request.query_params.items() if k not in names and k != "page"]
        context = Context({"inputs": inputs, "kept": kept})
        return Engine(libraries=FORM_LIBRARIES).from_string(FORM).render(context)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": parameter,
                "required": False,
                "in": "query",
                "description": f"{field_name} {lookup}",
                "schema": {"type": "string"},
            }
            for parameter, field_name, lookup in self.allowed(view)
        ]


class SearchFilter(drf.SearchFilter):
    """DRF's search over documents: each word must be found in one of `search_fields`."""

    lookup_prefixes = {"^": "istartswith", "=": "iexact", "$": "iregex"}

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        fields = self.get_search_fields(view, request)
        words = self.get_search_terms(request)
        if not fields or not words:
            return queryset
        for word in words:
            condition = None
            for name in fields:
                lookup = self.lookup_prefixes.get(name[0], "icontains")
                if lookup == "iregex":
                    self.check_pattern(word)
                bare = name[1:] if name[0] in self.lookup_prefixes else name
                part = Q(**{f"{bare.replace('.', '__')}__{lookup}": word})
                condition = part if condition is None else condition | part
            queryset = queryset.filter(condition)
        return queryset

    def check_pattern(self, word: str) -> None:
        try:
            re.compile(word)
        except re.error as error:
            raise RefusedError({self.search_param: [str(error)]}) from None


class OrderingFilter(drf.OrderingFilter):
    """DRF's ordering over documents: `?ordering=-population,name`."""

    def get_default_valid_fields(
        self, queryset: Any, view: Any, context: Any = None
    ) -> list[tuple[str, Any]]:
        serializer_class = None
        if hasattr(view, "get_serializer_class"):
            try:
                serializer_class = view.get_serializer_class()
            except AssertionError:
                serializer_class = None
        if serializer_class is None:
            return self.all_fields(queryset)
        return [
            (field.source.replace(".", "__") or name, field.label)
            for name, field in serializer_class(context=context or {}).fields.items()
            if not getattr(field, "write_only", False) and field.source != "*"
        ]

    def get_valid_fields(self, queryset: Any, view: Any, context: Any = None) -> Any:
        valid = getattr(view, "ordering_fields", self.ordering_fields)
        if valid == "__all__":
            return self.all_fields(queryset)
        if valid is None:
            return self.get_default_valid_fields(queryset, view, context)
        return [(item, item) if isinstance(item, str) else item for item in valid]

    def all_fields(self, queryset: Any) -> list[tuple[str, Any]]:
        return [
            (name, getattr(field, "verbose_name", None) or name)
            for name, field in queryset.model._fields.items()
        ]
