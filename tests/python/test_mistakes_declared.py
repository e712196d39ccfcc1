# SPDX-License-Identifier: Apache-2.0
"""Mistakes in settings, connections and declarations are refused where they are made."""

import enum
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import DBRef, ObjectId

import mongodb
from mongodb import Document
from mongodb.fields import (
    BinaryField,
    DecimalField,
    EnumField,
    FloatField,
    IntField,
    LazyReferenceField,
    ListField,
    MapField,
    ReferenceField,
    StringField,
)


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    mongodb.connect("mistakes", host="docstore://:memory:")
    yield
    mongodb.disconnect_all()


class State(enum.Enum):
    OPEN = "open"
    DONE = "done"


class Chore(Document):
    state = EnumField(State)
    states = ListField(EnumField(State))
    by_name = MapField(EnumField(State))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "zzz"},
        {"set__state": 5},
        {"set_on_insert__state": "zzz"},
        {"states": ["open", "zzz"]},
        {"push__states": "zzz"},
        {"add_to_set__states": ["zzz"]},
        {"by_name": {"a": "zzz"}},
        {"set__by_name__a": "zzz"},
    ],
)
def test_updates_take_the_members_of_an_enum_alone(change: dict[str, Any]) -> None:
    Chore(state=State.OPEN, states=[State.OPEN]).save()
    with pytest.raises(mongodb.ValidationError, match="is not a valid State"):
        Chore.objects.update(**change)
    assert Chore.objects.get().state is State.OPEN
    Chore.objects.update(state="done", push__states=State.DONE)
    found = Chore.objects.get()
    assert (found.state, found.states) == (State.DONE, [State.OPEN, State.DONE])


class Keeper(Document):
    pass


class Cage(Document):
    keeper = ReferenceField(Keeper)
    keeper_ref = ReferenceField(Keeper, dbref=True)
    lazy = LazyReferenceField(Keeper, dbref=True)
    keepers = ListField(ReferenceField(Keeper, dbref=True))


@pytest.mark.parametrize("name", ["keeper", "keeper_ref", "lazy", "keepers"])
def test_references_take_no_dbref_of_another_collection(name: str) -> None:
    def of(collection: str) -> Any:
        ref = DBRef(collection, ObjectId())
        return [ref] if name == "keepers" else ref

    message = "must refer to a Keeper, not to one of zoo"
    with pytest.raises(mongodb.ValidationError, match=message):
        Cage(**{name: of("zoo")}).save()
    with pytest.raises(mongodb.ValidationError, match=message):
        Cage.objects.update(**{name: of("zoo")})
    with pytest.raises(mongodb.ValidationError, match=message):
        Cage.objects(**{name: of("zoo")[0] if name == "keepers" else of("zoo")}).count()
    Cage(**{name: of("keeper")}).save()
    assert Cage.objects.count() == 1


# Connections


@pytest.mark.parametrize(
    "option", [{"replicaSet": "rs"}, {"authSource": "admin"}, {"tls": True}, {"password": "p"},
               {"authentication_source": "admin"}, {"directConnection": True}]
)  # fmt: skip
def test_what_only_a_server_has_is_refused_without_a_host(
    option: dict[str, Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with pytest.raises(mongodb.ConnectionFailure, match="embedded store has no.*host="):
        mongodb.connect("zz", alias="zz", **option)
    with pytest.raises(mongodb.ConnectionFailure, match="embedded store has no.*host="):
        mongodb.connect(alias="zz", host=f"docstore://{tmp_path}/zz.docstore", **option)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a b$", "a/b", "a.b", 'a"b'])
def test_a_database_with_no_good_name_makes_no_file(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with pytest.raises(mongodb.ConnectionFailure, match="name"):
        mongodb.connect(name, alias="zz")
    if name and "/" not in name and "." not in name:
        with pytest.raises(mongodb.ConnectionFailure, match="name of a database"):
            mongodb.connect(alias="zz", host=f"docstore://{tmp_path}/{name}.docstore")
        with pytest.raises(mongodb.ConnectionFailure, match="name of a database"):
            mongodb.connect(name, alias="zz", host=f"docstore://{tmp_path}/good.docstore")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_given_an_odd_name_opens(tmp_path: pathlib.Path) -> None:
    mongodb.connect(alias="a", host=f"docstore://{tmp_path}/shop.docstore").run(
        {"insert": "c", "documents": [{"_id": 1}]}
    )
    mongodb.disconnect("a")
    (tmp_path / "shop.docstore").rename(tmp_path / "shop (copy 1).docstore")
    handle = mongodb.connect(alias="a", host=f"docstore://{tmp_path}/shop (copy 1).docstore")
    assert handle.name == "shop" and handle.run({"count": "c"})["n"] == 1


def _django(settings: str, last: str) -> str:
    code = (
        "from django.conf import settings\n"
        f"settings.configure(INSTALLED_APPS=['mongodb'], {settings})\n"
        f"import django, mongodb\ndjango.setup()\n{last}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"bd": "clinic"}', ["ImproperlyConfigured", "MONGODB_SETTINGS", "'bd'",
                              "did you mean 'db'", "host", "alias"]),
        ("{}", ["MONGODB_SETTINGS is empty", '{"db": "name"}']),
        ('[{"alias": "x", "db": "x"}]', ["give MONGODB_SETTINGS", "'default'", '"db": "name"']),
        ('{"db": "a b"}', ["ImproperlyConfigured", "MONGODB_SETTINGS", "'a b'"]),
    ],
)  # fmt: skip
def test_settings_that_are_wrong_are_named(value: str, words: list[str]) -> None:
    said = _django(f"MONGODB_SETTINGS={value}", "mongodb.get_db()")
    assert [one for one in words if one not in said] == [], said


