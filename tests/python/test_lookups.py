# SPDX-License-Identifier: Apache-2.0
"""Filters and updates written in C: the same as Python's, safe with bad input, without leaks."""

import datetime
import decimal
import gc
import re
import tracemalloc
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import DBRef, Int64, ObjectId, Regex

import mongodb
from mongodb import Document, DynamicDocument, EmbeddedDocument, Q, _core
from mongodb.fields import (
    BooleanField,
    DateTimeField,
    DecimalField,
    DictField,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    LongField,
    ObjectIdField,
    ReferenceField,
    StringField,
    UUIDField,
)
from mongodb.queryset.lookups import InvalidLookupValue, _condition, build_filter, merge, parse
from mongodb.queryset.q import QNode
from mongodb.queryset.updates import build_update


class Upper(StringField):
    def to_mongo(self, value: Any) -> Any:
        return value.upper()


class Nobody(StringField):
    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return f"{op}:{value}"


class Street(EmbeddedDocument):
    name = StringField(db_field="n")
    number = IntField()


class Town(Document):
    name = StringField()


class House(Document):
    label = StringField(db_field="l")
    rooms = IntField()
    plot = LongField()
    price = FloatField()
    exact = DecimalField()
    old = BooleanField()
    built = DateTimeField()
    key = ObjectIdField()
    code = UUIDField()
    tags = ListField(StringField())
    loose = ListField()
    grid = ListField(ListField(IntField()))
    meta_data = DictField()
    street = EmbeddedDocumentField(Street)
    streets = ListField(EmbeddedDocumentField(Street))
    town = ReferenceField(Town)
    towns = ListField(ReferenceField(Town))
    shout = Upper()
    odd = Nobody()


class Free(DynamicDocument):
    name = StringField()


