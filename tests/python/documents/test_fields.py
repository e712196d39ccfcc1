# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - a table is read by its lines
"""Which values each field takes, up to its limits, how they are stored, read and looked up."""

import datetime
import decimal
import enum
import re
import uuid
from typing import Any

import pytest
from bson import Binary, DBRef, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from mongodb import (
    Document,
    DoesNotExist,
    EmbeddedDocument,
    InvalidDocumentError,
    MultipleObjectsReturned,
    ValidationError,
    get_db,
)
from mongodb.fields import (
    BinaryField,
    BooleanField,
    ComplexDateTimeField,
    DateField,
    DateTimeField,
    Decimal128Field,
    DecimalField,
    DictField,
    DynamicField,
    EmailField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    EnumField,
    FloatField,
    GenericEmbeddedDocumentField,
    IntField,
    ListField,
    LongField,
    MapField,
    ObjectIdField,
    ReferenceField,
    SequenceField,
    SortedListField,
    StringField,
    URLField,
    UUIDField,
)

D = decimal.Decimal
NOON = datetime.datetime(2024, 5, 31, 12, 30, 1)
DAY = datetime.datetime(2024, 5, 31)
ID = uuid.UUID(int=5)
OID = ObjectId()


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


class FieldAim(Document):
    name = StringField()


