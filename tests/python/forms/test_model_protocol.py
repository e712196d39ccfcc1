# SPDX-License-Identifier: Apache-2.0
"""What Django's generic code reads of `_meta` and of fields, documents have."""

import ast
import pathlib
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.contrib.contenttypes import models as contenttypes
from django.core.exceptions import FieldDoesNotExist as DjangoFieldDoesNotExist
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models

import mongodb
from mongodb import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FieldDoesNotExist,
    FileField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)

ROOT = pathlib.Path(django.__file__).parent
GENERIC = ("forms", "views/generic", "contrib/admin", "contrib/contenttypes", "contrib/auth")


class ProtocolWriter(Document):
    name = StringField(primary_key=True, max_length=40)


class ProtocolPlace(EmbeddedDocument):
    city = StringField(required=True)


class ProtocolBook(Document):
    title = StringField(required=True, max_length=60, verbose_name="the title")
    writer = ReferenceField(ProtocolWriter)
    place = EmbeddedDocumentField(ProtocolPlace)
    places = ListField(EmbeddedDocumentField(ProtocolPlace))
    tags = ListField(StringField())
    data = DictField()
    cover = FileField()
    pages = IntField(default=3, choices=[(3, "few"), (900, "many")])
    lent = BooleanField()
    made = DateTimeField(auto_now_add=True)
    meta = {"app_label": "contenttypes", "permissions": [("lend", "Can lend")]}


def sources() -> Iterator[ast.AST]:
    for folder in GENERIC:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and "management" not in path.parts:
                yield from ast.walk(ast.parse(path.read_text()))
    yield from ast.walk(ast.parse((ROOT / "shortcuts.py").read_text()))


