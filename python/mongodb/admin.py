# SPDX-License-Identifier: Apache-2.0
"""Django's admin for documents.

`admin.site.register(Post, PostAdmin)` takes a Document class with any ModelAdmin: what a document
needs otherwise is added behind the class, whose own methods win. An inline of an embedded
document's class edits a list of them.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any

from django.contrib import admin
from django.contrib.admin import actions, checks, filters, options, utils
from django.contrib.admin.utils import flatten_fieldsets, quote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.forms import ModelForm
from django.forms.formsets import BaseFormSet
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from mongodb._delete_rules import rules_for
from mongodb._model_fields import DocumentModelField
from mongodb._registry import is_document_class, is_embedded_class
from mongodb.errors import MongoError
from mongodb.fields.references import CASCADE, DENY
from mongodb.forms import BaseEmbeddedFormSet, DocumentForm, embedded_formset_factory
from mongodb.forms.nested import list_field_of
from mongodb.queryset._through import ThroughReference
from mongodb.queryset.geo import DistanceMet
from mongodb.queryset.lookups import OPERATORS, parse

__all__ = ["DocumentAdmin", "EmbeddedInline", "EmbeddedStackedInline", "EmbeddedTabularInline"]


class DocumentAdminChecks(checks.ModelAdminChecks):
    """Checks that know inlines of embedded documents."""

    def _check_inlines_item(self, obj: Any, inline: Any, label: str) -> list[Any]:
        made = embedded_inline(inline)
        if made is inline and not issubclass(inline, EmbeddedInline):
            text = (f"{label}: the inline of a document is for a list of embedded documents in it; "
                    f"{getattr(inline, 'model', None)!r} is no EmbeddedDocument.")  # fmt: skip
            return [checks.checks.Error(text, obj=obj.__class__, id="mongodb.E101")]
        return list(made(obj.model, obj.admin_site).check())


class EmbeddedInlineChecks(checks.InlineModelAdminChecks):
    """Checks of an inline without a relation."""

    def _check_relation(self, obj: Any, parent_model: Any) -> list[Any]:
        try:
            list_field_of(parent_model, obj.model, obj.field_name)
        except ImproperlyConfigured as error:
            return [checks.checks.Error(f"{error}.", obj=obj.__class__, id="mongodb.E102")]
        return []

    def _check_exclude_of_parent_model(self, obj: Any, parent_model: Any) -> list[Any]:
        return []

    def _check_formset(self, obj: Any) -> list[Any]:
        if issubclass(obj.formset, BaseFormSet):
            return []
        return list(super()._check_formset(obj))


class EmbeddedInline(options.InlineModelAdmin):
    """Edits a list of embedded documents in the page of the document that holds them.

    `model` is their class; `field_name` the list, where there are several.
    """

    field_name: str | None = None
    form = DocumentForm
    formset: Any = BaseEmbeddedFormSet
    checks_class = EmbeddedInlineChecks
    can_order = False
    extra = 1

    def get_formset(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        if "fields" in kwargs:
            fields = kwargs.pop("fields")
        else:
            fields = flatten_fieldsets(self.get_fieldsets(request, obj))
        left_out = [
            *(self.get_exclude(request, obj) or ()),
            *self.get_readonly_fields(request, obj),
        ]
        usual = issubclass(self.formset, BaseEmbeddedFormSet)
        return embedded_formset_factory(
            self.parent_model, self.field_name, embedded=self.model,
            **{
                "form": DocumentForm if self.form is ModelForm else self.form,
                "formset": self.formset if usual else BaseEmbeddedFormSet,
                "fields": fields, "exclude": left_out or None, "can_order": self.can_order,
                "formfield_callback": functools.partial(
                    self.formfield_for_dbfield, request=request),
                "extra": self.get_extra(request, obj), "min_num": self.get_min_num(request, obj),
                "max_num": self.get_max_num(request, obj),
                "can_delete": self.can_delete and self.has_delete_permission(request, obj),
                **kwargs,
            },
        )  # fmt: skip

    def get_queryset(self, request: Any) -> None:
        """The documents come with the one that holds them."""

    def _may(self, request: Any, *actions: str) -> bool:
        meta = self.parent_model._meta
        names = [get_permission_codename(action, meta) for action in actions]
        return any(request.user.has_perm(f"{meta.app_label}.{name}") for name in names)

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return self._may(request, "view", "change")

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return self._may(request, "change", "add")

    has_change_permission = has_delete_permission = has_add_permission


class EmbeddedTabularInline(EmbeddedInline):
    """One in a row."""

    template = "admin/edit_inline/tabular.html"


class EmbeddedStackedInline(EmbeddedInline):
    """One below the other."""

    template = "admin/edit_inline/stacked.html"


def embedded_inline(inline: Any) -> Any:
    """Return a stock inline of an embedded document's class as one that edits its list."""
    if issubclass(inline, EmbeddedInline) or not is_embedded_class(getattr(inline, "model", None)):
        return inline
    return type(inline.__name__, (inline, EmbeddedInline), {
        "__module__": inline.__module__, "checks_class": EmbeddedInlineChecks})  # fmt: skip


