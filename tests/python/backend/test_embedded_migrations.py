# SPDX-License-Identifier: Apache-2.0
"""makemigrations sees what changes within embedded models; migrate carries it to the documents."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connections, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState

from mongodb.backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    PolymorphicEmbeddedModelArrayField,
)
from mongodb.backend.migrations import _repoint, embedded_keys

KEY = ("id", models.BigAutoField(primary_key=True))
CITY = ("city", models.CharField(max_length=20))


class Answers(MigrationQuestioner):
    def ask_not_null_addition(self, field_name: str, model_name: str) -> Any:
        return 7


def project(*, address: list[Any], **more: Any) -> ProjectState:
    """A state in which a book embeds addresses in every way."""
    state = ProjectState()
    for name, fields, options in (
        ("Address", address, {"managed": False}),
        ("Writer", [("name", models.CharField(max_length=20)),
                    ("address", EmbeddedModelField("press.Address", null=True)),
                    ("homes", EmbeddedModelArrayField("press.Address", null=True))],
         {"managed": False}),
        ("Cat", [("name", models.CharField(max_length=9))], {"managed": False}),
        ("Book", [("writer", EmbeddedModelField("press.Writer", null=True)),
                  ("writers", EmbeddedModelArrayField("press.Writer", null=True)),
                  ("things", PolymorphicEmbeddedModelArrayField(["press.Cat", "press.Address"],
                                                               null=True)),
                  *more.get("book", [])], {}),
    ):  # fmt: skip
        own = [(key, field.clone()) for key, field in fields]
        state.add_model(ModelState("press", name, [KEY, *own], options))
    return state


def first() -> ProjectState:
    return project(address=[CITY])


def detect(before: ProjectState, after: ProjectState, **answers: Any) -> list[Any]:
    detector = MigrationAutodetector(before, after, Answers({"ask_rename": True, **answers}))
    return [op for one in detector._detect_changes().get("press", []) for op in one.operations]


def apply(before: ProjectState, operations: list[Any], backwards: bool = False) -> ProjectState:
    states = [before]
    for operation in operations:
        states.append(states[-1].clone())
        operation.state_forwards("press", states[-1])
    pairs = list(zip(operations, states, states[1:], strict=False))
    for operation, old, new in reversed(pairs) if backwards else pairs:
        with connections["default"].schema_editor() as editor:
            if backwards:
                operation.database_backwards("press", editor, new, old)
            else:
                operation.database_forwards("press", editor, old, new)
    return states[-1]


@pytest.fixture
def book(orm: Callable[..., None]) -> Any:
    """Make the collection and a row of it; return how to read its documents."""
    connection: Any = connections["default"]
    apply(ProjectState(), detect(ProjectState(), first()))
    here = {"city": "Ulm"}
    writer = {"name": "Ann", "address": here, "homes": [here, {"city": "Bonn"}]}
    connection.command({"insert": "press_book", "documents": [
        {"_id": 1, "writer": writer, "writers": [writer, {"name": "Bob", "address": None}],
         "things": [{"_label": "press.Cat", "name": "city"}, {"_label": "press.Address", **here}]},
        {"_id": 2, "writer": None, "writers": None, "things": None},
    ]})  # fmt: skip

    def read() -> Any:
        return connection.documents({"find": "press_book", "sort": {"_id": 1}})

    return read


def test_what_is_embedded_is_made_first(book: Any) -> None:
    made = [op.name for op in detect(ProjectState(), first())]
    assert made.index("Address") < made.index("Writer") < made.index("Book")


def test_a_renamed_field_is_renamed_in_documents(book: Any) -> None:
    after = project(address=[("town", CITY[1])])
    operations = detect(first(), after)
    assert [type(op).__name__ for op in operations] == ["RenameField"]
    apply(first(), operations)
    one, two = book()
    assert one["writer"]["address"] == {"town": "Ulm"}
    assert one["writer"]["homes"] == [{"town": "Ulm"}, {"town": "Bonn"}]
    assert one["writers"][0]["homes"][1] == {"town": "Bonn"}
    assert one["writers"][1] == {"name": "Bob", "address": None}
    assert one["things"] == [
        {"_label": "press.Cat", "name": "city"}, {"_label": "press.Address", "town": "Ulm"}
    ]  # fmt: skip
    assert two == {"_id": 2, "writer": None, "writers": None, "things": None}
    apply(first(), operations, backwards=True)
    assert book()[0]["writer"]["address"] == {"city": "Ulm"}


def test_a_new_field_gets_its_default_and_a_removed_one_goes(book: Any) -> None:
    after = project(address=[CITY, ("zip", models.IntegerField())])
    operations = detect(first(), after)
    assert [type(op).__name__ for op in operations] == ["AddField"]
    apply(first(), operations)
    assert book()[0]["writer"]["homes"] == [{"city": "Ulm", "zip": 7}, {"city": "Bonn", "zip": 7}]
    operations = detect(after, first())
    assert [type(op).__name__ for op in operations] == ["RemoveField"]
    apply(after, operations)
    assert book()[0]["writers"][0]["address"] == {"city": "Ulm"}


def test_a_field_of_another_type_is_converted_and_the_validator_follows(book: Any) -> None:
    connection: Any = connections["default"]
    apply(first(), detect(first(), project(address=[CITY, ("zip", models.IntegerField())])))
    before = project(address=[CITY, ("zip", models.IntegerField())])
    after = project(address=[CITY, ("zip", models.CharField(max_length=9))])
    operations = detect(before, after)
    assert [type(op).__name__ for op in operations] == ["AlterField"]
    apply(before, operations)
    assert [one["zip"] for one in book()[0]["writer"]["homes"]] == ["7", "7"]
    with pytest.raises(IntegrityError):
        connection.command({"update": "press_book", "updates": [
            {"q": {"_id": 1}, "u": {"$set": {"writer.address.zip": 8}}}]})  # fmt: skip


def test_the_classes_that_a_migration_sees_know_the_change(book: Any) -> None:
    rate = models.DecimalField(max_digits=5, decimal_places=1, default=Decimal("1.5"))
    after = project(address=[CITY, ("rate", rate)])
    state = apply(first(), detect(first(), after))
    model = state.apps.get_model("press", "Book")
    writer = model.objects.get(pk=1).writer
    assert writer.address.rate == Decimal("1.5")
    assert isinstance(writer.address, state.apps.get_model("press", "Address"))


def test_fields_that_embed_are_added_and_taken_away(book: Any) -> None:
    places = ("places", ArrayField(EmbeddedModelField("press.Address"), default=list))
    after = project(address=[CITY], book=[places])
    operations = detect(first(), after)
    assert [type(op).__name__ for op in operations] == ["AddField"]
    apply(first(), operations)
    assert [one["places"] for one in book()] == [[], []]
    apply(after, detect(after, first()))
    assert "places" not in book()[0]


def test_nothing_changes_when_nothing_changed(book: Any) -> None:
    assert detect(first(), project(address=[CITY])) == []


def renamed() -> ProjectState:
    state = project(address=[CITY])
    _repoint(state.models, ("press", "address"), "press.place")
    place = state.models.pop(("press", "address"))
    place.name = "Place"
    state.models["press", "place"] = place
    return state


@pytest.mark.parametrize("asked", [True, False])
def test_an_embedded_model_gets_another_name(book: Any, asked: bool) -> None:
    operations = detect(first(), renamed(), ask_rename_model=asked)
    kinds = [type(op).__name__ for op in operations]
    assert ("RenameModel" in kinds) == asked and ("DeleteModel" in kinds) != asked
    state = apply(first(), operations)
    found = state.apps.get_model("press", "Book").objects.only("writer").get(pk=1)
    assert isinstance(found.writer.address, state.apps.get_model("press", "Place"))
    label = book()[0]["things"][1]["_label"]
    assert label == ("press.Place" if asked else "press.Address")
    if asked:
        apply(first(), operations, backwards=True)
        assert book()[0]["things"][1]["_label"] == "press.Address"


def test_fields_of_others_are_left_alone() -> None:
    class Odd(models.Field):
        base_field = models.IntegerField  # a class, as PostgreSQL's ranges have it
        models = ["not", "ours"]

    assert list(embedded_keys(Odd(), "press")) == []


def with_key() -> ProjectState:
    """A state in which addresses refer to books, which embed them."""
    return project(address=[CITY, ("of", models.ForeignKey("press.Book", models.DO_NOTHING,
                                                           null=True))])  # fmt: skip


def test_keys_of_embedded_models_are_seen_at_once(orm: Callable[..., None]) -> None:
    made = detect(ProjectState(), with_key())
    state = apply(ProjectState(), made)
    assert "of" in state.models["press", "address"].fields
    assert detect(state, with_key()) == []
