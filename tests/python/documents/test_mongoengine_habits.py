# SPDX-License-Identifier: Apache-2.0
"""What `mongodb.compat` does as MongoEngine does it, and plain `mongodb` otherwise."""

import enum
import importlib
import pathlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pymongo
import pytest
from bson import DBRef, Decimal128

import mongodb
from mongodb import Count, F
from mongodb._registry import _document_registry
from mongodb.compat import mongoengine as me
from mongodb.compat.mongoengine.context_managers import no_dereference, query_counter


@pytest.fixture(autouse=True)
def _store(memory: None) -> Iterator[None]:
    yield


def stored(cls: Any) -> Any:
    """The collection's only document, as it is stored."""
    return mongodb.get_db()[cls._get_collection_name()].find_one()


def test_a_refusal_has_class_key_and_the_fields_by_reason() -> None:
    class Habit(me.Document):
        name = me.StringField(required=True)
        size = me.StringField(choices=("S", "M"))
        tags = me.ListField(me.StringField(), max_length=1)

    with pytest.raises(me.ValidationError) as caught:
        Habit(size="X", tags=["a", "b"]).validate()
    assert str(caught.value) == caught.value.message
    assert str(caught.value) == (
        "ValidationError (Habit:None) (Field is required: ['name'] "
        "Value must be one of ('S', 'M'): ['size'] List is too long: ['tags'])"
    )
    assert caught.value.to_dict()["name"] == "Field is required"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_computed_values_are_no_unknown_fields() -> None:
    class Tagged(me.Document):
        name = me.StringField()
        tags = me.ListField(me.StringField())

    class Tagging(me.Document):
        of = me.ReferenceField(Tagged)
        inside = me.EmbeddedDocumentField("TaggedPart")

    class TaggedPart(me.EmbeddedDocument):
        size = me.IntField()

    one = Tagged(name="a", tags=["x", "y"]).save()
    Tagging(of=one, inside=TaggedPart(size=3)).save()
    found = Tagged.objects.annotate(n=Count("tags"), by=Count("tagging")).get()
    assert (found.n, found.by, found.name) == (2, 1, "a")
    found = Tagging.objects.annotate(twice=F("inside__size") * 2).first()
    assert found.twice == 6 and found.inside.size == 3
    mongodb.get_db()[Tagging._get_collection_name()].update_one({}, {"$set": {"other": 1}})
    with pytest.raises(me.FieldDoesNotExist, match="other"):
        Tagging.objects.annotate(twice=F("inside__size") * 2).first()


def test_what_a_plain_document_says_stays() -> None:
    class Plain(mongodb.Document):
        name = mongodb.StringField(required=True)

    with pytest.raises(mongodb.ValidationError, match=r"^Plain is not valid \(name: is required\)"):
        Plain().validate()
    with pytest.raises(mongodb.errors.InvalidDocumentError):
        mongodb.ReferenceField(dict)


def test_declarations_that_cannot_work_are_validation_errors() -> None:
    with pytest.raises(me.ValidationError, match="EmbeddedDocumentField"):
        me.EmbeddedDocumentField(dict)
    with pytest.raises(me.ValidationError, match="must be a document class or a string"):
        me.ReferenceField(me.EmbeddedDocument)
    with pytest.raises(me.ValidationError, match="must be a valid field"):
        me.MapField("text")


def test_positional_values_are_refused() -> None:
    class Position(me.Document):
        name = me.StringField()

    with pytest.raises(TypeError, match="positional arguments is not supported"):
        Position("x")


def test_errors_of_queries() -> None:
    class Asked(me.Document):
        name = me.StringField()

    with pytest.raises(Asked.DoesNotExist, match=r"^Asked matching query does not exist\.$"):
        Asked.objects.get(name="x")
    Asked(name="x").save()
    Asked(name="x").save()
    with pytest.raises(Asked.MultipleObjectsReturned, match="2 or more items returned"):
        Asked.objects.get(name="x")
    with pytest.raises(me.InvalidQueryError, match=r'^Cannot resolve field "nme"$'):
        Asked.objects(nme="x").first()


def test_a_field_left_out_has_its_default_and_saving_keeps_what_is_stored() -> None:
    class Left(me.Document):
        name = me.StringField()
        age = me.IntField(default=5)
        tags = me.ListField(me.StringField())

    Left(name="x", age=7, tags=["a"]).save()
    before = stored(Left)
    found = Left.objects.only("name").first()
    with query_counter() as sent:
        assert found.age == 5
        assert sent == 0
    found.save()
    assert stored(Left) == before
    found.tags.append("b")  # fetched: what is stored is not replaced
    found.save()
    assert stored(Left) == {**before, "tags": ["a", "b"]}


