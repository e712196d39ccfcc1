# SPDX-License-Identifier: Apache-2.0
"""MongoDB's own fields: stored, read, asked for, checked, dumped."""

import datetime
import json
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO

from bson import ObjectId
from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.core.management import call_command
from django.db import IntegrityError, NotSupportedError, connection
from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Q, Subquery
from django.test import TestCase, TransactionTestCase
from django.urls import reverse
from django.utils import timezone

from .models import Address, Cat, Dog, Publisher, Review, Title, Writer

AT = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)


def stored(title):
    (found,) = connection.documents({"find": "press_title", "filter": {"_id": title.pk}})
    return found


def names(queryset):
    return sorted(one.name for one in queryset)


class Rows(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.house = Publisher.objects.create(name="House")
        cls.ann = Writer(
            name="Ann",
            born=datetime.date(1970, 1, 2),
            rate=Decimal("1.50"),
            address=Address(city="Bath", zip_code=7, tags=["home"]),
            publisher=cls.house,
        )
        cls.a = Title.objects.create(
            name="A", writer=cls.ann, words=["x", "y"], marks=[Decimal("1.25"), Decimal("3.00")],
            grid=[[1, 2], [3, 4]], other=ObjectId("0" * 24),
            reviews=[Review(by="Joe", stars=5, at=AT), Review(by="Sue", stars=1, words=["bad"])],
            mascot=Cat(name="Tom"), places=[Address(city="Rome")],
        )  # fmt: skip
        cls.b = Title.objects.create(
            name="B", writer=Writer(name="Bob", rate=Decimal("3.00")), words=["y"],
            reviews=[Review(by="Joe", stars=2)], pets=[Dog(name="Rex"), Cat(name="Kit")],
        )  # fmt: skip
        cls.c = Title.objects.create(name="C")


class Stored(Rows):
    def test_documents_are_plain_bson(self):
        found = stored(self.a)
        assert list(found["writer"]) == ["name", "born", "rate", "address", "publisher_id", "data"]
        assert found["writer"]["address"] == {"city": "Bath", "zip": 7, "tags": ["home"]}
        assert found["writer"]["born"] == datetime.datetime(1970, 1, 2)
        assert str(found["writer"]["rate"]) == "1.50"
        assert found["writer"]["publisher_id"] == self.house.pk
        assert [one["by"] for one in found["reviews"]] == ["Joe", "Sue"]
        assert found["mascot"] == {"name": "Tom", "purrs": True, "_label": "press.Cat"}
        assert found["words"] == ["x", "y"] and found["grid"] == [[1, 2], [3, 4]]
        assert isinstance(found["other"], ObjectId)

    def test_instances_come_back(self):
        found = Title.objects.get(name="A")
        assert found.writer == self.ann and found.writer.address.zip_code == 7
        assert found.writer.publisher.name == "House"
        assert found.marks == [Decimal("1.25"), Decimal("3.00")]
        assert found.reviews[0].at == AT and found.reviews[1].words == ["bad"]
        assert isinstance(found.mascot, Cat) and found.mascot.purrs is True
        assert found.places == [Address(city="Rome")]
        assert [type(one) for one in Title.objects.get(name="B").pets] == [Dog, Cat]
        assert Title.objects.get(name="C").writer is None

    def test_changes_are_saved(self):
        found = Title.objects.get(name="A")
        found.writer.address.city = "York"
        found.reviews.append(Review(by="Max", stars=3))
        found.save()
        found = Title.objects.get(name="A")
        assert found.writer.address.city == "York" and len(found.reviews) == 3

    def test_update_takes_instances(self):
        Title.objects.filter(name="C").update(writer=self.ann, words=["z"], mascot=Dog(name="Rex"))
        self.c.refresh_from_db()
        assert (self.c.writer, self.c.words, self.c.mascot.name) == (self.ann, ["z"], "Rex")

    def test_bulk_update_takes_instances(self):
        self.b.writer.name, self.b.words = "Ben", ["n"]
        Title.objects.bulk_update([self.b], ["writer", "words"])
        self.b.refresh_from_db()
        assert (self.b.writer.name, self.b.words) == ("Ben", ["n"])

    def test_an_old_document_may_lack_fields(self):
        change = {"$unset": {"writer.rate": "", "writer.address.tags": ""}}
        connection.command({"update": "press_title", "updates": [
            {"q": {"_id": self.a.pk}, "u": change}
        ]})  # fmt: skip
        found = Title.objects.get(name="A")
        assert found.writer.rate is None and found.writer.address.tags == []

    def test_the_store_refuses_other_types(self):
        for change in (
            {"writer.name": 5},
            {"words": [5]},
            {"reviews.0.stars": -1},
            {"words": None},
        ):
            with self.assertRaises(IntegrityError, msg=change):
                connection.command({"update": "press_title", "updates": [
                    {"q": {"_id": self.a.pk}, "u": {"$set": change}}
                ]})  # fmt: skip

    def test_the_types_that_were_wanted_are_told(self):
        with self.assertRaisesMessage(IntegrityError, "words must be array, is string"):
            Title(name="x", words="one").save()

    def test_another_kind_of_instance_is_refused(self):
        with self.assertRaisesMessage(TypeError, "Expected instance of type"):
            Title(name="x", writer=Cat(name="Tom")).save()
        with self.assertRaisesMessage(TypeError, "Expected list of"):
            Title(name="x", reviews=Review(by="x", stars=1)).save()

    def test_an_unknown_label_is_told(self):
        connection.command({"update": "press_title", "updates": [
            {"q": {"_id": self.a.pk}, "u": {"$set": {"mascot._label": "press.Cow"}}}
        ]})  # fmt: skip
        with self.assertRaisesMessage(ValueError, "'press.Cow', expected one of press.Cat"):
            Title.objects.get(name="A")


class Asked(Rows):
    def test_fields_of_embedded_models(self):
        found = Title.objects.filter
        assert names(found(writer__name="Ann")) == ["A"]
        assert names(found(writer__address__city__startswith="B")) == ["A"]
        assert names(found(writer__rate__gt=Decimal("1.50"))) == ["B"]
        assert names(found(writer__born__year=1970)) == ["A"]
        assert names(found(writer__name__in=["Ann", "Bob"])) == ["A", "B"]
        assert names(found(writer__name__icontains="N")) == ["A"]
        assert names(found(writer__isnull=True)) == ["C"]
        assert names(found(writer__address__isnull=True)) == ["B", "C"]
        assert names(found(writer__publisher=self.house)) == ["A"]
        assert names(found(writer__publisher_id=self.house.pk)) == ["A"]
        assert names(found(writer__address=self.ann.address)) == ["A"]
        assert names(found(Q(writer__name="Ann") | Q(writer__rate=3))) == ["A", "B"]
        assert names(found(mascot__purrs=True)) == ["A"]

    def test_exclude_keeps_what_has_no_value(self):
        assert names(Title.objects.exclude(writer__name="Ann")) == ["B", "C"]
        assert names(Title.objects.exclude(writer__rate__lt=2)) == ["B", "C"]
        assert names(Title.objects.exclude(reviews__by="Joe")) == ["C"]
        assert names(Title.objects.exclude(reviews__stars__gt=4)) == ["B", "C"]
        assert names(Title.objects.exclude(writer__name=F("name"))) == ["A", "B", "C"]
        assert names(Title.objects.exclude(words__contains=["x"])) == ["B", "C"]

    def test_some_item_of_an_array(self):
        found = Title.objects.filter
        assert names(found(reviews__by="Joe")) == ["A", "B"]
        assert names(found(reviews__stars__gte=3)) == ["A"]
        assert names(found(reviews__by__iexact="sue")) == ["A"]
        assert names(found(reviews__1__by="Sue")) == ["A"]
        assert names(found(reviews__len=2)) == ["A"]
        assert names(found(reviews__len__lt=2)) == ["B", "C"]
        assert names(found(reviews__words__0="bad")) == ["A"]
        assert names(found(reviews__0_1__by="Sue")) == []
        assert names(found(pets__barks=True)) == ["B"]
        assert names(found(places__0__city="Rome")) == ["A"]

    def test_arrays(self):
        found = Title.objects.filter
        assert names(found(words=["x", "y"])) == ["A"]
        assert names(found(words__contains=["y"])) == ["A", "B"]
        assert names(found(words__contained_by=["y", "z"])) == ["B", "C"]
        assert names(found(words__overlap=["x", "q"])) == ["A"]
        assert names(found(words__in=[["y"], ["q"]])) == ["B"]
        assert names(found(words__contains={"x", "y"})) == ["A"]
        for lookup in ("contains", "contained_by", "overlap"):
            with self.assertRaisesMessage(ValueError, f"{lookup} of words takes a list of values"):
                found(**{f"words__{lookup}": "xy"})
        assert names(found(words__0__startswith="x")) == ["A"]
        assert names(found(words__0_1=["y"])) == ["B"]
        assert names(found(marks__contains=[Decimal("3")])) == ["A"]
        assert names(found(marks__isnull=True)) == ["B", "C"]
        assert names(found(grid__contains=[[3, 4]])) == ["A"]
        assert names(found(grid=[3, 4])) == []
        assert names(found(grid__1__0=3)) == ["A"]
        assert names(found(words__overlap=Title.objects.filter(name="B").values("words"))) == [
            "A", "B"
        ]  # fmt: skip

    def test_arrays_of_the_row_around(self):
        for lookup in ("contained_by", "contains", "overlap", "exact", "len"):
            outer = OuterRef("marks__len" if lookup == "len" else "marks")
            inner = Title.objects.filter(**{f"marks__{lookup}": outer})
            assert names(Title.objects.filter(Exists(inner))) == ["A"], lookup
        among = Title.objects.filter(name__in=OuterRef("words"))
        assert names(Title.objects.filter(Exists(among))) == []

    def test_order_values_and_annotations(self):
        titles = Title.objects.order_by("-writer__rate", "name")
        assert [one.name for one in titles] == ["B", "A", "C"]
        rows = list(Title.objects.order_by("name").values_list("writer__name", "writer__born"))
        assert rows == [("Ann", datetime.date(1970, 1, 2)), ("Bob", None), (None, None)]
        assert Title.objects.annotate(city=F("writer__address__city")).get(name="A").city == "Bath"
        assert Title.objects.aggregate(Avg("writer__rate"), Max("writer__name")) == {
            "writer__rate__avg": Decimal("2.25"), "writer__name__max": "Bob",
        }  # fmt: skip
        grouped = Title.objects.values("writer__publisher").annotate(n=Count("pk")).order_by("n")
        assert [(row["writer__publisher"], row["n"]) for row in grouped] == [
            (self.house.pk, 1), (None, 2)
        ]  # fmt: skip
        assert list(Title.objects.order_by("name").values_list("reviews__stars", flat=True)) == [
            [5, 1], [2], []
        ]  # fmt: skip
        newest = Title.objects.filter(writer__name=OuterRef("writer__name")).values("name")[:1]
        assert Title.objects.annotate(o=Subquery(newest)).get(name="B").o == "B"

    def test_keys_within_documents_lead_to_their_models(self):
        found, exclude = Title.objects.filter, Title.objects.exclude
        Title.objects.filter(name="B").update(
            reviews=[Review(by="x", stars=1, of=self.house), Review(by="y", stars=2)]
        )
        assert names(found(writer__publisher__name="House")) == ["A"]
        assert names(found(writer__publisher__name__startswith="H")) == ["A"]
        assert names(found(writer__publisher__name__isnull=True)) == ["B", "C"]
        assert names(exclude(writer__publisher__name="House")) == ["B", "C"]
        assert names(found(reviews__of=self.house)) == ["B"]
        assert names(found(reviews__of__name="House")) == ["B"]
        assert names(exclude(reviews__of__name="House")) == ["A", "C"]
        rows = Title.objects.order_by("name").values_list("name", "writer__publisher__name")
        assert list(rows) == [("A", "House"), ("B", None), ("C", None)]
        with self.assertRaisesMessage(FieldError, "Publisher has no field named 'nme'"):
            found(writer__publisher__nme="x")

    def test_documents_of_no_model(self):
        value = {"a": {"b": [1, {"c": "Deep"}]}, "at": AT, "n": Decimal("1.5"), "o": ObjectId()}
        self.c.notes = value
        self.c.save()
        assert stored(self.c)["notes"]["at"] == AT.replace(tzinfo=None)
        assert Title.objects.get(name="C").notes == value
        found = Title.objects.filter
        assert names(found(notes__a__b__0=1)) == ["C"]
        assert names(found(notes__a__b__1__c__icontains="dee")) == ["C"]
        assert names(found(notes__at__gte=AT)) == ["C"]
        assert names(found(notes__n__lt=2)) == ["C"]
        assert names(found(notes__a__b__len=2)) == ["C"]
        assert names(found(notes__o=value["o"])) == ["C"]
        assert names(found(notes__x__isnull=True)) == ["A", "B", "C"]
        assert names(Title.objects.exclude(notes__n=Decimal("1.5"))) == ["A", "B"]
        assert Title.objects.values_list("notes__a__b__1__c", flat=True).get(name="C") == "Deep"
        assert Title.objects.values_list("notes__at", flat=True).get(name="C") == AT
        (one,) = serializers.deserialize("json", serializers.serialize("json", [self.c]))
        assert one.object.notes == value

    def test_what_there_is_not_is_named(self):
        with self.assertRaisesMessage(FieldError, "it has address, born, data, id, name"):
            Title.objects.filter(writer__nme="x")
        with self.assertRaisesMessage(FieldError, "perhaps you meant startswith"):
            Title.objects.filter(writer__name__startwith="x")
        with self.assertRaisesMessage(FieldError, "Known: contains, endswith, exact"):
            Title.objects.filter(reviews__stars__between=3)
        with self.assertRaisesMessage(FieldError, "Unsupported lookup 'has'"):
            Title.objects.filter(words__has=3)

    def test_indexes_serve(self):
        for condition, index in (
            ({"writer__name": "Ann"}, "press_writer"),
            ({"writer__name__in": ["Ann"]}, "press_writer"),
            ({"reviews__stars": 5}, "press_stars"),
            ({"reviews__stars__gt": 2}, "press_stars"),
            ({"words__contains": ["x"]}, "press_words"),
            ({"words__overlap": ["x"]}, "press_words"),
        ):
            told = json.loads(Title.objects.filter(**condition).explain())
            assert "find" in told["command"] and f'"{index}"' in json.dumps(told), condition

    def test_embedded_models_have_no_queries(self):
        for call in (Writer.objects.all, Writer.objects.count):
            with self.assertRaises(NotSupportedError):
                call()
        with self.assertRaises(NotSupportedError):
            Writer(name="x").save()


class Checked(Rows):
    def errors(self, **values):
        with self.assertRaises(ValidationError) as caught:
            Title(**{"name": "x", **values}).full_clean()
        return caught.exception.message_dict

    def test_errors_name_the_field_within(self):
        assert self.errors(writer=Writer(name="")) == {
            "writer": ["name: This field cannot be blank."]
        }
        bad = Writer(name="x" * 21, rate=Decimal("1.234"), address=Address(city=""))
        assert self.errors(writer=bad)["writer"] == [
            "name: Ensure this value has at most 20 characters (it has 21).",
            "rate: Ensure that there are no more than 2 decimal places.",
            "address: city: This field cannot be blank.",
        ]

    def test_errors_name_the_item(self):
        reviews = [Review(by="x", stars=1), Review(by="x", stars=9)]
        assert self.errors(reviews=reviews) == {
            "reviews": [
                "Item 2 in the array did not validate: stars: Value 9 is not a valid choice."
            ]
        }
        assert self.errors(words=["a", "b" * 21])["words"] == [
            "Item 2 in the array did not validate: "
            "Ensure this value has at most 20 characters (it has 21)."
        ]

    def test_sizes(self):
        assert self.errors(words=list("abcde")) == {
            "words": ["List contains 5 items, it should contain no more than 4."]
        }
        assert self.errors(grid=[[1], [2, 3]]) == {
            "grid": ["Nested arrays must have the same length."]
        }

    def test_other_types(self):
        assert "Expected instance of type" in self.errors(writer=Cat(name="x"))["writer"][0]
        assert self.errors(other="12") == {"other": ["“12” is not a valid Object Id."]}
        assert self.errors(words=3) == {"words": ["“3” is not a list."]}
        assert "Expected instance" in self.errors(mascot=Writer(name="x"))["mascot"][0]

    def test_clean_of_the_embedded_model_is_called(self):
        Title(name="x", writer=Writer(name="Ann"), mascot=Cat(name="Tom")).full_clean()


class Dumped(Rows):
    def test_every_format_brings_everything_back(self):
        for kind in ("json", "xml", "jsonl", "python"):
            before = list(Title.objects.order_by("pk"))
            text = serializers.serialize(kind, before)
            for one in serializers.deserialize(kind, text):
                one.save()
            after = list(Title.objects.order_by("pk"))
            for old, new in zip(before, after, strict=True):
                for field in Title._meta.fields:
                    assert getattr(old, field.attname) == getattr(new, field.attname), kind

    def test_dumpdata_and_loaddata(self):
        out = StringIO()
        call_command("dumpdata", "press", stdout=out)
        rows = json.loads(out.getvalue())
        assert {row["model"] for row in rows} == {"press.publisher", "press.title"}

    def test_strange_text_is_refused(self):
        for value in ("{", '{"nme": 1}'):
            with self.assertRaises(ValidationError):
                Title._meta.get_field("writer").to_python(value)
        with self.assertRaises(ValidationError):
            Title._meta.get_field("mascot").to_python('{"_label": "x.Y"}')


class Raw(Rows):
    def test_instances_with_what_the_pipeline_gives(self):
        found = list(Title.objects.raw_aggregate([
            {"$match": {"writer.name": "Ann"}},
            {"$project": {"writer": 1, "stars": {"$sum": "$reviews.stars"}}},
        ]))  # fmt: skip
        assert len(found) == 1 and found[0].writer == self.ann and found[0].stars == 6
        assert found[0].get_deferred_fields() >= {"name", "reviews"}
        with self.assertNumQueries(1):
            assert found[0].name == "A"

    def test_a_field_that_only_some_documents_have(self):
        stages = [{"$project": {"name": {"$cond": [{"$eq": ["$name", "A"]}, "$name", "$$REMOVE"]}}}]
        found = sorted(Title.objects.raw_aggregate(stages), key=lambda one: one.pk)
        assert ["name" in one.get_deferred_fields() for one in found] == [False, True, True]


class Keys(TestCase):
    def test_object_id_keys_are_made(self):
        house = Publisher.objects.create(name="x")
        assert isinstance(house.pk, ObjectId)
        assert Publisher.objects.get(pk=str(house.pk)) == house
        assert [type(one.pk) for one in Publisher.objects.bulk_create([Publisher(name="y")])] == [
            ObjectId
        ]
        with self.assertRaises(ValidationError):
            Publisher.objects.get(pk="not one")

    def test_urls_hold_them(self):
        key = ObjectId()
        url = reverse("publisher", kwargs={"pk": key})
        assert url == f"/publisher/{key}/"
        assert self.client.get(url).content.decode() == repr(key)
        assert self.client.get("/publisher/12/").status_code == 404

    def test_a_foreign_key_to_one_is_one(self):
        house = Publisher.objects.create(name="x")
        title = Title.objects.create(name="t", writer=Writer(name="w", publisher=house))
        assert stored(title)["writer"]["publisher_id"] == house.pk


class OtherMakers(TransactionTestCase):
    """Collections as other programs make them: no validator, another order, more fields."""

    def validate(self, validator):
        connection.command({"collMod": "press_title", "validator": validator})
        connection.connection.tables.forget()

    def test_their_documents_open(self):
        table = {"listCollections": 1, "filter": {"name": "press_title"}}
        ours = connection.documents(table)[0]["options"]["validator"]
        self.validate({})
        self.addCleanup(self.validate, ours)
        connection.command({"insert": "press_title", "documents": [
            {"_id": 900, "name": "theirs", "more": 1, "words": ["a"],
             "reviews": [{"stars": 4, "by": "Z", "kind": 1}],
             "pets": [{"_label": "press.Dog", "barks": False, "name": "Rex"}],
             "writer": {"address": {"zip": 9, "city": "Ulm", "tags": None}, "name": "Zoe"}},
        ]})  # fmt: skip
        found = Title.objects.get(writer__address__city="Ulm")
        assert found.writer.address.zip_code == 9 and found.writer.rate is None
        assert found.reviews[0].stars == 4 and found.pets[0].barks is False
        assert timezone.is_naive(found.reviews[0].at or datetime.datetime(1, 1, 1))


class Forms(Rows):
    def form(self, **data):
        class TitleForm(forms.ModelForm):
            class Meta:
                model = Title
                fields = "__all__"

        base = {"name": "N", "reviews-TOTAL_FORMS": 0, "reviews-INITIAL_FORMS": 0,
                "pets-TOTAL_FORMS": 0, "pets-INITIAL_FORMS": 0,
                "places-TOTAL_FORMS": 0, "places-INITIAL_FORMS": 0}  # fmt: skip
        return TitleForm({**base, **data})

    def test_a_form_makes_what_is_embedded(self):
        form = self.form(**{
            "words": "a,b", "other": "1" * 24, "marks": "1.5,2", "grid": "1,2|3,4",
            "writer-name": "Eve", "writer-rate": "2.5", "writer-address-city": "Oslo",
            "writer-address-tags": "x,y", "writer-publisher": str(self.house.pk),
            "reviews-TOTAL_FORMS": 2, "reviews-0-by": "Joe", "reviews-0-stars": "4",
            "mascot-_label": "press.Dog", "mascot-dog-name": "Rex",
            "pets-TOTAL_FORMS": 2, "pets-1-item-_label": "press.Cat", "pets-1-item-cat-name": "Kit",
        })  # fmt: skip
        assert form.is_valid(), form.errors
        title = Title.objects.get(pk=form.save().pk)
        assert title.writer.address == Address(city="Oslo", tags=["x", "y"])
        assert title.writer.publisher == self.house and title.writer.rate == Decimal("2.5")
        assert title.reviews == [Review(by="Joe", stars=4)]
        assert title.mascot == Dog(name="Rex", barks=False)
        assert title.pets == [Cat(name="Kit", purrs=False)]
        assert title.grid == [[1, 2], [3, 4]]
        assert (title.words, title.marks) == (["a", "b"], [Decimal("1.5"), Decimal("2")])

    def test_errors_stand_at_the_inner_fields(self):
        form = self.form(**{"writer-name": "E" * 21, "mascot-_label": "press.Dog",
                            "other": "x", "words": "a,b,c,d,e"})  # fmt: skip
        assert set(form.errors) == {"writer", "mascot", "other", "words"}
        assert "at most 20 characters" in str(form["writer"])
        assert not form["writer"].errors and "This field is required" in str(form["mascot"])
        assert "invalid" not in self.form(**{"mascot-_label": "press.Cow"}).errors
        assert "mascot" in self.form(**{"mascot-_label": "press.Cow"}).errors


class Admin(Rows):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.user = User.objects.create_superuser("root", password="x")

    def setUp(self):
        self.client.force_login(self.user)

    def test_lists_and_searches(self):
        page = self.client.get("/admin/press/title/", {"q": "Sue"}).content.decode()
        assert "1 title" in page and "Ann" in page and "x, y" in page

    def test_items_stand_apart_and_empty_ones_cannot_be_deleted(self):
        text = self.client.get(f"/admin/press/title/{self.a.pk}/change/").content.decode()
        for n in (1, 2, 3):
            assert f"<legend>Review {n}</legend>" in text
        assert 'name="reviews-1-DELETE"' in text and 'name="reviews-2-DELETE"' not in text

    def test_embedded_forms_take_as_many_lines_as_they_need(self):
        text = self.client.get("/admin/press/title/add/").content.decode()
        for name in (
            "writer-name",
            "writer-address-city",
            "mascot-cat-name",
            "pets-0-item-dog-name",
        ):
            before = text[: text.index(f'name="{name}"')]
            assert before.rindex("form-multiline") > before.rindex("fieldset"), name

    def test_shows_and_changes(self):
        url = f"/admin/press/title/{self.a.pk}/change/"
        page = self.client.get(url)
        text = page.content.decode()
        for value in ("Ann", "Bath", "Joe", "Tom", "1.25,3.00"):
            assert f'value="{value}"' in text, value
        data = {}
        for name in page.context["adminform"].form.fields:
            data |= inputs(page.context["adminform"].form[name])
        data |= {"writer-address-city": "York", "reviews-1-DELETE": "on"}
        done = self.client.post(url, data)
        assert done.status_code == 302, done.context["adminform"].form.errors
        title = Title.objects.get(pk=self.a.pk)
        assert title.writer.address.city == "York" and title.writer.name == "Ann"
        assert [one.by for one in title.reviews] == ["Joe"]
        assert title.mascot == Cat(name="Tom")
        assert (title.grid, title.places) == ([[1, 2], [3, 4]], [Address(city="Rome")])
        (entry,) = LogEntry.objects.all()
        assert "Writer" in entry.get_change_message() and "Mascot" not in str(entry)

    def test_adds_and_deletes_by_object_id(self):
        done = self.client.post("/admin/press/publisher/add/", {"name": "New"})
        assert done.status_code == 302
        made = Publisher.objects.get(name="New")
        done = self.client.post(f"/admin/press/publisher/{made.pk}/delete/", {"post": "yes"})
        assert done.status_code == 302 and not Publisher.objects.filter(name="New").exists()


def inputs(bound):
    """What a browser sends of a rendered field that was left as it is."""
    soup = Inputs()
    soup.feed(str(bound))
    return soup.found


class Inputs(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.select = {}, None

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "input" and (values.get("type") != "checkbox" or "checked" in values):
            self.found[values["name"]] = values.get("value", "on" if "checked" in values else "")
        elif tag in ("select", "textarea"):
            self.select = values["name"]
            self.found[self.select] = ""
        elif tag == "option" and "selected" in values:
            self.found[self.select] = values["value"]

    def handle_data(self, data):
        if self.lasttag == "textarea" and self.select:
            self.found[self.select] += data.strip()

    def handle_endtag(self, tag):
        if tag == "textarea":
            self.select = None
