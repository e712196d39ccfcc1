# SPDX-License-Identifier: Apache-2.0
"""What one call of save(), insert() or delete() does with its arguments, and whom it tells."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from mongodb import (
    Document,
    EmbeddedDocument,
    NotUniqueError,
    OperationError,
    ValidationError,
    connect,
    disconnect,
    get_db,
    signals,
)
from mongodb._connection import Connection
from mongodb.context_managers import query_counter
from mongodb.errors import InvalidDocumentError, InvalidQueryError, SaveConditionError
from mongodb.fields import (
    DateTimeField,
    DictField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)

SAVED = (signals.pre_save, signals.pre_save_post_validation, signals.post_save)


class Saved(Document):
    name = StringField(required=True)
    n = IntField()


class SavedAuthor(Document):
    name = StringField()
    born = DateTimeField(auto_now_add=True)


class SavedNote(EmbeddedDocument):
    by = ReferenceField(SavedAuthor)


class SavedBook(Document):
    author = ReferenceField(SavedAuthor)
    others = ListField(ReferenceField(SavedAuthor))
    shelf = DictField(ReferenceField(SavedAuthor))
    next = ReferenceField("self")


class Always(Document):
    author = ReferenceField(SavedAuthor)
    meta = {"cascade": True}


class SavedChecked(Document):
    name = StringField(required=True)
    meta = {"allow_inheritance": True}


class SavedCleaned(SavedChecked):
    def clean(self) -> None:
        if self.name == "bad":
            raise ValidationError("is bad")


class SavedPart(EmbeddedDocument):
    name = StringField()

    def clean(self) -> None:
        if self.name == "bad":
            raise ValidationError("is bad")


class SavedWhole(Document):
    parts = EmbeddedDocumentListField(SavedPart)


class SavedNamed(Document):
    name = StringField(primary_key=True)
    n = IntField()
    made = DateTimeField(auto_now_add=True)


class Dated(Document):
    made = DateTimeField(auto_now_add=True)


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    pass


@pytest.fixture
def told() -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """The signals of saving, with what they were sent."""
    heard: list[tuple[Any, dict[str, Any]]] = []
    receivers = []
    for signal in SAVED:

        def hear(sender: Any, signal: Any = signal, **kwargs: Any) -> None:
            heard.append((signal, kwargs))

        signal.connect(hear)
        receivers.append((signal, hear))
    yield heard
    for signal, hear in receivers:
        signal.disconnect(hear)


def test_each_signal_of_saving_gets_the_document_and_the_callers_words(told: Any) -> None:
    doc = Saved(name="a")
    doc.save(signal_kwargs={"why": "test"})
    pre, valid, post = told
    assert pre == (signals.pre_save, {"document": doc, "why": "test"})
    assert valid[0] is signals.pre_save_post_validation
    assert post[0] is signals.post_save
    assert valid[1] == post[1] == {"document": doc, "created": True, "why": "test"}
    told.clear()
    doc.n = 1
    doc.save()
    assert [one[1].get("created") for one in told] == [None, False, False]


def test_a_forced_insert_of_a_stored_document_is_a_creation(told: Any) -> None:
    doc = Saved(name="a").save()
    doc.delete()
    told.clear()
    doc.save(force_insert=True)
    assert [one[1].get("created") for one in told] == [None, True, True]
    dated = Dated().save()
    Dated.objects.delete()
    dated.made = None
    dated.save(force_insert=True)
    assert dated.made is not None


def test_validation_is_left_out_when_asked() -> None:
    Saved().save(validate=False)
    assert Saved.objects.count() == 1
    with pytest.raises(ValidationError):
        Saved().save()


def test_a_reference_that_was_not_read_has_nothing_to_save(told: Any) -> None:
    author = SavedAuthor(name="a").save()
    SavedBook(author=author).save()
    told.clear()
    reference = SavedBook.objects.get().author
    with query_counter() as sent:
        assert reference.save() is reference
        assert sent == 0
    assert told == []
    with pytest.raises(SaveConditionError):
        SavedBook.objects.get().author.save(save_condition={"name": "b"})
    SavedBook.objects.get().author.save(save_condition={"name": "a"})
    with pytest.raises(NotUniqueError):
        SavedBook.objects.get().author.save(force_insert=True)


def test_a_condition_is_for_documents_that_are_stored() -> None:
    with pytest.raises(OperationError):
        Saved(name="a").save(save_condition={"name": "a"})
    assert Saved.objects.count() == 0


def authors(book: Any) -> list[str]:
    return sorted(one.name for one in SavedAuthor.objects)


def test_cascading_saves_what_was_changed_wherever_it_is() -> None:
    one, two, three = (SavedAuthor(name=name).save() for name in "abc")
    book = SavedBook(author=one, others=[two], shelf={"x": three}).save()
    for author in (one, two, three):
        author.name += "!"
    book.save()
    assert authors(book) == ["a", "b", "c"]
    book.save(cascade=True)
    assert authors(book) == ["a!", "b!", "c!"]
    one.name = "d"
    book.cascade_save()
    assert authors(book) == ["b!", "c!", "d"]
    with query_counter() as sent:
        book.save(cascade=True)
        assert sent == 0


def test_a_class_may_cascade_by_itself() -> None:
    author = SavedAuthor(name="a").save()
    doc = Always(author=author).save()
    author.name = "b"
    doc.save(cascade=False)
    assert authors(doc) == ["a"]
    doc.save()
    assert authors(doc) == ["b"]


def test_options_for_cascading_ask_for_it_unless_it_is_refused() -> None:
    author = SavedAuthor(name="a").save()
    book = SavedBook(author=author).save()
    author.name = "b"
    book.save(cascade=False, cascade_kwargs={"validate": True})
    assert authors(book) == ["a"]
    book.save(cascade_kwargs={"validate": True})
    assert authors(book) == ["b"]
    with pytest.raises(TypeError, match="nope"):
        book.save(cascade_kwargs={"nope": 1})


def test_cascading_saves_new_documents_and_hands_on_the_options(told: Any) -> None:
    class Strict(Document):
        name = StringField(required=True)

    class Holder(Document):
        strict = ReferenceField(Strict)

    new = Strict(name="a")
    holder = Holder(strict=Strict(name="b").save()).save()
    holder.strict = new
    new.id = "5f0000000000000000000001"
    holder.save(cascade=True)
    assert Strict.objects.count() == 2
    new.name = None
    with pytest.raises(ValidationError):
        holder.save(cascade=True)
    told.clear()
    holder.save(cascade=True, validate=False)
    assert any(one[1]["document"] is new for one in told)
    new.name = "c"
    told.clear()
    holder.save(cascade_kwargs={"signal_kwargs": {"by": "cascade"}})
    assert [one[1].get("by") for one in told if one[1]["document"] is new] == ["cascade"] * 3
    told.clear()
    holder.cascade_save(signal_kwargs={"by": "call"})
    assert told == []


def test_cascading_in_a_ring_ends_and_saves_each_once(told: Any) -> None:
    one, two = SavedBook().save(), SavedBook().save()
    one.next, two.next = two, one
    told.clear()
    one.save(cascade=True)
    saved = [kwargs["document"].pk for signal, kwargs in told if signal is signals.post_save]
    assert sorted(saved) == sorted([one.pk, two.pk])
    assert SavedBook.objects(next=two).get() == one and SavedBook.objects(next=one).get() == two


def test_an_insert_of_many_classes_keys_and_stamps_each() -> None:
    docs = [SavedChecked(name="a"), SavedCleaned(name="b"), SavedChecked(name="c")]
    SavedChecked.objects.insert(docs)
    assert len({one.pk for one in docs}) == 3
    assert [type(one).__name__ for one in SavedChecked.objects.order_by("name")] == [
        "SavedChecked", "SavedCleaned", "SavedChecked",
    ]  # fmt: skip
    for wrong in (
        [SavedChecked(name="a"), SavedCleaned(name="bad")],
        [SavedCleaned(name="x"), SavedChecked()],
    ):
        with pytest.raises(ValidationError):
            SavedChecked.objects.insert(wrong)
    assert SavedChecked.objects.count() == 3
    (dated,) = Dated.objects.insert([Dated()])
    assert Dated.objects.get().made == dated.made is not None


def test_an_insert_cleans_what_is_inside() -> None:
    SavedWhole.objects.insert([SavedWhole(parts=[SavedPart(name="a")])])
    with pytest.raises(ValidationError):
        SavedWhole.objects.insert([SavedWhole(parts=[SavedPart(name="a"), SavedPart(name="bad")])])
    SavedWhole.objects.insert([SavedWhole(parts=[SavedPart(name="bad")])], validate=False)
    assert SavedWhole.objects.count() == 2


def test_an_insert_with_keys_of_ones_own_needs_them() -> None:
    with pytest.raises(ValidationError):
        SavedNamed.objects.insert([SavedNamed(n=1)])
    first = SavedNamed.objects.insert(SavedNamed(name="a", n=1))
    assert (first.pk, first.made is not None) == ("a", True)
    with pytest.raises(NotUniqueError):
        SavedNamed.objects.insert([SavedNamed(name="a")])


def test_documents_are_stored_although_the_concern_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Connection.run

    def unconfirmed(self: Any, command: Any) -> Any:
        reply = run(self, command)
        if isinstance(command, bytes):
            reply["writeConcernError"] = {"code": 64, "errmsg": "waiting timed out"}
        return reply

    docs = [Saved(name="a"), Saved(name="b")]
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "run", unconfirmed)
        with pytest.raises(OperationError):
            Saved.objects.insert(docs)
    assert [one._created for one in docs] == [False, False]
    assert [one.pk for one in docs] == list(Saved.objects.order_by("name").scalar("pk"))
    with query_counter() as sent:
        for one in docs:
            one.save()
        assert sent == 0


def test_documents_are_not_stored_when_the_command_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Any, command: bytes) -> Any:
        raise OperationError("not now", code=11600, details={"ok": 0.0})

    docs = [Saved(name="a")]
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "insert_raw", refused)
        with pytest.raises(OperationError):
            Saved.objects.insert(docs)
    assert docs[0]._created and docs[0].pk is None
    docs[0].save()
    assert Saved.objects.count() == 1


def test_a_key_as_text_becomes_the_one_that_is_read() -> None:
    doc = Saved(name="a")
    doc.pk = "5f0000000000000000000001"
    doc.save()
    assert doc.pk == Saved.objects.get().pk and not isinstance(doc.pk, str)
    assert Saved.objects.get() == doc


def test_a_document_in_part_that_is_gone_is_not_inserted() -> None:
    Saved(name="a", n=1).save()
    part = Saved.objects.only("n").get()
    whole = Saved.objects.get()
    Saved.objects.delete()
    part.n = whole.n = 2
    with pytest.raises(Saved.DoesNotExist):
        part.save()
    assert Saved.objects.count() == 0
    whole.save()
    assert Saved.objects.get().to_mongo() == {"_id": whole.pk, "name": "a", "n": 2}


def test_the_parts_of_a_write_concern_of_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    delete = Connection.delete

    def noting(self: Any, collection: Any, query: Any, limit: int, concern: Any = None,
               **options: Any) -> int:  # fmt: skip
        sent.append(concern)
        return delete(self, collection, query, limit, None, **options)

    monkeypatch.setattr(Connection, "delete", noting)
    for given, concern in (
        ({"w": 1}, {"w": 1}),
        ({"j": True, "wtimeout": 5, "fsync": False}, {"j": True, "wtimeout": 5, "fsync": False}),
        ({"write_concern": {"w": 1}, "j": True}, {"w": 1, "j": True}),
        ({"write_concern": {"w": 2}, "w": 1}, {"w": 1}),
    ):
        Saved(name="a").save().delete(**given)
        assert sent.pop() == concern
    with pytest.raises(TypeError, match="nope"):
        Saved(name="a").save().delete(nope=1)


def test_reading_again_drops_changes_and_some_fields_only_theirs() -> None:
    doc = Saved(name="a", n=1).save()
    Saved.objects.update(name="b", n=2)
    doc.name, doc.n = "mine", 9
    doc.reload("n")
    assert (doc.name, doc.n) == ("mine", 2)
    doc.save()
    assert get_db()["saved"].find_one({}, {"_id": 0}) == {"name": "mine", "n": 2}
    doc.n = 7
    assert doc.reload() is doc and doc.n == 2
    with query_counter() as sent:
        doc.save()
        assert sent == 0
    doc.delete()
    with pytest.raises(Saved.DoesNotExist):
        doc.reload()


def test_reading_again_completes_a_document_in_part() -> None:
    Saved(name="a", n=1).save()
    part = Saved.objects.only("n").get()
    Saved.objects.update(name="b", n=2)
    part.reload("n")
    assert part.n == 2
    part.reload()
    with query_counter() as sent:
        assert (part.name, part.n) == ("b", 2)
        assert sent == 0


def test_references_inside_lists_and_embedded_documents_come_in_one_query() -> None:
    class Shelf(Document):
        notes = EmbeddedDocumentListField(SavedNote)
        top = EmbeddedDocumentField(SavedNote)
        books = ListField(ReferenceField(SavedAuthor))

    found = [SavedAuthor(name=str(i)).save() for i in range(6)]
    for i in range(2):
        Shelf(notes=[SavedNote(by=found[3 * i])], top=SavedNote(by=found[3 * i + 1]),
              books=[found[3 * i + 2]]).save()  # fmt: skip
    shelves = list(Shelf.objects.order_by("id"))
    with query_counter() as sent:
        names = [(s.notes[0].by.name, s.top.by.name, s.books[0].name) for s in shelves]
        assert sent == 1
    assert names == [("0", "1", "2"), ("3", "4", "5")]


def test_a_reference_to_nothing_says_so() -> None:
    author = SavedAuthor(name="a").save()
    SavedBook(author=author, others=[author]).save()
    author.delete()
    book = SavedBook.objects.get()
    with pytest.raises(SavedAuthor.DoesNotExist):
        _ = book.author.name


def test_a_document_that_moves_is_inserted_there(told: Any) -> None:
    doc = Saved(name="a", n=1).save()
    told.clear()
    with query_counter() as sent:
        doc.switch_collection("saved_too").save()
        assert sent == 1
    assert [one[1].get("created") for one in told] == [None, True, True]
    assert get_db()["saved_too"].find_one() == {"_id": doc.pk, "name": "a", "n": 1}
    doc.n = 2
    doc.save()
    doc.reload()
    doc.update(n=3)
    assert doc.n == 2 and get_db()["saved_too"].find_one()["n"] == 3
    assert Saved.objects.get().n == 1
    again = Saved.objects.get().switch_collection("saved_too")
    with pytest.raises(NotUniqueError):
        again.save()


def test_a_reference_that_was_not_read_moves_whole() -> None:
    SavedBook(author=SavedAuthor(name="a").save()).save()
    SavedBook.objects.get().author.switch_collection("moved").save()
    assert get_db()["moved"].find_one()["name"] == "a"


def test_updating_a_document_without_a_key_finds_it_by_its_values() -> None:
    with pytest.raises(OperationError):
        Saved(name="a").update(n=1)
    Saved(name="a").update(upsert=True, n=1)
    Saved(name="a").update(upsert=True, n=2)
    Saved(name="b").update(upsert=True, n=3)
    assert sorted((one.name, one.n) for one in Saved.objects) == [("a", 2), ("b", 3)]


def test_a_documents_references_can_be_fetched_at_once() -> None:
    authors = [SavedAuthor(name=name).save() for name in "ab"]
    book = SavedBook(author=authors[0], others=authors).save()
    book = SavedBook.objects.get()
    assert book.select_related() is book
    with query_counter() as sent:
        assert (book.author.name, [one.name for one in book.others]) == ("a", ["a", "b"])
        assert sent == 0


def test_a_reference_to_a_class_may_be_of_a_class_below() -> None:
    class Pointing(Document):
        maps = DictField(ReferenceField(SavedChecked))
        to = ReferenceField(SavedChecked)

    for name in "ab":
        Pointing(to=SavedCleaned(name=name).save()).save()
    found = list(Pointing.objects)
    with query_counter() as sent:
        assert [one.to.name for one in found] == ["a", "b"]
        assert sent == 1
    found[0].to.name = "c"
    found[0].to.save()
    assert {(type(one), one.name) for one in SavedChecked.objects} == {
        (SavedCleaned, "c"),
        (SavedCleaned, "b"),
    }


def test_reading_one_field_again_loads_what_was_left_out() -> None:
    Saved(name="a", n=1).save()
    part = Saved.objects.only("id").get()
    part.reload("n")
    with query_counter() as sent:
        assert (part.name, part.n) == ("a", 1)
        part.save()
        assert sent == 0
    assert get_db()["saved"].find_one()["name"] == "a"


def test_modify_of_a_document_takes_over_what_is_stored() -> None:
    doc = Saved(name="a", n=1).save()
    assert doc.modify(n=2) is True and doc.n == 2
    assert doc.modify({"n": 9}, n=3) is False and doc.n == 2
    assert doc.modify({"n": 2, "pk": doc.pk}, inc__n=1) is True and doc.n == 3
    for wrong in ({"pk": 1}, {"id": "5" * 24}):
        with pytest.raises(InvalidQueryError):
            doc.modify(wrong, n=4)
    with pytest.raises(InvalidDocumentError):
        Saved(name="b").modify(n=1)
    part = Saved.objects.only("n").get()
    part.modify(n=5)
    with query_counter() as sent:
        assert part.name == "a" and sent == 0
        part.save()
        assert sent == 0


def test_a_document_of_another_store_is_changed_there() -> None:
    connect("other", alias="elsewhere", host="docstore://:memory:")
    try:
        doc = Saved(name="a").switch_db("elsewhere").save()
        doc.update(n=5)
        assert doc.reload().n == 5 and Saved.objects.count() == 0
    finally:
        disconnect("elsewhere")


def test_words_for_what_is_missing_or_wrong() -> None:
    class OddField(StringField):
        def validate(self, value: Any, clean: bool = True) -> None:
            raise ValueError("odd one" if value == "odd" else "")

    class Listed(Document):
        many = ListField(StringField(), required=True)
        name = StringField(required=True)
        odd = OddField()
        even = OddField()

    with pytest.raises(ValidationError) as refused:
        Listed(many=[], odd="odd", even="even").validate()
    assert refused.value.flat() == {
        "many": "is required and cannot be empty",
        "name": "is required",
        "odd": "odd one",
        "even": "ValueError",
    }
    assert str(Listed()) == "Listed object"


def test_a_reference_that_was_not_read_is_copied_unread() -> None:
    book = SavedBook(author=SavedAuthor(name="a").save()).save()
    found = SavedBook.objects.get(pk=book.pk)
    with query_counter() as queries:
        copied = copy.copy(found.author)
        assert copied == found.author and queries == 0
    assert copied.name == "a"


def test_documents_equal_by_class_and_key() -> None:
    from bson import DBRef

    one, two = Saved(name="a").save(), Saved(name="b").save()
    assert one == Saved.objects.get(name="a") and one != two and one != 1
    assert one == one.to_dbref() and one != DBRef("other", one.pk) and one != two.to_dbref()
    assert hash(one) == hash(Saved.objects.get(name="a")) and one != SavedAuthor(pk=one.pk)
    base, below = SavedChecked(name="a").save(), SavedCleaned(name="b").save()
    assert base != below and SavedChecked(pk=below.pk) == below == SavedChecked(pk=below.pk)
    new = Saved()
    assert new == new and new != Saved() and len({new, Saved()}) == 2
    with pytest.raises(OperationError):
        new.to_dbref()
    for call in (new.delete, new.reload):
        with pytest.raises((OperationError, Saved.DoesNotExist)):
            call()


def test_deleting_is_told_before_and_after_with_the_callers_words() -> None:
    heard: list[Any] = []

    def before(sender: Any, document: Any, **kwargs: Any) -> None:
        heard.append(("before", sender, Saved.objects.count(), kwargs))

    def after(sender: Any, document: Any, **kwargs: Any) -> None:
        heard.append(("after", sender, Saved.objects.count(), kwargs))

    signals.pre_delete.connect(before)
    signals.post_delete.connect(after)
    try:
        Saved(name="a").save().delete(signal_kwargs={"why": 1})
    finally:
        signals.pre_delete.disconnect(before)
        signals.post_delete.disconnect(after)
    assert heard == [("before", Saved, 1, {"why": 1}), ("after", Saved, 0, {"why": 1})]