def test_a_stored_field_that_the_class_lacks() -> None:
    class Part(me.EmbeddedDocument):
        name = me.StringField()

    class Strict(me.Document):
        part = me.EmbeddedDocumentField(Part)

    class Lenient(me.Document):
        name = me.StringField()
        meta = {"strict": False}

    rows = mongodb.get_db()["strict"]
    rows.insert_one({"part": {"name": "x"}})
    assert Strict.objects.get().part.name == "x"
    for wrong in ({"part": {"name": "x", "more": 1}}, {"more": 1}):
        rows.replace_one({}, wrong)
        with pytest.raises(me.FieldDoesNotExist, match="more"):
            Strict.objects.get()
    mongodb.get_db()["lenient"].insert_one({"name": "x", "more": 1})
    assert Lenient.objects.get()["more"] == 1


def test_decimals_are_doubles_unless_digits_would_be_lost() -> None:
    class Price(me.Document):
        value = me.DecimalField(precision=25)

    Price(value=Decimal("1.10")).save()
    assert type(stored(Price)["value"]) is float
    assert Price.objects.get(value=Decimal("1.10")).value == Decimal("1.10")
    long = Decimal("1.1234567890123456789012345")
    Price.objects.get().modify(value=long)
    assert stored(Price)["value"] == Decimal128(long)
    assert Price.objects.get().value == long


def test_decimals_have_two_places_unless_precision_says_otherwise() -> None:
    class Invoice(me.Document):
        net = me.DecimalField()
        text = me.DecimalField(force_string=True)
        whole = me.DecimalField(precision=0)

    made = Invoice(net="1.555", text=Decimal("2.5"), whole="1.5").save()
    kept = {name: stored(Invoice)[name] for name in ("net", "text", "whole")}
    assert kept == {"net": 1.56, "text": "2.50", "whole": 2.0}
    mongodb.get_db()["invoice"].update_one({}, {"$set": {"net": 1.5}})
    assert [str(one.net) for one in (made, Invoice.objects.get())] == ["1.56", "1.50"]


def test_references_that_are_not_fetched_are_dbrefs() -> None:
    class Dramatist(me.Document):
        name = me.StringField()

    class Play(me.Document):
        author = me.ReferenceField(Dramatist)
        others = me.ListField(me.ReferenceField(Dramatist))

    ada = Dramatist(name="Ada").save()
    Play(author=ada, others=[ada]).save()
    before = stored(Play)
    reference = DBRef("dramatist", ada.pk)
    book = Play.objects.no_dereference().first()
    assert book.author == reference and book.others == [reference]
    book.others.append(ada)
    book.save()
    assert stored(Play)["others"] == [ada.pk, ada.pk]
    mongodb.get_db()["play"].replace_one({}, before)
    seen = []
    with no_dereference(Play):
        assert not Play.author._auto_dereference
        assert isinstance(Play.objects.first().author, DBRef)
        other = threading.Thread(target=lambda: seen.append(Play.objects.first().author))
        other.start()
        other.join()
    assert isinstance(seen[0], Dramatist) and isinstance(Play.objects.first().author, Dramatist)
    Play.objects.first().save()
    assert stored(Play) == before


def test_querysets_take_what_mongoengines_take() -> None:
    class Row(me.Document):
        name = me.StringField(db_field="n")
        age = me.IntField()
        meta = {"allow_inheritance": True}

    for name, age in (("a", 2), ("b", 1), ("a", 1)):
        Row(name=name, age=age).save()
    found = Row.objects.order_by(__raw__=["n", ("age", -1)])
    assert [(one.name, one.age) for one in found] == [("a", 2), ("a", 1), ("b", 1)]
    with pytest.raises(me.OperationError):
        Row.objects.order_by("name", __raw__=[("n", 1)])
    with pytest.raises(TypeError, match="int or None"):
        Row.objects.max_time_ms("1")
    assert Row.objects.where("this[~name] > {{~age}}")._where_clause == 'this["n"] > age'
    assert len(Row.objects.limit(0)) == 3 and len(Row.objects[1:1]) == 0
    assert Row.objects.timeout(False)._cursor_args == {"no_cursor_timeout": True}
    with pytest.raises(me.OperationError, match="already cached"):
        found.no_cache()
    assert len(list(found.iterator())) == 3
    plain = Row.objects.no_cache()
    assert isinstance(plain, me.queryset.QuerySetNoCache)
    assert type(plain.cache()) is me.queryset.QuerySet
    assert Row.objects.update(set__age=3, write_concern={"w": 0}) is None
    assert Row.objects.update(set__age=4) == 3
    assert Row.create_index("age") == "_cls_1_age_1"


def test_a_collections_indexes_are_those_of_all_its_classes() -> None:
    class Top(mongodb.Document):
        name = mongodb.StringField()
        meta = {"allow_inheritance": True}

    class Below(Top):
        more = mongodb.StringField()
        meta = {"indexes": ["more"]}

    Top.ensure_indexes()
    Below.ensure_indexes()
    keys = [[("_cls", 1), ("more", 1)], [("_id", 1)]]
    assert Top.list_indexes()[:2] == Below.list_indexes()[:2] == keys
    assert Top.compare_indexes()["extra"] == Below.compare_indexes()["extra"] == []


