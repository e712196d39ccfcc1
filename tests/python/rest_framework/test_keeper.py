# SPDX-License-Identifier: Apache-2.0
"""Plans that are kept: whatever changes what a serializer shows is seen by the next list, and what
one request changes of its own serializer by no other."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.settings import api_settings

from mongodb import Document, EmbeddedDocument, fields
from mongodb.rest_framework import fields as rest_fields
from mongodb.rest_framework import keeper, mapping
from mongodb.rest_framework.serializers import DocumentSerializer

from .shown import MOMENT, Decimal128, compare, load, store, stored


class Shouting(serializers.CharField):
    def to_representation(self, value: Any) -> Any:
        return f"{value}!"


@pytest.fixture(scope="module", autouse=True)
def connected_store() -> Iterator[None]:
    with store():
        yield


def declare() -> Any:
    """A serializer of a document, both of which a test may change."""

    class Part(EmbeddedDocument):
        word = fields.StringField()
        number = fields.IntField()

    class Kept(Document):
        text = fields.StringField()
        number = fields.IntField()
        exact = fields.DecimalField(max_digits=6, decimal_places=2)
        moment = fields.DateTimeField()
        choice = fields.IntField(choices=[1, 2])
        words = fields.ListField(fields.StringField())
        part = fields.EmbeddedDocumentField(Part)
        parts = fields.ListField(fields.EmbeddedDocumentField(Part))
        meta = {"collection": "kept"}

        @property
        def shout(self) -> str:
            return f"{self.text}!"

    class PartSerializer(DocumentSerializer):
        class Meta:
            model = Part
            fields = ["word", "number"]

    class BaseSerializer(DocumentSerializer):
        base = serializers.CharField(source="text")

        class Meta:
            model = Kept
            fields = "__all__"

    class KeptSerializer(BaseSerializer):
        when = rest_fields.DateTimeField(source="moment", format="iso-8601")
        other = PartSerializer(source="part")
        others = PartSerializer(source="parts", many=True)

        class Meta:
            model = Kept
            fields = ["id", "text", "number", "exact", "moment", "choice", "words", "part", "parts"]
            fields += ["base", "when", "other", "others"]
            extra_kwargs = {"text": {"trim_whitespace": True}}

    return KeptSerializer


PART = {"word": "w", "number": 3}
ENCODED = [
    stored(
        text="text",
        number=number,
        exact=Decimal128("1.50"),
        moment=MOMENT,
        choice=2,
        words=["a", "b"],
        part=PART,
        parts=[PART, PART],
    )
    for number in range(3)
]


def listed(cls: Any, encoded: list[bytes] = ENCODED) -> Any:
    return cls(load(encoded, cls.Meta.model), many=True)


def shown_by(
    cls: Any,
    change: Callable[[Any], Any] = lambda many: None,
    encoded: list[bytes] = ENCODED,
) -> Any:
    """What a list shows, as DRF's own path does."""

    def make(documents: list[Any]) -> Any:
        many = listed(cls, encoded)
        change(many)
        return many

    return compare(make, ENCODED[:1])


def uses(cls: Any) -> int:
    return keeper.keeper_of(cls).uses


def keep(cls: Any) -> Any:
    """Show lists until their plan is kept: what they show."""
    for _ in range(5):
        shown = shown_by(cls)
    assert uses(cls) >= 2, "the plan of such a serializer is kept"
    return shown


def meta_field(cls: Any, patch: Any) -> None:
    cls.Meta.fields.remove("number")


def meta_fields(cls: Any, patch: Any) -> None:
    cls.Meta.fields = [name for name in cls.Meta.fields if name != "text"]


def meta_exclude(cls: Any, patch: Any) -> None:
    del cls.Meta.fields
    cls.Meta.exclude = ["number"]


def meta_order(cls: Any, patch: Any) -> None:
    cls.Meta.fields.reverse()


def other_meta(cls: Any, patch: Any) -> None:
    cls.Meta = type("Meta", (cls.Meta,), {"extra_kwargs": {"text": {"write_only": True}}})


def extra_kwargs(cls: Any, patch: Any) -> None:
    cls.Meta.extra_kwargs["text"]["write_only"] = True


def more_extra_kwargs(cls: Any, patch: Any) -> None:
    cls.Meta.extra_kwargs["text"] = {"source": "shout"}


def declared_field(cls: Any, patch: Any) -> None:
    cls._declared_fields["base"] = Shouting(source="text")


def declared_arguments(cls: Any, patch: Any) -> None:
    cls._declared_fields["when"]._kwargs["format"] = "%Y"


def other_declared_arguments(cls: Any, patch: Any) -> None:
    cls._declared_fields["when"]._kwargs = {"source": "moment", "format": "%Y"}


def declared_method(cls: Any, patch: Any) -> None:
    cls._declared_fields["base"] = serializers.SerializerMethodField()
    cls.get_base = lambda self, one: f"<{one.text}>"


def shows_otherwise(cls: Any, patch: Any) -> None:
    cls.to_representation = lambda self, one: {"only": one.text}


