# SPDX-License-Identifier: Apache-2.0
"""Django's forms for documents.

Django's own ModelForm takes a Document class as `Meta.model` as well; DocumentForm takes it as
`Meta.document` too, and is for embedded documents.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.forms.models import (
    BaseModelForm,
    ModelFormMetaclass,
    fields_for_model,
    model_to_dict,
    modelform_factory,
    modelformset_factory,
)

from mongodb._registry import is_document_class, is_embedded_class
from mongodb.forms.fields import (
    EmbeddedDocumentField,
    ExtendedJSONField,
    KeyField,
    LinesField,
    StoredFileField,
    StoredImageField,
)
from mongodb.forms.nested import (
    BaseEmbeddedFormSet,
    EmbeddedDocumentListField,
    embedded_formset_factory,
)

__all__ = [
    "BaseEmbeddedFormSet",
    "DocumentForm",
    "EmbeddedDocumentField",
    "EmbeddedDocumentListField",
    "ExtendedJSONField",
    "KeyField",
    "LinesField",
    "StoredFileField",
    "StoredImageField",
    "document_to_dict",
    "documentform_factory",
    "documentformset_factory",
    "embedded_formset_factory",
    "fields_for_document",
]

fields_for_document = fields_for_model
document_to_dict = model_to_dict


class DocumentFormMetaclass(ModelFormMetaclass):
    """Takes `Meta.document` for `Meta.model`, and no class but a document's."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        meta = attrs.get("Meta")
        if meta is not None and getattr(meta, "document", None) is not None:
            if getattr(meta, "model", meta.document) is not meta.document:
                raise ImproperlyConfigured(f"{name}.Meta has a document and another model")
            attrs["Meta"] = type("Meta", (meta,), {"model": meta.document})
        model = getattr(attrs.get("Meta"), "model", None)
        if model is not None and not (is_document_class(model) or is_embedded_class(model)):
            raise ImproperlyConfigured(
                f"{name}: a DocumentForm is for a Document or an EmbeddedDocument, not {model!r}"
            )
        return super().__new__(mcs, name, bases, attrs)


class DocumentForm(BaseModelForm, metaclass=DocumentFormMetaclass):
    """A form for a document, made of its class by `Meta.document`."""

    def save(self, commit: bool = True) -> Any:
        """Save the document, unless `commit` is false, and return it.

        An embedded document is returned: it is saved with the one that holds it.
        """
        embedded = is_embedded_class(self._meta.model)
        return super().save(commit=commit and not embedded)


def documentform_factory(document: Any, form: Any = DocumentForm, **options: Any) -> Any:
    """Return a form class for a document; the options are those of `modelform_factory`."""
    return modelform_factory(document, form=form, **options)


def documentformset_factory(document: Any, form: Any = DocumentForm, **options: Any) -> Any:
    """Return a formset class for a queryset; the options are those of `modelformset_factory`."""
    return modelformset_factory(document, form=form, **options)