def test_a_choice_of_embedded_documents_takes_its_subclasses() -> None:
    class Base(mongodb.EmbeddedDocument):
        meta = {"allow_inheritance": True}

    class Special(Base):
        name = mongodb.StringField()

    class Holder(mongodb.Document):
        part = mongodb.fields.GenericEmbeddedDocumentField(choices=[Base])

    Holder(part=Special(name="x")).save()
    assert Holder.objects.get(part__name="x").part == Special(name="x")


def test_receivers_of_post_save_learn_the_values_that_were_sent() -> None:
    class Told(mongodb.Document):
        name = mongodb.StringField()
        data = mongodb.DictField()

    heard: list[Any] = []

    def hear(sender: Any, document: Any, **_: Any) -> None:
        heard.append(document._delta())

    mongodb.signals.post_save.connect(hear, sender=Told)
    told = Told(name="x", data={"a": 1, "b": 2}).save()
    told.name = None
    told.data["a"] = 3
    told.save()
    assert heard[0][0]["name"] == "x" and heard[0][1] == {}
    assert heard[1] == ({"data.a": 3}, {"name": 1})
    assert told._delta() == ({}, {})


def test_a_list_of_references_is_fetched_when_it_is_read() -> None:
    class Novelist(me.Document):
        name = me.StringField()

    class Shelf(me.Document):
        authors = me.ListField(me.ReferenceField(Novelist))
        things = me.ListField(me.GenericReferenceField())
        by_name = me.MapField(me.ReferenceField(Novelist))

    ada, bob = Novelist(name="Ada").save(), Novelist(name="Bob").save()
    Shelf(authors=[ada, bob], things=[bob], by_name={"a": ada}).save()
    bob.delete()
    before = stored(Shelf)
    for name in ("authors", "things", "by_name"):
        shelf = Shelf.objects.first()
        with query_counter() as sent:
            assert len(shelf._data[name]) > 0 and sent == 0
            value = getattr(shelf, name)
            assert sent == 1
            if name != "things":
                assert value["a" if name == "by_name" else 0].name == "Ada"
            getattr(shelf, name)
            assert sent <= 2
    assert shelf.authors == [ada, DBRef("novelist", bob.pk)]
    shelf.save()
    assert stored(Shelf) == before
    with query_counter() as sent:
        Shelf.objects.select_related()
        assert sent > 0


def test_reading_a_dbref_to_nothing_does_not_rewrite_it() -> None:
    class Maker(me.Document):
        meta = {"allow_inheritance": True}

    class Studio(Maker):
        name = me.StringField()

    class Work(me.Document):
        makers = me.ListField(me.ReferenceField(Maker, dbref=True))

    Work(makers=[Studio().save()]).save()
    before = stored(Work)
    assert before["makers"][0].as_doc()["_cls"] == "Maker.Studio"
    work = Work.objects.get()
    with no_dereference(Work):
        assert isinstance(work.makers[0], DBRef)
    Studio.drop_collection()
    for one in (work, Work.objects.get()):
        assert isinstance(one.makers[0], DBRef)
        assert one._delta() == ({}, {})
        one.save()
    assert stored(Work) == before


def test_a_mixins_meta_counts() -> None:
    class Named:
        meta = {"collection": lambda cls: cls.__name__.lower(), "indexes": ["name"]}

    class MixedIn(mongodb.Document, Named):
        name = mongodb.StringField()
        age = mongodb.IntField()
        meta = {"indexes": ["age"]}

    assert MixedIn._get_collection_name() == "mixedin"
    assert MixedIn.list_indexes()[:2] == [[("name", 1)], [("age", 1)]]


def test_names_at_all_levels_below_lists_and_in_sums() -> None:
    class Pay(mongodb.EmbeddedDocument):
        values = mongodb.ListField(mongodb.IntField(), db_field="v")

    class Paid(mongodb.Document):
        pay = mongodb.EmbeddedDocumentField(Pay, db_field="p")
        pays = mongodb.EmbeddedDocumentListField(Pay, db_field="ps")
        info = mongodb.ListField()

    pay = Pay(values=[1, 2])
    paid = Paid(pay=pay, pays=[pay, pay], info=[{"test": 5}]).save()
    assert paid.to_mongo(use_db_field=False) == {
        "id": paid.pk,
        "pay": {"values": [1, 2]},
        "pays": [{"values": [1, 2]}] * 2,
        "info": [{"test": 5}],
    }
    assert Paid.objects.sum("pay.values") == 3 and Paid.objects.average("pay.values") == 1.5
    assert Paid.objects.sum("pays__values") == 6
    assert Paid.objects(info__0__test=5).count() == 1
    assert Paid.objects(info__0__test__gt=5).count() == 0


