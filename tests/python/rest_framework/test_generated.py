# SPDX-License-Identifier: Apache-2.0
"""Generated serializers: all that Django REST Framework lets one declare, override and change, by
documents of random values. What C shows is what its own path shows, byte for byte.

A seed is printed with each failure: SEED=… runs it again, SAME_ANSWER_ROUNDS=… runs more.
"""

import datetime
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from mongodb.rest_framework import fields as rest_fields
from mongodb.rest_framework import keeper
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer

from .shown import (
    LISTS,
    NAMES,
    PLAIN,
    QUERIES,
    STORED,
    Inner,
    Shown,
    StockRenderer,
    compare,
    load,
    outcome,
    serializer_of,
    store,
    stored,
    stored_query,
)

SEED = int(os.environ.get("SEED", "20240229"))
ROUNDS = int(os.environ.get("SAME_ANSWER_ROUNDS", "500"))
DOCUMENTS = 8

Random = random.Random


class Shouting(serializers.CharField):
    def to_representation(self, value: Any) -> Any:
        return f"{value}!"


class Careful(serializers.CharField):
    """Overrides nothing that shows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.care = 1

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data)


class Elsewhere(serializers.CharField):
    def get_attribute(self, instance: Any) -> Any:
        return instance.text_default


class YesNo(serializers.BooleanField):
    TRUE_VALUES = {False}
    FALSE_VALUES = {True}


class Daily(serializers.DateField):
    format = "%d.%m."


class Zoned(rest_fields.DateTimeField):
    def default_timezone(self) -> Any:
        return datetime.timezone(datetime.timedelta(hours=5))


class Halved(serializers.DecimalField):
    def quantize(self, value: Any) -> Any:
        return super().quantize(value / 2)


class Whole(serializers.Field):
    def to_representation(self, value: Any) -> Any:
        return type(value).__name__


class InContext(serializers.ReadOnlyField):
    def to_representation(self, value: Any) -> Any:
        return [self.context.get("who"), value]


def nested(random: Random, **kwargs: Any) -> Any:
    """A serializer of Inner: ours or DRF's, with some fields, some of them computing."""
    body: dict[str, Any] = {}
    if random.random() < 0.5:
        body["extra"] = serializers.SerializerMethodField()
        body["get_extra"] = lambda self, inner: [inner.word, self.context.get("who")]
    if random.random() < 0.3:
        body["word"] = random.choice([Shouting, Careful, serializers.CharField])()
    if random.random() < 0.3:
        body["to_representation"] = lambda self, one: {"only": one.number}
    names = random.sample(["word", "number", "when", "many"], random.randint(1, 4))
    meta = {
        "model": Inner,
        "fields": list(dict.fromkeys([*names, *(set(body) & {"extra", "word"})])),
    }
    if random.random() < 0.3:
        plain: dict[str, Any] = {
            "word": serializers.CharField(allow_null=True),
            "number": serializers.IntegerField(),
        }
        return type("Plain", (serializers.Serializer,), {**plain, **body})(**kwargs)
    return type("Nested", (DocumentSerializer,), {**body, "Meta": type("Meta", (), meta)})(**kwargs)