def fields_otherwise(cls: Any, patch: Any) -> None:
    cls.get_fields = lambda self: {"text": serializers.CharField()}


def base_shows_otherwise(cls: Any, patch: Any) -> None:
    cls.__mro__[1].to_representation = lambda self, one: {"only": one.text}


def other_bases(cls: Any, patch: Any) -> None:
    class Mixin(DocumentSerializer):
        def get_field_names(self, declared_fields: Any, info: Any) -> Any:
            return ["text", *declared_fields]

    cls.__bases__ = (Mixin,)


def stock_code(cls: Any, patch: Any) -> None:
    found = serializers.ModelSerializer.get_field_names
    patch.setattr(
        serializers.ModelSerializer,
        "get_field_names",
        lambda self, *args: [one for one in found(self, *args) if one != "text"],
    )


def stock_field(cls: Any, patch: Any) -> None:
    patch.setattr(serializers.CharField, "to_representation", lambda self, value: f"<{value}>")


def generated_stock_field(cls: Any, patch: Any) -> None:
    patch.setattr(serializers.IntegerField, "to_representation", lambda self, value: -value)


def stock_attribute(cls: Any, patch: Any) -> None:
    patch.setattr(serializers.Field, "get_attribute", lambda self, instance: "same")


def nested_meta(cls: Any, patch: Any) -> None:
    type(cls._declared_fields["other"]).Meta.fields.remove("word")


def nested_shows_otherwise(cls: Any, patch: Any) -> None:
    type(cls._declared_fields["other"]).to_representation = lambda self, one: one.word


def generated_nested(cls: Any, patch: Any) -> None:
    type(cls().fields["part"]).Meta.fields = ["word"]


def document_field(cls: Any, patch: Any) -> None:
    cls.Meta.model._fields["exact"].decimal_places = 1


def document_items(cls: Any, patch: Any) -> None:
    class Other(EmbeddedDocument):
        number = fields.IntField()

    cls.Meta.model._fields["parts"].field = fields.EmbeddedDocumentField(Other)


def document_choices(cls: Any, patch: Any) -> None:
    cls.Meta.model._fields["choice"].choices = [1, "2"]


def document_choice(cls: Any, patch: Any) -> None:
    cls.Meta.model._fields["choice"].choices[1] = "2"


def document_attribute(cls: Any, patch: Any) -> None:
    cls.Meta.model.text = property(lambda self: "computed")


def embedded_fields(cls: Any, patch: Any) -> None:
    cls.Meta.model._fields["part"].document_type._fields["word"].choices = ["v"]


def setting(cls: Any, patch: Any) -> None:
    patch.setattr(api_settings, "DATETIME_FORMAT", "%d.%m.%Y", raising=False)


def decimal_setting(cls: Any, patch: Any) -> None:
    patch.setattr(api_settings, "COERCE_DECIMAL_TO_STRING", False, raising=False)


def mapped(cls: Any, patch: Any) -> None:
    patch.setitem(mapping.SERIALIZER_FIELDS, "IntField", serializers.CharField)
    keeper.kept(cls, "_prototypes").clear()


CHANGES = [
    meta_field,
    meta_fields,
    meta_exclude,
    meta_order,
    other_meta,
    extra_kwargs,
    more_extra_kwargs,
    declared_field,
    declared_arguments,
    other_declared_arguments,
    declared_method,
    shows_otherwise,
    fields_otherwise,
    base_shows_otherwise,
    other_bases,
    stock_code,
    stock_field,
    generated_stock_field,
    stock_attribute,
    nested_meta,
    nested_shows_otherwise,
    generated_nested,
    document_field,
    document_items,
    document_choices,
    document_choice,
    document_attribute,
    embedded_fields,
    setting,
    decimal_setting,
    mapped,
]
SAME = {embedded_fields}  # another kind of field that shows the same


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_change_is_seen_by_the_next_list(change: Any, monkeypatch: Any) -> None:
    cls = declare()
    before = keep(cls)
    if change is meta_exclude:
        del cls._declared_fields["base"]
    change(cls, monkeypatch)
    after = [shown_by(cls) for _ in range(4)]
    assert after[1:] == after[:-1]
    assert (after[0] == before) == (change in SAME)


def pop_field(many: Any) -> None:
    many.child.fields.pop("text")


def add_field(many: Any) -> None:
    many.child.fields["added"] = Shouting(source="text")


def own_show(many: Any) -> None:
    many.child.to_representation = lambda one: {"only": one.text}


def own_field_show(many: Any) -> None:
    many.child.fields["text"].to_representation = lambda value: f"<{value}>"


def own_meta(many: Any) -> None:
    many.child.Meta = type("Meta", (many.child.Meta,), {"fields": ["text"]})
    many.child._declared_fields = {}


def own_get_fields(many: Any) -> None:
    many.child.get_fields = lambda: {"text": serializers.CharField()}


def own_build_field(many: Any) -> None:
    many.child.build_field = lambda name, *args: (Shouting, {})


def own_nested(many: Any) -> None:
    many.child.fields["others"].child.fields.pop("word")