def named(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def read_of(names: set[str], known: Any) -> list[str]:
    """The attributes that generic code reads of variables of these names, and Django's have."""
    found = {
        node.attr
        for node in sources()
        if isinstance(node, ast.Attribute) and named(node.value) in names
    }
    return sorted(one for one in found if hasattr(known, one))


META = read_of({"_meta", "opts", "lookup_opts", "model_meta"}, contenttypes.ContentType._meta)
FIELD = read_of(
    {"f", "field", "db_field", "pk", "model_field", "pk_field", "fk", "source_field"},
    contenttypes.ContentType._meta.get_field("model"),
)


def test_the_generated_lists_are_not_empty() -> None:
    assert {"app_label", "get_field", "total_unique_constraints", "all_parents"} <= set(META)
    assert {"formfield", "save_form_data", "remote_field", "flatchoices"} <= set(FIELD)


@pytest.mark.parametrize("name", META)
@pytest.mark.parametrize("cls", [ProtocolBook, ProtocolWriter, ProtocolPlace])
def test_meta_has_what_generic_code_reads(cls: Any, name: str) -> None:
    getattr(cls._meta, name)


@pytest.mark.parametrize("name", FIELD)
def test_fields_have_what_generic_code_reads(name: str) -> None:
    for field in ProtocolBook._meta.get_fields():
        twin = models.ForeignKey(contenttypes.ContentType, models.CASCADE)
        own = models.CharField() if field.remote_field is None else twin
        if name != "path_infos" and hasattr(own, name):
            getattr(field, name)


def test_fields_are_of_djangos_own_classes() -> None:
    kinds = {"title": models.CharField, "writer": models.ForeignKey, "cover": models.FileField,
             "lent": models.BooleanField, "made": models.DateTimeField}  # fmt: skip
    for name, kind in kinds.items():
        assert isinstance(ProtocolBook._meta.get_field(name), kind)
    assert [one.name for one in ProtocolBook._meta.concrete_fields] == list(ProtocolBook._fields)
    assert sorted(ProtocolBook._meta.fields)[0].name == ProtocolBook._meta.fields[0].name


def test_options_of_fields() -> None:
    title, lent = (ProtocolBook._meta.get_field(name) for name in ("title", "lent"))
    assert (title.verbose_name, title.max_length, title.blank) == ("the title", 60, False)
    assert (lent.blank, lent.null) == (True, True)
    pages = ProtocolBook._meta.get_field("pages")
    assert pages.flatchoices == [(3, "few"), (900, "many")] and pages.get_default() == 3
    assert pages.get_choices(include_blank=False) == [(3, "few"), (900, "many")]
    assert not ProtocolBook._meta.get_field("made").editable
    assert title.db_field == "title" and title.document_field is ProtocolBook._fields["title"]


def test_a_missing_field_is_djangos_error() -> None:
    for kind in (FieldDoesNotExist, DjangoFieldDoesNotExist):
        with pytest.raises(kind, match="has no field named 'nope'"):
            ProtocolBook._meta.get_field("nope")
    with pytest.raises(AttributeError, match="a document has nothing of the kind"):
        ProtocolBook._meta.tablespace_of_tables  # noqa: B018


def test_a_reference_is_found_by_its_attname() -> None:
    writer = ProtocolBook._meta.get_field("writer")
    assert ProtocolBook._meta.get_field("writer_id") is writer
    assert writer.related_model is ProtocolWriter
    assert writer.target_field.name == "name"
    assert writer.path_infos[-1].to_opts is ProtocolWriter._meta


def test_keys_of_addresses() -> None:
    key = ProtocolBook._meta.pk
    text = "5f5f5f5f5f5f5f5f5f5f5f5f"
    assert str(key.to_python(text)) == text
    with pytest.raises(DjangoValidationError):
        key.to_python("nonsense")
    assert ProtocolWriter._meta.pk.name == "name"


def test_names_and_inheritance() -> None:
    meta = ProtocolBook._meta
    assert (meta.label, meta.label_lower) == (
        "contenttypes.ProtocolBook",
        "contenttypes.protocolbook",
    )
    assert (meta.managed, meta.swapped, meta.proxy, meta.parents) == (False, None, False, {})
    assert meta.get_parent_list() == [] and meta.concrete_model is ProtocolBook
    assert meta.permissions == [("lend", "Can lend")] and "view" in meta.default_permissions


def test_managers_answer_as_djangos() -> None:
    mongodb.connect(host="docstore://:memory:", alias="protocol")
    with mongodb.switch_db(ProtocolWriter, "protocol") as cls:
        cls(name="Ada").save()
        manager = cls._meta.default_manager
        assert manager.get_queryset().using(None).complex_filter({"name": "Ada"}).count() == 1
        assert manager.db_manager("protocol").db == "protocol"
        assert cls._base_manager.all().query.select_related is False
    mongodb.disconnect("protocol")


def test_periods_of_dates() -> None:
    import datetime

    class ProtocolDay(Document):
        at = DateTimeField()
        meta = {"db_alias": "protocol"}

    mongodb.connect(host="docstore://:memory:", alias="protocol")
    for month, hour in ((3, 1), (3, 23), (5, 2)):
        ProtocolDay(at=datetime.datetime(2024, month, 9, hour)).save()
    ProtocolDay().save()
    assert ProtocolDay.objects.dates("at", "month") == [
        datetime.date(2024, 3, 1), datetime.date(2024, 5, 1)]  # fmt: skip
    west = datetime.timezone(datetime.timedelta(hours=-3))
    days = ProtocolDay.objects.datetimes("at", "day", order="DESC", tzinfo=west)
    assert [one.day for one in days] == [8, 9, 8]
    mongodb.disconnect("protocol")


class ProtocolInside(EmbeddedDocument):
    code = IntField(unique=True)


class ProtocolUnique(Document):
    a = IntField(unique=True, sparse=True)
    n = IntField()
    to = ReferenceField("self", unique=True)
    inside = EmbeddedDocumentField(ProtocolInside)
    meta = {
        "indexes": [
            {"fields": ["n"], "unique": True, "partialFilterExpression": {"a": {"$gt": 5}}},
        ]
    }


def test_uniqueness_is_asked_of_what_is_not_excluded() -> None:
    mongodb.connect("protocol", host="docstore://:memory:")
    try:
        first = ProtocolUnique(a=1, n=1, inside=ProtocolInside(code=3)).save()
        for name, value in (("pk", first.pk), ("id", first.pk), ("a", 1)):
            assert first.serializable_value(name) == value
        for name in ("n", "to", "nothing"):
            with pytest.raises(AttributeError, match="names no document"):
                first.serializable_value(name)
        # only the store knows which documents a partial index holds
        ProtocolUnique(a=2, n=1, to=first).validate_unique()
        for given in ({"a": 1}, {"id": first.pk}):
            wrong = ProtocolUnique(**{"to": first, **given})
            with pytest.raises(DjangoValidationError):
                wrong.validate_unique()
            wrong.validate_unique(exclude=set(given))
        ProtocolInside(code=3).validate_unique()  # the document around it knows
    finally:
        mongodb.disconnect()