CharField, ListField, DictField = (
    serializers.CharField,
    serializers.ListField,
    serializers.DictField,
)
DECLARED: list[Callable[[Random], Any]] = [
    lambda r: CharField(source=r.choice(NAMES), read_only=r.random() < 0.3),
    lambda r: CharField(source=r.choice(["inner.word", "target.word", "inner.none", "shout"])),
    lambda r: CharField(source="inner.word", default=r.choice([None, "gone", str])),
    lambda r: CharField(source="nothing", required=False),
    lambda r: CharField(source="nothing", allow_null=True),
    lambda r: CharField(source="text", write_only=True),
    lambda r: r.choice([Shouting, Careful, Elsewhere])(source="text"),
    lambda r: r.choice([Shouting, Careful])(source=r.choice(NAMES), allow_null=True),
    lambda r: serializers.SlugField(source="text"),
    lambda r: serializers.IntegerField(source=r.choice(["integer", "long", "real", "text"])),
    lambda r: serializers.BigIntegerField(source="long", coerce_to_string=r.random() < 0.5),
    lambda r: serializers.FloatField(source=r.choice(["real", "integer", "exact"])),
    lambda r: r.choice([YesNo, serializers.BooleanField])(source=r.choice(["truth", "text"])),
    lambda r: r.choice([Halved, serializers.DecimalField])(
        max_digits=r.choice([None, 2, 6, 40]),
        decimal_places=r.choice([None, 0, 2]),
        coerce_to_string=r.choice([None, True, False]),
        localize=r.random() < 0.2,
        normalize_output=r.random() < 0.2,
        source=r.choice(["exact", "rounded", "exact128", "limited", "forced"]),
    ),
    lambda r: r.choice([rest_fields.DateTimeField, serializers.DateTimeField, Zoned])(
        source=r.choice(["moment", "seen", "fine", "day"]),
        **r.choice([{}, {}, {"format": "%d.%m.%Y"}, {"format": None}, {"format": "ISO-8601"}]),
        **r.choice([{}, {"default_timezone": datetime.UTC}]),
    ),
    lambda r: r.choice([Daily, serializers.DateField])(source=r.choice(["day", "moment"])),
    lambda r: serializers.DateField(source="day", format=r.choice([None, "%Y", "iso-8601"])),
    lambda r: serializers.UUIDField(
        source=r.choice(["token", "token_text"]),
        format=r.choice(["hex", "int", "urn", "hex_verbose"]),
    ),
    lambda r: rest_fields.BinaryField(source=r.choice(["data", "anything"])),
    lambda r: rest_fields.DynamicField(source=r.choice(NAMES)),
    lambda r: serializers.JSONField(source=r.choice(NAMES), binary=r.random() < 0.2),
    lambda r: serializers.ReadOnlyField(source=r.choice([*NAMES, "seen", "shout", "pk"])),
    lambda r: InContext(source=r.choice(NAMES)),
    lambda r: Whole(source="*"),
    lambda r: serializers.HiddenField(default=3),
    lambda r: serializers.ChoiceField(
        choices=r.choice([["a", "b"], [(1, "one"), ("a", "A")], [("a", gettext_lazy("yes"))]]),
        source=r.choice(["choice", "pair", "text", "integer"]),
    ),
    lambda r: serializers.MultipleChoiceField(choices=["a", "b"], source="words"),
    lambda r: ListField(source=r.choice(["words", "untyped", "table", "moments"])),
    lambda r: ListField(child=r.choice([CharField, Shouting, Careful])(), source="words"),
    lambda r: ListField(child=ListField(child=serializers.IntegerField()), source="table"),
    lambda r: ListField(child=rest_fields.DynamicField(), source=r.choice(["untyped", "words"])),
    lambda r: ListField(child=nested(r), source=r.choice(["inners", "families"])),
    lambda r: DictField(source=r.choice(["members", "days"])),
    lambda r: DictField(child=CharField(), source=r.choice(["members", "parts"])),
    lambda r: DictField(child=nested(r), source="parts"),
    lambda r: nested(r, source=r.choice(["inner", "loose", "family", "eager", "generic"])),
    lambda r: nested(r, source="*"),
    lambda r: nested(r, many=True, source=r.choice(["inners", "families", "untyped"])),
    lambda r: serializers.SlugRelatedField("word", source="target", read_only=True),
    lambda r: serializers.StringRelatedField(source=r.choice(["target", "named", "inner"])),
    lambda r: serializers.PrimaryKeyRelatedField(
        source=r.choice(["target", "linked", "named", "parent"]),
        read_only=True,
        pk_field=r.choice([None, rest_fields.ObjectIdField(), CharField()]),
    ),
    lambda r: serializers.PrimaryKeyRelatedField(source="targets", many=True, read_only=True),
    lambda r: rest_fields.ReferenceField(
        source=r.choice(["target", "linked", "named", "parent", "text"]), read_only=True
    ),
]
METHODS: list[Callable[[Any, Any], Any]] = [
    lambda self, one: one.text,
    lambda self, one: one.pk,
    lambda self, one: one.exact128,
    lambda self, one: one.data,
    lambda self, one: (one.moment, {1: one.day, None: 2.5}),
    lambda self, one: gettext_lazy("Monday"),
    lambda self, one: self.context.get("who"),
    lambda self, one: one.inner,
    lambda self, one: {one.text, 1},
    lambda self, one: 2**80,
    lambda self, one: setattr(one, "text", "changed"),
    lambda self, one: one.words.append("more"),
    lambda self, one: timezone.activate(datetime.timezone(datetime.timedelta(hours=-3))),
]


def refuse(self: Any, one: Any) -> Any:
    if one.integer == 1:
        raise PermissionDenied


METHODS.append(refuse)


def set_on_instance(child: Any, random: Random) -> None:
    """What __init__, get_fields or a view does to the fields of one request."""
    for _ in range(random.randint(1, 4)):
        if len(child.fields) > 1:
            set_on_field(child, random.choice(list(child.fields.values())), random.randrange(9))


