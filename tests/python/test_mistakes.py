# SPDX-License-Identifier: Apache-2.0
"""What newcomers get wrong: each mistake is refused where it is made, in words that help."""

import datetime
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

import mongodb
from mongodb import Document
from mongodb.fields import DateTimeField, IntField, ListField, ReferenceField, StringField


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    mongodb.connect("mistakes", host="docstore://:memory:")
    yield
    mongodb.disconnect_all()


class Meeting(Document):
    title = StringField()
    when = DateTimeField()
    seats = IntField()
    tags = ListField(StringField())
    after = ReferenceField("self")


def test_lookup_of_no_date_is_refused() -> None:
    Meeting(title="a").save()
    for key in ("when", "when__gt", "when__in"):
        value = ["soon"] if key.endswith("in") else "soon"
        with pytest.raises(mongodb.InvalidQueryError, match=key):
            Meeting.objects.filter(**{key: value}).count()
    assert Meeting.objects(when__lte=datetime.datetime.now()).count() == 0


def test_lookups_of_wrong_values_name_themselves() -> None:
    with pytest.raises(mongodb.InvalidQueryError, match="seats__gt.*whole number"):
        Meeting.objects(seats__gt="many").count()
    with pytest.raises(mongodb.InvalidQueryError, match="seats__in.*list of values"):
        Meeting.objects(seats__in=3).count()
    with pytest.raises(mongodb.ValidationError, match="id: .*ObjectId"):
        Meeting.objects.get(id="no id")


def test_text_lookups_are_for_text() -> None:
    with pytest.raises(mongodb.InvalidQueryError, match="for text"):
        Meeting.objects(seats__contains=1).count()
    with pytest.raises(mongodb.InvalidQueryError, match="title__regex"):
        Meeting.objects(title__regex="(").count()
    assert Meeting.objects(tags__startswith="a").count() == 0


def test_list_of_a_query_that_cannot_be_sent_raises() -> None:
    query = Meeting.objects(title=object())
    for _ in range(2):
        with pytest.raises(TypeError, match="cannot be stored as BSON"):
            list(query)


def test_unknown_lookup_suggests_the_known_one() -> None:
    with pytest.raises(mongodb.InvalidQueryError, match="startswith"):
        Meeting.objects(title__startwith="a").count()
    with pytest.raises(mongodb.InvalidQueryError, match="title__gte"):
        Meeting.objects(title__month=True).count()


def test_reference_takes_no_key_that_its_document_cannot_have() -> None:
    with pytest.raises(mongodb.ValidationError) as caught:
        Meeting(after="monday").save()
    assert list(caught.value.errors) == ["after"]
    first = Meeting(title="a").save() or Meeting.objects.get()
    Meeting(title="b", after=first.pk).save()
    Meeting(title="c", after=str(first.pk)).save()
    assert Meeting.objects(after=first).count() == 2


def test_misspelt_options_warn() -> None:
    with pytest.warns(UserWarning, match="max_length"):
        StringField(maxlength=3)
    with pytest.warns(UserWarning, match="collection"):
        type("Misspelt", (Document,), {"meta": {"colection": "x"}})
    StringField(colour="red")  # an attribute of one's own


def test_embedded_store_takes_no_login() -> None:
    with pytest.raises(mongodb.ConnectionFailure, match="no users"):
        mongodb.connect("x", alias="other", host="docstore://:memory:", username="u", password="p")


def test_settings_without_the_app_are_told() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from django.conf import settings\n"
            "settings.configure(MONGODB_SETTINGS={'db': 'x'})\n"
            "import django, mongodb\ndjango.setup()\n"
            "mongodb.get_db()\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "INSTALLED_APPS" in done.stderr.splitlines()[-1]


def test_choices_have_a_display() -> None:
    class Ticket(Document):
        level = IntField(choices=[(1, "low"), (2, "high")])
        areas = ListField(StringField(), choices=[("a", "Alpha"), ("b", "Beta")])

    ticket = Ticket(level=2, areas=["a", "b"])
    assert (ticket.get_level_display(), ticket.get_areas_display()) == ("high", "Alpha, Beta")
    assert Ticket().get_level_display() is None


