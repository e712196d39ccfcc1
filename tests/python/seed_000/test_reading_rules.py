# SPDX-License-Identifier: Apache-2.0
"""How ambiguous passages of the specification are read."""

import datetime
import decimal
import pathlib
import subprocess
import sys
from typing import Any

import pytest

import mongodb
from mongodb import (
    Avg,
    Count,
    Document,
    EmbeddedDocument,
    Q,
    Sum,
    get_connection,
    get_db,
    query_counter,
    signals,
    switch_collection,
    switch_db,
)
from mongodb.errors import ConnectionFailure, NotUniqueError, OperationError, ValidationError
from mongodb.fields import (
    BooleanField,
    DateField,
    DecimalField,
    EmailField,
    EmbeddedDocumentField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)


class Street(EmbeddedDocument):
    name = StringField(required=True)
    number = IntField(min_value=1)


class Reader(Document):
    name = StringField(required=True)
    email = EmailField(unique=True, sparse=True)
    age = IntField(max_value=150)
    active = BooleanField()
    born = DateField()
    home = EmbeddedDocumentField(Street)
    streets = ListField(EmbeddedDocumentField(Street))
    friend = ReferenceField("self")

    meta = {"collection": "readers", "indexes": ["age"]}


# 1


def test_dead_server_fails_at_once(alone: pathlib.Path) -> None:
    with pytest.raises(ConnectionFailure, match="127.0.0.1:9") as failed:
        mongodb.connect("x", host="127.0.0.1", port=9, serverSelectionTimeoutMS=300)
    assert "refused" in str(failed.value).lower()
    with pytest.raises(ConnectionFailure):
        get_db()


def test_get_db_after_disconnect_fails(alone: pathlib.Path) -> None:
    mongodb.connect("x", host="docstore://:memory:")
    assert get_db().name == "x"
    mongodb.disconnect()
    with pytest.raises(ConnectionFailure):
        get_db()
    with pytest.raises(ConnectionFailure):
        Reader.objects.count()


# 2

PROJECT = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["mongodb"],
    MONGODB_SETTINGS=[{"db": "one", "host": "docstore://:memory:"},
                      {"db": "two", "alias": "other", "host": "docstore://:memory:"}],
    SECRET_KEY="x",
)
django.setup()
from mongodb import Document, get_db
from mongodb.fields import StringField

class Note(Document):
    text = StringField()
    meta = {"db_alias": "other"}

