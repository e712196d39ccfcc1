# SPDX-License-Identifier: Apache-2.0
"""What projects written for MongoEngine reach for: its module paths, managers, private names."""

import datetime
import pathlib
import subprocess
import sys
from typing import Any

import pytest

import mongodb
from mongodb import Document, EmbeddedDocument, QuerySet, QuerySetManager, get_db, queryset_manager
from mongodb.compat.mongoengine.base import BaseDict, BaseList, StrictDict
from mongodb.compat.mongoengine.queryset import QueryFieldList
from mongodb.fields import (
    DateTimeField,
    EmbeddedDocumentField,
    IntField,
    ListField,
    PointField,
    ReferenceField,
    SequenceField,
    StringField,
)
from mongodb.signals import Namespace

PROJECT = """
import mongodb.compat
mongodb.compat.install("mongoengine")
mongodb.compat.install("mongoengine")

import importlib
import mongoengine as me
from mongoengine import *
from mongoengine.base import BaseDict, BaseField, ComplexBaseField, TopLevelDocumentMetaclass
from mongoengine.connection import get_db, _connections
from mongoengine.context_managers import query_counter, switch_db, set_read_write_concern
from mongoengine.errors import DoesNotExist, NotUniqueError
from mongoengine.queryset import Q, QuerySet, QueryFieldList
from mongoengine.queryset.visitor import QCombination

for name in '''base.common base.datastructures base.document base.fields base.metaclasses base.utils
common connection context_managers dereference document errors fields mongodb_support
pymongo_support queryset.base queryset.field_list queryset.manager queryset.queryset
queryset.transform queryset.visitor sessions signals'''.split():
    module = importlib.import_module("mongoengine." + name)
    assert module.__name__.startswith("mongodb."), name
    assert all(hasattr(module, one) for one in module.__all__), name

connect("p", host="docstore://:memory:")
assert me.connection is importlib.import_module("mongoengine.connection")
assert "default" in _connections

class Author(Document):
    name = StringField(unique=True)

class Post(me.Document):
    title = me.StringField()
    author = me.GenericReferenceField()
    at = me.PointField()

Post(title="x", author=Author(name="Ada").save(), at=[1, 2]).save()
assert Post.objects(Q(title="x")).get().author.name == "Ada"
assert me.queryset.transform.query(Post, title__ne="x") == {"title": {"$ne": "x"}}
assert me.queryset.transform.query(a__gt=1) == {"a": {"$gt": 1}}
assert me.queryset.transform.update(inc__a=1) == {"$inc": {"a": 1}}
assert me.common._import_class("Document") is Document
assert me.mongodb_support.get_mongodb_version() >= (4, 0)
assert me.pymongo_support.list_collection_names(get_db())
assert me.get_version() == me.__version__ and isinstance(Author, TopLevelDocumentMetaclass)
try:
    me.common._import_class("Nothing")
except ValueError:
    print("fine")
"""


def test_an_unchanged_project_finds_every_module() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROJECT], capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr


def test_what_is_imported_already_is_not_replaced() -> None:
    code = "import mongoengine, mongodb.compat\nmongodb.compat.install('mongoengine')"
    pytest.importorskip("mongoengine")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "imported already" in done.stderr


