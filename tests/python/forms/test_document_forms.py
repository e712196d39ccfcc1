# SPDX-License-Identifier: Apache-2.0
"""Forms made of Document classes."""

import datetime
import enum
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from bson import json_util
from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict

import mongodb
from mongodb import (
    BooleanField,
    DateTimeField,
    DecimalField,
    DictField,
    Document,
    EmailField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EnumField,
    FileField,
    ImageField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
    ValidationError,
)
from mongodb.forms import (
    DocumentForm,
    documentform_factory,
    documentformset_factory,
    embedded_formset_factory,
)


class FormShade(enum.Enum):
    DARK = "d"
    LIGHT = "l"


class FormWriter(Document):
    name = StringField(required=True, max_length=30)
    meta = {"db_alias": "forms"}

    def __str__(self) -> str:
        return self.name


class FormPlace(EmbeddedDocument):
    city = StringField(required=True, max_length=20)
    zip = StringField(max_length=5)


class FormBook(Document):
    title = StringField(required=True, max_length=30, help_text="as printed")
    isbn = StringField(unique=True, sparse=True)
    text = StringField()
    writer = ReferenceField(FormWriter)
    others = ListField(ReferenceField(FormWriter))
    tags = ListField(StringField(max_length=8))
    numbers = ListField(IntField())
    data = DictField()
    shade = EnumField(FormShade)
    kind = StringField(choices=[("a", "Alpha"), ("b", "Beta")])
    kinds = ListField(StringField(choices=[("a", "Alpha"), ("b", "Beta")]))
    place = EmbeddedDocumentField(FormPlace)
    places = ListField(EmbeddedDocumentField(FormPlace))
    lent = BooleanField(default=False)
    pages = IntField(min_value=1)
    price = DecimalField(max_digits=5, decimal_places=2)
    at = DateTimeField()
    file = FileField(db_alias="forms")
    made = DateTimeField(auto_now_add=True)
    meta = {
        "db_alias": "forms",
        "indexes": [{"fields": ["title", "kind"], "unique": True}],
    }

    def clean(self) -> None:
        if self.title == "Untitled":
            raise ValidationError("needs a better title", field_name="title")
        if self.title == "Nothing":
            raise ValidationError("nothing is not a book")


class FormBookForm(DocumentForm):
    class Meta:
        document = FormBook
        fields = "__all__"


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    mongodb.connect(host="docstore://:memory:", alias="forms")
    yield
    mongodb.disconnect("forms")


def sent(values: dict[str, Any]) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in values.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    for name in ("places",):
        query.setdefault(f"{name}-TOTAL_FORMS", "0")
        query.setdefault(f"{name}-INITIAL_FORMS", "0")
    return query


def test_every_kind_of_field() -> None:
    ada, bob = (FormWriter(name=name).save() for name in ("Ada", "Bob"))
    form = FormBookForm(
        sent({
            "title": "Notes", "writer": str(ada.pk), "others": [str(ada.pk), str(bob.pk)],
            "tags": "red\n two, and\n", "numbers": "1\n2", "data": json_util.dumps({"a": ada.pk}),
            "shade": "d", "kind": "a", "kinds": ["a", "b"], "place-city": "Rome",
            "places-TOTAL_FORMS": "2", "places-0-city": "Oslo", "places-1-city": "",
            "lent": "on", "pages": "3", "price": "1.50", "at": "2024-05-06 07:08",
        }),
        {"file": SimpleUploadedFile("a.txt", b"hello", "text/plain")},
    )  # fmt: skip
    assert form.is_valid(), form.errors
    form.save()
    book = FormBook.objects.get()
    assert (book.writer, book.others, book.tags) == (ada, [ada, bob], ["red", "two, and"])
    assert (book.numbers, book.data, book.shade) == ([1, 2], {"a": ada.pk}, FormShade.DARK)
    assert (book.kind, book.kinds, book.lent, book.pages) == ("a", ["a", "b"], True, 3)
    assert (book.place.city, [one.city for one in book.places]) == ("Rome", ["Oslo"])
    assert (book.price, book.at) == (Decimal("1.50"), datetime.datetime(2024, 5, 6, 7, 8))
    assert (book.file.read(), book.file.filename) == (b"hello", "a.txt")
    assert book.made is not None and "made" not in form.fields
    assert book.isbn is None and "isbn" not in book.to_mongo()