def test_renamed_file_keeps_its_database(tmp_path: pathlib.Path) -> None:
    mongodb.disconnect()
    mongodb.connect(host=f"docstore://{tmp_path}/shop.docstore")
    Meeting(title="a").save()
    mongodb.disconnect()
    (tmp_path / "shop.docstore").rename(tmp_path / "backup.docstore")
    mongodb.connect(host=f"docstore://{tmp_path}/backup.docstore")
    assert Meeting.objects.count() == 1 and mongodb.get_db().name == "shop"
    mongodb.disconnect()
    mongodb.connect("backup", host=f"docstore://{tmp_path}/backup.docstore")
    assert Meeting.objects.count() == 0 and mongodb.get_db().name == "backup"


def test_file_in_no_folder_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(mongodb.ConnectionFailure, match="its folder does not exist"):
        mongodb.connect(alias="lost", host=f"docstore://{tmp_path}/missing/shop.docstore")
    with pytest.raises(mongodb.ConnectionFailure, match="not a regular file"):
        mongodb.connect(alias="lost", host=f"docstore://{tmp_path}")


def test_updates_of_wrong_values_name_themselves() -> None:
    meeting = Meeting(title="a", seats=1).save()
    for change in ({"seats": "x"}, {"set__seats": "x"}, {"push__tags": 5}):
        (name,) = change
        for update in (Meeting.objects.update, Meeting.objects.modify, meeting.update):
            with pytest.raises(mongodb.ValidationError, match=f"^{name}: must be") as caught:
                update(**change)
            assert caught.value.field_name in ("seats", "tags")


def test_rules_for_deleting_are_not_given_by_name() -> None:
    with pytest.raises(mongodb.InvalidDocumentError, match="CASCADE.*not 'CASCADE'"):
        ReferenceField(Meeting, reverse_delete_rule="CASCADE")


def test_limits_that_are_no_numbers_name_their_field() -> None:
    for name, field in (
        ("max_length", StringField(max_length="3")),
        ("min_value", IntField(min_value="3")),
        ("max_length", ListField(max_length="3")),
    ):
        with pytest.raises(TypeError, match=f"{name} of bad must be a number, not '3'"):
            type("Limited", (Document,), {"bad": field})


def test_text_that_is_not_unicode_is_refused_with_its_field() -> None:
    for bad in ({"title": "\ud800"}, {"tags": ["\ud800"]}):
        (name,) = bad
        with pytest.raises(ValueError, match=f"{name}.*lone surrogates"):
            Meeting(**bad).save()


def test_settings_of_databases_that_cannot_be_meant() -> None:
    wrong = (
        ({"ENGINE": "mongodb", "NAME": "shop"}, 'ENGINE is "mongodb.backend"'),
        ({"ENGINE": "mongodb.backend", "NAME": "shop", "PORT": "27017"}, "PORT without HOST"),
        (
            {"ENGINE": "mongodb.backend", "NAME": "shop", "USER": "ann", "PASSWORD": "x"},
            "USER, PASSWORD without HOST",
        ),
    )
    for database, message in wrong:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from django.conf import settings\n"
                f"settings.configure(DATABASES={{'default': {database!r}}})\n"
                "from django.db import connection\n"
                "connection.ensure_connection()\n",
            ],
            capture_output=True,
            text=True,
        )
        assert "ImproperlyConfigured" in done.stderr and message in done.stderr, done.stderr
    with pytest.raises(TypeError, match="db is the name of a database, not 5"):
        mongodb.connect(5, alias="five")


def test_flat_values_are_of_one_field() -> None:
    Meeting(title="a", seats=1).save()
    assert list(Meeting.objects.values_list("title", flat=True)) == ["a"]
    with pytest.raises(mongodb.InvalidQueryError, match="takes one field, not 2"):
        Meeting.objects.values_list("title", "seats", flat=True)