def test_a_backend_name_that_is_none_makes_no_file(tmp_path: pathlib.Path) -> None:
    settings = (
        f"DATABASES={{'default': {{'ENGINE': 'mongodb.backend', 'NAME': r'{tmp_path}/a b$'}}}}"
    )
    said = _django(settings, "from django.db import connection as c\nc.ensure_connection()")
    assert "'a b$' cannot be the name of a database" in said
    assert list(tmp_path.iterdir()) == []


# Declarations


def test_a_field_without_parentheses_is_told() -> None:
    with pytest.raises(mongodb.InvalidDocumentError, match=r"Bare\.a .*write a = StringField\(\)"):
        type("Bare", (Document,), {"a": StringField})
    with pytest.raises(mongodb.InvalidDocumentError, match=r"Held\.a "):
        type("Held", (mongodb.EmbeddedDocument,), {"a": StringField})

    class Own(Document):
        class Code(StringField):
            """A class of the body's own is no field that lost its parentheses."""

        code = Code()

    assert set(Own._fields) == {"code", "id"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StringField(choices="abc"), "choices of StringField.*'abc'"),
        (lambda: StringField(choices=5), "choices of StringField.*5"),
        (lambda: StringField(choices=lambda: ["a"]), "choices of StringField"),
        (lambda: StringField(max_length=-3), "max_length of StringField.*negative: -3"),
        (lambda: StringField(min_length=-1), "min_length of StringField.*negative: -1"),
        (lambda: BinaryField(max_bytes=-1), "max_bytes of BinaryField.*negative: -1"),
        (lambda: ListField(max_length=-1), "max_length of ListField.*negative: -1"),
        (lambda: StringField(min_length=4, max_length=3), "min_length of StringField is above"),
        (lambda: IntField(min_value=4, max_value=3), "min_value of IntField is above max_value"),
        (lambda: FloatField(min_value=4, max_value=3.5), "min_value of FloatField is above"),
        (lambda: DecimalField(min_value=4, max_value=3), "min_value of DecimalField is above"),
    ],
)
def test_options_that_no_value_fits_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_limits_may_meet() -> None:
    assert IntField(min_value=3, max_value=3).min_value == 3
    assert StringField(min_length=0, max_length=0).max_length == 0


def test_choices_of_a_dict_keep_their_labels() -> None:
    class Ticket(Document):
        level = IntField(choices={1: "low", 2: "high"})

    assert Ticket(level=2).get_level_display() == "high"
    assert Ticket._fields["level"].choice_values() == [1, 2]
    with pytest.raises(mongodb.ValidationError, match="one of 1, 2"):
        Ticket(level=3).save()


def test_arguments_of_querysets_are_named() -> None:
    with pytest.raises(TypeError, match=r"limit\(\) of a queryset takes a whole number, not '3'"):
        Chore.objects.limit("3")
    with pytest.raises(TypeError, match=r"skip\(\) of a queryset takes a whole number, not '3'"):
        Chore.objects.skip("3")
    Chore(state=State.OPEN).save()
    for call, name in (
        (lambda: Chore.objects.get_or_create(defaults=5, state=State.OPEN), "defaults of get_or"),
        (lambda: Chore.objects.get_or_create(defaults=5, state=State.DONE), "defaults of get_or"),
        (lambda: Chore.objects.update_or_create(defaults=[5], state=State.OPEN), "defaults of upd"),
        (lambda: Chore.objects.update_or_create(create_defaults=5, state=State.OPEN), "create_def"),
    ):
        with pytest.raises(TypeError, match=name):
            call()
    assert Chore.objects.count() == 1