HABITS = """
from mongoengine import *

class Author(Document):
    name = StringField()
    meta = {"allow_inheritance": True}

    def __unicode__(self):
        return self.name

class Poet(Author):
    pass

class Inside(DynamicEmbeddedDocument):
    pass

class Loose(DynamicDocument):
    inside = EmbeddedDocumentField(Inside)

class Box(EmbeddedDocument):
    n = IntField()
    box = EmbeddedDocumentField("self")

class Store(Document):
    one = EmbeddedDocumentField(Box)
    many = ListField(EmbeddedDocumentField(Box))
    more = EmbeddedDocumentListField(Box)
    named = MapField(EmbeddedDocumentField(Box))
    any = GenericEmbeddedDocumentField()
    words = SortedListField(StringField())

import copy, pickle, sys
connect(host="docstore://:memory:")
Poet(name="Ada").save()
Loose(inside=Inside(x=1), y=2).save()
assert str(Author.objects.get()) == "Ada" and repr(Author.objects.get()) == "<Poet: Ada>"
assert str(Loose.objects.get()) == "Loose object" and Loose.objects.get().inside.x == 1
store = Store(one=Box(n=1, box=Box(n=2)), many=[Box(n=3)], more=[Box(n=4)], words=["b", "a"])
store.named, store.any = {"k": Box(n=5)}, Box(n=6)
assert store.any._instance == store
store.save()
store = Store.objects.get()
held = [store.one, store.many[0], store.more[0], store.named["k"], store.any]
assert [one._instance == store for one in held] == [True] * 5 and store.words == ["a", "b"]
assert store.one.box._instance == store.one and store._get_changed_fields() == []
store.one.n = 7
store.more.create(n=8)
store.save()
assert Store.objects(one__n=7, more__n=8).get().more[1]._instance.pk == store.pk
for other in (copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
    assert other.one.n == 7 and other == store
assert pickle.loads(pickle.dumps(store.one)) == copy.deepcopy(store.one) == store.one
assert issubclass(EmbeddedDocumentListField, ListField) and issubclass(MapField, DictField)
assert issubclass(DynamicDocument, Document) and issubclass(Inside, EmbeddedDocument)
print(sys.argv[1:])
"""


def test_a_command_runs_with_the_library_answered(tmp_path: pathlib.Path) -> None:
    (tmp_path / "habits.py").write_text(HABITS)

    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "mongodb.compat", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for name in ("habits.py", "habits"):
        done = run("mongoengine", "--", name, "-x", "--", "y")
        assert done.stdout == "['-x', '--', 'y']\n", done.stderr
    assert "usage:" in run("mongoengine").stderr and "usage:" in run("--", "x").stderr
    assert "'nothing' is none of" in run("nothing", "--", "x").stderr


class Popular(QuerySet):
    def popular(self) -> Any:
        return self.filter(stars__gte=3)


def test_managers_of_ones_own(connected: str) -> None:
    class PopularManager(QuerySetManager):
        default = Popular

    class ChosenManager(QuerySetManager):
        queryset_class = Popular

    class Chosen(Document):
        objects = ChosenManager()

    class Essay(Document):
        title = StringField()
        stars = IntField()
        objects = PopularManager()
        meta = {"ordering": ["title"]}

        @queryset_manager
        def titled(doc_cls, queryset, title, stars=1):  # noqa: N805
            return queryset.filter(title=title, stars__gte=stars)

        @queryset_manager
        def best(queryset):  # noqa: N805
            return queryset.order_by("-stars")

    class Letter(Document):
        stars = IntField()
        meta = {"queryset_class": Popular}

    for title, stars in (("a", 1), ("b", 3), ("c", 5)):
        Essay(title=title, stars=stars).save()
    assert [one.title for one in Essay.objects.popular()] == ["b", "c"]
    assert [one.title for one in Essay.best] == ["c", "b", "a"]
    assert Essay.titled("b").count() == 1 and Essay.titled("b", stars=4).count() == 0
    assert type(Chosen.objects) is type(Chosen._queryset()) is Popular
    assert type(Letter.objects) is Popular and Letter.objects.popular().count() == 0


def test_id_is_the_custom_primary_key(connected: str) -> None:
    class Plate(Document):
        number = StringField(primary_key=True)

    plate = Plate(number="A 1").save()
    assert plate.id == plate.pk == "A 1"
    plate.id = "B 2"
    assert plate.number == "B 2" and Plate.objects.get().id == "A 1"


def test_a_mixin_keeps_its_to_dict(connected: str) -> None:
    class Shown:
        def to_dict(self) -> dict[str, Any]:
            return {"shown": True}

    class Slide(Document, Shown):
        name = StringField()

    class Sheet(Document):
        name = StringField()

    assert Slide(name="x").to_dict() == {"shown": True}
    assert Sheet(name="x").to_dict() == {"id": None, "name": "x"}


def test_signals_of_ones_own() -> None:
    names = Namespace()
    published = names.signal("published", doc="when it is")
    heard = []

    @published.connect
    def hear(sender: Any, **kwargs: Any) -> None:
        heard.append((sender, kwargs))

    assert names.signal("published") is published and published.__doc__ == "when it is"
    published.send("me", n=1)
    assert heard == [("me", {"n": 1})]


