# SPDX-License-Identifier: Apache-2.0
"""Embedded documents are judged like documents, however they were given."""

from typing import Any

import pytest

from mongodb import (
    Document,
    EmbeddedDocument,
    FieldDoesNotExist,
    InvalidQueryError,
    ValidationError,
    get_db,
)
from mongodb.fields import (
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    GenericEmbeddedDocumentField,
    IntField,
    ListField,
    MapField,
    SortedListField,
    StringField,
)


class Leaf(EmbeddedDocument):
    n = IntField(required=True)


class Part(EmbeddedDocument):
    name = StringField(required=True, max_length=5, db_field="nm")
    n = IntField(min_value=1, default=7)
    kind = StringField(choices=["a", "b"])
    leaf = EmbeddedDocumentField(Leaf)
    leaves = ListField(EmbeddedDocumentField(Leaf))


class CleanedValue(EmbeddedDocument):
    n = IntField()
    note = StringField()
    calls: list[Any] = []

    def clean(self) -> None:
        self.calls.append(self.n)
        if self.n == 13:
            raise ValidationError("is unlucky", field_name="n")
        self.note = f"cleaned {self.n}"


class Holder(EmbeddedDocument):
    inner = EmbeddedDocumentField(CleanedValue)


class Whole(Document):
    title = StringField()
    one = EmbeddedDocumentField(Part)
    many = ListField(EmbeddedDocumentField(Part))
    listed = EmbeddedDocumentListField(Part)
    mapped = MapField(EmbeddedDocumentField(Part))
    sorted = SortedListField(EmbeddedDocumentField(Leaf), ordering="n")
    generic = GenericEmbeddedDocumentField()
    clean_one = EmbeddedDocumentField(CleanedValue)
    clean_many = ListField(EmbeddedDocumentField(CleanedValue))
    clean_deep = EmbeddedDocumentField(Holder)
    clean_any = GenericEmbeddedDocumentField()


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    CleanedValue.calls.clear()


GOOD = {"name": "x", "n": 2, "leaf": {"n": 1}}
BAD = {
    "required": ({}, "name: is required"),
    "required, empty list": ({"name": None}, "name: is required"),
    "type": ({"name": "x", "n": "text"}, "n: must be a whole number"),
    "limit": ({"name": "x", "n": 0}, "n: must be at least 1"),
    "length": ({"name": "too long"}, "name: must have at most 5"),
    "choices": ({"name": "x", "kind": "c"}, "kind: must be one of 'a', 'b'"),
    "inside": ({"name": "x", "leaf": {}}, "leaf.n: is required"),
    "inside a list": ({"name": "x", "leaves": [{"n": 1}, {"n": "x"}]}, "leaves.1.n: must be"),
    "keys": ({"name": "x", 5: 1}, "must be a Part document, not dict"),
}
PLACES: dict[str, Any] = {
    "one": lambda value: value,
    "many": lambda value: [GOOD, value],
    "listed": lambda value: [value],
    "mapped": lambda value: {"k": value},
    "generic": lambda value: {"_cls": "Part", **value},
}


def ways(field: str, value: Any) -> list[Any]:
    """Return functions that try to store a field's value, each in another way."""
    there = Whole(title="there").save()

    def assigned() -> None:
        setattr(there, field, Whole(**{field: value})._get(Whole._schema.index(field)))
        there.save()

    return [
        lambda: Whole(**{field: value}).save(),
        lambda: Whole.objects.create(**{field: value}),
        lambda: Whole.objects.insert([Whole(title="fine"), Whole(**{field: value})]),
        lambda: Whole.objects.get_or_create(title="q", defaults={field: value}),
        assigned,
        lambda: Whole.objects(title="there").update(**{f"set__{field}": value}),
        lambda: Whole.objects(title="new").update(
            upsert=True, **{f"set_on_insert__{field}": value}
        ),
        lambda: Whole.objects(title="there").modify(**{field: value}),
        lambda: there.update(**{field: value}),
    ]


@pytest.mark.parametrize("field", PLACES)
@pytest.mark.parametrize("wrong", BAD)
def test_a_dict_is_judged_as_the_document_it_stands_for(field: str, wrong: str) -> None:
    value, message = BAD[wrong]
    before = None
    if field == "generic" and wrong == "keys":
        message = "must be an EmbeddedDocument, not dict"
    elif field == "mapped" and wrong == "keys":
        message = "not "
    for way in ways(field, PLACES[field](value)):
        get_db()["whole"].delete_many({"title": {"$ne": "there"}})
        before = list(get_db()["whole"].find())
        with pytest.raises((ValidationError, InvalidQueryError)) as caught:
            way()
        assert message.rpartition("1.n: ")[2] in str(caught.value)
        assert list(get_db()["whole"].find()) == before


@pytest.mark.parametrize("field", PLACES)
def test_a_dict_with_an_unknown_key_is_refused(field: str) -> None:
    value = PLACES[field]({"name": "x", "nope": 1})
    for make in (
        lambda: Whole(**{field: value}),
        lambda: Whole.objects(title="x").update(**{field: value}),
        lambda: Whole.objects.create(**{field: value}),
    ):
        with pytest.raises(FieldDoesNotExist, match="Part has no field nope"):
            make()