def run(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_pytest_and_django_install_it_by_a_setting(tmp_path: pathlib.Path) -> None:
    (tmp_path / "conftest.py").write_text("import mongoengine\n")
    (tmp_path / "test_it.py").write_text(
        "import mongoengine\ndef test_it(): assert mongoengine.__name__.startswith('mongodb.')\n"
    )
    plugin = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mongodb.compat.pytest_plugin"]
    done = run(tmp_path, *plugin, "--mongodb-compat", "mongoengine")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(tmp_path, *plugin, "--mongodb-compat", "mongoengin")
    assert done.returncode == 4 and "'mongoengin' is none of" in done.stderr
    (tmp_path / "pytest.ini").write_text("[pytest]\nmongodb_compat = mongoengine\n")
    assert run(tmp_path, *plugin).returncode == 0
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "models.py").write_text("import mongoengine\nprint(mongoengine.__name__)")
    code = (
        "import django; from django.conf import settings; "
        "settings.configure(INSTALLED_APPS=['mongodb', 'shop'], MONGODB_COMPAT=['mongoengine']); "
        "django.setup()"
    )
    done = run(tmp_path, "-c", code)
    assert done.stdout.strip() == "mongodb.compat.mongoengine", done.stderr


def test_what_became_empty_is_unset_and_what_was_assigned_is_sent_whole() -> None:
    class ShapedPart(me.EmbeddedDocument):
        name = me.StringField(db_field="n")
        tags = me.ListField(me.StringField())

    class Shaped(me.Document):
        names = me.DictField(db_field="d")
        full = me.ListField(default=lambda: [1])
        part = me.EmbeddedDocumentField(ShapedPart)

    Shaped(names={"a": {"b": 1}}, part=ShapedPart(name="x", tags=["t"])).save()
    one = Shaped.objects.get()
    one.names = {"a": {"b": 1}}
    assert one._delta() == ({}, {})
    one.names["a"]["c"] = 2
    assert one._delta() == ({"d.a.c": 2}, {})
    one.names = {"z": 1}
    one.part.tags, one.full = [], []
    assert one._delta() == ({"d": {"z": 1}, "full": []}, {"part.tags": 1})
    one.part = ShapedPart(name="y")
    assert one._delta()[0]["part"] == {"n": "y", "tags": []}
    one.save()
    assert one._delta() == ({}, {}) and one._changed_fields == []
    one.names = {}
    one.save()
    assert "d" not in stored(Shaped) and stored(Shaped)["full"] == []
    assert Shaped.objects.get().names == {}
    plain = type("PlainShaped", (mongodb.Document,), {"names": mongodb.DictField()})
    kept = plain(names={"a": 1}).save()
    kept.names = {}
    kept.save()
    assert stored(plain)["names"] == {}


def test_a_shard_key_cannot_be_changed_once_it_is_stored() -> None:
    class ShardedPart(me.EmbeddedDocument):
        zone = me.StringField(db_field="z")

    class Sharded(me.Document):
        machine = me.StringField()
        part = me.EmbeddedDocumentField(ShardedPart)
        text = me.StringField()
        meta = {"shard_key": ("machine", "part.zone")}

    one = Sharded(machine="a", part=ShardedPart(zone="x"))
    one.machine = "b"
    one.save()
    one.machine = "b"
    with pytest.raises(
        me.OperationError, match="Shard Keys are immutable. Tried to update machine"
    ):
        one.machine = "c"
    assert one._object_key == {"pk": one.pk, "machine": "b", "part__zone": "x"}
    one.text = "t"
    one.save()
    one.reload()
    assert one.text == "t" and stored(Sharded)["part"] == {"z": "x"}


def test_a_document_that_is_given_the_key_of_a_stored_one_changes_that() -> None:
    class Keyed(me.Document):
        name = me.StringField()
        age = me.IntField()

    first = Keyed(name="a", age=1).save()
    same = Keyed(name="b")
    same.id = first.id
    same.save()
    first.reload()
    assert (first.name, first.age, Keyed.objects.count()) == ("b", 1, 1)
    Keyed(id=first.id, name="c").save()
    assert stored(Keyed) == {"_id": first.id, "name": "c"}
    with pytest.raises(me.NotUniqueError):
        Keyed(id=first.id, name="d").save(force_insert=True)


def test_a_condition_of_a_first_save_is_not_asked() -> None:
    class Fresh(me.Document):
        name = me.StringField()

    one = Fresh(name="a").save(save_condition={"name": "b"})
    one.name = "c"
    with pytest.raises(me.SaveConditionError):
        one.save(save_condition={"name": "b"})


