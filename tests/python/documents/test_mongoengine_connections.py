# SPDX-License-Identifier: Apache-2.0
"""Connections as MongoEngine's projects have them, by `mongodb.compat`."""

import datetime
import uuid
from collections.abc import Iterator

import bson
import pymongo
import pytest
from bson.tz_util import utc
from pymongo.errors import InvalidName, InvalidOperation
from pymongo.read_preferences import Secondary

import mongodb
from mongodb.compat import mongoengine as me
from mongodb.compat.mongoengine import connection
from mongodb.compat.mongoengine.connection import _get_connection_settings

MEMORY = "docstore://:memory:"


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    me.disconnect_all()
    yield
    me.disconnect_all()


def test_one_client_serves_all_databases_of_an_address() -> None:
    first = me.connect("one", host=MEMORY)
    second = me.connect("two", alias="second", host=MEMORY)
    other = me.connect("two", alias="third", host=MEMORY, maxPoolSize=7)
    assert isinstance(first, pymongo.MongoClient)
    assert first is second and first is not other
    me.disconnect()
    second.admin.command("ping")
    me.disconnect("second")
    with pytest.raises(InvalidOperation):
        second.admin.command("ping")
    other.admin.command("ping")


def test_documents_of_two_databases_share_a_store() -> None:
    class SharedOne(me.Document):
        name = me.StringField()

    class SharedTwo(me.Document):
        name = me.StringField()
        meta = {"db_alias": "second"}

    client = me.connect("one", host=MEMORY)
    me.connect("two", alias="second", host=MEMORY)
    SharedOne(name="a").save()
    SharedTwo(name="b").save()
    assert client["one"].shared_one.find_one()["name"] == "a"
    assert client["two"].shared_two.find_one()["name"] == "b"


def test_the_same_settings_again_are_fine_and_others_are_refused() -> None:
    assert me.connect("one", host=MEMORY) is me.connect("one", host=MEMORY)
    with pytest.raises(
        me.connection.ConnectionFailure,
        match="^A different connection with alias `default` was already registered. Use disconn",
    ):
        me.connect("two", host=MEMORY)


def test_a_server_is_contacted_at_the_first_use() -> None:
    uri = "mongodb://db1.invalid,db2.invalid/shop?readPreference=secondaryPreferred"
    client = me.connect(host=uri, serverSelectionTimeoutMS=50)
    assert client.read_preference == pymongo.ReadPreference.SECONDARY_PREFERRED
    assert me.get_db().name == "shop"


def test_the_database_of_the_uri_wins() -> None:
    me.connect("one", host="mongodb://db.invalid/two")
    assert me.get_db().name == "two"


def test_what_was_not_connected_is_told_in_their_words() -> None:
    class Unconnected(me.Document):
        name = me.StringField()

    with pytest.raises(mongodb.ConnectionFailure, match="^You have not defined a default conn"):
        Unconnected.objects.first()
    with pytest.raises(mongodb.ConnectionFailure, match='^Connection with alias "x" has not been'):
        me.get_connection("x")


def test_the_tables_name_what_is_open() -> None:
    class Listed(me.Document):
        name = me.StringField()

    me.connect("one", host=MEMORY)
    tables = connection._connections, connection._connection_settings, connection._dbs
    assert [len(table) for table in tables] == [1, 1, 0]
    Listed.drop_collection()
    assert [len(table) for table in tables] == [1, 1, 1] and tables[2]["default"].name == "one"
    me.disconnect()
    assert [len(table) for table in tables] == [0, 0, 0] and Listed._collection is None


def test_what_was_connected_without_compat_is_found() -> None:
    class Found(me.Document):
        name = me.StringField()

    mongodb.connect("one", host=MEMORY)
    Found(name="x").save()
    assert me.get_db().found.find_one()["name"] == "x" and me.get_db().name == "one"


def test_names_of_databases_are_checked() -> None:
    for wrong in ("mongodb://localhost", "a b"):
        with pytest.raises(InvalidName):
            me.connect(wrong)
    with pytest.raises(TypeError):
        me.connect(["list"])


def test_other_clients_are_refused() -> None:
    class Mock:
        pass

    me.connect("one", host=MEMORY, mongo_client_class=pymongo.MongoClient)
    with pytest.raises(mongodb.NotSupportedError, match="mongo_client_class=Mock"):
        me.connect("one", alias="mocked", host=MEMORY, mongo_client_class=Mock)


