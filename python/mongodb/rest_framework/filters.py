# SPDX-License-Identifier: Apache-2.0
"""Filter backends for document querysets: by field and lookup, by search words, by order.

A view says what may be asked: `filterset_fields` (a list, or a dict of lookups by field),
`search_fields` (with DRF's prefixes ^ = $) and `ordering_fields`.
"""

import contextlib
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

from .parameters import Refused, check_filter, check_text, conditions, to_pattern

__all__ = ["DocumentFilter", "OrderingFilter", "SearchFilter"]

LABELS = {"exact": "", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "in": "in (a,b,c)"}
# A pattern that does not compile, or takes too long: what was asked for is at fault.
REFUSED_PATTERNS = {2, 51091, 51156}
FORM_LIBRARIES = {"i18n": "django.templatetags.i18n"}
FORM = """{% load i18n %}<h2>{% translate "Field filters" %}</h2>
<form class="form">
{% for name, value in kept %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}{% for input in inputs %}<div class="form-group"><label>{{ input.label }}
<input type="text" class="form-control" name="{{ input.name }}"
value="{{ input.value }}"></label></div>
{% endfor %}<button type="submit" class="btn btn-primary">{% translate "Submit" %}</button>
</form>"""


@contextlib.contextmanager
def named(parameter: str) -> Iterator[None]:
    """Answer what is refused inside with a 400 that names the parameter."""
    try:
        yield
    except Refused as error:
        raise RefusedError({parameter: [error.message]}) from error


def refusing_patterns(queryset: Any, parameter: str) -> Any:
    """The queryset; when its store refuses a pattern, reading it answers with a 400."""

    def turn(error: errors.MongoError) -> Exception:
        if error.code in REFUSED_PATTERNS:
            return RefusedError({parameter: [str(error)]})
        return error

    return queryset._turning(turn)


class DocumentFilter(BaseFilterBackend):
    """`?country=FR&population__gte=200000`: the fields and lookups the view's
    `filterset_fields` names; other parameters are not looked at."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        for parameter, field_name, lookup in self.allowed(view):
            text = request.query_params.get(parameter, "")
            if text == "":
                continue
            with named(parameter):
                condition = Q(**self.conditions(queryset.model, field_name, lookup, text))
                check_filter(queryset.model, condition)
            queryset = queryset.filter(condition)
            if lookup.endswith("regex"):
                queryset = refusing_patterns(queryset, parameter)
        return queryset

    def conditions(self, model: Any, field_name: str, lookup: str, text: str) -> dict[str, Any]:
        """Keywords of `filter()` for a parameter's text; override it for texts of your own."""
        return conditions(model, field_name, lookup, text)

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
    max_terms = 32  # different words; each is looked for in every field of every document

    def get_search_terms(self, request: Request) -> list[str]:
        try:
            words = list(dict.fromkeys(super().get_search_terms(request)))
        except RefusedError as error:
            raise RefusedError({self.search_param: error.detail}) from error
        if len(words) > self.max_terms:
            message = _("Ensure there are no more than {max_terms} different words.")
            raise RefusedError({self.search_param: [message.format(max_terms=self.max_terms)]})
        return words

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        fields = self.get_search_fields(view, request)
        words = self.get_search_terms(request)
        if not fields or not words:
            return queryset
        lookups = [self.lookup_of(name) for name in fields]
        patterns = any(lookup.endswith("iregex") for lookup in lookups)
        for word in words:
            with named(self.search_param):
                check_text(word)
                if patterns:
                    to_pattern(word)
            condition = Q()
            for lookup in lookups:
                condition |= Q(**{lookup: word})
            queryset = queryset.filter(condition)
        return refusing_patterns(queryset, self.search_param) if patterns else queryset

    def lookup_of(self, name: str) -> str:
        bare = name[1:] if name[0] in self.lookup_prefixes else name
        return f"{bare.replace('.', '__')}__{self.lookup_prefixes.get(name[0], 'icontains')}"


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