def test_containers_without_a_field_refer_to_documents_of_any_class() -> None:
    class AnyOne(me.Document):
        name = me.StringField()

    class AnyTwo(me.Document):
        name = me.StringField()
        meta = {"allow_inheritance": True}

    class Holder(me.Document):
        list = me.ListField()
        dict = me.DictField()
        any = me.DynamicField()

    one, two = AnyOne(name="1").save(), AnyTwo(name="2").save()
    Holder(list=[one, {"deep": [two]}, 5], dict={"one": one}, any=two).save()
    told = {"_cls": "AnyOne", "_ref": DBRef("any_one", one.pk)}
    kept = stored(Holder)
    assert kept["list"][0] == told == kept["dict"]["one"] and kept["any"]["_cls"] == "AnyTwo"
    found = Holder.objects.get()
    with query_counter() as asked:
        assert [found.list[0].name, found.list[1]["deep"][0].name, found.list[2]] == ["1", "2", 5]
        assert asked == 2
        assert found.list[0].name == "1" and asked == 2
    assert found.dict["one"].name == "1" and found.any.name == "2"
    assert found._delta() == ({}, {})
    with query_counter() as asked:
        found = Holder.objects.get().select_related()
        assert asked == 3  # the holder, and a query for each class
        assert found.list[0] == found.dict["one"] == one and asked == 3
        assert found.any == two
    found.list.append(one)
    found.save()
    assert stored(Holder)["list"][3] == told


def test_what_an_untyped_container_cannot_fetch_stays_as_it_is_stored() -> None:
    class GoneOne(me.Document):
        name = me.StringField()

    class GoneHolder(me.Document):
        list = me.ListField()

    here = GoneOne(name="x").save()
    refs = [DBRef("gone_one", here.pk), DBRef("gone_one", 7), DBRef("unheard_of", 1)]
    mongodb.get_db().gone_holder.insert_one({"list": refs})
    found = GoneHolder.objects.get()
    assert found.list == [here, *refs[1:]] and found.list[0].name == "x"
    assert found._delta() == ({}, {})
    found.list.append(1)
    found.save()
    assert stored(GoneHolder)["list"] == [*refs, 1]


def test_fields_convert_what_is_assigned() -> None:
    class Colour(enum.Enum):
        RED = "r"

    class Converting(me.Document):
        colour = me.EnumField(Colour)
        number = me.SequenceField()

    one = Converting().save()
    one.colour = "r"
    one.number = None
    assert one.colour is Colour.RED and one.number == 2
    with pytest.raises(me.ValidationError, match="precision must be a positive integer"):
        me.DecimalField(precision=-1)


def test_subclasses_are_declared_as_mongoengine_wants_them() -> None:
    class Closed(me.EmbeddedDocument):
        name = me.StringField()

    with pytest.raises(ValueError, match="Document Closed may not be subclassed"):

        class Opened(Closed):
            pass

    class Stock(me.Document):
        name = me.StringField()
        meta = {"allow_inheritance": True}

    with pytest.warns(SyntaxWarning, match="documents of a subclass are in that of Stock"):

        class Share(Stock):
            meta = {"collection": "other"}

    assert Share._get_collection_name() == "stock"
    with pytest.raises(ValueError, match="cannot be abstract"):

        class Idea(Stock):
            meta = {"abstract": True}


def test_querysets_refuse_what_mongoengine_refuses() -> None:
    class Refusing(me.Document):
        names = me.ListField(me.StringField())

    Refusing(names=["a"]).save()
    with pytest.raises(TypeError, match="takes a list of values"):
        Refusing.objects(names__in=5).count()
    with pytest.raises(me.InvalidQueryError):
        Refusing.objects(names="a").with_id(1)
    with pytest.raises(ValueError, match="batch_size"):
        list(Refusing.objects.batch_size(-1))
    with pytest.raises(ValueError, match="full_response"):
        Refusing.objects.modify(full_response=True, set__names=[])
    assert Refusing.objects.limit(0).count() == 0 and len(Refusing.objects.limit(0)) == 1


def test_embedded_documents_that_no_field_declares_are_validated() -> None:
    class Strictly(me.DynamicEmbeddedDocument):
        url = me.URLField()

    class Loose(me.DynamicDocument):
        pass

    one = Loose()
    one.part = Strictly(url="no url")
    with pytest.raises(me.ValidationError, match="part"):
        one.validate()


def test_select_related_asks_once_for_each_class() -> None:
    class Colleague(me.Document):
        name = me.StringField()
        boss = me.ReferenceField("self")
        friends = me.ListField(me.ReferenceField("self"))

    boss, friend = Colleague(name="b").save(), Colleague(name="f").save()
    one = Colleague(name="1", boss=boss, friends=[friend]).save()
    Colleague(name="2", boss=friend, friends=[boss]).save()
    for ask in (
        lambda: [Colleague.objects.with_id(one.pk).select_related()],
        lambda: Colleague.objects(boss__exists=True).select_related(),
    ):
        with query_counter() as asked:
            found = ask()
            assert asked == 2
            shown = [(each.boss.name, each.friends[0].name) for each in found]
            assert asked == 2 and shown[0] == ("b", "f")