def test_sequences_count_inside_embedded_documents(connected: str) -> None:
    class Line(EmbeddedDocument):
        number = SequenceField()

    class Bill(Document):
        line = EmbeddedDocumentField(Line)
        lines = ListField(EmbeddedDocumentField(Line))

    class Counted(Document):
        at = SequenceField()
        named = SequenceField(sequence_name="jelly")
        meta = {"abstract": True}

    class Tin(Counted):
        pass

    Tin().save()
    counters = get_db()["mongoengine.counters"].distinct("_id")
    assert sorted(counters) == ["counted.at", "jelly.named"]  # where MongoEngine counts
    bill = Bill(line=Line(), lines=[Line(), Line()]).save()
    assert sorted([bill.line.number, *(one.number for one in bill.lines)]) == [1, 2, 3]
    assert Bill.objects.get().line.number == bill.line.number


def test_abstract_documents_can_be_made_but_not_saved(connected: str) -> None:
    class Shape(Document):
        name = StringField(required=True, max_length=3)
        meta = {"abstract": True}

    class Square(Shape):
        side = IntField()

    shape = Shape(name="abc")
    assert shape.pk is None and not hasattr(shape, "_cls")
    with pytest.raises(KeyError, match="abstract"):
        shape.pk = 1
    shape.validate()
    assert shape.name == "abc" and dict(shape.to_mongo()) == {"name": "abc"}
    with pytest.raises(mongodb.ValidationError):
        Shape(name="long").validate()
    with pytest.raises(mongodb.InvalidDocumentError, match="abstract"):
        shape.save()
    with pytest.raises(mongodb.InvalidDocumentError, match="abstract"):
        Shape.objects.count()
    with pytest.raises(mongodb.NotRegistered):
        mongodb.get_document("Shape")
    assert Square(name="abc", side=1).save().pk and Square.objects(name="abc").count() == 1


def test_those_who_hear_a_save_learn_what_was_saved(connected: str) -> None:
    class Heard(Document):
        name = StringField()
        count = IntField(db_field="c")
        meta = {"allow_inheritance": True}

    told: list[Any] = []

    def hear(sender: Any, document: Any, created: bool, **kwargs: Any) -> None:
        told.append((created, document._get_changed_fields()))
        if document.name == "again":
            document.name = "once"
            document.save()
            told.append(document._get_changed_fields())

    mongodb.signals.post_save.connect(hear, sender=Heard)
    try:
        heard = Heard(name="a").save()
        assert told == [(True, ["name"])] and heard._get_changed_fields() == []
        heard.count = 5
        assert heard._get_changed_fields() == ["c"]
        heard.save()
        assert told[1:] == [(False, ["c"])] and heard._cls == "Heard"
        heard.name = "again"
        heard.save()
        assert told[2:] == [(False, ["name"]), (False, ["name"]), ["name"]]
        assert Heard.objects.get().name == "once"
    finally:
        mongodb.signals.post_save.disconnect(hear)


def test_time_series_by_meta(connected: str) -> None:
    if connected.startswith("docstore"):
        pytest.skip("the embedded engine has no time series")

    class Reading(Document):
        at = DateTimeField()
        sensor = StringField(db_field="s")
        meta = {
            "timeseries": {
                "timeField": "at",
                "metaField": "sensor",
                "granularity": "minutes",
                "expireAfterSeconds": 3600,
            }
        }

    Reading(at=datetime.datetime(2024, 1, 1), sensor="a").save()
    assert get_db().reading.options()["timeseries"]["metaField"] == "s"
    assert get_db().reading.options()["expireAfterSeconds"] == 3600
    assert Reading.objects(sensor="a").count() == 1