def test_a_form_shows_a_document_and_what_is_unchanged_is_not_changed() -> None:
    ada = FormWriter(name="Ada").save()
    book = FormBook(
        title="T", writer=ada, others=[ada], tags=["a\nb", " c", '"d"'], data={"k": [1, {"z": 2}]},
        place=FormPlace(city="Rome"), places=[FormPlace(city="Oslo")], numbers=[1],
        at=datetime.datetime(2024, 5, 6, 7, 8), shade=FormShade.LIGHT, kinds=["b"],
        price=Decimal("1.5"),
    ).save()  # fmt: skip
    book = FormBook.objects.get()
    form = FormBookForm(instance=book)
    page = form.as_p()
    assert 'value="Rome"' in page and 'value="Oslo"' in page and 'value="2024-05-06 07:08' in page
    shown = {name: form[name].value() for name in form.fields}
    assert shown["writer"] == ada.pk and shown["others"] == [ada.pk]
    again = FormBookForm(
        sent({
            "title": "T", "writer": str(ada.pk), "others": [str(ada.pk)],
            "tags": form.fields["tags"].prepare_value(book.tags), "numbers": "1",
            "data": form.fields["data"].prepare_value(book.data), "shade": "l", "kinds": ["b"],
            "place-city": "Rome", "places-TOTAL_FORMS": "1", "places-INITIAL_FORMS": "1",
            "places-0-city": "Oslo", "at": "2024-05-06 07:08", "price": "1.5",
        }),
        instance=book,
    )  # fmt: skip
    assert again.is_valid(), again.errors
    assert again.changed_data == []
    again.save()
    assert FormBook.objects.get().to_mongo() == book.to_mongo()


def test_errors_are_on_their_fields() -> None:
    FormBook(title="Old", isbn="1", kind="a").save()
    form = FormBookForm(sent({
        "title": "", "isbn": "1", "writer": "5f5f5f5f5f5f5f5f5f5f5f5f", "pages": "0",
        "tags": "ok\nmuch too long", "numbers": "x", "data": "{", "place-zip": "12345",
        "places-TOTAL_FORMS": "1", "places-0-zip": "123456", "price": "123456.789",
    }))  # fmt: skip
    assert set(form.errors) == {
        "title", "writer", "pages", "tags", "numbers", "data", "place", "places", "price", "isbn"
    }  # fmt: skip
    assert form.errors["tags"][0].startswith("Line 2:")
    assert form.errors["isbn"] == ["Form book with this Isbn already exists."]
    page = form.as_p()
    assert "This field is required" in page and "at most 5 characters" in page
    assert form.fields["title"].help_text == "as printed"


def test_errors_of_the_document_and_of_several_fields() -> None:
    FormBook(title="Old", kind="a").save()
    form = FormBookForm(sent({"title": "Old", "kind": "a"}))
    assert form.errors == {"__all__": ["Form book with this Title and Kind already exists."]}
    assert FormBookForm(sent({"title": "Old", "kind": "b"})).is_valid()
    assert FormBookForm(sent({"title": "Untitled"})).errors == {"title": ["needs a better title"]}
    assert "__all__" in FormBookForm(sent({"title": "Nothing"})).errors
    old = FormBook.objects.get()
    assert FormBookForm(sent({"title": "Old", "kind": "a"}), instance=old).is_valid()