def test_values_that_were_not_fetched_are_dbrefs_in_data() -> None:
    class Author(me.Document):
        name = me.StringField()
        meta = {"collection": "data_author"}

    class Shelf(me.Document):
        first = me.ReferenceField(Author)
        more = me.ListField(me.ReferenceField(Author))

    ada = Author(name="Ada").save()
    Shelf(first=ada, more=[ada]).save()
    one = Shelf.objects.get()
    assert one._data["first"] == one._data["more"][0] == DBRef("data_author", ada.pk)
    assert one.first.name == one.more[0].name == "Ada"
    assert isinstance(one._data["first"], Author)


def test_a_cascade_fetches_nothing() -> None:
    class Club(me.Document):
        name = me.StringField()

    class Fan(me.Document):
        name = me.StringField()
        clubs = me.ListField(me.ReferenceField(Club))

    class Ticket(me.Document):
        fan = me.ReferenceField(Fan)

    fan = Fan(name="f", clubs=[Club(name="c").save()]).save()
    Ticket(fan=fan).save()
    ticket = Ticket.objects.get()
    ticket.fan.name = "g"
    with query_counter() as asked:
        ticket.save(cascade=True)
        assert asked == 1
    assert Fan.objects.get().name == "g"


def test_what_json_describes_is_new_or_of_the_store_as_it_is_said() -> None:
    class FromText(me.Document):
        name = me.StringField()

    key = "5b85a8b04ec5dc2da388296e"
    one = FromText.from_json(f'{{"_id": "{key}", "name": "a"}}', created=False)
    assert (one._created, one._changed_fields, str(one.id)) == (False, [], key)
    one.save()
    assert FromText.objects.count() == 0  # nothing has changed
    one.name = "b"
    one.save()
    assert stored(FromText) == {"_id": one.id, "name": "b"}
    keyless = FromText.from_json('{"name": "c"}', created=False)
    assert keyless._created is False
    keyless.save()
    assert keyless.id is not None and FromText.objects.count() == 2
    assert FromText._from_son({"name": "d"}, created=True)._created is True


def test_delete_rules_in_dicts_are_refused() -> None:
    class Ruled(me.Document):
        name = me.StringField()

    with pytest.raises(mongodb.errors.InvalidDocumentError, match="references in dicts"):

        class Ruling(me.Document):
            by_name = me.MapField(me.ReferenceField(Ruled, reverse_delete_rule=me.CASCADE))


def test_a_shard_key_inside_a_part_is_checked_when_saving() -> None:
    class Zone(me.EmbeddedDocument):
        name = me.StringField(db_field="n")

    class Zoned(me.Document):
        zone = me.EmbeddedDocumentField(Zone)
        meta = {"shard_key": "zone.name"}

    one = Zoned(zone=Zone(name="a")).save()
    one.zone.name = "b"
    with pytest.raises(me.OperationError, match="Tried to update zone.name"):
        one.save()


def test_what_is_left_out_of_dicts_is_left_out() -> None:
    class Trimmed(me.Document):
        name = me.StringField()

    one = Trimmed(name="a").save()
    assert list(Trimmed.objects.exclude("id").as_pymongo()) == [{"name": "a"}]
    assert Trimmed.objects.exclude("id").to_json() == '[{"name": "a"}]'
    assert Trimmed.objects.exclude("id").get().id == one.id  # a document is saved by it


def test_enums_inside_containers_are_converted_when_they_are_assigned() -> None:
    class Shade(enum.Enum):
        DARK = "d"

    class Shaded(me.Document):
        shades = me.ListField(me.EnumField(Shade))
        named = me.MapField(me.EnumField(Shade))

    one = Shaded()
    one.shades, one.named = ["d"], {"a": "d"}
    assert one.shades == [Shade.DARK] and one.named == {"a": Shade.DARK}


def test_a_counted_key_is_no_changed_field() -> None:
    class Counted(me.Document):
        id = me.SequenceField(primary_key=True)
        name = me.StringField()

    heard = []

    def hear(sender: Any, document: Any, **kwargs: Any) -> None:
        heard.append(document._get_changed_fields())

    me.signals.post_save.connect(hear, sender=Counted)
    try:
        Counted(name="a").save()
    finally:
        me.signals.post_save.disconnect(hear, sender=Counted)
    assert heard == [["name"]]


def test_a_decimal_of_too_many_digits_is_near_enough() -> None:
    class Priced(me.Document):
        price = me.DecimalField()

    Priced(price=3.5).save()
    Priced.objects.update_one(inc__price=Decimal(0.12))
    assert float(Priced.objects.get().price) == 3.62


def test_stages_as_arguments_are_warned_of() -> None:
    class Staged(me.Document):
        name = me.StringField()

    with pytest.warns(DeprecationWarning, match="one list"):
        assert list(Staged.objects.aggregate({"$limit": 1}, {"$skip": 0})) == []