def own_class(many: Any) -> None:
    cls = type(many.child)
    many.child.__class__ = type("Other", (cls,), {"get_fields": lambda self: {}})


def own_choices(many: Any) -> None:
    many.child.fields["choice"].choices = [(7, "seven")]
    many.child.fields["choice"].choice_strings_to_values["2"] = "changed"


@pytest.mark.parametrize(
    "change",
    [
        pop_field,
        add_field,
        own_show,
        own_field_show,
        own_meta,
        own_get_fields,
        own_build_field,
        own_nested,
        own_class,
        own_choices,
    ],
    ids=lambda change: change.__name__,
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_own_change_is_seen_by_no_other_list(change: Any, first: bool) -> None:
    cls = declare()
    if first:
        changed = shown_by(cls, change)
        before = keep(cls)
    else:
        before = keep(cls)
        changed = shown_by(cls, change)
    assert changed != before
    assert shown_by(cls) == before
    assert shown_by(cls, change) == changed


def test_fields_are_made_when_somebody_asks() -> None:
    cls = declare()
    keep(cls)
    many = listed(cls)
    assert len(many.data) == 3 and "fields" not in many.child.__dict__
    assert list(many.child.fields) == list(many.data[0]) and many.child.fields["text"].parent


def test_document_that_needs_python_is_shown_by_live_fields() -> None:
    cls = declare()
    before = keep(cls)
    odd = [ENCODED[0], stored(text=5, words="x", part={"_cls": "No"}, parts=[1]), ENCODED[1]]
    assert shown_by(cls, encoded=odd) != before
    changed = load(ENCODED, cls.Meta.model)
    changed[1].text = "changed"
    assert cls(changed, many=True).data[1]["text"] == "changed"
    assert shown_by(cls) == before


def test_rows_of_a_kept_plan_are_each_their_own() -> None:
    cls = declare()
    keep(cls)
    rows, again = listed(cls).data, listed(cls).data
    rows[0].pop("text")
    rows[0]["new"] = 1
    rows[0]["part"]["word"] = "changed"
    rows[1].clear()
    assert list(rows[2]) == list(again[0]) == list(listed(cls).data[0])
    assert again[0]["part"] == PART and rows[0]["new"] == 1 and "new" not in rows[2]


@pytest.mark.parametrize(
    "name, method",
    [
        ("get_fields", lambda self: {"text": serializers.CharField()}),
        ("__getattr__", lambda self, name: (_ for _ in ()).throw(AttributeError(name))),
        ("get_field_names", lambda self, *args: ["id", "base", "when", "other", "others"]),
        ("to_representation", lambda self, one: {}),
    ],
)
def test_plan_of_other_code_is_not_kept(name: str, method: Any) -> None:
    cls = type("Own", (declare(),), {name: method})
    for _ in range(4):
        shown_by(cls)
    assert uses(cls) == 0


class Incomparable:
    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth of this is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_attributes_of_a_class_are_not_compared_by_value() -> None:
    cls = type("Own", (declare(),), {"get_fields": lambda self: {"text": Shouting()}})
    for _ in range(3):
        cls.odd = Incomparable()
        assert listed(cls).data[0] == {"text": "text!"}


def test_threads_that_make_plans_at_once_keep_each_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another one makes its plan of a changed Meta just before this one's is checked."""
    cls = declare()
    public = ["id", "text", "when", "other", "others"]
    staff = [*public, "number"]
    check, others = keeper.unchanged, [public]

    def between(seen: Any) -> bool:
        if others:
            cls.Meta.fields = others.pop()
            listed(cls).data  # noqa: B018
        return check(seen)

    for first, then in ((staff, public), (public, staff)):
        cls.Meta.fields, others[:] = first, [then]
        with monkeypatch.context() as patch:
            patch.setattr(keeper, "unchanged", between)
            listed(cls).data  # noqa: B018
        for names in (then, first, then):
            cls.Meta.fields = names
            assert [list(row) for row in listed(cls).data] == [names] * 3


def test_plan_of_a_meta_that_was_changed_and_changed_back_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cls = declare()
    keep(cls)
    public = cls.Meta.fields = ["id", "text", "when", "other", "others"]
    see, compile_it = keeper.Seen.meta, keeper.without_fields

    def change(self: Any, meta: Any) -> None:
        see(self, meta)
        if meta is cls.Meta:
            meta.fields = [*public, "number"]

    def change_back(serializer: Any) -> Any:
        plan = compile_it(serializer)
        cls.Meta.fields = public
        return plan

    with monkeypatch.context() as patch:
        patch.setattr(keeper.Seen, "meta", change)
        patch.setattr(keeper, "without_fields", change_back)
        listed(cls).data  # noqa: B018
        listed(cls).data  # noqa: B018
    for _ in range(4):
        assert [list(row) for row in listed(cls).data] == [public] * 3


def test_lists_that_need_python_stop_keeping_their_plan() -> None:
    cls = declare()
    keep(cls)
    for _ in range(200):
        assert listed(cls, [stored(text=5)]).data[0]["text"] == "5"
    assert uses(cls) < 40
