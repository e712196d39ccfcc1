# SPDX-License-Identifier: Apache-2.0
"""Documents made of given values: what C makes of them is what the fields' own to_python makes."""

import datetime
import decimal
import itertools
import random
import sys
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId

import mongodb
from mongodb import Q, signals
from mongodb import fields as f

_turn = itertools.count(8100001)  # digits that no value has


class Text(str):
    """A string that is not exactly one."""


def _asked(kind: type) -> type:
    """The field class with a to_python of its own, so that C has to ask it."""

    def to_python(self: Any, value: Any) -> Any:
        return super(own, self).to_python(value)

    own: type = type(f"Asked{kind.__name__}", (kind,), {"to_python": to_python})
    return own


def _plain_or_asked(asked: bool) -> SimpleNamespace:
    names = ("String Email Int Long Float Decimal Boolean DateTime Date ObjectId UUID Binary "
             "Dynamic List Dict Map EmbeddedDocument EmbeddedDocumentList").split()  # fmt: skip
    kinds = {name: getattr(f, f"{name}Field") for name in names}
    if asked:
        kinds = {name: _asked(kind) for name, kind in kinds.items()}
    # given to a document, and not inside of a list, these are kept as they are
    kinds |= {"DateTime0": f.DateTimeField, "ObjectId0": f.ObjectIdField}
    return SimpleNamespace(**kinds)


def _declare(asked: bool, **meta: Any) -> Any:
    k = _plain_or_asked(asked)
    inside: dict[str, Any] = {"meta": {"allow_inheritance": True}}
    own: dict[str, Any] = {}
    if asked:

        def __init__(self: Any, *args: Any, **values: Any) -> None:
            mongodb.EmbeddedDocument.__init__(self, *args, **values)

        own = {"__init__": __init__}
    turn = next(_turn)
    below = {
        "text": k.String(db_field="t"), "number": k.Int(default=7), "when": k.DateTime0(),
        "inner": k.EmbeddedDocument("self"), "many": k.List(k.EmbeddedDocument("self")),
        "made": k.List(default=lambda: ["made"]),
    }  # fmt: skip
    part = type(f"BuiltPart{turn}", (mongodb.EmbeddedDocument,), {**inside, **below, **own})
    special = type(f"BuiltSpecial{turn}", (part,), {"extra": k.Float(), **own})
    loose = type(f"BuiltLoose{turn}", (mongodb.DynamicEmbeddedDocument,), {"text": k.String()})
    hears = type(
        f"BuiltHearing{turn}",
        (mongodb.EmbeddedDocument,),
        {"text": k.String(), "__init__": _heard},
    )
    whole = {
        "string": k.String(), "email": k.Email(), "whole": k.Int(), "long": k.Long(),
        "real": k.Float(), "exact": k.Decimal(precision=2), "yes": k.Boolean(default=True),
        "moment": k.DateTime0(), "day": k.Date(), "oid": k.ObjectId0(), "uuid": k.UUID(),
        "data": k.Binary(), "any": k.Dynamic(), "list": k.List(), "dict": k.Dict(),
        "strings": k.List(k.String()), "wholes": k.List(k.Int(), null=True),
        "moments": k.List(k.DateTime()), "oids": k.List(k.ObjectId()), "uuids": k.List(k.UUID()),
        "rows": k.List(k.List(k.Float())), "flags": k.Map(k.Boolean()),
        "dicts": k.Dict(k.List(k.Decimal())), "part": k.EmbeddedDocument(part),
        "parts": k.List(k.EmbeddedDocument(part)), "listed": k.EmbeddedDocumentList(part),
        "named": k.Map(k.EmbeddedDocument(part)), "loose": k.EmbeddedDocument(loose),
        "heard": k.List(k.EmbeddedDocument(hears)),
    }  # fmt: skip
    top = type(f"BuiltTop{turn}", (mongodb.Document,), {**whole, "meta": meta})
    return SimpleNamespace(top=top, part=part, special=special, turn=turn)


def _heard(self: Any, *args: Any, **values: Any) -> None:
    mongodb.EmbeddedDocument.__init__(self, *args, **values)
    self.text = f"heard {self.text}"


_OID = ObjectId("0123456789abcdef01234567")
_VALUES = [
    None, "", "text", Text("own"), "5", b"bytes", b"\xff", bytearray(b"ba"), 0, 5, -1.5, 2**70,
    float("nan"), True, False, decimal.Decimal("1.005"), Decimal128("2.5"), Int64(9), _OID,
    str(_OID), uuid.UUID(int=7), str(uuid.UUID(int=7)), Binary(b"x", 5), (1, 2), {1, 2}, range(3),
    datetime.datetime(2024, 1, 2, 3, 4, 5, 678901), datetime.date(2024, 1, 2), "2024-05-31", [], {},
    object, ["a", b"b", None, 3, Text("c")], [[1, "2"], None, (3,)], ["2024-05-31", str(_OID)],
    {"a": 1, "b": None, "c": "yes"}, {1: 2}, {"a": ["1.5", 2, None]}, [True, "x", {"text": "y"}],
]  # fmt: skip