def test_settings_have_what_the_uri_says() -> None:
    uri = (
        "mongodb://ann:secret@h1:27017,h2:27018/shop?replicaSet=r&readPreference=secondary"
        "&readPreferenceTags=dc:east&uuidRepresentation=javaLegacy&authSource=admin"
    )
    found = _get_connection_settings(host=uri, username="bob", maxPoolSize=3)
    assert found == {
        "authentication_mechanism": None,
        "authentication_source": "admin",
        "authmechanismproperties": None,
        "host": [uri],
        "maxPoolSize": 3,
        "name": "shop",
        "password": "secret",
        "port": 27017,
        "read_preference": Secondary(tag_sets=[{"dc": "east"}]),
        "replicaSet": "r",
        "username": "ann",
        "uuidrepresentation": "javaLegacy",
    }


@pytest.mark.parametrize(
    ("uri", "given", "expected"),
    [
        ("", {}, "pythonLegacy"),
        ("?uuidRepresentation=csharpLegacy", {}, "csharpLegacy"),
        ("?uuidRepresentation=csharpLegacy", {"uuidRepresentation": "standard"}, "standard"),
    ],
)
def test_uuids_of_the_client(uri: str, given: dict[str, str], expected: str) -> None:
    client = me.connect(host=f"mongodb://db.invalid/one{uri}", **given)
    representations = pymongo.common._UUID_REPRESENTATIONS
    assert client.options.codec_options.uuid_representation == representations[expected]


def test_times_have_a_zone_where_it_was_asked_for() -> None:
    class AwareInner(me.EmbeddedDocument):
        at = me.DateTimeField()

    class Aware(me.Document):
        at = me.DateTimeField()
        inner = me.EmbeddedDocumentField(AwareInner)

    class Naive(me.Document):
        at = me.DateTimeField()
        meta = {"db_alias": "naive"}

    moment = datetime.datetime(2024, 5, 5, 12, tzinfo=utc)
    me.connect("one", host=MEMORY, tz_aware=True)
    me.connect("two", alias="naive", host=MEMORY)
    Aware(at=moment, inner=AwareInner(at=moment)).save()
    Naive(at=moment).save()
    found = Aware.objects.get()
    assert found.at == moment and found.inner.at == moment and found._changed_fields == []
    assert Naive.objects.get().at == moment.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [(None, 3), ("pythonLegacy", 3), ("javaLegacy", 3), ("csharpLegacy", 3), ("standard", 4)],
)
def test_uuids_are_stored_as_the_connection_says(form: str | None, subtype: int) -> None:
    class Tagged(me.Document):
        tag = me.UUIDField()
        tags = me.ListField(me.UUIDField())
        text = me.UUIDField(binary=False)

    given = {} if form is None else {"uuidRepresentation": form}
    me.connect("one", host=MEMORY, **given)
    raw = me.get_db().tagged.with_options(bson.CodecOptions(uuid_representation=0))
    tag = uuid.uuid4()
    Tagged(tag=tag, tags=[str(tag)], text=tag).save()
    kept = raw.find_one()
    assert kept["tag"].subtype == subtype and kept["tags"] == [kept["tag"]]
    theirs = me.get_db().tagged.find_one()  # PyMongo's client reads it as a UUID, too
    assert theirs["tag"] == tag and theirs["text"] == str(tag)
    found = Tagged.objects.get(tag=tag, tags=tag)
    assert found.tag == found.tags[0] == found.text == tag
    assert found._delta() == ({}, {})
    found.tags.append(uuid.uuid4())
    found.save()
    assert raw.find_one()["tags"][1].subtype == subtype


def test_uuids_of_either_form_are_read() -> None:
    class Mixed(me.Document):
        tag = me.UUIDField()

    tag = uuid.uuid4()
    for form in ("pythonLegacy", "standard"):
        me.connect("one", host=MEMORY, uuidRepresentation=form)
        forms = [bson.Binary(tag.bytes, 3), bson.Binary(tag.bytes, 4)]
        me.get_db().mixed.insert_many([{"tag": one} for one in forms])
        assert [one.tag for one in Mixed.objects] == [tag, tag]
        assert Mixed.objects(tag=tag).count() == 1
        me.disconnect()
