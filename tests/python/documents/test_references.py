# SPDX-License-Identifier: Apache-2.0
"""References to documents of any class, lazy ones, and those that keep copies."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from bson import DBRef, ObjectId

from mongodb import (
    CASCADE,
    DENY,
    NULLIFY,
    PULL,
    Document,
    EmbeddedDocument,
    get_db,
    no_dereference,
    query_counter,
)
from mongodb.errors import (
    DoesNotExist,
    InvalidDocumentError,
    NotRegistered,
    OperationError,
    ValidationError,
)
from mongodb.fields import (
    CachedReferenceField,
    EmbeddedDocumentField,
    GenericLazyReferenceField,
    GenericReferenceField,
    IntField,
    LazyReference,
    LazyReferenceField,
    ListField,
    MapField,
    StringField,
)


class Someone(Document):
    name = StringField()
    town = StringField(db_field="t")
    age = IntField()


class Gadget(Document):
    code = StringField(primary_key=True)
    weight = IntField()


class Trunk(Document):
    meta = {"allow_inheritance": True}


class Twig(Trunk):
    n = IntField()


class Nook(EmbeddedDocument):
    any = GenericReferenceField()


class Keeper(Document):
    any = GenericReferenceField()
    many = ListField(GenericReferenceField())
    named = MapField(GenericReferenceField())
    inner = EmbeddedDocumentField(Nook)
    some = GenericReferenceField(choices=[Someone, "Gadget"])
    lazy = LazyReferenceField(Someone)
    through = LazyReferenceField("Someone", passthrough=True)
    ref = LazyReferenceField(Someone, dbref=True)
    lazies = ListField(LazyReferenceField(Someone))
    lazy_any = GenericLazyReferenceField()
    lazy_many = ListField(GenericLazyReferenceField())
    kept = CachedReferenceField(Someone, fields=["name", "town"])
    kept_many = ListField(CachedReferenceField(Someone, fields=["name"]))
    kept_all = CachedReferenceField(Someone)
    still = CachedReferenceField(Someone, fields=["name"], auto_sync=False)


@pytest.fixture
def ada(connected: str) -> Iterator[Any]:
    yield Someone(name="Ada", town="York", age=36).save()


def raw() -> dict[str, Any]:
    found: dict[str, Any] = get_db().keeper.find_one()
    return found


def test_generic_references_are_stored_with_their_class(ada: Any) -> None:
    thing, leaf = Gadget(code="x", weight=2).save(), Twig(n=5).save()
    Keeper(any=ada, many=[ada, thing, leaf], named={"k": thing}, inner=Nook(any=leaf)).save()
    person = {"_cls": "Someone", "_ref": DBRef("someone", ada.pk)}
    branch = {"_cls": "Trunk.Twig", "_ref": DBRef("trunk", leaf.pk)}
    stored = raw()
    assert stored["any"] == person and list(stored["any"]) == ["_cls", "_ref"]
    assert stored["many"] == [person, {"_cls": "Gadget", "_ref": DBRef("gadget", "x")}, branch]
    assert stored["named"] == {"k": stored["many"][1]} and stored["inner"] == {"any": branch}
    found = Keeper.objects.get()
    assert (found.any, found.any.pk, found.any.name) == (ada, ada.pk, "Ada")
    assert [type(one) for one in found.many] == [Someone, Gadget, Twig]
    assert (found.many[2].n, found.named["k"].weight, found.inner.any.n) == (5, 2, 5)
    assert found._get_changed_fields() == []
    found.any = thing
    found.save()
    assert raw()["any"]["_cls"] == "Gadget" and found.to_dict()["any"] == "x"


def test_generic_references_are_fetched_by_the_batch(ada: Any) -> None:
    for number in range(6):
        other = Gadget(code=str(number)).save() if number % 2 else Someone(name=str(number)).save()
        Keeper(any=other, many=[ada, other]).save()
    with query_counter() as queries:
        holders = list(Keeper.objects)
        assert all(one.any.pk and one.many[1] == one.any for one in holders)
        assert queries == 1
        assert {type(one.any).__name__: bool(one.any.to_mongo()) for one in holders} == {
            "Someone": True,
            "Gadget": True,
        }
        assert queries == 3  # one for each class
    with query_counter() as queries:
        for one in Keeper.objects.select_related("any", "many"):
            assert [type(each.to_mongo()).__name__ for each in one.many] == ["SON", "SON"]
        assert queries == 3  # one for each class, whatever fields name it
    with query_counter() as queries:
        Keeper.objects.first().select_related().many[0].name  # noqa: B018
        assert queries <= 5


def test_generic_references_are_found(ada: Any) -> None:
    thing = Gadget(code="x").save()
    Keeper(any=ada, many=[ada, thing]).save()
    for value in (ada, ada.pk, ada.to_dbref(), LazyReference(Someone, ada.pk)):
        assert Keeper.objects(any=value).count() == 1, value
        assert Keeper.objects(any__ne=value).count() == 0, value
        assert Keeper.objects(any__not=value).count() == 0, value
        assert Keeper.objects(many=value).count() == 1, value
        assert Keeper.objects(any__in=[thing, value]).count() == 1, value
        assert Keeper.objects(any__nin=[thing, value]).count() == 0, value
        assert Keeper.objects(any__not__in=[value]).count() == 0, value
        assert Keeper.objects(many__in=(value,)).count() == 1, value
    for value in (ObjectId(), DBRef("someone", ObjectId())):
        assert Keeper.objects(any=value).count() == Keeper.objects(any__in=[value]).count() == 0
        assert Keeper.objects(any__ne=value).count() == 1, value
        assert Keeper.objects(any__not__exact=value).count() == 1, value
        assert Keeper.objects(any__nin=[value, thing]).count() == 1, value
    assert Keeper.objects(any=thing).count() == 0 and Keeper.objects(many=thing).count() == 1
    assert Keeper.objects(any__in=[ada, thing]).count() == 1
    assert Keeper.objects(any=ada.pk, some=None).count() == 1
    assert Keeper.objects.update(any=thing) == 1 and raw()["any"]["_ref"] == DBRef("gadget", "x")
    with pytest.raises(ValidationError):
        Keeper.objects.update(any=5)


def test_what_no_reference_takes(ada: Any) -> None:
    leaf = Twig().save()
    for name in ("any", "some", "lazy", "ref", "lazy_any", "kept"):
        with pytest.raises(ValidationError) as refused:
            Keeper(**{name: Someone(name="new")}).save()
        assert list(refused.value.errors) == [name] and "save" in str(refused.value)
        with pytest.raises(ValidationError):
            Keeper(**{name: 5}).save()
    with pytest.raises(ValidationError, match=r"must be one of Someone, Gadget, not Trunk\.Twig"):
        Keeper(some=leaf).save()
    with pytest.raises(ValidationError, match=r"not Trunk\.Twig"):
        Keeper(some={"_cls": "Trunk.Twig", "_ref": leaf.to_dbref()}).save()
    Keeper(some=LazyReference(Someone, ada.pk)).save()
    with pytest.raises(ValidationError, match="its id, not 5"):
        Keeper(lazy=DBRef("someone", 5)).save()

    class Nest(Document):
        twig = LazyReferenceField(Twig)

    with pytest.raises(ValidationError, match="must refer to a Twig"):
        Nest(twig=LazyReference(Trunk, leaf.pk)).save()
    for wrong in (DBRef("trunk", ada.pk), LazyReference(Twig, ada.pk)):
        with pytest.raises(ValidationError, match="must refer to a Someone"):
            Keeper(lazy=wrong).save()
    for name in ("lazy", "kept"):
        with pytest.raises(ValidationError):
            Keeper(**{name: leaf}).save()
    with pytest.raises(ValidationError, match="choices are Document classes"):
        GenericReferenceField(choices=[5])
    with pytest.raises(ValidationError, match="takes a Document class"):
        CachedReferenceField(int)
    with pytest.raises(InvalidDocumentError, match="EmbeddedDocuments"):
        type("Bad", (EmbeddedDocument,), {"kept": CachedReferenceField(Someone)})


def test_documents_that_are_gone(ada: Any) -> None:
    Keeper(any=ada, lazy=ada, lazy_any=ada, kept=ada).save()
    ada.delete()
    found = Keeper.objects.get()
    assert found.any.pk == found.lazy.pk == found.lazy_any.pk == found.kept.pk == ada.pk
    for read in (
        lambda: found.any.name,
        lambda: found.lazy.fetch(),
        lambda: found.lazy_any.fetch(),
        lambda: found.kept.name,
    ):
        with pytest.raises(DoesNotExist):
            read()
    found.save()
    get_db().keeper.update_one({}, {"$set": {"any._cls": "Nobody"}})
    with pytest.raises(NotRegistered, match="Nobody"):
        Keeper.objects.get().any  # noqa: B018


def test_lazy_references(ada: Any) -> None:
    thing = Gadget(code="x", weight=3).save()
    Keeper(
        lazy=ada, through=ada.pk, ref=ada, lazies=[ada], lazy_any=thing, lazy_many=[ada, thing]
    ).save()
    stored = raw()
    assert (stored["lazy"], stored["through"], stored["lazies"]) == (ada.pk, ada.pk, [ada.pk])
    assert stored["ref"] == DBRef("someone", ada.pk)
    assert stored["lazy_any"] == {"_cls": "Gadget", "_ref": DBRef("gadget", "x")}
    with query_counter() as queries:
        found = Keeper.objects.get()
        assert found.lazy.pk == found.lazy.id == ada.pk and found.lazy == ada.to_dbref()
        assert (found.lazy.document_type, found.lazy.collection) == (Someone, "someone")
        assert isinstance(found.lazies[0], LazyReference) and found.lazy_any.pk == "x"
        assert queries == 1
        assert found.lazy.fetch().name == "Ada" and found.lazy.fetch() is found.lazy.fetch()
        assert queries == 2
    assert (found.through.name, found.through["age"], found.ref.fetch().name) == ("Ada", 36, "Ada")
    assert [one.fetch() for one in found.lazy_many] == [ada, thing]
    with pytest.raises(AttributeError, match="passthrough=True"):
        found.lazy.name  # noqa: B018
    with pytest.raises(KeyError):
        found.lazy["name"]
    Someone.objects.update(name="Eve")
    assert found.lazy.fetch().name == "Ada" and found.lazy.fetch(force=True).name == "Eve"
    assert found._get_changed_fields() == []
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert other.lazy == found.lazy and other.lazy_any.fetch().weight == 3
    for value in (ada, ada.pk, found.lazy, ada.to_dbref()):
        assert Keeper.objects(lazy=value, ref=value, lazies=value).count() == 1
    assert Keeper.objects(lazy_any=thing, lazy__id=ada.pk).count() == 1
    found.lazy = found.lazies[0]
    found.lazy_any = found.lazy
    found.save()
    assert raw()["lazy_any"] == {"_cls": "Someone", "_ref": DBRef("someone", ada.pk)}
    given = Keeper(lazy=str(ada.pk), lazy_any=thing)
    assert given.lazy.fetch() == ada and isinstance(given.lazy_any, LazyReference)
    assert Keeper.lazy.to_python(None) is None


def test_delete_rules_of_lazy_references(ada: Any) -> None:
    class Gone(Document):
        of = LazyReferenceField(Someone, reverse_delete_rule=CASCADE)

    class Unset(Document):
        of = LazyReferenceField(Someone, reverse_delete_rule=NULLIFY)
        many = ListField(LazyReferenceField(Someone, reverse_delete_rule=PULL))

    class Denied(Document):
        of = LazyReferenceField(Someone, reverse_delete_rule=DENY)

    Gone(of=ada).save()
    Unset(of=ada, many=[ada]).save()
    denied = Denied(of=ada).save()
    with pytest.raises(OperationError, match="DENY"):
        ada.delete()
    denied.delete()
    ada.delete()
    assert Gone.objects.count() == 0
    assert Unset.objects.get().of is None and Unset.objects.get().many == []


def test_copies_are_stored_queried_and_kept_up_to_date(ada: Any) -> None:
    eve = Someone(name="Eve", town="Leeds").save()
    Keeper(kept=ada, kept_many=[eve, ada], kept_all=ada, still=ada).save()
    copied = {"_id": ada.pk, "name": "Ada", "t": "York"}
    stored = raw()
    assert stored["kept"] == copied and stored["kept_all"] == {**copied, "age": 36}
    assert stored["kept_many"] == [{"_id": eve.pk, "name": "Eve"}, {"_id": ada.pk, "name": "Ada"}]
    found = Keeper.objects.get()
    assert (found.kept, found.kept.age, found.kept_many[1].name) == (ada, 36, "Ada")
    assert found._get_changed_fields() == []
    assert Keeper.objects(kept=ada, kept_many=ada, kept__name="Ada", kept_many__name="Eve").count()
    assert Keeper.objects(kept__in=[eve]).count() == Keeper.objects(kept__town="x").count() == 0
    with query_counter() as queries:
        ada.age = 37
        ada.save()
        assert queries == 2  # the document, and kept_all
    ada.name, ada.town = "Bea", None
    ada.save()
    stored = raw()
    assert stored["kept"] == {"_id": ada.pk, "name": "Bea"}
    assert stored["kept_all"] == {"_id": ada.pk, "name": "Bea", "age": 37}
    assert stored["kept_many"][1]["name"] == "Bea" and stored["kept_many"][0]["name"] == "Eve"
    assert stored["still"]["name"] == "Ada"
    Keeper.still.sync_all()
    assert raw()["still"]["name"] == "Bea"
    Keeper.objects.update(kept=eve)
    assert raw()["kept"] == {"_id": eve.pk, "name": "Eve", "t": "Leeds"}


def test_copies_of_a_part_of_an_embedded_document(connected: str) -> None:
    class Home(EmbeddedDocument):
        town = StringField(db_field="w")
        street = StringField()

    class Lodger(Document):
        home = EmbeddedDocumentField(Home)

    class Lease(Document):
        by = CachedReferenceField(Lodger, fields=["home.w"])

    lodger = Lodger(home=Home(town="York", street="High St")).save()
    Lease(by=lodger).save()
    assert Lease.objects(by__home__town="York").count() == 1
    lodger.home.town = "Leeds"
    lodger.save()
    assert get_db().lease.find_one()["by"] == {"_id": lodger.pk, "home": {"w": "Leeds"}}


def test_references_are_read_as_they_are_stored(ada: Any) -> None:
    Keeper(any=ada, kept=ada).save()
    with no_dereference(Keeper) as Plain:
        assert Plain.objects.get().any == {"_cls": "Someone", "_ref": DBRef("someone", ada.pk)}
    found = Keeper.objects.no_dereference().get()
    assert found.any == {"_cls": "Someone", "_ref": DBRef("someone", ada.pk)}
    found.save()
    assert Keeper.objects.get().any == ada
    get_db().keeper.update_one({}, {"$set": {"any": 5}})
    assert Keeper.objects.get().any == 5


def test_mongoengine_reads_what_is_written_and_the_reverse(ada: Any, connected: str) -> None:
    if connected.startswith("docstore"):
        pytest.skip("MongoEngine wants a server")
    engine = pytest.importorskip("mongoengine")
    name = get_db().name
    engine.connect(name, host=connected, alias="me", uuidRepresentation="standard")
    try:
        f, meta = engine.fields, {"db_alias": "me"}
        Theirs = type("Someone", (engine.Document,), {
            "name": f.StringField(), "town": f.StringField(db_field="t"), "age": f.IntField(),
            "meta": {**meta, "collection": "someone"},
        })  # fmt: skip
        Them = type("Keeper", (engine.Document,), {
            "any": f.GenericReferenceField(), "lazy": f.LazyReferenceField(Theirs),
            "ref": f.LazyReferenceField(Theirs, dbref=True),
            "kept": f.CachedReferenceField(Theirs, fields=["name"]),
            "lazy_any": f.GenericLazyReferenceField(),
            "meta": {**meta, "collection": "keeper", "strict": False},
        })  # fmt: skip
        Keeper(any=ada, lazy=ada, ref=ada, lazy_any=ada, kept=ada).save()
        theirs = Them.objects.get()
        assert theirs.any.name == theirs.lazy.fetch().name == theirs.ref.fetch().name == "Ada"
        assert theirs.lazy_any.fetch().name == theirs.kept.name == "Ada"
        Them.objects.delete()
        other = Theirs(name="Eve").save()
        Them(any=other, lazy=other, ref=other, lazy_any=other, kept=other).save()
        ours = Keeper.objects.get()
        assert ours.any.name == ours.lazy.fetch().name == ours.ref.fetch().name == "Eve"
        assert ours.lazy_any.fetch().name == ours.kept.name == "Eve"
        before = raw()
        ours.save()
        assert raw() == before
    finally:
        engine.disconnect("me")