def set_on_field(child: Any, field: Any, what: int) -> None:
    if what == 0:
        child.fields.pop(field.field_name)
    elif what == 1:
        field.to_representation = lambda value: f"<{value}>"
    elif what == 2:
        field.get_attribute = lambda instance: instance.text
    elif what == 3:
        field.write_only = True
    elif what == 4:
        field.format = "%Y"
    elif what == 5:
        child.fields["added"] = Shouting(source="text")
    elif what == 6:
        field.source_attrs = ["text"]
    elif what == 7 and hasattr(field, "child"):
        field.child.to_representation = str
    elif what == 8 and hasattr(field, "fields") and list(field.fields):
        field.fields.pop(list(field.fields)[0])


def overrides(random: Random, chance: float = 0.08) -> dict[str, Any]:
    """Methods of a serializer that change its fields or what it shows."""
    body: dict[str, Any] = {}

    def maybe(name: str, method: Any) -> None:
        if random.random() < chance:
            body[name] = method

    seed = random.random()

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        super(type(self), self).__init__(*args, **kwargs)
        if self.context.get("who") == "staff":
            set_on_instance(self, Random(seed))

    def get_fields(self: Any) -> Any:
        found = super(type(self), self).get_fields()
        if self.context.get("who") == "staff":
            found.pop(list(found)[0])
        return found

    def get_extra_kwargs(self: Any) -> Any:
        return {"text": {"write_only": self.context.get("who") == "staff"}}

    def build_field(self: Any, name: str, *args: Any) -> Any:
        cls, kwargs = super(type(self), self).build_field(name, *args)
        if name == "text":
            return Shouting, kwargs
        return cls, kwargs

    def show(self: Any, one: Any) -> Any:
        return {**super(type(self), self).to_representation(one), "more": self.context.get("who")}

    maybe("__init__", init)
    maybe("get_fields", get_fields)
    maybe("get_extra_kwargs", get_extra_kwargs)
    maybe("build_field", build_field)
    maybe("to_representation", show)
    maybe(
        "_readable_fields",
        property(lambda self: (one for one in self.fields.values() if one.field_name != "text")),
    )
    return body


def make_plain_class(random: Random) -> Any:
    """A serializer of which C shows every field: its plan is kept."""
    names = random.sample(PLAIN, random.randint(1, len(PLAIN)))
    declared = {
        f"f{at}": random.choice(
            [
                lambda: CharField(source=random.choice(["text", "text_stored"])),
                lambda: serializers.IntegerField(source="integer", default=random.random),
                lambda: rest_fields.DateTimeField(source="moment", format="iso-8601"),
                lambda: ListField(child=CharField(), source="words"),
                lambda: plain_inner(source="inner"),
                lambda: plain_inner(source="inners", many=True),
            ]
        )()
        for at in range(random.choice([0, 1, 2]))
    }
    meta: dict[str, Any] = {"model": Shown, "fields": [*names, *declared]}
    if random.random() < 0.3:
        meta["extra_kwargs"] = {name: {"label": "other"} for name in names}
    if random.random() < 0.2:
        meta["list_serializer_class"] = random.choice(LISTS)
    return type("Plain", (DocumentSerializer,), {**declared, "Meta": type("Meta", (), meta)})


def plain_inner(**kwargs: Any) -> Any:
    meta = type("Meta", (), {"model": Inner, "fields": ["word", "number", "when", "many"]})
    return type("PlainInner", (DocumentSerializer,), {"Meta": meta})(**kwargs)


def change_class(cls: Any, random: Random) -> None:
    """What somebody may do to a class between two requests."""
    meta, declared = cls.Meta, cls._declared_fields
    names = [name for name in meta.fields if name not in declared]
    what = random.randrange(8)
    if what == 0 and len(names) > 1:
        meta.fields.remove(names[0])
    elif what == 1:
        meta.fields = meta.fields[::-1]
    elif what == 2:
        meta.fields.append("added")
        declared["added"] = random.choice([Shouting, CharField])(source="text")
    elif what == 3 and names:
        meta.extra_kwargs = {names[0]: {"write_only": True}}
    elif what == 4 and declared:
        meta.fields.remove(declared.popitem()[0])
    elif what == 5:
        shown = cls.to_representation
        cls.to_representation = lambda self, one: {**shown(self, one), "more": 1}
    elif what == 6:
        found = cls.get_fields
        cls.get_fields = lambda self: dict(list(found(self).items())[1:])
    elif what == 7 and declared:
        declared[list(declared)[-1]] = Whole(source="*")