OID = ObjectId()
TOWN = Town(id=OID, name="t")
VALUES: list[Any] = [
    None, 0, 7, -(2**31), 2**31, 2**63 - 1, Int64(5), 1.5, float("inf"), True, "", "a.b*c$", "ü\n",
    b"bytes", "7", datetime.datetime(2024, 5, 31, 12, 30, 1, 999999),
    datetime.datetime(2024, 5, 31, tzinfo=datetime.UTC), datetime.date(2024, 5, 31),
    "2024-05-31", decimal.Decimal("1.10"), OID, str(OID), uuid.UUID(int=5), [], ["a", "b"],
    [1, None], ("a",), {"a"}, frozenset({1}), [[1, 2], [3]], [OID], {"a": 1}, {"$gt": 3},
    re.compile("^a", re.IGNORECASE), Regex("x", "i"), TOWN, [TOWN], Street(name="s", number=3),
    DBRef("town", OID), [Street(name="s")], {"a": [Street(name="s"), TOWN]}, object(), 2**70,
    "\ud800", "a\0b", (1, 9), [[[1]]],
]  # fmt: skip
OPERATORS = [
    "", "exact", "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "all", "exists", "size",
    "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact",
    "wholeword", "iwholeword", "regex", "not", "type", "mod", "not__exact", "not__in", "not__gt",
    "not__icontains", "isnull", "not__isnull", "range", "not__range",
]  # fmt: skip


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or how it fails."""
    try:
        return bytes(call())
    except Exception as error:
        # where a value cannot be stored, the encoder's message has the path it knows
        return type(error), str(error).split("': ")[-1]


def in_python(name: str, value: Any) -> bytes:
    lookup = parse(House, name)
    return _core.encode({lookup.path: _condition(House, lookup, name, value)})


@pytest.mark.parametrize(
    "field",
    [*House._fields, "street__number", "streets__n", "streets__0", "meta_data__a", "loose__0"],
)
def test_a_lookup_in_c_is_the_one_in_python(field: str) -> None:
    for operator in OPERATORS:
        name = f"{field}__{operator}" if operator else field
        for value in VALUES:
            made = outcome(lambda n=name, v=value: House._schema.filter({n: v}))  # type: ignore[misc]
            assert made == outcome(lambda n=name, v=value: in_python(n, v)), (name, value)


@pytest.mark.parametrize("field", [*House._fields, "street__number", "streets__S__n", "loose__0"])
def test_an_update_in_c_is_the_one_in_python(field: str) -> None:
    operators = (
        "set unset inc dec mul min max push push_all pull pull_all pop add_to_set set_on_insert "
        "current_date"
    )
    for name in [field, *(f"{operator}__{field}" for operator in operators.split())]:
        for value in VALUES:
            made = outcome(lambda n=name, v=value: House._schema.update({n: v}))  # type: ignore[misc]
            wanted = outcome(lambda n=name, v=value: _core.encode(build_update(House, {n: v})))  # type: ignore[misc]
            assert made == wanted, (name, value)


def test_updates_gather_by_operator() -> None:
    made = House._schema.update({"rooms": 1, "inc__plot": 2, "set__label": "x", "dec__price": 1.5})
    assert made is not None
    assert made.decode() == {"$set": {"rooms": 1, "l": "x"}, "$inc": {"plot": 2, "price": -1.5}}
    assert House._schema.update({"rooms": 1, "set__rooms": 2}) is None  # the later one holds
    assert build_update(House, {"rooms": 1, "set__rooms": 2}) == {"$set": {"rooms": 2}}
    assert House._schema.update({"__raw__": {"$set": {"a": 1}}}) is None


PARTS: list[dict[str, Any]] = [
    {}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": {"$gt": 1}}, {"a": {"$lt": 5}}, {"a": {"$gt": 7}},
    {"a": {"$gt": 1}, "b": {"$in": [1]}}, {"$and": [{"x": 1}]}, {"$and": [{"y": 1}], "a": 9},
    {"$or": [{"a": 1}]}, {"$or": [{"b": 1}], "a": 1}, {"a": {}}, {"a": Regex("x")},
]  # fmt: skip


def test_filters_join_as_in_python() -> None:
    for first in PARTS:
        for second in PARTS:
            pair = [_core.Raw(first), _core.Raw(second)]
            joined = _core.join_filters("$and", pair)
            assert bytes(joined) == _core.encode(merge(first, second)), (first, second)
            for third in PARTS:
                joined = _core.join_filters("$and", [*pair, _core.Raw(third)])
                assert joined.decode() == merge(merge(first, second), third)


def test_a_dbref_is_a_value_and_no_operators() -> None:
    ref = {"town": DBRef("town", OID)}
    made = _core.join_filters("$and", [_core.Raw(ref), _core.Raw({"town": {"$ne": 1}})])
    assert made.decode() == {"$and": [ref, {"town": {"$ne": 1}}]}


def test_a_field_may_be_named_as_a_negation() -> None:
    cls: Any = type("NotNamed", (Document,), {"not": IntField(), "n": IntField()})
    assert build_filter(cls, {"not__isnull": True}) == {"not": None}
    assert build_filter(cls, {"not__not__isnull": True}) == {"not": {"$ne": None}}
    assert build_filter(cls, {"n__not__isnull": True}) == {"n": {"$ne": None}}


def test_items_of_lists_are_looked_for_as_they_are_nested() -> None:
    assert build_filter(House, {"grid__in": [["1"], 2]}) == {"grid": {"$in": [[1], 2]}}
    with pytest.raises(InvalidLookupValue, match="a whole number is needed"):
        build_filter(House, {"grid__in": [[[1]]]})
    found = build_filter(House, {"loose__0__contains": "a.b"})  # of no field
    assert found == {"loose.0": Regex(r"a\.b")}
    assert build_filter(House, {"rooms__range": ("1", 9)}) == {"rooms": {"$gte": 1, "$lte": 9}}


def test_an_iterator_is_read_once_and_lasts(connected: str) -> None:
    House.objects.insert([House(rooms=n, price=n) for n in range(4)])
    wanted = House.objects(rooms__in=(n for n in (1, 2)))
    assert (wanted.count(), wanted.count(), len(wanted)) == (2, 2, 2)
    assert wanted.filter(price=1).count() == 1
    kept = Q(rooms__in=map(int, "12")) & ~Q(price__in=iter([1]))
    assert [House.objects(kept).count() for _ in range(2)] == [1, 1]
    assert House.objects.filter(kept, rooms__nin=iter([2])).count() == 0


def test_combined_conditions_are_one_filter() -> None:
    query = (Q(rooms=1) | Q(label="x")) & ~Q(price__gt=2) & Q(rooms__lt=5)
    assert query.to_query(House) == {
        "$or": [{"rooms": 1}, {"l": "x"}],
        "$nor": [{"price": {"$gt": 2.0}}],
        "rooms": {"$lt": 5},
    }
    assert (Q(rooms=1) | Q(~Q())).to_query(House) == {"$or": [{"rooms": 1}, {"$nor": [{}]}]}
    assert House.objects(Q(rooms__gt=1), rooms__lt=3, label="x").as_command()["filter"] == {
        "rooms": {"$lt": 3, "$gt": 1},
        "l": "x",
    }


def test_a_condition_of_ones_own_says_its_filter() -> None:
    class Big(QNode):
        def to_query(self, document: Any) -> dict[str, Any]:
            return {"rooms": {"$gt": 9}}

    assert (Big() & Q(label="x")).to_query(House) == {"rooms": {"$gt": 9}, "l": "x"}
    with pytest.raises(NotImplementedError):
        QNode().to_query(House)


def test_hostile_keywords_are_refused() -> None:
    for schema in (House._schema, Free._schema):
        for bad in (1, None, b"label", ("a",)):
            with pytest.raises(TypeError, match="keywords are strings"):
                schema.filter({bad: 1})
            with pytest.raises(TypeError, match="keywords are strings"):
                schema.update({bad: 1})
        for wrong in ([("label", 1)], None, "label"):
            with pytest.raises(TypeError, match="a dict"):
                schema.filter(wrong)
            with pytest.raises(TypeError, match="a dict"):
                schema.update(wrong)
    for name in ("\ud800", "a\0b"):
        with pytest.raises(mongodb.InvalidQueryError):
            House._schema.filter({name: 1})
        with pytest.raises(ValueError):
            Free._schema.filter({name: 1})
        with pytest.raises((ValueError, mongodb.InvalidQueryError)):
            Free._schema.update({name: 1})
        with pytest.raises((ValueError, mongodb.InvalidQueryError)):
            Free._schema.update({f"push__{name}__0": 1})
    with pytest.raises(TypeError):
        _core.join_filters("$and", [b""])  # type: ignore[list-item]
    with pytest.raises(ValueError):
        _core.join_filters("$xor", [])  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        _core.Raw(b"\x05\0\0\0\1")


def test_endless_nesting_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises((ValueError, RecursionError)):
        House._schema.filter({"loose": loop})
    with pytest.raises((ValueError, RecursionError)):
        House._schema.update({"loose": loop})
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    mongodb.connect("deep", host="docstore://:memory:", alias="deep")
    try:
        with pytest.raises((ValueError, mongodb.OperationError)):
            House.objects.using("deep").filter(loose=deep).count()
    finally:
        mongodb.disconnect("deep")


def test_a_dict_that_changes_while_it_is_read() -> None:
    lookups: dict[str, Any] = {}

    class Growing(str):
        def __str__(self) -> str:
            lookups[f"label__{len(lookups)}"] = 1
            return "x"

    lookups["label__contains"] = Growing("x")
    with pytest.raises(RuntimeError, match="changed"):
        House._schema.filter(lookups)


def test_names_from_outside_do_not_fill_memory() -> None:
    for n in range(6000):
        assert Free._schema.filter({f"name{n}__gt": n}).decode() == {f"name{n}": {"$gt": n}}
        made = Free._schema.update({f"set__name{n}": n})
        assert made is not None and made.decode() == {"$set": {f"name{n}": n}}


def work() -> None:
    House._schema.filter({"rooms__gte": 3, "label__icontains": "x", "town": TOWN, "exact": 1})
    House._schema.filter({"rooms__gt": 3, "rooms__lt": 9, "rooms": 5, "__raw__": {"a": 1}})
    House._schema.filter({"tags__in": ["a", "b"], "key__nin": {OID}, "rooms__not__gt": 3})
    House._schema.update({"rooms": 1, "inc__plot": 2, "push__tags": "x", "pull__tags": "y"})
    (Q(rooms=1) | Q(label="x") & ~Q(price=3)).to_query(House)
    for bad in ({"rooms": "x"}, {"nothing": 1}, {"loose": object()}, {"key": "?"}):
        for call in (House._schema.filter, House._schema.update):
            try:
                call(bad)
            except (ValueError, TypeError, mongodb.MongoError):
                pass


def resident() -> int:
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * 4096


def test_filters_and_updates_leak_nothing() -> None:
    tracemalloc.start()
    try:
        for _ in range(1500):  # names and messages are cached by and by
            work()
        gc.collect()
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            work()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - start < 20_000
    finally:
        tracemalloc.stop()
    before = resident()
    for _ in range(3000):
        work()
    assert resident() - before < 4_000_000


def test_a_class_that_was_queried_can_go_away() -> None:
    import weakref

    def one() -> Any:
        class Short(EmbeddedDocument):
            name = StringField()

        Short._schema.filter({"name": "x", "name__icontains": "y"})
        Short._schema.update({"name": "x"})
        from mongodb import _registry

        _registry._document_registry.pop("Short", None)
        return weakref.ref(Short)

    gone = one()
    gc.collect()
    assert gone() is None
