# SPDX-License-Identifier: Apache-2.0
"""Every public function and method of the package either names its arguments, so that Python
refuses others, or is called here with a keyword that does not exist. Found by looking, not listed:
one that is new and takes any keyword fails until it is tried, or said to pass them on."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

import mongodb
from mongodb import Document, EmbeddedDocument, fields, forms
from mongodb.errors import MongoError
from mongodb.forms import fields as form_fields
from mongodb.forms import nested as form_nested
from mongodb.rest_framework import fields as rest_fields
from mongodb.rest_framework import generics, geo, models, patching, serializers

# They are MongoEngine's, DRF-MongoEngine's and djongo's names, or Django's own classes below: the
# base takes the keywords, and refuses them.
OTHERS = ("mongodb.compat.", "mongodb.backend.")

# Tried by test_silence.py and test_queryset_silence.py, which find their methods by looking too.
TRIED = (
    "mongodb.base_document:BaseDocument.",
    "mongodb.document:Document.",
    "mongodb.connection:",
    "mongodb.fields.lists:EmbeddedDocumentList.",
    "mongodb.queryset.aggregation:AggregationMixin.",
    "mongodb.queryset.base_queryset:BaseQuerySet.",
    "mongodb.queryset.idioms:IdiomsMixin.",
    "mongodb.queryset.queryset:QuerySet.",
    "mongodb.queryset.writing:WritingMixin.",
)

PASSED_ON = {
    "mongodb.admin:EmbeddedInline.get_formset": "to the formset's factory, which refuses them",
    "mongodb.auth:AbstractBaseUser.save": "to Document.save(), which refuses them",
    "mongodb.auth:AbstractUser.email_user": "to Django's send_mail()",
    "mongodb.auth:UserQuerySet.create_superuser": "fields: to the class, which refuses others",
    "mongodb.auth:UserQuerySet.create_user": "fields: to the class",
    "mongodb.auth:update_last_login": "Django's protocol of signals",
    "mongodb.checks:check_documents": "Django's protocol of checks",
    "mongodb.context_managers:atomic.__call__": "to the decorated function",
    "mongodb.context_managers:run_in_transaction.__call__": "to the decorated function",
    "mongodb.fields.files:GridFSProxy.new_file": "stored with the file, as GridFS says",
    "mongodb.fields.files:GridFSProxy.put": "stored with the file",
    "mongodb.fields.files:GridFSProxy.replace": "stored with the file",
    "mongodb.fields.files:ImageGridFsProxy.write": "always refused",
    "mongodb.fields.files:ImageGridFsProxy.writelines": "always refused",
    "mongodb.forms.nested:Nested.__init__": "to Django's field of a form, which refuses them",
    "mongodb.gridfs:Files.new_file": "stored with the file",
    "mongodb.gridfs:Files.put": "stored with the file",
    "mongodb.gridfs:GridIn.__init__": "stored with the file",
    "mongodb.queryset.annotations:AnnotationsMixin.annotate": "names of values",
    "mongodb.queryset.q:Q.__init__": "lookups: refused when they are sent",
    "mongodb.rest_framework.models:ModelSerializer.many_init": "to the serializer",
    "mongodb.rest_framework.patching:PatchModelMixin.modify_obj": "the URL's, as in all views",
    "mongodb.rest_framework.patching:PatchModelMixin.modify_set": "the URL's",
    "mongodb.rest_framework.serializers:DocumentSerializer.many_init": "to the serializer",
    "mongodb.signals:Signal.send": "to the receivers",
}


class SweptPart(EmbeddedDocument):
    n = fields.IntField()


class SweptDoc(Document):
    name = fields.StringField()
    part = fields.EmbeddedDocumentField(SweptPart)
    parts = fields.EmbeddedDocumentListField(SweptPart)


def formset() -> Any:
    return form_nested.embedded_formset_factory(SweptDoc, "parts", fields=["n"])


class NoModel(models.ModelSerializer):
    pass


CALLS: dict[str, Callable[..., Any]] = {
    "mongodb.errors:ValidationError.__init__": mongodb.ValidationError,
    "mongodb.forms.fields:EmbeddedDocumentField.__init__": lambda **nope: (
        form_fields.EmbeddedDocumentField(document=SweptPart, **nope)
    ),
    "mongodb.forms.fields:ExtendedJSONField.__init__": lambda **nope: form_fields.ExtendedJSONField(
        field=None, **nope
    ),
    "mongodb.forms.fields:KeyField.__init__": lambda **nope: form_fields.KeyField(key=1, **nope),
    "mongodb.forms.fields:LinesField.__init__": lambda **nope: form_fields.LinesField(
        item=None, **nope
    ),
    "mongodb.forms.fields:of_list": lambda **nope: form_fields.of_list(
        SweptDoc._meta.get_field("parts"), **nope
    ),
    "mongodb.forms.nested:BaseEmbeddedFormSet.__init__": lambda **nope: formset()(
        instance=SweptDoc(), **nope
    ),
    "mongodb.forms.nested:EmbeddedDocumentListField.__init__": lambda **nope: (
        form_nested.EmbeddedDocumentListField(document=SweptPart, **nope)
    ),
    "mongodb.forms.nested:embedded_formset_factory": lambda **nope: (
        form_nested.embedded_formset_factory(SweptDoc, "parts", **nope)
    ),
    "mongodb.forms:documentform_factory": lambda **nope: forms.documentform_factory(
        SweptDoc, fields=["name"], **nope
    ),
    "mongodb.forms:documentformset_factory": lambda **nope: forms.documentformset_factory(
        SweptDoc, fields=["name"], **nope
    ),
    "mongodb.rest_framework.fields:BinaryField.__init__": rest_fields.BinaryField,
    "mongodb.rest_framework.fields:GenericReferenceField.__init__": (
        rest_fields.GenericReferenceField
    ),
    "mongodb.rest_framework.fields:ReferenceField.__init__": lambda **nope: (
        rest_fields.ReferenceField(SweptDoc, **nope)
    ),
    "mongodb.rest_framework.generics:get_object_or_404": lambda **nope: generics.get_object_or_404(
        SweptDoc.objects, **nope
    ),
    "mongodb.rest_framework.geo:GeoJSONField.__init__": lambda **nope: geo.GeoJSONField(
        "Point", **nope
    ),
    "mongodb.rest_framework.models:EmbeddedField.__init__": lambda **nope: models.EmbeddedField(
        [], None, **nope
    ),
    "mongodb.rest_framework.models:JSONTextField.__init__": models.JSONTextField,
    "mongodb.rest_framework.models:ModelSerializer.__init__": NoModel,
    "mongodb.rest_framework.patching:Patch.__init__": patching.Patch,
    "mongodb.rest_framework.serializers:RecursiveField.__init__": lambda **nope: (
        serializers.RecursiveField(SweptDoc, **nope)
    ),
}


def is_open(function: Any) -> bool:
    return any(
        one.kind == one.VAR_KEYWORD for one in inspect.signature(function).parameters.values()
    )


def functions_of(name: str, value: Any) -> list[tuple[str, Any]]:
    if inspect.isfunction(value):
        return [(name, value)]
    found = []
    for key, raw in vars(value).items() if inspect.isclass(value) else ():
        inner = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
        public = not key.startswith("_") or key in ("__init__", "__call__")
        if inspect.isfunction(inner) and public:
            found.append((f"{name}.{key}", inner))
    return found


def open_functions() -> set[str]:
    found = set()
    for info in pkgutil.walk_packages(mongodb.__path__, "mongodb."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        if info.name.startswith(OTHERS) or ".management" in info.name:  # argparse's, refused there
            continue
        try:
            module = importlib.import_module(info.name)
        except (ImportError, RuntimeError, ImproperlyConfigured):
            continue  # for the apps of a project
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", "") == info.name:
                for path, function in functions_of(name, value):
                    if is_open(function):
                        found.add(f"{info.name}:{path}")
    return found


def is_field(path: str) -> bool:
    """Whether test_silence.py tries it, among all of `fields.__all__`."""
    module, _, rest = path.partition(":")
    owner, _, method = rest.partition(".")
    cls = getattr(importlib.import_module(module), owner)
    return method == "__init__" and inspect.isclass(cls) and issubclass(cls, fields.BaseField)


def test_whatever_takes_any_keyword_is_known() -> None:
    found = {one for one in open_functions() if not one.startswith(TRIED) and not is_field(one)}
    assert found - set(PASSED_ON) == set(CALLS)


@pytest.mark.parametrize("path", CALLS)
def test_an_unknown_keyword_is_refused(path: str, memory: None) -> None:
    with pytest.raises((TypeError, ValueError, MongoError), match="nope_"):
        made = CALLS[path](nope_=1)
        raise AssertionError(f"{path}(nope_=1) gave {made!r}")