Note(text="a").save()
print(get_db().name, get_db("other").name, get_db("other").note.count_documents({}))
"""


def test_settings_connect_without_a_call() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROJECT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "one two 1\n", done.stderr


# 3


def test_options_reach_pymongo(alone: pathlib.Path, mongod: str) -> None:
    mongodb.connect(
        "app",
        host=mongod,
        maxPoolSize=7,
        minPoolSize=2,
        connectTimeoutMS=1500,
        socketTimeoutMS=2500,
        serverSelectionTimeoutMS=3500,
        w=1,
        j=True,
        read_preference="primary",
    )
    options = get_connection().options
    assert (options.pool_options.max_pool_size, options.pool_options.min_pool_size) == (7, 2)
    assert options.pool_options.connect_timeout == 1.5
    assert options.pool_options.socket_timeout == 2.5
    assert options.server_selection_timeout == 3.5
    assert options.write_concern.document == {"w": 1, "j": True}
    assert options.read_preference.name == "Primary"
    assert get_connection().get_database().name == "app"


def test_pymongo_finds_its_way_to_the_embedded_store(alone: pathlib.Path) -> None:
    from pymongo import MongoClient

    mongodb.connect("app", host="docstore://:memory:")
    Reader(name="A").save()
    client = get_connection()
    assert client.get_database().name == "app"
    assert client.address is not None and client.app.readers.count_documents({}) == 1
    client.app.readers.insert_one({"name": "B"})
    assert {reader.name for reader in Reader.objects} == {"A", "B"}
    path = client.address[0]
    with MongoClient(f"mongodb://{path.replace('/', '%2F')}/?directConnection=true") as second:
        assert second.app.readers.count_documents({}) == 2


# 4


def test_aggregate_forms(connected: str) -> None:
    assert Reader.objects.aggregate(Sum("age")) == {"age__sum": None}
    assert Reader.objects.aggregate(Count("id"), mean=Avg("age")) == {"id__count": 0, "mean": None}
    for age in (1, 2, 3):
        Reader(name="A", age=age).save()
    assert Reader.objects.aggregate(Sum("age")) == {"age__sum": 6}
    stages = [{"$match": {"age": {"$gt": 1}}}, {"$project": {"_id": 0, "age": 1}}]
    for found in (Reader.objects.aggregate(stages), Reader.objects.aggregate(*stages)):
        assert [dict(row) for row in found] == [{"age": 2}, {"age": 3}]


# 5


def test_decimal_digits_and_places(connected: str) -> None:
    class Price(Document):
        old = DecimalField(precision=2)
        new = DecimalField(max_digits=5, decimal_places=2)

    Price(old="1.005", new="123.45").save()
    found = Price.objects.get()
    assert found.new == decimal.Decimal("123.45") and found.old in (
        decimal.Decimal("1.00"),
        decimal.Decimal("1.01"),
    )
    with pytest.raises(ValidationError):
        Price(new="12345.67").save()
    try:
        Price(new="1.999").save()
    except ValidationError:
        pass
    else:
        assert Price.objects.order_by("-id").first().new == decimal.Decimal("2.00")


# 6


def test_errors_name_inner_fields(connected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Reader(
            age=200,
            email="no",
            home=Street(number=0),
            streets=[Street(name="x"), Street(number=1)],
        ).save()
    error = refused.value
    assert set(error.errors) == {"name", "age", "email", "home", "streets"}
    told = error.to_dict()
    assert set(told["home"]) == {"name", "number"} and set(told["streets"][1]) == {"name"}
    assert "home.number" in str(error) and "streets.1.name" in str(error)


def test_duplicates_are_operation_errors(connected: str) -> None:
    Reader(name="A", email="a@example.com").save()
    with pytest.raises(NotUniqueError) as refused:
        Reader(name="B", email="a@example.com").save()
    assert isinstance(refused.value, OperationError) and refused.value.code == 11000
    assert refused.value.details["keyValue"] == {"email": "a@example.com"}


def test_empty_text_is_a_value_for_documents_and_none_for_serializers(connected: str) -> None:
    from mongodb.rest_framework.serializers import DocumentSerializer

    class ReaderSerializer(DocumentSerializer):
        class Meta:
            model = Reader
            fields = ["name"]

    assert Reader(name="").save().name == ""
    serializer = ReaderSerializer(data={"name": ""})
    assert not serializer.is_valid() and serializer.errors["name"][0].code == "blank"


# 8


def test_reading_references_after_select_related(connected: str) -> None:
    friend = Reader(name="F").save()
    for number in range(5):
        Reader(name=f"R{number}", friend=friend).save()
    with query_counter() as queries:
        found = Reader.objects.filter(friend=friend).select_related("friend")
        assert {reader.friend.name for reader in found} == {"F"}
        assert queries <= 2


def test_save_after_only_keeps_the_rest(connected: str) -> None:
    Reader(name="A", age=3, home=Street(name="s")).save()
    part = Reader.objects.only("name").get()
    part.name = "B"
    part.save()
    whole = Reader.objects.get()
    assert (whole.name, whole.age, whole.home.name) == ("B", 3, "s")


# 9


def test_querysets_keep_their_place(connected: str) -> None:
    mongodb.connect(f"second_{get_db().name}", alias="second", host=connected)
    Reader(name="here").save()
    with switch_db(Reader, "second"):
        Reader(name="there").save()
        there = Reader.objects.all()
    with switch_collection(Reader, "old_readers"):
        Reader(name="old").save()
        old = Reader.objects.all()
    assert [reader.name for reader in there] == ["there"]
    assert [reader.name for reader in old] == ["old"]
    assert [reader.name for reader in Reader.objects] == ["here"]
    get_db("second").client.drop_database(get_db("second").name)


# 10


def test_signals(connected: str) -> None:
    seen: list[Any] = []

    def note(kind: str) -> Any:
        def receiver(sender: Any, **kwargs: Any) -> None:
            known = Reader.objects.filter(id=kwargs["document"].id).count()
            seen.append((kind, sender, kwargs.get("created"), known, "created" in kwargs))

        return receiver

    receivers = [note(kind) for kind in ("pre_save", "post_save", "pre_delete", "post_delete")]
    for kind, receiver in zip(
        ("pre_save", "post_save", "pre_delete", "post_delete"), receivers, strict=True
    ):
        getattr(signals, kind).connect(receiver, sender=Reader)
    reader = Reader(name="A").save()
    reader.name = "B"
    reader.save()
    reader.delete()
    assert seen == [
        ("pre_save", Reader, None, 0, False),
        ("post_save", Reader, True, 1, True),
        ("pre_save", Reader, None, 1, False),
        ("post_save", Reader, False, 1, True),
        ("pre_delete", Reader, None, 1, False),
        ("post_delete", Reader, None, 0, False),
    ]


# 11


def test_type_int_is_any_integer(connected: str) -> None:
    Reader(name="small", age=1).save()
    Reader(name="none").save()
    get_db().readers.insert_many([{"name": "long", "age": 2**40}, {"name": "double", "age": 1.5}])
    assert {r.name for r in Reader.objects.filter(age__type=int)} == {"small", "long"}


def test_not_false_is_true_or_missing(connected: str) -> None:
    Reader(name="yes", active=True).save()
    Reader(name="no", active=False).save()
    Reader(name="unknown").save()
    assert {r.name for r in Reader.objects.filter(~Q(active=False))} == {"yes", "unknown"}


# 12


def test_indexes_exist_after_the_first_save(connected: str) -> None:
    Reader(name="A").save()
    names = set(get_db().readers.index_information())
    assert names == {"_id_", "age_1", "email_1"}


def test_dates_are_dates(connected: str) -> None:
    Reader(name="A", born=datetime.date(2000, 2, 29)).save()
    born = Reader.objects.get().born
    assert type(born) is datetime.date and born == datetime.date(2000, 2, 29)


def test_capped_options_are_set(connected: str) -> None:
    class Capped(Document):
        n = IntField()
        meta = {"max_documents": 3, "max_size": 100_000}

    for n in range(5):
        Capped(n=n).save()
    assert get_db().capped.options()["capped"] is True
    assert [one.n for one in Capped.objects] == [2, 3, 4]


# 13


def test_atomic_undoes_all_kinds_of_writes_and_sees_them(connected: str) -> None:
    kept = Reader(name="kept", age=1).save()
    gone = Reader(name="gone", age=1).save()
    with pytest.raises(RuntimeError), mongodb.atomic():
        Reader(name="new").save()
        kept.update(inc__age=1)
        gone.delete()
        assert {r.name for r in Reader.objects} == {"kept", "new"}
        assert Reader.objects.get(id=kept.id).age == 2
        raise RuntimeError
    assert {(r.name, r.age) for r in Reader.objects} == {("kept", 1), ("gone", 1)}
