# SPDX-License-Identifier: Apache-2.0
"""What writing sends to the store: concerns, shard keys, rules of references, choices, indexes."""

from typing import Any

import bson
import pytest

from mongodb import (
    CASCADE,
    NULLIFY,
    PULL,
    Document,
    EmbeddedDocument,
    NotUniqueError,
    ValidationError,
    atomic,
    get_db,
)
from mongodb._connection import Connection
from mongodb.fields import (
    EmbeddedDocumentField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)


class Sent(Document):
    name = StringField()
    n = IntField(default=0)


class Sharded(Document):
    region = StringField(db_field="r")
    code = IntField()
    name = StringField()
    meta = {"shard_key": ("region", "code")}


class OwnKey(Document):
    key = StringField(primary_key=True)
    region = StringField()
    meta = {"shard_key": ("region",)}


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    pass


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The commands that are sent from now on."""
    seen: list[dict[str, Any]] = []
    run = Connection.run

    def noting(self: Any, command: Any) -> Any:
        if isinstance(command, bytes):
            seen.append(bson.decode(command))
        else:
            names = ("writeConcern", "insert", "update", "delete")
            seen.append({name: command[name] for name in names if name in command})
        seen[-1]["whole"] = command
        return run(self, command)

    monkeypatch.setattr(Connection, "run", noting)
    return seen


CONCERN = {"w": 1, "j": True}


def test_the_write_concern_is_sent_with_every_write(commands: list[dict[str, Any]]) -> None:
    doc = Sent(name="a")
    for write in (
        lambda: doc.save(write_concern=CONCERN),
        lambda: setattr(doc, "name", "b") or doc.save(write_concern=CONCERN),
        lambda: Sent.objects.insert(Sent(name="c"), write_concern=CONCERN),
        lambda: Sent.objects(name="b").update(n=1, write_concern=CONCERN),
        lambda: Sent.objects(name="b").update_one(n=2, write_concern=CONCERN),
        lambda: doc.update(n=3, write_concern=CONCERN),
        lambda: doc.delete(write_concern=CONCERN),
        lambda: Sent(name="d").save(force_insert=True, write_concern=CONCERN),
        lambda: Sent.objects.delete(write_concern=CONCERN),
    ):
        commands.clear()
        write()
        (sent,) = (one for one in commands if one.keys() & {"insert", "update", "delete"})
        assert sent["writeConcern"] == CONCERN
    commands.clear()
    Sent(name="e").save()
    assert all("writeConcern" not in one for one in commands)


def test_cascades_hand_the_write_concern_on(commands: list[dict[str, Any]]) -> None:
    linked = Linked(name="a", next=Linked(name="b").save()).save()
    linked.next.name = "c"
    commands.clear()
    linked.cascade_save(write_concern=CONCERN)
    (sent,) = (one for one in commands if "update" in one)
    assert sent["writeConcern"] == CONCERN


def test_a_transaction_has_one_concern_for_all(commands: list[dict[str, Any]]) -> None:
    with atomic():
        doc = Sent(name="a").save(write_concern=CONCERN)
        Sent.objects.insert(Sent(name="b"), write_concern=CONCERN)
        doc.delete(write_concern=CONCERN)
    assert all("writeConcern" not in one for one in commands)
    assert Sent.objects.count() == 1


def filters(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for one in commands:
        for statement in one["whole"].get("updates", []) + one["whole"].get("deletes", []):
            query = statement["q"]
            found.append(query if isinstance(query, dict) else bson.decode(bytes(query)))
    commands.clear()
    return found


def test_the_shard_key_is_part_of_every_filter(commands: list[dict[str, Any]]) -> None:
    doc = Sharded(region="eu", code=1, name="a").save()
    key = {"_id": doc.pk, "r": "eu", "code": 1}
    filters(commands)
    doc.name = "b"
    doc.save()
    assert filters(commands) == [key]
    doc.update(name="c")
    (sent,) = filters(commands)
    assert sent == key or sent == {"$and": [{k: v} for k, v in key.items()]}
    doc.region = "us"  # it is found where it is
    doc.save()
    assert filters(commands) == [key]
    found = Sharded.objects.only("name").get()
    found.name = "d"
    found.save()
    assert filters(commands) == [{**key, "r": "us"}]
    doc.delete()
    assert filters(commands) == [{**key, "r": "us"}]
    OwnKey(key="k", region="eu").save()
    assert filters(commands) == [{"_id": "k", "region": "eu"}]
    assert (Sharded.objects.count(), OwnKey.objects.count()) == (0, 1)


class Chicken(Document):
    name = StringField()
    egg = ReferenceField("Egg", reverse_delete_rule=CASCADE)


class Egg(Document):
    name = StringField()
    chicken = ReferenceField(Chicken, reverse_delete_rule=CASCADE)


class Linked(Document):
    name = StringField()
    next = ReferenceField("self", reverse_delete_rule=CASCADE)
    nulled = ReferenceField("self", reverse_delete_rule=NULLIFY)
    pulled = ListField(ReferenceField("self", reverse_delete_rule=PULL))


def ring() -> tuple[Any, Any]:
    chicken = Chicken(name="c").save()
    egg = Egg(name="e", chicken=chicken).save()
    chicken.egg = egg
    chicken.save()
    Chicken(name="other").save()
    return chicken, egg


@pytest.mark.parametrize("how", ["document", "queryset", "other side"])
def test_cascades_in_a_ring_end(how: str) -> None:
    chicken, egg = ring()
    if how == "document":
        chicken.delete()
    elif how == "queryset":
        assert Chicken.objects(name="c").delete() == 1
    else:
        egg.delete()
    assert [one.name for one in Chicken.objects] == ["other"]
    assert Egg.objects.count() == 0


def test_cascades_through_one_class_end() -> None:
    links = [Linked(name=str(i)).save() for i in range(5)]
    for i, link in enumerate(links[:4]):
        link.next = links[(i + 1) % 4]
        link.nulled = links[0]
        link.pulled = links
        link.save()
    links[4].update(nulled=links[1], pulled=links)
    links[1].delete()
    found = Linked.objects.get()
    assert found.name == "4" and found.nulled is None and found.pulled == [found]
    found.next = found
    found.save()
    found.delete()
    assert Linked.objects.count() == 0


def test_signals_see_each_document_of_a_ring_once() -> None:
    from mongodb import signals

    seen: list[str] = []

    def noted(sender: Any, document: Any, **kwargs: Any) -> None:
        seen.append(document.name)

    signals.pre_delete.connect(noted)
    try:
        chicken, _ = ring()
        chicken.delete()
    finally:
        signals.pre_delete.disconnect(noted)
    assert sorted(seen) == ["c", "e"]


class Chosen(Document):
    plain = StringField(choices=["a", "b"])
    pairs = IntField(choices=[(1, "one"), (2, "two")])
    lazy = StringField(choices=(one for one in "xy"))
    many = ListField(StringField(), choices=["a", "b"])
    items = ListField(StringField(choices=["a", "b"]))


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"plain": "c"}, "plain"),
        ({"pairs": 3}, "pairs"),
        ({"pairs": "one"}, "pairs"),
        ({"lazy": "z"}, "lazy"),
        ({"many": ["a", "c"]}, "many"),
        ({"items": ["a", "c"]}, "items.1"),
    ],
)
def test_choices_are_checked(values: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Chosen(**values).save()
    assert "must be" in caught.value.flat()[where]
    doc = Chosen(plain="a", pairs=2, lazy="y", many=["b"], items=["a"]).save()
    assert (doc.get_pairs_display(), doc.get_plain_display()) == ("two", "a")
    for name, value in values.items():
        setattr(doc, name, value)
    with pytest.raises(ValidationError):
        doc.save()
    with pytest.raises(ValidationError):
        Chosen.objects.insert([Chosen(**values)])
    assert Chosen.objects.count() == 1


class Room(EmbeddedDocument):
    floor = IntField()
    door = IntField(unique_with="floor")


class House(Document):
    street = StringField()
    number = IntField(unique_with=["street", "town"])
    town = StringField(db_field="tn")
    room = EmbeddedDocumentField(Room)
    meta = {"indexes": [{"fields": ("street", "town"), "unique": True, "sparse": True}]}


def test_fields_that_are_unique_together() -> None:
    House(street="High", number=1, town="York", room=Room(floor=1, door=1)).save()
    information = get_db().house.index_information()
    unique = {name for name, one in information.items() if one.get("unique")}
    assert {"number_1_street_1_tn_1", "street_1_tn_1"} <= unique
    assert any("room.door" in name and "room.floor" in name for name in unique), unique
    for values in (
        {"street": "High", "number": 1, "town": "York", "room": {"floor": 2, "door": 2}},
        {"street": "High", "number": 2, "town": "York", "room": {"floor": 2, "door": 2}},
        {"street": "Low", "number": 1, "town": "York", "room": {"floor": 1, "door": 1}},
    ):
        with pytest.raises(NotUniqueError):
            House(**values).save()
    House(street="High", number=1, town="Leeds", room={"floor": 1, "door": 2}).save()
    House(street="Low", number=1, town="York", room={"floor": 2, "door": 1}).save()
    assert House.objects.count() == 3