def test_save_without_commit_stores_nothing_not_even_files() -> None:
    upload = {"file": SimpleUploadedFile("a.txt", b"x")}
    form = FormBookForm(sent({"title": "T"}), upload)
    book = form.save(commit=False)
    files = mongodb.get_db("forms")["fs.files"]
    assert FormBook.objects.count() == 0 and files.count_documents({}) == 0
    book.text = "more"
    book.save()
    assert FormBook.objects.get().file.read() == b"x" and files.count_documents({}) == 1
    bad = FormBookForm(sent({"title": ""}), {"file": SimpleUploadedFile("b.txt", b"y")})
    assert not bad.is_valid() and files.count_documents({}) == 1
    page = FormBookForm(instance=FormBook.objects.get()).as_p()
    assert "a.txt" in page and 'name="file-clear"' in page
    found = FormBook.objects.get()
    form = FormBookForm(sent({"title": "T", "file-clear": "on"}), {}, instance=found)
    form.save()
    assert not FormBook.objects.get().file and files.count_documents({}) == 0


def test_images_are_looked_at() -> None:
    class FormPhoto(Document):
        image = ImageField(db_alias="forms", required=True)
        meta = {"db_alias": "forms"}

    from PIL import Image

    made = documentform_factory(FormPhoto, fields="__all__")
    bad = made({}, {"image": SimpleUploadedFile("a.png", b"no image")})
    assert set(bad.errors) == {"image"} and set(made({}).errors) == {"image"}
    out = io.BytesIO()
    Image.new("RGB", (3, 2)).save(out, "PNG")
    form = made({}, {"image": SimpleUploadedFile("a.png", out.getvalue(), "image/png")})
    assert form.is_valid(), form.errors
    form.save()
    assert FormPhoto.objects.get().image.size == (3, 2)


def test_options_of_meta() -> None:
    class Chosen(DocumentForm):
        class Meta:
            document = FormBook
            fields = ["title", "text", "pages"]
            exclude = ["pages"]
            widgets = {"title": forms.Textarea}
            labels = {"title": "Name"}
            help_texts = {"title": "short"}
            error_messages = {"title": {"required": "A name!"}}
            field_classes = {"text": forms.SlugField}
            localized_fields = ["text"]

    form = Chosen({})
    assert list(form.fields) == ["title", "text"]
    assert form.errors == {"title": ["A name!"]}
    assert isinstance(form.fields["title"].widget, forms.Textarea)
    assert (form.fields["title"].label, form.fields["title"].help_text) == ("Name", "short")
    assert isinstance(form.fields["text"], forms.SlugField) and form.fields["text"].localize
    seen = []

    def callback(field: Any, **kwargs: Any) -> Any:
        seen.append(field.name)
        return field.formfield(**kwargs)

    documentform_factory(FormBook, fields=["title"], formfield_callback=callback)
    assert "title" in seen
    with pytest.raises(ImproperlyConfigured, match="either the 'fields' attribute or"):
        type("NoFields", (DocumentForm,), {"Meta": type("Meta", (), {"document": FormBook})})
    with pytest.raises(ImproperlyConfigured, match="for a Document or an EmbeddedDocument"):
        type("NoDocument", (DocumentForm,), {
            "Meta": type("Meta", (), {"model": object, "fields": []})})  # fmt: skip
    with pytest.raises(Exception, match=r"Unknown field\(s\) \(nope\)"):
        documentform_factory(FormBook, fields=["nope"])


def test_djangos_own_model_form_takes_documents() -> None:
    class Stock(forms.ModelForm):
        class Meta:
            model = FormBook
            fields = ["title", "kind"]

    form = Stock({"title": "T", "kind": "b"})
    assert form.is_valid(), form.errors
    assert form.save().pk is not None
    assert not Stock({"title": "", "kind": "z"}).is_valid()


def test_a_reference_is_checked_by_one_query_of_its_key() -> None:
    for at in range(5):
        FormWriter(name=f"w{at}").save()
    ada = FormWriter.objects.first()
    form = documentform_factory(FormBook, fields=["title", "writer"])
    made = form({"title": "T", "writer": str(ada.pk)})
    with mongodb.context_managers.query_counter("forms") as counter:
        assert made.is_valid()
        assert counter == 1
    assert len(form().fields["writer"].choices) == 6


