# SPDX-License-Identifier: Apache-2.0
"""Collections of MongoEngine's: MongoEngine itself writes them, here they are read, changed and
saved, and MongoEngine reads them again; and the reverse."""

import datetime
import json
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any

import bson
import pytest
from pymongo import MongoClient

import mongodb
from mongodb.compat import mongoengine as me

pytest.importorskip("mongoengine")

# The same classes for both; `me` is the module that they are made of.
CLASSES = """
class SharedPart(me.EmbeddedDocument):
    meta = {"allow_inheritance": True}
    name = me.StringField(db_field="n")
    size = me.IntField()

class SharedBigPart(SharedPart):
    weight = me.FloatField()

class SharedOwner(me.Document):
    meta = {"allow_inheritance": True, "collection": "shared_owners"}
    name = me.StringField()

class SharedFirm(SharedOwner):
    code = me.StringField()

class SharedThing(me.Document):
    meta = {"collection": "shared_things"}
    name = me.StringField(required=True)
    tag = me.UUIDField()
    tags = me.ListField(me.UUIDField())
    price = me.DecimalField()
    exact = me.Decimal128Field()
    when = me.DateTimeField()
    fine = me.ComplexDateTimeField()
    flag = me.BooleanField()
    data = me.BinaryField()
    loose = me.DictField()
    count = me.MapField(me.IntField())
    part = me.EmbeddedDocumentField(SharedPart)
    parts = me.EmbeddedDocumentListField(SharedPart)
    any_part = me.GenericEmbeddedDocumentField()
    owner = me.ReferenceField(SharedOwner)
    old_owner = me.ReferenceField(SharedOwner, dbref=True)
    any_owner = me.GenericReferenceField()
    lazy = me.LazyReferenceField(SharedOwner)
    owners = me.ListField(me.ReferenceField(SharedOwner))
    place = me.PointField(auto_index=False)
    number = me.SequenceField()
    free = me.DynamicField()
"""

WRITE = """
def write():
    firm = SharedFirm(name="f", code="c").save()
    owner = SharedOwner(name="o").save()
    tag = uuid.UUID(int=7)
    return SharedThing(
        name="first", tag=tag, tags=[tag, uuid.UUID(int=8)], price=Decimal("1.25"),
        exact=Decimal("2.50"), when=datetime.datetime(2020, 1, 2, 3, 4, 5, 678000),
        fine=datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), flag=True, data=b"ab",
        loose={"a": [1, {"b": None}], "c": 1.5}, count={"x": 1},
        part=SharedBigPart(name="p", size=1, weight=0.5), parts=[SharedPart(name="q")],
        any_part=SharedPart(name="r", size=3), owner=firm, old_owner=owner, any_owner=firm,
        lazy=owner, owners=[owner, firm], place=[1.0, 2.0], free=[1, "two"],
    ).save()
"""

READ = """
def read(thing):
    return {
        "tags": [str(one) for one in [thing.tag, *thing.tags]],
        "price": str(thing.price), "exact": str(thing.exact),
        "when": [thing.when.isoformat(), thing.fine.isoformat()],
        "flag": thing.flag, "data": bytes(thing.data).decode(), "loose": thing.loose,
        "count": dict(thing.count), "free": thing.free, "number": thing.number,
        "parts": [
            [type(one).__name__, one.name, one.size]
            for one in [thing.part, *thing.parts, thing.any_part]
        ],
        "owners": [
            [type(one).__name__, one.name]
            for one in [thing.owner, thing.old_owner, thing.any_owner, thing.lazy.fetch(),
                        *thing.owners]
        ],
        "place": thing.place["coordinates"] if isinstance(thing.place, dict) else thing.place,
    }
"""

IMPORTS = "import datetime, json, sys, uuid\nfrom decimal import Decimal\n"
THEIRS = (
    IMPORTS
    + "import mongoengine as me\n"
    + CLASSES
    + WRITE
    + READ
    + "me.connect(host=sys.argv[1])\n"
)


