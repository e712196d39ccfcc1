# SPDX-License-Identifier: Apache-2.0
"""What makes Django's own code treat documents as models. Only Django's side imports it.

`mongodb` in INSTALLED_APPS does it once: documents' errors of what is missing are Django's too;
`apps.get_model()` finds documents, and with it content types, the log of the admin and
AUTH_USER_MODEL; views of one object know the names of documents; the admin registers them (see
admin.py). What is no document is passed on to Django's own code.
"""

from __future__ import annotations

import functools
from typing import Any

from django.apps import apps
from django.core import exceptions
from django.views.generic import detail

from mongodb import _registry, errors

__all__ = ["adopt_exceptions", "adopt_registry", "adopt_views", "documents_of", "permissions_of"]


def adopt_exceptions() -> None:
    """Make errors of what is missing Django's too: its shortcuts, its admin, and REST Framework's
    related fields, then answer a missing document or field as they answer a model's."""
    for ours, theirs in (
        (errors.DoesNotExist, exceptions.ObjectDoesNotExist),
        (errors.MultipleObjectsReturned, exceptions.MultipleObjectsReturned),
        (errors.FieldDoesNotExist, exceptions.FieldDoesNotExist),
    ):
        if not issubclass(ours, theirs):
            ours.__bases__ = (*ours.__bases__, theirs)


def documents_of(app_label: str) -> list[Any]:
    """Return the Document classes of an application."""
    return [
        cls for cls in _registry.collection_classes()
        if not cls._abstract and cls._meta.app_label == app_label
    ]  # fmt: skip


def adopt_registry() -> None:
    """Let `apps.get_model()` answer with a Document class where there is no model."""
    usual = apps.get_model
    if getattr(usual, "knows_documents", False):
        return

    @functools.wraps(usual)
    def get_model(app_label: str, model_name: str | None = None, require_ready: bool = True) -> Any:
        try:
            return usual(app_label, model_name, require_ready)
        except LookupError:
            label, _, name = (app_label, "", model_name) if model_name else app_label.partition(".")
            for cls in documents_of(label):
                if cls._meta.model_name == str(name).lower():
                    return cls
            raise

    get_model.knows_documents = True  # type: ignore[attr-defined]
    apps.get_model = get_model


def adopt_views() -> None:
    """Let DetailView, UpdateView and DeleteView name documents as they name models."""
    if hasattr(detail.SingleObjectMixin.get_context_object_name, "__wrapped__"):
        return
    usual_name = detail.SingleObjectMixin.get_context_object_name
    usual_templates = detail.SingleObjectTemplateResponseMixin.get_template_names

    @functools.wraps(usual_name)
    def get_context_object_name(self: Any, obj: Any) -> Any:
        if self.context_object_name or not _registry.is_document(obj):
            return usual_name(self, obj)
        return obj._meta.model_name

    @functools.wraps(usual_templates)
    def get_template_names(self: Any) -> Any:
        try:
            return usual_templates(self)
        except exceptions.ImproperlyConfigured:
            shown = getattr(self, "object", None)
            cls = type(shown) if _registry.is_document(shown) else getattr(self, "model", None)
            if not _registry.is_document_class(cls):
                raise
            meta = cls._meta  # type: ignore[union-attr]
            return [f"{meta.app_label}/{meta.model_name}{self.template_name_suffix}.html"]

    detail.SingleObjectMixin.get_context_object_name = get_context_object_name
    detail.SingleObjectTemplateResponseMixin.get_template_names = get_template_names


def permissions_of(cls: Any) -> list[tuple[str, str]]:
    """Return the codenames and names of a class's permissions."""
    meta = cls._meta
    usual = [
        (f"{action}_{meta.model_name}", f"Can {action} {meta.verbose_name}")
        for action in meta.default_permissions
    ]
    return [*usual, *meta.permissions]


def create_permissions(
    app_config: Any, using: str = "default", apps: Any = apps, **kwargs: Any
) -> None:
    """After a migration: content types and permissions for the documents of an application."""
    documents = documents_of(app_config.label)
    try:
        types = apps.get_model("contenttypes", "ContentType")
    except LookupError:
        return
    from django.db import router

    if not documents or not router.allow_migrate_model(using, types):
        return
    try:
        permissions = apps.get_model("auth", "Permission")
    except LookupError:
        permissions = None
    for cls in documents:
        found, _ = types.objects.using(using).get_or_create(
            app_label=app_config.label, model=cls._meta.model_name
        )
        if permissions is None or not router.allow_migrate_model(using, permissions):
            continue
        known = set(
            permissions.objects.using(using)
            .filter(content_type=found)
            .values_list("codename", flat=True)
        )
        permissions.objects.using(using).bulk_create(
            permissions(content_type=found, codename=codename, name=name)
            for codename, name in permissions_of(cls)
            if codename not in known
        )
