# SPDX-License-Identifier: Apache-2.0
"""Times and counters that saving sets: of documents, and of those inside them."""

import datetime
from typing import Any

import pytest

from mongodb import Document, DynamicEmbeddedDocument, EmbeddedDocument
from mongodb.fields import (
    DateField,
    DateTimeField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    GenericEmbeddedDocumentField,
    IntField,
    ListField,
    MapField,
    SequenceField,
    StringField,
)


class TimedInmost(EmbeddedDocument):
    n = IntField()
    changed = DateTimeField(auto_now=True)


class TimedInner(EmbeddedDocument):
    n = IntField()
    made = DateTimeField(auto_now_add=True)
    changed = DateTimeField(auto_now=True)
    day = DateField(auto_now=True)
    number = SequenceField()
    inmost = EmbeddedDocumentField(TimedInmost)


class TimedAny(DynamicEmbeddedDocument):
    changed = DateTimeField(auto_now=True)


class Stamped(Document):
    n = IntField()
    made = DateTimeField(auto_now_add=True)
    changed = DateTimeField(auto_now=True)
    one = EmbeddedDocumentField(TimedInner)
    many = EmbeddedDocumentListField(TimedInner)
    by_name = MapField(EmbeddedDocumentField(TimedInner))
    free = ListField()
    generic = GenericEmbeddedDocumentField()


class Plain(Document):
    name = StringField()


class Clock:
    """Gives each question the next minute."""

    def __init__(self) -> None:
        self.minute = 0

    def __call__(self, field: Any) -> Any:
        self.minute += 1
        moment = datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=self.minute)
        return moment.date() if isinstance(field, DateField) else moment


@pytest.fixture(autouse=True)
def clock(memory: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(DateTimeField, "now", lambda self: ticking(self))
    monkeypatch.setattr(DateField, "now", lambda self: ticking(self))
    return ticking


def test_auto_now_is_set_at_every_save_and_auto_now_add_at_the_first() -> None:
    doc = Stamped(n=1).save()
    made, changed = doc.made, doc.changed
    doc.n = 2
    doc.save()
    assert doc.made == made and doc.changed > changed
    found = Stamped.objects.get()
    assert (found.made, found.changed) == (made, doc.changed)
    found.save()
    assert Stamped.objects.get().changed > doc.changed


def test_a_stored_document_without_a_first_time_gets_none() -> None:
    from mongodb import get_db

    get_db().stamped.insert_one({"n": 1})
    found = Stamped.objects.get()
    found.n = 2
    found.save()
    assert found.made is None and found.changed is not None
    assert "made" not in get_db().stamped.find_one()


def test_every_place_of_an_embedded_document_is_stamped() -> None:
    doc = Stamped(
        one=TimedInner(inmost=TimedInmost()),
        many=[TimedInner(), TimedInner()],
        by_name={"a": TimedInner()},
        free=[TimedInner(), {"deep": [TimedAny()]}],
        generic=TimedInner(),
    ).save()
    found = Stamped.objects.get()
    inner = [found.one, *found.many, found.by_name["a"], found.free[0], found.generic]
    assert all(one.made and one.changed and one.day for one in inner)
    assert len({one.number for one in inner}) == len(inner)
    assert found.one.inmost.changed and found.free[1]["deep"][0].changed
    assert doc.to_mongo() == found.to_mongo()


def test_an_embedded_document_that_did_not_change_keeps_its_time() -> None:
    saved = Stamped(one=TimedInner(n=1), many=[TimedInner(n=1), TimedInner(n=2)]).save()
    for doc in (saved, Stamped.objects.get()):
        before = [doc.one.changed, *(one.changed for one in doc.many)]
        doc.n = (doc.n or 0) + 1
        doc.save()
        assert [doc.one.changed, *(one.changed for one in doc.many)] == before
        doc.many[1].n += 1
        doc.save()
        assert doc.many[0].changed == before[1] and doc.many[1].changed > before[2]
        assert doc.many[1].made < doc.many[1].changed
        middle = doc.many[1].changed
        doc.many.insert(0, TimedInner(n=3))
        doc.save()
        assert [one.changed for one in doc.many[1:3]] == [before[1], middle]
        assert doc.many[0].changed > middle
        doc.many.pop(0)
        doc.save()
    assert Stamped.objects.get().to_mongo() == doc.to_mongo()


def test_a_change_inside_a_change_is_one_of_both() -> None:
    doc = Stamped(one=TimedInner(inmost=TimedInmost(n=1))).save()
    before, inmost = doc.one.changed, doc.one.inmost.changed
    doc.one.inmost.n = 2
    doc.save()
    assert doc.one.changed > before and doc.one.inmost.changed > inmost


def test_inserted_documents_are_stamped_inside_too() -> None:
    Stamped.objects.insert([Stamped(one=TimedInner()), Stamped(many=[TimedInner()])])
    first, second = Stamped.objects.order_by("made")
    assert first.one.made and second.many[0].made


def test_what_holds_itself_is_refused_by_its_path() -> None:
    inner = TimedInner(n=1)
    knot: list[Any] = [inner]
    knot.append({"again": knot})
    loose = TimedAny()
    loose.itself = [loose]
    for value in (knot, [loose]):
        with pytest.raises(ValueError, match="free"):
            Stamped(free=value).save()


def test_documents_without_times_are_left_alone(clock: Clock) -> None:
    doc = Plain(name="a").save()
    doc.name = "b"
    doc.save()
    assert clock.minute == 0