def make_class(random: Random) -> Any:
    names = random.sample(NAMES, random.randint(1, 8))
    body = overrides(random)
    declared = {f"f{at}": random.choice(DECLARED)(random) for at in range(random.randint(0, 5))}
    for at in range(random.choice([0, 0, 1, 2])):
        declared[f"m{at}"] = serializers.SerializerMethodField()
        body[f"get_m{at}"] = random.choice(METHODS)
    if random.random() < 0.2:
        declared[names[0]] = random.choice([Shouting, Careful, CharField, Elsewhere])()
    order = list(dict.fromkeys([*names, *declared]))
    random.shuffle(order)
    meta: dict[str, Any] = {"model": Shown, "fields": order, "depth": random.choice([0, 0, 1])}
    if random.random() < 0.2:
        meta["list_serializer_class"] = random.choice(LISTS)
    if random.random() < 0.3:
        meta["extra_kwargs"] = {
            "day": {"format": "%Y"},
            "text": {"source": "text_default"},
            "exact": {"coerce_to_string": False},
        }
    return type("Made", (DocumentSerializer,), {**declared, **body, "Meta": type("Meta", (), meta)})


def make_documents(random: Random) -> list[bytes]:
    encoded = []
    for _ in range(DOCUMENTS):
        values = {}
        for name in NAMES:
            field = Shown._fields[name]
            chance = random.random()
            if chance < 0.35:
                values[field.db_field] = random.choice(FITTING.get(name) or STORED)
            elif chance < 0.36:
                values[field.db_field] = random.choice(STORED)
            elif chance < 0.5:
                values[field.db_field] = None
        encoded.append(stored(**values))
    return encoded


def fitting(name: str) -> list[Any]:
    """The stored values that the usual serializer shows without an exception."""
    cls = serializer_of(name)

    def is_shown(value: Any) -> bool:
        one = load([stored(**{Shown._fields[name].db_field: value})])[0]
        return not isinstance(outcome(lambda: cls(one).data), type)

    return [value for value in STORED if is_shown(value)]


FITTING: dict[str, list[Any]] = {}


@pytest.fixture(scope="module", autouse=True)
def connected_store() -> Iterator[None]:
    with store():
        FITTING.update({name: fitting(name) for name in NAMES})
        yield


class Loud(JSONRenderer):
    compact = False
    ensure_ascii = True


class LoudStock(StockRenderer):
    compact = False
    ensure_ascii = True


class Lax(JSONRenderer):
    strict = False


class LaxStock(StockRenderer):
    strict = False


USUAL = (JSONRenderer, StockRenderer)
RENDERERS = [USUAL, USUAL, (Loud, LoudStock), (Lax, LaxStock)]


KEPT: list[int] = []  # how often the plan of a class was used again


def one_round(seed: int) -> Any:
    random = Random(seed)
    plain = random.random() < 0.4
    cls = make_plain_class(random) if plain else make_class(random)
    encoded = make_documents(random)
    query = random.choice(QUERIES) if random.random() < 0.2 else None
    changed, touched = random.random() < 0.2, random.random() < 0.2
    late = random.random() if random.random() < 0.4 else None
    answer = None

    def read(encoded: list[bytes]) -> Any:
        return load(encoded) if query is None else stored_query(encoded, query)

    def change(documents: list[Any]) -> None:
        if query is not None:
            return
        if changed:
            documents[0].text = "new"
            documents[1].words = ["x"]
            documents[2].inner = Inner(word="fresh")
        for document in documents[3:] if touched else ():
            outcome(lambda one: (one.words, one.inner, one.text), document)

    for at, who in enumerate(("public", "staff", "public", "public", "public")):
        if at == 3 and random.random() < 0.6:
            change_class(cls, random)

        def make(documents: list[Any], who: str = who) -> Any:
            made = cls(documents, many=True, context={"who": who})
            if late is not None and who == "staff":
                set_on_instance(made.child, Random(late))
            return made

        renderer, usual = random.choice(RENDERERS)
        zone = random.choice(["UTC", "UTC", "Europe/Oslo", "Asia/Kathmandu"])
        with timezone.override(zone), translation.override(random.choice(["en", "de"])):
            answer = compare(make, encoded, change, renderer, usual, read)
    KEPT.append(keeper.keeper_of(cls).uses)
    return answer


PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_generated_serializers_show_what_django_rest_framework_shows(part: int) -> None:
    answered = 0
    for at in range(part * ROUNDS // PARTS, (part + 1) * ROUNDS // PARTS):
        try:
            answered += isinstance(one_round(SEED + at), list)
        except Exception as error:
            raise AssertionError(f"SEED={SEED + at} SAME_ANSWER_ROUNDS=1") from error
    assert answered >= ROUNDS // PARTS // 10  # they must not just fail alike
    assert sum(KEPT) >= len(KEPT) // 4