def test_formsets_of_documents() -> None:
    for name in ("Ada", "Bob"):
        FormWriter(name=name).save()
    made = documentformset_factory(FormWriter, fields=["name"], extra=1, can_delete=True)
    first, second = FormWriter.objects.order_by("name")
    formset = made(
        {
            "form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "2", "form-0-id": str(first.pk),
            "form-0-name": "Ada L.", "form-1-id": str(second.pk), "form-1-name": "Bob",
            "form-1-DELETE": "on", "form-2-name": "Cy",
        },
        queryset=FormWriter.objects.order_by("name"),
    )  # fmt: skip
    assert formset.is_valid(), formset.errors
    formset.save()
    assert sorted(FormWriter.objects.scalar("name")) == ["Ada L.", "Cy"]


def test_formsets_of_embedded_documents_add_change_delete_and_order() -> None:
    book = FormBook(title="T", places=[FormPlace(city=one) for one in ("Rome", "Oslo", "Bonn")])
    book.save()
    made = embedded_formset_factory(FormBook, "places", can_order=True, fields=["city"])
    assert 'value="Rome"' in made(instance=book).as_p()
    data = {"places-TOTAL_FORMS": "4", "places-INITIAL_FORMS": "3"}
    for at, (city, order) in enumerate((("Rome", 3), ("Oslo 2", 1), ("Bonn", 2), ("Linz", ""))):
        data |= {f"places-{at}-city": city, f"places-{at}-ORDER": str(order)}
    data["places-2-DELETE"] = "on"
    formset = made(data, instance=FormBook.objects.get())
    assert formset.is_valid(), formset.errors
    assert [one.city for one in formset.save()] == ["Linz", "Rome", "Oslo 2"]
    assert [one.city for one in FormBook.objects.get().places] == ["Oslo 2", "Rome", "Linz"]
    assert [one.city for one in formset.deleted_objects] == ["Bonn"]


def test_a_formset_refuses_a_list_that_changed_meanwhile() -> None:
    book = FormBook(title="T", places=[FormPlace(city="Rome"), FormPlace(city="Oslo")]).save()
    made = embedded_formset_factory(FormBook, "places")
    stale = {"places-TOTAL_FORMS": "1", "places-INITIAL_FORMS": "1", "places-0-city": "Linz"}
    formset = made(stale, instance=book)
    assert not formset.is_valid() and formset.non_form_errors().data[0].code == "moved"
    with pytest.raises(ValueError, match="didn't validate"):
        formset.save()
    assert [one.city for one in book.places] == ["Rome", "Oslo"]
    wrong = made({**stale, "places-TOTAL_FORMS": "2", "places-INITIAL_FORMS": "2",
                  "places-0-city": ""}, instance=book)  # fmt: skip
    assert not wrong.is_valid() and [one.city for one in book.places] == ["Rome", "Oslo"]
    with pytest.raises(ImproperlyConfigured, match="is no list of"):
        embedded_formset_factory(FormBook, "tags")


def test_embedded_documents_that_hold_themselves_are_json() -> None:
    class FormNode(EmbeddedDocument):
        name = StringField(required=True)
        below = ListField(EmbeddedDocumentField("self"))

    class FormTree(Document):
        root = EmbeddedDocumentField(FormNode)
        meta = {"db_alias": "forms"}

    made = documentform_factory(FormTree, fields="__all__")
    form = made({"root": '{"name": "a", "below": [{"name": "b"}]}'})
    assert form.is_valid(), form.errors
    form.save()
    assert FormTree.objects.get().root.below[0].name == "b"
    assert "This root" not in str(made({"root": '{"below": [{}]}'}).errors)
    assert set(made({"root": '{"below": [{}]}'}).errors) == {"root"}


class FormYard(EmbeddedDocument):
    gate = StringField(max_length=9)
    open = BooleanField(default=False)
    plan = FileField(db_alias="forms")
    trees = IntField(default=2)


class FormFarm(Document):
    place = EmbeddedDocumentField(FormPlace)
    yard = EmbeddedDocumentField(FormYard)
    meta = {"db_alias": "forms"}