class DocumentAdmin(options.ModelAdmin):
    """What stands behind the ModelAdmin of a document."""

    checks_class = DocumentAdminChecks

    def get_deleted_objects(self, objs: Any, request: Any) -> Any:
        """Return what deleting would take along, by the rules of references, or be refused for."""
        found = _Deletion(self.admin_site, request)
        tree = found.follow(self.model, list(objs))
        counts = {cls._meta.verbose_name_plural: n for cls, n in found.counts.items()}
        return tree, counts, found.perms_needed, found.protected

    def lookup_allowed(self, lookup: str, value: Any, *request: Any) -> bool:
        """Whether the change list's address may ask it.

        Django looks for relations by the names of fields: positions in lists and keys of maps hide
        them from it. What is in other documents must be named in `list_filter`.
        """
        if not super().lookup_allowed(lookup, value, *request):
            return False
        if hasattr(self.model, "USERNAME_FIELD") and lookup.split(LOOKUP_SEP)[0] == "password":
            return False
        try:
            parse(self.model, lookup)
        except ThroughReference as error:
            named = self.get_list_filter(request[0]) if request else self.list_filter
            names = [one[0] if isinstance(one, (list, tuple)) else one for one in named]
            return any(_asks(lookup, one, error.at) for one in [*names, self.date_hierarchy])
        except (MongoError, DistanceMet):
            return True  # the queryset says what is wrong
        return True


def _asks(lookup: str, name: Any, at: int) -> bool:
    """Whether the lookup is about the field `name`; part `at` is the first in another document."""
    parts = lookup.split(LOOKUP_SEP)
    path = name.split(LOOKUP_SEP) if isinstance(name, str) else [""]
    rest = parts[len(path) :]
    if parts[: len(path)] != path:
        return False
    if len(path) <= at:  # the reference itself: its key may be asked
        return rest[:1] in (["pk"], ["id"]) and _OF_VALUES.issuperset(rest[1:])
    return _OF_VALUES.issuperset(rest[1:] if rest[:1] in (["pk"], ["id"]) else rest)


_OF_VALUES = OPERATORS | {"isnull", "range", "year", "date"}


class _Deletion:
    """Follows references to documents that are about to be deleted."""

    def __init__(self, site: Any, request: Any) -> None:
        self.site, self.request = site, request
        self.counts: dict[Any, int] = defaultdict(int)
        self.seen: set[Any] = set()
        self.perms_needed: set[Any] = set()
        self.protected: list[Any] = []

    def follow(self, cls: Any, documents: list[Any]) -> list[Any]:
        tree: list[Any] = []
        for one in documents:
            if (cls, one.pk) in self.seen:
                continue
            self.seen.add((cls, one.pk))
            self.counts[cls] += 1
            tree.append(self.shown(one))
            below: list[Any] = []
            for owner, name, rule in rules_for(cls):
                if rule in (CASCADE, DENY):
                    hit = list(owner.objects.clear_order().filter(**{name: one.pk}))
                    if rule == DENY:
                        self.protected += [self.shown(each) for each in hit]
                    else:
                        below += self.follow(owner, hit)
            if below:
                tree.append(below)
        return tree

    def shown(self, document: Any) -> Any:
        meta = document._meta
        plain = f"{capfirst(meta.verbose_name)}: {document}"
        if not self.site.is_registered(type(document)):
            return plain
        model_admin = self.site._registry[type(document)]
        if not model_admin.has_delete_permission(self.request, document):
            self.perms_needed.add(meta.verbose_name)
        try:
            name = f"{self.site.name}:{meta.app_label}_{meta.model_name}_change"
            url = reverse(name, None, (quote(str(document.pk)),))
        except NoReverseMatch:
            return plain
        return format_html('{}: <a href="{}">{}</a>', capfirst(meta.verbose_name), url, document)