def theirs(uri: str, code: str) -> Any:
    """What MongoEngine itself prints in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", THEIRS + code, uri], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout or "null")


@pytest.fixture(name="shared")
def _shared(mongod: str) -> Any:
    """The classes here, and the URI for both."""
    place, _, options = mongod.partition("/?")
    uri = f"{place}/shared_data?{options}"
    client: Any = MongoClient(mongod)
    client.drop_database("shared_data")
    scope: dict[str, Any] = {"me": me, "__name__": __name__}
    exec(IMPORTS + CLASSES + WRITE + READ, scope)  # noqa: S102
    me.connect(host=uri)
    yield (
        scope,
        uri,
        client.get_database("shared_data", codec_options=bson.CodecOptions(uuid_representation=0)),
    )
    me.disconnect_all()
    client.drop_database("shared_data")
    client.close()


def test_what_mongoengine_wrote_is_read_changed_and_saved(shared: Any) -> None:
    scope, uri, store = shared
    expected = theirs(uri, "write()\nprint(json.dumps(read(SharedThing.objects.get())))")
    before = store.shared_things.find_one()
    thing = scope["SharedThing"].objects.get()
    assert thing._delta() == ({}, {})
    assert scope["read"](thing) == expected
    thing.save()
    assert store.shared_things.find_one() == before  # reading rewrites nothing
    assert scope["SharedThing"].objects(tag=uuid.UUID(int=7), tags=uuid.UUID(int=8)).count() == 1
    assert scope["SharedThing"].objects(owner=thing.owner, any_owner=thing.owner).count() == 1

    thing.parts.append(scope["SharedBigPart"](name="z", weight=2.0))
    thing.tags.append(uuid.UUID(int=9))
    thing.price = Decimal("9.75")
    thing.when = datetime.datetime(2021, 1, 1)
    thing.save()
    after = store.shared_things.find_one()
    assert [one.subtype for one in after["tags"]] == [3, 3, 3]
    assert {name: one for name, one in after.items() if before[name] != one}.keys() == {
        "parts",
        "tags",
        "price",
        "when",
    }
    seen = theirs(uri, "print(json.dumps(read(SharedThing.objects.get())))")
    assert seen == scope["read"](scope["SharedThing"].objects.get())
    assert seen["parts"][2] == ["SharedBigPart", "z", None] and seen["price"] == "9.75"


def test_what_is_written_here_mongoengine_reads_changes_and_saves(shared: Any) -> None:
    scope, uri, store = shared
    scope["write"]()
    seen = theirs(uri, "print(json.dumps(read(SharedThing.objects.get())))")
    assert seen == scope["read"](scope["SharedThing"].objects.get())
    ours = store.shared_things.find_one()
    theirs(uri, "SharedThing.objects.get().save()")
    assert store.shared_things.find_one() == ours
    theirs(uri, "SharedThing.drop_collection(); SharedOwner.drop_collection()\nwrite()")
    same = store.shared_things.find_one()
    assert [type(ours[name]) for name in ours] == [type(same[name]) for name in ours]
    assert ours.keys() == same.keys()


@pytest.mark.parametrize(("form", "subtype"), [(None, 3), ("standard", 4)])
def test_uuids_on_what_was_connected_otherwise_are_mongoengines(
    form: str | None, subtype: int
) -> None:
    class SharedTag(me.Document):
        tag = me.UUIDField()

    given = {} if form is None else {"uuidRepresentation": form}
    mongodb.connect("one", host="docstore://:memory:", **given)
    SharedTag(tag=uuid.UUID(int=1)).save()
    raw = mongodb.get_db().shared_tag.with_options(bson.CodecOptions(uuid_representation=0))
    assert raw.find_one()["tag"].subtype == subtype
    assert SharedTag.objects(tag=uuid.UUID(int=1)).count() == 1
    assert SharedTag._get_collection().find_one({"tag": uuid.UUID(int=1)}) is not None
    mongodb.disconnect_all()