def test_emptying_all_inputs_of_an_optional_embedded_document_removes_it() -> None:
    made = documentform_factory(FormFarm, fields="__all__")
    farm = FormFarm(
        place=FormPlace(city="York", zip="1"),
        yard=FormYard(gate="east", open=True),
    ).save()
    sent = {"place-city": "", "place-zip": "", "yard-gate": "", "yard-trees": "2"}
    form = made(sent, instance=farm)
    assert form.is_valid() and form.changed_data == ["place", "yard"], form.errors
    form.save()
    farm = FormFarm.objects.get()
    assert farm.place is None and farm.yard is None
    # one input that is left is an error where another is required
    farm.place = FormPlace(city="York", zip="1")
    assert made({"place-city": "", "place-zip": "1"}, instance=farm).errors["place"]


def test_an_embedded_document_whose_inputs_are_not_emptied_stays() -> None:
    made = documentform_factory(FormFarm, fields=["yard"])
    for before, sent, after in [
        ({"trees": 2}, {"yard-trees": "2"}, {"trees": 2, "open": False}),
        ({"trees": 5}, {"yard-trees": "2"}, {"trees": 2, "open": False}),
        ({"open": True}, {"yard-trees": "2"}, {"trees": 2, "open": False}),
        ({"gate": "a"}, {"yard-gate": "", "yard-open": "on", "yard-trees": "2"},
         {"trees": 2, "open": True}),
    ]:  # fmt: skip
        farm = FormFarm(yard=FormYard(**before)).save()
        form = made(sent, instance=farm)
        assert form.is_valid(), form.errors
        form.save()
        yard = FormFarm.objects.get(pk=farm.pk).yard
        assert {"trees": yard.trees, "open": yard.open} == after, (before, sent)
        assert yard.gate is None
    farm = FormFarm(yard=FormYard(gate="a"))
    farm.yard.plan.put(b"lines", filename="plan.txt")
    farm.save()
    form = made({"yard-gate": "", "yard-trees": "2"}, instance=farm)
    assert form.is_valid(), form.errors
    form.save()
    assert FormFarm.objects.get(pk=farm.pk).yard.plan.read() == b"lines"


def test_an_optional_embedded_form_left_empty_is_nothing() -> None:
    class FormHouse(Document):
        place = EmbeddedDocumentField(FormPlace)
        must = EmbeddedDocumentField(FormPlace, required=True)
        mail = EmailField()
        meta = {"db_alias": "forms"}

    made = documentform_factory(FormHouse, fields="__all__")
    assert set(made({}).errors) == {"must"}
    form = made({"must-city": "Rome", "mail": "no"})
    assert set(form.errors) == {"mail"}
    house = made({"must-city": "Rome"}).save()
    assert house.place is None and house.must.city == "Rome"
    changed = made({"must-city": "Oslo", "place-city": "Bonn"}, instance=house).save()
    assert (changed.must.city, changed.place.city) == ("Oslo", "Bonn")


@pytest.mark.parametrize(
    "text",
    ['{"a": {"$oid": "zz"}}', '{"a": {"$oid": 5}}', '{"a": {"$date": "x"}}',
     '{"a": {"$binary": "x"}}', '{"a": {"$date": {"$numberLong": "999999999999999999"}}}',
     '{"a": {"$numberLong": "x"}}',
     '{"a": {"$numberDecimal": "x"}}', '{"a": {"$uuid": "x"}}', '{"a": {"$minKey": 2}}',
     '{"a": {"$dbPointer": {}}}', '{"a": {"$timestamp": {"t": "x", "i": 1}}}', '{"a": "\\ud800"}',
     '{"a": 99999999999999999999}', '{"a": ' + "9" * 5000 + "}", '{"a": ' + "[" * 100_000,
     '{"a": ' + "[" * 250 + "]" * 250 + "}"],
)  # fmt: skip
def test_json_that_is_no_value_is_an_error_of_its_field(text: str) -> None:
    from mongodb.forms import ExtendedJSONField

    field = ExtendedJSONField(field=DictField())
    with pytest.raises(forms.ValidationError):
        field.clean(text)
    assert field.has_changed({}, text)


def test_a_line_in_quotes_is_a_text_that_can_be_stored() -> None:
    from mongodb.forms import LinesField

    with pytest.raises(forms.ValidationError):
        LinesField(item=forms.CharField()).clean('"\\ud800"')