class ValuesFilter(admin.AllValuesFieldListFilter):
    """The values that a field has, at any depth of embedded documents."""

    def __init__(
        self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.lookup_kwarg = field_path
        self.lookup_kwarg_isnull = f"{field_path}__isnull"
        self.lookup_val = params.get(self.lookup_kwarg)
        self.lookup_val_isnull = filters.get_last_value_from_parameters(
            params, self.lookup_kwarg_isnull
        )
        self.empty_value_display = model_admin.get_empty_value_display()
        found = model_admin.get_queryset(request).distinct(field_path)
        self.lookup_choices = sorted(found, key=lambda one: (one is None, type(one).__name__, one))
        admin.FieldListFilter.__init__(self, field, request, params, model, model_admin, field_path)


def _has_values(field: Any) -> bool:
    plain = not (field.remote_field or field.choices or isinstance(field, models.BooleanField))
    return isinstance(field, DocumentModelField) and plain and not isinstance(
        field, models.DateField)  # fmt: skip


def document_admin(admin_class: Any) -> Any:
    """Return a ModelAdmin's class with DocumentAdmin behind it."""
    if admin_class is None:
        return _Shaped
    if issubclass(admin_class, _Shape):
        return admin_class
    behind = () if issubclass(admin_class, DocumentAdmin) else (DocumentAdmin,)
    own = {"__module__": admin_class.__module__}
    if admin_class.checks_class is checks.ModelAdminChecks:
        own["checks_class"] = DocumentAdminChecks
    return type(admin_class.__name__, (_Shape, admin_class, *behind), own)


class _Checked:
    """A change list that looks at the filters' values before the store does."""

    def get_queryset(self, request: Any, exclude_parameters: Any = None) -> Any:
        found = super().get_queryset(request, exclude_parameters)  # type: ignore[misc]
        try:
            found.as_command()
        except (MongoError, ValueError) as error:
            raise options.IncorrectLookupParameters(error) from error
        return found


class _Shape:
    """Before the ModelAdmin: stock inlines become ours, their lists leave the document's form."""

    model: Any

    def get_inlines(self, request: Any, obj: Any) -> Any:
        return [embedded_inline(one) for one in super().get_inlines(request, obj)]  # type: ignore[misc]

    def get_changelist(self, request: Any, **kwargs: Any) -> Any:
        usual = super().get_changelist(request, **kwargs)  # type: ignore[misc]
        return type(usual.__name__, (_Checked, usual), {"__module__": usual.__module__})

    def get_exclude(self, request: Any, obj: Any = None) -> Any:
        left_out = super().get_exclude(request, obj)  # type: ignore[misc]
        lists = [
            list_field_of(self.model, one.model, one.field_name)
            for one in self.get_inlines(request, obj) if issubclass(one, EmbeddedInline)
        ]  # fmt: skip
        return [*(left_out or ()), *lists] if lists else left_out


class _Shaped(_Shape, DocumentAdmin):
    pass


def adopt_site() -> None:
    """Let AdminSite register documents, and the admin's messages count them."""
    site = admin.AdminSite
    if hasattr(site.register, "__wrapped__"):
        return
    usual, usual_removal = site.register, site.unregister

    @functools.wraps(usual)
    def register(
        self: Any, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        others, documents = _apart(model_or_iterable)
        if others is not None:
            usual(self, others, admin_class, **options)
        for one in documents:
            if one._meta.app_config is None:
                raise ImproperlyConfigured(
                    f"{one.__name__} is in no installed application ({one._meta.app_label!r}): "
                    "name one as 'app_label' in its meta"
                )
            usual(self, [one], document_admin(admin_class), **options)

    @functools.wraps(usual_removal)
    def unregister(self: Any, model_or_iterable: Any) -> None:
        others, documents = _apart(model_or_iterable)
        if others is not None:
            usual_removal(self, others)
        usual_removal(self, documents)

    site.register, site.unregister = register, unregister
    admin.FieldListFilter.register(_has_values, ValuesFilter, take_priority=True)
    usual_words = utils.model_ngettext

    @functools.wraps(usual_words)
    def model_ngettext(obj: Any, n: int | None = None) -> Any:
        if is_document_class(getattr(obj, "model", None)) and hasattr(obj, "count"):  # a queryset
            n = obj.count() if n is None else n
            obj = obj.model._meta
        return usual_words(obj, n)

    for module in (utils, actions, options):
        if hasattr(module, "model_ngettext"):
            module.model_ngettext = model_ngettext


def _apart(given: Any) -> tuple[Any, list[Any]]:
    """Return what Django registers itself, None when it is nothing, and documents."""
    if is_document_class(given):
        return None, [given]
    if isinstance(given, type):
        return given, []
    found = list(given)
    documents = [one for one in found if is_document_class(one)]
    others = [one for one in found if one not in documents]
    return others or None, documents