@pytest.mark.parametrize("operator", ["push", "push_all", "add_to_set", "set_item"])
@pytest.mark.parametrize("wrong", set(BAD) - {"keys"})
def test_items_given_to_updates_are_judged(operator: str, wrong: str) -> None:
    value, message = BAD[wrong]
    change = {
        "push": {"push__many": value},
        "push_all": {"push_all__listed": [GOOD, value]},
        "add_to_set": {"add_to_set__many": [value]},
        "set_item": {"set__many__0": value},
    }[operator]
    Whole(title="x", many=[GOOD]).save()
    with pytest.raises(ValidationError):
        Whole.objects(title="x").update(**change)
    assert len(Whole.objects.get().many) == 1 and Whole.objects.get().listed == []


def test_good_dicts_are_stored_as_the_documents_would_be() -> None:
    given = Whole(
        one=GOOD, many=[GOOD], listed=[GOOD], mapped={"k": GOOD}, sorted=[{"n": 2}, {"n": 1}],
        generic={"_cls": "Leaf", "n": 1},
    )  # fmt: skip
    part = Part(name="x", n=2, leaf=Leaf(n=1))
    built = Whole(
        one=part, many=[part], listed=[part], mapped={"k": part}, sorted=[Leaf(n=2), Leaf(n=1)],
        generic=Leaf(n=1),
    )  # fmt: skip
    assert given.to_mongo() == built.to_mongo()
    assert type(given.one) is Part and type(given.mapped["k"].leaf) is Leaf
    given.save()
    found = Whole.objects.get()
    assert found.to_mongo() == given.to_mongo()
    assert [one.n for one in found.sorted] == [1, 2]
    # defaults, stored names, and updates
    Whole.objects.update(set__one={"nm": "y"}, push__many={"name": "z"})
    (raw,) = get_db()["whole"].find()
    assert raw["one"] == {"nm": "y", "n": 7, "leaves": []}
    assert raw["many"][1] == {"nm": "z", "n": 7, "leaves": []}


def test_stored_documents_are_read_whatever_they_hold() -> None:
    get_db()["whole"].insert_one(
        {"title": "old", "one": {"nope": 1}, "many": [{"n": "text"}], "sorted": [{"n": 1, "o": 1}],
         "generic": {"_cls": "Leaf", "odd": 1}}
    )  # fmt: skip
    found = Whole.objects.get()
    assert found.one.name is None and found.sorted[0].n == 1 and found.generic.n is None
    assert len(Whole.objects.distinct("sorted")) == 1
    found.title = "new"
    found.save()
    assert get_db()["whole"].find_one({}, {"_id": 0, "title": 1, "one": 1}) == {
        "title": "new",
        "one": {"nope": 1},
    }


def test_clean_runs_at_every_save() -> None:
    Whole(clean_one={"n": 1}, clean_many=[{"n": 2}], clean_deep={"inner": {"n": 3}},
          clean_any=CleanedValue(n=4)).save()  # fmt: skip
    assert sorted(CleanedValue.calls) == [1, 2, 3, 4]
    CleanedValue.calls.clear()
    found = Whole.objects.get()
    found.title = "x"
    found.save()
    assert sorted(CleanedValue.calls) == [1, 2, 3, 4]
    CleanedValue.calls.clear()
    Whole.objects.insert(Whole(clean_one=found.clean_one, clean_deep=found.clean_deep))
    assert sorted(CleanedValue.calls) == [1, 3]


@pytest.mark.parametrize(
    "values",
    [
        {"clean_one": {"n": 13}},
        {"clean_many": [{"n": 1}, {"n": 13}]},
        {"clean_deep": {"inner": {"n": 13}}},
        {"clean_any": {"_cls": "CleanedValue", "n": 13}},
    ],
)
def test_clean_refuses_and_changes(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is unlucky"):
        Whole(**values).save()
    with pytest.raises(ValidationError, match="is unlucky"):
        Whole.objects.insert(Whole(**values))
    Whole(**values).save(clean=False)
    assert len(CleanedValue.calls) in (2, 4)  # those of the two refused ones
    found = Whole.objects.get()
    found.title = "x"
    with pytest.raises(ValidationError, match="is unlucky"):
        found.save()
    found.save(clean=False)
    with pytest.raises(ValidationError, match="is unlucky"):
        found.validate()
    found.validate(clean=False)


def test_what_clean_changes_in_a_loaded_document_is_saved() -> None:
    get_db()["whole"].insert_one({"title": "old", "clean_one": {"n": 1}})
    found = Whole.objects.get()
    found.save()
    assert Whole.objects.get().clean_one.note == "cleaned 1"


def test_a_field_whose_validate_takes_the_value_alone_works_without_clean() -> None:
    class Own(StringField):
        def validate(self, value: Any) -> None:  # type: ignore[override]
            if value == "no":
                self.error("is no")

    class WithOwn(Document):
        own = Own()
        owns = ListField(Own())

    WithOwn(own="yes", owns=["yes"]).save(clean=False)
    with pytest.raises(ValidationError, match="is no"):
        WithOwn(owns=["no"]).save(clean=False)
