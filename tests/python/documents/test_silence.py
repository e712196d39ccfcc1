# SPDX-License-Identifier: Apache-2.0
"""Nothing that is asked for is ignored: what is not known is refused by name."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import mongodb
from mongodb import (
    Document,
    DynamicDocument,
    EmbeddedDocument,
    FieldDoesNotExist,
    LookUpError,
    MongoError,
    NotSupportedError,
    connection,
    context_managers,
    fields,
    get_db,
    signals,
    testing,
)
from mongodb.fields import DateTimeField, EmbeddedDocumentListField, IntField, StringField


class Inner(EmbeddedDocument):
    n = IntField()


class Heard(Document):
    name = StringField()
    inner = EmbeddedDocumentListField(Inner)


class Anything(DynamicDocument):
    pass


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    pass


# What a method needs beside the unknown keyword.
NEEDS: dict[str, dict[str, Any]] = {
    "create_index": {"keys": "name"},
    "ensure_index": {"key_or_list": "name"},
    "from_json": {"json_data": "{}"},
    "register_delete_rule": {"document_cls": Heard, "field_name": "name", "rule": 0},
    "switch_collection": {"collection_name": "x"},
    "switch_db": {"db_alias": "default", "cls": Heard},
    "connect": {"db": "x", "alias": "silent"},
    "register_connection": {"alias": "silent", "db": "x"},
    "no_dereference": {"cls": Heard},
    "no_sub_classes": {"cls": Heard},
    "set_write_concern": {"collection": None, "write_concerns": {}},
}
# `Signal.send` passes on what it is given.
PASSED_ON = {"send"}


def methods() -> list[Any]:
    saved = Heard(name="a")
    found: list[Any] = []
    for owner, make in (
        ("Document", lambda: Heard(name="a", inner=[Inner(n=1)]).save()),
        ("DynamicDocument", lambda: Anything(a=1).save()),
        ("EmbeddedDocument", lambda: Inner(n=1)),
        ("EmbeddedDocumentList", lambda: Heard(inner=[Inner(n=1)]).save().inner),
        ("Signal", lambda: signals.Signal("x")),
    ):
        sample = {
            "Document": saved,
            "DynamicDocument": Anything(),
            "EmbeddedDocument": Inner(),
            "EmbeddedDocumentList": saved.inner,
            "Signal": signals.Signal("x"),
        }[owner]
        for name in dir(type(sample)):
            value = inspect.getattr_static(type(sample), name)
            own = inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod))
            fits = owner == "DynamicDocument" and name in ("aupdate", "modify", "update")
            if name[0] != "_" and own and name not in PASSED_ON and not fits:
                found.append(pytest.param(make, name, id=f"{owner}.{name}"))
    return found


async def awaited(value: Any) -> Any:
    return await value


@pytest.mark.parametrize(("make", "name"), methods())
def test_a_method_refuses_an_unknown_keyword(make: Callable[[], Any], name: str) -> None:
    import asyncio

    target = make()
    method = getattr(target, name)
    needs = {
        k: v for k, v in NEEDS.get(name, {}).items() if k in inspect.signature(method).parameters
    }
    with pytest.raises((TypeError, MongoError, AttributeError)):
        made = method(**needs, nope_=1)
        if inspect.isawaitable(made):
            asyncio.run(awaited(made))
        raise AssertionError(f"{name}(nope_=1) gave {made!r}")


@pytest.mark.parametrize(
    "function",
    [
        *(getattr(connection, n) for n in connection.__all__ if n[0].islower()),
        *(getattr(context_managers, n) for n in context_managers.__all__),
        testing.store,
        mongodb.get_document,
    ],
    ids=lambda one: one.__name__,
)
def test_a_function_refuses_an_unknown_keyword(function: Any) -> None:
    needs = NEEDS.get(function.__name__, {})
    names = inspect.signature(function).parameters
    try:
        with pytest.raises((TypeError, ValueError, MongoError)):
            made = function(**{k: v for k, v in needs.items() if k in names}, nope_=1)
            if function.__name__ == "register_connection":
                connection.get_connection_handle("silent")
            raise AssertionError(f"{function.__name__}(nope_=1) gave {made!r}")
    finally:
        mongodb.disconnect("silent")


NEEDED_BY_FIELDS = {
    "EmbeddedDocumentField": (Inner,),
    "EmbeddedDocumentListField": (Inner,),
    "ReferenceField": (Heard,),
    "MapField": (StringField(),),
    "EnumField": (__import__("enum").Enum("Colour", ["red"]),),
}
FIELDS = [
    name
    for name in fields.__all__
    if inspect.isclass(getattr(fields, name))
    and issubclass(getattr(fields, name), fields.BaseField)
    and name != "BaseField"
]


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_refuses_options_of_others(name: str) -> None:
    cls = getattr(fields, name)
    for option in (
        "blank",
        "validators",
        "ordering",
        "min_value",
        "max_length",
        "auto_now",
        "dbref",
    ):
        known = {n for base in cls.__mro__ for n in inspect.signature(base.__init__).parameters}
        if option in known or (option == "ordering" and name == "SortedListField"):
            continue
        with pytest.raises((TypeError, NotSupportedError)):
            cls(*NEEDED_BY_FIELDS.get(name, ()), **{option: 1})


def test_a_field_class_of_ones_own_takes_what_it_likes() -> None:
    class Own(StringField):
        pass

    assert Own(blank=True, colour="red").blank is True  # type: ignore[attr-defined]


def test_arguments_of_saving_are_named() -> None:
    doc = Heard(name="a").save()
    for call in (
        lambda: doc.save(validat=False),
        lambda: doc.save(cascade=True, cascade_kwargs={"validat": False}),
        lambda: doc.delete(wc=1),
        lambda: doc.reload(depth=1),
        lambda: doc.cascade_save(validat=False),
    ):
        with pytest.raises(TypeError, match="validat|wc|depth"):
            call()
    with pytest.raises(LookUpError, match="nam"):
        doc.reload("nam")
    assert doc.reload(1, "name").name == "a" and doc.reload(max_depth=2).name == "a"
    doc.delete(w=1)
    assert Heard.objects.count() == 0


def test_values_for_no_field_are_refused() -> None:
    doc = Heard(name="a", inner=[Inner(n=1)]).save()
    with pytest.raises(FieldDoesNotExist, match="Inner has no field nope"):
        doc.inner.update(nope=1)
    with pytest.raises(FieldDoesNotExist, match="Heard has no field nope"):
        Heard.objects.update_or_create(name="a", defaults={"nope": 1})
    Anything(a=1).save()
    assert Anything.objects.update_or_create(a=1, defaults={"b": 2})[0].b == 2


def test_unknown_keys_of_meta_are_told() -> None:
    with pytest.warns(UserWarning, match="'nothing'; it is kept and does nothing"):
        type("Odd", (Document,), {"meta": {"nothing": 1}})


def classes() -> Any:
    class Measured(Document):
        at = DateTimeField(db_field="t", auto_now_add=True)
        where = StringField(db_field="w")
        value = IntField()
        meta = {
            "timeseries": {"timeField": "at", "metaField": "where", "granularity": "hours"},
            "expire_after_seconds": 3600,
        }

    return Measured


def test_a_time_series_is_made_on_a_server(mongod: str) -> None:
    cls = classes()
    mongodb.disconnect()
    mongodb.connect("series", host=mongod)
    try:
        get_db().client.drop_database("series")
        cls(where="x", value=1).save()
        cls.objects.insert([cls(where="x", value=2)])
        assert cls.objects(where="x").sum("value") == 3
        options = get_db()["measured"].options()
        assert options["timeseries"]["timeField"] == "t"
        assert (options["timeseries"]["metaField"], options["expireAfterSeconds"]) == ("w", 3600)
        get_db().client.drop_database("series")
    finally:
        mongodb.disconnect()


def test_a_time_series_is_refused_by_name_on_the_embedded_store() -> None:
    with pytest.raises(NotSupportedError, match="time-series"):
        classes()(where="x").save()