def _part(chance: random.Random, turn: int, depth: int = 0) -> Any:
    """A value for an embedded document; `turn` says of which of the two declarations."""
    found: dict[Any, Any] = {}
    for name in chance.sample(["text", "number", "when", "inner", "many", "made"], 3):
        found[name] = chance.choice(_VALUES)
        if name == "inner" and depth < 3:
            found[name] = _part(chance, turn, depth + 1)
        if name == "many" and depth < 2:
            found[name] = [_part(chance, turn, depth + 1) for _ in range(chance.randrange(3))]
    odd = chance.random()
    if odd < 0.08:
        found["t"] = "by its stored name"
    elif odd < 0.16:
        found["_cls"] = f"BuiltPart{turn}.BuiltSpecial{turn}"
        found["extra"] = "1.5"
    elif odd < 0.2:
        found["unknown"] = 1
    elif odd < 0.24:
        found[5] = "no name"
    elif odd < 0.3:
        return chance.choice(_VALUES)
    elif odd < 0.34:
        found["_cls"] = 5
    return found


def _given(seed: int, kinds: Any) -> dict[str, Any]:
    chance = random.Random(seed)
    names = [name for name in kinds.top._fields if name != "id"]
    given: dict[str, Any] = {}
    for name in chance.sample(names, chance.randrange(1, 9)):
        given[name] = chance.choice(_VALUES)
        some = [_part(chance, kinds.turn) for _ in range(chance.randrange(4))]
        if name in ("part", "loose") and some:
            given[name] = some[0]
        elif name in ("parts", "listed", "heard"):
            if chance.random() < 0.3:
                some.append(kinds.special(text="made", extra=2))
            given[name] = tuple(some) if chance.random() < 0.2 else some
        elif name == "named":
            given[name] = {str(at): one for at, one in enumerate(some)}
    if chance.random() < 0.1:
        given[chance.choice(["pk", "unknown", "_created"])] = _OID
    return given


def _shown(value: Any) -> Any:
    if isinstance(value, mongodb.base_document.BaseDocument):
        held = [(name, _shown(getattr(value, name))) for name in value._fields]
        return type(value).__name__, held, value._extra, value._created
    if isinstance(value, dict):
        return type(value), [(key, _shown(one)) for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_shown(one) for one in value]
    return type(value), value


def _named_alike(kinds: Any, found: Any) -> str:
    return repr(found).replace(str(kinds.turn), "").replace("Asked", "")


def _outcome(kinds: Any, given: dict[str, Any]) -> str:
    found: list[Any] = []
    try:
        made = kinds.top(**given)
        found.append(_shown(made))
        found.append(made._encode())
    except Exception as error:
        found.append((type(error), str(error)))
    return _named_alike(kinds, found)


@pytest.fixture(scope="module")
def both() -> Any:
    return _declare(False), _declare(True)


@pytest.mark.parametrize("start", range(0, 4000, 1000))
def test_values_become_what_their_fields_say(both: Any, start: int) -> None:
    plain, asked = both
    made = 0
    for seed in range(start, start + 1000):
        first, second = _given(seed, plain), _given(seed, asked)
        before = repr(first)
        found = _outcome(plain, first)
        assert found == _outcome(asked, second), (seed, first)
        assert repr(first) == before
        made += found.startswith("[('BuiltTop'")
    assert 100 < made < 1000


def _python_calls(run: Callable[[], Any]) -> list[str]:
    calls: list[str] = []

    def note(frame: Any, event: str, what: Any) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls[1:]  # without run itself


def test_dicts_become_documents_without_calls_of_python(both: Any) -> None:
    part = {"text": "a", "number": 1, "made": ["x"], "inner": {"text": "b", "made": []}}
    given = {"string": "x", "whole": 5, "real": 1.5, "yes": False, "strings": ["a", "b"],
             "part": part, "parts": [part] * 5, "named": {"a": part}, "flags": {"a": True},
             "dicts": {}, "moments": [datetime.datetime(2024, 1, 2)]}  # fmt: skip
    plain, asked = both
    plain.top(**given)
    assert _python_calls(lambda: plain.top(**given)) == []
    assert len(_python_calls(lambda: asked.top(**given))) > 50


def test_steps_of_a_queryset_cost_few_calls_of_python(both: Any) -> None:
    rows = both[0].top.objects

    def steps() -> Any:
        return rows.filter(whole__gte=3).filter(string__ne="x").order_by("whole").limit(10)

    steps()
    assert len(_python_calls(steps)) <= 20