def test_private_names(connected: str) -> None:
    class Owner(Document):
        name = StringField(unique=True)

    class Pet(Document):
        owner = ReferenceField(Owner, reverse_delete_rule=mongodb.CASCADE)
        at = PointField()
        tags = ListField(StringField())
        meta = {"allow_inheritance": True, "indexes": ["tags"]}

    class Bird(Pet):
        pass

    class Owl(Bird):
        pass

    assert Owl._superclasses == ("Pet", "Pet.Bird") and Owner._collection is None
    owner = Owner(name="x").save()
    assert Owner._collection.name == owner._collection.name == "owner"
    assert Owner._collection.find_one()["name"] == "x"
    Owner._collection = None
    assert Owner._collection is None and Owner._get_collection().name == "owner"
    with pytest.raises(AttributeError, match="switch_collection"):
        Owner._collection = get_db().other
    assert Owner._meta["delete_rules"][Pet, "owner"] == mongodb.CASCADE
    assert Pet._geo_indices() == [{"fields": [("at", "2dsphere")]}]
    assert {"fields": [("_cls", 1), ("tags", 1)]} in Pet._meta["index_specs"]
    assert owner._object_key == {"pk": owner.pk} and Pet.owner._auto_dereference
    owner.name = "y"
    assert owner._changed_fields == ["name"]
    owner._clear_changed_fields()
    assert owner._changed_fields == [] and owner._delta() == ({}, {})
    owner.name = "z"
    owner._changed_fields = []
    assert owner._get_changed_fields() == []
    new = Owner(name="new")
    new._clear_changed_fields()
    assert new._created and new.save().pk
    query = Owner.objects.order_by("-name").read_concern({"level": "local"})
    assert query._ordering == [("name", -1)] and query._result_cache is None
    assert query.search_text("x")._search_text == "x" and query._where_clause is None
    assert query._read_concern.level == "local" and query._read_preference is None
    assert len(query) == len(query._result_cache) == 2
    assert Owner.objects.only("name")._loaded_fields.as_dict() == {"name": 1}
    assert Owner.objects.exclude("name")._loaded_fields.as_dict() == {"name": 0}


def test_tracked_containers() -> None:
    class Box(Document):
        changed: Any = ()

        def _mark_as_changed(self, key: str) -> None:
            self.__dict__.setdefault("marks", []).append(key)

    box = Box()
    kept = BaseDict({"a": 1, "d": {"x": 1}, "l": [1]}, instance=box, name="d")
    kept["a"] = 1
    kept["a"] = 2
    kept["d"]["x"] = 2
    kept["l"].append(2)
    del kept["a"]
    kept.update(b=1)
    assert kept.pop("b") == 1 and kept.get("no", 5) == 5 and type(kept["l"]) is BaseList
    assert box.marks == ["d.a", "d.d.x", "d.l", "d.a", "d", "d"]
    box.marks.clear()
    many = BaseList([1, [2], {"x": 1}], instance=box, name="m")
    many[0] = 1
    many[-1]["x"] = 2
    many[1] += [3]
    many.sort(key=str)
    many[0:1] = []
    assert box.marks[0] == "m.2.x" and box.marks[-2:] == ["m", "m"] and len(list(many)) == 2
    with pytest.raises(IndexError):
        many[7]


def test_strict_dict() -> None:
    cls = StrictDict.create(["a", "items"])
    assert cls is StrictDict.create(["a", "items"])
    one = cls(a=1)
    one["items"] = 2
    assert (one.a, one["items"], one.get("no"), "a" in one, len(one)) == (1, 2, None, True, 2)
    with pytest.raises(AttributeError):
        one.b = 1
    assert one.pop("a") == 1 and one.pop("a", 7) == 7 and "a" not in one
    with pytest.raises(KeyError):
        one["a"]


def test_field_lists_add_up() -> None:
    only, exclude = QueryFieldList.ONLY, QueryFieldList.EXCLUDE
    both = QueryFieldList(fields=["a", "b"], value=only) + QueryFieldList(fields=["b", "c"])
    assert both.as_dict() == {"b": 1, "c": 1}
    both += QueryFieldList(fields=["c"], value=exclude)
    assert both.as_dict() == {"b": 1}
    both += QueryFieldList(fields=["b"], value={"$slice": 5})
    assert both.as_dict() == {"b": {"$slice": 5}}
    both.reset()
    assert not both and both.as_dict() == {}
    kept = QueryFieldList(always_include=["x"]) + QueryFieldList(fields=["x", "a"], value=exclude)
    assert kept.as_dict() == {"a": 0}