def test_errors_of_the_store_are_pymongos_too() -> None:
    class HabitIndexed(me.Document):
        name = me.StringField()

    HabitIndexed(name="a").save()
    for broken in (HabitIndexed.objects.hint("none"), HabitIndexed.objects.hint([("no", 1)])):
        with pytest.raises(pymongo.errors.OperationFailure) as caught:
            list(broken)
        assert isinstance(caught.value, me.OperationError)
        assert caught.value.code == 2 and caught.value.details["code"] == 2
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again), again.code) == (type(caught.value), str(caught.value), 2)
    with pytest.raises(TypeError):
        HabitIndexed.objects.hint(("name", 1))
    mongodb.get_db().habit_indexed.insert_many([{"name": "a"}, {"name": "a"}])

    class HabitIndexed(me.Document):  # type: ignore[no-redef]  # noqa: F811
        name = me.StringField(unique=True)

    with pytest.raises(pymongo.errors.DuplicateKeyError):
        list(HabitIndexed.objects)


def test_names_that_lead_nowhere_sort_by_what_is_stored() -> None:
    class HabitSorted(me.Document):
        meta = {"strict": False}  # noqa: RUF012
        name = me.StringField(db_field="n")

    HabitSorted(name="a").save()
    found = HabitSorted.objects.order_by("-any__thing", "name")
    assert found.as_command()["sort"] == {"any.thing": -1, "n": 1}
    with pytest.raises(mongodb.errors.InvalidQueryError):
        mongodb.queryset.QuerySet(HabitSorted).order_by("any")


def test_only_replaces_fields_and_minds_what_was_excluded() -> None:
    class HabitChosen(me.Document):
        a = me.ListField()
        b = me.ListField()
        c = me.ListField()

    found = HabitChosen.objects.fields(a=1, b=1).only("b", "c")
    assert found._loaded_fields.as_dict() == {"b": 1, "c": 1}
    assert HabitChosen.objects.only("a").only("b")._loaded_fields.as_dict() == {"a": 1, "b": 1}
    assert HabitChosen.objects.exclude("a").only("a", "b")._loaded_fields.as_dict() == {"b": 1}
    found = HabitChosen.objects.fields(slice__b=5, slice__c=1).exclude("c")
    assert found._projection() == {"b": {"$slice": 5}, "c": 0}


def test_a_slice_of_a_slice_begins_anew() -> None:
    class HabitSliced(me.Document):
        n = me.IntField()

    HabitSliced.objects.insert([HabitSliced(n=n) for n in range(6)])
    found = HabitSliced.objects.order_by("n")[4:6]
    assert [one.n for one in found[1:3]] == [1, 2] and found[1].n == 5


def test_what_was_counted_is_not_counted_again() -> None:
    class HabitCounted(me.Document):
        n = me.IntField()

    HabitCounted.objects.insert([HabitCounted(n=n) for n in range(3)])
    found = HabitCounted.objects[:2]
    with query_counter() as counter:
        assert [found.count(True) for _ in range(3)] == [2, 2, 2]
        assert counter == 1
        assert found._len == 2 and found.clone()._len is None
        HabitCounted.objects.insert([HabitCounted(n=9)])
    assert list(found._cursor)[0]["n"] == 0


def test_documents_are_made_once_when_they_are_read() -> None:
    class HabitMade(me.Document):
        name = me.StringField()

    heard: list[Any] = []

    def hear(sender: Any, document: Any, values: Any) -> None:
        heard.append(values)

    HabitMade(name="a").save()
    me.signals.pre_init.connect(hear, HabitMade)
    found = HabitMade.objects.first()
    assert heard == [{"id": found.pk, "name": "a"}]
    new = HabitMade.objects.insert(HabitMade(name="b"))
    assert [one["name"] for one in heard] == ["a", "b", "b"] and heard[2]["id"] == new.pk


def test_a_querysets_own_delete_deletes_documents() -> None:
    class HabitKept(me.QuerySet):  # type: ignore[misc]
        def delete(self, **options: Any) -> Any:
            return self.update(set__gone=True)

    class HabitSoft(me.Document):
        meta = {"queryset_class": HabitKept}  # noqa: RUF012
        gone = me.BooleanField(default=False)

    one = HabitSoft().save()
    one.delete()
    assert HabitSoft.objects.get().gone


def test_mistakes_in_updates_are_named_as_mongoengine_does() -> None:
    class HabitChanged(me.Document):
        items = me.ListField(me.DictField())
        few = me.ListField(me.IntField(), max_length=2)

    HabitChanged(items=[{"a": [1]}], few=[1]).save()
    with pytest.raises(me.InvalidQueryError):
        HabitChanged.objects.update(pull_all__items__a=[1])
    for change in (HabitChanged.objects.update, HabitChanged.objects.modify):
        with pytest.raises(me.ValidationError, match="List is too long"):
            change(set__few=[1, 2, 3])
    with pytest.raises(me.OperationError, match="use doc.update"):
        HabitChanged.objects.insert(HabitChanged.objects.get())