def test_steps_of_a_queryset_join_conditions_as_q_does(both: Any) -> None:
    cls = both[0].top
    shapes = [Q(), Q(whole=1), Q(whole=2) | Q(string="a"), ~Q(real__gt=2), Q(whole=3) & Q(long=4),
              Q(Q(whole=5), string="b")]  # fmt: skip
    keywords: list[dict[str, Any]] = [{}, {"whole": 6}, {"string__ne": "c", "real__gte": 7}]
    for seed in range(500):
        chance = random.Random(seed)
        rows, expected = cls.objects, Q()
        for _ in range(chance.randrange(5)):
            nodes, query = chance.choices(shapes, k=chance.randrange(3)), chance.choice(keywords)
            step = Q(**query)
            for one in nodes:
                step = step & one
            if chance.random() < 0.2 and (nodes or query):
                rows, expected = rows.exclude(*nodes, **query), expected & ~step
            else:
                before, shown = rows, repr(rows._query_obj)
                rows, expected = rows.filter(*nodes, **query), expected & step
                assert rows is not before
                assert repr(before._query_obj) == shown
        assert repr(rows._query_obj) == repr(expected)
        assert rows._query_obj == expected
        assert rows._query == expected.to_query(cls)


@pytest.mark.parametrize("heard", ["pre_init", "post_init"])
def test_listeners_hear_of_each_document_and_change_its_values(both: Any, heard: str) -> None:
    def run(kinds: Any) -> Any:
        calls: list[Any] = []

        def listen(sender: Any, document: Any, values: Any = None) -> None:
            calls.append((sender.__name__, repr(values)))
            if values and "text" in values and isinstance(values["text"], str):
                values["text"] += "!"

        given = {"string": "x", "part": {"text": "a", "inner": {"text": "b"}},
                 "parts": [{"text": "c"}, {"number": "5"}]}  # fmt: skip
        with_signal = getattr(signals, heard)
        with_signal.connect(listen)
        try:
            found = _shown(kinds.top(**given))
        finally:
            with_signal.disconnect(listen)
        assert given["part"] == {"text": "a", "inner": {"text": "b"}}
        assert len(calls) == 5
        return _named_alike(kinds, (calls, found))

    plain, asked = both
    first = run(plain)
    assert first == run(asked)


def test_a_class_changed_later_is_asked_again() -> None:
    kinds = _declare(False)
    assert kinds.top(part={"text": "a"}).part.text == "a"
    seen: list[Any] = []
    slot = kinds.part.__dict__["text"]

    class Watching:
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            return slot.__get__(instance, owner)

        def __set__(self, instance: Any, value: Any) -> None:
            seen.append(value)
            slot.__set__(instance, value)

    kinds.part.text = Watching()
    assert kinds.top(part={"text": "b"}).part.text == "b"
    assert seen == ["b"]

    def made(self: Any, **values: Any) -> None:
        seen.append(values)
        mongodb.EmbeddedDocument.__init__(self, **values)

    kinds.part.__init__ = made
    assert kinds.top(parts=[{"number": 1}]).parts[0].number == 1
    assert seen == ["b", {"number": 1}]


def test_a_class_that_watches_its_attributes_sees_the_values() -> None:
    seen: list[Any] = []

    class BuiltWatched(mongodb.EmbeddedDocument):
        text = f.StringField()

        def __setattr__(self, name: str, value: Any) -> None:
            seen.append((name, value))
            super().__setattr__(name, value)

    class BuiltWatching(mongodb.EmbeddedDocument):
        inner = f.ListField(f.EmbeddedDocumentField(BuiltWatched))

    assert BuiltWatching(inner=[{"text": "a"}]).inner[0].text == "a"
    assert seen == [("text", "a")]


def test_what_a_field_makes_of_stored_values_is_as_stored(memory: None) -> None:
    class BuiltSpot(mongodb.EmbeddedDocument):
        x = f.IntField(db_field="a")

    class BuiltPlace(mongodb.EmbeddedDocument):
        spot = f.EmbeddedDocumentField(BuiltSpot)

    class PlaceField(f.DictField):
        def to_python(self, value: Any) -> Any:
            return BuiltPlace(**value) if isinstance(value, dict) else value

        def to_mongo(self, value: Any) -> Any:
            return dict(value.to_mongo())

        def validate(self, value: Any, clean: bool = True) -> None:
            assert isinstance(value, BuiltPlace)

    class BuiltMap(mongodb.Document):
        place = PlaceField()

    BuiltMap(place={"spot": {"x": 5}}).save()
    assert BuiltMap.objects.first().place.spot.x == 5
    BuiltMap._get_collection().insert_one({"place": {"spot": {"x": 7}}})
    spot = BuiltMap.objects[1].place.spot
    assert (spot.x, spot._unknown("x")) == (None, 7)


def test_a_document_that_holds_itself_as_a_dict_is_refused() -> None:
    given: dict[str, Any] = {"text": "a"}
    given["inner"] = given
    with pytest.raises(RecursionError):
        _declare(False).top(part=given)
