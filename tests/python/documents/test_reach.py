# SPDX-License-Identifier: Apache-2.0
"""What lookups and updates reach, and options that were taken and not followed."""

import pytest

import mongodb
from mongodb.context_managers import query_counter


def test_items_of_an_untyped_list_are_reached_by_name(memory: None) -> None:
    class ReachLoose(mongodb.Document):
        items = mongodb.ListField()

    ReachLoose(items=[{"price": 1}, {"price": 5}]).save()
    assert ReachLoose.objects(items__price=5).count() == 1
    assert ReachLoose.objects(items__price__gt=5).count() == 0
    ReachLoose.objects(items__price=5).update(set__items__S__price=6)
    assert ReachLoose.objects.get().items[1] == {"price": 6}
    with pytest.raises(mongodb.errors.InvalidQueryError, match="did you mean 'contains'"):
        ReachLoose.objects(items__contians="x").count()


def test_whole_lists_are_compared(memory: None) -> None:
    class ReachWhole(mongodb.Document):
        ages = mongodb.ListField(mongodb.FloatField())

    ReachWhole(ages=[1, 2]).save()
    ReachWhole(ages=[]).save()
    assert ReachWhole.objects(ages__gt=[1]).get().ages == [1.0, 2.0]
    assert ReachWhole.objects(ages__lt=["1"]).get().ages == []


def test_embedded_documents_class_is_a_path_and_text_is_no_document(memory: None) -> None:
    class ReachBase(mongodb.EmbeddedDocument):
        meta = {"allow_inheritance": True}  # noqa: RUF012
        name = mongodb.StringField()

    class ReachSub(ReachBase):
        more = mongodb.StringField()

    class ReachHolder(mongodb.Document):
        part = mongodb.EmbeddedDocumentField(ReachBase)

    ReachHolder(part=ReachSub(name="a", more="b")).save()
    assert ReachHolder.objects(part___cls="ReachBase.ReachSub").count() == 1
    found = ReachHolder.objects.only("part.name", "part._cls").get()
    assert type(found.part) is ReachSub and found.part.name == "a"
    with pytest.raises(mongodb.errors.InvalidQueryError, match="a ReachBase or a dict is needed"):
        ReachHolder.objects(part="a").count()


def test_a_list_that_is_too_long_is_not_set(memory: None) -> None:
    class ReachFew(mongodb.Document):
        few = mongodb.ListField(mongodb.IntField(), max_length=2)

    one = ReachFew(few=[1]).save()
    for change in (ReachFew.objects.update, ReachFew.objects.modify, one.modify, one.update):
        with pytest.raises(mongodb.ValidationError, match="at most 2 items, has 3"):
            change(set__few=[1, 2, 3])
    assert ReachFew.objects.get().few == [1]


def test_a_read_concern_is_a_document(memory: None) -> None:
    class ReachRead(mongodb.Document):
        pass

    with pytest.raises(TypeError, match="level"):
        ReachRead.objects.read_concern("local")


def test_indexes_are_made_again_on_save_where_the_class_says_so(memory: None) -> None:
    class ReachOnSave(mongodb.Document):
        meta = {"auto_create_index_on_save": True}  # noqa: RUF012
        slug = mongodb.StringField(unique=True)

    ReachOnSave(slug="a").save()
    mongodb.get_db().drop_collection("reach_on_save")
    ReachOnSave(slug="a").save()
    with pytest.raises(mongodb.errors.NotUniqueError):
        ReachOnSave(slug="a").save()


def test_a_document_is_read_again_by_its_shard_key(memory: None) -> None:
    class ReachShard(mongodb.Document):
        meta = {"shard_key": ("place",)}  # noqa: RUF012
        place = mongodb.StringField(db_field="p")

    one = ReachShard(place="a").save()
    one.reload()
    mongodb.get_db().reach_shard.update_one({}, {"$set": {"p": "b"}})
    with pytest.raises(ReachShard.DoesNotExist):
        one.reload()


def test_inserts_of_many_are_counted(memory: None) -> None:
    class ReachMany(mongodb.Document):
        n = mongodb.IntField()

    ReachMany.ensure_indexes()
    with query_counter() as counter:
        ReachMany.objects.insert([ReachMany(n=n) for n in range(300)])
        assert counter == 1


def test_a_list_of_lazy_references_refuses_embedded_documents(memory: None) -> None:
    class ReachPart(mongodb.EmbeddedDocument):
        pass

    class ReachLazy(mongodb.Document):
        many = mongodb.ListField(mongodb.LazyReferenceField("self"))

    with pytest.raises(mongodb.ValidationError):
        ReachLazy(many=[ReachPart()]).validate()


def test_expressions_over_lists_are_over_what_they_hold(memory: None) -> None:
    class ReachItem(mongodb.EmbeddedDocument):
        price = mongodb.IntField()

    class ReachSums(mongodb.Document):
        n = mongodb.IntField()
        numbers = mongodb.ListField(mongodb.IntField())
        items = mongodb.ListField(mongodb.EmbeddedDocumentField(ReachItem))

    objects = ReachSums.objects
    assert objects.aggregate(mongodb.Avg("numbers"), mongodb.Sum("numbers")) == {
        "numbers__avg": None,
        "numbers__sum": None,
    }
    ReachSums(n=1, numbers=[1, 2], items=[ReachItem(price=4)]).save()
    ReachSums(n=3, numbers=[6], items=[ReachItem(price=1), ReachItem(price=1)]).save()
    assert objects.aggregate(
        a=mongodb.Avg("numbers"), n=mongodb.Avg("n"), s=mongodb.Sum("items__price"),
        low=mongodb.Min("items.price"), high=mongodb.Max("numbers"), c=mongodb.Count("numbers"),
    ) == {"a": 3.0, "n": 2.0, "s": 6, "low": 1, "high": 6, "c": 2}  # fmt: skip
    assert objects.average("numbers") == 3.0 and objects.sum("items__price") == 6


def test_a_lazy_reference_to_an_unsaved_document_follows_its_saving(memory: None) -> None:
    class ReachJob(mongodb.EmbeddedDocument):
        boss = mongodb.LazyReferenceField("ReachBoss")

    class ReachBoss(mongodb.Document):
        job = mongodb.EmbeddedDocumentField(ReachJob)

    boss = ReachBoss()
    worker = ReachBoss(job=ReachJob(boss=boss))
    with pytest.raises(mongodb.ValidationError, match="needs a saved document"):
        worker.save()
    boss.save()
    worker.save()
    found = ReachBoss.objects.get(pk=worker.pk)
    assert found.job.boss.pk == boss.pk and found.job == worker.job == ReachJob(boss=boss)
    assert hash(found.job.boss) == hash(worker.job.boss)