def test_values_and_declarations_are_refused_as_mongoengine_does() -> None:
    class HabitOther(me.Document):
        pass

    class HabitRefused(me.Document):
        meta = {"strict": False}  # noqa: RUF012
        size = me.StringField(choices=[("S", "small")])
        mail = me.EmailField()
        even = me.IntField(validation=lambda value: value % 2 == 0)
        exact = me.Decimal128Field()

    with pytest.raises(me.ValidationError, match=r"Value must be one of \['S'\]"):
        HabitRefused(size="X").validate()
    with pytest.raises(me.ValidationError, match="domain failed IDN encoding"):
        HabitRefused(mail="me@.example.com").validate()
    with pytest.raises(me.DeprecatedError, match="must not return anything"):
        HabitRefused(even=1).validate()
    with pytest.raises(me.FieldDoesNotExist):
        HabitRefused(colour="red")
    assert HabitRefused(exact=1).exact == Decimal(1)
    with pytest.raises(me.ValidationError):
        me.LazyReferenceField(me.EmbeddedDocument)
    with pytest.raises(me.ValidationError):

        class HabitInside(me.Document):
            one = me.EmbeddedDocumentField("HabitOther")

    _document_registry.pop("HabitInside", None)  # commands of all classes would meet it

    with pytest.raises(me.InvalidDocumentError, match="Invalid data to create a `HabitHolder`"):

        class HabitPart(me.EmbeddedDocument):
            n = me.IntField()

        class HabitHolder(me.Document):
            parts = me.ListField(me.EmbeddedDocumentField(HabitPart))

        HabitHolder._from_son({"parts": {"a": None}})


def test_lists_of_lazy_references_are_made_of_keys() -> None:
    class HabitTarget(me.Document):
        pass

    class HabitLazy(me.Document):
        targets = me.ListField(me.LazyReferenceField(HabitTarget))

    target, one = HabitTarget().save(), HabitLazy()
    one.targets = [target.pk, target]
    assert [ref.pk for ref in one.targets] == [target.pk, target.pk]
    assert all(isinstance(ref, mongodb.fields.LazyReference) for ref in one.targets)


def test_modules_have_the_names_they_import() -> None:
    for module, names in {
        "document": "BaseDocument get_document switch_db InvalidDocumentError",
        "fields": "BaseField ComplexBaseField Document get_db",
        "base.document": "BaseDict LazyReference ValidationError",
        "queryset.base": "Q QueryFieldList NotUniqueError",
        "signals": "_signals",
    }.items():
        found = importlib.import_module(f"mongodb.compat.mongoengine.{module}")
        for name in names.split():
            assert getattr(found, name) is not None
    with pytest.raises(AttributeError, match="nobody"):
        me.document.nobody  # noqa: B018
    signal = importlib.import_module("mongodb.compat.mongoengine.signals")._signals.signal("mine")
    assert signal.send(None) == []


def test_conditions_of_a_querysets_own_are_taken_out_and_given_on() -> None:
    class HabitHidden(me.QuerySet):  # type: ignore[misc]
        def everything(self) -> Any:
            found = self.clone()
            for one in (found._query_obj, *getattr(found._query_obj, "children", ())):
                getattr(one, "query", {}).pop("gone__ne", None)
            return found

    class HabitSeen(me.Document):
        meta = {"queryset_class": HabitHidden}  # noqa: RUF012
        gone = me.BooleanField()
        n = me.IntField()

        @me.queryset_manager
        def objects(self, queryset: Any) -> Any:
            hidden = queryset.filter(gone__ne=True)
            return hidden._clone_into(HabitHidden(self, self._get_collection()))

    HabitSeen(n=1).save()
    HabitSeen(n=2, gone=True).save()
    found = HabitSeen.objects(n__gt=0)
    assert isinstance(found, HabitHidden) and found.count() == 1
    assert found.everything().count() == 2
    assert found.count() == 1 and found._cls_query == {}
    assert isinstance(found._clone_into_qs(me.queryset.QuerySetNoCache)._cached, bool)
    assert not found._clone_into_qs(me.queryset.QuerySetNoCache)._cached


def test_what_packages_set_themselves_is_kept() -> None:
    class HabitLabelled(me.StringField):  # type: ignore[misc]
        verbose_name = "of the class"

    class HabitStated(me.Document):
        one = HabitLabelled()
        two = HabitLabelled(verbose_name="given")

        def __init__(self, *args: Any, **values: Any) -> None:
            super().__init__(*args, **values)
            self._state = "theirs"

    assert HabitStated._fields["one"].verbose_name == "of the class"
    assert HabitStated._fields["two"].verbose_name == "given"
    assert HabitStated()._state == "theirs"
    assert me.StringField().verbose_name is None


def test_dicts_lack_the_key_that_was_excluded() -> None:
    class HabitBare(me.Document):
        name = me.StringField()
        more = me.StringField()

    HabitBare(name="a", more="b").save()
    found = HabitBare.objects.exclude("id", "more").only("name")
    assert list(found.as_pymongo()) == [{"name": "a"}]
    assert found.get().pk is not None