class FieldTree(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class FieldOak(FieldTree):
    pass


class FieldLeaf(EmbeddedDocument):
    name = StringField()
    n = IntField()


class FieldTwig(EmbeddedDocument):
    n = IntField()


# Each: the field, values that it takes with what is stored of them, values that it refuses.
# A function: fields are made in the test that uses them.
def values() -> list[tuple[Any, list[tuple[Any, Any]], list[Any]]]:
    return [
        (StringField(max_length=3, min_length=2), [("ab", "ab"), ("abc", "abc")], ["a", "abcd", 5]),
        (StringField(regex="[a-c]+$"), [("abc", "abc")], ["abd", "x", 7]),
        (StringField(regex=re.compile("A", re.I)), [("ab", "ab")], ["b"]),
        (
            URLField(),
            [(u, u) for u in ("http://a.b", "https://u@a.b:80/c?d", "ftp://a", "FTPS://[::1]/")],
            ["a.b", "mailto://a.b", "http://", "http://a b", "http://-a", "http://a.b:123456"],
        ),
        (URLField(schemes=["git"]), [("git://a.b", "git://a.b")], ["http://a.b"]),
        (URLField(url_regex=re.compile("http://only")), [("http://only", "http://only")], ["http://a"]),
        (
            EmailField(),
            [(a, a) for a in ("a@b.co", "a.b+c@d-e.org", '"a!b"@c.de', "a@bücher.de")],
            ["a", "@b.co", "a@", "a b@c.de", "a@localhost", "ü@b.co", "a@[127.0.0.1]", "a@b..co"],
        ),
        (EmailField(domain_whitelist=["localhost"]), [("a@localhost", "a@localhost")], ["a@host"]),
        (EmailField(domain_whitelist=["bücher"]), [("a@bücher", "a@bücher")], ["a@buch"]),
        (EmailField(allow_utf8_user=True), [("ü@b.co", "ü@b.co")], ["ü b@b.co", "a,b@b.co"]),
        (
            EmailField(allow_ip_domain=True),
            [("a@[127.0.0.1]", "a@[127.0.0.1]"), ("a@[IPv6:::1]", "a@[IPv6:::1]")],
            ["a@[1.2.3]", "a@127.0.0.1", "a@[127.0.0.1", "a@127.0.0.1]"],
        ),
        (
            IntField(min_value=2, max_value=4),
            [(2, 2), (4, 4), ("3", 3), (3.0, 3)],
            [1, 5, "x", [], float("inf"), float("nan")],
        ),
        (IntField(), [(2**63 - 1, 2**63 - 1), (-(2**63), -(2**63)), (0, 0)], [2**63, -(2**63) - 1]),
        (LongField(max_value=4), [(4, Int64(4)), ("3", Int64(3))], [5, "x"]),
        (
            FloatField(min_value=0.5, max_value=1.5),
            [(0.5, 0.5), (1.5, 1.5), ("1", 1.0), (1, 1.0), (Decimal128("1.25"), 1.25)],
            [0.4, 1.6, "x", [], object()],
        ),
        (
            DecimalField(min_value=D("0.5"), max_value=D("1.5")),
            [(D("0.5"), Decimal128("0.5")), (1.5, Decimal128("1.5")), ("1", Decimal128("1"))],
            [D("0.4"), D("1.51"), "x", True, D("NaN")],
        ),
        (DecimalField(), [(D("1E+6111"), Decimal128("1E+6111"))], [D("1" * 35), "1.2.3"]),
        (DecimalField(force_string=True), [(D("1.10"), "1.10"), (2, "2")], [D("1" * 35)]),
        (
            DecimalField(precision=1),
            [(D("1.25"), Decimal128("1.3")), (D("1.24"), Decimal128("1.2"))],
            ["x"],
        ),
        (
            DecimalField(precision=1, rounding=decimal.ROUND_DOWN),
            [(D("1.29"), Decimal128("1.2"))],
            [],
        ),
        (
            DecimalField(max_digits=4, decimal_places=2),
            [(D("12.34"), Decimal128("12.34")), (D("99"), Decimal128("99"))],
            [D("1.234"), D("123.45"), D("123"), D("1E+2")],
        ),
        (DecimalField(max_digits=2), [(D("0.12"), Decimal128("0.12"))], [D("123"), D("0.123")]),
        (DecimalField(decimal_places=1), [(D("123456.7"), Decimal128("123456.7"))], [D("1.23")]),
        (
            Decimal128Field(min_value=D(1), max_value=D(2)),
            [(D("1.5"), Decimal128("1.5")), ("2", Decimal128("2")), (1, Decimal128("1"))],
            [D("0.9"), D("2.1"), "x", [], D("1" * 35)],
        ),
        (BooleanField(), [(True, True), (False, False), (1, True), ("", False)], []),
        (
            BinaryField(max_bytes=2),
            [(b"ab", b"ab"), (bytearray(b"a"), b"a"), (memoryview(b"b"), b"b")],
            [b"abc", "ab", 2],
        ),
        (BinaryField(), [(b"abc", b"abc")], [5]),
        (ObjectIdField(), [(OID, OID), (str(OID), OID)], ["x", 5]),
        (
            UUIDField(),
            [(one, Binary(ID.bytes, 4)) for one in (ID, str(ID), ID.bytes)],
            ["x", 5, b"abc"],
        ),
        (UUIDField(binary=False), [(ID, str(ID)), (str(ID), str(ID))], ["x"]),
        (EnumField(Color), [(Color.RED, "r"), ("b", "b")], ["x", 1]),
        (EnumField(Color, choices=[Color.RED]), [(Color.RED, "r")], [Color.BLUE, "b"]),
        (
            DateTimeField(),
            [(NOON, NOON), ("2024-05-31T12:30:01", NOON), (DAY.date(), DAY), (" 2024-05-31 ", DAY)],
            ["x", 5, ""],
        ),
        (
            DateField(),
            [(NOON, DAY), (DAY.date(), DAY), ("2024-05-31", DAY), ("2024-05-31T12:30:01", DAY)],
            ["x", 5],
        ),
        (
            ComplexDateTimeField(),
            [(one, "2024,05,31,12,30,01,000000") for one in (NOON, "2024-05-31T12:30:01")],
            ["x", 5],
        ),
        (
            ComplexDateTimeField(separator="."),
            [(NOON.replace(microsecond=7), "2024.05.31.12.30.01.000007")],
            [],
        ),
        (ReferenceField(FieldAim), [(FieldAim(id=OID), OID), (OID, OID), (DBRef("field_aim", OID), OID)],
         [FieldAim(), "x", 5, {}, [], FieldTree(id=OID)]),
        (ReferenceField(FieldAim, dbref=True),
         [(FieldAim(id=OID), DBRef("field_aim", OID)), (DBRef("field_aim", OID), DBRef("field_aim", OID))], [FieldAim()]),
        (ReferenceField(FieldTree, dbref=True),
         [(FieldOak(id=OID), DBRef("field_tree", OID, _cls="FieldTree.FieldOak")),
          (DBRef("field_tree", OID, _cls="FieldTree.FieldOak"), DBRef("field_tree", OID, _cls="FieldTree.FieldOak"))],
         [FieldAim(id=OID)]),
        (ListField(StringField(max_length=2), max_length=2),
         [(["a"], ["a"]), (("a", "b"), ["a", "b"]), ([], [])],
         ["ab", 5, {"a": 1}, ["abc"], ["a", "b", "c"], [5], b"x", FieldLeaf()]),
        (ListField(), [([1, "a", {"b": 2}, None], [1, "a", {"b": 2}, None])], [5, "x", {"a": 1}]),
        (ListField(IntField), [(["1", 2], [1, 2])], [["x"], [1, None]]),
        (ListField(ListField(IntField())), [([[1], ["2"]], [[1], [2]])], [[1], [["x"]]]),
        (SortedListField(IntField()), [([3, 1], [1, 3])], [["x"], 5]),
        (SortedListField(IntField(), reverse=True), [([1, 3], [3, 1])], []),
        (SortedListField(ordering="n"), [([{"n": 2}, {"n": 1}], [{"n": 1}, {"n": 2}])], []),
        (DictField(), [({"a": {"b": [1]}}, {"a": {"b": [1]}})],
         ["x", [1], {"$a": 1}, {"a": {"$b": 1}}, {"a": [{"b\0": 1}]}, {5: 1}]),
        (DictField(IntField()), [({"a": "1"}, {"a": 1})], [{"a": "x"}, {"a": None}, 5]),
        (MapField(StringField()), [({"a": "x"}, {"a": "x"})], [{"a": 5}, "x"]),
        (EmbeddedDocumentField(FieldLeaf), [(FieldLeaf(n=1), {"n": 1}), ({"n": "2"}, {"n": 2})],
         [5, "x", [], FieldTwig(n=1), {"n": "x"}]),
        (GenericEmbeddedDocumentField(),
         [(FieldLeaf(n=1), {"_cls": "FieldLeaf", "n": 1}),
          ({"_cls": "FieldTwig", "n": 2}, {"_cls": "FieldTwig", "n": 2})],
         [5, {"n": 1}, FieldAim(), FieldLeaf(n="x")]),
        (GenericEmbeddedDocumentField(choices=[FieldLeaf]),
         [(FieldLeaf(n=1), {"_cls": "FieldLeaf", "n": 1})], [FieldTwig(n=1)]),
        (DynamicField(),
         [(1, 1), ([1, {"a": "b"}], [1, {"a": "b"}]), (FieldLeaf(n=1), {"_cls": "FieldLeaf", "n": 1}),
          (FieldAim(id=OID), DBRef("field_aim", OID)),
          ({"a": [FieldAim(id=OID)]}, {"a": [DBRef("field_aim", OID)]})], []),
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def store(memory: None) -> None:
    pass


@pytest.mark.parametrize("at", range(len(values())))
def test_values_that_a_field_takes_and_refuses(at: int) -> None:
    field, taken, refused = values()[at]
    cls: Any = type("Held", (Document,), {"v": field, "meta": {"collection": "held"}})
    raw = get_db()["held"]
    for value, stored in taken:
        doc = cls(v=value).save()
        found = raw.find_one({"_id": doc.pk})["v"]
        assert found == stored and isinstance(found, type(stored)), value
        again = cls.objects.get(pk=doc.pk)
        assert field.to_mongo(again.v) == field.to_mongo(doc.v), value
        sought = again.v if isinstance(value, (dict, list)) else value
        assert cls.objects(v=sought).count() >= 1, value
        field.validate(field.to_python(value))
    for value in refused:
        doc = cls(v=value)
        with pytest.raises(ValidationError) as caught:
            doc.save()
        assert list(caught.value.errors) == ["v"], value
        with pytest.raises(ValidationError):
            cls.objects.insert(cls(v=value))
    assert raw.count_documents({}) == len(taken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (IntField(), "x"), (IntField(), 2**63), (IntField(), []), (FloatField(), "x"),
        (DecimalField(), "x"), (Decimal128Field(), "x"), (ObjectIdField(), "x"),
        (UUIDField(), "x"), (DateTimeField(), "x"), (DateTimeField(), 5), (DateField(), "x"),
        (ComplexDateTimeField(), "x"), (ReferenceField(FieldAim), "x"), (BinaryField(), 2),
    ],
)  # fmt: skip
def test_a_lookup_of_what_no_document_can_have_is_refused(field: Any, value: Any) -> None:
    from mongodb import MongoError

    cls: Any = type("Sought", (Document,), {"v": field})
    with pytest.raises((MongoError, ValueError, TypeError)):
        cls.objects(v=value).count()
    with pytest.raises((MongoError, ValueError, TypeError)):
        field.prepare_query_value(None, value)
    assert cls.objects(v=None).count() == 0
    assert field.prepare_query_value(None, None) is None


def test_limits_hold_in_python_as_they_do_in_c() -> None:
    for field, taken, refused in values():
        field._validate(field.to_python(taken[0][0]))
        for value in refused:
            with pytest.raises(ValidationError):
                field._validate(field.to_python(value))
                raise AssertionError((field, value))


@pytest.mark.parametrize(
    ("op", "value", "found"),
    [
        ("contains", ".", ["a.b"]), ("icontains", "B", ["a.b", "ab", "b"]),
        ("startswith", "a", ["a.b", "ab"]), ("istartswith", "B", ["b"]),
        ("endswith", "b", ["a.b", "ab", "b"]), ("iendswith", "X", ["x x"]),
        ("exact", "b", ["b"]), ("iexact", "B", ["b"]), ("regex", "^.b$", ["ab"]),
        ("iregex", "^A", ["a.b", "ab"]), ("wholeword", "x", ["x x"]),
        ("iwholeword", "A", ["a.b"]), ("contains", re.compile("^x"), ["x x"]),
    ],
)  # fmt: skip
def test_lookups_of_text(op: str, value: Any, found: list[str]) -> None:
    FieldAim.objects.insert([FieldAim(name=name) for name in ("a.b", "ab", "b", "x x")])
    assert sorted(FieldAim.objects(**{f"name__{op}": value}).scalar("name")) == found


def test_rules_of_ones_own_for_addresses_hold() -> None:
    class StaffField(EmailField):
        def validate_user_part(self, user_part: str) -> bool:
            return user_part != "root" and super().validate_user_part(user_part)

    cls: Any = type("Staff", (Document,), {"mail": StaffField()})
    cls(mail="ada@b.co").save()
    with pytest.raises(ValidationError, match="must be an e-mail address"):
        cls(mail="root@b.co").save()


def test_what_is_neither_true_nor_false_is_told() -> None:
    class Unsure:
        def __bool__(self) -> bool:
            raise ValueError("neither")

    cls: Any = type("Sure", (Document,), {"v": BooleanField()})
    with pytest.raises(ValidationError, match="must be True or False"):
        cls(v=Unsure()).save()


def test_a_key_that_is_none_is_told_in_words_of_the_reference() -> None:
    cls: Any = type("Aiming", (Document,), {"v": ReferenceField(FieldAim)})
    with pytest.raises(ValidationError, match="must be a FieldAim document or its id, not 'x'"):
        cls(v="x").save()


def test_a_reference_that_was_stored_as_another_class_is_read_as_it() -> None:
    class Planted(Document):
        tree = ReferenceField(FieldTree, dbref=True)

    oak = FieldOak(name="o").save()
    Planted(tree=oak).save()
    found = Planted.objects.get().tree
    assert type(found) is FieldOak and found.name == "o"
    with pytest.raises(InvalidDocumentError):
        ReferenceField(5)
    with pytest.raises(InvalidDocumentError):
        ReferenceField(FieldLeaf)


class Branch(Document):
    leaves = EmbeddedDocumentListField(FieldLeaf)


def test_a_list_of_embedded_documents_speaks_like_a_queryset() -> None:
    branch = Branch(
        leaves=[FieldLeaf(name="a", n=1), FieldLeaf(name="b", n=2), FieldLeaf(name="b", n=3)]
    ).save()
    leaves = branch.leaves
    assert [one.n for one in leaves.filter(name="b")] == [2, 3]
    assert [one.n for one in leaves.filter(name="b", n=3)] == [3]
    assert [one.n for one in leaves.exclude(name="b", n=3)] == [1, 2]
    assert (leaves.count(), leaves.filter(name="x").count(), leaves.count(leaves[0])) == (3, 0, 1)
    assert leaves.get(n=2) is leaves[1]
    with pytest.raises(DoesNotExist):
        leaves.get(n=9)
    with pytest.raises(MultipleObjectsReturned):
        leaves.get(name="b")
    assert (leaves.first(), leaves.filter(n=9).first()) == (leaves[0], None)
    made = leaves.create(name="c", n=4)
    assert made in branch.leaves and len(branch.leaves) == 4
    assert branch.leaves.filter(name="b").update(n=7) == 2
    with pytest.raises(ValidationError):
        leaves.update()
    branch.leaves.save()
    assert [one.n for one in Branch.objects.get().leaves] == [1, 7, 7, 4]
    assert branch.leaves.filter(name="b").delete() == 2
    branch.save()
    assert [one.name for one in Branch.objects.get().leaves] == ["a", "c"]
    assert branch.leaves.delete() == 2 and branch.leaves == []


def test_a_counter_is_named_kept_and_set() -> None:
    class Inside(EmbeddedDocument):
        at = SequenceField()

    class Numbered(Document):
        plain = SequenceField()
        named = SequenceField(sequence_name="shared", collection_name="my_counters")
        text = SequenceField(value_decorator=lambda n: f"no {n}")
        inside = EmbeddedDocumentListField(Inside)

    fields = Numbered._fields
    assert (fields["plain"].get_next_value(), fields["text"].get_next_value()) == (1, "no 1")
    one, two = (Numbered(inside=[Inside()]).save() for _ in range(2))
    assert [(d.plain, d.named, d.text, d.inside[0].at) for d in (one, two)] == [
        (1, 1, "no 1", 1), (2, 2, "no 2", 2),
    ]  # fmt: skip
    counters = {one["_id"]: one["next"] for one in get_db()["mongoengine.counters"].find()}
    assert counters == {"numbered.plain": 2, "numbered.text": 2, "inside.at": 2}
    assert get_db()["my_counters"].find_one() == {"_id": "shared.named", "next": 2}
    assert fields["plain"].get_next_value() == 3
    assert fields["plain"].set_next_value(10) == 10
    assert Numbered().save().plain == 11
    assert Numbered(plain=5).save().plain == 5


def test_times_of_fields_themselves() -> None:
    before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    now = DateTimeField().now()
    assert before.replace(microsecond=0) <= now and now.microsecond % 1000 == 0
    assert now.tzinfo is None
    assert DateField().now() in (before.date(), now.date())
    with pytest.raises(ValueError):
        DateTimeField(auto_now=True, auto_now_add=True)

    class Timed(Document):
        at = DateTimeField()
        day = DateField()

    doc = Timed(at=DatetimeMS(5), day=NOON)
    doc.save()
    assert get_db()["timed"].find_one()["at"] == datetime.datetime(1970, 1, 1, 0, 0, 0, 5000)
    assert Timed.objects.get().day == DAY.date()


def test_options_of_fields_are_checked() -> None:
    for name in ("a.b", "$a", "a\0"):
        with pytest.raises(ValueError):
            StringField(db_field=name)
    with pytest.raises(TypeError):
        StringField(db_field=5)
    for wrong in ({"to_python": 1}, {"blank": True}, {"min_value": 3}, {"precision": 1}):
        with pytest.raises(TypeError):
            StringField(**wrong)
    with pytest.warns(UserWarning, match="max_length"):
        assert StringField(max_lenght=3).max_lenght == 3
    with pytest.raises(ValueError):
        EnumField(Color, choices=["r"])
    assert repr(StringField()) == "<StringField: >"


def test_labels_and_validators_of_choices() -> None:
    field = StringField(choices=[("a", "A"), ("b", "B")])
    assert (field.choice_values(), field.choice_label("a"), field.choice_label("z")) == (
        ["a", "b"], "A", "z",
    )  # fmt: skip
    plain = StringField(choices=["ab", "cd"])
    assert (plain.choice_values(), plain.choice_label("ab")) == (["ab", "cd"], "ab")
    assert StringField().choice_values() == []

    def even(value: int) -> Any:
        if value == 6:
            raise ValidationError("six is refused")
        return None if value == 4 else value % 2 == 0

    class Checked(Document):
        v = IntField(validation=even)
        w = IntField(validation=5)

    for good in (2, 4):
        Checked(v=good).save()
    for bad in (3, 6):
        with pytest.raises(ValidationError) as caught:
            Checked(v=bad).save()
        assert list(caught.value.errors) == ["v"]
    with pytest.raises(ValueError):
        Checked(w=1).save()


def test_each_document_has_its_own_default() -> None:
    class Defaulted(Document):
        full = ListField(default=[1, [2]])
        empty = ListField(default=[])
        mapped = DictField(default={"a": []})
        called = IntField(default=lambda: 7)

    one, two = Defaulted(), Defaulted()
    one.full[1].append(3)
    one.empty.append(1)
    one.mapped["a"].append(1)
    assert (two.full, two.empty, two.mapped, two.called) == ([1, [2]], [], {"a": []}, 7)
    assert Defaulted().full == [1, [2]]


def test_what_fields_inside_fields_are_made_of() -> None:
    for wrong in (lambda: ListField(5), lambda: MapField(), lambda: MapField(IntField),
                  lambda: EmbeddedDocumentField(FieldAim)):  # fmt: skip
        with pytest.raises(InvalidDocumentError):
            wrong()
    named = EmbeddedDocumentField("FieldAim")
    with pytest.raises(InvalidDocumentError):
        _ = named.document_type

    class Deep(Document):
        words = ListField(ListField(StringField(max_length=1)))
        maps = MapField(ListField(IntField()))
        leaves = EmbeddedDocumentListField("FieldLeaf")

    doc = Deep(words=[["a"], ["b", "cc"]], maps={"x": [1, "y"]}, leaves=[FieldLeaf(n="z")])
    with pytest.raises(ValidationError) as caught:
        doc.save()
    assert set(caught.value.flat()) == {"words.1.1", "maps.x.1", "leaves.0.n"}
    doc = Deep(words=[["a"]], maps={"x": [1]}, leaves=[FieldLeaf(name="b")]).save()
    assert Deep.objects(words__0__0="a").count() == Deep.objects(maps__x=1).count() == 1
    assert Deep.objects(maps__x__0=1, leaves__name__startswith="b").get() == doc
    words = Deep._fields["words"]
    assert words.field.owner_document is Deep and words.field.name == "words"


def test_lookups_into_what_has_no_fields() -> None:
    class Open(Document):
        any = DynamicField()
        map = DictField()
        list = ListField()
        generic = GenericEmbeddedDocumentField(choices=[FieldLeaf, "FieldTwig"])

    Open(any={"a": "xyz"}, map={"b": "xyz"}, list=["xyz"], generic=FieldLeaf(name="xyz")).save()
    for lookup in ("any__a", "map__b", "list", "generic__name"):
        assert Open.objects(**{lookup: "xyz"}).count() == 1, lookup
        assert Open.objects(**{f"{lookup}__contains": "y"}).count() == 1, lookup
        assert Open.objects(**{f"{lookup}__istartswith": "X"}).count() == 1, lookup
        assert Open.objects(**{f"{lookup}__contains": "."}).count() == 0, lookup
    assert Open.objects(generic=FieldLeaf(name="xyz")).count() == 1
    assert Open.objects(map={"b": "xyz"}).count() == 1
    Open.objects.update(generic={"_cls": "FieldTwig", "n": 1}, map__c=[FieldLeaf(n=1)])
    found = Open.objects.get()
    assert found.generic == FieldTwig(n=1)
    assert get_db()["open"].find_one()["map"]["c"] == [{"_cls": "FieldLeaf", "n": 1}]
